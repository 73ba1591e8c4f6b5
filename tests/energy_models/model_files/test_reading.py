"""Files as models and as schemes: their bytes, as the gguf package and safetensors wrote them."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

from bitjoule.energy_models.catalog import entry, entry_of_file
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.model_files.hub import hint, hub_name, preset_of
from bitjoule.energy_models.model_files.reading import model_file, read_model, read_scheme, recorded, stored_in
from bitjoule.energy_models.model_files.stored import by_type
from tests.energy_models.model_files.gguf_files import write_gguf

TYPES = gguf.GGMLQuantizationType
HIDDEN, FFN, VOCABULARY = 256, 512, 96
KEYS = {
    "llama.block_count": 1, "llama.embedding_length": HIDDEN, "llama.attention.head_count": 4,
    "llama.feed_forward_length": FFN, "llama.attention.layer_norm_rms_epsilon": 1e-5,
}  # fmt: skip
MATRICES = {
    "attn_q": (HIDDEN, HIDDEN), "attn_k": (HIDDEN, HIDDEN), "attn_v": (HIDDEN, HIDDEN), "attn_output": (HIDDEN, HIDDEN),
    "ffn_gate": (FFN, HIDDEN), "ffn_up": (FFN, HIDDEN), "ffn_down": (HIDDEN, FFN),
}  # fmt: skip
WEIGHTS = 4 * HIDDEN**2 + 3 * HIDDEN * FFN


def llama(path: Path, kind: TYPES, down: TYPES | None = None, table: TYPES = TYPES.Q8_0, head: bool = False) -> Path:
    """A model of one layer whose matrices are of one type, the last of another."""
    rng = np.random.default_rng(0)
    tensors: dict[str, Any] = {
        f"blk.0.{name}.weight": (rng.normal(size=shape).astype(np.float32), down or kind if "down" in name else kind)
        for name, shape in MATRICES.items()
    }
    tensors["token_embd.weight"] = (rng.normal(size=(VOCABULARY, HIDDEN)).astype(np.float32), table)
    if head:
        tensors["output.weight"] = (rng.normal(size=(VOCABULARY, HIDDEN)).astype(np.float32), TYPES.F16)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        tensors[f"{name}.weight"] = np.ones(HIDDEN, np.float32)
    return write_gguf(path, "llama", KEYS, tensors)


@pytest.mark.parametrize("kind", [TYPES.TQ1_0, TYPES.TQ2_0, TYPES.Q8_0, TYPES.Q4_0, TYPES.F16, TYPES.BF16, TYPES.F32])
def test_bytes_are_those_of_the_file(tmp_path: Path, kind: TYPES) -> None:
    path = llama(tmp_path / "m.gguf", kind, head=True)
    read = gguf.GGUFReader(path)
    stored = stored_in(path)
    assert {tensor.name: tensor.bytes for tensor in stored} == {t.name: t.n_bytes for t in read.tensors}
    block, size = gguf.GGML_QUANT_SIZES[kind]
    assert by_type(stored)[0] == ("weights", kind.name, 7, WEIGHTS, WEIGHTS // block * size)
    scheme = read_scheme(path)
    assert scheme.stored("weight_storage").bits * WEIGHTS == 8 * WEIGHTS // block * size
    assert scheme.stored("embedding").bits == 8 * 34 / 32  # Q8_0: 32 values and a half-precision scale
    assert scheme.stored("lm_head").bits == 16
    assert read_model(path).parameters == sum(t.n_elements for t in read.tensors)


def test_the_storage_of_several_types_is_their_sum(tmp_path: Path) -> None:
    path = llama(tmp_path / "m.gguf", TYPES.TQ2_0, TYPES.Q8_0)
    scheme = read_scheme(path)
    down = HIDDEN * FFN
    assert scheme.stored("weight_storage").bits * WEIGHTS == pytest.approx(
        8 * ((WEIGHTS - down) / 256 * 66 + down / 32 * 34), rel=1e-14
    )
    assert (scheme.weights, scheme.activations, scheme.attention, scheme.rescale) == ("ternary", "int8", "fp16", "fp16")
    assert scheme.lm_head is None  # the table's
    assert scheme.description == "weights and tables as m.gguf stores them (weights: Q8_0, TQ2_0)"


def test_unpacking_of_base_three_is_that_of_five_trits_a_byte(tmp_path: Path) -> None:
    storage = read_scheme(llama(tmp_path / "m.gguf", TYPES.TQ1_0)).stored("weight_storage")
    assert storage.unpack["add int8"] / storage.values == pytest.approx((48 * 4 + 4 * 3) / 256)
    shipped = schemes()["bitnet-b1.58-5in8"].stored("weight_storage")
    assert storage.unpack["add int8"] / storage.values == pytest.approx(
        shipped.unpack["add int8"] / shipped.values, rel=0.005
    )


@pytest.mark.parametrize(
    ("kind", "formats"),
    [(TYPES.F16, ("fp16", "fp16", None)), (TYPES.BF16, ("bf16", "bf16", None)), (TYPES.F32, ("fp32", "fp32", None)),
     (TYPES.Q8_0, ("int8", "int8", "fp16")), (TYPES.Q4_0, ("int4", "int8", "fp16"))],
)  # fmt: skip
def test_formats_of_a_scheme(tmp_path: Path, kind: TYPES, formats: tuple[str, str, str | None]) -> None:
    scheme = read_scheme(llama(tmp_path / "m.gguf", kind))
    assert (scheme.weights, scheme.activations, scheme.rescale) == formats


def test_the_file_of_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"models:1: file: holds no config\.json and no GGUF file; expected a c"):
        read_model(tmp_path, "models")
    first = llama(tmp_path / "a.gguf", TYPES.F16)
    assert model_file(tmp_path) == first
    assert read_model(tmp_path) == read_model(first)
    llama(tmp_path / "b.gguf", TYPES.F16)
    with pytest.raises(InputError, match=r"models:1: file: holds 2 GGUF files; expected one of a\.gguf, b\.gguf"):
        read_model(tmp_path, "models")


def test_recorded_is_the_header(tmp_path: Path) -> None:
    path = llama(tmp_path / "m.gguf", TYPES.F16)
    before = recorded(path)
    assert before[0] == " (header)"
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    assert recorded(path) == before
    assert recorded(llama(tmp_path / "n.gguf", TYPES.BF16)) != before


def test_shown(tmp_path: Path) -> None:
    table = entry_of_file("models", llama(tmp_path / "m.gguf", TYPES.TQ2_0)).table
    assert table is not None
    assert table.rows[0] == ("weights", "TQ2_0", 7, WEIGHTS, WEIGHTS // 256 * 66, "2.0625")
    assert table.rows[-1][0] == "total"
    assert table.rows[-1][4] == sum(int(str(row[4])) for row in table.rows[:-1])
    assert entry_of_file("models", Path("Qwen/Qwen3-0.6B")).fields["layers"] == 28


@pytest.mark.parametrize(
    ("text", "name", "preset"),
    [
        ("microsoft/bitnet-b1.58-2B-4T", "bitnet-b1.58-2B-4T", "bitnet-b1.58-2b-4t"),
        ("Qwen/Qwen3-0.6B", "Qwen3-0.6B", "qwen3-0.6b"),
        ("Microsoft/phi-4-reasoning", "phi-4-reasoning", "phi-4"),
        ("Qwen/Qwen3-0.7B", "Qwen3-0.7B", None),
        ("./qwen3-0.6b", None, None),
        ("a/b/qwen3-0.6b", None, None),
        ("a/qwen3-0.6b.json", None, None),
        ("qwen3-0.6b", None, None),
    ],
)
def test_names_of_the_hub(text: str, name: str | None, preset: str | None) -> None:
    assert (hub_name(text), preset_of(text)) == (name, preset)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Qwen/Qwen3-0.7B", " (other sizes ship: 'qwen3-0.6b', 'qwen3-1.7b', 'qwen3-4b')"),
        ("Qwen/Qwen3-31B-A4B", " (other sizes ship: 'qwen3-30b-a3b', 'qwen3-235b-a22b')"),
        ("Qwen/Qwen3-31B", " (other sizes ship: 'qwen3-32b', 'qwen3-14b', 'qwen3-8b')"),  # not a mixture of 30B
        ("a/Llama-3-9B", " (other sizes ship: 'llama-3-8b', 'llama-3-70b')"),
        ("HuggingFaceTB/SmolLM2-1B", " (other sizes ship: 'smollm2-1.7b', 'smollm2-360m', 'smollm2-135m')"),
        ("Qwen/Qwen3-0.6", " (did you mean 'qwen3-0.6b'?)"),
        ("nobody/nothing", ""),
        ("nothing", ""),
    ],
)
def test_another_size_is_named_as_one(text: str, expected: str) -> None:
    assert hint(text) == expected


@pytest.mark.parametrize("name", ["a-folder", "llama-3"])
def test_a_directory_whose_name_is_no_entrys_is_written_as_a_path(tmp_path: Path, monkeypatch: Any, name: str) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    for kind in ("models", "schemes"):
        with pytest.raises(InputError) as error:
            entry(kind, name)
        assert f"unknown name '{name}' (the directory '{name}' is written './{name}'); expected one of" in str(
            error.value
        )
    with pytest.raises(InputError) as error:
        entry("storages", name)
    assert "directory" not in str(error.value)


def test_a_name_on_the_hub_that_no_preset_has(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        entry_of_file("models", Path("Qwen/Qwen3-0.7B"))
    assert str(error.value).startswith("show:1: models: 'Qwen/Qwen3-0.7B' not found (other sizes ship: 'qwen3-0.6b', ")


CONFIG = {
    "model_type": "bitnet", "architectures": ["BitNetForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100,
    "tie_word_embeddings": True,
}  # fmt: skip
LINEARS = {
    "q": (64, 64),
    "k": (32, 64),
    "v": (32, 64),
    "o": (64, 64),
    "gate": (128, 64),
    "up": (128, 64),
    "down": (64, 128),
}
TERNARY = 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 128)


def folder(path: Path, config: dict[str, Any], packed: bool, further: dict[str, Any] | None = None) -> Path:
    """A checkpoint of BitNet as transformers writes it, packed or in half precision."""
    tensors: dict[str, Any] = {"model.embed_tokens.weight": np.zeros((100, 64), np.float16)}
    tensors["model.norm.weight"] = np.ones(64, np.float16)
    for i in range(2):
        for name, (rows, columns) in LINEARS.items():
            part = "mlp" if name in ("gate", "up", "down") else "self_attn"
            at = f"model.layers.{i}.{part}.{name}_proj"
            if packed:
                tensors[f"{at}.weight"] = np.zeros((rows // 4, columns), np.uint8)
                tensors[f"{at}.weight_scale"] = np.ones(1, np.float16)
            else:
                tensors[f"{at}.weight"] = np.zeros((rows, columns), np.float16)
        for name, width in {"input_layernorm": 64, "post_attention_layernorm": 64, "self_attn.attn_sub_norm": 64,
                            "mlp.ffn_sub_norm": 128}.items():  # fmt: skip
            tensors[f"model.layers.{i}.{name}.weight"] = np.ones(width, np.float16)
    (path / "config.json").write_text(json.dumps({**CONFIG, **config}))
    save_file({**tensors, **(further or {})}, path / "model.safetensors")
    return path


PACKED = {
    "quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}
}


def test_packed_trits(tmp_path: Path) -> None:
    path = folder(tmp_path, PACKED, packed=True)
    rows = by_type(stored_in(path))
    assert rows[0] == ("weights", "U8, 4 trits a byte", 14, TERNARY, TERNARY // 4)
    assert rows[1] == ("weights", "F16", 14, 0, 28)  # the scales
    assert "parameters" not in read_model(path).note
    scheme = read_scheme(path)
    assert (scheme.weights, scheme.stored("embedding").bits) == ("ternary", 16)
    assert scheme.stored("weight_storage").bits * TERNARY == pytest.approx(8 * (TERNARY // 4 + 28))


def test_trits_in_half_precision_and_linears_that_are_kept(tmp_path: Path) -> None:
    listed = {**PACKED["quantization_config"], "quantization_mode": "online", "modules_to_not_convert": ["down_proj"]}
    path = folder(tmp_path, {"quantization_config": listed}, packed=False)
    held = {tensor.name.split(".")[-2]: tensor.holds for tensor in stored_in(path) if tensor.part == "weights"}
    assert held == {**dict.fromkeys((f"{name}_proj" for name in LINEARS), "ternary"), "down_proj": "fp16"}
    assert read_model(path).note.endswith("; not ternary: model.layers.N.mlp.down_proj.weight")
    assert (read_scheme(path).weights, read_scheme(path).stored("weight_storage").bits) == ("ternary", 16)


@pytest.mark.parametrize("packed", [True, False])
def test_each_kind_of_linear_that_is_kept_is_named_once(tmp_path: Path, packed: bool) -> None:
    """The head of its own, which transformers always keeps, and what `modules_to_not_convert` lists."""
    listed = {**PACKED["quantization_config"], "modules_to_not_convert": ["o_proj", "gate_proj"]}
    kept = {} if packed else {"o": "self_attn", "gate": "mlp"}
    config = {"quantization_config": listed, "tie_word_embeddings": False}
    path = folder(tmp_path, config, packed, {"lm_head.weight": np.zeros((100, 64), np.float16)})
    note = read_model(path).note.split("; not ternary: ")[1]
    names = [f"model.layers.N.{part}.{name}_proj.weight" for name, part in kept.items()]
    assert sorted(note.split(", ")) == sorted(["lm_head.weight", *names])


def test_parameters_that_the_config_does_not_describe(tmp_path: Path) -> None:
    head = {"lm_head.weight": np.zeros((100, 64), np.float16)}
    note = read_model(folder(tmp_path, PACKED, True, head)).note
    assert "its tensors hold 6400 parameters more than config.json describes: lm_head.weight" in note
    note = read_model(folder(tmp_path, {**PACKED, "model_type": "llama"}, True)).note
    assert "hold 384 parameters more than config.json describes (other +384)" in note
    assert not read_model(folder(tmp_path, PACKED, True)).note.count("parameters")


def test_damaged_folder(tmp_path: Path) -> None:
    path = folder(tmp_path, PACKED, packed=True)
    tensors = path / "model.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"m/model.safetensors:1: file: .*expected a complete safetensors file"):
        read_model(path, "m")
    tensors.unlink()
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "b.safetensors"}}))
    with pytest.raises(InputError, match=r"b\.safetensors:1: file: does not exist; expected a shard listed in"):
        read_model(path)
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../b.safetensors"}}))
    wrong = "weight_map: is missing or names no files of this directory; expected the shard of every tensor"
    with pytest.raises(InputError, match=rf"^m/model\.safetensors\.index\.json:1: {wrong}$"):
        read_model(path, "m")
    (path / "model.safetensors.index.json").unlink()
    with pytest.raises(InputError, match="file: holds no weights of a known format; expected a file with a model's"):
        read_scheme(path)
