"""What requests ask for: mixtures, spilled activations, masks; and that the search weighs what is reported."""

from itertools import pairwise

import numpy as np
import pytest

from bitjoule.energy_models.architecture.phases import Cases
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.papers.arithmetic import Accounting, Matmul, count
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.mapping import energy_pj
from bitjoule.energy_models.system.mappings.search import search
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.energy_models.system.work.workload import Experts, experts_with_tokens
from tests.energy_models.clocks import at
from tests.energy_models.requests import COLUMNS, EDGE, PHASE, as_papers, evaluate, picked, resized, system
from tests.sampling import one_of_each

STEP = np.array([column.action for column in COLUMNS])


def bound(batch):
    """Return the most of eight experts that tokens can ask, two each."""
    return min(8, 2 * batch)


def expected(batch):
    """Return the mean: an expert is asked by none of the tokens with a probability of (6 / 8)^batch."""
    return 8 * (1 - 0.75**batch)


@pytest.mark.parametrize("rule", [bound, expected])
@pytest.mark.parametrize("platform", ["ternary-edge", "ternary-hbm"])
def test_a_mixture_reads_each_expert_that_is_asked_once_a_step(platform, rule):
    """Mixtral, two of eight experts a token; whoever reads their weights, the products are the tokens'."""
    shape = presets()["mixtral-8x7b"]
    found = system("mixtral-8x7b", platform=platform, experts=Experts(rule.__name__))
    expert = 3 * shape.hidden * shape.ffn * shape.layers * 2
    components = ("ffn_gate", "ffn_up", "ffn_down")
    for batch in (1, 2, 3, 4, 5, 7, 8, 13, 64):
        result = evaluate(found, batch, 1, 1)
        decode = np.where(PHASE == 1, result.counts, 0.0)
        read = picked(decode, component=components, operand="weights", action="off_chip_read")
        np.testing.assert_allclose(read, expert * rule(batch), rtol=1e-12)
        products = picked(decode, component=components, operand="partial_sums", action="add")
        sums = 2 * batch * shape.layers * (2 * (shape.hidden - 1) * shape.ffn + (shape.ffn - 1) * shape.hidden)
        np.testing.assert_allclose(products, sums, rtol=1e-12)


@pytest.mark.parametrize(("experts", "active"), [(8, 2), (8, 1), (60, 4), (128, 8), (5, 5)])
def test_expected_experts_are_the_mean_of_a_router_without_preference(experts, active):
    """A router that picks `active` different experts for each token, drawn many times."""
    generator, draws = np.random.default_rng(16), 4000
    for tokens in (1, 2, 4, 8, 33):
        choices = generator.random((draws, tokens, experts)).argpartition(active - 1, axis=2)[..., :active]
        asked = np.zeros((draws, experts), dtype=bool)
        asked[np.arange(draws)[:, None, None], choices] = True
        mean = experts_with_tokens(np.float64(experts), np.float64(active), np.float64(tokens), Experts.EXPECTED)
        assert mean == pytest.approx(asked.sum(axis=1).mean(), rel=0.01)
        assert active <= mean <= experts_with_tokens(experts, active, tokens, Experts.BOUND)


def test_the_bound_reads_14_and_46_percent_more_of_mixtral_at_batch_2_and_4():
    read = {}
    for rule in Experts:
        result = evaluate(system("mixtral-8x7b", experts=rule), (1, 2, 4), 1, 1)
        decode = np.where(PHASE == 1, result.counts, 0.0)
        read[rule] = picked(decode, component="ffn_down", operand="weights", action="off_chip_read")
    more = read[Experts.BOUND] / read[Experts.EXPECTED]
    np.testing.assert_allclose(more, [1, 4 / 3.5, 8 / 5.46875], rtol=1e-12)


def test_one_token_at_a_time_asks_its_own_experts_to_the_last_digit():
    """Less than a token of an expert would be less than a tile."""
    experts = np.arange(1, 400, dtype=np.float64)
    for active in (1.0, 2.0, 3.0, 7.0):
        more = experts[experts >= active]
        assert (experts_with_tokens(more, np.array(active), np.array(1.0), Experts.EXPECTED) == active).all()
        for tokens in (2.0, 5.0, 1e6):
            asked = experts_with_tokens(more, np.array(active), np.array(tokens), Experts.EXPECTED)
            assert (active * tokens / asked >= 1).all()


@pytest.mark.parametrize(("model", "scheme"), [("mixtral-8x7b", "bitnet-b1.58"), ("llama-3-8b", "fp16")])
@pytest.mark.parametrize("platform", [None, "hbm"])
def test_energy_of_mixtures_and_on_large_chips_rises_too(model, scheme, platform):
    name = platform and {"fp16": "fp16-hbm"}.get(scheme, "ternary-hbm")
    found = system(model, scheme, name)
    for batch, prompt in ((np.arange(1, 41), 5), (2, np.arange(1, 41))):
        joules = evaluate(found, batch, prompt, 4).energies.nominal_pj.sum(axis=1)
        assert (np.diff(joules) > 0).all()


@pytest.mark.parametrize("factor", np.linspace(0.2, 1.2, 41))
def test_what_the_search_weighs_is_what_is_reported(factor):
    platform = resized("ternary-edge", factor)
    name, size = "ternary-edge", (128, 4096, 1536)
    found = system(Matmul(*size), "bitnet-b1.58", machine=platform)
    reported_pj = evaluate(found, 1, 128, 0).energies.nominal_pj
    problem = Machine(schemes()["bitnet-b1.58"], platform, technologies()["7nm"], name).problem(
        MatmulKind.STANDALONE, *size, resident=False, reserved_bits=0
    )
    weighed_pj = energy_pj(problem, search(problem).traffic)
    np.testing.assert_allclose(reported_pj.sum(), weighed_pj, rtol=1e-6)  # leakage counts whole cycles


@pytest.mark.parametrize("scheme", one_of_each([["fp16", "bitnet-b1.58"]], "growing buffers"))
def test_energy_never_rises_along_finely_growing_buffers(scheme):
    energies = [
        evaluate(system(scheme=scheme, machine=resized(EDGE[scheme], factor)), 1, 128, 3).energies.nominal_pj.sum()
        for factor in np.linspace(0.1, 3, 59)
    ]
    assert all(larger <= smaller * (1 + 1e-9) for smaller, larger in pairwise(energies))


def test_spilled_activations_are_written_before_they_are_read_and_keys_and_values_once():
    shape = presets()["bitnet-b1.58-2b-4t"]
    tokens = 512
    result = evaluate(system("bitnet-b1.58-2b-4t", machine=as_papers("ternary-edge")), 1, tokens, 0)

    def bits(component, operand, action):
        return picked(result.counts, component=component, operand=operand, action=action)[0]

    assert bits(("k_proj", "v_proj"), "outputs", "off_chip_write") == 0
    a_token = tokens * shape.layers
    assert bits("kv_cache_write", "keys_values", "off_chip_write") == a_token * 2 * 640 * 16
    # raw outputs: q; values; o; gate and up; down
    raw = bits(("q_proj", "attention_values", "o_proj", "ffn_gate", "ffn_up", "ffn_down"), "outputs", "off_chip_write")
    assert raw == a_token * (2560 + 2560 + 2560 + 2 * 6912 + 2560) * 16
    # all of them but q come back for norms and activation functions, and the residual stream twice
    returned = bits("spilled_activations", "outputs", "off_chip_read")
    assert returned == raw - a_token * 2560 * 16 + a_token * 2 * 2560 * 16
    # the inputs of qkv, o, gate and up, down are written once as INT8, and each is read by all that take it
    assert bits("spilled_activations", "activations", "off_chip_write") == a_token * (2560 * 3 + 6912) * 8
    read = bits(
        ("q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down"), "activations", "off_chip_read"
    )
    assert read >= a_token * (2560 * 6 + 6912) * 8


def test_masked_pairs_take_half_the_products_and_all_keys_at_least_once():
    computes_all, masked = (
        platforms()["ternary-edge"].model_copy(update={"skips_masked_pairs": skips, "attention": "separate"})
        for skips in (False, True)
    )
    prompt = 301
    whole, half = (evaluate(system(machine=machine), 1, prompt, 0) for machine in (computes_all, masked))
    attention = {"component": ("attention_scores", "attention_values"), "action": "mul"}
    share = picked(half.counts, **attention)[0] / picked(whole.counts, **attention)[0]
    assert share == pytest.approx((prompt + 1) / 2 / prompt)
    cached = picked(half.counts, component="kv_cache_write", action="off_chip_write")[0]
    assert picked(half.counts, component="kv_cache_read")[0] >= cached


def test_a_model_that_is_not_causal_computes_all_pairs_on_every_machine():
    machine = platforms()["ternary-edge"].model_copy(update={"skips_masked_pairs": True})
    shape = presets()["bitnet-b1.58-700m"].model_copy(update={"causal": False})
    prompt = 301
    causal, whole = (
        evaluate(system(model, machine=machine), 3, prompt, 2).counts
        for model in (presets()["bitnet-b1.58-700m"], shape)
    )
    for component, action in (("attention_scores", "mul"), ("softmax", "mul"), ("attention_values", "mul")):
        prefill = np.where(PHASE == 0, [[1.0]], 0.0)
        share = picked(causal * prefill, component=component, action=action)
        share = share / picked(whole * prefill, component=component, action=action)
        assert share[0] == pytest.approx((prompt + 1) / 2 / prompt)
    decode = PHASE == 1
    np.testing.assert_array_equal(causal[:, decode & (STEP != "leak")], whole[:, decode & (STEP != "leak")])


@pytest.mark.parametrize("accounting", [Accounting.ARITHMETIC, Accounting.MAC])
def test_the_papers_accountings_take_the_whole_square_of_every_model(accounting):
    shape = presets()["bitnet-b1.58-700m"]
    models = [shape, shape.model_copy(update={"causal": False})]
    requests = Cases(np.arange(2), np.zeros(2, dtype=int), np.ones(2), np.full(2, 64.0), np.full(2, 3.0))
    causal, whole = count(models, [schemes()["fp16"]], requests, accounting).count
    np.testing.assert_array_equal(causal, whole)


def test_element_wise_parts_are_never_faster_than_their_buffer():
    platform = at("ternary-edge")
    narrow = platform.buffers["activations"].model_copy(update={"width_bits": 16})
    slow = platform.model_copy(
        update={
            "buffers": {**platform.buffers, "activations": narrow},
            "vector": platform.vector.model_copy(update={"lanes": 4096}),
        }
    )
    result = evaluate(system(machine=slow), 1, 512, 0)
    cycles = result.latency_s[0, 0] * 500e6
    through = ("activations", "outputs", "partial_sums", "keys_values")
    for action in ("buffer_read", "buffer_write"):
        assert cycles >= picked(result.counts, operand=through, action=action)[0] / 16 * (1 - 1e-9)
