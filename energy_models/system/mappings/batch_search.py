"""The best mappings of many matmuls: those of `bitjoule.energy_models.system.mappings.search`, found together."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Indices
from bitjoule.energy_models.system.mappings.batches import Batch, at_once, first_best
from bitjoule.energy_models.system.mappings.block_bounds import least_values
from bitjoule.energy_models.system.mappings.mapping import (
    Mapping,
    MatmulProblem,
    Objective,
    Tiles,
    blocks_of,
    energy_pj,
    forbidden,
    replay,
    traffic,
)  # fmt: skip
from bitjoule.energy_models.system.mappings.search import (
    CHUNK,
    NEVER,
    SAME,
    BlockTiles,
    block_tiles,
    by_tile,
    fitting,
    loop_orders,
    search,
)

Values = NDArray[Any]
_Found = tuple[Indices, BlockTiles, Values]  # matmuls, block tiles, and something of each pair of both
MANY = 1 << 12  # tiles: of a single matmul with fewer, all are evaluated as fast as their bounds
SPAN = 1 << 15  # pairs of matmuls and block tiles whose bounds are computed at once
HELD = 1 << 18  # pairs of matmuls and block tiles whose bounds are kept at once, or those of one span
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


@lru_cache(maxsize=1 << 16)
def best_mapping(problem: MatmulProblem, objective: Objective) -> Mapping | None:
    """Return the mapping of `bitjoule.energy_models.system.mappings.search.search`, by bounds where tiles are many.

    Parameters
    ----------
    problem, objective
        As for `bitjoule.energy_models.system.mappings.search.search`.
    """
    batch = Batch.of([problem])
    ((tiles, _),) = _by_tiles(batch)
    if len(tiles[0]) < MANY or not _bounded(batch):
        return search(problem, objective)
    _, best, mapped = best_mappings(batch, objective)
    return replay(problem, Tiles(*(float(size[0]) for size in best.tiles))) if len(mapped) else None


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
    m1, k1, n1, m0, k0, n0 = (size[order] for size in (m1, k1, n1, m0, k0, n0))
    mappings = Tiles(m1, k1, n1, m0, k0, n0, *loop_orders(batch.static))
    value, secondary = _values(batch.problem(owner), mappings, objective)
    of_inner1, of_inner0, _ = value.shape
    value, secondary = (by_tile(values, value.shape) for values in (value, secondary))
    mapped, starts = np.unique(owner, return_index=True)
    best = first_best(value, secondary, starts * (of_inner1 * of_inner0), SAME)
    found = value[best] < NEVER
    mapped, best = mapped[found], best[found]
    row, inner1, inner0 = np.unravel_index(best, (len(owner), of_inner1, of_inner0))
    orders_of_best = (
        mappings.inner1[inner1, 0, 0].astype(np.float64),
        mappings.inner0[0, inner0, 0].astype(np.float64),
    )
    return mapped, Tiles(m1[row], k1[row], n1[row], m0[row], k0[row], n0[row], *orders_of_best)


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
    if not _bounded(batch):
        return _gathered([(numbers, tiles, np.ones((len(numbers), len(tiles[0])))) for tiles, numbers in _spans(batch)])
    found: list[_Found] = []
    together: list[_Found] = []
    for tiles, numbers in _spans(batch):
        together.append((numbers, tiles, least_values(batch, tiles, objective, numbers)))
        if sum(least.size for _, _, least in together) >= HELD:
            found += _within_reach(batch, together, objective)
            together = []
    return _gathered(found + _within_reach(batch, together, objective))


def _spans(batch: Batch) -> Iterator[tuple[BlockTiles, Indices]]:
    """Yield tiles, and as many of the matmuls that have them as are taken at once."""
    for tiles, members in _by_tiles(batch):
        count = max(1, SPAN // len(tiles[0]))
        for start in range(0, len(members), count):
            yield tiles, members[start : start + count]


def _gathered(found: Sequence[_Found]) -> tuple[Indices, list[Values]]:
    """Return the tiles of matmuls for which something is not zero, as of `promising`."""
    owners: list[Indices] = []
    sizes: list[list[Values]] = []
    for numbers, tiles, kept in found:
        owner, tile = np.nonzero(kept)
        owners.append(numbers[owner])
        sizes.append([size[tile] for size in tiles])
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return owner[order], [np.concatenate(of)[order] for of in zip(*sizes, strict=True)]


def _within_reach(batch: Batch, together: Sequence[_Found], objective: Objective) -> list[_Found]:
    """Return which tiles each of some matmuls keeps, in place of the least that mappings have with them."""
    if not together:
        return []
    numbers = np.concatenate([numbers for numbers, _, _ in together])
    first = [
        [size[least_at] for size in tiles] for tiles, least_at in ((of, at.argmin(axis=1)) for _, of, at in together)
    ]
    sizes = [np.concatenate(of) for of in zip(*first, strict=True)]
    m1, k1, n1, m0, k0, n0, fit = fitting(batch.problem(numbers), *sizes)
    owner = np.tile(np.arange(len(numbers)), 3)[fit]
    mappings = Tiles(m1, k1, n1, m0, k0, n0, *loop_orders(batch.static))
    value, _ = _values(batch.problem(numbers[owner]), mappings, objective)
    reached = np.full(len(numbers), NEVER)
    np.minimum.at(reached, owner, value.min(axis=(0, 1), initial=NEVER))
    most = np.split(reached * (1 + ROUNDING), np.cumsum([len(numbers) for numbers, _, _ in together])[:-1])
    return [
        (numbers, tiles, np.isfinite(least) & (least <= own[:, None]))
        for (numbers, tiles, least), own in zip(together, most, strict=True)
    ]
