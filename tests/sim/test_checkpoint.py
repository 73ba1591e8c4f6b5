"""Damaged, incomplete and contradictory model folders: each is refused with the file and the tensor named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from bitjoule.energy_models.errors import InputError, Problem
from bitjoule.sim import loading
from bitjoule.sim.checkpoint import Checkpoint
from bitjoule.sim.engines import MatmulWeights, NumpyEngine
from bitjoule.sim.layers import Run
from bitjoule.sim.loading import load_model, unpack

UP = "model.layers.1.mlp.up_proj.weight"
SCALE = "model.layers.1.mlp.up_proj.weight_scale"
CONFIG = {
    "model_type": "bitnet", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 24, "vocab_size": 256, "tie_word_embeddings": True,
    "quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"},
}  # fmt: skip
LINEARS = {
    "self_attn.q_proj": (16, 16), "self_attn.k_proj": (8, 16), "self_attn.v_proj": (8, 16),
    "self_attn.o_proj": (16, 16), "mlp.gate_proj": (24, 16), "mlp.up_proj": (24, 16), "mlp.down_proj": (16, 24),
}  # fmt: skip
NORMS = {
    "input_layernorm": 16, "post_attention_layernorm": 16, "self_attn.attn_sub_norm": 16, "mlp.ffn_sub_norm": 24,
}  # fmt: skip
Tensors = dict[str, NDArray[Any]]


def pack(codes: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack as transformers does, rows of a multiple of four."""
    quarters = np.split((codes + 1).astype(np.uint8), 4)
    return np.bitwise_or.reduce([quarter << np.uint8(2 * place) for place, quarter in enumerate(quarters)])


def tensors_of(packed: bool, kind: str = "ternary") -> Tensors:
    rng = np.random.default_rng(0)
    made: Tensors = {
        "model.embed_tokens.weight": rng.normal(0, 1, (256, 16)).astype(np.float32),
        "model.norm.weight": np.ones(16, np.float32),
    }
    for layer in range(2):
        for name, width in NORMS.items():
            made[f"model.layers.{layer}.{name}.weight"] = np.ones(width, np.float32)
        for name, shape in LINEARS.items():
            stem = f"model.layers.{layer}.{name}"
            codes = rng.integers(-1, 2, shape, np.int8)
            if kind == "binary":
                codes = np.where(codes > 0, 1, -1).astype(np.int8)
            made[f"{stem}.weight"] = pack(codes) if packed else rng.normal(0, 1, shape).astype(np.float32)
            if packed:
                made[f"{stem}.weight_scale"] = np.array([0.5], np.float32)
    return made


def write(folder: Path, config: dict[str, Any] | None = None, tensors: Tensors | None = None) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | (config or {}), indent=1))
    save_file(tensors_of(packed=True) if tensors is None else tensors, folder / "model.safetensors")


def changed(name: str, change: Callable[[NDArray[Any]], NDArray[Any] | None], packed: bool = True) -> Tensors:
    made = tensors_of(packed)
    value = change(made.pop(name))
    return made if value is None else {**made, name: np.ascontiguousarray(value)}


def problem(folder: Path) -> Problem:
    with pytest.raises(InputError) as caught:
        load_model(folder, "model")
    (found,) = caught.value.problems
    return found


def put(value: float, at: tuple[int, ...]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def change(values: NDArray[Any]) -> NDArray[Any]:
        values[at] = value
        return values

    return change


ONLINE = {"quantization_config": {**CONFIG["quantization_config"], "quantization_mode": "online"}}  # type: ignore[dict-item]
BITLINEAR = {"quantization_config": {"quant_method": "bitnet"}}
FLOAT = {"quantization_config": None}


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
    logits = load_model(tmp_path).model.forward([1, 200], NumpyEngine())
    monkeypatch.setattr(loading, "_RESIDENT_VALUES", 0)
    np.testing.assert_allclose(load_model(tmp_path).model.forward([1, 200], NumpyEngine()), logits, atol=1e-5)


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
        (UP, lambda _: np.full((24, 16), 0.5, np.float32), "has 0.5 at [0, 0] and a weight_scale"),
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


def test_a_head_beside_a_tied_embedding_and_saved_rotary_buffers_change_nothing(tmp_path: Path) -> None:
    plain = tensors_of(packed=True)
    extra = {"lm_head.weight": np.ones((256, 16)), "model.layers.1.self_attn.rotary_emb.inv_freq": np.ones(2)}
    logits = []
    for tensors in (plain, plain | extra):
        write(tmp_path, tensors=tensors)
        logits.append(load_model(tmp_path).model.forward([1, 2], NumpyEngine()))
    np.testing.assert_array_equal(*logits)


@pytest.mark.parametrize(
    ("config", "generation", "stop"),
    [
        ({"eos_token_id": 7}, None, (7,)),
        ({"eos_token_id": [7, 9]}, {}, (7, 9)),
        ({"eos_token_id": 7}, {"eos_token_id": [8, 999]}, (8, 999)),
        ({"eos_token_id": None}, {"eos_token_id": 3}, (3,)),
    ],
)
def test_the_ids_that_end_a_text_are_read(tmp_path: Path, config: Any, generation: Any, stop: tuple[int, ...]) -> None:
    write(tmp_path, config)
    if generation is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps(generation))
    assert load_model(tmp_path).config.stop == stop


def test_an_unknown_architecture_is_told_those_that_run(tmp_path: Path) -> None:
    for name in ("mamba", "opt"):
        write(tmp_path, {"model_type": name})
        assert problem(tmp_path).expected == "one of bitnet, llama"


def test_a_key_is_said_once(tmp_path: Path) -> None:
    write(tmp_path, {"rms_norm_eps": 0})
    assert problem(tmp_path).wrong == "is 0"


@pytest.mark.parametrize("share", [0.999, 0.5, 0.1])
def test_a_truncated_file_names_a_tensor_beyond_its_end(tmp_path: Path, share: float) -> None:
    write(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    found = problem(tmp_path)
    assert found.file == "model/model.safetensors"
    if share > 0.2:  # less cuts the header
        assert found.key in tensors_of(packed=True)
        assert "after the file" in found.wrong


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, b"\x10" + bytes(7) + b"not JSON at all!", bytes(64)])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    write(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(content)
    assert problem(tmp_path).file == "model/model.safetensors"


def test_a_file_cut_short_while_the_model_runs_is_told(tmp_path: Path) -> None:
    write(tmp_path)
    model = load_model(tmp_path, resident=0).model
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(InputError, match="is cut short"):
        model.forward([1], NumpyEngine())


def sharded(folder: Path) -> dict[str, str]:
    write(folder)
    tensors = load_file(folder / "model.safetensors")
    places = {name: f"part-{index % 2}.safetensors" for index, name in enumerate(sorted(tensors))}
    for shard in set(places.values()):
        save_file({name: tensors[name] for name in tensors if places[name] == shard}, folder / shard)
    (folder / "model.safetensors").unlink()
    return places


def write_index(folder: Path, places: Any) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def test_a_missing_shard_is_named_with_a_tensor(tmp_path: Path) -> None:
    places = sharded(tmp_path)
    write_index(tmp_path, places)
    load_model(tmp_path)
    (tmp_path / "part-1.safetensors").unlink()
    found = problem(tmp_path)
    assert found.file == "model/part-1.safetensors"
    assert places[found.key] == "part-1.safetensors"


def test_a_tensor_that_is_not_in_its_shard_is_named(tmp_path: Path) -> None:
    places = sharded(tmp_path)
    write_index(tmp_path, {**places, UP: "part-1.safetensors" if "0" in places[UP] else "part-0.safetensors"})
    assert problem(tmp_path).key == UP


@pytest.mark.parametrize("places", [None, {}, [], {UP: 3}, {UP: "../part-0.safetensors"}])
def test_an_index_that_maps_nothing_or_outside_is_refused(tmp_path: Path, places: Any) -> None:
    sharded(tmp_path)
    write_index(tmp_path, places)
    assert problem(tmp_path).file == "model/model.safetensors.index.json"


@pytest.mark.parametrize("text", ["", "[", "3", "[" * 100_000])
def test_an_index_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    sharded(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(text)
    assert problem(tmp_path).file == "model/model.safetensors.index.json"


def test_a_folder_without_weights_or_no_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    assert problem(tmp_path).file == "model/model.safetensors"
    assert problem(tmp_path / "nothing").wrong == "is no folder"
    assert problem(tmp_path / "config.json").wrong == "is no folder"


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"model_type": "mamba"}, "model_type"),
        ({"model_type": "opt", "ffn_dim": 24}, "model_type"),
        ({"hidden_size": 17}, "num_attention_heads"),
        ({"head_dim": 5}, "head_dim"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"rms_norm_eps": 0}, "rms_norm_eps"),
        ({"rms_norm_eps": True}, "rms_norm_eps"),
        ({"rope_theta": "many"}, "rope_theta"),
        ({"eos_token_id": "</s>"}, "eos_token_id"),
        ({"eos_token_id": [True]}, "eos_token_id"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "rope_parameters"),
        ({"rope_scaling": {"type": "linear", "factor": 2}}, "rope_scaling"),
        ({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}, "rope_parameters"),
        ({"quantization_config": "bitnet"}, "quantization_config"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config"),
        ({"quantization_config": {"quant_method": "bitnet", "linear_class": "bit"}}, "quantization_config"),
        ({"quantization_config": {"quant_method": "bitnet", "linear_class": [1]}}, "quantization_config"),
        ({"quantization_config": {"quant_method": "bitnet", "modules_to_not_convert": ["("]}}, "quantization_config"),
        ({"quantization_config": {"quant_method": "bitnet", "modules_to_not_convert": 3}}, "quantization_config"),
        ({"bitjoule": {"weights": "quaternary"}}, "bitjoule"),
        ({"bitjoule": {"weights": ["float"]}}, "bitjoule"),
        ({"bitjoule": {"weights": "float"}}, "quantization_config"),
        ({"bitjoule": {"activations": "absmax_binary"}}, "bitjoule"),
        ({"bitjoule": {"activations": [1]}}, "bitjoule"),
        ({"bitjoule": {"tokenizer": "words"}}, "bitjoule.tokenizer"),
    ],
)
def test_a_configuration_that_cannot_be_run_is_refused_by_key(tmp_path: Path, config: dict[str, Any], key: str) -> None:
    write(tmp_path, config)
    found = problem(tmp_path)
    assert found.file == "model/config.json"
    assert found.key == key


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


def test_bfloat16_is_the_upper_half_of_float32(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 1, (3, 4)).astype(np.float32)
    upper = (values.view(np.uint32) >> 16).astype("<u2")
    header = json.dumps({"a": {"dtype": "BF16", "shape": [3, 4], "data_offsets": [0, 24]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + upper.tobytes())
    read = Checkpoint(tmp_path)
    np.testing.assert_array_equal(read.floats("a", (3, 4)).view(np.uint32) >> 16, upper)
    np.testing.assert_array_equal(read.float_rows("a", 1, 3), read.floats("a", (3, 4))[1:])
    np.testing.assert_allclose(read.floats("a", (3, 4)), values, rtol=2**-7)
