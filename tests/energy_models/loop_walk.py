"""A mapping's loops walked step by step, with what is held where: the oracle of the mapping search."""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import permutations, product
from typing import NamedTuple

from bitjoule.energy_models.system.mappings.mapping import MatmulProblem, Tiles, Traffic

Order = tuple[int, int, int]  # dimensions, outermost loop first
ORDERS: tuple[Order, ...] = tuple(permutations((0, 1, 2)))


class Walk(NamedTuple):
    """What a walk counts, in values and cycles; `stepwise_cycles` lets no weight be loaded ahead of its group."""

    weight_fills: int
    weight_loads: int
    activation_reads: int
    activation_loads: int
    sum_spills: int
    sum_unloads: int
    off_chip_bits: float
    compute_cycles: float
    stepwise_cycles: float


def spans(start: int, stop: int, tile: int, count: int | None = None) -> list[range]:
    """Return the tiles of a range; those beyond its end, of the count asked for, are empty."""
    count = -(-(stop - start) // tile) if count is None else count
    return [range(min(start + i * tile, stop), min(start + (i + 1) * tile, stop)) for i in range(count)]


def steps(parts: list[list[range]], order: Order) -> Iterator[tuple[tuple[int, ...], tuple[range, ...]]]:
    """Yield the index and the tile of each turn of three nested loops."""
    for turn in product(*(range(len(parts[d])) for d in order)):
        at = tuple(turn[order.index(d)] for d in range(3))
        yield at, tuple(parts[d][i] for d, i in enumerate(at))


def walk(problem: MatmulProblem, tiles: Tiles, order1: Order, order0: Order, skip: bool = False) -> Walk:
    """Walk a mapping of whole numbers.

    Parameters
    ----------
    problem, tiles
        The matmul, and tiles as `traffic` takes them; their innermost loops are not read.
    order1, order0
        The loops over buffer tiles, and over the array's tiles.
    skip
        Whether a last, smaller tile has loops of its own, with fewer turns. Without, it runs those of a whole tile,
        and a turn without work displaces what it does not share.
    """
    array = problem.array
    lanes, columns = array.lanes, array.columns
    sizes = (int(problem.m), int(problem.k), int(problem.n))
    block = (1, lanes, columns)
    tile1 = [int(tile) * unit for tile, unit in zip(tiles[:3], block, strict=True)]
    tile0 = [int(tile) * unit for tile, unit in zip(tiles[3:6], block, strict=True)]
    turns = [None if skip else -(-tile // inside) for tile, inside in zip(tile1, tile0, strict=True)]
    count: Counter[str] = Counter()
    buffered: dict[str, object] = {}
    held: dict[str, object] = {}
    stays: dict[tuple[str, object], int] = Counter()
    groups: list[list[int]] = []  # blocks of a weight load, and the tokens it serves

    for at1, whole in steps([spans(0, size, tile) for size, tile in zip(sizes, tile1, strict=True)], order1):
        m1, k1, n1 = map(len, whole)
        named1 = {"weights": at1[1:], "activations": at1[:2], "sums": (at1[0], at1[2])}
        moved1 = {"weights": k1 * n1, "activations": m1 * k1, "sums": m1 * n1}
        for operand, name in named1.items():
            if buffered.get(operand) != name:
                buffered[operand] = name
                count["loaded " + operand] += moved1[operand]
        inner = [spans(part.start, part.stop, tile, n) for part, tile, n in zip(whole, tile0, turns, strict=True)]
        for at0, part in steps(inner, order0):
            m0, k0, n0 = map(len, part)
            names = {"weights": (at1[1:], at0[1:]), "sums": (at1[::2], at0[::2])}
            moved0 = {"weights": k0 * n0, "sums": m0 * n0}
            blocks = math.ceil(k0 / lanes) * math.ceil(n0 / columns)
            works = m0 * k0 * n0 > 0
            for operand, name in names.items():
                if held.get(operand) == name:
                    continue
                held[operand] = name if works else None
                if works:
                    stays[operand, name] += 1
                    count["held " + operand] += moved0[operand]
                    if operand == "weights":
                        groups.append([blocks, 0])
            if works:
                groups[-1][1] += m0
                count["read"] += m0 * k0

    outputs = sizes[0] * sizes[2]
    fills, spills = count["held weights"], count["held sums"] - outputs
    weights, activations, sums = problem.weights, problem.activations, problem.outputs
    loads = count["loaded weights"] if weights.buffer >= 0 and weights.off_chip else 0
    brought = count["loaded activations"] if activations.buffer >= 0 and activations.off_chip else 0
    unloads = count["loaded sums"] - outputs if sums.buffer >= 0 and sums.off_chip else 0
    bits = outputs * sums.bits if sums.off_chip else 0.0
    if weights.off_chip:
        bits += weights.bits * (loads if weights.buffer >= 0 else fills)
    if activations.off_chip:
        bits += activations.bits * (brought if activations.buffer >= 0 else count["read"])
    bits += 2 * problem.sum_bits * (unloads if sums.buffer >= 0 else spills)
    load = array.load_cycles
    ahead = max(sum(blocks * tokens for blocks, tokens in groups), sum(blocks * load for blocks, _ in groups))
    in_step = sum(blocks * max(tokens, load) for blocks, tokens in groups)
    return Walk(fills, loads, count["read"], brought, spills, unloads, bits, ahead, in_step)


def cycles(problem: MatmulProblem, moved: Walk) -> float:
    """Return how long a walked mapping takes: its slowest resource, and fill and drain."""
    array, outputs = problem.array, problem.m * problem.n
    weights, activations, sums = problem.weights, problem.activations, problem.outputs
    busy = [moved.compute_cycles, moved.off_chip_bits / problem.off_chip_bits]
    for i, width in enumerate(problem.width_bits):
        both = [
            (weights, moved.weight_fills, moved.weight_loads),
            (activations, moved.activation_reads, moved.activation_loads),
            (sums, outputs * sums.off_chip, outputs),
        ]
        partial = (moved.sum_spills + moved.sum_unloads) * problem.sum_bits * (sums.buffer == i)
        for way in (1, 2):
            bits = sum(place[way] * place[0].bits for place in both if place[0].buffer == i) + partial
            busy.append(bits / width)
    lanes, columns = min(array.lanes, problem.k), min(array.columns, problem.n)
    ends = weights.off_chip * weights.bits * lanes * columns
    ends += activations.off_chip * activations.bits * lanes + sums.off_chip * sums.bits * columns
    return max(busy) + array.load_cycles + array.pipeline_cycles + ends / problem.off_chip_bits


def as_traffic(problem: MatmulProblem, moved: Walk) -> Traffic:
    """Return a walk as the traffic that is priced."""
    return Traffic(*moved[:8], cycles(problem, moved))


def effective(problem: MatmulProblem, tiles: Tiles, order1: Order, order0: Order) -> Tiles:
    """Return tiles with the innermost loop of more than one turn at each level."""
    array = problem.array
    sizes = (problem.m, math.ceil(problem.k / array.lanes), math.ceil(problem.n / array.columns))
    chosen = []
    for order, around, inside in ((order1, sizes, tiles[:3]), (order0, tiles[:3], tiles[3:6])):
        repeated = [d for d in order if around[d] > inside[d]]
        chosen.append(repeated[-1] if repeated else order[-1])
    return tiles._replace(inner1=chosen[0], inner0=chosen[1])
