"""Layers that share keys and values, encoders, and modules that predict further tokens, worked out by hand."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.parts.windows import attended
from bitjoule.energy_models.architecture.phases import causal
from bitjoule.energy_models.architecture.shape import presets
from tests.energy_models.architecture.parts.test_windows import at_steps
from tests.energy_models.architecture.test_blocks import added, counted
from tests.energy_models.architecture.test_layers import (
    ATTENTION,
    BATCH,
    GATED,
    KV,
    LAYERS,
    NEW,
    PROMPT,
    VOCABULARY,
    D,
    Q,
    shape,
)

FP16_BITS = 16
SHARED = {"groups": [{"repeats": 1}, {"repeats": 3, "kv_shared": True}]}


def test_layers_that_share_a_cache_read_it_and_add_nothing():
    counts, found = counted(shape(**SHARED))
    whole, plain = counted(shape())
    pairs = {"prefill": PROMPT * (PROMPT + 1) / 2, "decode": sum(PROMPT + i for i in range(1, NEW + 1))}
    for phase, tokens in (("prefill", BATCH * PROMPT), ("decode", BATCH * NEW)):
        assert added(counts, phase, ("k_proj", "v_proj"), "mul") == tokens * 2 * D * KV
        assert added(counts, phase, ("kv_cache_write",), "off_chip_write") == tokens * 2 * KV * FP16_BITS
        scores = added(counts, phase, ("attention_scores",), "mul")
        assert scores == pytest.approx(BATCH * LAYERS * Q * pairs[phase])
        assert added(counts, phase, ("kv_cache_read",), "off_chip_read") == pytest.approx(
            added(whole, phase, ("kv_cache_read",), "off_chip_read")
        )
        rotary = [added(each, phase, ("rotary",), "add") for each in (counts, whole)]
        assert rotary[0] / rotary[1] == pytest.approx((LAYERS * Q + KV) / (LAYERS * (Q + KV)))
    cache = float(found.memory_bytes.kv_cache_bytes[0])
    assert cache == BATCH * (PROMPT + NEW) * 2 * KV * FP16_BITS / 8
    assert cache == float(plain.memory_bytes.kv_cache_bytes[0]) / LAYERS


@pytest.mark.parametrize("tokens", [1, 5, 24])
@pytest.mark.parametrize("window", [1, 2, 7, 8, 99])
def test_a_window_without_a_mask_reaches_to_both_sides(tokens, window):
    positions = np.arange(tokens)
    before, after = window // 2, (window - 1) // 2
    distance = positions[:, None] - positions
    seen = int(((distance <= before) & (distance >= -after)).sum())
    steps = causal(float(tokens), 0.0, 1.0, 1.0)
    queries, context = attended(at_steps(steps), window, causal=False)
    assert float(context[0, 0]) == tokens
    assert float(queries[0, 0] * context[0, 0]) == pytest.approx(seen)
    for other in (at_steps(steps, skips=False), at_steps(steps, windows=0.0)):  # no machine that leaves pairs out
        queries, context = attended(other, window, causal=False)
        assert float(queries[0, 0] * context[0, 0]) == tokens**2
    everything, _ = attended(at_steps(steps), 0, causal=False)
    assert float(everything[0, 0]) == tokens


def test_a_latent_of_experts_leaves_the_residual_stream_its_width():
    counts, _ = counted(shape(experts=4, active_experts=2, expert_latent=12))
    for phase, tokens in (("prefill", BATCH * PROMPT), ("decode", BATCH * NEW)):
        assert added(counts, phase, ("residual",), "add") == tokens * LAYERS * 2 * D  # attention, experts


ENCODER = {
    "causal": False, "kv_cache": False, "token_types": 2, "pooler": True, "embedding_norm": True,
    "learned_positions": 64, "pre_norm": False, "post_norm": True, "final_norm": False, "norm": "layernorm",
}  # fmt: skip


def test_an_encoder_takes_every_pair_and_keeps_nothing():
    counts, found = counted(shape(**ENCODER, lm_head=False))
    scores = added(counts, "prefill", ("attention_scores",), "mul")
    assert scores == BATCH * LAYERS * Q * PROMPT**2
    assert float(found.memory_bytes.kv_cache_bytes[0]) == 0
    assert added(counts, "prefill", ("pooler",), "mul") == BATCH * D * D + 0
    tables = (VOCABULARY + 2 + 64) * D
    norms = 2 * D + LAYERS * 4 * D
    assert shape(**ENCODER, lm_head=False).parameters == tables + norms + LAYERS * (ATTENTION + GATED) + D * D + D


def test_an_encoder_with_a_head_transforms_what_the_head_takes():
    counts, _ = counted(shape(**ENCODER, tied_embedding=True, head_bias=True, head_transform=True))
    assert added(counts, "prefill", ("head_transform",), "mul") == BATCH * D * D
    assert added(counts, "prefill", ("lm_head",), "mul") == BATCH * D * VOCABULARY


def test_a_module_for_a_further_token_is_a_projection_and_a_layer():
    counts, found = counted(shape(mtp_layers=2))
    plain, without = counted(shape())
    for phase, tokens in (("prefill", BATCH * PROMPT), ("decode", BATCH * NEW)):
        assert added(counts, phase, ("mtp_proj",), "mul") == tokens * 2 * 2 * D * D
        assert added(counts, phase, ("ffn_up",), "mul") == tokens * (LAYERS + 2) * GATED / 3
        assert added(counts, phase, ("lm_head",), "mul") == 3 * added(plain, phase, ("lm_head",), "mul")
        assert added(counts, phase, ("embedding",), "off_chip_read") == tokens * 3 * D * FP16_BITS
    cache = (float(each.memory_bytes.kv_cache_bytes[0]) for each in (found, without))
    assert next(cache) * LAYERS == next(cache) * (LAYERS + 2)


def test_the_module_of_deepseek_v3_has_the_parameters_of_its_files():
    base = presets()["deepseek-v3"]
    with_module = base.model_copy(update={"mtp_layers": 1})
    tables = 2 * base.vocabulary * base.hidden  # the files hold embedding and LM head of the module once more
    # values in BF16 and FP8 of deepseek-ai/DeepSeek-V3, as its safetensors' metadata on the hub count them
    assert with_module.parameters + tables == 3_918_786_560 + 680_571_043_840
