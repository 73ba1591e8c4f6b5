"""What bounds the time of a matmul, by hand and against its parts."""

import numpy as np
import pytest
from hypothesis import given, settings

from bitjoule.energy_models.system.counting.columns import QUANTITIES
from bitjoule.energy_models.system.mappings.bounds import BOUNDS, by_bound, matmul_bounds
from bitjoule.energy_models.system.mappings.fused_attention import flat, nest_of
from bitjoule.energy_models.system.mappings.mapping import Tiles, traffic
from tests.energy_models.problems import SMALL, mapped
from tests.energy_models.system.mappings.test_fused_attention import nests

TILES = Tiles(6, 4, 4, 1, 1, 1, 1, 0)


@pytest.mark.parametrize(
    ("changes", "bound", "cycles", "latency"),
    [
        # 16 weights serve six tokens each. The ends: a cycle that loads the first weight, and its 2 bits, the first
        # input's 8 and the last result's 8 at 8 bits a cycle.
        ({}, "compute", 96, 1 + 18 / 8),
        # reads: 16 weights of 2 bits, 96 inputs of 8, 72 sums of 16 and 24 results of 8: 2144 bits, at 16 a cycle
        ({"width_bits": (16,)}, "buffer", 134, 1 + 18 / 8),
        # off-chip: 16 weights of 2 bits, 24 inputs and 24 results of 8: 416 bits, at 2 a cycle
        ({"off_chip_bits": 2}, "off_chip", 208, 1 + 18 / 2),
    ],
)
def test_the_slowest_of_array_buffer_and_memory_bounds_a_matmul(changes, bound, cycles, latency):
    problem = SMALL._replace(**changes)
    found = dict(zip(BOUNDS, matmul_bounds(problem, traffic(problem, TILES)).tolist(), strict=True))
    assert found == pytest.approx(dict.fromkeys(BOUNDS, 0.0) | {bound: cycles, "latency": latency})


def test_of_equal_ones_the_first_bounds_and_arrays_are_split_one_by_one():
    found = by_bound(np.array([10.0, 9.0, 8.0]), np.array([4.0, 2.0, 0.0]), np.array([4.0, 7.0, 1.0]), [3.0, 7.0, 8.0])
    assert found.tolist() == [[4, 0, 0, 6], [0, 7, 0, 2], [0, 0, 8, 0]]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(mapped())
def test_the_cycles_of_a_matmul_are_the_sum_over_its_bounds(case):
    problem, tiles = case
    moved = traffic(problem, tiles)
    found = matmul_bounds(problem, moved)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(float(moved.cycles))
    assert found[:-1].max() >= max(moved.compute_cycles, moved.off_chip_bits / problem.off_chip_bits)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(nests())
def test_a_nest_is_bound_as_the_sum_of_its_products_is(case):
    scores, values, costs = case
    nest = nest_of(scores, values, np.array([scores.m]), np.array([scores.n]), costs)
    compute, buffer, off_chip = (float(np.sum(needed)) for needed in nest.needed_cycles)
    assert compute == pytest.approx(float(sum(np.sum(cycles) for cycles in nest.compute_cycles)))
    assert off_chip == pytest.approx(float(sum(np.sum(b) for b in nest.off_chip_bits)) / scores.off_chip_bits)
    row = flat(nest, QUANTITIES)[0, :-1].reshape(2, -1)  # scores, values: quantities, three times, bounds
    found = row[:, -len(BOUNDS) :].sum(axis=0)
    assert found.sum() == pytest.approx(float(nest.cycles[0]))
    assert found.sum() == pytest.approx(row[:, len(QUANTITIES)].sum())
    assert found[:-1].max() == pytest.approx(max(compute, buffer, off_chip))
    assert np.count_nonzero(found[:-1]) <= 1
