"""What a mapping moves, against a walk through its loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.system.mappings.mapping import Place, Tiles, forbidden, traffic
from bitjoule.energy_models.system.mappings.search import fits
from tests.energy_models.fast_walk import fast_walk
from tests.energy_models.loop_walk import as_traffic, cycles, effective, walk
from tests.energy_models.problems import FUSED, SMALL, blocks, mapped, numbers, orders, problems


@settings(max_examples=500, deadline=None, derandomize=True)
@given(mapped(), orders, orders)
def test_traffic_is_what_a_walk_through_the_loops_counts(case, order1, order0):
    problem, tiles = case
    walked = walk(problem, tiles, order1, order0)
    counted = traffic(problem, effective(problem, tiles, order1, order0))
    assert numbers(counted) == pytest.approx(numbers(as_traffic(problem, walked)))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(mapped(), orders, orders)
def test_an_innermost_loop_of_one_turn_never_counts_less_than_the_walk(case, order1, order0):
    problem, tiles = case
    walked = walk(problem, tiles, order1, order0)
    named = tiles._replace(inner1=order1[-1], inner0=order0[-1])
    counted = numbers(traffic(problem, named))
    assert all(count >= low * (1 - 1e-12) for count, low in zip(counted, walked[:8], strict=False))
    if all(
        around[d] > tile[d]
        for around, tile, d in ((blocks(problem), tiles, order1[-1]), (tiles, tiles[3:], order0[-1]))
    ):
        assert counted == pytest.approx(numbers(as_traffic(problem, walked)))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(mapped(), orders, orders)
def test_loops_that_end_early_in_a_smaller_last_tile_never_move_more(case, order1, order0):
    problem, tiles = case
    walked = walk(problem, tiles, order1, order0)
    early = walk(problem, tiles, order1, order0, skip=True)
    assert all(less <= count for less, count in zip(early[:8], walked[:8], strict=True))
    assert early.activation_reads == walked.activation_reads
    assert walked.compute_cycles <= walked.stepwise_cycles < 2 * walked.compute_cycles


@settings(max_examples=200, deadline=None, derandomize=True)
@given(problems(most=4), st.tuples(*[st.integers(1, 3)] * 6), orders, orders)
def test_tiles_that_divide_evenly_need_no_rule_for_the_last(problem, counts, order1, order0):
    inner = blocks(problem)
    outer = [size * count for size, count in zip(inner, counts[:3], strict=True)]
    m, k, n = (size * count for size, count in zip(outer, counts[3:], strict=True))
    problem = problem._replace(m=m, k=k * problem.array.lanes, n=n * problem.array.columns)
    tiles = Tiles(*outer, *inner, 0, 0)
    walked = walk(problem, tiles, order1, order0)
    assert walked == walk(problem, tiles, order1, order0, skip=True)
    assert walked.stepwise_cycles == walked.compute_cycles


def test_unfinished_fused_outputs_are_forbidden():
    fused = SMALL._replace(outputs=Place(0, *FUSED, 8))
    tiles = Tiles(6, 2, 2, 1, 1, 1, np.arange(3), 1)
    assert forbidden(fused, tiles).tolist() == [True, False, True]
    assert not forbidden(SMALL, tiles).any()
    assert [fits(fused, tiles._replace(inner1=inner1)) for inner1 in range(3)] == [False, True, False]


def test_fused_activations_needed_again_are_forbidden():
    fused = SMALL._replace(activations=Place(0, *FUSED, 8))
    tiles = Tiles(6, 2, 2, 1, 1, 1, np.arange(3), 1)
    assert forbidden(fused, tiles).tolist() == [True, True, False]


def test_cycles_of_a_matmul_by_hand():
    """All 16 weights stay for six tokens; reading and writing 6 x 4 bytes each, and 2 bits a weight, off-chip."""
    tiles = Tiles(6, 4, 4, 1, 1, 1, 1, 0)
    moved = traffic(SMALL, tiles)
    assert numbers(moved)[:6] == [16, 16, 96, 24, 72, 0]
    assert moved.compute_cycles == 96
    assert moved.off_chip_bits == 16 * 2 + 24 * 8 + 24 * 8
    assert moved.cycles == 96 + 1 + (2 + 8 + 8) / 8
    slow = SMALL._replace(array=SMALL.array._replace(load_cycles=10.0))
    assert traffic(slow, tiles).compute_cycles == 160
    assert cycles(slow, walk(slow, tiles, (0, 2, 1), (2, 1, 0))) == traffic(slow, tiles).cycles


@settings(max_examples=300, deadline=None, derandomize=True)
@given(mapped(), orders, orders)
def test_the_walk_of_large_matmuls_is_that_of_small_ones(case, order1, order0):
    problem, tiles = case
    assert fast_walk(problem, tiles, order1, order0)[:8] == walk(problem, tiles, order1, order0)[:8]
