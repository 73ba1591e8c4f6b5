"""The best mappings of many matmuls: those of `bitjoule.energy_models.system.mappings.search`, found together."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Indices
from bitjoule.energy_models.system.mappings.batches import Batch, first_best
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
        tiles = []
        for problem in problems:
            _, k_blocks, n_blocks = blocks_of(problem)
            array = problem.array
            tiles.append(block_tiles(int(k_blocks), int(n_blocks), array.weights_per_pe, array.depth))
        return cls(problems, tiles)

    @property
    def counts(self) -> list[int]:
        """Tiles that each matmul tries: with each number of tokens."""
        return [3 * len(tiles[0]) for tiles in self.tiles]

    @property
    def fits_chunk(self) -> bool:
        """Whether the search takes the tiles of each matmul in one piece."""
        return all(count <= CHUNK for count in self.counts)


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
    sizes = [np.concatenate(column) for column in zip(*tried.tiles, strict=True)]
    owner = np.repeat(np.arange(len(tried.problems)), [len(tiles[0]) for tiles in tried.tiles])
    m1, k1, n1, m0, k0, n0, fit = fitting(batch.problem(owner), *sizes)
    owner = np.concatenate([owner, owner, owner])[fit]
    order = np.argsort(owner, kind="stable")  # of each matmul, the order in which it alone tries them
    owner = owner[order]
    m1, k1, n1, m0, k0, n0 = (size[order, None, None] for size in (m1, k1, n1, m0, k0, n0))
    if not len(owner):
        problem, chosen = batch.problem(owner), Tiles(*(np.zeros(0) for _ in Tiles._fields))
        return problem, Mapping(chosen, traffic(problem, chosen)), owner
    kept = promising(batch, owner, Tiles(m1, k1, n1, m0, k0, n0, *loop_orders(batch.static)), objective)
    owner = owner[kept]
    m1, k1, n1, m0, k0, n0 = (size[kept] for size in (m1, k1, n1, m0, k0, n0))
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
    chosen = Tiles(m1, k1, n1, m0, k0, n0, *orders_of_best)
    problem = batch.problem(mapped)
    return problem, Mapping(chosen, traffic(problem, chosen)), mapped


def _values(problem: MatmulProblem, tiles: Tiles, objective: Objective, least: bool = False) -> tuple[Values, Values]:
    """Return what mappings have of the objective, `NEVER` of those that are forbidden, and of the secondary one."""
    moved = traffic(problem, tiles, least)
    energy, cycles = energy_pj(problem, moved), moved.cycles
    value = {Objective.ENERGY: energy, Objective.LATENCY: cycles, Objective.EDP: energy * cycles}[objective]
    secondary = np.broadcast_to(energy if objective is Objective.LATENCY else cycles, value.shape)
    return np.where(forbidden(problem, tiles), NEVER, value), secondary


def promising(batch: Batch, owner: Indices, tiles: Tiles, objective: Objective) -> Indices:
    """Return the tiles that can be best: those whose lower bound is not above what some tiles of their matmul have.

    The bound lets weights and sums both stay in the array, which no order of its loops does.

    Parameters
    ----------
    batch, owner
        Matmuls, and the number of each tile's, ascending.
    tiles
        Shape (tiles, orders, orders).
    objective
        What is minimised.
    """
    costs = batch.static.costs
    if min(costs) < 0:  # a cycle or a bit that saves energy: less traffic may cost more
        return np.arange(len(owner))
    least, _ = _values(batch.problem(owner, 3), tiles._replace(inner0=tiles.inner0[..., :1]), objective, least=True)
    least = least.reshape(len(owner), -1)
    _, starts = np.unique(owner, return_index=True)
    run = np.cumsum(np.isin(np.arange(len(owner)), starts)) - 1
    of_tile = least.min(axis=1)
    tried = first_best(of_tile, of_tile, starts)
    first = tiles._replace(**{name: getattr(tiles, name)[tried] for name in Tiles._fields[:6]})
    reached, _ = _values(batch.problem(owner[tried], 3), first, objective)
    return np.flatnonzero(of_tile <= reached.reshape(len(tried), -1).min(axis=1)[run] * (1 + ROUNDING))
