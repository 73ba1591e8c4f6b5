"""Layers as data: parameters, multiply-accumulates and caches of toy sizes, worked out by hand."""

import pytest
from pydantic import ValidationError

from bitjoule.energy_models.architecture.block import Linear
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.architecture.transformer import Norm
from tests.energy_models.architecture.test_blocks import added, counted

D, HEADS, KV_HEADS, HEAD_DIM, FFN, VOCABULARY, LAYERS = 48, 6, 2, 8, 80, 100, 4
Q, KV = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
BASE = {
    "layers": LAYERS, "hidden": D, "heads": HEADS, "kv_heads": KV_HEADS, "head_dim": HEAD_DIM, "ffn": FFN,
    "ffn_gated": True, "activation": "silu", "vocabulary": VOCABULARY,
}  # fmt: skip
ATTENTION, GATED = 2 * D * (Q + KV), 3 * D * FFN
PLAIN = LAYERS * (ATTENTION + GATED + 2 * D) + 2 * VOCABULARY * D + D
BATCH, PROMPT, NEW = 3, 40, 6  # of `counted`


def shape(**changes):
    return ModelShape.model_validate({**BASE, **changes})


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, 0),
        ({"post_norm": True}, LAYERS * 2 * D),
        ({"pre_norm": False}, -LAYERS * 2 * D),
        ({"parallel": True}, -LAYERS * D),
        ({"qk_norm": True}, LAYERS * 2 * HEAD_DIM),
        ({"qk_norm": "width"}, LAYERS * (Q + KV)),
        ({"linear_norm": True}, LAYERS * (3 * D + Q + 2 * D + FFN)),
        ({"sinks": True}, LAYERS * HEADS),
        ({"output_gate": True}, LAYERS * D * Q),
        ({"lm_head": False}, -VOCABULARY * D),
        ({"head_bias": True}, VOCABULARY),
        ({"final_norm": False}, -D),
        ({"embedding_norm": True}, D),
        ({"norm": "layernorm"}, LAYERS * 2 * D + D),
        ({"norm": "layernorm", "norm_bias": False}, 0),
        ({"norm_gain": False}, -(LAYERS * 2 * D + D)),
        ({"window": 5}, 0),
        ({"rotary_share": 0.5}, 0),
        ({"experts": 4, "active_experts": 2}, LAYERS * (3 * GATED + 4 * D)),
        ({"experts": 4, "expert_ffn": 20}, LAYERS * (4 * 3 * D * 20 + 4 * D - GATED)),
        ({"experts": 4, "router_bias": True}, LAYERS * (3 * GATED + 4 * D + 4)),
        ({"experts": 4, "shared_ffn": 30, "shared_gate": True}, LAYERS * (3 * GATED + 4 * D + 3 * D * 30 + D)),
        ({"groups": [{"repeats": 1, "ffn": 2 * FFN}, {"repeats": 3}]}, GATED),
        ({"groups": [{"repeats": 4, "qkv_bias": True}]}, LAYERS * (Q + 2 * KV)),
    ],
)
def test_what_a_key_adds_to_the_parameters(changes, more):
    assert shape(**changes).parameters == PLAIN + more


LATENT = {"kind": "latent_attention", "kv_rank": 10, "query_rank": 14, "nope_dim": 6, "rope_dim": 4, "value_dim": 5}


def test_latent_attention_stores_its_two_projections_and_the_norms_of_the_latents():
    queries = D * 14 + 14 * HEADS * 10
    keys = D * (10 + 4) + 10 * HEADS * (6 + 5)
    layer = queries + keys + HEADS * 5 * D + D + 14 + 10
    found = shape(mixer=LATENT)
    assert found.parameters == LAYERS * (layer + GATED + D) + 2 * VOCABULARY * D + D
    without = shape(mixer={**LATENT, "query_rank": 0})
    assert found.parameters - without.parameters == LAYERS * (queries + 14 - D * HEADS * 10)
    ((attention, _),) = [block.parts for block in found.blocks[1:2]]
    assert (attention.cached, attention.window) == (10 + 4, 0)


def products(found, components):
    return {phase: added(found, phase, components, "mul") for phase in ("prefill", "decode")}


def test_latent_attention_expands_its_latents_in_prefill_and_folds_them_in_decode():
    counts, _ = counted(shape(mixer=LATENT))
    pairs = {"prefill": PROMPT * (PROMPT + 1) // 2, "decode": sum(PROMPT + i for i in range(1, NEW + 1))}
    scores, values = products(counts, ("attention_scores",)), products(counts, ("attention_values",))
    assert scores["prefill"] == pytest.approx(LAYERS * BATCH * HEADS * pairs["prefill"] * (6 + 4))
    assert values["prefill"] == pytest.approx(LAYERS * BATCH * HEADS * pairs["prefill"] * 5)
    assert scores["decode"] == pytest.approx(LAYERS * BATCH * HEADS * pairs["decode"] * (10 + 4))
    assert values["decode"] == pytest.approx(LAYERS * BATCH * HEADS * pairs["decode"] * 10)


def test_windows_shorten_the_products_of_their_layers_and_the_cache():
    window = 12
    counts, found = counted(shape(groups=[{"repeats": 3, "window": window}, {"repeats": 1}]))
    everything = PROMPT * (PROMPT + 1) // 2
    seen = window * (window + 1) // 2 + (PROMPT - window) * window
    scores = products(counts, ("attention_scores",))
    assert scores["prefill"] == pytest.approx(BATCH * Q * (3 * seen + everything))
    decode = sum(PROMPT + i for i in range(1, NEW + 1))
    assert scores["decode"] == pytest.approx(BATCH * Q * (3 * NEW * window + decode))
    assert products(counts, ("attention_values",)) == pytest.approx(scores)
    fp16_bytes = 2
    assert float(found.memory_bytes.kv_cache_bytes[0]) == BATCH * 2 * KV * fp16_bytes * (3 * window + (PROMPT + NEW))


def test_a_token_uses_its_experts_and_the_shared_ones():
    counts, _ = counted(shape(experts=4, active_experts=2, expert_ffn=20, shared_ffn=30))
    macs = products(counts, ("ffn_gate", "ffn_up", "ffn_down"))
    for phase, tokens in (("prefill", PROMPT), ("decode", NEW)):
        assert macs[phase] == pytest.approx(BATCH * tokens * LAYERS * 3 * D * (2 * 20 + 30))


def test_a_model_without_a_head_ends_with_its_last_norm():
    counts, _ = counted(shape(lm_head=False))
    assert "lm_head" not in {key[1] for key in counts}
    assert products(counts, ("ffn_up",))["decode"] > 0


def test_partial_rotary_positions_turn_a_share_of_each_head():
    whole, half, none = (counted(shape(rotary_share=share))[0] for share in (1.0, 0.5, 0.0))
    assert added(half, "prefill", ("rotary",), "mul") == added(whole, "prefill", ("rotary",), "mul") / 2
    assert not added(none, "prefill", ("rotary",), "mul")


def test_groups_are_read_again_from_what_they_write():
    found = shape(groups=[{"repeats": 3, "window": 12}, {"repeats": 1, "mixer": None}])
    written = found.with_defaults()["groups"]
    assert written == [{"repeats": 3, "window": 12}, {"repeats": 1, "mixer": None}]
    assert ModelShape.model_validate(found.with_defaults()) == found
    assert found.blocks[1].repeats == 3
    assert next(matmul.component for matmul in found.linears if isinstance(matmul, Linear)) == "q_proj"


@pytest.mark.parametrize(
    ("changes", "wrong", "at"),
    [
        ({"groups": [{"repeats": 3, "window": 5}]}, "groups of 3 layers in a model of 4", ("groups",)),
        (
            {"groups": [{"repeats": 3}, {"repeats": 1, "kv_heads": 4}]},
            "heads (6) is not a multiple of kv_heads (4)",
            ("groups", 1, "kv_heads"),
        ),
        ({"shared_gate": True}, "a gate without shared experts", ("shared_gate",)),
        ({"mixer": LATENT, "window": 4}, "a window of latent_attention", ("window",)),
        ({"mixer": LATENT, "post_norm": True}, "post_norm of a layer with latent_attention", ("post_norm",)),
        ({"mixer": LATENT, "pre_norm": False}, "pre_norm of a layer with latent_attention", ("pre_norm",)),
        ({"mixer": LATENT, "causal": False}, "a mixer without a causal mask", ("causal",)),
        (
            {"linear_norm": True, "groups": [{"repeats": 3, "mixer": LATENT}, {"repeats": 1}]},
            "linear_norm of a layer with latent_attention",
            ("groups", 0, "linear_norm"),
        ),
        ({"tied_embedding": True, "head_bias": True}, "a bias of a tied LM head", ("head_bias",)),
        ({"experts": 2, "active_experts": 3}, "3 of 2 experts are active", ("active_experts",)),
    ],
)
def test_layers_that_cannot_be_are_refused(changes, wrong, at):
    with pytest.raises(ValidationError) as error:
        shape(**changes)
    (problem,) = error.value.errors()
    assert problem["ctx"]["wrong"] == wrong
    assert problem["ctx"]["at"] == at


def test_a_norm_learns_what_its_kind_learns_unless_it_says_otherwise():
    assert [Norm().values(7), Norm("layernorm").values(7), Norm("layernorm", bias=False).values(7)] == [7, 14, 7]
    assert Norm("rmsnorm", gain=False).values(7) == 0
