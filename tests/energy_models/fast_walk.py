"""The walk of `loop_walk` with the steps of a buffer tile as arrays: for matmuls of whole models."""

from collections import defaultdict
from itertools import product
from math import ceil
from typing import NamedTuple

import numpy as np

from tests.energy_models.loop_walk import Order, Walk

HELD = {"weights": (1, 2), "sums": (0, 2)}  # by the array, and the dimensions that index them


class Inside(NamedTuple):
    """The steps within a buffer tile: what they move, but for the first; what that moves if nothing is there yet."""

    moved: dict[str, float]
    first: dict[str, float]
    begins: dict[str, int]
    ends: dict[str, int | None]


def fast_walk(problem, tiles, order1: Order, order0: Order) -> Walk:
    """Walk a mapping as `loop_walk.walk` does; sizes may be means, whose last tile is not whole."""
    array = problem.array
    sizes, block = (problem.m, problem.k, problem.n), (1, array.lanes, array.columns)
    tile1 = [int(tile) * unit for tile, unit in zip(tiles[:3], block, strict=True)]
    tile0 = [int(tile) * unit for tile, unit in zip(tiles[3:6], block, strict=True)]
    count: dict[str, float] = defaultdict(float)
    buffered: dict[str, object] = {}
    last: dict[str, object] = {}
    outer = [whole_tiles(size, tile) for size, tile in zip(sizes, tile1, strict=True)]
    inner: dict[tuple[float, ...], Inside] = {}
    for places in product(*(range(len(outer[d])) for d in order1)):
        at1 = tuple(places[order1.index(d)] for d in range(3))
        whole = tuple(outer[d][i] for d, i in enumerate(at1))
        m1, k1, n1 = whole
        named1 = {"weights": (at1[1:], k1 * n1), "activations": (at1[:2], m1 * k1), "sums": (at1[::2], m1 * n1)}
        for operand, (name, moved) in named1.items():
            if buffered.get(operand) != name:
                buffered[operand] = name
                count["loaded " + operand] += moved
        if whole not in inner:
            inner[whole] = _inside(array, whole, tile1, tile0, order0)
        inside = inner[whole]
        for key, moved in inside.moved.items():
            count[key] += moved
        for operand in HELD:
            outside = named1[operand][0]
            if last.get(operand) != (outside, inside.begins[operand]):
                count["held " + operand] += inside.first[operand]
                count["blocks"] += inside.first["blocks"] * (operand == "weights")
            ends = inside.ends[operand]
            last[operand] = None if ends is None else (outside, ends)
    outputs = sizes[0] * sizes[2]
    fills, spills = count["held weights"], count["held sums"] - outputs
    weights, activations, sums = problem.weights, problem.activations, problem.outputs
    loads = count["loaded weights"] if weights.buffer >= 0 and weights.off_chip else 0
    brought = count["loaded activations"] if activations.buffer >= 0 and activations.off_chip else 0
    unloads = count["loaded sums"] - outputs if sums.buffer >= 0 and sums.off_chip else 0
    bits = outputs * sums.bits * sums.off_chip + 2 * problem.sum_bits * (unloads if sums.buffer >= 0 else spills)
    bits += weights.bits * (loads if weights.buffer >= 0 else fills) * weights.off_chip
    bits += activations.bits * (brought if activations.buffer >= 0 else count["read"]) * activations.off_chip
    ahead = max(count["busy"], count["blocks"] * array.load_cycles)
    return Walk(fills, loads, count["read"], brought, spills, unloads, bits, ahead, np.nan)


def _inside(array, whole, tile1, tile0, order0: Order) -> Inside:
    """Walk the loops within a buffer tile; a smaller one runs those of a whole one."""
    turns = [-(-tile // part) for tile, part in zip(tile1, tile0, strict=True)]
    steps = np.indices([turns[d] for d in order0], dtype=np.int32).reshape(3, -1)
    at0 = [steps[order0.index(d)] for d in range(3)]
    size = [np.clip(whole[d] - at0[d] * tile0[d], 0, tile0[d]) for d in range(3)]
    works = (size[0] > 0) & (size[1] > 0) & (size[2] > 0)
    blocks = np.ceil(size[1] / array.lanes) * np.ceil(size[2] / array.columns)
    moved = {"busy": float(blocks @ (size[0] * works)), "read": float(size[0] @ (size[1] * works)), "blocks": 0.0}
    first, begins, ends = {"blocks": float(blocks[0] * works[0])}, {}, {}
    for operand, (d, e) in HELD.items():
        name = at0[d] * turns[e] + at0[e]
        held = works.copy()
        held[1:] &= ~((name[1:] == name[:-1]) & works[:-1])
        amount = size[d] * size[e]
        first[operand], held[0] = float(amount[0] * works[0]), False
        moved["held " + operand] = float(amount @ held)
        moved["blocks"] += float(blocks @ held) * (operand == "weights")
        begins[operand], ends[operand] = int(name[0]), int(name[-1]) if works[-1] else None
    return Inside(moved, first, begins, ends)


def order_of(innermost: float) -> Order:
    """Return an order of loops with this one innermost; that of the other two changes nothing."""
    return (*(d for d in (2, 0, 1) if d != innermost), int(innermost))


def whole_tiles(size: float, tile: float) -> list[float]:
    """Return the sizes of tiles; the last one may be smaller."""
    return [min(tile, size - i * tile) for i in range(ceil(size / tile))]
