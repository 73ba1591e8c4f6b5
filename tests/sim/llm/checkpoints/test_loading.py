"""Model folders: what is read from them, and wrong and contradictory tensors, each refused with its name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bitjoule.sim.llm.checkpoints import reader
from bitjoule.sim.llm.checkpoints.loading import load_model, open_model
from bitjoule.sim.llm.checkpoints.weights import unpack
from bitjoule.sim.llm.engines import MatmulWeights, NumpyEngine
from bitjoule.sim.llm.linears import Run
from bitjoule.sim.llm.model import Model
from tests.sim.folders import BITLINEAR, FLOAT, ONLINE, SCALE, UP, changed, pack, problem, put, tensors_of, write


@pytest.mark.parametrize("config", [{}, ONLINE, BITLINEAR, FLOAT], ids=["packed", "unpacked", "bitlinear", "float"])
def test_a_whole_folder_is_read(tmp_path: Path, config: dict[str, Any]) -> None:
    write(tmp_path, config, tensors_of(packed=config not in (ONLINE, FLOAT)))
    assert np.isfinite(load_model(tmp_path).model.forward([1, 2, 3], NumpyEngine())).all()


@pytest.mark.parametrize("tied", [True, False])
def test_tables_that_stay_in_their_file_give_the_same_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tied: bool
) -> None:
    tensors = tensors_of(packed=True)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"][::-1].astype(np.float16)
    write(tmp_path, {"tie_word_embeddings": tied}, tensors)

    def read(folder: Path) -> Model:
        return open_model(folder).read(warn=lambda _: None)

    logits = read(tmp_path).forward([1, 200], NumpyEngine())
    monkeypatch.setattr(reader, "_RESIDENT_VALUES", 0)
    np.testing.assert_allclose(read(tmp_path).forward([1, 200], NumpyEngine()), logits, atol=1e-5)


def test_packed_codes_come_back_in_the_order_of_transformers() -> None:
    codes = np.random.default_rng(1).integers(-1, 2, (12, 5), np.int8)
    np.testing.assert_array_equal(unpack(pack(codes), 12), codes)
    np.testing.assert_array_equal(unpack(pack(codes), 10), codes[:10])


@pytest.mark.parametrize(
    ("name", "change", "wrong"),
    [
        (UP, lambda _: None, "is missing"),
        (SCALE, lambda _: None, "is missing"),
        ("model.norm.weight", lambda _: None, "is missing"),
        ("model.embed_tokens.weight", lambda _: None, "is missing"),
        ("model.layers.0.self_attn.attn_sub_norm.weight", lambda _: None, "is missing"),
        (UP, lambda values: values.astype(np.int16), "holds I16"),
        (UP, lambda values: values[:-1], "has shape [5, 16]"),
        (UP, lambda values: values.T, "has shape [16, 6]"),
        (UP, lambda values: values.ravel(), "has shape [96]"),
        (UP, put(0b00001100, (2, 3)), "has the code 3 at [8, 3]"),
        (
            UP,
            lambda _: put(-1.0, (3, 2))(np.full((24, 16), 0.5, np.float32)),
            "has 0.5 at [3, 0] and 1.0 in the same row",
        ),
        (SCALE, put(np.nan, (0,)), "holds nan"),
        (SCALE, put(-1.0, (0,)), "is -1.0"),
        (SCALE, lambda _: np.ones(2, np.float32), "has shape [2]"),
        (SCALE, lambda values: values.astype(np.int32), "holds I32"),
        ("model.norm.weight", put(np.inf, (7,)), "holds inf"),
        ("model.norm.weight", lambda values: values.astype(np.float64) * 1e300, "holds inf in float32"),
        ("model.embed_tokens.weight", put(np.nan, (255, 15)), "holds nan"),
        ("model.embed_tokens.weight", lambda values: values[:100], "has shape [100, 16]"),
        ("model.embed_tokens.weight", lambda values: values.astype(np.uint8), "holds U8"),
    ],
)
def test_a_wrong_tensor_is_named(
    tmp_path: Path, name: str, change: Callable[[NDArray[Any]], NDArray[Any] | None], wrong: str
) -> None:
    write(tmp_path, tensors=changed(name, change))
    found = problem(tmp_path)
    assert (found.file, found.key) == ("model/model.safetensors", name)
    assert found.wrong.startswith(wrong)


@pytest.mark.parametrize(
    ("config", "value", "wrong"), [(ONLINE, np.nan, "holds nan"), (ONLINE, -np.inf, "holds -inf"), (FLOAT, np.nan, "")]
)
def test_unpacked_weights_must_be_finite(tmp_path: Path, config: dict[str, Any], value: float, wrong: str) -> None:
    write(tmp_path, config, changed(UP, put(value, (3, 3)), packed=False))
    found = problem(tmp_path)
    assert found.key == UP
    assert found.wrong.startswith(wrong)


def test_packed_weights_are_refused_where_floats_are_announced_and_the_other_way_round(tmp_path: Path) -> None:
    write(tmp_path / "packed", ONLINE, tensors_of(packed=True))
    write(tmp_path / "floats", BITLINEAR, tensors_of(packed=True) | tensors_of(packed=False))
    assert problem(tmp_path / "packed").wrong == "holds U8"
    assert problem(tmp_path / "floats").wrong == "holds F32"


def test_a_divisor_of_zero_is_refused(tmp_path: Path) -> None:
    write(tmp_path, BITLINEAR, changed(SCALE, put(0.0, (0,))))
    assert problem(tmp_path).key == SCALE


@pytest.mark.parametrize("name", ["model.layers.2.mlp.up_proj.weight", "model.layers.0.self_attn.q_proj.bias"])
def test_a_tensor_that_the_model_would_run_without_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, tensors={**tensors_of(packed=True), name: np.ones(16, np.float32)})
    found = problem(tmp_path)
    assert (found.key, found.wrong) == (name, "is not used by this model")


def test_a_head_that_equals_the_tied_embedding_and_saved_rotary_buffers_change_nothing(tmp_path: Path) -> None:
    plain = tensors_of(packed=True)
    head = plain["model.embed_tokens.weight"].astype(np.float64)
    extra = {"lm_head.weight": head, "model.layers.1.self_attn.rotary_emb.inv_freq": np.ones(2)}
    logits = []
    for tensors in (plain, plain | extra):
        write(tmp_path, tensors=tensors)
        logits.append(load_model(tmp_path).model.forward([1, 2], NumpyEngine()))
    np.testing.assert_array_equal(*logits)


def test_float_weights_are_quantised_as_the_folder_or_the_caller_says(tmp_path: Path) -> None:
    write(tmp_path / "binary", {**FLOAT, "bitjoule": {"weights": "binary"}}, tensors_of(packed=False))
    write(tmp_path / "plain", FLOAT, tensors_of(packed=False))
    linear = load_model(tmp_path / "binary").model.blocks(0).linears["q_proj"]
    assert isinstance(linear.weights, MatmulWeights)
    assert set(np.unique(linear.weights.codes)) == {-1, 1}
    assert isinstance(load_model(tmp_path / "plain").model.blocks(0).linears["q_proj"].weights, np.ndarray)
    ternary = load_model(tmp_path / "plain", weights="ternary").model.blocks(0).linears["q_proj"]
    assert isinstance(ternary.weights, MatmulWeights)
    assert set(np.unique(ternary.weights.codes)) == {-1, 0, 1}


@pytest.mark.parametrize(
    ("config", "largest"),
    [
        ({**FLOAT, "bitjoule": {"weights": "binary"}}, 128),  # BitNet's Q = 128, clipped to 127
        ({**FLOAT, "bitjoule": {"weights": "binary", "activations": "absmax"}}, 127),
        ({"bitjoule": {"weights": "binary"}}, 127),  # bitnet, to transformers, is absmax
    ],
)
def test_activations_beside_binary_weights_are_quantised_as_stated(
    tmp_path: Path, config: dict[str, Any], largest: int
) -> None:
    write(tmp_path, config, tensors_of(packed=True, kind="binary"))
    linear = load_model(tmp_path).model.blocks(0).linears["q_proj"]
    x = np.full((1, 16), 63.2, np.float32)
    x[0, 0] = 127
    codes = []

    class Keeping:
        def matmul(self, name: str, activations: Any, weights: MatmulWeights) -> Any:
            codes.append(activations)
            return NumpyEngine().matmul(name, activations, weights)

    linear(x, Run(Keeping()))
    assert codes[0][0].tolist() == [127] + 15 * [round(63.2 * largest / 127)]


@pytest.mark.parametrize(
    ("config", "factor"),
    [({}, 0.5), (BITLINEAR, 1), (ONLINE, 1), (FLOAT, 1)],
    ids=["packed", "bitlinear", "unpacked", "float"],
)
def test_the_stored_scale_is_the_biases_too_where_transformers_multiplies_the_whole_output(
    tmp_path: Path, config: dict[str, Any], factor: float
) -> None:
    """AutoBitLinear scales `linear(x, weight, bias)`; BitLinear divides before it adds the bias. The scale is 0.5."""
    tensors = tensors_of(packed=config not in (ONLINE, FLOAT))
    biases = {}
    for letter, width in {"q": 16, "k": 8, "v": 8, "o": 16}.items():
        biases[f"{letter}_proj"] = np.arange(width, dtype=np.float32) - 3
        for layer in range(2):
            tensors[f"model.layers.{layer}.self_attn.{letter}_proj.bias"] = biases[f"{letter}_proj"]
    write(tmp_path, {"attention_bias": True, **config}, tensors)
    linears = load_model(tmp_path).model.blocks(1).linears
    for name, bias in biases.items():
        found = linears[name].bias
        assert found is not None
        np.testing.assert_array_equal(found, bias * np.float32(factor))


def test_packed_binary_weights_have_no_zeros(tmp_path: Path) -> None:
    write(tmp_path, {**FLOAT, "bitjoule": {"weights": "binary"}})
    assert problem(tmp_path).wrong.startswith("has a zero at")


def test_the_names_of_the_reproduction_are_read(tmp_path: Path) -> None:
    names = {"attn_sub_norm": "inner_attn_ln", "ffn_sub_norm": "ffn_layernorm"}
    tensors = {}
    for name, values in tensors_of(packed=False).items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        tensors[name] = values
    config = {**FLOAT, "model_type": "llama", "hidden_act": "silu", "weight_bits": 1, "input_bits": 8}
    write(tmp_path, config, tensors)
    block = load_model(tmp_path).model.blocks(0)
    assert {"attention_sub", "ffn_sub"} < set(block.norms)
    assert isinstance(block.linears["q_proj"].weights, MatmulWeights)
