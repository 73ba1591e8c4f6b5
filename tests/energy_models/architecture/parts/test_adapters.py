"""Low-rank adapters: parameters, multiply-accumulates, bytes and formats of toy sizes, worked out by hand."""

import pytest
from pydantic import ValidationError

from bitjoule.energy_models.architecture.block import stored_values
from bitjoule.energy_models.formats.schemes import Scheme, schemes
from bitjoule.energy_models.papers.arithmetic import Accounting, count
from tests.energy_models.architecture.test_blocks import added, cases, counted
from tests.energy_models.architecture.test_layers import (
    BATCH,
    FFN,
    HEAD_DIM,
    HEADS,
    KV,
    LAYERS,
    NEW,
    PROMPT,
    D,
    Q,
    shape,
)

RANK = 3
ENDS = {  # k + n of each linear
    "q_proj": D + Q, "k_proj": D + KV, "v_proj": D + KV, "o_proj": Q + D, "ffn_gate": D + FFN, "ffn_up": D + FFN,
    "ffn_down": FFN + D,
}  # fmt: skip
TOKENS = {"prefill": BATCH * PROMPT, "decode": BATCH * NEW}


@pytest.mark.parametrize("on", ["all", ["q_proj"], ["v_proj", "ffn_down"]])
def test_an_adapter_has_its_rank_times_inputs_and_outputs_of_its_linear(on):
    names = ENDS if on == "all" else on
    values = LAYERS * RANK * sum(ENDS[name] for name in names)
    found, plain = shape(adapters={"rank": RANK, "on": on}), shape()
    assert found.parameters - plain.parameters == values
    stored = stored_values(found.blocks)
    assert stored == {**stored_values(plain.blocks), "adapters": values}


def test_both_matrices_run_beside_their_linear_for_every_token():
    found, plain = counted(shape(adapters={"rank": RANK, "on": ["q_proj", "ffn_down"]}))[0], counted(shape())[0]
    for phase, tokens in TOKENS.items():
        times = tokens * LAYERS
        assert added(found, phase, ("lora_a",), "mul") == times * RANK * (D + FFN)
        assert added(found, phase, ("lora_b",), "mul") == times * RANK * (Q + D)
        summed = [found[phase, "lora_sum", "activations", action] for action in ("mul", "add")]
        assert summed == [times * (Q + D)] * 2
        for name in ("q_proj", "ffn_down", "ffn_up"):
            assert added(found, phase, (name,), "mul") == added(plain, phase, (name,), "mul")
    assert "lora_a" not in {key[1] for key in plain}


def test_each_expert_has_an_adapter_and_a_token_uses_those_of_its_own():
    mixture = {"experts": 4, "active_experts": 2, "expert_ffn": 20, "shared_ffn": 30}
    found = shape(**mixture, adapters={"rank": RANK, "on": ["ffn_up"]})
    assert found.parameters - shape(**mixture).parameters == LAYERS * RANK * (4 * (D + 20) + D + 30)
    counts, _ = counted(found)
    for phase, tokens in TOKENS.items():
        macs = tokens * LAYERS * RANK * (2 * (D + 20) + D + 30)
        assert added(counts, phase, ("lora_a", "lora_b"), "mul") == pytest.approx(macs, rel=1e-12)


def test_the_router_of_a_mixture_has_none_but_mixers_do():
    experts = shape(experts=4, adapters={"rank": RANK})
    routed = stored_values(experts.blocks)["adapters"]
    attention, ffn = (sum(ENDS[n] for n in ENDS if n.startswith("ffn") is inside) for inside in (False, True))
    assert routed == LAYERS * RANK * (attention + 4 * ffn)
    retention = {"kind": "retention", "heads": HEADS, "key_dim": 4, "value_dim": HEAD_DIM}
    mixed = shape(mixer=retention, feed_forward=False, adapters={"rank": RANK, "on": ["o_proj"]})
    assert stored_values(mixed.blocks)["adapters"] == LAYERS * RANK * (Q + D)


def test_trits_keep_their_adapters_in_the_format_of_the_scales():
    adapters = {"rank": RANK, "on": ["q_proj"]}
    counts, found = counted(shape(adapters=adapters), scheme="bitnet-b1.58")
    fp16_bytes = 2
    assert float(found.memory_bytes.adapters_bytes[0]) == LAYERS * RANK * (D + Q) * fp16_bytes
    plain = counted(shape(), scheme="bitnet-b1.58")[1].memory_bytes
    assert float(found.memory_bytes.weights_bytes[0]) == float(plain.weights_bytes[0])
    assert float(found.memory_bytes.total[0] - plain.total[0]) >= LAYERS * RANK * (D + Q) * fp16_bytes
    # one FP16 product for each value of both matrices; the trits are only added up
    assert added(counts, "decode", ("lora_a", "lora_b"), "mul") == BATCH * NEW * LAYERS * RANK * (D + Q)


BITNET = {"weights": "ternary", "activations": "int8", "attention": "fp16", "rescale": "fp16"}


def test_a_scheme_says_how_adapters_are_stored():
    assert schemes()["bitnet-b1.58"].storage_name("adapter") == "fp16"
    assert schemes()["fp32"].storage_name("adapter") == "fp32"
    assert Scheme.model_validate({**BITNET, "adapter": "int8"}).stored("adapter").holds == "int8"
    with pytest.raises(ValidationError) as error:
        Scheme.model_validate({**BITNET, "adapter": "int9"})
    context = error.value.errors()[0]["ctx"]
    assert context["wrong"].startswith("unknown storage 'int9'")
    assert context["at"] == ("adapter",)


@pytest.mark.parametrize("accounting", [Accounting.ARITHMETIC, Accounting.MAC])
@pytest.mark.parametrize(("adapter", "multiplies"), [(None, 1), ("ternary2", 0)])
def test_the_papers_count_adapters_without_scales(accounting, adapter, multiplies):
    scheme = Scheme.model_validate({**BITNET, "adapter": adapter})
    counts = count([shape(adapters={"rank": RANK, "on": ["o_proj"]})], [scheme], cases(), accounting)
    columns = zip(counts.actions, counts.count[0].tolist(), strict=True)
    found = {(a.phase, a.component, a.operand, a.action): value for a, value in columns if a.component[:4] == "lora"}
    expected = {}
    for phase, tokens in TOKENS.items():
        for name, k, n in (("lora_a", Q, RANK), ("lora_b", RANK, D)):
            terms = k - 1 if accounting is Accounting.ARITHMETIC else k
            expected[phase, name, "weights", "mul"] = tokens * LAYERS * k * n * multiplies
            expected[phase, name, "partial_sums", "add"] = tokens * LAYERS * terms * n
    assert found == {key: value for key, value in expected.items() if value}
    formats = {a.formats for a in counts.actions if a.component == "lora_a"}
    assert formats == {("fp16",)}


NAMES = "one of q_proj, k_proj, v_proj, o_proj, ffn_gate, ffn_up, ffn_down"


@pytest.mark.parametrize(
    ("changes", "wrong", "at"),
    [
        ({"adapters": {"rank": 3, "on": ["gate_proj"]}}, "no layer has a linear 'gate_proj' (did you mean 'ffn_gate'?)",
         ("adapters", "on")),
        ({"adapters": {"rank": 3, "on": ["lm_head"]}}, "no layer has a linear 'lm_head'", ("adapters", "on")),
        ({"groups": [{"repeats": 1}, {"repeats": 3, "adapters": {"rank": 2, "on": ["q_pro"]}}]},
         "no layer has a linear 'q_pro' (did you mean 'q_proj'?)", ("groups", 1, "adapters", "on")),
    ],
)  # fmt: skip
def test_a_linear_that_no_layer_has_is_refused_with_those_there_are(changes, wrong, at):
    with pytest.raises(ValidationError) as error:
        shape(**changes)
    (found,) = error.value.errors()
    assert (found["ctx"]["wrong"], found["ctx"]["expected"], found["ctx"]["at"]) == (wrong, NAMES, at)


def test_layers_may_have_adapters_of_their_own():
    mixer = {"kind": "mamba", "inner": 8, "state": 4, "rank": 2}
    groups = [{"repeats": 1, "mixer": mixer, "adapters": {"rank": 5, "on": ["in_proj"]}}, {"repeats": 3}]
    found = shape(groups=groups, adapters={"rank": RANK, "on": ["q_proj"]})
    assert stored_values(found.blocks)["adapters"] == 5 * (D + 2 * 8) + 3 * RANK * (D + Q)
    with pytest.raises(ValidationError):
        shape(adapters={"rank": 0})
    with pytest.raises(ValidationError):
        shape(adapters={"rank": 2, "on": []})
