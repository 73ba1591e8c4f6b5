"""Random matmuls on random machines, and mappings of them."""

import math
from itertools import product

import numpy as np
from hypothesis import strategies as st

from bitjoule.energy_models.system.mappings.mapping import (
    ArrayShape,
    MappingCosts,
    MatmulProblem,
    Objective,
    Place,
    Tiles,
    energy_pj,
)
from bitjoule.energy_models.system.mappings.search import search
from tests.energy_models.loop_walk import ORDERS

STREAMED, RESIDENT, FUSED = (True, True), (False, False), (False, True)  # off-chip, tiled
FREE = MappingCosts(0, 0, 0, 0, 0, 0, 0, 0)
LARGE = 1e9
# M 6, K 4, N 4 on one MAC with a weight register and an accumulator.
SMALL = MatmulProblem(
    6, 4, 4,
    ArrayShape(1, 1, 1, 1, 1.0, 0),
    weights=Place(0, True, True, 2),
    activations=Place(0, *STREAMED, 8),
    outputs=Place(0, *STREAMED, 8),
    sum_bits=16,
    capacity_bits=(LARGE,),
    width_bits=(64,),
    off_chip_bits=8,
    costs=MappingCosts(1, 10, 1, 10, 2, 20, 0.1, 0),
)  # fmt: skip


@st.composite
def problems(draw, most=12, fractions=False, capacity=(8, 600)):
    whole = st.integers(1, most)
    contexts = whole | st.integers(5, 4 * most).map(lambda quarters: quarters / 4) if fractions else whole
    m, k, n = draw(whole), draw(contexts), draw(contexts)
    array = ArrayShape(
        lanes=draw(st.integers(1, 2)),
        columns=draw(st.integers(1, 3)),
        weights_per_pe=draw(st.integers(1, 8)),
        depth=draw(st.integers(1, 10)),
        load_cycles=draw(st.sampled_from([0.5, 1.0, 2.0, 5.0])),
        pipeline_cycles=draw(st.integers(0, 3)),
    )
    weights, others, buffers = draw(st.sampled_from([(-1, 0, 1), (0, 0, 1), (0, 1, 2)]))
    bits = st.sampled_from([1.0, 2.0, 8.0])
    between = draw(st.sampled_from([(STREAMED, STREAMED), (RESIDENT, RESIDENT), (STREAMED, FUSED), (FUSED, STREAMED)]))
    return MatmulProblem(
        m, k, n, array,
        weights=Place(weights, True, True, draw(bits)),
        activations=Place(others, *between[0], draw(bits)),
        outputs=Place(others, *between[1], draw(bits)),
        sum_bits=draw(st.sampled_from([1.0, 16.0])),
        capacity_bits=tuple(float(draw(st.integers(*capacity))) for _ in range(buffers)),
        width_bits=tuple(draw(st.sampled_from([1.0, 8.0, 64.0])) for _ in range(buffers)),
        off_chip_bits=draw(st.sampled_from([0.5, 2.0, 50.0])),
        costs=MappingCosts(*(draw(st.sampled_from([0.0, 0.1, 0.7, 1.0, 10.0])) for _ in MappingCosts._fields)),
    )  # fmt: skip


def blocks(problem):
    array = problem.array
    return problem.m, math.ceil(problem.k / array.lanes), math.ceil(problem.n / array.columns)


@st.composite
def mapped(draw):
    """A problem with any tiles: `traffic` does not ask whether they fit."""
    problem = draw(problems())
    outer = [draw(st.integers(1, size)) for size in blocks(problem)]
    return problem, Tiles(*outer, *(draw(st.integers(1, size)) for size in outer), 0, 0)


def every_mapping(problem):
    """All tiles that fit, and all innermost loops."""
    pairs = [[(one, two) for one in range(1, size + 1) for two in range(1, one + 1)] for size in blocks(problem)]
    found = [(m[0], k[0], n[0], m[1], k[1], n[1]) for m, k, n in product(*pairs) if held(problem, m[1], k[1], n[1])]
    found = [sizes for sizes in found if in_buffers(problem, *sizes[:3])]
    order = np.arange(3)
    sizes = (np.array(size, dtype=float)[:, None, None] for size in zip(*found, strict=True))
    return Tiles(*sizes, order[None, :, None], order[None, None, :]) if found else None


def held(problem, m0, k0, n0):
    return k0 * n0 <= problem.array.weights_per_pe and m0 * n0 <= problem.array.depth


def room(problem, m1, k1, n1):
    """Return the bits that tiles take in each buffer."""
    k, n = min(k1 * problem.array.lanes, problem.k), min(n1 * problem.array.columns, problem.n)
    taken = [0.0] * len(problem.capacity_bits)
    of_output = max(problem.outputs.bits, problem.sum_bits)
    weights, activations, outputs = problem.weights, problem.activations, problem.outputs
    for place, bits in (
        (weights, k * n * weights.bits),
        (activations, m1 * k * activations.bits),
        (outputs, m1 * n * of_output),
    ):
        if place.buffer >= 0 and place.tiled:
            taken[place.buffer] += bits
    return taken


def in_buffers(problem, m1, k1, n1):
    taken = room(problem, m1, k1, n1)
    return all(bits <= most for bits, most in zip(taken, problem.capacity_bits, strict=True))


def value(problem, objective, moved):
    energy = energy_pj(problem, moved)
    return {"energy": energy, "latency": moved.cycles, "edp": energy * moved.cycles}[objective]


def best(problem, objective=Objective.ENERGY):
    mapping = search(problem, objective)
    return math.inf if mapping is None else value(problem, objective, mapping.traffic)


def numbers(moved):
    return [float(number) for number in moved]


orders = st.sampled_from(ORDERS)
