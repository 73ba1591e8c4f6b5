"""What scale a linear's weights have, and which head: three published kinds of folder, and what is near them.

``checkpoints/`` holds folders that transformers 5.24 made; ``expected_logits.json`` is what it computes.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bitjoule.sim.llm.checkpoints.loading import load_model, open_model
from bitjoule.sim.llm.checkpoints.weights import scaled_trits, unpack
from bitjoule.sim.llm.engines import MatmulRecord, MatmulWeights
from bitjoule.sim.llm.model import Model
from tests.sim.checkpoints import ENGINE, OFFLINE, ONLINE, RELATIVE, SHAPES, assert_same, expected, make, quantise
from tests.sim.folders import BITLINEAR, FLOAT, LINEARS, SCALE, UP, changed, problem, put, tensors_of, write

FOLDERS = Path(__file__).parents[1] / "checkpoints"


def weights_of(model: Model, name: str = "ffn_up", layer: int = 0) -> MatmulWeights:
    weights = model.blocks(layer).linears[name].weights
    assert isinstance(weights, MatmulWeights)
    return weights


def read(folder: Path, weights: Any = None) -> tuple[Model, list[str]]:
    """Return a folder's model, and the warnings about it."""
    told: list[str] = []
    return open_model(folder, "model", weights).read(warn=told.append), told


def assert_as_expected(model: Model, folder: Path) -> None:
    expected = json.loads((folder / "expected_logits.json").read_text())
    logits = np.array(expected["logits"])
    found = model.forward(expected["tokens"], ENGINE)
    # the file has seven digits
    np.testing.assert_allclose(found, logits, rtol=0, atol=RELATIVE * np.abs(logits).max())


def test_floats_that_are_trits_already_keep_their_scale() -> None:
    model, told = read(FOLDERS / "ternary_floats", "ternary")
    assert weights_of(model).quantised.scale.tolist() == [0.25]
    assert_as_expected(model, FOLDERS / "ternary_floats")
    assert told == []


def test_a_head_that_differs_from_the_tied_embedding_is_used_and_told() -> None:
    model, told = read(FOLDERS / "tied_but_other_head")
    assert_as_expected(model, FOLDERS / "tied_but_other_head")
    assert told == [
        "model: lm_head.weight differs from model.embed_tokens.weight, to which tie_word_embeddings ties it; the head "
        "is used as it is stored"
    ]


@pytest.mark.slow
def test_row_scales_are_those_of_the_dequantised_weights_in_transformers(hf: Any, tmp_path: Path) -> None:
    """AutoBitLinear multiplies whatever floats it is given: trits times the scale of their row."""
    tensors = load_file(FOLDERS / "row_scales" / "model.safetensors")
    for name in [name for name in tensors if name.endswith("_scale")]:
        weight, scale = name.removesuffix("_scale"), tensors[name]
        assert scale.shape == (len(scale), 1)
        assert np.ptp(scale) > 0.01
        tensors[weight] = unpack(tensors[weight], len(scale)) * scale
        tensors[name] = np.ones(1, np.float32)
    shutil.copy(FOLDERS / "row_scales" / "config.json", tmp_path)
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    logits = expected(hf, tmp_path, [3, 1, 4, 1, 5])
    for folder in (FOLDERS / "row_scales", tmp_path):  # packed, and as floats beside a scale of one
        found = load_model(folder).model.forward([3, 1, 4, 1, 5], ENGINE)
        np.testing.assert_allclose(found, logits, rtol=0, atol=RELATIVE * np.abs(logits).max())


@pytest.mark.parametrize("shape", [(24, 1), (24,)])
@pytest.mark.parametrize(("config", "divides"), [({}, False), (BITLINEAR, True)], ids=["factor", "divisor"])
def test_a_scale_for_each_row_is_read_as_the_format_means_it(
    tmp_path: Path, config: dict[str, Any], divides: bool, shape: tuple[int, ...]
) -> None:
    scales = np.linspace(0.25, 2, 24, dtype=np.float32)
    write(tmp_path, config, changed(SCALE, lambda _: scales.reshape(shape)))
    quantised = weights_of(read(tmp_path)[0], layer=1).quantised
    codes = unpack(tensors_of(packed=True)[UP], 24)
    np.testing.assert_allclose(
        quantised.dequantised().T, codes * (1 / scales if divides else scales)[:, np.newaxis], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("config", "value", "wrong", "expects"),
    [
        ({}, np.ones(23), "has shape [23]", "[1], or one a row: [24] or [24, 1]"),
        ({}, np.ones((1, 24)), "has shape [1, 24]", "[1], or one a row: [24] or [24, 1]"),
        ({}, np.ones((16, 1)), "has shape [16, 1]", "[1], or one a row: [24] or [24, 1]"),
        ({}, np.ones(0), "has shape [0]", "[1], or one a row: [24] or [24, 1]"),
        ({}, put(-2.0, (7, 0))(np.ones((24, 1))), "is -2.0 in row 7", "a factor of at least 0"),
        (BITLINEAR, put(0.0, (3,))(np.ones(24)), "is 0.0 in row 3", "a positive divisor"),
    ],
)
def test_scales_that_fit_no_row_are_refused(
    tmp_path: Path, config: dict[str, Any], value: Any, wrong: str, expects: str
) -> None:
    write(tmp_path, config, changed(SCALE, lambda _: value.astype(np.float32)))
    found = problem(tmp_path)
    assert (found.file, found.key, found.wrong, found.expected) == ("model/model.safetensors", SCALE, wrong, expects)


def test_the_bias_is_multiplied_by_the_scale_of_its_row(tmp_path: Path) -> None:
    tensors = tensors_of(packed=True)
    scales = np.arange(1, 17, dtype=np.float32)[:, np.newaxis] / 8
    for name, width in (("q_proj", 16), ("k_proj", 8), ("v_proj", 8), ("o_proj", 16)):
        for layer in range(2):
            tensors[f"model.layers.{layer}.self_attn.{name}.bias"] = np.ones(width, np.float32)
    tensors["model.layers.0.self_attn.q_proj.weight_scale"] = scales
    write(tmp_path, {"attention_bias": True}, tensors)
    linears = read(tmp_path)[0].blocks(0).linears
    np.testing.assert_array_equal(linears["q_proj"].bias, scales[:, 0])  # type: ignore[arg-type]
    np.testing.assert_array_equal(linears["k_proj"].bias, np.full(8, 0.5))  # type: ignore[arg-type]


def ternary_floats(scales: float, dtype: type = np.float32) -> dict[str, Any]:
    """Return the small model's tensors with linears of −s, 0 and s, s another one in each row if it has to be."""
    rng = np.random.default_rng(3)
    made = tensors_of(packed=False)
    for name, shape in LINEARS.items():
        row = np.full((shape[0], 1), scales) if scales else rng.uniform(0.5, 1.5, (shape[0], 1))
        for layer in range(2):
            made[f"model.layers.{layer}.{name}.weight"] = (rng.integers(-1, 2, shape) * row).astype(dtype)
    return made


@pytest.mark.parametrize("scale", [0.3, 0.0], ids=["one scale", "row scales"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_ternary_floats_come_back_exactly_whatever_their_type(tmp_path: Path, scale: float, dtype: type) -> None:
    tensors = ternary_floats(scale, dtype)
    write(tmp_path, FLOAT, tensors)
    model, told = read(tmp_path, "ternary")
    for layer in range(2):
        found = weights_of(model, layer=layer).quantised
        assert len(found.scale) == (1 if scale else 24)
        stored = tensors[f"model.layers.{layer}.mlp.up_proj.weight"].astype(np.float32)
        np.testing.assert_array_equal(found.dequantised().T, stored)
    assert told == []


def test_a_single_other_value_makes_floats_of_them_which_are_quantised_by_their_mean_magnitude(tmp_path: Path) -> None:
    tensors = ternary_floats(0.3)
    tensors["model.layers.0.mlp.up_proj.weight"][5, 5] = 0.31
    write(tmp_path, FLOAT, tensors)
    model = read(tmp_path, "ternary")[0]
    mean = np.abs(tensors["model.layers.0.mlp.up_proj.weight"]).mean(dtype=np.float64)
    np.testing.assert_allclose(weights_of(model).quantised.scale, [mean], rtol=1e-6)
    assert weights_of(model, layer=1).quantised.scale.tolist() == [np.float32(0.3)]


def test_signs_with_row_scales_are_kept_for_binary_weights_and_zeros_are_not(tmp_path: Path) -> None:
    tensors = ternary_floats(0.0)
    name = "model.layers.0.mlp.up_proj.weight"
    tensors[name] = np.where(tensors[name] > 0, 1, -1) * np.linspace(1, 2, 24, dtype=np.float32)[:, np.newaxis]
    write(tmp_path, FLOAT, {key: values.astype(np.float32) for key, values in tensors.items()})
    model = read(tmp_path, "binary")[0]
    np.testing.assert_array_equal(weights_of(model).quantised.dequantised().T, tensors[name].astype(np.float32))
    quantised = weights_of(model, layer=1).quantised  # has zeros: signs, by the mean magnitude
    assert quantised.codes.all()
    assert len(quantised.scale) == 1


def test_floats_of_a_quantised_folder_are_scaled_by_both_of_their_scales(tmp_path: Path) -> None:
    trits = np.random.default_rng(0).integers(-1, 2, (24, 16)).astype(np.float32)
    write(tmp_path, tensors=changed(UP, lambda _: 0.75 * trits))
    np.testing.assert_array_equal(weights_of(read(tmp_path)[0], layer=1).quantised.dequantised().T, 0.375 * trits)


def test_trits_and_their_scale_are_told_from_other_floats() -> None:
    assert scaled_trits(np.zeros((2, 3), np.float32)) is None
    assert scaled_trits(np.array([[1, 0, -1], [2, 1, 0]], np.float32)) is None
    codes, scale = scaled_trits(np.array([[0, -3, 3], [0, 0, 0]], np.float32)) or (None, None)
    assert codes is not None
    assert scale is not None
    assert (codes.tolist(), scale.tolist()) == ([[0, -1, 1], [0, 0, 0]], [3.0])
    codes, scale = scaled_trits(np.array([[0, -3, 3], [0, 0, 0], [2, 0, 0]], np.float32)) or (None, None)
    assert scale is not None
    assert scale.tolist() == [3.0, 0.0, 2.0]


@pytest.mark.parametrize("config", [{}, FLOAT], ids=["packed", "floats"])
@pytest.mark.parametrize("weights", [None, "ternary"])
def test_a_layer_of_zeros_is_told_and_runs(tmp_path: Path, config: dict[str, Any], weights: str | None) -> None:
    packed = config == {}
    tensors = tensors_of(packed)
    tensors[UP] = np.full((6, 16), 0b01010101, np.uint8) if packed else np.zeros((24, 16), np.float32)
    write(tmp_path, config, tensors)
    model, told = read(tmp_path, weights)
    assert told == ["model: model.layers.1.mlp.up_proj.weight is zero everywhere"]
    assert np.isfinite(model.forward([1, 2, 3], ENGINE)).all()


def test_a_block_that_is_read_again_is_told_once(tmp_path: Path) -> None:
    write(tmp_path, tensors=changed(SCALE, put(0.0, (0,))))
    told: list[str] = []
    model = open_model(tmp_path, "model").read(resident=0, warn=told.append)
    for _ in range(2):
        model.forward([1], ENGINE)
    assert told == ["model: model.layers.1.mlp.up_proj.weight is zero everywhere"]


@pytest.mark.slow
@pytest.mark.parametrize("own", [None, "same", "other"])
def test_a_tied_head_that_is_converted_is_ternary_as_in_transformers(hf: Any, tmp_path: Path, own: str | None) -> None:
    make(hf, tmp_path, "llama", SHAPES["plain"], seed=4, tie_word_embeddings=True)
    quantise(tmp_path, {**ONLINE, "modules_to_not_convert": ["none"]})
    tensors = load_file(tmp_path / "model.safetensors")
    embedding = tensors["model.embed_tokens.weight"]
    heads = {"same": embedding.copy(), "other": embedding[::-1].copy()}
    if own:
        save_file(tensors | {"lm_head.weight": heads[own]}, tmp_path / "model.safetensors", {"format": "pt"})
    model, told = read(tmp_path)
    assert_same(model, expected(hf, tmp_path))
    assert len(told) == (own == "other")
    seen: list[MatmulRecord] = []
    model.forward([1], ENGINE, observe=seen.append)
    assert seen[-1].name == "lm_head"


@pytest.mark.slow
def test_a_head_without_the_embedding_to_which_it_is_tied_stands_for_both(hf: Any, tmp_path: Path) -> None:
    make(hf, tmp_path, "llama", SHAPES["plain"], seed=1, tie_word_embeddings=True)
    quantise(tmp_path, ONLINE)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["lm_head.weight"] = tensors.pop("model.embed_tokens.weight")
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    assert_same(load_model(tmp_path).model, expected(hf, tmp_path))


@pytest.mark.parametrize("quantisation", [OFFLINE, {"quant_method": "bitnet"}], ids=["factor", "divisor"])
def test_a_tied_head_that_has_no_codes_and_no_scale_is_refused(tmp_path: Path, quantisation: dict[str, Any]) -> None:
    write(tmp_path, {"quantization_config": {**quantisation, "modules_to_not_convert": ["norm"]}})
    found = problem(tmp_path)
    assert (found.file, found.key, found.wrong) == ("model/model.safetensors", "lm_head.weight", "is missing")
    assert found.expected == (
        "this tensor, or lm_head in modules_to_not_convert, which keeps the tied head in floating point"
    )


def test_a_head_that_is_missing_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"tie_word_embeddings": False})
    found = problem(tmp_path)
    assert (found.file, found.key, found.wrong) == ("model/model.safetensors", "lm_head.weight", "is missing")
    assert found.expected == "this tensor, or tie_word_embeddings: true in config.json"
