"""The best mapping of a matmul: every tiling that fits, or one that moves no more.

The search is exhaustive and exact. The traffic of a mapping depends on each dimension's number of buffer tiles, its
number of array tiles, and whether a buffer tile is one array tile; more tiles never move less. So one of the sizes with
equal numbers is enough: of k1 and n1 the smallest, of n0 the largest that leaves as much to k0 and m0, of these the
largest, and of m1 the largest that fits, the largest multiple of m0, and m0
(tests/energy_models/system/mappings/test_search.py compares with all).
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.system.mappings.mapping import (
    K,
    M,
    Mapping,
    MatmulProblem,
    N,
    Objective,
    Tiles,
    blocks_of,
    energy_pj,
    forbidden,
    replay,
    traffic,
)  # fmt: skip

Values = NDArray[Any]
BlockTiles = tuple[Values, Values, Values, Values, Values]
NEVER = 1e300  # the cost of a forbidden mapping
SAME = 1e-12  # relative difference below which values are equal up to rounding
CHUNK = 1 << 14  # tiles evaluated at once: bounds the memory of the largest searches


@lru_cache(maxsize=1 << 16)
def search(problem: MatmulProblem, objective: Objective = Objective.ENERGY) -> Mapping | None:
    """Return the best mapping; ties go to the other of energy and latency, then to the first tried.

    Parameters
    ----------
    problem
        The matmul.
    objective
        What is minimised.

    Returns
    -------
    Mapping or None
        None if not even the smallest tile fits the buffers, or every mapping is forbidden.
    """
    tiles = candidates(problem)
    if tiles is None:
        return None
    results = []
    for start in range(0, len(tiles.m1), CHUNK):
        m1, k1, n1, m0, k0, n0 = (size[start : start + CHUNK] for size in tiles[:6])
        results.append(_best(problem, tiles._replace(m1=m1, k1=k1, n1=n1, m0=m0, k0=k0, n0=n0), objective))
    least = min(value for value, _, _ in results)
    if least >= NEVER:
        return None
    ties = [(secondary, i) for i, (value, secondary, _) in enumerate(results) if value <= at_most_same(least)]
    return replay(problem, results[min(ties)[1]][2])


def _best(problem: MatmulProblem, tiles: Tiles, objective: Objective) -> tuple[float, float, Tiles]:
    """Return the least value, the mapping's value of the secondary objective, and the mapping."""
    moved = traffic(problem, tiles)
    energy, cycles = energy_pj(problem, moved), moved.cycles
    value = {Objective.ENERGY: energy, Objective.LATENCY: cycles, Objective.EDP: energy * cycles}[objective]
    secondary = by_tile(energy if objective is Objective.LATENCY else cycles, value.shape)
    shape, value = value.shape, by_tile(np.where(forbidden(problem, tiles), NEVER, value), value.shape)
    best = int(np.argmin(value))
    ties = np.flatnonzero(value <= at_most_same(value[best]))
    if len(ties) > 1:
        best = int(ties[np.argmin(secondary[ties])])
    return (
        float(value[best]),
        float(secondary[best]),
        Tiles(*(float(by_tile(s, shape)[best]) for s in tiles)),
    )


def at_most_same(least: Values | float, tolerance: float = SAME) -> Values:
    """Return the largest values that are equal to others up to rounding.

    Parameters
    ----------
    least
        The others, of either sign: cycles that save energy make some negative.
    tolerance
        Relative difference below which values are equal.
    """
    return np.maximum(least * (1 + tolerance), least * (1 - tolerance))


def by_tile(values: Values, shape: tuple[int, ...]) -> Values:
    """Return values of mappings in the order in which they are tried: all loop orders of a tile, then the next tile.

    Parameters
    ----------
    values
        Of each mapping, or of some that have one, as of `candidates`.
    shape
        Of the mappings: (orders, orders, tiles).
    """
    return np.moveaxis(np.broadcast_to(values, shape), -1, 0).ravel()


def candidates(problem: MatmulProblem) -> Tiles | None:
    """Return the mappings that `search` tries, shape (orders, orders, tiles), or None if no tile fits.

    Parameters
    ----------
    problem
        The matmul.
    """
    array = problem.array
    _, k_blocks, n_blocks = blocks_of(problem)
    blocks = block_tiles(int(k_blocks), int(n_blocks), array.weights_per_pe, array.depth)
    *sizes, fit = fitting(problem, *blocks)
    if not fit.any():
        return None
    m1, k1, n1, m0, k0, n0 = sizes
    return Tiles(m1, k1, n1, m0, k0, n0, *loop_orders(problem))


def loop_orders(problem: MatmulProblem) -> tuple[Values, Values]:
    """Return the innermost loops that are tried over buffer tiles and over array tiles, shape (orders, orders, 1).

    Tiles come last: an operation on arrays is fast where its last axis is long.

    Parameters
    ----------
    problem
        The matmul; of a batch, one of them.
    """
    inner1 = np.arange(3)[:, None, None] if problem.m > 1 else np.array([K, N])[:, None, None]
    inner0 = np.array([M, K] if problem.m > 1 else [K])[None, :, None]  # n innermost keeps neither weights nor sums
    return inner1, inner0


def fitting(
    problem: MatmulProblem, k1: Values, n1: Values, k0: Values, n0: Values, m0: Values
) -> tuple[Values, Values, Values, Values, Values, Values, NDArray[np.bool_]]:
    """Return the tiles that fit: m1, k1, n1, m0, k0, n0, and which of thrice the block tiles they are.

    Parameters
    ----------
    problem
        The matmul; its numbers may be arrays, one entry for each block tile.
    k1, n1, k0, n0, m0
        From `block_tiles`.
    """
    m0 = np.minimum(m0, problem.m)
    largest = largest_m1(problem, k1, n1)
    aligned = np.where(largest >= m0, largest // m0 * m0, largest)
    # A buffer tile of the array's tokens and outputs lets sums stay in the accumulators over all of K.
    single = np.where((n1 <= n0) & (k1 < blocks_of(problem)[1]), np.minimum(m0, largest), 0.0)
    fit = np.concatenate([largest >= 1, (largest >= 1) & (aligned != largest), (single >= 1) & (single != aligned)])
    m1 = np.concatenate([largest, aligned, single])[fit]
    k1, n1, k0, n0, m0 = (np.concatenate([size, size, size])[fit] for size in (k1, n1, k0, n0, m0))
    return m1, k1, n1, np.minimum(m0, m1), k0, n0, fit


def largest_m1(problem: MatmulProblem, k1: Values, n1: Values) -> Values:
    """Return the most tokens whose tiles fit every buffer, capped at M; below 1 if none fits.

    Parameters
    ----------
    problem
        The matmul; its numbers may be arrays.
    k1, n1
        Blocks of a buffer tile; arrays that broadcast with those of the problem.
    """
    array = problem.array
    k, n = np.minimum(k1 * array.lanes, problem.k), np.minimum(n1 * array.columns, problem.n)
    most: Values = np.full(np.broadcast(k, n).shape, np.inf)
    for i, capacity in enumerate(problem.capacity_bits):
        room: Any = capacity
        if problem.weights.buffer == i and problem.weights.tiled:
            room = room - k * n * problem.weights.bits
        token_bits: Any = 0.0
        if problem.activations.buffer == i and problem.activations.tiled:
            token_bits = token_bits + k * problem.activations.bits
        if problem.outputs.buffer == i and problem.outputs.tiled:
            token_bits = token_bits + n * max(problem.outputs.bits, problem.sum_bits)
        tokens = np.where(token_bits > 0, np.floor(room / np.where(token_bits > 0, token_bits, 1)), np.inf)
        most = np.minimum(most, np.where(room < 0, 0, tokens))
    return np.asarray(np.minimum(most, problem.m))


def fits(problem: MatmulProblem, tiles: Tiles) -> bool:
    """Return whether a mapping's tiles fit registers, accumulators and buffers, and none is forbidden.

    Parameters
    ----------
    problem
        The matmul.
    tiles
        One mapping.
    """
    array = problem.array
    fits_array = tiles.k0 * tiles.n0 <= array.weights_per_pe and tiles.m0 * tiles.n0 <= array.depth
    nested = tiles.m0 <= tiles.m1 and tiles.k0 <= tiles.k1 and tiles.n0 <= tiles.n1
    room = largest_m1(problem, np.array([float(tiles.k1)]), np.array([float(tiles.n1)]))[0]
    return bool(fits_array and nested and tiles.m1 <= room and not forbidden(problem, tiles))


@lru_cache(maxsize=1024)
def block_tiles(k_blocks: int, n_blocks: int, per_pe: int, depth: int) -> BlockTiles:
    """Return k1, n1, k0, n0 and the most tokens m0 of every pair of buffer tile and array tile, in blocks.

    Parameters
    ----------
    k_blocks, n_blocks
        Blocks of lanes and of columns that the matmul has.
    per_pe, depth
        Weights that a PE holds, and accumulators.
    """
    most_n0 = min(per_pe, depth, n_blocks)
    # by (k0, m0): the largest n0 that leaves as much to them
    largest_n0 = {(per_pe // n0, depth // n0): n0 for n0 in range(1, most_n0 + 1)}
    tiles = []
    for (k0, _), n0, smaller in zip(largest_n0, largest_n0.values(), [0, *largest_n0.values()], strict=False):
        sizes = np.meshgrid(buffer_sizes(k_blocks, k0), buffer_sizes(n_blocks, n0), indexing="ij")
        k1, n1 = (size.ravel().astype(np.float64) for size in sizes)
        k1, n1 = k1[n1 > smaller], n1[n1 > smaller]  # otherwise a smaller n0 moves the same and leaves more
        used_n0 = np.minimum(n0, n1)
        tiles.append((k1, n1, np.minimum(k0, k1), used_n0, depth // used_n0))
    columns = [np.concatenate(column) for column in zip(*tiles, strict=True)]
    return columns[0], columns[1], columns[2], columns[3], columns[4]


@lru_cache(maxsize=256)
def buffer_sizes(blocks: int, inside: int) -> tuple[int, ...]:
    """Return the smallest size of a buffer tile for each pair of numbers of buffer tiles and of array tiles.

    Parameters
    ----------
    blocks
        Blocks that are divided into tiles.
    inside
        Size of an array tile.
    """
    size = np.arange(1, blocks + 1)
    outer = -(-blocks // size)
    total = (outer - 1) * -(-size // inside) - (-(blocks - (outer - 1) * size) // inside)
    rank = outer * (blocks + 1) + total
    least = np.minimum.accumulate(rank)
    return tuple(int(distinct) for distinct in size[np.append(True, rank[1:] < least[:-1])])
