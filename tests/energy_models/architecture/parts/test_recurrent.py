"""Recurrent mixers of toy sizes: parameters, work with the state and its traffic, by hand."""

import pytest
from pydantic import ValidationError

from bitjoule.energy_models.architecture.components import names
from bitjoule.energy_models.architecture.shape import ModelShape
from tests.energy_models.architecture.test_blocks import BATCH, NEW, PROMPT, added, counted

D, VOCABULARY, LAYERS = 48, 100, 4
BASE = {"layers": LAYERS, "hidden": D, "vocabulary": VOCABULARY}
TABLES = 2 * VOCABULARY * D + D
DELTA = {
    "kind": "gated_delta",
    "key_heads": 2,
    "value_heads": 4,
    "key_dim": 6,
    "value_dim": 5,
    "kernel": 3,
    "chunk": 16,
}
MAMBA2 = {"kind": "mamba2", "heads": 8, "head_dim": 12, "groups": 2, "state": 7, "kernel": 4, "chunk": 16}
MAMBA = {"kind": "mamba", "inner": 96, "state": 5, "rank": 3, "kernel": 4}
RETENTION = {"kind": "retention", "heads": 3, "key_dim": 8, "value_dim": 16, "chunk": 16}
SHORT = {"kind": "short_convolution", "kernel": 3}
HGRN = {"kind": "hgrn", "inner": 40, "linear_norm": True}
LATENT = {"kind": "latent_attention", "kv_rank": 10, "nope_dim": 6, "rope_dim": 4, "value_dim": 5}
CHUNKS = 3  # of 16 in a prompt of 40


def shape(mixer, **changes):
    return ModelShape.model_validate({**BASE, "mixer": mixer, **changes})


@pytest.mark.parametrize(
    ("mixer", "layer"),
    [
        # q, k, v of 2 x 12 + 20 channels, a gate of 20, two numbers a value head; out; taps, decay and bias, norm
        (DELTA, D * (44 + 20 + 8) + 20 * D + 44 * 3 + 8 + 5),
        # gate and values of 96, two groups' B and C of 7, a step size a head; out; taps and bias, 3 a head, norm
        (MAMBA2, D * (96 + 96 + 28 + 8) + 96 * D + 124 * 5 + 24 + 96),
        (MAMBA, D * 192 + 96 * 13 + 3 * 96 + 96 + 96 * D + 96 * 5 + 96 * 5 + 96),
        (RETENTION, D * (24 + 24 + 48 + 48) + 48 * D),
        ({**RETENTION, "rotary": False, "norm_gain": True}, D * (24 + 24 + 48 + 48) + 48 * D + 48),
        ({**MAMBA2, "gated_norm": False}, D * (96 + 96 + 28 + 8) + 96 * D + 124 * 5 + 24),
        ({**MAMBA, "selection_norms": True}, D * 192 + 97 * 13 + 3 * 96 + 96 + 96 * D + 96 * 5 + 96 * 5 + 96),
        ({**MAMBA, "selection_norms": "plain"}, D * 192 + 96 * 13 + 3 * 96 + 96 + 96 * D + 96 * 5 + 96 * 5 + 96),
        (SHORT, D * 3 * D + D * D + 3 * D),
        ({**SHORT, "bias": True}, D * 3 * D + D * D + 3 * D + (3 + 1 + 1) * D),
        # three projections and back; their norms, that of the state, the lower bound
        (HGRN, 4 * 40 * D + 3 * D + 40 + 40 + 40),
        ({**HGRN, "linear_norm": False, "lower_bound": False}, 4 * 40 * D + 40),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_layer_is_its_mixer_and_a_norm_before_it(mixer, layer):
    assert shape(mixer).parameters == LAYERS * (layer + D) + TABLES


@pytest.mark.parametrize(
    ("mixer", "state", "macs", "in_chunk"),
    [
        (DELTA, 4 * 6 * 5, 3, lambda c: 4 * (c * (3 * 6 + 2 * 5) / 2 + c * c / 6)),
        (MAMBA2, 8 * 12 * 7, 2, lambda c: 8 * c * (12 + 7 * 2 / 8) / 2),
        (MAMBA, 96 * 5, 3, lambda _: 0),
        (RETENTION, 3 * 8 * 16, 2, lambda c: 3 * c * (8 + 16) / 2),
        (HGRN, 40, 1, lambda _: 0),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_decode_takes_the_recurrence_and_prefill_chunks(mixer, state, macs, in_chunk):
    counts, _ = counted(shape(mixer))
    exponentials = {"mamba": 96 * 5}.get(mixer["kind"], 0)
    passes = {"prefill": PROMPT if mixer["kind"] in ("mamba", "hgrn") else CHUNKS, "decode": NEW}
    for phase, tokens, inside in (("prefill", PROMPT, in_chunk(16)), ("decode", NEW, 0)):
        sums = LAYERS * BATCH * tokens * (macs * state + inside)
        polynomial = LAYERS * BATCH * tokens * exponentials
        decays = LAYERS * BATCH * passes[phase] * state
        assert added(counts, phase, ("state_update",), "add") == pytest.approx(sums + 5 * polynomial)
        assert added(counts, phase, ("state_update",), "mul") == pytest.approx(sums + 4 * polynomial + decays)
        fp16_bits = 16
        assert added(counts, phase, ("state_update",), "buffer_read") == pytest.approx(decays * fp16_bits)


KEPT = {
    "gated_delta": 120 + 44 * 2, "mamba2": 672 + 124 * 3, "mamba": 480 + 96 * 3, "retention": 384,
    "short_convolution": D * 2, "hgrn": 40,
}  # fmt: skip


@pytest.mark.parametrize("mixer", [DELTA, MAMBA2, MAMBA, RETENTION, SHORT, HGRN], ids=lambda mixer: mixer["kind"])
def test_the_state_is_written_in_each_step_and_read_in_all_but_the_first(mixer):
    counts, found = counted(shape(mixer))
    bits = 16 * LAYERS * BATCH * KEPT[mixer["kind"]]
    assert float(found.memory_bytes.kv_cache_bytes[0]) == bits / 8
    assert added(counts, "prefill", ("kv_cache_write",), "off_chip_write") == bits
    assert added(counts, "prefill", ("kv_cache_read",), "off_chip_read") == 0
    for component, action in (("kv_cache_write", "off_chip_write"), ("kv_cache_read", "off_chip_read")):
        assert added(counts, "decode", (component,), action) == NEW * bits


def test_a_hybrid_keeps_states_and_the_keys_of_its_full_layers():
    full = {"heads": 4, "kv_heads": 2, "head_dim": 8, "ffn": 80, "ffn_gated": True, "activation": "silu"}
    groups = [{"repeats": 3, "mixer": DELTA}, {"repeats": 1}]
    _, found = counted(ModelShape.model_validate({**BASE, **full, "groups": groups}))
    values = 3 * KEPT["gated_delta"] + (PROMPT + NEW) * 2 * 2 * 8
    assert float(found.memory_bytes.kv_cache_bytes[0]) == BATCH * 2 * values


@pytest.mark.parametrize(
    "mixer", [DELTA, MAMBA2, MAMBA, RETENTION, SHORT, HGRN, LATENT], ids=lambda mixer: mixer["kind"]
)
def test_every_component_is_listed(mixer):
    parts = [part for block in shape(mixer, heads=4).blocks for part in block.parts]
    named = {matmul.component for part in parts for matmul in part.matmuls}
    assert named <= {*names("matmul")}
    assert {work.component for part in parts for work in part.elementwise} <= {*names("element-wise")}


def test_a_layer_may_be_a_network_alone():
    network = {"heads": 4, "ffn": 80, "ffn_gated": False, "activation": "relu2"}
    found = ModelShape.model_validate({**BASE, **network, "mixer": {"kind": "none"}})
    assert found.parameters == LAYERS * (2 * D * 80 + D) + TABLES


def test_a_short_convolution_keeps_the_inputs_of_its_taps_and_gates_twice():
    counts, found = counted(shape(SHORT))
    assert float(found.memory_bytes.kv_cache_bytes[0]) == BATCH * LAYERS * D * (3 - 1) * 2
    tokens = BATCH * NEW * LAYERS
    assert added(counts, "decode", ("convolution",), "mul") == tokens * D * 3
    assert added(counts, "decode", ("activation_function",), "mul") == tokens * 2 * D
    assert added(counts, "decode", ("in_proj", "out_proj"), "mul") == tokens * 4 * D * D


def test_lightning_attention_has_no_rotations():
    counts, _ = counted(shape({**RETENTION, "rotary": False}))
    assert not added(counts, "prefill", ("rotary",), "mul")
    assert added(counted(shape(RETENTION))[0], "prefill", ("rotary",), "mul") > 0


def test_a_short_convolution_multiplies_each_channel_with_its_taps_and_two_gates():
    counts, _ = counted(shape(SHORT))
    tokens = LAYERS * BATCH * NEW
    assert added(counts, "decode", ("convolution",), "mul") == tokens * 3 * D
    assert added(counts, "decode", ("convolution",), "add") == tokens * 3 * D
    assert added(counts, "decode", ("activation_function",), "mul") == tokens * 2 * D


def test_the_norms_of_a_gated_recurrence_are_its_own_and_its_network_may_have_others():
    network = {"heads": 4, "ffn": 80, "ffn_gated": True, "activation": "silu", "pre_norm": False, "linear_norm": True}
    found = ModelShape.model_validate({**BASE, **network, "mixer": HGRN})
    mixer = 4 * 40 * D + 3 * D + 3 * 40 + D
    assert found.parameters == LAYERS * (mixer + 3 * D * 80 + 2 * D + 80) + TABLES
    counts, _ = counted(found)
    fp16_bits = 16
    normed = D + 3 * D + 40 + 40 + 2 * D + 80  # of a layer
    read = added(counts, "decode", ("norm",), "buffer_read") / fp16_bits / (BATCH * NEW)
    one = added(counted(shape(RETENTION))[0], "decode", ("norm",), "buffer_read") / fp16_bits / (BATCH * NEW)
    assert read / (LAYERS * normed + D) == one / (LAYERS * (D + 48) + D)


def test_a_mixer_with_one_norm_refuses_others():
    with pytest.raises(ValidationError) as error:
        shape(SHORT, linear_norm=True)
    assert error.value.errors()[0]["ctx"]["wrong"] == "linear_norm of a layer with short_convolution"
