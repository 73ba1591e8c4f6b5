"""What an accelerator computes and takes in a cycle in the long run: closed forms that follow from its cycles."""

from dataclasses import dataclass

from bitjoule.rtl.config import AcceleratorConfig


@dataclass(frozen=True)
class SteadyRates:
    """Rates of matmuls of M tokens whose K and N fill many whole tiles, while no stream waits.

    Parameters
    ----------
    utilisation
        Share of the lanes x columns trits of a cycle that are computed.
    weight_bytes_per_cycle, activation_bytes_per_cycle
        Bytes that the streams must bring, padding of the last bits of a beat included.
    largest_result_bytes_per_cycle
        Bytes of results where every tile ends a sum (K up to `lanes`); a larger K has as many times fewer as tiles.
    """

    utilisation: float
    weight_bytes_per_cycle: float
    activation_bytes_per_cycle: float
    largest_result_bytes_per_cycle: float


def steady_rates(config: AcceleratorConfig, m: int) -> SteadyRates:
    """Return the rates in the long run.

    A tile that serves a block of m_i tokens and fills B beats of the weight stream takes max(m_i, B) cycles.

    Parameters
    ----------
    config
        The configuration.
    m
        Tokens of a matmul, in blocks of `tokens`.

    Raises
    ------
    ValueError
        There are no tokens.
    """
    if m < 1:
        raise ValueError(f"M {m}: expected at least one token")
    blocks, remainder = divmod(m, config.tokens)
    beats = config.tile_beats
    tile_cycles = blocks * max(config.tokens, beats) + (max(remainder, beats) if remainder else 0)
    tiles = blocks + bool(remainder)
    return SteadyRates(
        utilisation=m / tile_cycles,
        weight_bytes_per_cycle=tiles * beats * config.weight_bus_bits / 8 / tile_cycles,
        activation_bytes_per_cycle=m * config.activation_bus_bits / 8 / tile_cycles,
        largest_result_bytes_per_cycle=m * config.result_bus_bits / 8 / tile_cycles,
    )
