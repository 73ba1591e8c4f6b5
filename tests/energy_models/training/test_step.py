"""A step of training: sums, passes and memory, for sizes worked out by hand."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.phases import STEP, Cases
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.training.optimisers import optimisers
from bitjoule.energy_models.training.options import Options
from bitjoule.energy_models.training.step import (
    ADDED,
    FORWARD,
    INPUTS,
    KEPT,
    OPTIMISER,
    RECOMPUTED,
    WEIGHTS,
    Trainer,
    TrainingStep,
    input_scheme,
    weight_scheme,
)

HIDDEN, FFN, VOCABULARY, LAYERS = 64, 96, 200, 3
TOY = ModelShape(
    layers=LAYERS, hidden=HIDDEN, heads=4, ffn=FFN, ffn_gated=True, activation="silu", vocabulary=VOCABULARY
)
TOKENS, SEQUENCES = 16, 2


def step(
    scheme: str = "fp16", platform: str = "fp16-hbm", model: ModelShape = TOY, machine=None, **options
) -> TrainingStep:
    chosen = Options(sequence_tokens=TOKENS, sequences=SEQUENCES, **options)
    trainer = Trainer(platform, machine or platforms()[platform], schemes()[scheme], technologies()["45nm"], chosen)
    return trainer.step(model)


def test_forward_is_the_step_that_the_system_accounting_counts():
    system = System([TOY], [schemes()["fp16"]], [technologies()["45nm"]], [[("fp16-hbm", platforms()["fp16-hbm"])]],
                    phases=(STEP,))  # fmt: skip
    none = np.zeros(1, dtype=np.intp)
    sizes = (np.array([float(value)]) for value in (SEQUENCES, TOKENS, 0))
    evaluated = system.evaluate(Cases(none, none, *sizes, 0.0, float(TOKENS)), none, none)
    forward = step().passes[FORWARD]
    assert forward.total_j[1] == pytest.approx(1e-12 * evaluated.energies.nominal_pj.sum(), rel=1e-12)
    assert forward.seconds == evaluated.latency_s[0, 0]


@pytest.mark.parametrize("activations", ["kept", "recomputed"])
@pytest.mark.parametrize(("scheme", "platform"), [("fp16", "fp16-hbm"), ("bitnet-b1.58", "ternary-hbm")])
def test_passes_add_up(scheme, platform, activations):
    trained = step(scheme, platform, activations=activations, micro_batches=2)
    energies = [value for each in trained.passes.values() for value in each.energy_j.values()]
    np.testing.assert_allclose(trained.energy_j, np.sum(energies, axis=0), rtol=1e-12)
    assert np.all(np.diff(trained.energy_j) >= 0)
    assert trained.tokens == 2 * TOKENS * SEQUENCES
    assert (RECOMPUTED in trained.passes) == (activations == "recomputed")


def test_micro_batches_repeat_all_but_the_optimiser_and_add_gradients_up_in_between():
    one, four = step(), step(micro_batches=4)
    for name in (FORWARD, KEPT, INPUTS, WEIGHTS):
        np.testing.assert_allclose(four.passes[name].total_j, 4 * one.passes[name].total_j, rtol=1e-12)
    np.testing.assert_allclose(four.passes[OPTIMISER].total_j, one.passes[OPTIMISER].total_j, rtol=1e-12)
    assert ADDED not in one.passes
    seven = step(micro_batches=7)
    np.testing.assert_allclose(seven.passes[ADDED].total_j, 2 * four.passes[ADDED].total_j, rtol=1e-12)


def test_what_is_computed_again_is_the_layers_without_embedding_and_head():
    trained = step(activations="recomputed")
    forward, again = (trained.passes[name].macs for name in (FORWARD, RECOMPUTED))
    assert again == {name: count for name, count in forward.items() if name != "lm_head"}


def test_memory_of_mixed_precision_is_16_bytes_a_parameter_and_what_is_kept():
    """FP16 weight and gradient, FP32 latent weight and two moments; worked out by hand for the activations."""
    memory = step().memory_bytes
    values = TOY.parameters
    expected = {"weights": 2, "gradients": 2, "latent_weights": 4, "optimiser_states": 8}
    assert {name: memory[name] for name in expected} == {name: size * values for name, size in expected.items()}
    # a layer: inputs of the projections, of o_proj, of gate and up, of down; q, k, v; outputs of attention again, for
    # the softmax's gradient; inputs of two norms; of the activation function and of the product of the branches
    layer = HIDDEN + HIDDEN + HIDDEN + FFN + 3 * HIDDEN + HIDDEN + 2 * HIDDEN + 2 * FFN
    assert platforms()["fp16-hbm"].attention == "fused"
    last = HIDDEN + HIDDEN  # input of the last norm and of the LM head
    assert memory["activations"] == 2 * TOKENS * SEQUENCES * (LAYERS * layer + last)


LAYER = 7 * HIDDEN + FFN + 2 * HIDDEN + 2 * FFN  # what a layer keeps: as above, with keys and values
BITS, SEEN = 16, TOKENS * SEQUENCES


def test_layers_that_are_computed_again_keep_their_inputs_and_one_of_them_the_rest():
    memory = step(activations="recomputed").memory_bytes
    assert memory["activations"] == SEEN * BITS / 8 * (LAYERS * HIDDEN + LAYER)


def test_queries_are_kept_whole_where_one_head_of_keys_serves_them_all():
    head = HIDDEN // 4
    shared = step(model=TOY.model_copy(update={"kv_heads": 1})).memory_bytes["activations"]
    assert shared == SEEN * BITS / 8 * (LAYERS * (LAYER - 2 * HIDDEN + 2 * head) + 2 * HIDDEN)


HBM = platforms()["fp16-hbm"]
PRICED = {"memory": None, "read_pj_per_bit": 5.0, "write_pj_per_bit": 7.0}  # reads and writes differ
APART = HBM.model_copy(update={"off_chip": HBM.off_chip.model_copy(update=PRICED)})


@pytest.mark.parametrize("activations", ["kept", "recomputed"])
def test_what_is_kept_is_written_once_and_read_for_functions_alone(activations):
    """Matmuls read their own operands; keys and values are those of the cache. A layer that is computed again is kept
    as its input, which is written and read."""
    again = LAYERS * HIDDEN * (activations == "recomputed")
    read = LAYERS * (HIDDEN + 2 * HIDDEN + 2 * FFN) + HIDDEN  # outputs of attention, inputs of norms and functions
    written = LAYERS * (LAYER - 2 * HIDDEN) + 2 * HIDDEN
    found = step(machine=APART, activations=activations).passes[KEPT].energy_j["off_chip"]
    bit_pj = 5 * (read + again) + 7 * (written + again)
    np.testing.assert_allclose(found, 1e-12 * SEEN * BITS * bit_pj, rtol=1e-12)


@pytest.mark.parametrize("repeats", [2, 5])
def test_a_gradient_that_is_added_up_is_read_with_the_sum_which_is_written(repeats):
    added = step(machine=APART, micro_batches=repeats).passes[ADDED]
    times = (repeats - 1) * TOY.parameters
    np.testing.assert_allclose(added.energy_j["off_chip"], 1e-12 * BITS * times * (2 * 5 + 7), rtol=1e-12)
    np.testing.assert_allclose(added.energy_j["operations"], 1e-12 * times * 0.4, rtol=1e-12)  # FP16 additions, 45 nm


@pytest.mark.parametrize(("scheme", "platform"), [("fp16", "fp16-hbm"), ("bitnet-b1.58", "ternary-hbm")])
def test_an_update_works_on_each_parameter_and_rounds_each_weight_that_is_narrow(scheme, platform):
    adamw, rounding = optimisers()["adamw"], functions()["weight_quantisation"]
    narrow = LAYERS * (4 * HIDDEN**2 + 3 * HIDDEN * FFN) * (scheme != "fp16")
    mul, add = (TOY.parameters * getattr(adamw, of) + narrow * getattr(rounding, of) for of in ("mul", "add"))
    found = step(scheme, platform).passes[OPTIMISER].energy_j["operations"]
    np.testing.assert_allclose(found, 1e-12 * (mul * 3.7 + add * 0.9), rtol=1e-12)  # FP32, Horowitz, 45 nm


def test_int8_inputs_are_kept_in_half_the_bytes_and_ternary_weights_in_an_eighth():
    full, ternary = step(), step("bitnet-b1.58", "ternary-hbm")
    tokens = TOKENS * SEQUENCES
    saved = full.memory_bytes["activations"] - ternary.memory_bytes["activations"]
    assert saved == tokens * LAYERS * (3 * HIDDEN + FFN)
    linears = LAYERS * (4 * HIDDEN**2 + 3 * HIDDEN * FFN)
    assert full.memory_bytes["weights"] - ternary.memory_bytes["weights"] == pytest.approx(linears * (2 - 0.25))


def test_the_optimiser_reads_and_writes_its_states_and_stores_the_weights_that_compute():
    """AdamW in FP32: 12 bytes in, with a gradient of 2; 12 out, with a weight of 2."""
    values, seconds = TOY.parameters, step().passes[OPTIMISER].seconds
    machine = Machine(schemes()["fp16"], platforms()["fp16-hbm"], technologies()["45nm"], "fp16-hbm")
    reached = machine.platform.off_chip.reached_gb_per_s * 1e9
    operations = values * (optimisers()["adamw"].mul + optimisers()["adamw"].add)
    assert seconds == pytest.approx(max(values * 28 / reached, operations / 1024 / machine.clock_mhz / 1e6), rel=1e-12)


def test_backward_formats_are_stored_weights_and_multiplied_inputs_times_gradients():
    ternary = schemes()["bitnet-b1.58"]
    inputs, weights = input_scheme(ternary, "fp16"), weight_scheme(ternary, "fp16")
    assert (inputs.weights, inputs.activations) == ("ternary", "fp16")
    assert inputs.storage_name("weight_storage") == ternary.storage_name("weight_storage")
    assert (weights.weights, weights.activations) == ("int8", "fp16")
    full = schemes()["fp16"]
    for gradients in ("fp16", "fp32"):
        both = (weight_scheme(full, gradients), input_scheme(full, gradients))
        assert [(each.weights, each.activations) for each in both] == [(gradients, gradients)] * 2


def test_eight_bit_states_take_a_quarter_of_the_bytes_and_their_scales():
    values = TOY.parameters
    small = step(optimiser="adamw8bit").memory_bytes["optimiser_states"]
    assert small == pytest.approx(2 * values * (1 + 4 / 256))
