"""The nest of fused attention: its tiles walked one by one, its bounds, its room, and whole requests that use it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting.columns import QUANTITIES
from bitjoule.energy_models.system.counting.nests import nest_costs
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.batches import Batch
from bitjoule.energy_models.system.mappings.fused_attention import NestCosts, best_nest, best_nests, flat, nest_of, room
from bitjoule.energy_models.system.mappings.mapping import Objective, Place
from bitjoule.energy_models.system.mappings.mapping_costs import MappingCosts
from bitjoule.energy_models.system.mappings.search import search
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.steps import MatmulKind
from tests.energy_models.problems import FUSED, RESIDENT, STREAMED, problems
from tests.energy_models.requests import COLUMNS, EDGE, PHASE, evaluate, picked, resized, system

ROOMY = 1e9
PJ = st.sampled_from([0.0, 0.1, 0.7, 1.0, 10.0])


@st.composite
def nests(draw, most=10, capacity=(300, 4000)):
    """Return scores, values and costs of a random nest of whole numbers."""
    of_scores = draw(problems(most=most, capacity=capacity))
    places = draw(st.sampled_from([STREAMED, RESIDENT]))
    bits = st.sampled_from([1.0, 2.0, 8.0])
    buffer, v = of_scores.activations.buffer, draw(st.integers(1, most))
    scores = of_scores._replace(
        activations=Place(buffer, *places, draw(bits)), outputs=Place(buffer, *FUSED, draw(bits))
    )
    values = scores._replace(
        k=scores.n, n=v,
        activations=Place(buffer, *FUSED, draw(bits)), outputs=Place(buffer, *places, draw(bits)),
    )  # fmt: skip
    costs = NestCosts(
        *(tuple((name, draw(PJ)) for name in QUANTITIES) for _ in range(2)), draw(PJ), draw(PJ),
        draw(st.sampled_from([1, scores.array.lanes])),
    )  # fmt: skip
    return scores, values, costs


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    nests(most=40), st.lists(st.tuples(st.integers(1, 60), st.integers(1, 90)), max_size=6), st.sampled_from(Objective)
)
def test_nests_that_are_searched_together_are_those_searched_alone(nest, others, objective):
    scores, values, costs = nest
    firsts = [scores, *(scores._replace(m=float(m), n=float(n)) for m, n in others)]
    seconds = [values._replace(m=first.m, k=first.n) for first in firsts]
    together, mapped = best_nests(Batch.of(firsts), Batch.of(seconds), costs, objective)
    alone = [best_nest(first, second, costs, objective) for first, second in zip(firsts, seconds, strict=True)]
    assert mapped.tolist() == [i for i, found in enumerate(alone) if found is not None]
    if len(mapped):
        rows = [flat(found, QUANTITIES)[0] for found in alone if found is not None]
        np.testing.assert_array_equal(flat(together, QUANTITIES), rows)


def spans(size, tile):
    return [min(tile, size - start) for start in range(0, size, tile)]


def array_pj(problem, m, k, n, costs):
    """Return what the mapping search spends between buffer and array on a product that is all in the buffer."""
    pj = dict(costs)
    source = "buffered_fills" if problem.weights.buffer >= 0 else "weights_in"
    alone = problem._replace(
        m=m, k=k, n=n, capacity_bits=tuple(ROOMY for _ in problem.capacity_bits),
        weights=problem.weights._replace(off_chip=False, tiled=False),
        activations=problem.activations._replace(off_chip=False, tiled=False),
        outputs=problem.outputs._replace(off_chip=False, tiled=False),
        costs=MappingCosts(pj["fills"] + pj[source], 0, pj["reads"], 0, pj["updates"] + pj["buffered_sums"], 0, 0, 0),
    )  # fmt: skip
    moved = search(alone).traffic
    return (
        moved.weight_fills * alone.costs.weight_fill_pj
        + moved.activation_reads * alone.costs.activation_read_pj
        + (moved.sum_spills * alone.costs.sum_spill_pj)
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(nests(), st.integers(1, 10), st.integers(1, 10))
def test_what_a_nest_moves_is_what_its_tiles_move_one_by_one(nest, m1, c1):
    scores, values, costs = nest
    m1, c1 = min(m1, scores.m), min(c1, scores.n)
    found = nest_of(scores, values, np.array([float(m1)]), np.array([float(c1)]), costs)
    d, v, lanes = scores.k, values.n, costs.terms
    want = dict.fromkeys(("keys", "values", "queries", "sums", "updates", "rescaled", "results"), 0)
    least_pj, in_buffer = [0.0, 0.0], None
    for i, rows in enumerate(spans(scores.m, m1)):
        want["queries"] += rows * d
        for j, keys in enumerate(spans(scores.n, c1)):
            if in_buffer != j:
                want["keys"], want["values"], in_buffer = want["keys"] + keys * d, want["values"] + keys * v, j
            least_pj[0] += array_pj(scores, rows, d, keys, costs.scores_pj)
            least_pj[1] += array_pj(values, rows, keys, v, costs.values_pj)
            want["sums"] += rows * v * (keys - 1)
            want["updates"] += rows * v * math.ceil(keys / lanes)
            want["rescaled"] += rows * (j > 0)
            want["results"] += rows * v * (j > 0)
        assert i >= 0
    buffered, tiled = scores.weights.buffer >= 0, scores.activations.off_chip
    for quantities, pj, least, loaded, spilled in (
        (found.scores, dict(costs.scores_pj), least_pj[0], want["keys"], 0),
        (found.values, dict(costs.values_pj), least_pj[1], want["values"], want["results"]),
    ):
        source = "buffered_fills" if buffered else "weights_in"
        spills = quantities["buffered_sums"] - spilled
        used = quantities["fills"] * (pj["fills"] + pj[source]) + quantities["reads"] * pj["reads"]
        used = used + spills * (pj["updates"] + pj["buffered_sums"])
        assert float(used[0]) == pytest.approx(least, rel=1e-9, abs=1e-9)
        if buffered:
            assert float(quantities["loads"][0]) == float(quantities["weights_in"][0]) == loaded
    spills = found.values["buffered_sums"] - want["results"]
    assert float(found.values["sums"][0]) == want["sums"]
    assert float((found.values["updates"] - spills)[0]) == want["updates"]
    assert float(found.rescaled_rows[0]) == want["rescaled"]
    assert float(found.scores["activations_in"]) == want["queries"] * tiled
    # a sum of a context takes an addition less than its terms, wherever it is added
    assert want["sums"] + v * want["rescaled"] == scores.m * v * (scores.n - 1)
    assert found.scores["products"] + found.values["products"] == scores.m * scores.n * (d + v)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(nests(most=30), st.sampled_from(Objective))
def test_the_best_nest_fits_and_is_no_faster_than_any_of_its_resources(nest, objective):
    scores, values, costs = nest
    found = best_nest(scores, values, costs, objective)
    if found is None:
        assert room(scores, values, np.array([1.0]))[0] < 1
        return
    m1, c1 = float(found.m1[0]), float(found.c1[0])
    taken = [0.0] * len(scores.capacity_bits)
    held = scores.outputs.buffer
    taken[held] += (
        m1 * c1 * max(scores.outputs.bits, scores.sum_bits, values.activations.bits) + 2 * m1 * values.sum_bits
    )
    if scores.activations.tiled:
        taken[held] += m1 * scores.k * scores.activations.bits
        taken[held] += m1 * values.n * max(values.outputs.bits, values.sum_bits)
    if scores.weights.buffer >= 0:
        taken[scores.weights.buffer] += c1 * (scores.k + values.n) * scores.weights.bits
    assert all(bits <= most for bits, most in zip(taken, scores.capacity_bits, strict=True))
    cycles, array = float(found.cycles[0]), scores.array
    products = scores.m * scores.n * (scores.k + values.n)
    assert float(sum(found.compute_cycles)[0]) >= products / (array.lanes * array.columns) * (1 - 1e-12)
    assert cycles >= float(sum(found.compute_cycles)[0])
    off_chip_bits = float(sum(found.off_chip_bits)[0])
    assert cycles >= off_chip_bits / scores.off_chip_bits
    once = scores.n * (scores.k + values.n) * scores.weights.bits
    once += (
        scores.m * (scores.k * scores.activations.bits + values.n * values.outputs.bits) * scores.activations.off_chip
    )
    assert off_chip_bits >= once * (1 - 1e-12)
    for i, width in enumerate(scores.width_bits):
        through = 0.0
        for problem, quantities in ((scores, found.scores), (values, found.values)):
            through += float(np.sum(quantities["fills"])) * problem.weights.bits * (problem.weights.buffer == i)
            through += float(np.sum(quantities["reads"])) * problem.activations.bits * (held == i)
            through += float(np.sum(quantities["buffered_sums"])) * problem.sum_bits * (held == i)
        assert cycles >= through / width


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("name", ["fp16-edge", "ternary-edge", "fp16-hbm"])
@pytest.mark.parametrize("kilobits", [40, 100, 400])
def test_no_tiles_are_better_by_more_than_a_percent(name, kilobits, objective):
    """Against all tiles of whole numbers on shipped machines with small buffers: the search tries few of them."""
    machine = Machine(schemes()["fp16"], platforms()[name], technologies()["7nm"], name)
    costs = nest_costs(machine, MatmulKind.SCORES, MatmulKind.VALUES)
    for m, d, context in ((4, 64, 300), (150, 64, 50), (61, 80, 97), (257, 32, 131)):
        problems_ = [
            machine.problem(kind, *size, resident=False, reserved_bits=0)
            for kind, size in ((MatmulKind.SCORES, (m, d, context)), (MatmulKind.VALUES, (m, context, d)))
        ]
        scores, values = (p._replace(capacity_bits=tuple(1e3 * kilobits for _ in p.capacity_bits)) for p in problems_)
        found = best_nest(scores, values, costs, objective)
        queries = np.arange(1.0, m + 1)
        pairs = [(tokens, keys) for tokens, most in zip(queries, room(scores, values, queries), strict=True)
                 for keys in range(1, int(min(most, context)) + 1)]  # fmt: skip
        m1, c1 = (np.array(sizes, dtype=float) for sizes in zip(*pairs, strict=True))
        every = nest_of(scores, values, m1, c1, costs, objective)
        figures = [
            {"energy": of.energy_pj, "latency": of.cycles, "edp": of.energy_pj * of.cycles}[objective].min()
            for of in (every, found)
        ]
        assert figures[0] * (1 - 1e-12) <= figures[1] <= figures[0] * 1.01


def runs(name, attention):
    return platforms()[name].model_copy(update={"attention": attention})


def fused(name):
    return runs(name, "fused")


@pytest.mark.parametrize("scheme", ["fp16", "int8", "bitnet-b1.58-binary-attention"])
@pytest.mark.parametrize("prompt", [64, 700, 9000])
def test_a_request_computes_the_same_and_reads_keys_and_values_once_for_each_tile_of_queries(scheme, prompt):
    name = EDGE.get(scheme, "ternary-edge")
    shape = presets()["llama-3-8b"]
    apart, together = (
        evaluate(system("llama-3-8b", scheme, name, machine=machine), 2, prompt, 3).counts
        for machine in (runs(name, "separate"), fused(name))
    )
    for component in ("attention_scores", "attention_values"):
        for operand, action in (("keys", "mul"), ("values", "mul"), ("outputs", "off_chip_write")):
            ours, theirs = (
                picked(c, component=component, operand=operand, action=action, phase="prefill")
                for c in (together, apart)
            )
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    row, value = functions()["softmax_row"], functions()["softmax_rescale"]
    more = {
        action: np.subtract(
            *(picked(c, component="softmax", action=action, phase="prefill") for c in (together, apart))
        )
        for action in ("mul", "add")
    }
    rescaled_rows = more["mul"] / (row.mul + shape.head_dim * value.mul)
    assert more["add"] == pytest.approx(rescaled_rows * (row.add + shape.head_dim * value.add), rel=1e-9)
    masks = platforms()[name].skips_masked_pairs
    rows = 2 * shape.heads * ((prompt + 1) / 2 if masks else prompt) * shape.layers  # of queries
    assert rescaled_rows / rows == pytest.approx(np.round(rescaled_rows / rows), abs=1e-6)
    sums = [picked(c, component="attention_values", operand="partial_sums", action="add", phase="prefill")
            for c in (together, apart)]  # fmt: skip
    assert sums[0] + rescaled_rows * shape.head_dim == pytest.approx(sums[1], rel=1e-12)
    written = picked(together, component="kv_cache_write", action="off_chip_write", phase="prefill")
    times = picked(together, component="kv_cache_read", phase="prefill") / written
    assert times == pytest.approx(np.round(times), rel=1e-9)


def test_long_prompts_need_several_tiles_and_short_ones_one():
    counts = evaluate(system("llama-3-8b", "fp16", machine=fused("fp16-edge")), 1, (64, 9000), 1).counts
    ratio = picked(counts, component="kv_cache_read", phase="prefill")
    ratio = ratio / picked(counts, component="kv_cache_write", action="off_chip_write", phase="prefill")
    assert ratio[0] == pytest.approx(1)
    assert ratio[1] > 10


def test_without_room_for_a_nest_the_products_run_one_after_the_other():
    """A buffer of a step of the array, less than the queries, sums and scores of one query."""
    small = resized("fp16-edge", 1 / 1024)
    apart, together = (
        evaluate(system("llama-3-8b", "fp16", "fp16-edge", machine=machine), 1, 33, 2)
        for machine in (small.model_copy(update={"attention": attention}) for attention in ("separate", "fused"))
    )
    np.testing.assert_array_equal(apart.counts, together.counts)


@pytest.mark.parametrize("prompt", [40, 5000])
def test_what_the_search_of_nests_weighs_is_what_is_reported(prompt):
    name, shape = "ternary-edge", presets()["llama-3-8b"]
    platform = fused(name)
    result = evaluate(system("llama-3-8b", "bitnet-b1.58", name, machine=platform), 1, prompt, 0)
    machine = Machine(schemes()["bitnet-b1.58"], platform, technologies()["7nm"], name)
    m = (prompt + 1) / 2 if platform.skips_masked_pairs else prompt
    m *= shape.heads / shape.kv_heads
    scores = machine.problem(MatmulKind.SCORES, m, shape.head_dim, prompt, resident=False, reserved_bits=0)
    values = machine.problem(MatmulKind.VALUES, m, prompt, shape.head_dim, resident=False, reserved_bits=0)
    costs = nest_costs(machine, MatmulKind.SCORES, MatmulKind.VALUES)
    nest = best_nest(scores, values, costs)
    times = shape.layers * shape.kv_heads
    pj = picked(result.energies.nominal_pj,
                component=("attention_scores", "attention_values", "kv_cache_read"), phase="prefill")  # fmt: skip
    rescaled_pj = nest.rescaled_rows * (shape.head_dim * costs.rescaled_pj + costs.row_pj)
    over_time = scores.costs
    time_pj = nest.cycles * over_time.cycle_pj + sum(nest.compute_cycles) * over_time.computing_pj
    time_pj = time_pj + sum(nest.off_chip_bits) * over_time.off_chip_bit_pj
    weighed_pj = nest.energy_pj - time_pj - rescaled_pj
    assert pj[0] == pytest.approx(float(weighed_pj[0]) * times, rel=1e-9)
    separate = system("llama-3-8b", "bitnet-b1.58", name, machine=runs(name, "separate"))
    rest = evaluate(separate, 1, prompt, 0).energies.nominal_pj
    softmax_pj = [picked(e, component="softmax", phase="prefill")[0] for e in (result.energies.nominal_pj, rest)]
    assert softmax_pj[0] - softmax_pj[1] == pytest.approx(float(rescaled_pj[0]) * times, rel=1e-6, abs=1)


def test_only_attention_softmax_and_time_differ():
    apart, together = (
        evaluate(system("llama-3-8b", "fp16", "fp16-edge", machine=machine), 1, 3000, 2).counts[0]
        for machine in (runs("fp16-edge", "separate"), fused("fp16-edge"))
    )
    touched = {"attention_scores", "attention_values", "kv_cache_read", "softmax", "leakage", "static"}
    others = np.array([column.component not in touched for column in COLUMNS])
    np.testing.assert_array_equal(apart[others], together[others])
    assert (apart[~others] != together[~others]).any()
    assert PHASE[~others].any()
