"""Scores and values as one loop nest: what it moves, how long it takes, and its best tiles.

::

    for each tile of m1 queries:            its queries, running sums, maxima and denominators stay in the buffer
      for each tile of c1 keys:             its keys and values come together, and leave for the next tile
        scores  = queries @ keys            m1 x d x c1, on the array; they never leave the chip
        results = softmax(scores) @ values  m1 x c1 x v, on the array
        sums    = rescaled sums + results   by the vector unit, from the second tile of keys on

Keys and values of a context that is one tile stay for all queries; otherwise each tile of queries fetches all of them.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.system.mappings.batches import Batch, first_best
from bitjoule.energy_models.system.mappings.bounds import by_bound
from bitjoule.energy_models.system.mappings.mapping import MatmulProblem, Moved, Objective, buffer_bits, ceil

Values = NDArray[Any]
NO_ROOM = 1  # keys of the smallest tile
VARIANTS = 9  # tiles of keys beside one tile of queries


class NestCosts(NamedTuple):
    """Energies by which tiles are chosen, in pJ.

    Parameters
    ----------
    scores_pj, values_pj
        Of each quantity of the two products, by the quantity's name.
    rescaled_pj, row_pj
        Of a running sum that is rescaled, and of the maximum and the denominator of a query.
    terms
        Products that an update of an accumulator adds.
    """

    scores_pj: tuple[tuple[str, float], ...]
    values_pj: tuple[tuple[str, float], ...]
    rescaled_pj: float
    row_pj: float
    terms: int


class Nest(NamedTuple):
    """The tiles of a nest and what they cost; numbers, or arrays of one shape.

    Parameters
    ----------
    m1, c1
        Queries and keys of a tile.
    scores, values
        Quantities of the two products, by the names of `bitjoule.energy_models.system.work.steps`.
    compute_cycles
        Of the array, for scores and for values.
    off_chip_bits
        That cross the chip's edge, for scores and for values.
    cycles
        Of the nest, fill and drain included.
    needed_cycles
        Of them, what array, buffers and off-chip memory need; the slowest bounds the nest.
    rescaled_rows
        Queries times tiles of keys after the first.
    energy_pj
        At the costs given, without what every nest spends.
    """

    m1: Any
    c1: Any
    scores: dict[str, Any]
    values: dict[str, Any]
    compute_cycles: tuple[Any, Any]
    off_chip_bits: tuple[Any, Any]
    cycles: Any
    needed_cycles: tuple[Any, Any, Any]
    rescaled_rows: Any
    energy_pj: Any


class OnArray(NamedTuple):
    """What a product of one tile moves between buffer and array, and its cycles; arrays of one shape."""

    fills: Any
    reads: Any
    spills: Any
    compute: Any


def best_nest(
    scores: MatmulProblem, values: MatmulProblem, costs: NestCosts, objective: Objective = Objective.ENERGY
) -> Nest | None:
    """Return the nest with the best tiles, or none if no tile fits the buffers.

    Tiles of queries are the smallest for each number of them, and multiples of the accumulators' depth; tiles of keys
    are the largest that fit beside them, rounded down to whole blocks of one product or of both, or of equal size.

    Parameters
    ----------
    scores
        m queries x d x keys, with its places and costs.
    values
        The same queries x keys x v.
    costs
        Energies of quantities.
    objective
        What is minimised.
    """
    return best_nests(Batch.of([scores]), Batch.of([values]), costs, objective)[0]


def best_nests(first: Batch, second: Batch, costs: NestCosts, objective: Objective) -> tuple[Nest | None, Indices]:
    """Return the best nests of pairs of products that have one `shared_key` each, as arrays.

    Parameters
    ----------
    first, second
        Scores and values of the pairs; what every nest spends does not matter.
    costs, objective
        As for `best_nest`.

    Returns
    -------
    Nest, Indices
        Shape (mapped,), none if no tile of any pair fits; the number of the pair of each: of some, no tile fits.
    """
    depth = first.static.array.depth
    tokens = [_tokens_tried(m, depth) for m in first.m.tolist()]
    owner = np.repeat(np.arange(len(tokens)), [len(m1) for m1 in tokens])
    m1 = np.concatenate(tokens)
    c1, fits = _keys_tried(first.problem(owner), second.problem(owner), m1)
    variant, place = np.nonzero(fits)
    order = np.argsort(owner[place], kind="stable")  # of each pair, the order in which it alone tries them
    variant, place = variant[order], place[order]
    owner, m1, c1 = owner[place], m1[place], c1[variant, place]
    mapped, starts = np.unique(owner, return_index=True)
    if not len(mapped):
        return None, mapped
    nests = nest_of(first.problem(owner), second.problem(owner), m1, c1, costs, objective)
    energy, cycles = nests.energy_pj, nests.cycles
    value = {Objective.ENERGY: energy, Objective.LATENCY: cycles, Objective.EDP: energy * cycles}[objective]
    best = first_best(value, energy if objective is Objective.LATENCY else cycles, starts)
    return Nest(*(_taken(values, best) for values in nests)), mapped


def _taken(values: Any, places: Indices) -> Any:
    """Return some of the values of nests; numbers are those of all."""
    if isinstance(values, dict):
        return {name: _taken(each, places) for name, each in values.items()}
    if isinstance(values, tuple):
        return tuple(_taken(each, places) for each in values)
    return values[places] if np.ndim(values) else values


def room(scores: MatmulProblem, values: MatmulProblem, m1: Values) -> Values:
    """Return the most keys whose tile fits beside tiles of queries; below 1 if none does.

    Parameters
    ----------
    scores, values
        The two products.
    m1
        Queries of a tile.
    """
    held = scores.outputs.buffer
    sums_bits = values.n * max(values.outputs.bits, values.sum_bits) * values.outputs.tiled
    row_bits = scores.k * scores.activations.bits * scores.activations.tiled + sums_bits + 2 * values.sum_bits
    score_bits = max(scores.outputs.bits, scores.sum_bits, values.activations.bits)
    key_bits = scores.k * scores.weights.bits + values.n * values.weights.bits
    left = scores.capacity_bits[held] - m1 * row_bits
    if scores.weights.buffer == held:
        return np.asarray(np.floor(left / (m1 * score_bits + key_bits)))
    keys = np.floor(left / (m1 * score_bits))
    if scores.weights.buffer >= 0:
        keys = np.minimum(keys, np.floor(scores.capacity_bits[scores.weights.buffer] / key_bits))
    return np.asarray(keys)


@lru_cache(maxsize=1024)
def _tokens_tried(m: float, depth: int) -> Values:
    """Return the queries of a tile that `best_nest` tries, shape (tiles,)."""
    few = np.arange(1, math.isqrt(math.ceil(m)) + 2, dtype=np.float64)
    m1 = np.concatenate([np.ceil(m / few), few])
    return np.unique(np.minimum(np.concatenate([m1, m1[m1 >= depth] // depth * depth]), m))


def tiles_at_most(m: float, depth: int) -> int:
    """Return a bound on the tiles that `best_nest` tries.

    Parameters
    ----------
    m, depth
        Queries, and accumulators of the array.
    """
    return VARIANTS * len(_tokens_tried(m, depth))


def _keys_tried(scores: MatmulProblem, values: MatmulProblem, m1: Values) -> tuple[Values, NDArray[np.bool_]]:
    """Return the keys of a tile that `best_nest` tries beside tiles of queries, and which fit and are not repeated.

    Returns
    -------
    ndarray, ndarray
        Shape (variants, tiles of queries).
    """
    array, context = scores.array, scores.n
    largest = np.minimum(room(scores, values, m1), context)
    whole = (array.lanes, array.columns, math.lcm(array.lanes, array.columns))
    tiles = [np.where(largest < context, np.maximum(largest // unit * unit, NO_ROOM), largest) for unit in (1, *whole)]
    with np.errstate(divide="ignore", invalid="ignore"):  # where there is no room, nothing is tried
        tiles += [np.minimum(np.ceil(context / ceil(context, tile)), tile) for tile in tuple(tiles)]
    # whole columns of scores that also are whole lanes of values, where no common multiple fits
    tiles.append(np.where(largest < context, np.maximum(tiles[2] // array.lanes * array.lanes, NO_ROOM), largest))
    new = [largest >= NO_ROOM]
    for i in range(1, len(tiles)):
        new.append(new[0] & np.all([tiles[i] != earlier for earlier in tiles[:i]], axis=0))
    return np.stack(tiles), np.stack(new)


def nest_of(
    scores: MatmulProblem, values: MatmulProblem, m1: Any, c1: Any, costs: NestCosts,
    objective: Objective = Objective.ENERGY,
) -> Nest:  # fmt: skip
    """Return what nests of given tiles move and how long they take.

    Parameters
    ----------
    scores, values
        The two products.
    m1, c1
        Queries and keys of a tile; arrays of one shape.
    costs, objective
        As for `best_nest`; they also choose how each product of a tile runs on the array.
    """
    m, d, context, v = scores.m, scores.k, scores.n, values.n
    m_tiles, c_tiles = ceil(m, m1), ceil(context, c1)
    of_queries, of_keys = (m_tiles - 1, 1), (c_tiles - 1, 1)  # whole tiles, and the last one
    m0 = np.stack(np.broadcast_arrays(m1, m - (m_tiles - 1) * m1))[:, None]
    c0 = np.stack(np.broadcast_arrays(c1, context - (c_tiles - 1) * c1))
    counts = [(i, j, m_count * keys) for i, m_count in enumerate(of_queries) for j, keys in enumerate(of_keys)]
    pj = (dict(costs.scores_pj), dict(costs.values_pj))

    def both(index: int, problem: MatmulProblem) -> OnArray:
        k0, n0 = (d, c0) if index == 0 else (c0, v)
        used = _on_array(problem, m0, k0, n0, pj[index], objective)
        total = [np.zeros(np.shape(m1))] * len(used)
        for i, j, count in counts:
            total = [before + count * each[i, j] for before, each in zip(total, used, strict=True)]
        return OnArray(*total)

    on_array = (both(0, scores), both(1, values))
    fetched = np.where(c_tiles > 1, m_tiles, 1.0)
    rescaled_rows = m * (c_tiles - 1)
    over_keys = sum(count * ceil(keys, costs.terms) for count, keys in zip(of_keys, c0, strict=True))
    added_keys = sum(count * np.maximum(keys - 1, 0) for count, keys in zip(of_keys, c0, strict=True))
    counted = []
    edges, bits = [], [np.zeros((2, *np.shape(m1))) for _ in scores.capacity_bits]
    for index, problem in enumerate((scores, values)):
        used = on_array[index]
        buffered = problem.weights.buffer >= 0
        loads = problem.k * problem.n * fetched * (buffered and problem.weights.off_chip)
        inputs = problem.m * problem.k * (problem.activations.buffer >= 0 and problem.activations.off_chip)
        results = rescaled_rows * v * index  # of a tile of keys, written for the vector unit and read by it
        moved = Moved(used.fills, loads, used.reads, inputs, used.spills + results, 0.0)
        edge, by_buffer = buffer_bits(problem, moved)
        edges.append(edge)
        bits = [total + np.stack(np.broadcast_arrays(*way)) for total, way in zip(bits, by_buffer, strict=True)]
        outputs = problem.m * problem.n
        counted.append(
            {
                "products": problem.m * problem.k * problem.n,
                "sums": outputs * np.maximum(d - 1, 0) if index == 0 else m * v * added_keys,
                "biases": 0.0,
                "fills": used.fills,
                "updates": outputs * (ceil(d, costs.terms) if index == 0 else over_keys) + used.spills,
                "buffered_fills": used.fills * buffered,
                "loads": loads,
                "weights_in": loads if buffered else used.fills,
                "reads": used.reads,
                "activations_in": inputs,
                "buffered_sums": used.spills + results,
                "unloads": 0.0,
                "outputs": outputs,
                "outputs_out": outputs * problem.outputs.off_chip,
            }
        )
    needed, ends = _cycles(scores, values, [used.compute for used in on_array], sum(edges), bits)
    cycles = np.maximum(np.maximum(*needed[:2]), needed[2]) + ends
    energy = sum(
        amount * by_name.get(name, 0.0)
        for quantities, by_name in zip(counted, pj, strict=True)
        for name, amount in quantities.items()
    )
    over_time = scores.costs
    energy = energy + cycles * over_time.cycle_pj + rescaled_rows * (v * costs.rescaled_pj + costs.row_pj)
    compute = (on_array[0].compute, on_array[1].compute)
    energy = energy + (sum(compute) * over_time.computing_pj + sum(edges) * over_time.off_chip_bit_pj)
    return Nest(m1, c1, counted[0], counted[1], compute, (edges[0], edges[1]), cycles, needed, rescaled_rows, energy)


def _cycles(
    scores: MatmulProblem, values: MatmulProblem, compute: list[Any], off_chip: Any, bits: list[Any]
) -> tuple[tuple[Any, Any, Any], float]:
    """Return the cycles that array, buffers and off-chip memory need, and those that fill and drain the nest."""
    array = scores.array
    buffer = np.zeros(())
    for moved, width_bits in zip(bits, scores.width_bits, strict=True):
        buffer = np.maximum(buffer, moved.max(axis=0) / width_bits)
    lanes = np.minimum(array.lanes, scores.k)
    first_bits = scores.weights.off_chip * scores.weights.bits * lanes * np.minimum(array.columns, scores.n)
    first_bits = first_bits + scores.activations.off_chip * scores.activations.bits * lanes
    last_bits = values.outputs.off_chip * values.outputs.bits * np.minimum(array.columns, values.n)
    ends = array.load_cycles + 2 * array.pipeline_cycles + (first_bits + last_bits) / scores.off_chip_bits
    return (sum(compute), buffer, off_chip / scores.off_chip_bits), ends


def _on_array(problem: MatmulProblem, m: Any, k: Any, n: Any, pj: dict[str, float], objective: Objective) -> OnArray:
    """Return the best way of the array through a product whose operands all are in the buffer."""
    array = problem.array
    k_blocks, n_blocks = ceil(k, array.lanes), ceil(n, array.columns)
    fill_pj = sum(
        pj.get(name, 0.0) for name in ("fills", "buffered_fills" if problem.weights.buffer >= 0 else "weights_in")
    )
    spill_pj = pj.get("updates", 0.0) + pj.get("buffered_sums", 0.0)
    value: Any = None
    times: list[Any] = []  # of the best: how often weights and sums move, and activations are read
    for per_array, most_k0 in _weights_held(array.weights_per_pe, array.depth, int(np.max(n_blocks))):
        n0 = np.minimum(per_array, n_blocks)
        k0 = np.minimum(most_k0, k_blocks)
        m_turns, k_turns, n_turns = ceil(m, np.minimum(array.depth // n0, m)), ceil(k_blocks, k0), ceil(n_blocks, n0)
        one_n = n_turns == 1
        whole_weights, whole_sums = (k_turns == 1) & one_n, (m_turns == 1) & one_n
        # the innermost loop runs over tokens, so that weights stay, or else over k, so that sums do
        orders = ((1.0, np.where(whole_sums, 1.0, k_turns)), (np.where(whole_weights, 1.0, m_turns), 1.0))
        reads_pj = m * k * n_turns * pj.get("reads", 0.0)
        for weight_times, sum_times in orders:
            own = 0.0
            if objective is not Objective.LATENCY:
                own = k * n * weight_times * fill_pj + reads_pj + m * n * (sum_times - 1) * spill_pj
            if objective is not Objective.ENERGY:
                compute = k_blocks * n_blocks * np.maximum(m, weight_times * array.load_cycles) / array.copies
                own = compute if objective is Objective.LATENCY else own * compute
            used = (weight_times, sum_times, n_turns)
            if value is None:
                value, times = own, [np.broadcast_to(each, np.shape(own)) for each in used]
                continue
            better = own < value
            value = np.where(better, own, value)
            times = [np.where(better, new, old) for new, old in zip(used, times, strict=True)]
    weight_times, sum_times, n_turns = times
    compute = k_blocks * n_blocks * np.maximum(m, weight_times * array.load_cycles) / array.copies
    return OnArray(k * n * weight_times, m * k * n_turns, m * n * (sum_times - 1), compute)


@lru_cache(maxsize=64)
def _weights_held(per_pe: int, depth: int, n_blocks: int) -> tuple[tuple[int, int], ...]:
    """Return n0 and the most k0 of the array's tiles: the largest n0 that leaves as much to k0 and to tokens."""
    largest = {(per_pe // n0, depth // n0): n0 for n0 in range(1, min(per_pe, depth, n_blocks) + 1)}
    return tuple((n0, k0) for (k0, _), n0 in largest.items())


def flat(nest: Nest, names: tuple[str, ...]) -> Floats:
    """Return quantities, cycles, compute cycles, off-chip bits and cycles by bound of scores, then of values.

    The nest's cycles are divided in proportion to the array's. Last come the rescaled rows.

    Parameters
    ----------
    nest
        Of one pair of tiles for each of some nests.
    names
        Of the quantities, in order.

    Returns
    -------
    Floats
        Shape (nests, values).
    """
    compute = sum(nest.compute_cycles)
    bounds = by_bound(nest.cycles, *nest.needed_cycles)
    columns: list[Any] = []
    for quantities, own, edge in zip((nest.scores, nest.values), nest.compute_cycles, nest.off_chip_bits, strict=True):
        columns += [quantities[name] for name in names]
        columns += [nest.cycles * own / compute, own, edge]
        columns += list((bounds * own[:, None] / compute[:, None]).T)
    columns.append(nest.rescaled_rows)
    return np.stack(np.broadcast_arrays(*columns), axis=1).astype(np.float64)
