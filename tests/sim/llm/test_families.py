"""Model types beside bitnet and llama, rotary scalings and windows, against transformers."""

import json
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.layers import attend
from bitjoule.sim.llm.rope import Bands, Rope
from tests.sim.checkpoints import (
    ENGINE,
    FORMATS,
    ONLINE,
    SHAPES,
    TOKENS,
    assert_same,
    expected,
    loaded_and_expected,
    make,
)
from tests.sim.folders import FLOAT, problem, tensors_of, write

GROUPED, ONE_HEAD = SHAPES["grouped queries"], SHAPES["one key head"]
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
TYPES = {
    "qwen2": ("qwen2", {}),
    "qwen2, windows in some layers": ("qwen2", {"use_sliding_window": True, "sliding_window": 3,
                                                "max_window_layers": 1}),
    "qwen3": ("qwen3", {"head_dim": 16}),
    "qwen3, biases": ("qwen3", {"head_dim": 4, "attention_bias": True}),
    "qwen3, windows as listed": ("qwen3", {"head_dim": 6, "use_sliding_window": True, "sliding_window": 5,
                                           "layer_types": ["full_attention", "sliding_attention", "full_attention"]}),
    "mistral, no window": ("mistral", {"sliding_window": None}),
    "mistral, window": ("mistral", {"sliding_window": 4}),
    "mistral, window of one": ("mistral", {"sliding_window": 1, "head_dim": 12}),
    "llama3": ("llama", {"rope_parameters": LLAMA3}),
    "llama3 of an earlier version": ("llama", {"rope_theta": 500.0, "rope_scaling": LLAMA3}),
    "linear": ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.5}}),
    "qwen3, linear": ("qwen3", {"head_dim": 8, "rope_parameters": {"rope_type": "linear", "rope_theta": 1e4,
                                                                  "factor": 4}}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "options", "quantisation"),
    [(*case, quantisation) for case, quantisation in zip(TYPES.values(), cycle(FORMATS.values()), strict=False)],
    ids=TYPES,
)
def test_logits_equal_those_of_transformers(
    hf: Any, tmp_path: Path, family: str, options: dict[str, Any], quantisation: dict[str, Any]
) -> None:
    assert_same(*loaded_and_expected(hf, tmp_path, family, quantisation, GROUPED, **options))


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["mistral", "qwen2", "qwen3"])
def test_tied_and_untied_heads_and_one_key_head(hf: Any, tmp_path: Path, family: str, tied: bool) -> None:
    assert_same(*loaded_and_expected(hf, tmp_path, family, ONLINE, ONE_HEAD, tie_word_embeddings=tied))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mistral", "qwen2", "qwen3"])
def test_float_logits_equal_those_of_transformers(hf: Any, tmp_path: Path, family: str) -> None:
    make(hf, tmp_path, family, {**GROUPED, "head_dim": 16})
    assert_same(load_model(tmp_path).model, expected(hf, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("head_dim", [8, 64, 128])
@pytest.mark.parametrize(
    "scaling", [LLAMA3, {**LLAMA3, "original_max_position_embeddings": 8192, "high_freq_factor": 9}]
)
def test_the_frequencies_of_llama3_are_those_of_transformers(hf: Any, scaling: dict[str, Any], head_dim: int) -> None:
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    config = hf.LlamaConfig(head_dim=head_dim, rope_parameters=dict(scaling))
    theirs = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")[0].numpy()
    bands = Bands(1.0, scaling["high_freq_factor"], scaling["original_max_position_embeddings"])
    np.testing.assert_allclose(Rope(500.0, 8.0, bands).frequencies(head_dim), theirs, rtol=5e-7)


def test_frequencies_of_three_bands() -> None:
    """Waves of 2π theta^(2i/d) positions: the first fits more than `high` times, the last fewer than `low` times.

    Of d = 6, theta 1000 and 64 positions, 10.2, 1.02 and 0.102 waves fit; with low 0.5 and high 2 the second keeps
    (1.0186 − 0.5) / 1.5 of its frequency, 0.1, and has an eighth of the rest.
    """
    kept = (64 * 0.1 / (2 * np.pi) - 0.5) / 1.5
    expected = [1.0, 0.1 * (kept + (1 - kept) / 8), 0.01 / 8]
    np.testing.assert_allclose(Rope(1000.0, 8.0, Bands(0.5, 2.0, 64)).frequencies(6), expected, rtol=1e-6)
    np.testing.assert_allclose(Rope(1000.0, 8.0).frequencies(6), np.array([1, 0.1, 0.01]) / 8, rtol=1e-6)


@pytest.mark.parametrize("new", [1, 2, 5])
@pytest.mark.parametrize("window", [1, 3, 4, 7])
def test_a_query_attends_to_the_last_tokens_of_its_window_only(new: int, window: int) -> None:
    rng = np.random.default_rng(new)
    q, k, v = (rng.normal(size=(2, size, 8)).astype(np.float32) for size in (new, 6, 6))
    rows = []
    for i in range(new):  # one query at a time, with the keys that it may see
        end = 6 - new + i + 1
        seen = slice(max(0, end - window), end)
        rows.append(attend(q[:, i : i + 1], k[:, seen], v[:, seen]))
    np.testing.assert_allclose(attend(q, k, v, window), np.concatenate(rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("config", "key", "wrong", "expects"),
    [
        ({"model_type": "qwen3_moe"}, "model_type", "unsupported model_type 'qwen3_moe'",
         "bitnet, llama, mistral, qwen2, qwen3"),
        ({"model_type": ["llama"]}, "model_type", "unsupported model_type ['llama']", "bitnet, llama"),
        ({"architectures": ["BitNetModel"]}, "architectures", "['BitNetModel'] has no LM head", "ends in ForCausalLM"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4}}, "rope_scaling", "rope_type is 'yarn'", "linear, llama3"),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling", "factor is missing", "a positive number"),
        ({"rope_parameters": {**LLAMA3, "factor": -1}}, "rope_parameters", "factor is -1", "a positive number"),
        ({"rope_parameters": {**LLAMA3, "low_freq_factor": 4.0}}, "rope_parameters", "low_freq_factor is 4.0",
         "less than high_freq_factor, 4"),
        ({"rope_parameters": {key: value for key, value in LLAMA3.items() if "original" not in key}},
         "rope_parameters", "original_max_position_embeddings is missing", "a positive number"),
        ({"rope_parameters": LLAMA3, "original_max_position_embeddings": 32}, "rope_parameters",
         "original_max_position_embeddings is 64", "32, as outside of rope_parameters"),
        ({"rope_parameters": {"full_attention": LLAMA3}}, "rope_parameters", "has the key 'full_attention'",
         "rope_theta"),
        ({"rope_parameters": LLAMA3, "rope_scaling": {**LLAMA3, "factor": 2}}, "rope_scaling",
         "differs from rope_parameters", "one of the two"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_with_what_can(
    tmp_path: Path, config: dict[str, Any], key: str, wrong: str, expects: str
) -> None:
    write(tmp_path, config)
    found = problem(tmp_path)
    assert (found.file, found.key, found.wrong) == ("model/config.json", key, wrong)
    assert expects in found.expected


def test_the_original_context_is_the_context_where_it_is_left_out(tmp_path: Path) -> None:
    scaling = {key: value for key, value in LLAMA3.items() if "original" not in key}
    write(tmp_path, {"rope_parameters": scaling, "max_position_embeddings": 64})
    assert load_model(tmp_path).config.rope == Rope(500.0, 8.0, Bands(1.0, 4.0, 64.0))


@pytest.mark.parametrize(
    ("model_type", "missing"),
    [("qwen2", "self_attn.q_proj.bias"), ("qwen3", "self_attn.q_norm.weight"), ("qwen3", "self_attn.k_norm.weight")],
)
def test_a_tensor_that_a_type_adds_is_named_where_it_is_missing(tmp_path: Path, model_type: str, missing: str) -> None:
    made = {name: values for name, values in tensors_of(packed=False).items() if "sub_norm" not in name}
    for layer in range(2):
        attention = f"model.layers.{layer}.self_attn"
        if model_type == "qwen3":
            made |= {f"{attention}.{norm}.weight": np.ones(4, np.float32) for norm in ("q_norm", "k_norm")}
        else:
            widths = {"q_proj": 16, "k_proj": 8, "v_proj": 8}
            made |= {f"{attention}.{name}.bias": np.ones(width, np.float32) for name, width in widths.items()}
    config = {**FLOAT, "model_type": model_type, "head_dim": 4, "hidden_act": "silu"}
    write(tmp_path, config, made)
    assert np.isfinite(load_model(tmp_path).model.forward(TOKENS, ENGINE)).all()
    del made[f"model.layers.1.{missing}"]
    write(tmp_path, config, made)
    found = problem(tmp_path)
    assert (found.file, found.key, found.wrong) == (
        "model/model.safetensors", f"model.layers.1.{missing}", "is missing",
    )  # fmt: skip


def test_windows_are_those_of_each_layer(tmp_path: Path) -> None:
    write(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert load_model(tmp_path).config.windows == (0, 0)
    made = {name: values for name, values in tensors_of(packed=False).items() if "sub_norm" not in name}
    write(tmp_path, {**FLOAT, "model_type": "mistral", "hidden_act": "silu", "sliding_window": 3}, made)
    assert load_model(tmp_path).config.windows == (3, 3)
    assert config["model_type"] == "bitnet"
