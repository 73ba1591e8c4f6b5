"""How many cycles the accelerator takes: a closed form, equal to the hardware's count, and a model of known stalls."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bitjoule.rtl.config import AcceleratorConfig


class MatmulShape(NamedTuple):
    """Sizes of one matmul, (M, K) @ (K, N).

    Parameters
    ----------
    m, k, n
        Tokens, in_features, out_features.
    """

    m: int
    k: int
    n: int


def cycles(config: AcceleratorConfig, m: int, k: int, n: int) -> int:
    """Return the cycles of one matmul on an idle accelerator, from its command to its last results, both included.

    All operands are offered from the cycle of the command on, and results are taken at once. With T tiles of which each
    serves m_i tokens and fills B beats::

        cycles = max(1, B - 1) + sum over tiles but the last of max(m_i, B) + m_last + latency

    Parameters
    ----------
    config
        The configuration.
    m, k, n
        The matmul's sizes.

    Raises
    ------
    ValueError
        The command would be malformed.
    """
    return cycles_of(config, [MatmulShape(m, k, n)])[-1]


def cycles_of(config: AcceleratorConfig, shapes: Iterable[tuple[int, int, int]]) -> list[int]:
    """Return when each of several matmuls ends whose commands, operands and results never wait.

    Parameters
    ----------
    config
        The configuration.
    shapes
        M, K, N of each.

    Returns
    -------
    list of int
        Cycles from the first command to the last results of each, both included.

    Raises
    ------
    ValueError
        A command would be malformed.
    """
    beats = config.tile_beats
    start = max(1, beats - 1)
    ends = []
    for m, k, n in shapes:
        check_sizes(config, m, k, n)
        tiles = -(-k // config.lanes) * -(-n // config.columns)
        blocks, remainder = divmod(m, config.tokens)
        last = remainder or config.tokens
        total = tiles * (blocks * max(config.tokens, beats) + (max(remainder, beats) if remainder else 0))
        ends.append(start + total - max(last, beats) + last + config.latency_cycles)
        start += total
    return ends


def utilisation(config: AcceleratorConfig, m: int, k: int, n: int) -> float:
    """Return the share of the array's trits over all cycles that are the matmul's own.

    Parameters
    ----------
    config
        The configuration.
    m, k, n
        The matmul's sizes.
    """
    return m * k * n / (cycles(config, m, k, n) * config.lanes * config.columns)


def check_sizes(config: AcceleratorConfig, m: int, k: int, n: int) -> None:
    """Refuse sizes that make a command malformed.

    Parameters
    ----------
    config
        For the largest K.
    m, k, n
        The matmul's sizes.

    Raises
    ------
    ValueError
        They do.
    """
    if not (m > 0 and n > 0 and 0 < k <= config.max_k):
        raise ValueError(f"M {m}, K {k}, N {n}: expected positive M and N, and K from 1 to {config.max_k}")


Pause = Callable[[int], bool]


def _never(_: int) -> bool:
    return False


def stalled_cycles(
    config: AcceleratorConfig,
    shapes: Sequence[tuple[int, int, int]],
    *,
    command_idle: Pause = _never,
    weights_idle: Pause = _never,
    activations_idle: Pause = _never,
    results_busy: Pause = _never,
) -> int:
    """Return the cycle of the last results, counted from 0, when streams stall in a known way.

    A beat is offered from the first cycle on in which its source is not idle, and stays offered until it is taken; the
    source offers the next one no earlier than in the cycle after. Results are taken in cycles in which their sink is
    not busy.

    Parameters
    ----------
    config
        The configuration.
    shapes
        M, K, N of each matmul.
    command_idle, weights_idle, activations_idle, results_busy
        Whether a stream stalls in a cycle.

    Raises
    ------
    ValueError
        A command would be malformed.
    """
    for shape in shapes:
        check_sizes(config, *shape)
    commands = _Source(command_idle)
    weights = _Source(weights_idle)
    activations = _Source(activations_idle)
    depth = config.latency_cycles
    taken_at: list[int] = []  # when each result was taken; a place is free again in that very cycle
    now = -1
    early_end = -1  # the cycle in which the latest of a tile's early beats was taken
    free = 0  # the first cycle in which the next command can be taken
    for m, k, n in shapes:
        now = max(now, commands.take(free))
        k_tiles, n_tiles = -(-k // config.lanes), -(-n // config.columns)
        for first in range(0, m, config.tokens):
            for tile in range(k_tiles * n_tiles):
                for _ in range(config.tile_beats - 1):
                    early_end = weights.take(early_end + 1)
                for token in range(min(config.tokens, m - first)):
                    now += 1
                    if token == 0:
                        now = max(now, early_end + 1, weights.offered())
                    now = max(now, activations.offered())
                    if tile % k_tiles == k_tiles - 1:
                        if len(taken_at) >= depth:
                            now = max(now, taken_at[len(taken_at) - depth])
                        earliest = max(now + depth, taken_at[-1] + 1 if taken_at else 0)
                        while results_busy(earliest):
                            earliest += 1
                        taken_at.append(earliest)
                    if token == 0:
                        weights.take(now)
                        early_end = now
                    activations.take(now)
        free = now
    return taken_at[-1]


class _Source:
    """One stream's source: when its next beat is offered and taken."""

    def __init__(self, idle: Pause) -> None:
        self._idle = idle
        self._next: int | None = None
        self._after = 0

    def offered(self) -> int:
        """Return the cycle from which on the next beat is offered."""
        if self._next is None:
            at = self._after
            while self._idle(at):
                at += 1
            self._next = at
        return self._next

    def take(self, earliest: int) -> int:
        """Take the next beat as soon as it is offered, but not before `earliest`; return the cycle."""
        at = max(self.offered(), earliest)
        self._next = None
        self._after = at + 1
        return at
