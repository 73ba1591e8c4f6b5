"""A format for each role: what changes in a model that is small enough to count by hand."""

import math

import numpy as np
import pytest

from bitjoule.energy_models.architecture.phases import PHASE_NAMES, PHASES, Cases, all_steps
from bitjoule.energy_models.architecture.shape import ModelShape, presets
from bitjoule.energy_models.formats.schemes import Scheme, schemes
from bitjoule.energy_models.formats.storage import counted_formats
from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.switches import switches_of
from bitjoule.energy_models.system.platform.platforms import Platform, platforms
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.scheme_work import inputs_of, unfit
from bitjoule.energy_models.system.work.workload import workload

D, HEADS, FFN, V, LAYERS = 16, 2, 64, 32, 3
TOY = ModelShape(
    layers=LAYERS, hidden=D, heads=HEADS, ffn=FFN, ffn_gated=True, activation="silu", vocabulary=V, lm_head=True
)
PROMPT, NEW = 5, 2
TRITS = {"weights": "ternary", "activations": "int8", "attention": "fp16", "rescale": "fp16"}


def platform(skips=(), adds_floats=False) -> Platform:
    """Return the edge device whose adders skip zeros, or add FP16 values too."""
    edge = platforms()["ternary-edge"]
    adders = edge.arrays["adders"]
    macs = [macs.model_copy(update={"skips": list(skips)}) for macs in adders.macs]
    if adds_floats:
        more = {"activations": ["fp16"], "actions": ["add fp16"]}
        macs.append(macs[0].model_copy(update=more))
    arrays = {**edge.arrays, "adders": adders.model_copy(update={"macs": macs})}
    return edge.model_copy(update={"arrays": arrays})


class Counted:
    """Counts of a request in one scheme."""

    def __init__(self, keys, batch=1, machine=None, model=TOY, prompt=PROMPT, technology="7nm"):
        self.scheme = Scheme.model_validate({**TRITS, **keys})
        where = [[("edge", machine or platform())]]
        found = System([model], [self.scheme], [technologies()[technology]], where)
        zeros = np.zeros(1, dtype=np.intp)
        sizes = (np.array([float(size)]) for size in (batch, prompt, NEW))
        evaluated = found.evaluate(Cases(zeros, zeros, *sizes), zeros, zeros)
        self.memory = evaluated.memory_bytes
        names = [counted_formats()[i] for i in evaluated.formats[0]]
        self.rows = {}
        for column, count, name in zip(found.columns, evaluated.counts[0], names, strict=True):
            before, first = self.rows.get((*column,), (0.0, name))  # queries have a column of their own
            self.rows[(*column,)] = (before + count, first)
        self.pj = evaluated.energies.nominal_pj[0].sum()

    def of(self, component, operand, action, phase="prefill"):
        """Return a count."""
        return self.rows[phase, component, operand, action][0]

    def form(self, component, operand, action, phase="prefill"):
        """Return what it is counted in."""
        return self.rows[phase, component, operand, action][1]


NARROW = {
    "activations": "int4",
    "linears": {"o_proj": {"activations": "int8"}, "ffn_down": {"activations": "int8", "active_inputs": 0.25}},
}


def test_each_linear_adds_in_the_format_of_its_inputs():
    counted = Counted(NARROW)
    for name in ("q_proj", "k_proj", "v_proj", "ffn_gate", "ffn_up"):
        assert counted.form(name, "partial_sums", "add") == "int4"
    for name in ("o_proj", "ffn_down"):
        assert counted.form(name, "partial_sums", "add") == "int8"
    assert counted.of("o_proj", "partial_sums", "add") == LAYERS * PROMPT * (D - 1) * D
    assert counted.of("ffn_down", "partial_sums", "add") == LAYERS * PROMPT * (FFN - 1) * D


def test_inputs_are_quantised_to_the_bits_that_their_linear_takes():
    bits = LAYERS * PROMPT * (D * 4 + D * 8 + D * 4 + FFN * 8)  # of q, k and v; of o; of gate and up; of down
    assert Counted(NARROW).of("activation_quantisation", "activations", "buffer_write") == bits
    once = LAYERS * PROMPT * (3 * D + FFN) * 4
    assert Counted({"activations": "int4"}).of("activation_quantisation", "activations", "buffer_write") == once


def test_inputs_that_leave_the_chip_have_the_bits_that_their_linear_takes():
    prompt = 4000  # whose activations do not fit the buffer
    counted = Counted(NARROW, prompt=prompt)
    written = LAYERS * prompt * (D * 4 + D * 8 + D * 4 + FFN * 8)
    assert counted.of("spilled_activations", "activations", "off_chip_write") == written


def test_zero_inputs_take_neither_products_nor_weights_where_an_array_skips_them():
    active = math.ceil(FFN * 0.25)
    for batch in (1, 2):
        counted = Counted(NARROW, batch, platform(skips=["inputs"]))
        assert counted.of("ffn_down", "partial_sums", "add", "decode") == batch * NEW * LAYERS * (active - 1) * D
        rows = FFN * (1 - 0.75**batch)  # that have an input in at least one sequence
        read = counted.of("ffn_down", "weights", "off_chip_read", "decode")
        assert read == pytest.approx(NEW * LAYERS * rows * D * 2, rel=1e-12)
        dense = Counted(NARROW, batch)
        assert dense.of("ffn_down", "partial_sums", "add", "decode") == batch * NEW * LAYERS * (FFN - 1) * D
        assert dense.of("ffn_down", "weights", "off_chip_read", "decode") == NEW * LAYERS * FFN * D * 2
        # every input is read once for each column of the array
        action = ("ffn_down", "activations", "buffer_read", "decode")
        assert counted.of(*action) == dense.of(*action)


def test_weights_that_are_zero_by_construction_take_no_product_where_an_array_skips_them():
    packed = {"weight_storage": "ternary_3of4"}
    skipped, dense = Counted(packed, machine=platform(skips=["weights"])), Counted(packed)
    assert dense.of("q_proj", "partial_sums", "add") == LAYERS * PROMPT * (D - 1) * D
    assert skipped.of("q_proj", "partial_sums", "add") == LAYERS * PROMPT * (D * 3 // 4 - 1) * D
    for counted in (skipped, dense):
        for component, size in (("q_proj", D * D), ("ffn_down", FFN * D)):
            assert counted.of(component, "weights", "off_chip_read") == pytest.approx(LAYERS * size * 1.25)
            assert counted.of(component, "unpacking", "add") == pytest.approx(LAYERS * size / 4)


def test_products_that_are_skipped_cost_nothing():
    wide = TOY.model_copy(update={"hidden": 1024, "ffn": 2048})
    narrow = {"activations": "int4"}  # 85 inputs of 8 bits for 64 products a cycle are more than the buffer gives
    skipped, dense = (
        Counted({"weight_storage": "ternary_3of4", **narrow}, machine=platform(skips), model=wide, prompt=256)
        for skips in (["weights"], [])
    )
    assert skipped.pj < dense.pj
    assert skipped.of("static", "chip", "on") < dense.of("static", "chip", "on")  # cycles


def test_two_planes_take_two_additions_for_each_weight_and_a_scale_of_each():
    planes, once = Counted({"weight_storage": "trit_planes"}), Counted({"weight_storage": "pq2_0"})
    assert planes.of("q_proj", "partial_sums", "add") == LAYERS * PROMPT * (2 * D - 1) * D
    assert planes.of("q_proj", "weights", "off_chip_read") == LAYERS * D * D * 4.25
    assert planes.of("q_proj", "activations", "buffer_read") == once.of("q_proj", "activations", "buffer_read")
    outputs = LAYERS * PROMPT * (4 * D + 2 * FFN + D)
    assert once.of("output_rescale", "activations", "mul") == outputs
    assert planes.of("output_rescale", "activations", "mul") == 2 * outputs


def test_groups_of_weights_and_of_inputs_each_take_a_product_with_a_scale_for_each_sum():
    def scales(groups, both=1):
        each = 4 * D * math.ceil(D / groups) + 2 * FFN * math.ceil(D / groups) + D * math.ceil(FFN / groups)
        return both * LAYERS * PROMPT * each

    rescale = ("output_rescale", "activations", "mul")
    assert Counted({"activation_group": 8}).of(*rescale) == scales(8)
    assert Counted({"weight_storage": "q2_0"}).of(*rescale) == scales(64)
    assert Counted({"weight_storage": "q2_0", "activation_group": 8}).of(*rescale) == scales(8, both=2)


def test_inputs_carry_the_scales_of_their_groups():
    counted = Counted({"activation_group": 8})
    written = counted.of("activation_quantisation", "activations", "buffer_write")
    assert written == LAYERS * PROMPT * (3 * D + FFN) * (8 + 16 / 8)


BONSAI = {"activations": "fp16", "weight_storage": "pq2_0", "embedding": "pq2_0"}


def test_adders_of_floats_scale_sums_and_multipliers_scale_weights():
    adders, multipliers = Counted(BONSAI, machine=platform(adds_floats=True)), Counted(BONSAI)
    outputs = LAYERS * (4 * D + 2 * FFN + D)
    for phase, tokens, heads in (("prefill", PROMPT, 1), ("decode", NEW, NEW)):
        rescale = ("output_rescale", "activations", "mul", phase)
        assert adders.of(*rescale) == tokens * outputs + heads * V  # one group each; the head's too
        assert multipliers.of(*rescale) == tokens * outputs
    for component, fills in (("q_proj", LAYERS * D * D), ("lm_head", D * V)):
        assert adders.form(component, "partial_sums", "add") == "fp16"
        assert adders.of(component, "weights", "mul") == adders.of(component, "unpacking", "mul") == 0
        assert multipliers.of(component, "unpacking", "mul") == fills
    assert adders.of("embedding", "weights", "off_chip_read") == PROMPT * D * 2.125
    assert adders.memory.tables_bytes[0] == 2 * V * D * 2.125 / 8


def test_arrays_of_netlists_multiply_the_sums_of_groups_themselves():
    adders = Counted(BONSAI, machine=platform(adds_floats=True), technology="7nm-measured")
    assert adders.of("output_rescale", "activations", "mul") == adders.of("q_proj", "unpacking", "mul") == 0
    assert adders.of("q_proj", "weights", "mac") == LAYERS * PROMPT * D * D
    trits = Counted({"weight_storage": "pq2_0"}, technology="7nm-measured")  # integers have their scales outside
    assert trits.of("output_rescale", "activations", "rescale") == LAYERS * PROMPT * (4 * D + 2 * FFN + D)


def test_keys_and_values_are_stored_apart():
    counted = Counted({"keys": "int8", "values": "q4_0"})
    values = LAYERS * PROMPT * D
    assert counted.of("kv_cache_write", "keys_values", "off_chip_write") == values * (8 + 4.5)
    assert counted.of("kv_cache_read", "keys", "off_chip_read", "decode") > 0
    context = PROMPT * NEW + NEW * (NEW + 1) / 2
    rows = {
        key: count
        for key, (count, _) in counted.rows.items()
        if key[0] == "decode" and key[1] == "kv_cache_read" and count
    }
    assert rows["decode", "kv_cache_read", "keys", "off_chip_read"] == pytest.approx(LAYERS * context * D * 8)
    assert rows["decode", "kv_cache_read", "values", "off_chip_read"] == pytest.approx(LAYERS * context * D * 4.5)
    assert counted.memory.kv_cache_bytes[0] == LAYERS * (PROMPT + NEW) * D * (8 + 4.5) / 8


def test_a_window_keeps_its_tokens_alone():
    windowed = Counted({}, model=TOY.model_copy(update={"window": 3}))
    assert windowed.memory.kv_cache_bytes[0] == LAYERS * 3 * 2 * D * 2


def test_a_cache_for_both_is_what_keys_and_values_of_the_same_storage_are():
    both, apart = Counted({"kv_cache": "int4"}), Counted({"keys": "int4", "values": "int4"})
    assert both.rows == apart.rows
    assert both.memory == apart.memory


def test_the_head_takes_inputs_of_its_own_format():
    counted = Counted({"lm_head": "int8", "embedding": "int8", "head": "int8"})
    usual = Counted({"lm_head": "int8", "embedding": "int8"})
    assert counted.form("lm_head", "weights", "mul") == "int8"
    assert usual.form("lm_head", "weights", "mul") == "fp16"
    for phase, outputs in (("prefill", 1), ("decode", NEW)):
        for action, each in (("mul", 1), ("add", 2), ("buffer_write", 8)):
            row = ("activation_quantisation", "activations", action, phase)
            assert counted.of(*row) - usual.of(*row) == outputs * D * each
        row = ("output_rescale", "activations", "mul", phase)
        assert counted.of(*row) - usual.of(*row) == outputs * V
    assert usual.of("lm_head", "unpacking", "mul") == D * V
    assert counted.of("lm_head", "unpacking", "mul") == 0


def test_values_between_the_linears_have_a_format_of_their_own():
    half, usual = Counted({"between": "int8"}), Counted({})
    for component in ("norm", "residual", "rotary"):
        row = (component, "activations", "buffer_read")
        assert usual.of(*row) == 2 * half.of(*row)
        assert half.form(component, "activations", "mul") == "fp16"
    assert half.of("q_proj", "outputs", "buffer_write") == LAYERS * PROMPT * D * 8


def test_a_linear_is_stored_as_its_own_packing_says():
    counted, usual = Counted({"linears": {"ffn_down": {"weight_storage": "ternary5"}}}), Counted({})
    saved = LAYERS * FFN * D * (2 - 1.6) / 8
    assert usual.memory.weights_bytes[0] - counted.memory.weights_bytes[0] == pytest.approx(saved)
    assert counted.of("ffn_down", "weights", "off_chip_read") == pytest.approx(LAYERS * FFN * D * 1.6)
    assert counted.of("ffn_up", "weights", "off_chip_read") == LAYERS * FFN * D * 2


def test_transforms_take_what_their_kind_takes():
    rotated = Counted({"transforms": [{"kind": "hadamard", "on": ["o_proj", "ffn_down"]}]})
    tokens = LAYERS * PROMPT
    assert rotated.of("rotation", "activations", "add") == tokens * (D * 4 + FFN * 6)  # n log2 n
    assert rotated.of("rotation", "activations", "mul") == 0
    assert rotated.of("rotation", "activations", "buffer_read") == tokens * (D + FFN) * 16
    blocks = Counted({"transforms": [{"kind": "hadamard", "on": ["q_proj", "k_proj", "ffn_down"], "block": 8}]})
    assert blocks.of("rotation", "activations", "add") == tokens * (D * 3 + FFN * 3)  # q and k take one rotation
    outputs = Counted({"transforms": [{"kind": "hadamard", "on": ["q_proj", "k_proj"], "of": "outputs"}]})
    assert outputs.of("rotation", "activations", "add") == tokens * 2 * D * 4
    every = Counted({"transforms": [{"kind": "hadamard", "on": "all", "block": 4}]})
    assert every.of("rotation", "activations", "add") == tokens * (3 * D + FFN) * 2
    two = Counted({"transforms": [{"kind": "kronecker", "on": ["ffn_down"]}]})
    assert two.of("rotation", "activations", "mul") == tokens * FFN * (8 + 8)
    blocks = Counted({"transforms": [{"kind": "kronecker", "on": ["ffn_down"], "block": 32}]})
    assert blocks.of("rotation", "activations", "mul") == tokens * FFN * (4 + 8)
    scaled = Counted({"transforms": [{"kind": "channels", "on": ["q_proj", "ffn_up"]}]})
    assert scaled.of("channel_scaling", "activations", "mul") == tokens * 2 * D
    assert scaled.of("channel_scaling", "activations", "buffer_write") == 0


def test_outputs_of_experts_are_rotated_for_each_expert_of_a_token():
    experts = TOY.model_copy(update={"experts": 4, "active_experts": 3})
    rotated = Counted({"transforms": [{"kind": "hadamard", "on": ["ffn_down"], "of": "outputs"}]}, model=experts)
    assert rotated.of("rotation", "activations", "add") == LAYERS * PROMPT * 3 * D * 4


@pytest.mark.parametrize(
    ("names", "width"), [(["q_proj", "k_proj", "v_proj"], D), (["o_proj"], D), (["ffn_down"], FFN)]
)
def test_inputs_of_a_linear_are_written_in_its_format(names, width):
    counted = Counted({"linears": {name: {"activations": "int4"} for name in names}})
    row = ("activation_quantisation", "activations", "buffer_write")
    assert Counted({}).of(*row) - counted.of(*row) == LAYERS * PROMPT * width * 4


def test_inputs_of_the_head_are_written_in_its_format():
    keys = {"activations": "int4", "lm_head": "int8", "embedding": "int8"}
    counted, usual = Counted({**keys, "head": "int8"}), Counted(keys)
    row = ("activation_quantisation", "activations", "buffer_write")
    assert counted.of(*row) - usual.of(*row) == D * 8


@pytest.mark.parametrize("name", ["llama-3-8b", "gpt-oss-20b", "deepseek-v3", "qwen3-30b-a3b", "mamba2-7b"])
def test_the_inputs_that_linears_take_are_those_that_the_parts_quantise(name):
    model = presets().get(name) or next(shape for key, shape in presets().items() if key.startswith(name[:6]))
    taken = sum(
        block.repeats * vector.times * vector.width
        for block in model.blocks
        for part in block.parts
        for vector in inputs_of(part)
    )
    found = System([model], [Scheme.model_validate(TRITS)], [technologies()["7nm"]], [[("edge", platform())]])
    one = np.ones(1)
    cases = Cases(np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp), one, one, 0 * one)
    switches = switches_of(found.layout, [found.machine(0, 0, 0)], cases.model)
    work = workload(found.layout, cases, all_steps(PHASES, cases), switches)
    written = work.parts[0, PHASE_NAMES.index("prefill"), found.layout.elementwise.index("activation_quantisation"), 3]
    assert taken == written


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            "linears: {ffn_down: {activations: fp16}}",
            "linears.ffn_down.activations: 'fp16' beside int8 in other linears",
        ),
        ("linears: {ffn_down: {activations: int5}}", "linears.ffn_down.activations: 'int5' is unknown (did you mean"),
        ("linears: {ffn_down: {weights: fp16}}", "linears.ffn_down.weights: 'fp16' beside ternary in other linears"),
        ("linears: {ffn_down: {weight_storage: q4_0}}", "linears.ffn_down.weight_storage: q4_0 cannot store ternary"),
        ("linears: {ffn_down: {weight_storage: q9}}", "linears.ffn_down.weight_storage: unknown storage 'q9'"),
        (
            "linears: {q_proj: {activations: int4}}",
            "linears: q_proj takes the inputs of k_proj, v_proj, in another format; expected the same activations and "
            "active_inputs for q_proj, k_proj, v_proj",
        ),
        ("keys: ternary_3of4", "keys: ternary_3of4 is a packing of weights; expected one of fp32, fp16"),
        ("kv_cache: trit_planes", "kv_cache: trit_planes is a packing of weights; expected one of"),
        ("head: int8", "head: int8 inputs of an LM head stored as fp16; expected lm_head: one of int32, int8"),
        ("linears: {ffn_down: {active_inputs: 0}}", "linears.ffn_down.active_inputs: got 0; expected greater than 0"),
        (
            "transforms: [{kind: fourier, on: [o_proj]}]",
            "transforms[0].kind: 'fourier' is unknown; expected one of hadamard",
        ),
    ],
)
def test_formats_that_do_not_go_together_are_refused_with_those_that_do(keys, message):
    text = f"{{weights: ternary, activations: int8, attention: fp16, rescale: fp16, {keys}}}"
    with pytest.raises(InputError) as error:
        validate(Scheme, parse_document(text, "f.yaml"))
    assert str(error.value).startswith(f"f.yaml:1: {message}")


def test_groups_of_floating_point_inputs_are_refused():
    text = "{weights: int4, activations: fp16, attention: fp16, rescale: fp16, activation_group: 64}"
    with pytest.raises(InputError, match="activation_group with fp16 activations; expected integer activations"):
        validate(Scheme, parse_document(text, "f.yaml"))


@pytest.mark.parametrize(
    ("keys", "model", "wrong"),
    [
        (
            {"linears": {"down_proj": {"activations": "int4"}}},
            TOY,
            "names down_proj, a linear that no model has",
        ),
        ({"transforms": [{"kind": "hadamard", "on": ["lm_head"]}]}, TOY, "names lm_head, a linear that no model has"),
        (
            {"transforms": [{"kind": "hadamard", "on": ["o_proj"], "block": 12}]},
            TOY,
            "no hadamard rotation of the 16 inputs of o_proj in blocks of 12",
        ),
        ({"keys": "int8"}, presets()["deepseek-v3"], "keys in int8 and values in fp16, of a model with one cache"),
    ],
)
def test_a_scheme_that_a_model_cannot_take_is_named(keys, model, wrong):
    fault = unfit([model], Scheme.model_validate({**TRITS, **keys}))
    assert fault is not None
    assert wrong in fault[0]


def test_a_scheme_without_anything_of_its_own_adds_nothing():
    assert Counted({"linears": {"ffn_down": {}}}).rows == Counted({}).rows


def test_shipped_schemes_fit_the_transformers_that_ship():
    shapes = [presets()[name] for name in ("llama-7b", "bitnet-6.7b", "qwen3-8b", "mixtral-8x7b", "opt-6.7b")]
    for name, scheme in schemes().items():
        faults = [fault for shape in shapes if (fault := unfit([shape], scheme)) is not None]
        assert not faults or name == "bonsai-2", (name, faults)  # blocks of 1024: only widths of its own model
    assert unfit([presets()["bonsai-2-27b"]], schemes()["bonsai-2"]) is None
