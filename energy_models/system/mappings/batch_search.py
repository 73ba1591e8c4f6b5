"""The best mappings of many matmuls: those of `bitjoule.energy_models.system.mappings.search`, found together."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Indices
from bitjoule.energy_models.system.mappings.batches import AT_ONCE, Batch, at_once, first_best
from bitjoule.energy_models.system.mappings.block_bounds import least_values
from bitjoule.energy_models.system.mappings.mapping import (
    Mapping,
    MatmulProblem,
    Objective,
    Tiles,
    blocks_of,
    energy_pj,
    forbidden,
    traffic,
)  # fmt: skip
from bitjoule.energy_models.system.mappings.search import (
    CHUNK,
    NEVER,
    SAME,
    BlockTiles,
    block_tiles,
    fitting,
    loop_orders,
)

Values = NDArray[Any]
ROUNDING = 1e-9  # relative: far above that of a bound and of a value, which are summed differently


class Tried(NamedTuple):
    """Block tiles of each of some matmuls, by `bitjoule.energy_models.system.mappings.search.block_tiles`."""

    problems: list[MatmulProblem]
    tiles: list[BlockTiles]

    @classmethod
    def of(cls, problems: list[MatmulProblem]) -> "Tried":
        """Return some matmuls with their tiles.

        Parameters
        ----------
        problems
            The matmuls.
        """
        return cls(problems, list(map(_block_tiles, problems)))

    def by_tiles(self) -> Iterable[tuple[BlockTiles, list[int]]]:
        """Return the tiles that matmuls share, each with the numbers of its matmuls."""
        members: dict[int, list[int]] = {}
        for number, tiles in enumerate(self.tiles):
            members.setdefault(id(tiles), []).append(number)
        return [(self.tiles[numbers[0]], numbers) for numbers in members.values()]


def searched_together(problem: MatmulProblem) -> bool:
    """Return whether `best_mappings` takes a matmul: its tiles have bounds, or are few enough to evaluate all at once.

    Parameters
    ----------
    problem
        The matmul.
    """
    return _bounded(problem) or 3 * len(_block_tiles(problem)[0]) <= CHUNK


def _bounded(problem: MatmulProblem) -> bool:
    """Return whether less traffic never costs more: no cycle and no bit saves energy."""
    return min(problem.costs) >= 0


def _block_tiles(problem: MatmulProblem) -> BlockTiles:
    _, k_blocks, n_blocks = blocks_of(problem)
    return block_tiles(int(k_blocks), int(n_blocks), problem.array.weights_per_pe, problem.array.depth)


def best_mappings(tried: Tried, objective: Objective) -> tuple[MatmulProblem, Mapping, Indices]:
    """Return the best mappings of matmuls with one `shared_key`, as arrays.

    Parameters
    ----------
    tried
        The matmuls and their tiles.
    objective
        What is minimised.

    Returns
    -------
    MatmulProblem, Mapping, Indices
        Matmuls and mappings as arrays, shape (mapped,); the number of the matmul of each: some have no mapping.
    """
    batch = Batch.of(tried.problems)
    tiles = promising(batch, tried, objective)
    found = [
        _best_of(batch, np.arange(span.start, span.stop), tiles[span], objective)
        for span in at_once([3 * len(of_matmul[0]) for of_matmul in tiles])
    ]
    mapped = np.concatenate([numbers for numbers, _ in found])
    chosen = Tiles(*(np.concatenate(sizes) for sizes in zip(*(best for _, best in found), strict=True)))
    problem = batch.problem(mapped)
    return problem, Mapping(chosen, traffic(problem, chosen)), mapped


def _best_of(
    batch: Batch, numbers: Indices, block_tiles_of: Sequence[BlockTiles], objective: Objective
) -> tuple[Indices, Tiles]:
    """Return those of some matmuls that have a mapping, and the tiles of the best of each."""
    sizes = [np.concatenate(column) for column in zip(*block_tiles_of, strict=True)]
    owner = np.repeat(numbers, [len(tiles[0]) for tiles in block_tiles_of])
    m1, k1, n1, m0, k0, n0, fit = fitting(batch.problem(owner), *sizes)
    owner = np.concatenate([owner, owner, owner])[fit]
    if not len(owner):
        return owner, Tiles(*(np.zeros(0) for _ in Tiles._fields))
    order = np.argsort(owner, kind="stable")  # of each matmul, the order in which it alone tries them
    owner = owner[order]
    m1, k1, n1, m0, k0, n0 = (size[order, None, None] for size in (m1, k1, n1, m0, k0, n0))
    tiles = Tiles(m1, k1, n1, m0, k0, n0, *loop_orders(batch.static))
    value, secondary = _values(batch.problem(owner, 3), tiles, objective)
    mapped, starts = np.unique(owner, return_index=True)
    orders = value[0].size
    best = first_best(value.ravel(), secondary.ravel(), starts * orders, SAME)
    found = value.ravel()[best] < NEVER
    mapped, best = mapped[found], best[found]
    row, inner1, inner0 = np.unravel_index(best, value.shape)
    orders_of_best = (tiles.inner1[0, inner1, 0].astype(np.float64), tiles.inner0[0, 0, inner0].astype(np.float64))
    m1, k1, n1, m0, k0, n0 = (size[row, 0, 0] for size in (m1, k1, n1, m0, k0, n0))
    return mapped, Tiles(m1, k1, n1, m0, k0, n0, *orders_of_best)


def _values(problem: MatmulProblem, tiles: Tiles, objective: Objective) -> tuple[Values, Values]:
    """Return what mappings have of the objective, `NEVER` of those that are forbidden, and of the secondary one."""
    moved = traffic(problem, tiles)
    energy, cycles = energy_pj(problem, moved), moved.cycles
    value = {Objective.ENERGY: energy, Objective.LATENCY: cycles, Objective.EDP: energy * cycles}[objective]
    secondary = np.broadcast_to(energy if objective is Objective.LATENCY else cycles, value.shape)
    return np.where(forbidden(problem, tiles), NEVER, value), secondary


def promising(batch: Batch, tried: Tried, objective: Objective) -> list[BlockTiles]:
    """Return the tiles of each matmul that can be best: their lower bound is not above what some tile reaches.

    Parameters
    ----------
    batch, tried
        The matmuls, and their tiles.
    objective
        What is minimised.
    """
    if not _bounded(batch.static):
        return tried.tiles
    chosen: list[BlockTiles] = list(tried.tiles)
    for tiles, members in tried.by_tiles():
        count = max(1, AT_ONCE // len(tiles[0]))
        for start in range(0, len(members), count):
            numbers = np.array(members[start : start + count])
            kept = _kept(batch.of_numbers(numbers), tiles, objective)
            for number, of_matmul in zip(numbers.tolist(), kept, strict=True):
                k1, n1, k0, n0, m0 = (size[of_matmul] for size in tiles)
                chosen[number] = (k1, n1, k0, n0, m0)
    return chosen


def _kept(batch: Batch, tiles: BlockTiles, objective: Objective) -> NDArray[np.bool_]:
    """Return which tiles each of some matmuls keeps, shape (matmuls, tiles)."""
    least = least_values(batch, tiles, objective)
    first = least.argmin(axis=1)
    owner = np.arange(len(first))
    m1, k1, n1, m0, k0, n0, fit = fitting(batch.problem(owner), *(size[first] for size in tiles))
    owner = np.concatenate([owner, owner, owner])[fit]
    m1, k1, n1, m0, k0, n0 = (size[:, None, None] for size in (m1, k1, n1, m0, k0, n0))
    mappings = Tiles(m1, k1, n1, m0, k0, n0, *loop_orders(batch.static))
    value, _ = _values(batch.problem(owner, 3), mappings, objective)
    reached = np.full(len(first), NEVER)
    np.minimum.at(reached, owner, value.min(axis=(1, 2), initial=NEVER))
    return np.isfinite(least) & (least <= reached[:, None] * (1 + ROUNDING))
