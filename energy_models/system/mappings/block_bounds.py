"""The least that any mapping with given block tiles has of an objective: few operations a tile, over many matmuls.

A mapping moves each operand as often as loops run between its uses, so energy and off-chip bits are sums over how often
operands enter the buffer and the array. Here each operand stays in the array while the loop runs that does not index
it, tokens are the most that fit, and the time of buffers is left out: no mapping of the block tiles has less.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.system.mappings.batches import Batch
from bitjoule.energy_models.system.mappings.mapping import K, M, MatmulProblem, N, Objective, ceil
from bitjoule.energy_models.system.mappings.search import BlockTiles, largest_m1

Values = NDArray[Any]


class _Coefficients(NamedTuple):
    """Of a sum over how often operands enter the buffer, by the dimension that does not index them, and the array.

    Parameters
    ----------
    into_buffer
        For m, k and n: weights, partial sums, activations.
    weights, activations, sums
        Into the array, or out of its accumulators.
    constant
        The rest.
    """

    into_buffer: tuple[Any, Any, Any]
    weights: Any
    activations: Any
    sums: Any
    constant: Any


def least_values(batch: Batch, tiles: BlockTiles, objective: Objective) -> Values:
    """Return a lower bound on what mappings with block tiles have of an objective; infinity where nothing fits.

    Parameters
    ----------
    batch
        Matmuls with one number of blocks each way.
    tiles
        From `bitjoule.energy_models.system.mappings.search.block_tiles`, shape (tiles,).
    objective
        What is minimised.

    Returns
    -------
    ndarray
        Shape (matmuls, tiles).
    """
    problem = batch.problem(slice(None), 2)
    k1, n1, k0, n0, _ = tiles
    most = largest_m1(problem, k1, n1)
    fits = most >= 1
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
    outer = {dimension: np.where(whole[dimension], 0.0, counts[dimension]) for dimension in (M, K)}
    least_weights = np.where(whole[M], 1.0, counts[M])
    blocks = k_blocks * n_blocks / array.copies
    compute = blocks * np.maximum(m, least_weights * array.load_cycles)

    def sums(of: _Coefficients) -> list[Values]:
        """Return a sum with each of the loops the innermost one; what is nowhere needs no terms."""
        into_buffer = list(of.into_buffer)
        total = of.constant
        for dimension, into_array in ((M, of.weights), (K, of.sums)):
            if np.any(into_array):
                into_buffer[dimension] = into_buffer[dimension] + into_array * whole[dimension]
                total = total + into_array * outer[dimension]
        if np.any(of.activations):
            total = total + of.activations * n_tiles
        terms = [each * entering[d] if np.any(each) else 0.0 for d, each in enumerate(into_buffer)]
        return [
            total + into_buffer[d] + (terms[(d + 1) % 3] + terms[(d + 2) % 3])  # what it does not index enters once
            for d in range(3)
        ]

    energy, off_chip = sums(_energy(problem)), sums(_off_chip(problem))
    computing_pj = compute * problem.costs.computing_pj if np.any(problem.costs.computing_pj) else 0.0
    least = np.full(most.shape, np.inf)
    for innermost in range(3):
        cycles = np.maximum(compute, off_chip[innermost] / problem.off_chip_bits)
        cycles = cycles + (array.load_cycles + array.pipeline_cycles)
        if objective is Objective.LATENCY:
            value = cycles
        else:
            value = energy[innermost] + (cycles * problem.costs.cycle_pj + computing_pj)
            value = value * cycles if objective is Objective.EDP else value
        for dimension, place in ((K, problem.outputs), (N, problem.activations)):
            if place.tiled and not place.off_chip and dimension != innermost:
                value = np.where(entering[dimension] > 1, np.inf, value)
        np.minimum(least, value, out=least)
    return least


def _off_chip(problem: MatmulProblem) -> _Coefficients:
    """Return the bits that cross the chip's edge, as `mapping.buffer_bits` counts them."""
    weights, activations, outputs = problem.weights, problem.activations, problem.outputs
    of_weights = problem.k * problem.n * weights.bits * weights.off_chip
    of_activations = problem.m * problem.k * activations.bits * activations.off_chip
    sums = 2 * problem.m * problem.n * problem.sum_bits
    unloads = sums * (outputs.buffer >= 0 and outputs.off_chip)
    spills = sums * (outputs.buffer < 0)
    return _Coefficients(
        (
            of_weights * (weights.buffer >= 0),
            unloads,
            of_activations * (activations.buffer >= 0) * problem.distinct,
        ),
        of_weights * (weights.buffer < 0),
        of_activations * (activations.buffer < 0),
        spills,
        outputs.off_chip * problem.m * problem.n * outputs.bits - unloads - spills,
    )


def _energy(problem: MatmulProblem) -> _Coefficients:
    """Return the energy without that of cycles, as `mapping.energy_pj` counts it."""
    costs, bits = problem.costs, _off_chip(problem)
    weights, activations, outputs = problem.weights, problem.activations, problem.outputs
    of_weights, of_activations = problem.k * problem.n, problem.m * problem.k
    of_sums = problem.m * problem.n
    spills = of_sums * costs.sum_spill_pj
    unloads = of_sums * costs.sum_unload_pj * (outputs.buffer >= 0 and outputs.off_chip)
    loaded = (
        of_weights * costs.weight_load_pj * (weights.buffer >= 0 and weights.off_chip),
        unloads,
        of_activations
        * costs.activation_load_pj
        * (activations.buffer >= 0 and activations.off_chip)
        * problem.distinct,
    )
    crossing_pj = costs.off_chip_bit_pj
    return _Coefficients(
        tuple(one + crossing_pj * crossing for one, crossing in zip(loaded, bits.into_buffer, strict=True)),
        of_weights * costs.weight_fill_pj + crossing_pj * bits.weights,
        of_activations * costs.activation_read_pj + crossing_pj * bits.activations,
        spills + crossing_pj * bits.sums,
        costs.fixed_pj - spills - unloads + crossing_pj * bits.constant,
    )
