"""Layers as data: parameters, multiply-accumulates and caches of toy sizes, worked out by hand."""

import pytest
from pydantic import ValidationError

from bitjoule.energy_models.architecture.block import Linear
from bitjoule.energy_models.architecture.parts.transformer import Norm
from bitjoule.energy_models.architecture.shape import ModelShape
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


CHOICE = {"heads": 2, "width": 3, "block": 4, "top": 3}
BESIDE = {"kind": "mamba2", "heads": 2, "head_dim": 12, "state": 7, "kernel": 4, "gated_norm": False}


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
        ({"output_gate": "head", "qkv_bias": True}, LAYERS * (D * HEADS + Q + 2 * KV)),
        ({"value_dim": 5}, LAYERS * 2 * D * (5 - HEAD_DIM) * (HEADS + KV // HEAD_DIM) // 2),
        (
            {"value_dim": 5, "output_gate": True},
            LAYERS * D * ((5 - HEAD_DIM) * (HEADS + KV // HEAD_DIM) + 5 * HEADS),
        ),
        (  # three layers without keys and values, whose projections and norms are not there
            {"linear_norm": True, "groups": [{"repeats": 1}, {"repeats": 3, "kv_shared": True}]},
            LAYERS * (D + Q + 2 * D + FFN) + 2 * D - 3 * 2 * D * KV,
        ),
        (
            {"value_dim": 5, "sub_norm": True},
            LAYERS * (D * (5 - HEAD_DIM) * (HEADS + KV // HEAD_DIM) + 5 * HEADS + FFN),
        ),
        # gate and values of 24, B and C of 7, a step size a head; out; taps, their bias, 3 a head; no norm of its own
        ({"beside": BESIDE}, LAYERS * (D * (24 + 24 + 14 + 2) + 24 * D + 38 * 5 + 3 * 2)),
        ({"beside": {**BESIDE, "output_bias": True}}, LAYERS * (D * 64 + 24 * D + 38 * 5 + 6 + D)),
        ({"lm_head": False}, -VOCABULARY * D),
        ({"head_bias": True}, VOCABULARY),
        ({"tied_embedding": True, "head_bias": True}, VOCABULARY - VOCABULARY * D),
        ({"qk_norm": "plain"}, 0),
        ({"value_norm": True}, 0),
        ({"values_are_keys": True}, -LAYERS * D * KV),
        ({"attention_norm": False}, -LAYERS * D),
        ({"window": 8, "chunked": True}, 0),
        ({"layer_input": 6}, LAYERS * (VOCABULARY * 6 + D * 6 + 2 * D * 6 + D) + 6),
        ({"layer_input": 6, "layer_input_vocabulary": 70}, LAYERS * (70 * 6 + D * 6 + 2 * D * 6 + D) + 6),
        ({"experts": 4, "expert_latent": 12}, LAYERS * (4 * 3 * 12 * FFN + 2 * 12 * D + 4 * D - GATED)),
        ({"experts": 4, "shared_ffn": 30, "branch_norms": True}, LAYERS * (3 * GATED + 4 * D + 3 * D * 30 + 4 * D + 4)),
        ({"head_transform": "without_bias"}, D * D + D),
        ({"token_types": 2}, 2 * D),
        ({"pooler": True}, D * D + D),
        ({"head_transform": True}, D * D + D + D),
        ({"mtp_layers": 2}, 2 * (2 * D * D + ATTENTION + GATED + 5 * D)),
        ({"groups": [{"repeats": 3}, {"repeats": 1, "kv_shared": True}]}, -2 * D * KV),
        (
            {"groups": [{"repeats": 3}, {"repeats": 1, "kv_shared": True}], "qk_norm": True},
            LAYERS * 2 * HEAD_DIM - 2 * D * KV - HEAD_DIM,
        ),
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


INDEXED = {**LATENT, "index_heads": 2, "index_dim": 3, "index_top": 12}


def test_an_indexer_scores_every_token_and_attention_takes_those_it_chose():
    found = shape(mixer=INDEXED)
    plain = shape(mixer=LATENT)
    assert found.parameters - plain.parameters == LAYERS * (14 * 2 * 3 + D * 3 + D * 2 + 2 * 3)
    counts, ran = counted(found)
    pairs = {"prefill": PROMPT * (PROMPT + 1) // 2, "decode": sum(PROMPT + i for i in range(1, NEW + 1))}
    chosen = {"prefill": 12 * 13 // 2 + (PROMPT - 12) * 12, "decode": 12 * NEW}
    widths = {"prefill": 6 + 4, "decode": 10 + 4}
    for phase in ("prefill", "decode"):
        times = BATCH * LAYERS
        assert added(counts, phase, ("index_scores",), "mul") == pytest.approx(times * 2 * 3 * pairs[phase])
        scores = added(counts, phase, ("attention_scores",), "mul")
        assert scores == pytest.approx(times * HEADS * widths[phase] * chosen[phase])
        assert added(counts, phase, ("index_choice",), "mul") == pytest.approx(times * 2 * pairs[phase])
    fp16_bytes, kept = 2, 10 + 4 + 3
    assert float(ran.memory_bytes.kv_cache_bytes[0]) == BATCH * (PROMPT + NEW) * LAYERS * kept * fp16_bytes


def test_values_of_another_width_change_what_takes_and_gives_them():
    counts, found = counted(shape(value_dim=5))
    plain, _ = counted(shape())
    kv_heads = KV // HEAD_DIM
    for phase, tokens in (("prefill", BATCH * PROMPT), ("decode", BATCH * NEW)):
        assert added(counts, phase, ("v_proj",), "mul") == LAYERS * tokens * D * kv_heads * 5
        assert added(counts, phase, ("o_proj",), "mul") == LAYERS * tokens * D * HEADS * 5
        for component in ("q_proj", "k_proj", "attention_scores", "rotary"):
            assert added(counts, phase, (component,), "mul") == added(plain, phase, (component,), "mul")
        values = added(plain, phase, ("attention_values",), "mul")
        assert added(counts, phase, ("attention_values",), "mul") == pytest.approx(values * 5 / HEAD_DIM)
    fp16_bytes = 2
    cached = LAYERS * kv_heads * (HEAD_DIM + 5)
    assert float(found.memory_bytes.kv_cache_bytes[0]) == BATCH * (PROMPT + NEW) * cached * fp16_bytes


def test_a_gate_of_one_value_a_head_scales_all_of_its_outputs():
    (head, _), (plain, _) = counted(shape(output_gate="head")), counted(shape())
    tokens = BATCH * NEW * LAYERS
    more = {
        component: added(head, "decode", (component,), "mul") - added(plain, "decode", (component,), "mul")
        for component in ("q_proj", "activation_function")
    }
    sigmoid_products = 5
    assert more == {"q_proj": tokens * D * HEADS, "activation_function": tokens * (sigmoid_products * HEADS + Q)}


def test_a_state_space_beside_attention_takes_its_norm_and_adds_its_work():
    (both, found), (plain, ran) = counted(shape(beside=BESIDE)), counted(shape())
    alone, _ = counted(shape(mixer=BESIDE))
    for phase in ("prefill", "decode"):
        for component in ("in_proj", "out_proj", "convolution", "state_update"):
            assert added(both, phase, (component,), "mul") == added(alone, phase, (component,), "mul") > 0
        for component in ("q_proj", "attention_scores", "ffn_up", "norm"):
            assert added(both, phase, (component,), "mul") == added(plain, phase, (component,), "mul")
    fp16_bytes = 2
    state = BATCH * LAYERS * (2 * 12 * 7 + 38 * 3) * fp16_bytes
    assert float(found.memory_bytes.kv_cache_bytes[0]) == float(ran.memory_bytes.kv_cache_bytes[0]) + state


def test_an_indexer_of_blocks_scores_every_key_and_attention_takes_the_blocks_it_chose():
    found, plain = shape(indexer=CHOICE), shape()
    assert found.parameters - plain.parameters == LAYERS * (D * 2 * 3 + D * 3 + 2 * 3)
    (counts, ran), (others, _) = counted(found), counted(plain)
    pairs = {"prefill": PROMPT * (PROMPT + 1) // 2, "decode": sum(PROMPT + i for i in range(1, NEW + 1))}
    positions = {"prefill": range(PROMPT), "decode": range(PROMPT, PROMPT + NEW)}
    chosen = {phase: sum(min(i // 4, 2) * 4 + i % 4 + 1 for i in here) for phase, here in positions.items()}
    for phase, tokens in (("prefill", PROMPT), ("decode", NEW)):
        times = BATCH * LAYERS
        assert added(counts, phase, ("index_scores",), "mul") == pytest.approx(times * 2 * 3 * pairs[phase])
        for component in ("attention_scores", "attention_values"):
            assert added(counts, phase, (component,), "mul") == pytest.approx(times * Q * chosen[phase])
        assert added(counts, phase, ("softmax",), "mul") == pytest.approx(
            added(others, phase, ("softmax",), "mul") * chosen[phase] / pairs[phase]
        )
        comparisons = times * 2 * pairs[phase] * (1 + 1 / 4)  # with the maximum of a block, and of blocks
        assert added(counts, phase, ("index_choice",), "add") == pytest.approx(comparisons)
        rotated = added(others, phase, ("rotary",), "add") / (Q + KV)
        assert added(counts, phase, ("rotary",), "add") == pytest.approx(rotated * (Q + KV + 3 * 3))
        assert added(counts, phase, ("index_q_proj", "index_k_proj"), "mul") == times * tokens * D * 3 * 3
    fp16_bytes = 2
    assert float(ran.memory_bytes.kv_cache_bytes[0]) == BATCH * (PROMPT + NEW) * LAYERS * (2 * KV + 3) * fp16_bytes


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
        (
            {"groups": [{"repeats": 3, "layer_numbers": "0-1"}, {"repeats": 1}]},
            "2 layers",
            ("layer_numbers",),
        ),
        (
            {"groups": [{"repeats": 3, "layer_numbers": "0, 1"}, {"repeats": 1}]},
            "got '0, 1'",
            ("layer_numbers",),
        ),
        (
            {"groups": [{"repeats": 3, "layer_numbers": "0-2"}, {"repeats": 1, "layer_numbers": "2"}]},
            "layer_numbers are not those of all layers",
            ("groups",),
        ),
        (
            {"groups": [{"repeats": 3, "layer_numbers": "0-2"}, {"repeats": 1}]},
            "layer_numbers are not those of all layers",
            ("groups",),
        ),
        ({"shared_gate": True}, "a gate without shared experts", ("shared_gate",)),
        ({"mixer": LATENT, "window": 4}, "window of a layer with latent_attention", ("window",)),
        ({"mixer": LATENT, "post_norm": True}, "post_norm of a layer with latent_attention", ("post_norm",)),
        ({"mixer": LATENT, "pre_norm": False}, "pre_norm of a layer with latent_attention", ("pre_norm",)),
        ({"mixer": LATENT, "causal": False}, "a mixer without a causal mask", ("causal",)),
        ({"beside": BESIDE, "causal": False}, "a mixer without a causal mask", ("causal",)),
        ({"indexer": CHOICE, "window": 4}, "a window of attention with an indexer", ("window",)),
        ({"indexer": CHOICE, "causal": False}, "a mixer without a causal mask", ("causal",)),
        ({"mixer": LATENT, "indexer": CHOICE}, "indexer of a layer with latent_attention", ("indexer",)),
        ({"mixer": LATENT, "beside": BESIDE}, "beside of a layer with latent_attention", ("beside",)),
        ({"mixer": LATENT, "value_dim": 5}, "value_dim of a layer with latent_attention", ("value_dim",)),
        ({"values_are_keys": True, "value_dim": 5}, "values that are keys, of another width", ("value_dim",)),
        (
            {"linear_norm": True, "groups": [{"repeats": 3, "mixer": LATENT}, {"repeats": 1}]},
            "linear_norm of a layer with latent_attention",
            ("groups", 0, "linear_norm"),
        ),
        ({"chunked": True}, "chunks without a width", ("chunked",)),
        ({"expert_latent": 4}, "a latent of experts without experts", ("expert_latent",)),
        ({"mixer": {**LATENT, "index_heads": 2}}, "an indexer without heads or without a width", ("index_heads",)),
        ({"mixer": {**LATENT, "index_heads": 2, "index_dim": 3}}, "an indexer that chooses no tokens", ("index_top",)),
        (
            {"mixer": {**LATENT, "query_rank": 0, "index_heads": 2, "index_dim": 3, "index_top": 4}},
            "an indexer without the latent of queries",
            ("query_rank",),
        ),
        ({"head_transform": True, "lm_head": False}, "a transform before no LM head", ("head_transform",)),
        ({"kv_shared": True}, "every layer reads the keys and values of another", ("kv_shared",)),
        ({"mixer": LATENT, "kv_shared": True}, "kv_shared of a layer with latent_attention", ("kv_shared",)),
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


@pytest.mark.parametrize(
    "changes",
    [
        {"values_are_keys": True, "value_dim": HEAD_DIM},
        {"experts": 2, "expert_latent": 10},
        {"experts": 2, "active_experts": 2},
        {"indexer": CHOICE, "sinks": True},
    ],
)
def test_layers_at_the_edge_of_what_can_be_are_read(changes):
    assert shape(**changes).parameters > 0


@pytest.mark.parametrize("key", ["window", "kv_shared"])
def test_an_indexer_takes_neither_a_window_nor_the_keys_of_another(key):
    with pytest.raises(ValidationError) as error:
        shape(indexer=CHOICE, groups=[{"repeats": 1}, {"repeats": LAYERS - 1, key: 8 if key == "window" else True}])
    (problem,) = error.value.errors()
    assert problem["ctx"]["wrong"] == f"a {key} of attention with an indexer"
    assert problem["ctx"]["at"] == ("groups", 1, key)


def rotated(**changes):
    """Return the rotations of positions in a layer."""
    parts = shape(**changes).blocks[1].parts
    return [work.component for part in parts for work in part.elementwise if work.component == "rotary"]


def test_latent_attention_without_rotated_shares_rotates_nothing():
    assert len(rotated(mixer=LATENT)) == 1
    assert rotated(mixer=LATENT, rotary_share=0.0) == []
