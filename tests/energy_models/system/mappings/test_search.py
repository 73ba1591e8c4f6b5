"""The best mapping, against all of them."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.system.mappings import search as search_module
from bitjoule.energy_models.system.mappings.mapping import (
    ArrayShape,
    MappingCosts,
    MatmulProblem,
    Objective,
    Place,
    Tiles,
    energy_pj,
    forbidden,
    replay,
    traffic,
)
from bitjoule.energy_models.system.mappings.search import buffer_sizes, fits, search
from tests.energy_models.loop_walk import ORDERS, as_traffic, effective, walk
from tests.energy_models.problems import (
    FREE,
    FUSED,
    SMALL,
    STREAMED,
    best,
    blocks,
    every_mapping,
    held,
    in_buffers,
    problems,
    room,
    value,
)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(problems(most=7, fractions=True))
def test_the_search_finds_the_best_of_all_tiles(problem):
    tiles = every_mapping(problem)
    found = {objective: search(problem, objective) for objective in Objective}
    if tiles is None:
        assert set(found.values()) == {None}
        return
    moved = traffic(problem, tiles)
    allowed = np.broadcast_to(~forbidden(problem, tiles), moved.cycles.shape)
    for objective, mapping in found.items():
        values = value(problem, objective, moved)[allowed]
        assert value(problem, objective, mapping.traffic) == pytest.approx(values.min(), rel=1e-9)
        ties = values <= values.min() * (1 + 1e-13)
        other = Objective.ENERGY if objective is Objective.LATENCY else Objective.LATENCY
        beside = value(problem, other, mapping.traffic)
        assert beside <= value(problem, other, moved)[allowed][ties].min() * (1 + 1e-9)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(problems(most=3))
def test_the_search_finds_the_best_of_all_walks(problem):
    lows = dict.fromkeys(Objective, math.inf)
    for outer in product(*(range(1, size + 1) for size in blocks(problem))):
        if not in_buffers(problem, *outer):
            continue
        for inner in product(*(range(1, size + 1) for size in outer)):
            for order1, order0 in product(ORDERS, ORDERS) if held(problem, *inner) else ():
                tiles = effective(problem, Tiles(*outer, *inner, 0, 0), order1, order0)
                if not forbidden(problem, tiles):
                    moved = as_traffic(problem, walk(problem, tiles, order1, order0))
                    lows = {o: min(low, value(problem, o, moved)) for o, low in lows.items()}
    for objective, low in lows.items():
        assert best(problem, objective) == pytest.approx(low, rel=1e-9)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(problems(most=40, capacity=(8, 3000)), st.integers(1, 500), st.integers(1, 5), st.sampled_from(Objective))
def test_more_room_never_costs_more(problem, bits, more, objective):
    before = best(problem, objective) * (1 + 1e-12)
    capacity = tuple(room + bits for room in problem.capacity_bits)
    array = problem.array
    assert best(problem._replace(capacity_bits=capacity), objective) <= before
    for name in ("weights_per_pe", "depth"):
        larger = array._replace(**{name: getattr(array, name) + more})
        assert best(problem._replace(array=larger), objective) <= before


@settings(max_examples=200, deadline=None, derandomize=True)
@given(problems(most=40, fractions=True, capacity=(200, 3000)), st.sampled_from(Objective))
def test_no_mapping_is_faster_than_any_of_its_resources(problem, objective):
    mapping = search(problem, objective)
    if mapping is None:
        assert not in_buffers(problem, 1, 1, 1)
        return
    moved, (m, k, n) = mapping.traffic, problem[:3]
    places = problem.weights, problem.activations, problem.outputs
    once = sum(place.off_chip * place.bits * size for place, size in zip(places, (k * n, m * k, m * n), strict=True))
    assert moved.compute_cycles >= m * k * n / (problem.array.lanes * problem.array.columns) * (1 - 1e-12)
    assert moved.cycles >= moved.compute_cycles
    assert moved.off_chip_bits >= once * (1 - 1e-12)
    assert moved.cycles >= moved.off_chip_bits / problem.off_chip_bits
    for i, width in enumerate(problem.width_bits):
        read = (moved.weight_fills, moved.activation_reads, moved.sum_spills)
        bits = (places[0].bits, places[1].bits, problem.sum_bits)
        through = sum(v * b for v, b, place in zip(read, bits, places, strict=True) if place.buffer == i)
        assert moved.cycles >= through / width


@settings(max_examples=200, deadline=None, derandomize=True)
@given(problems(most=8), st.sampled_from([(FUSED, STREAMED), (STREAMED, FUSED), (FUSED, FUSED)]))
def test_what_is_fused_enters_and_leaves_the_buffer_once(problem, between):
    activations, outputs = (
        place._replace(off_chip=off_chip, tiled=tiled)
        for place, (off_chip, tiled) in zip((problem.activations, problem.outputs), between, strict=True)
    )
    problem = problem._replace(activations=activations, outputs=outputs)
    mapping = search(problem)
    if mapping is None:
        assert between == (FUSED, FUSED) or not in_buffers(problem, 1, 1, 1)
        return
    streamed = problem._replace(
        activations=activations._replace(off_chip=True), outputs=outputs._replace(off_chip=True)
    )
    last1, last0 = int(mapping.tiles.inner1), int(mapping.tiles.inner0)
    order1, order0 = (next(order for order in ORDERS if order[-1] == last) for last in (last1, last0))
    walked = walk(streamed, mapping.tiles, order1, order0)
    if not outputs.off_chip:
        assert walked.sum_unloads == 0 == mapping.traffic.sum_unloads
    if not activations.off_chip:
        assert walked.activation_loads == problem.m * problem.k


def test_sums_may_stay_in_the_accumulators_where_k_does_not_fit_the_buffer():
    """Two tokens of half of K fit, but only one finishes its sum in the one accumulator."""
    problem = SMALL._replace(sum_bits=1, outputs=Place(0, *STREAMED, 1), capacity_bits=(40.0,))
    problem = problem._replace(costs=FREE._replace(sum_spill_pj=1.0, activation_load_pj=0.01))
    mapping = search(problem)
    assert mapping.traffic.sum_spills == 0
    assert best(problem) == energy_pj(problem, traffic(problem, every_mapping(problem))).min()


@pytest.mark.parametrize("chunk", [1, search_module.CHUNK], ids=["ties_between_parts", "within_one"])
def test_of_mappings_of_one_energy_below_zero_the_fastest_is_found(monkeypatch, chunk):
    monkeypatch.setattr(search_module, "CHUNK", chunk)
    search.cache_clear()
    problem = SMALL._replace(costs=FREE._replace(fixed_pj=-7.0))
    tiles = every_mapping(problem)
    cycles = traffic(problem, tiles).cycles
    mapping = search(problem)
    assert mapping.traffic.cycles == cycles[np.broadcast_to(~forbidden(problem, tiles), cycles.shape)].min()
    assert energy_pj(problem, mapping.traffic) == -7.0


def test_a_search_without_an_allowed_mapping_finds_none():
    fused = SMALL._replace(activations=Place(0, *FUSED, 8), outputs=Place(0, *FUSED, 8))
    assert search(fused) is not None
    one_of_each = fused._replace(capacity_bits=(float(2 + 8 + 16),))  # K and N in four tiles each
    assert search(one_of_each) is None


def test_a_buffer_without_room_for_one_of_each_has_no_mapping():
    assert search(SMALL._replace(capacity_bits=(25.0,))) is None
    assert search(SMALL._replace(capacity_bits=(26.0,))) is not None


def test_a_large_layer_keeps_its_weights():
    """On 32 x 32 MACs with 128 weights each and one accumulator, as ZigZag's tpu_like."""
    m, k, n = 512, 3200, 8640
    problem = MatmulProblem(
        m, k, n,
        ArrayShape(32, 32, 128, 1, 128.0, 0),
        weights=Place(-1, True, True, 8),
        activations=Place(0, *STREAMED, 8),
        outputs=Place(0, *STREAMED, 8),
        sum_bits=16,
        capacity_bits=(2 * 1024 * 1024 * 8.0,),
        width_bits=(2048.0,),
        off_chip_bits=64.0,
        costs=MappingCosts(8 * 12, 0, 0.2 * 8, 8 * 12, 0.4 * 16, 2 * 12 * 16, 0, 0),
    )  # fmt: skip
    moved = search(problem).traffic
    assert moved.weight_fills == k * n
    assert moved.weight_loads == 0
    assert m * k * n / 1024 == 13_824_000 <= moved.compute_cycles <= 1.02 * 13_824_000
    assert moved.sum_unloads == 0
    assert moved.activation_loads == m * k
    assert moved.off_chip_bits == 8 * (k * n + m * k + m * n)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(problems(most=30, fractions=True), st.sampled_from(Objective))
def test_a_found_mapping_fits_and_replays(problem, objective):
    mapping = search(problem, objective)
    if mapping is None:
        assert best(problem, objective) == math.inf
        return
    tiles = mapping.tiles
    assert replay(problem, tiles) == mapping
    assert fits(problem, tiles)
    for i, bits in enumerate(room(problem, *tiles[:3])):
        capacity = list(problem.capacity_bits)
        capacity[i] = bits * (1 - 1e-9)
        if bits:
            assert not fits(problem._replace(capacity_bits=tuple(capacity)), tiles)
    array = problem.array
    for smaller in (
        array._replace(weights_per_pe=int(tiles.k0 * tiles.n0) - 1),
        array._replace(depth=int(tiles.m0 * tiles.n0) - 1),
    ):
        assert not fits(problem._replace(array=smaller), tiles)


def test_an_array_tile_is_inside_its_buffer_tile():
    problem = SMALL._replace(array=ArrayShape(1, 1, 8, 8, 1.0, 0))
    assert fits(problem, Tiles(2, 2, 2, 2, 2, 2, 0, 0))
    for larger in ({"m0": 3}, {"k0": 3}, {"n0": 3}):
        assert not fits(problem, Tiles(2, 2, 2, 2, 2, 2, 0, 0)._replace(**larger))


@given(st.integers(1, 400))
def test_buffer_sizes_of_single_blocks_are_the_quotients(number):
    assert set(buffer_sizes(number, 1)) == {-(-number // parts) for parts in range(1, number + 1)}


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 20))
def test_no_size_does_better_than_every_buffer_size_at_most_as_large(number, inside):
    def made(size):
        whole, rest = divmod(number, size)
        return -(-number // size), whole * -(-size // inside) + -(-rest // inside)

    kept = [(size, *made(size)) for size in buffer_sizes(number, inside)]
    for size in range(1, number + 1):
        assert any(all(a <= b for a, b in zip(one, (size, *made(size)), strict=True)) for one in kept)
