"""The best mappings of many matmuls: those of `bitjoule.energy_models.system.mappings.search`, found together."""

from collections.abc import Iterator, Sequence
from typing import Any

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


def searched_together(batch: Batch) -> NDArray[np.bool_]:
    """Return which matmuls `best_mappings` takes: their tiles have bounds, or are few enough to evaluate all at once.

    Parameters
    ----------
    batch
        Matmuls with one `shared_key`.
    """
    together = np.full(len(batch.m), _bounded(batch))
    if not together.any():
        for tiles, members in _by_tiles(batch):
            together[members] = 3 * len(tiles[0]) <= CHUNK
    return together


def _bounded(batch: Batch) -> bool:
    """Return whether less traffic never costs more: no cycle and no bit saves energy."""
    return all(bool(np.min(cost) >= 0) for cost in batch.costs)


def _by_tiles(batch: Batch) -> Iterator[tuple[BlockTiles, Indices]]:
    """Yield tiles of `bitjoule.energy_models.system.mappings.search.block_tiles`, and the matmuls that have them."""
    array = batch.static.array
    _, k_blocks, n_blocks = blocks_of(batch.problem(slice(None)))
    codes = k_blocks * (n_blocks.max() + 1) + n_blocks
    _, first, kind = np.unique(codes, return_index=True, return_inverse=True)
    members = np.split(np.argsort(kind, kind="stable"), np.cumsum(np.bincount(kind))[:-1])
    for one, numbers in zip(first.tolist(), members, strict=True):
        yield block_tiles(int(k_blocks[one]), int(n_blocks[one]), array.weights_per_pe, array.depth), numbers


def best_mappings(batch: Batch, objective: Objective) -> tuple[MatmulProblem, Mapping, Indices]:
    """Return the best mappings of matmuls with one `shared_key`, as arrays.

    Parameters
    ----------
    batch
        The matmuls.
    objective
        What is minimised.

    Returns
    -------
    MatmulProblem, Mapping, Indices
        Matmuls and mappings as arrays, shape (mapped,); the number of the matmul of each: some have no mapping.
    """
    owner, tiles = promising(batch, objective)
    ends = np.searchsorted(owner, np.arange(len(batch.m) + 1))
    found = []
    for span in at_once((3 * np.diff(ends)).tolist()):
        own = slice(ends[span.start], ends[span.stop])
        found.append(_best_of(batch, owner[own], [size[own] for size in tiles], objective))
    mapped = np.concatenate([numbers for numbers, _ in found])
    chosen = Tiles(*(np.concatenate(sizes) for sizes in zip(*(best for _, best in found), strict=True)))
    problem = batch.problem(mapped)
    return problem, Mapping(chosen, traffic(problem, chosen)), mapped


def _best_of(batch: Batch, owner: Indices, tiles: Sequence[Values], objective: Objective) -> tuple[Indices, Tiles]:
    """Return those of some matmuls that have a mapping, and the tiles of the best of each.

    Parameters
    ----------
    batch, objective
        As for `best_mappings`.
    owner, tiles
        From `promising`.
    """
    m1, k1, n1, m0, k0, n0, fit = fitting(batch.problem(owner), *tiles)
    owner = np.concatenate([owner, owner, owner])[fit]
    if not len(owner):
        return owner, Tiles(*(np.zeros(0) for _ in Tiles._fields))
    order = np.argsort(owner, kind="stable")  # of each matmul, the order in which it alone tries them
    owner = owner[order]
    m1, k1, n1, m0, k0, n0 = (size[order, None, None] for size in (m1, k1, n1, m0, k0, n0))
    mappings = Tiles(m1, k1, n1, m0, k0, n0, *loop_orders(batch.static))
    value, secondary = _values(batch.problem(owner, 3), mappings, objective)
    mapped, starts = np.unique(owner, return_index=True)
    orders = value[0].size
    best = first_best(value.ravel(), secondary.ravel(), starts * orders, SAME)
    found = value.ravel()[best] < NEVER
    mapped, best = mapped[found], best[found]
    row, inner1, inner0 = np.unravel_index(best, value.shape)
    orders_of_best = (
        mappings.inner1[0, inner1, 0].astype(np.float64),
        mappings.inner0[0, 0, inner0].astype(np.float64),
    )
    m1, k1, n1, m0, k0, n0 = (size[row, 0, 0] for size in (m1, k1, n1, m0, k0, n0))
    return mapped, Tiles(m1, k1, n1, m0, k0, n0, *orders_of_best)


def _values(problem: MatmulProblem, tiles: Tiles, objective: Objective) -> tuple[Values, Values]:
    """Return what mappings have of the objective, `NEVER` of those that are forbidden, and of the secondary one."""
    moved = traffic(problem, tiles)
    energy, cycles = energy_pj(problem, moved), moved.cycles
    value = {Objective.ENERGY: energy, Objective.LATENCY: cycles, Objective.EDP: energy * cycles}[objective]
    secondary = np.broadcast_to(energy if objective is Objective.LATENCY else cycles, value.shape)
    return np.where(forbidden(problem, tiles), NEVER, value), secondary


def promising(batch: Batch, objective: Objective) -> tuple[Indices, list[Values]]:
    """Return the tiles of matmuls that can be best: their lower bound is not above what some tile reaches.

    Parameters
    ----------
    batch
        The matmuls.
    objective
        What is minimised.

    Returns
    -------
    ndarray, list of ndarray
        The matmul of each tile, ascending, and its sizes as of
        `bitjoule.energy_models.system.mappings.search.block_tiles`, of each matmul in their order; shape (tiles,).
    """
    owners: list[Indices] = []
    sizes: list[list[Values]] = []
    bounded = _bounded(batch)
    for tiles, members in _by_tiles(batch):
        count = max(1, AT_ONCE // len(tiles[0]))
        for start in range(0, len(members), count):
            numbers = members[start : start + count]
            kept = np.ones((len(numbers), len(tiles[0])), dtype=np.bool_)
            if bounded:
                kept = _kept(batch.of_numbers(numbers), tiles, objective)
            owner, tile = np.nonzero(kept)
            owners.append(numbers[owner])
            sizes.append([size[tile] for size in tiles])
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return owner[order], [np.concatenate(of)[order] for of in zip(*sizes, strict=True)]


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
