"""Whole requests on machines: the cross-check, conservation, bounds and limits."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.architecture.components import names as component_names
from bitjoule.energy_models.architecture.phases import Cases
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.papers.arithmetic import Accounting, Matmul, count
from bitjoule.energy_models.papers.pricing import price_actions
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system import system as system_module
from bitjoule.energy_models.system.counting.columns import QUANTITIES
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.steps import MatmulKind
from tests.energy_models.clocks import MET_MHZ
from tests.energy_models.requests import COLUMNS, EDGE, PHASE, as_papers, evaluate, picked, resized, system


class TestCrossCheck:
    """A 512 x 3200 x 8640 matmul on 32 x 32 weight-stationary PEs, as ZigZag, AccelForge and Timeloop counted it.

    Each number follows from the machine by hand: 512 * 3200 * 8640 MACs of 0.04 pJ; a weight register read for each of
    them and written once a weight at 0.095 pJ a byte; off-chip, weights and inputs read once at 700 pJ and 8-bit
    outputs written once at 750 pJ for 8 bytes. ZigZag's best mapping takes 6.224 mJ in all.
    """

    found = evaluate(system(Matmul(512, 3200, 8640), "int8", "tpu32", "45nm"), 1, 512, 0)
    energy_uj = found.energies.nominal_pj / 1e6

    @pytest.mark.parametrize(
        ("wanted", "expected_uj"),
        [
            ({"action": "mac"}, 566.23),
            ({"operand": "weights", "action": ("register_read", "register_write")}, 1347.43),
            ({"action": ("off_chip_read", "off_chip_write")}, 2977.28),
        ],
    )
    def test_three_tools_count_the_same(self, wanted, expected_uj):
        np.testing.assert_allclose(picked(self.energy_uj, **wanted), expected_uj, rtol=1e-4)

    def test_the_best_mapping_is_as_good_as_that_of_zigzag(self):
        assert self.energy_uj.sum() <= 6230

    def test_compute_cycles_are_those_of_full_arrays_and_at_most_two_per_cent_more(self):
        machine = Machine(schemes()["int8"], platforms()["tpu32"], technologies()["45nm"], "tpu32")
        cycles = self.found.latency_s[0, 0] * machine.node.clock_mhz * 1e6
        assert 13_824_000 <= cycles <= 1.02 * 13_824_000


def test_products_that_a_nest_replaces_are_not_searched(monkeypatch):
    searched, search = set(), system_module.map_matmuls

    def noted(rows, machines, kinds, objective):
        searched.update(kinds[i].operand for i in rows[:, 1].astype(int))
        return search(rows, machines, kinds, objective)

    monkeypatch.setattr(system_module, "map_matmuls", noted)
    evaluate(system("bitnet-125m", "bitnet-b1.58"), 1, 40, 5)
    assert searched == {"weights"}


@pytest.mark.parametrize("scheme", EDGE)
@pytest.mark.parametrize("model", ["bitnet-125m", "bitnet-b1.58-2b-4t", "mixtral-8x7b"])
def test_products_and_sums_are_those_of_the_mac_and_the_arithmetic_accounting(model, scheme):
    found = evaluate(system(model, scheme, machine=as_papers(EDGE[scheme])), 3, 40, 5)
    zeros = np.zeros(1, dtype=np.intp)
    cases = Cases(zeros, zeros, np.array([3.0]), np.array([40.0]), np.array([5.0]))
    shapes, formats = [presets()[model]], [schemes()[scheme]]
    arithmetic = count(shapes, formats, cases)
    macs = count(shapes, formats, cases, Accounting.MAC)
    ours = {}
    for column, value in zip(COLUMNS, found.counts[0], strict=True):
        if value and column.action in ("mul", "add") and column.operand != "unpacking":
            ours[column[:4]] = value
    compared = 0
    for counts, action in ((macs, "mul"), (arithmetic, "add")):
        for entry, value in zip(counts.actions, counts.count[0], strict=True):
            if entry[1:4] == ("attention_values", "partial_sums", "add"):
                continue  # the papers take k - 1 additions for a sum over the context, too
            if entry.action == action and entry.operand not in ("activations", "outputs"):
                np.testing.assert_allclose(ours[entry[:4]], value, rtol=1e-12)
                compared += 1
    assert compared >= 16


def test_the_sum_over_the_values_has_one_addition_less_than_the_context_is_long():
    found = evaluate(system("bitnet-125m", machine=as_papers("ternary-edge")), 3, 40, 5)
    shape = presets()["bitnet-125m"]
    width = shape.layers * shape.heads * shape.head_dim
    sums = picked(found.counts, component="attention_values", operand="partial_sums", action="add")
    assert sums[0] == 3 * width * (40 * 39 + sum(40 + i - 1 for i in range(1, 6)))


def test_under_a_causal_mask_sums_over_values_are_those_of_the_queries_in_effect():
    """docs/equations/causal-pairs.md: (T + 1) / 2 queries meet all T keys; a first term is no addition."""
    skips = platforms()["ternary-edge"].model_copy(update={"attention": "separate"})
    assert skips.skips_masked_pairs
    found = evaluate(system("bitnet-125m", machine=skips), 3, 40, 5)
    shape = presets()["bitnet-125m"]
    sums = picked(found.counts, component="attention_values", operand="partial_sums", action="add", phase="prefill")
    assert sums[0] == 3 * shape.layers * shape.heads * shape.head_dim * (40**2 - 1) / 2


def test_the_arithmetic_total_is_the_arithmetic_part_of_the_system_total():
    """With FP16 throughout nothing is scaled, and both count products, sums and biases of linears and attention."""
    found = evaluate(system("bitnet-1.3b", "fp16", technology="45nm", machine=as_papers("fp16-edge")), 2, 100, 7)
    zeros = np.zeros(1, dtype=np.intp)
    cases = Cases(zeros, zeros, np.array([2.0]), np.array([100.0]), np.array([7.0]))
    counts = count([presets()["bitnet-1.3b"]], [schemes()["fp16"]], cases)
    energy_pj = price_actions(counts, [technologies()["45nm"]], zeros, zeros).nominal_pj.sum()
    components = {action.component for action in counts.actions}
    ours_pj = picked(found.energies.nominal_pj, component=components, action=("mul", "add"))
    # but for the sum over the values, where the papers count k - 1 additions, and a context of n takes n - 1
    shape = presets()["bitnet-1.3b"]
    contexts = [100] * 100 + [100 + i for i in range(1, 8)]
    heads = 2 * shape.layers * shape.heads
    papers = heads * sum(context * (shape.head_dim - 1) for context in contexts)
    real = heads * sum(shape.head_dim * (context - 1) for context in contexts)
    add_pj = technologies()["45nm"].price("add", "fp16").nominal_pj
    np.testing.assert_allclose(ours_pj, energy_pj + (real - papers) * add_pj, rtol=1e-12)


@pytest.mark.parametrize(("scheme", "bits"), [("bitnet-b1.58", 2), ("bitnet", 1), ("fp16", 16), ("int8", 8)])
@pytest.mark.parametrize("batch", [1, 4])
def test_decode_reads_the_stored_weights_once_a_step_for_all_sequences(scheme, bits, batch):
    shape = presets()["bitnet-b1.58-700m"]
    found = evaluate(system("bitnet-b1.58-700m", scheme), batch, 16, 9)
    read = picked(
        np.where(PHASE == 1, found.counts, 0.0),
        component=("q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down"),
        operand="weights",
        action="off_chip_read",
    )
    stored = sum(linear.in_features * linear.out_features for linear in shape.linears) * shape.layers * bits
    assert read[0] == stored * 9
    # bytes read = stored weight bytes x tokens / batch reuse
    assert read[0] == stored * (batch * 9) / batch


def test_the_kv_cache_is_written_once_and_read_by_every_step():
    shape = presets()["llama-3-8b"]
    batch, prompt, new = 3, 50, 7
    found = evaluate(system("llama-3-8b", "bitnet-b1.58-kv8"), batch, prompt, new)
    token_bits = 2 * shape.layers * shape.kv_heads * shape.head_dim * 8
    written = picked(found.counts, component="kv_cache_write", action="off_chip_write")
    assert written[0] == token_bits * batch * (prompt + new)
    read = picked(np.where(PHASE == 1, found.counts, 0.0), component="kv_cache_read")
    np.testing.assert_allclose(read, token_bits * batch * sum(prompt + i for i in range(1, new + 1)), rtol=1e-12)


def test_embedding_rows_are_read_for_every_token_and_a_tied_head_is_stored_once():
    shape = presets()["bitnet-b1.58-2b-4t"]
    assert shape.tied_embedding
    found = evaluate(system("bitnet-b1.58-2b-4t"), 2, 10, 3)
    read = picked(found.counts, component="embedding", action="off_chip_read")
    assert read[0] == 2 * 13 * shape.hidden * 16
    assert found.memory_bytes.tables_bytes[0] == shape.vocabulary * shape.hidden * 2
    untied = shape.model_copy(update={"tied_embedding": False})
    twice = evaluate(system(untied), 2, 10, 3)
    assert twice.memory_bytes.tables_bytes[0] == 2 * found.memory_bytes.tables_bytes[0]


def test_a_matmul_alone_holds_its_inputs_and_outputs_as_its_scheme_stores_activations():
    held = evaluate(system(Matmul(512, 3200, 8640), "int8", "tpu32", "45nm"), 1, 512, 0).memory_bytes
    assert held.activations_bytes[0] == 512 * (3200 + 8640) * 1


def test_the_most_that_lives_at_once_is_in_attention_where_heads_are_wide():
    """The residual stream and its copy, queries, keys and values of every token, 16 bits each."""
    shape = presets()["bitnet-b1.58-700m"].model_copy(
        update={"head_dim": 512, "heads": 32, "kv_heads": 8, "vocabulary": 512, "intermediate": 256}
    )
    held = evaluate(system(shape), 3, 100, 1).memory_bytes
    assert held.activations_bytes[0] == 3 * 100 * (2 * shape.hidden + (32 + 2 * 8) * 512) * 2


def test_cases_of_models_in_any_order_are_those_of_each_model_alone():
    """Two shapes whose matmuls differ in number: eight linears, or the nine of untied experts."""
    shapes = [presets()["bitnet-b1.58-700m"], presets()["mixtral-8x7b"]]
    name, prompts = "ternary-edge", np.array([5.0, 64.0, 5.0, 64.0, 7.0])
    models = np.array([1, 0, 0, 1, 0])
    both = System(shapes, [schemes()["bitnet-b1.58"]], [technologies()["7nm"]], [[(name, platforms()[name])]])
    zeros = np.zeros(len(models), dtype=np.intp)
    cases = Cases(models, zeros, np.full(len(models), 2.0), prompts, np.full(len(models), 3.0))
    found = both.evaluate(cases, zeros, zeros)
    for i, (model, prompt) in enumerate(zip(models, prompts, strict=True)):
        alone = evaluate(system(shapes[model], "bitnet-b1.58", name), 2, prompt, 3)
        np.testing.assert_allclose(found.energies.nominal_pj[i].sum(), alone.energies.nominal_pj.sum(), rtol=1e-12)
        np.testing.assert_allclose(found.latency_s[i], alone.latency_s[0], rtol=1e-12)
        assert found.memory_bytes.total[i] == alone.memory_bytes.total[0]


def test_the_head_runs_for_the_last_token_of_each_sequence_and_for_every_new_one():
    shape = presets()["bitnet-b1.58-2b-4t"]
    found = evaluate(system("bitnet-b1.58-2b-4t"), 2, 10, 3)
    products = picked(found.counts, component="lm_head", operand="weights", action="mul")
    assert products[0] == 2 * (1 + 3) * shape.hidden * shape.vocabulary


NO_EDGE = ("fp32", "bf16", "w4a4", "w4a4-smoothquant")  # no edge platform runs them
PACKED = {
    "w2a16-quip": 2, "w2a16-quip-sharp": 2, "bitnet-g128": 1 + 16 / 128, "bonsai": 1 + 16 / 128,
    "ternary-bonsai": 2 + 16 / 128, "bonsai-2": 28 * 8 / 128, "sherry": 5 / 4, "bitnet-b1.58-6of8": 11 / 8,
    "trit-planes": 2 * (2 + 16 / 128), "fairy2i": 2,
}  # fmt: skip


@pytest.mark.parametrize("scheme", [name for name in schemes() if name not in NO_EDGE])
def test_weight_bytes_are_parameters_as_they_are_packed(scheme):
    shape = presets()["bitnet-b1.58-2b-4t"]
    bits = {"ternary": 2, "binary": 1}.get(schemes()[scheme].weights)
    bits = bits or {"fp16": 16, "int8": 8, "int4": 4.125, "int2": 2.125}[schemes()[scheme].weights]
    bits = {"bitnet-b1.58-5in8": 1.6, "bitnet-b1.58-3in5": 5 / 3, **PACKED}.get(scheme, bits)
    platform = "fp16-edge" if schemes()[scheme].weights in ("fp16", "int8", "int4", "int2") else "ternary-edge"
    platform = "int4-edge" if scheme == "w4a8" else platform
    found = evaluate(system("bitnet-b1.58-2b-4t", scheme, platform), 1, 1, 0)
    linears, norms = 2_084_044_800, shape.parameters - 2_084_044_800 - 328_335_360
    np.testing.assert_allclose(found.memory_bytes.weights_bytes, (linears * bits + norms * 16) / 8, rtol=1e-12)


workloads = st.tuples(st.integers(1, 40), st.integers(1, 600), st.integers(0, 60))


@settings(max_examples=60, deadline=None)
@given(workloads, st.sampled_from(sorted(EDGE)), st.sampled_from(["7nm", "45nm"]))
def test_every_joule_is_in_a_component_and_every_band_holds_its_nominal(workload, scheme, technology):
    found = evaluate(system(scheme=scheme, technology=technology), *workload)
    energies = found.energies
    parts = sum(picked(energies.nominal_pj, component=component) for component in component_names())
    np.testing.assert_allclose(parts, energies.nominal_pj.sum(axis=1), rtol=1e-12)
    assert (energies.low_pj <= energies.nominal_pj).all()
    assert (energies.nominal_pj <= energies.high_pj).all()
    assert (found.counts >= 0).all()


@settings(max_examples=60, deadline=None)
@given(workloads, st.sampled_from(sorted(EDGE)), st.sampled_from(["batch", "prompt", "new"]))
def test_energy_rises_with_batch_prompt_and_new_tokens(workload, scheme, axis):
    found = system(scheme=scheme)
    more = list(workload)
    more[["batch", "prompt", "new"].index(axis)] += 1
    one, other = (evaluate(found, *size).energies.nominal_pj.sum() for size in (workload, more))
    assert one < other * (1 + 1e-9)


def test_energy_rises_with_the_bits_of_weights_activations_and_kv_cache():
    def joules(scheme, platform="ternary-edge", prompt=256):
        return evaluate(system("llama-3-8b", scheme, platform), 1, prompt, 64).energies.nominal_pj.sum()

    for names in (
        ["bitnet", "bitnet-b1.58-5in8", "bitnet-b1.58-3in5", "bitnet-b1.58"],
        ["bitnet-b1.58-a1", "bitnet-b1.58-a2", "bitnet-b1.58-a4", "bitnet-b1.58"],
        ["bitnet-b1.58-kv3", "bitnet-b1.58-kv4", "bitnet-b1.58-kv8", "bitnet-b1.58"],
        ["bitnet-b1.58-binary-attention", "bitnet-b1.58-int8-attention", "bitnet-b1.58"],
    ):
        energies = [joules(name, prompt=2048) for name in names]
        assert energies == sorted(energies), names
    energies = [joules(name, "fp16-edge") for name in ("w2a16", "w4a16", "fp16")]
    assert energies == sorted(energies)


@pytest.mark.parametrize("scheme", ["fp16", "bitnet-b1.58"])
@pytest.mark.parametrize("prompt", [1, 17, 128, 700])
def test_larger_buffers_never_raise_the_energy_at_the_same_prices(scheme, prompt):
    energies = [
        evaluate(system(scheme=scheme, machine=resized(EDGE[scheme], factor)), 2, prompt, 3).energies.nominal_pj.sum()
        for factor in (1, 2, 4, 16, 256)
    ]
    assert all(larger <= smaller * (1 + 1e-12) for smaller, larger in pairwise(energies))


@settings(max_examples=40, deadline=None)
@given(workloads, st.sampled_from(sorted(EDGE)))
def test_latency_is_never_below_the_arrays_or_the_memorys_bound(workload, scheme):
    found = system(scheme=scheme)
    result = evaluate(found, *workload)
    machine = found.machine(0, 0, 0)
    seconds = 1 / (MET_MHZ[machine.technology.node] * 1e6)
    arrays = {kind: machine.array(kind)[0] for kind in (MatmulKind.LINEAR, MatmulKind.SCORES, MatmulKind.HEAD)}
    for phase in (0, 1):
        own = np.where(phase == PHASE, result.counts, 0.0)
        off_chip_bits = picked(own, action=("off_chip_read", "off_chip_write"))[0]
        slower = 0.0
        for kind, components in (
            (MatmulKind.LINEAR, ("q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down")),
            (MatmulKind.SCORES, ("attention_scores", "attention_values")),
            (MatmulKind.HEAD, ("lm_head",)),
        ):
            sums = picked(own, component=components, operand="partial_sums", action="add")[0]
            slower += sums / (arrays[kind].lanes * arrays[kind].columns) * seconds
        bound = max(slower, off_chip_bits / (machine.off_chip_bits / seconds))
        assert result.latency_s[0, phase] >= bound * (1 - 1e-9)


def test_the_mean_context_stands_for_the_growing_one():
    """Reads are linear in the context, so only the rounding of the last block differs from a step by step count."""
    steps = [evaluate(system("llama-3-8b"), 1, 100 + i, 1) for i in range(40)]
    by_step = sum(np.where(PHASE == 1, step.energies.nominal_pj, 0.0).sum() for step in steps)
    at_once = np.where(PHASE == 1, evaluate(system("llama-3-8b"), 1, 100, 40).energies.nominal_pj, 0.0).sum()
    np.testing.assert_allclose(at_once, by_step, rtol=1e-3)


def test_cases_evaluated_together_are_those_evaluated_alone():
    found = system()
    batches, prompts, news = np.array([1, 2, 1, 7]), np.array([5, 64, 900, 64]), np.array([0, 3, 3, 128])
    together = evaluate(found, batches, prompts, news)
    for i, size in enumerate(zip(batches, prompts, news, strict=True)):
        alone = evaluate(system(), *size)
        np.testing.assert_array_equal(together.counts[i], alone.counts[0])
        np.testing.assert_array_equal(together.energies.nominal_pj[i], alone.energies.nominal_pj[0])
        np.testing.assert_array_equal(together.latency_s[i], alone.latency_s[0])


def test_prices_are_equal_where_their_rows_are():
    found = evaluate(system(), 1, 64, 8)
    price = found.energies.nominal_pj[0] / np.where(found.counts[0] > 0, found.counts[0], np.nan)
    dram = [p for p, c in zip(price, COLUMNS, strict=True) if c.action.startswith("off_chip") and p == p]
    np.testing.assert_allclose(dram, 8)  # LPDDR4, pJ a bit, Accelergy's CACTI table
    assert len(QUANTITIES) == len(set(QUANTITIES))


@pytest.mark.parametrize(
    ("model", "scheme", "platform", "prompt"),
    [
        ("falcon3-7b", "bitnet-b1.58", "ternary-edge", 5),
        ("bitnet-2.7b", "bitnet-b1.58", "ternary-edge", 17),
        ("llama-3.1-405b", "fp16", "fp16-edge-peak", 1),
        ("llama-3.1-405b", "fp16", "fp16-edge-peak", 131072),
    ],
)
def test_every_head_has_a_mapping_whether_its_input_fits_the_buffer_or_not(model, scheme, platform, prompt):
    result = evaluate(system(model, scheme, platform), [1, 3000], prompt, [2, 2])
    assert (picked(result.counts, component="lm_head", action="off_chip_read", operand="weights") > 0).all()
    spilled = picked(result.counts, component="lm_head", action="off_chip_read", operand="activations")
    assert spilled[0] == 0
    assert spilled[1] > 0
