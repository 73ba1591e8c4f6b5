"""Rounding of weights to few levels, each weight on its own.

A group is `group` in_features of one output, with a scale of its own; 0 takes all in_features of an output.
"""

import numpy as np
from numpy.typing import NDArray

from bitjoule.sim.reference.checks import EPSILON
from bitjoule.sim.reference.quantisation import absmean_ternary, sign_binary

Floats = NDArray[np.float64]
SHRINKS = np.linspace(1.0, 0.2, 81)  # of a symmetric grid, tried for the least squared error
LLOYD_STEPS = 500
FEW_BITS = 2


def in_groups(weights: Floats, group: int) -> Floats:
    """Return weights (K, N) as (groups, in_features of a group, N).

    Parameters
    ----------
    weights
        Shape (K, N).
    group
        In_features of a group; 0 for all.

    Raises
    ------
    ValueError
        K is no multiple of `group`.
    """
    size = group or len(weights)
    if len(weights) % size:
        raise ValueError(f"{len(weights)} in_features are no multiple of a group of {size}")
    return weights.reshape(-1, size, weights.shape[1])


def symmetric_steps(weights: Floats, bits: int, group: int = 0, *, fitted: bool = False) -> Floats:
    """Return the step of a symmetric grid for each group: shape (groups, 1, N).

    From three bits on the grid is −2^(bits−1) + 1 to 2^(bits−1) − 1 steps. Of one and two bits a grid with a zero
    would waste a code, so there it is ±1/2, or ±1/2 and ±3/2.

    Parameters
    ----------
    weights
        Shape (K, N).
    bits
        1 to 8.
    group
        In_features of a group; 0 for all.
    fitted
        Shrink the grid to the least squared error, so that outliers are clipped; otherwise the largest magnitude is
        its last level (absmax).
    """
    shards = in_groups(weights, group)
    widest: Floats = np.maximum(np.abs(shards).max(axis=1, keepdims=True), EPSILON) / _top(bits)
    if not fitted:
        return widest
    best: Floats = widest
    least = np.full(widest.shape, np.inf)
    for shrink in SHRINKS:
        step = widest * shrink
        error = ((round_to(shards, step, bits) - shards) ** 2).sum(axis=1, keepdims=True)
        best = np.where(error < least, step, best)
        least = np.minimum(error, least)
    return best


def round_to(weights: Floats, step: Floats, bits: int) -> Floats:
    """Return weights rounded to the grid of `symmetric_steps`: shape of `weights`.

    Parameters
    ----------
    weights
        Any shape.
    step
        Broadcasts to it.
    bits
        1 to 8.
    """
    top = _top(bits)
    if bits <= FEW_BITS:
        return np.clip(np.floor(weights / step) + 0.5, -top, top) * step
    return np.clip(np.rint(weights / step), -top, top) * step


def _top(bits: int) -> float:
    """Return the last level, in steps."""
    return (1 << bits - 1) - (0.5 if bits <= FEW_BITS else 1.0)


def round_to_nearest(weights: Floats, bits: int, group: int = 0, *, fitted: bool = False) -> Floats:
    """Return weights rounded to a symmetric grid, shape (K, N).

    Parameters
    ----------
    weights, bits, group, fitted
        As of `symmetric_steps`.
    """
    step = symmetric_steps(weights, bits, group, fitted=fitted)
    return round_to(in_groups(weights, group), step, bits).reshape(weights.shape)


def absmean(weights: Floats) -> Floats:
    """Return weights as b1.58's trits times mean|W|, shape (K, N); see `absmean_ternary`."""
    return absmean_ternary(weights.astype(np.float32)).dequantised().astype(np.float64)


def sign_mean(weights: Floats) -> Floats:
    """Return weights as BitNet's signs times mean|W|, shape (K, N); see `sign_binary`."""
    return sign_binary(weights.astype(np.float32)).dequantised().astype(np.float64)


def best_possible(weights: Floats, levels: int, group: int = 0) -> Floats:
    """Return weights rounded to the levels that leave the least squared error, free in each group: shape (K, N).

    No method that keeps a weight in one of `levels` per group comes closer to the weights. Lloyd, "Least squares
    quantization in PCM", IEEE Transactions on Information Theory 28(2), 1982; it starts from quantiles.

    Parameters
    ----------
    weights
        Shape (K, N).
    levels
        2 or more.
    group
        In_features of a group; 0 for one group of the whole matrix.
    """
    shards = [weights.ravel()] if not group else list(in_groups(weights, group).transpose(0, 2, 1).reshape(-1, group))
    rounded = np.stack([_lloyd(shard, levels) for shard in shards])
    if not group:
        return rounded.reshape(weights.shape)
    return rounded.reshape(-1, weights.shape[1], group).transpose(0, 2, 1).reshape(weights.shape)


def _lloyd(values: Floats, levels: int) -> Floats:
    ordered = np.sort(values)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centres = np.quantile(ordered, (np.arange(levels) + 0.5) / levels)
    for _ in range(LLOYD_STEPS):
        edges = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
        ends = np.concatenate([[0], edges, [len(ordered)]])
        counts = np.diff(ends)
        moved = np.where(counts, np.diff(sums[ends]) / np.maximum(counts, 1), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres[np.searchsorted((centres[1:] + centres[:-1]) / 2, values)]


def relative_error(weights: Floats, rounded: Floats) -> float:
    """Return |W' − W| / |W|.

    Parameters
    ----------
    weights, rounded
        Of one shape.
    """
    return float(np.linalg.norm(rounded - weights) / np.linalg.norm(weights))
