"""The least that any mapping with given block tiles has of an objective: few operations a tile, over many matmuls.

A mapping moves each operand as often as loops run between its uses, so energy and off-chip bits are sums over how often
operands enter the buffer and the array. Here each operand stays in the array while the loop runs that does not index
it, tokens are the most that fit, and the time of buffers is left out: no mapping of the block tiles has less.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Indices
from bitjoule.energy_models.system.mappings.batches import Batch
from bitjoule.energy_models.system.mappings.mapping import K, M, MatmulProblem, N, Objective, ceil
from bitjoule.energy_models.system.mappings.search import BlockTiles, largest_m1

Values = NDArray[Any]


class _Coefficients(NamedTuple):
    """Of a sum over how often operands enter the buffer and the array; those of activations and sums for each token.

    Parameters
    ----------
    weights_loaded, sums_unloaded, activations_loaded
        Into the buffer, or out of it.
    weights, activations, sums
        Into the array, or out of its accumulators.
    constant
        The rest, of all tokens.
    """

    weights_loaded: Any
    sums_unloaded: Any
    activations_loaded: Any
    weights: Any
    activations: Any
    sums: Any
    constant: Any


def least_values(
    batch: Batch, tiles: BlockTiles, objective: Objective, numbers: Indices | slice = slice(None)
) -> Values:
    """Return a lower bound on what mappings with block tiles have of an objective; infinity where nothing fits.

    Parameters
    ----------
    batch
        Matmuls; those asked for have one number of blocks each way.
    tiles
        From `bitjoule.energy_models.system.mappings.search.block_tiles`, shape (tiles,).
    objective
        What is minimised.
    numbers
        Of the matmuls; default: all.

    Returns
    -------
    ndarray
        Shape (matmuls, tiles).
    """
    problem = batch.problem(numbers, 2)
    k, n = batch.k[numbers], batch.n[numbers]
    if (k == k[0]).all() and (n == n[0]).all():  # what depends on tiles alone is computed once for all matmuls
        problem = problem._replace(k=float(k[0]), n=float(n[0]))
    k1, n1, k0, n0, _ = tiles
    most = largest_m1(problem, k1, n1)
    fits = most >= 1
    if fits.all():
        return _least_values(problem, (k1, n1, k0, n0), most, objective)
    some = np.flatnonzero(fits.any(axis=0))
    least = np.full(fits.shape, np.inf)
    if len(some):
        k1, n1, k0, n0 = (size[some] for size in (k1, n1, k0, n0))
        fits, most = fits[:, some], most[:, some]
        found = _least_values(problem, (k1, n1, k0, n0), np.where(fits, most, 1.0), objective)
        least[:, some] = np.where(fits, found, np.inf)
    return least


def _least_values(
    problem: MatmulProblem, tiles: tuple[Values, Values, Values, Values], most: Values, objective: Objective
) -> Values:
    """Return the lower bounds with the most tokens that fit beside block tiles.

    Parameters
    ----------
    problem
        Matmuls, along the first axis.
    tiles
        Theirs k1, n1, k0 and n0, shape (tiles,).
    most
        Shape (matmuls, tiles).
    objective
        As for `least_values`.
    """
    k1, n1, k0, n0 = tiles
    array, m = problem.array, problem.m
    k_blocks, n_blocks = (
        float(ceil(np.ravel(size)[0], width)) for size, width in ((problem.k, array.lanes), (problem.n, array.columns))
    )
    counts = [ceil(m, most), ceil(k_blocks, k1), ceil(n_blocks, n1)]
    once = [count == 1 for count in counts]
    entering = [
        np.where(once[(d + 1) % 3] & once[(d + 2) % 3], 1.0, count) for d, count in enumerate(counts)
    ]  # into the buffer, unless the loop that does not index the operand is the innermost
    n_tiles = (counts[N] - 1) * ceil(n1, n0) + ceil(n_blocks - (counts[N] - 1) * n1, n0)
    # an operand whose buffer tile is one array tile enters the array as often as the buffer
    whole = {M: (k1 <= k0) & (n1 <= n0), K: n1 <= n0}
    outer = {M: np.where(whole[M], 0.0, counts[M]), K: np.where(whole[K], 0.0, counts[K])}
    blocks = k_blocks * n_blocks / array.copies
    compute = np.where(whole[M], 1.0, counts[M])
    compute *= array.load_cycles
    np.maximum(compute, m, out=compute)
    compute *= blocks

    def least_of(of: _Coefficients, forbidden: list[Any]) -> Values:
        """Return the least of a sum with any of the loops the innermost one; what is nowhere needs no terms."""
        into_buffer = [of.weights_loaded, m * (of.sums_unloaded + of.sums * whole[K]), m * of.activations_loaded]
        into_buffer[M] = into_buffer[M] + of.weights * whole[M]
        total: Any = m * (of.activations * n_tiles + of.sums * outer[K]) + of.constant
        if np.any(of.weights):
            total = total + of.weights * outer[M]
        used = [d for d in range(3) if np.any(into_buffer[d])]
        often = {d: into_buffer[d] * entering[d] for d in used}
        least: Any = None
        for innermost in range(3):
            if innermost not in used and len(used) and not forbidden:
                continue  # one of the others has as little
            value: Any = 0.0
            for d in used:
                value = value + (into_buffer[d] if d == innermost else often[d])
            for d in forbidden:
                if d != innermost:
                    value = np.where(entering[d] > 1, np.inf, value)
            least = value if least is None else np.minimum(least, value)
        return np.asarray(least + total)

    costs = problem.costs
    # what the loops move, and what crosses the chip's edge, each with the innermost loop that is best for it
    cycles = np.maximum(least_of(_off_chip(problem), []) / problem.off_chip_bits, compute)
    cycles += array.load_cycles + array.pipeline_cycles
    places = ((K, problem.outputs), (N, problem.activations))
    forbidden = [dimension for dimension, place in places if place.tiled and not place.off_chip]
    if objective is Objective.LATENCY and not forbidden:
        return np.asarray(cycles)
    energy = least_of(_energy(problem), forbidden)
    if objective is Objective.LATENCY:
        return np.where(np.isinf(energy), np.inf, cycles)
    energy = energy + cycles * costs.cycle_pj
    if np.any(costs.computing_pj):
        energy = energy + compute * costs.computing_pj
    return energy * cycles if objective is Objective.EDP else energy


def _off_chip(problem: MatmulProblem) -> _Coefficients:
    """Return the bits that cross the chip's edge, as `mapping.buffer_bits` counts them."""
    weights, activations, outputs = problem.weights, problem.activations, problem.outputs
    of_weights = problem.k * problem.n * weights.bits * weights.off_chip
    of_activations = problem.k * activations.bits * activations.off_chip
    of_sums = 2 * problem.n * problem.sum_bits
    unloads = of_sums * (outputs.buffer >= 0 and outputs.off_chip)
    spills = of_sums * (outputs.buffer < 0)
    return _Coefficients(
        of_weights * (weights.buffer >= 0),
        unloads,
        of_activations * (activations.buffer >= 0) * problem.distinct,
        of_weights * (weights.buffer < 0),
        of_activations * (activations.buffer < 0),
        spills,
        problem.m * (outputs.off_chip * problem.n * outputs.bits - unloads - spills),
    )


def _energy(problem: MatmulProblem) -> _Coefficients:
    """Return the energy without that of cycles, as `mapping.energy_pj` counts it."""
    costs, bits = problem.costs, _off_chip(problem)
    weights, activations, outputs = problem.weights, problem.activations, problem.outputs
    spills = problem.n * costs.sum_spill_pj
    unloads = problem.n * costs.sum_unload_pj * (outputs.buffer >= 0 and outputs.off_chip)
    weight_loads = costs.weight_load_pj * (weights.buffer >= 0 and weights.off_chip)
    activation_loads = costs.activation_load_pj * (activations.buffer >= 0 and activations.off_chip) * problem.distinct
    crossing_pj = costs.off_chip_bit_pj
    return _Coefficients(
        problem.k * problem.n * weight_loads + crossing_pj * bits.weights_loaded,
        unloads + crossing_pj * bits.sums_unloaded,
        problem.k * activation_loads + crossing_pj * bits.activations_loaded,
        problem.k * problem.n * costs.weight_fill_pj + crossing_pj * bits.weights,
        problem.k * costs.activation_read_pj + crossing_pj * bits.activations,
        spills + crossing_pj * bits.sums,
        costs.fixed_pj - problem.m * (spills + unloads) + crossing_pj * bits.constant,
    )
