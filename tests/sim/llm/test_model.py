"""The models in NumPy against transformers, which makes and saves every checkpoint here itself."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitjoule.sim.llm.checkpoints.checkpoint import Checkpoint
from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.engines import MatmulRecord
from tests.sampling import one_of_each
from tests.sim.checkpoints import (
    ENGINE,
    FORMATS,
    OFFLINE,
    ONLINE,
    SHAPES,
    TOKENS,
    assert_same,
    expected,
    loaded_and_expected,
    make,
    quantise,
)

CASES = one_of_each(
    [
        [(family, quantisation, shape, tied) for family in ("bitnet", "llama") for tied in (True, False)]
        for quantisation in FORMATS.values()
        for shape in SHAPES.values()
    ],
    "families and heads",
)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "quantisation", "shape", "tied"), CASES)
def test_logits_equal_those_of_transformers(
    hf: Any, tmp_path: Path, family: str, quantisation: dict[str, Any], shape: dict[str, int], tied: bool
) -> None:
    assert_same(*loaded_and_expected(hf, tmp_path, family, quantisation, shape, tie_word_embeddings=tied))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bitnet", "llama"])
def test_float_logits_equal_those_of_transformers(hf: Any, tmp_path: Path, family: str) -> None:
    make(hf, tmp_path, family, SHAPES["grouped queries"])
    assert_same(load_model(tmp_path).model, expected(hf, tmp_path))


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("llama", {"attention_bias": True, "mlp_bias": True}),
    ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 777.0}, "rms_norm_eps": 1e-3}),
    ("llama", {"head_dim": 6}),
    ("bitnet", {"attention_bias": True, "hidden_act": "silu"}),
    ("bitnet", {"rope_parameters": {"rope_type": "default", "rope_theta": 55.0}, "rms_norm_eps": 1e-2}),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "options", "quantisation"),
    one_of_each([[(*case, each) for each in FORMATS.values()] for case in OPTIONS], "formats with options"),
)
def test_options_of_the_configuration_are_followed(
    hf: Any, tmp_path: Path, family: str, options: dict[str, Any], quantisation: dict[str, Any]
) -> None:
    assert_same(*loaded_and_expected(hf, tmp_path, family, quantisation, SHAPES["grouped queries"], **options))


@pytest.mark.slow
@pytest.mark.parametrize("quantisation", FORMATS.values(), ids=FORMATS)
def test_norms_and_exceptions_of_the_quantisation_are_followed(
    hf: Any, tmp_path: Path, quantisation: dict[str, Any]
) -> None:
    quantisation = {**quantisation, "use_rms_norm": True, "rms_norm_eps": 1e-3}
    assert_same(*loaded_and_expected(hf, tmp_path, "llama", quantisation, SHAPES["grouped queries"]))


@pytest.mark.slow
def test_linears_that_are_not_to_be_converted_stay_floats(hf: Any, tmp_path: Path) -> None:
    quantisation = {**ONLINE, "modules_to_not_convert": ["lm_head", "model.layers.1", "up_proj"]}
    model, logits = loaded_and_expected(hf, tmp_path, "llama", quantisation, SHAPES["grouped queries"])
    assert_same(model, logits)
    seen: list[MatmulRecord] = []
    model.forward(TOKENS, ENGINE, observe=seen.append)
    assert {record.layer for record in seen} == {0, 2}
    assert "ffn_up" not in {record.name for record in seen}


@pytest.mark.slow
def test_a_head_that_is_converted_goes_through_the_engine(hf: Any, tmp_path: Path) -> None:
    quantisation = {**ONLINE, "modules_to_not_convert": ["none"]}
    model, logits = loaded_and_expected(hf, tmp_path, "llama", quantisation, SHAPES["plain"], tie_word_embeddings=False)
    assert_same(model, logits)
    seen: list[MatmulRecord] = []
    model.forward(TOKENS, ENGINE, observe=seen.append)
    assert (seen[-1].name, seen[-1].layer, seen[-1].n) == ("lm_head", -1, 71)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_weights_of_other_float_types_are_widened(hf: Any, tmp_path: Path, dtype: str) -> None:
    assert_same(*loaded_and_expected(hf, tmp_path, "bitnet", ONLINE, SHAPES["plain"], stored=dtype))
    assert Checkpoint(tmp_path).dtype("model.layers.0.mlp.up_proj.weight") in ("BF16", "F16", "F64")


@pytest.mark.slow
@pytest.mark.parametrize("quantisation", FORMATS.values(), ids=FORMATS)
def test_shards_give_the_same_logits(hf: Any, tmp_path: Path, quantisation: dict[str, Any]) -> None:
    from safetensors.numpy import load_file, save_file

    make(hf, tmp_path, "bitnet", SHAPES["grouped queries"])
    quantise(tmp_path, quantisation)
    logits = load_model(tmp_path).model.forward(TOKENS, ENGINE)
    tensors = load_file(tmp_path / "model.safetensors")
    places = {name: f"model-{index % 3 + 1:05}-of-00003.safetensors" for index, name in enumerate(tensors)}
    for shard in set(places.values()):
        save_file({name: tensors[name] for name in tensors if places[name] == shard}, tmp_path / shard)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    (tmp_path / "model.safetensors").unlink()
    np.testing.assert_array_equal(load_model(tmp_path).model.forward(TOKENS, ENGINE), logits)


@pytest.mark.slow
def test_greedy_text_equals_that_of_transformers(hf: Any, tmp_path: Path) -> None:
    import torch

    make(hf, tmp_path, "bitnet", SHAPES["grouped queries"])
    quantise(tmp_path, OFFLINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = hf.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
        text = model.generate(torch.tensor([TOKENS]), max_new_tokens=20, do_sample=False)[0, len(TOKENS) :]
    assert list(load_model(tmp_path).model.generate(TOKENS, 20, ENGINE)) == text.tolist()


@pytest.mark.slow
def test_a_model_read_block_by_block_gives_the_same_logits(hf: Any, tmp_path: Path) -> None:
    make(hf, tmp_path, "bitnet", SHAPES["grouped queries"])
    quantise(tmp_path, OFFLINE)
    kept, streamed = load_model(tmp_path).model, load_model(tmp_path, resident=0).model
    assert kept.blocks(0) is kept.blocks(0)
    assert streamed.blocks(0) is not streamed.blocks(0)
    np.testing.assert_array_equal(kept.forward(TOKENS, ENGINE), streamed.forward(TOKENS, ENGINE))
