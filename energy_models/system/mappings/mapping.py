"""What a tiling of a matmul moves on an array, and how long it takes.

Three levels: off-chip memory, buffers, and the array with its weight registers and accumulators. Off-chip memory hands
the buffers tiles of m1 x k1 x n1; of these the array takes tiles of m0 x k0 x n0, as large as its weight registers
(k0 n0) and accumulators (m0 n0) allow; a block of lanes x columns weights serves one token a cycle. An operand is
fetched again whenever a loop over it runs between two uses: of each level's loops, that depends on the innermost one
only, so three orders stand for all six. A last, smaller tile runs the loops of a whole one: what has to make room there
makes room here. Weights are loaded ahead, in parallel with computing: the array waits if that path is slower overall.
"""

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.system.mappings.mapping_costs import MappingCosts

Values = NDArray[Any]
LOOPS = ("m", "k", "n")
M, K, N = range(3)


class Objective(StrEnum):
    """What the best mapping has least of."""

    ENERGY = "energy"
    LATENCY = "latency"
    EDP = "edp"


class ArrayShape(NamedTuple):
    """The properties of an array that its mappings depend on.

    Parameters
    ----------
    lanes, columns
        K values taken, and outputs computed, per cycle.
    weights_per_pe
        Weights that a PE holds.
    depth
        Accumulators per column (or per PE, where each PE has its own).
    load_cycles
        Cycles in which the weight path loads lanes x columns weights.
    pipeline_cycles
        From the last operands to the result.
    copies
        Arrays that share the blocks and the tokens of a matmul evenly.
    """

    lanes: int
    columns: int
    weights_per_pe: int
    depth: int
    load_cycles: float
    pipeline_cycles: float
    copies: int = 1


class Place(NamedTuple):
    """Where an operand is during a matmul.

    Parameters
    ----------
    buffer
        Index of the buffer that it goes through; -1: straight from off-chip memory to the array.
    off_chip
        Whether it comes from, or goes to, off-chip memory.
    tiled
        Whether its tile takes room in the buffer; `MatmulProblem.capacity_bits` already excludes resident values.
    bits
        A value's bits in the buffer and off-chip.
    """

    buffer: int
    off_chip: bool
    tiled: bool
    bits: float


class MatmulProblem(NamedTuple):
    """One matmul on one machine.

    Parameters
    ----------
    m, k, n
        Tokens, in_features, out_features; the last two may be a mean context, which need not be an integer.
    array
        The array.
    weights, activations, outputs
        Where they are; partial sums are with the outputs.
    sum_bits
        Of a partial sum outside the accumulators.
    capacity_bits
        Room for tiles in each buffer.
    width_bits
        Bits per cycle that each buffer reads, and also writes.
    off_chip_bits
        Bits per cycle that off-chip memory moves.
    costs
        Energies that the search minimises.
    distinct
        Share of the activations that are not copies of others: rows of a convolution overlap, and off-chip memory
        hands the buffer the feature map, of which the array's address generator makes rows.
    """

    m: float
    k: float
    n: float
    array: ArrayShape
    weights: Place
    activations: Place
    outputs: Place
    sum_bits: float
    capacity_bits: tuple[float, ...]
    width_bits: tuple[float, ...]
    off_chip_bits: float
    costs: MappingCosts
    distinct: float = 1.0


class Tiles(NamedTuple):
    """Tile sizes, and the innermost loop (0 m, 1 k, 2 n) over each level's tiles; numbers, or arrays of one shape.

    Parameters
    ----------
    m1, k1, n1
        Tokens, and blocks of lanes and of columns, that the buffers hold.
    m0, k0, n0
        The same for the array.
    inner1, inner0
        Innermost loop over buffer tiles, and over the array's tiles of one buffer tile.
    """

    m1: Any
    k1: Any
    n1: Any
    m0: Any
    k0: Any
    n0: Any
    inner1: Any
    inner0: Any


class Moved(NamedTuple):
    """The values that a mapping moves; see `Traffic`."""

    weight_fills: Any
    weight_loads: Any
    activation_reads: Any
    activation_loads: Any
    sum_spills: Any
    sum_unloads: Any


class Traffic(NamedTuple):
    """What a mapping moves, in values, and how long it takes.

    Parameters
    ----------
    weight_fills, weight_loads
        Weights into the registers; from off-chip memory into the buffer.
    activation_reads, activation_loads
        Activations to the array; from off-chip memory into the buffer.
    sum_spills, sum_unloads
        Partial sums that leave the accumulators and come back; that leave the buffer for off-chip memory and come back.
    off_chip_bits
        All that crosses the chip's edge.
    compute_cycles, cycles
        Of the array, loading of its weights included; of the matmul, fill and drain included.
    """

    weight_fills: Any
    weight_loads: Any
    activation_reads: Any
    activation_loads: Any
    sum_spills: Any
    sum_unloads: Any
    off_chip_bits: Any
    compute_cycles: Any
    cycles: Any


class Mapping(NamedTuple):
    """A mapping and what it moves."""

    tiles: Tiles
    traffic: Traffic


def ceil(value: Any, by: Any) -> Any:
    """Return a quotient rounded up.

    Parameters
    ----------
    value, by
        Numbers or arrays.
    """
    return np.ceil(value / by)


def blocks_of(problem: MatmulProblem) -> tuple[float, Any, Any]:
    """Return the matmul in tokens and in blocks of lanes and columns.

    Parameters
    ----------
    problem
        The matmul.
    """
    return problem.m, ceil(problem.k, problem.array.lanes), ceil(problem.n, problem.array.columns)


def _stays(dimension: int, innermost: Any, counts: list[Any]) -> Any:
    """Return whether an operand stays while the loop over `dimension`, which does not index it, runs."""
    other_counts = [counts[d] for d in range(3) if d != dimension]
    return (innermost == dimension) | ((other_counts[0] == 1) & (other_counts[1] == 1))


def _outer_counts(sizes: tuple[Any, Any, Any], tiles: Tiles) -> list[Any]:
    """Return the number of buffer tiles of each dimension."""
    return [ceil(size, tile) for size, tile in zip(sizes, tiles[:3], strict=True)]


def _into_buffer(outer: list[Any], tiles: Tiles) -> list[Any]:
    """Return how often an operand enters the buffer, by the dimension that does not index it."""
    return [np.where(_stays(dimension, tiles.inner1, outer), 1.0, outer[dimension]) for dimension in range(3)]


def traffic(problem: MatmulProblem, tiles: Tiles, least: bool = False) -> Traffic:
    """Return what mappings move.

    Parameters
    ----------
    problem
        The matmul; its numbers may be arrays.
    tiles
        Mappings; arrays must broadcast.
    least
        Whether each operand stays in the array while the loop runs that does not index it, whatever `tiles.inner0` is:
        no order of that loop moves less.
    """
    array, sizes = problem.array, blocks_of(problem)
    outer = _outer_counts(sizes, tiles)
    total = [
        (count - 1) * ceil(tile, inside) + ceil(size - (count - 1) * tile, inside)
        for size, tile, inside, count in zip(sizes, tiles[:3], tiles[3:6], outer, strict=True)
    ]
    inner = [ceil(tile, inside) for tile, inside in zip(tiles[:3], tiles[3:6], strict=True)]
    into_buffer = _into_buffer(outer, tiles)

    def into_array(dimension: int) -> Any:
        """How often an operand enters the array, for each step of the dimension that does not index it."""
        other_counts = [inner[d] for d in range(3) if d != dimension]
        single_tile = (other_counts[0] == 1) & (other_counts[1] == 1)  # one array tile covers the operand's buffer tile
        within = np.where(single_tile, into_buffer[dimension], outer[dimension])
        return within if least else np.where(_stays(dimension, tiles.inner0, inner), within, total[dimension])

    m, k, n = problem.m, problem.k, problem.n
    weight_times, sum_times = into_array(M), into_array(K)
    weights, activations, outputs = problem.weights, problem.activations, problem.outputs
    weight_fills = k * n * weight_times
    activation_reads = m * k * total[N]
    sum_spills = m * n * (sum_times - 1)
    weight_loads = k * n * into_buffer[M] * (weights.buffer >= 0 and weights.off_chip)
    activation_loads = m * k * into_buffer[N] * (activations.buffer >= 0 and activations.off_chip) * problem.distinct
    sum_unloads = m * n * (into_buffer[K] - 1) * (outputs.buffer >= 0 and outputs.off_chip)

    compute = sizes[K] * sizes[N] * np.maximum(m, weight_times * array.load_cycles) / array.copies
    moved = Moved(weight_fills, weight_loads, activation_reads, activation_loads, sum_spills, sum_unloads)
    off_chip, slowest = memory_time(problem, moved)
    lanes, columns = np.minimum(array.lanes, k), np.minimum(array.columns, n)
    first_bits = weights.off_chip * weights.bits * lanes * columns
    first_bits = first_bits + activations.off_chip * activations.bits * lanes
    last_bits = outputs.off_chip * outputs.bits * columns
    cycles = np.maximum(compute, slowest) + (array.load_cycles + array.pipeline_cycles)
    return Traffic(*moved, off_chip, compute, cycles + (first_bits + last_bits) / problem.off_chip_bits)


def memory_time(problem: MatmulProblem, moved: Moved) -> tuple[Any, Any]:
    """Return the bits that cross the chip's edge, and the cycles that the slowest memory needs.

    Parameters
    ----------
    problem, moved
        The matmul, and what its mappings move.
    """
    off_chip, by_buffer = buffer_bits(problem, moved)
    cycles = off_chip / problem.off_chip_bits
    for (reads, writes), width_bits in zip(by_buffer, problem.width_bits, strict=True):
        cycles = np.maximum(cycles, np.maximum(reads, writes) / width_bits)
    return off_chip, cycles


def buffer_bits(problem: MatmulProblem, moved: Moved) -> tuple[Any, list[tuple[Any, Any]]]:
    """Return the bits that cross the chip's edge, and those read from and written to each buffer.

    Parameters
    ----------
    problem, moved
        The matmul, and what its mappings move.
    """
    weight_fills, weight_loads, activation_reads, activation_loads, sum_spills, sum_unloads = moved
    weights, activations, outputs = problem.weights, problem.activations, problem.outputs
    result_bits = problem.m * problem.n * outputs.bits
    # What no buffer holds comes from off-chip memory to the array itself.
    loaded = weight_loads + weight_fills if weights.buffer < 0 and weights.off_chip else weight_loads
    read = activation_loads + activation_reads if activations.buffer < 0 and activations.off_chip else activation_loads
    unloaded = sum_unloads + sum_spills if outputs.buffer < 0 else sum_unloads
    off_chip = (
        loaded * weights.bits
        + read * activations.bits
        + outputs.off_chip * result_bits
        + 2 * unloaded * problem.sum_bits
    )
    by_buffer = []
    for i in range(len(problem.width_bits)):
        holds_weights = weights.buffer == i
        reads, writes = (weight_fills * weights.bits, weight_loads * weights.bits) if holds_weights else (0.0, 0.0)
        if activations.buffer == i:
            reads, writes = reads + activation_reads * activations.bits, writes + activation_loads * activations.bits
        if outputs.buffer == i:
            spilled = (sum_spills + sum_unloads) * problem.sum_bits
            reads, writes = reads + spilled + outputs.off_chip * result_bits, writes + spilled + result_bits
        by_buffer.append((reads, writes))
    return off_chip, by_buffer


def energy_pj(problem: MatmulProblem, moved: Traffic) -> Any:
    """Return the energy of mappings at the problem's costs.

    Parameters
    ----------
    problem, moved
        The matmul, and what the mappings move.
    """
    costs = problem.costs
    spilled = moved.sum_spills * costs.sum_spill_pj + moved.sum_unloads * costs.sum_unload_pj
    return (
        moved.weight_fills * costs.weight_fill_pj
        + moved.weight_loads * costs.weight_load_pj
        + moved.activation_reads * costs.activation_read_pj
        + moved.activation_loads * costs.activation_load_pj
        + spilled
        + moved.cycles * costs.cycle_pj
        + (moved.compute_cycles * costs.computing_pj + moved.off_chip_bits * costs.off_chip_bit_pj)
        + costs.fixed_pj
    )


def forbidden(problem: MatmulProblem, tiles: Tiles) -> Any:
    """Return in which mappings a tile that never goes off-chip leaves the buffer unfinished and is computed again.

    Parameters
    ----------
    problem, tiles
        The matmul, and the mappings.
    """
    times = _into_buffer(_outer_counts(blocks_of(problem), tiles), tiles)
    recomputed = np.zeros(np.broadcast(*times).shape, dtype=bool)
    for dimension, place in ((K, problem.outputs), (N, problem.activations)):
        if place.tiled and not place.off_chip:
            recomputed |= times[dimension] > 1
    return recomputed


def replay(problem: MatmulProblem, tiles: Tiles) -> Mapping:
    """Return a given mapping with what it moves.

    Parameters
    ----------
    problem
        The matmul.
    tiles
        One mapping; see `fits`.
    """
    return Mapping(tiles, Traffic(*(float(value) for value in traffic(problem, tiles))))
