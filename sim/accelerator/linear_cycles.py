"""How many cycles a whole BitLinear takes: a closed form for a block of tokens, equal to the hardware's count."""

from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements import code, rescaling
from bitjoule.rtl.linear.elements.division import CYCLES as DIVISION_CYCLES
from bitjoule.sim.accelerator.cycles import check_sizes

_QUEUE_CYCLES, _HELD_CYCLES, _FEEDER_CYCLES = 1, 2, 2


def quantisation_cycles(config: LinearConfig, k: int) -> int:
    """Return the cycles from one token that is taken to the next, if its activations are there.

    Parameters
    ----------
    config
        The configuration.
    k
        in_features.
    """
    reads = -(-k // config.array.lanes) * config.groups
    return reads + DIVISION_CYCLES + code.LATENCY + 5


def linear_cycles(config: LinearConfig, m: int, k: int, n: int) -> int | None:
    """Return the cycles of one BitLinear on idle hardware, from its command to its last outputs, both included.

    All operands are offered from the cycle of the command on, and outputs are taken at once. With L = ceil(K / lanes)
    beats of the first token, Q `quantisation_cycles`, T tiles of which each takes max(M, B) cycles (B beats), and G
    beats of outputs for each of a tile's results::

        cycles = L + M Q + (T - 1) max(M, B) + M G + latencies

    Parameters
    ----------
    config
        The configuration.
    m, k, n
        The BitLinear's sizes.

    Returns
    -------
    int or None
        None where no closed form is known: with a norm, for more than one block of tokens, or where the outputs take
        longer than the products of a tile of N.

    Raises
    ------
    ValueError
        The command would be malformed.
    """
    array = config.array
    check_sizes(array, m, k, n)
    k_tiles, n_tiles = -(-k // array.lanes), -(-n // array.columns)
    a_tile = max(m, array.tile_beats)
    if config.normed or m > array.tokens or (n_tiles > 1 and m * config.result_beats > k_tiles * a_tile):
        return None
    load = 1 + -(-k // config.lanes)
    last_step = (
        load + m * quantisation_cycles(config, k) + _QUEUE_CYCLES + _FEEDER_CYCLES + (k_tiles * n_tiles - 1) * a_tile
    )
    first_sums = last_step + array.latency_cycles + (_HELD_CYCLES if config.holds_results else 0)
    return first_sums + m * config.result_beats - 1 + rescaling.LATENCY + 1
