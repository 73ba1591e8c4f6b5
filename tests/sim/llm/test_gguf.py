"""Models in GGUF files against transformers, given the values that the file's own types hold."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

pytest.importorskip("gguf")

from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.energy_models.model_files.gguf_header import read_gguf
from bitjoule.sim.llm.checkpoints.gguf_checkpoint import GgufCheckpoint
from bitjoule.sim.llm.checkpoints.loading import load_model, open_model
from bitjoule.sim.llm.engines import MatmulRecord, MatmulWeights
from bitjoule.sim.llm.linears import GroupedWeights, Run
from bitjoule.sim.llm.model import Model
from bitjoule.sim.llm.rope import Rope
from bitjoule.sim.llm.tokenizer import UnknownTextError
from tests.sim.checkpoints import CLEAR, ENGINE, OFFLINE, SHAPES, assert_same, expected, make, nearest_tie
from tests.sim.gguf_models import by_package, interleaved, plain, q1_0, write_folder, write_model
from tests.sim.llm.test_tokenizer import sentencepiece_like

WIDE = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 1, "num_attention_heads": 4,
        "num_key_value_heads": 2}  # fmt: skip
HALF = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 8,
        "num_key_value_heads": 4}  # fmt: skip
QUANTISED = {
    "TQ1_0": ("llama", "llama", WIDE, by_package("TQ1_0"), {}),
    "TQ2_0": ("qwen2", "qwen2", WIDE, by_package("TQ2_0"), {"tie_word_embeddings": True}),
    "Q1_0": ("qwen3", "qwen3", HALF, q1_0, {"head_dim": 16}),
    "Q1_0, one group": ("llama", "llama", {**HALF, "intermediate_size": 128}, q1_0, {"attention_bias": True}),
    "TQ2_0, SubLN": ("bitnet", "bitnet-b1.58", WIDE, by_package("TQ2_0"), {"tie_word_embeddings": True}),
}


def loaded_and_expected(
    hf: Any, folder: Path, family: str, architecture: str, shape: dict[str, int], quantise: Any, **options: Any
) -> tuple[Model, Any]:
    """Return our model of the GGUF file and transformers' logits of its values, of a seed that keeps clear of ties."""
    for seed in range(100):
        make(hf, folder, family, shape, seed, **options)
        held = write_model(folder, folder / "model.gguf", architecture, quantise)
        model = load_model(folder / "model.gguf").model
        if nearest_tie(model) > CLEAR:
            write_folder(folder, held, OFFLINE)
            return model, expected(hf, folder)
    raise AssertionError("every seed comes near a tie")


@pytest.mark.slow
@pytest.mark.parametrize(("family", "architecture", "shape", "quantise", "options"), QUANTISED.values(), ids=QUANTISED)
def test_logits_are_those_of_the_files_own_values(
    hf: Any, tmp_path: Path, family: str, architecture: str, shape: dict[str, int], quantise: Any,
    options: dict[str, Any],
) -> None:  # fmt: skip
    assert_same(*loaded_and_expected(hf, tmp_path, family, architecture, shape, quantise, **options))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_float_files_give_the_logits_of_the_folder(hf: Any, tmp_path: Path, family: str) -> None:
    make(hf, tmp_path, family, {**SHAPES["grouped queries"], "head_dim": 8})
    write_model(tmp_path, tmp_path / "model.gguf", family, plain)
    opened = load_model(tmp_path / "model.gguf")
    assert opened.config.weights == "float"
    assert_same(opened.model, expected(hf, tmp_path))


def problem(path: Path, weights: Any = None) -> Problem:
    """Return what reading a file says is wrong with it."""
    with pytest.raises(InputError) as caught:
        open_model(path, "model.gguf", weights).read(warn=lambda _: None)
    (found,) = caught.value.problems
    return found


def random_folder(folder: Path, shape: dict[str, int], **config: Any) -> None:
    """Write a folder of random floats in the layout of llama, without transformers."""
    rng = np.random.default_rng(5)
    hidden, ffn, head_dim = shape["hidden_size"], shape["intermediate_size"], shape["head_dim"]
    rows = {"q": shape["num_attention_heads"] * head_dim, "k": shape["num_key_value_heads"] * head_dim}
    sizes = {
        "self_attn.q_proj": (rows["q"], hidden), "self_attn.k_proj": (rows["k"], hidden),
        "self_attn.v_proj": (rows["k"], hidden), "self_attn.o_proj": (hidden, rows["q"]),
        "mlp.gate_proj": (ffn, hidden), "mlp.up_proj": (ffn, hidden), "mlp.down_proj": (hidden, ffn),
    }  # fmt: skip
    made = {"model.embed_tokens.weight": rng.normal(0, 1, (60, hidden)), "model.norm.weight": np.ones(hidden)}
    made["lm_head.weight"] = rng.normal(0, 1, (60, hidden))
    for layer in range(shape["num_hidden_layers"]):
        stem = f"model.layers.{layer}"
        made |= {f"{stem}.{name}.weight": rng.normal(0, 1, size) for name, size in sizes.items()}
        made |= {f"{stem}.{norm}.weight": np.ones(hidden) for norm in ("input_layernorm", "post_attention_layernorm")}
    plain_keys = {"rms_norm_eps": 1e-5, "rope_parameters": {"rope_theta": 1e4}, "max_position_embeddings": 64}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(
        json.dumps({"model_type": "llama", "vocab_size": 60, **plain_keys, **shape, **config})
    )
    save_file({name: values.astype(np.float32) for name, values in made.items()}, folder / "model.safetensors")


ONE = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 1, "num_attention_heads": 4,
       "num_key_value_heads": 2, "head_dim": 64}  # fmt: skip


def test_each_block_of_a_row_is_a_matmul_of_its_own(tmp_path: Path) -> None:
    random_folder(tmp_path, ONE)
    write_model(tmp_path, tmp_path / "model.gguf", "llama", q1_0)
    model = load_model(tmp_path / "model.gguf").model
    weights = model.blocks(0).linears["ffn_down"].weights
    assert isinstance(weights, GroupedWeights)
    assert [group.codes.shape for group in weights.groups] == 4 * [(128, 256)]
    seen: list[MatmulRecord] = []
    model.forward([1, 2, 3], ENGINE, observe=seen.append)
    down = [(record.m, record.k, record.n, record.groups) for record in seen if record.name == "ffn_down"]
    assert down == 4 * [(3, 128, 256, 4)]


def test_blocks_of_one_scale_are_one_matmul(tmp_path: Path) -> None:
    """As BitNet's converter writes trits: every block of a matrix has the scale of the matrix; zeros have none."""
    random_folder(tmp_path, ONE)
    rng = np.random.default_rng(6)

    def quantise(name: str, values: Any) -> tuple[int, bytes, Any]:
        trits = rng.integers(-1, 2, values.shape).astype(np.float32)
        if "ffn_up" in name:
            trits[3, :256] = 0
        row = np.linspace(1, 2, len(trits), dtype=np.float32)[:, np.newaxis] if "ffn_gate" in name else 0.5
        return by_package("TQ1_0")(name, trits * row)

    write_model(tmp_path, tmp_path / "model.gguf", "qwen2", quantise, {"qwen2.rope.scaling.type": "none"})
    linears = load_model(tmp_path / "model.gguf").model.blocks(0).linears
    for name, scales in {"q_proj": 1, "ffn_up": 1, "ffn_down": 1, "ffn_gate": 512}.items():
        weights = linears[name].weights
        assert isinstance(weights, MatmulWeights)
        assert len(weights.quantised.scale) == scales
    assert linears["ffn_up"].weights.quantised.scale.tolist() == [0.5]  # type: ignore[union-attr]


def test_a_type_with_one_scale_behind_a_tensor_is_one_matmul(tmp_path: Path) -> None:
    """I2_S, the type of bitnet.cpp: of 128 trits byte i holds those at i, i + 32, i + 64 and i + 96, the first highest.

    `ONE` has linears that are longer than wide, and the other way round.
    """
    random_folder(tmp_path, ONE)
    scales = {"attn_q": 0.5, "ffn_up": 0.25, "ffn_down": 2.0}

    def i2_s(name: str, values: Any) -> tuple[int, bytes, Any]:
        trits = np.sign(values) * (np.abs(values) > 0.5)
        scale = np.float32(scales.get(name.split(".")[-2], 1.0))
        parts = (trits.astype(np.int8) + 1).astype(np.uint8).reshape(-1, 4, 32)
        packed = parts[:, 0] << 6 | parts[:, 1] << 4 | parts[:, 2] << 2 | parts[:, 3]
        return 36, packed.tobytes() + scale.tobytes() + bytes(28), trits

    trits = write_model(tmp_path, tmp_path / "model.gguf", "qwen2", i2_s)
    linears = load_model(tmp_path / "model.gguf").model.blocks(0).linears
    places = {"q_proj": ("self_attn.q_proj", "attn_q"), "ffn_up": ("mlp.up_proj", "ffn_up"),
              "ffn_down": ("mlp.down_proj", "ffn_down")}  # fmt: skip
    for name, (stem, in_file) in places.items():
        weights = linears[name].weights
        assert isinstance(weights, MatmulWeights)
        assert weights.quantised.scale.tolist() == [scales[in_file]]
        np.testing.assert_array_equal(weights.codes.T, trits[f"model.layers.0.{stem}.weight"])
    checkpoint = GgufCheckpoint(read_gguf(tmp_path / "model.gguf"), heads=4, kv_heads=2)
    name = "model.layers.0.mlp.up_proj.weight"
    np.testing.assert_array_equal(checkpoint.float_rows(name, 300, 303), 0.25 * trits[name][300:303])


def test_a_bitnet_file_may_have_its_scales_in_tensors_of_their_own(tmp_path: Path) -> None:
    random_folder(tmp_path, ONE)
    plain_path, scaled_path = tmp_path / "plain.gguf", tmp_path / "scaled.gguf"
    for path, scales in ((plain_path, {}), (scaled_path, {"blk.0.ffn_up.scale": 3.0})):
        write_model(tmp_path, path, "qwen2", by_package("TQ2_0"), more=scales)
    plainly, scaled = (load_model(path).model.blocks(0).linears["ffn_up"] for path in (plain_path, scaled_path))
    x = np.random.default_rng(1).normal(size=(2, 256)).astype(np.float32)
    np.testing.assert_allclose(scaled(x, Run(ENGINE)), 3 * plainly(x, Run(ENGINE)), rtol=1e-6)


def test_queries_and_keys_of_llama_come_back_in_transformers_order(tmp_path: Path) -> None:
    """Rows 0, 1, 2, 3, ... of a head of 64 stand in the file as 0, 32, 1, 33, ..."""
    assert interleaved(np.arange(8), 1).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    random_folder(tmp_path, ONE)
    for architecture in ("llama", "qwen2"):
        held = write_model(tmp_path, tmp_path / f"{architecture}.gguf", architecture, plain)
        linears = load_model(tmp_path / f"{architecture}.gguf").model.blocks(0).linears
        for name in ("q_proj", "k_proj", "v_proj"):
            np.testing.assert_array_equal(linears[name].weights.T, held[f"model.layers.0.self_attn.{name}.weight"])  # type: ignore[union-attr]


def test_frequencies_are_divided_as_the_file_says(tmp_path: Path) -> None:
    random_folder(tmp_path, ONE)
    divisors = np.linspace(1, 8, 32, dtype=np.float32)
    path = tmp_path / "model.gguf"
    write_model(tmp_path, path, "llama", plain, more={"rope_freqs.weight": divisors})
    rope = load_model(path).config.rope
    np.testing.assert_allclose(rope.frequencies(64) * divisors, Rope(1e4).frequencies(64), rtol=1e-6)
    scaling = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    write_model(tmp_path, path, "llama", plain, scaling)
    np.testing.assert_allclose(load_model(path).config.rope.frequencies(64) * 4, Rope(1e4).frequencies(64), rtol=1e-6)


def test_floating_point_weights_of_a_file_are_quantised_on_request(tmp_path: Path) -> None:
    random_folder(tmp_path, ONE)
    write_model(tmp_path, tmp_path / "model.gguf", "llama", by_package("F16"))
    model = open_model(tmp_path / "model.gguf", weights="ternary").read()
    weights = model.blocks(0).linears["ffn_up"].weights
    assert isinstance(weights, MatmulWeights)
    stored = load_file(tmp_path / "model.safetensors")["model.layers.0.mlp.up_proj.weight"]
    np.testing.assert_allclose(weights.quantised.scale, [np.abs(stored).mean()], rtol=1e-4)


@pytest.mark.parametrize(
    ("keys", "more", "weights", "key", "wrong", "expects"),
    [
        ({"general.architecture": "mamba"}, {}, None, "general.architecture", "unsupported architecture 'mamba'",
         "one of bitnet, bitnet-25, bitnet-b1.58, llama, qwen2, qwen3"),
        ({"llama.rope.scaling.type": "yarn"}, {}, None, "llama.rope.scaling.type", "is 'yarn'", "one of none, linear"),
        ({"llama.attention.layer_norm_rms_epsilon": 0.0}, {}, None, "llama.attention.layer_norm_rms_epsilon", "is 0.0",
         "a positive number below 1e+30"),
        ({"llama.rope.freq_base": 2.0**100}, {}, None, "llama.rope.freq_base", "is 1.2676506002282294e+30",
         "a positive number below 1e+30"),
        ({"llama.rope.dimension_count": 32}, {}, None, "general.architecture", "has rotary share 0.5",
         "rotary share 1.0"),
        ({}, {"rope_freqs.weight": np.ones(7, np.float32)}, None, "rope_freqs.weight",
         "has shape [7] and values from 1.0", "32 positive divisors"),
        ({}, {}, "binary", "weights", "is binary, and the file holds ternary weights", "ternary"),
        ({}, {"token_embd.weight": np.full((60, 256), np.nan, np.float32)}, None, "token_embd.weight",
         "holds nan in float32", "finite weights"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_by_key_or_tensor(
    tmp_path: Path, keys: Any, more: Any, weights: Any, key: str, wrong: str, expects: str
) -> None:
    random_folder(tmp_path, ONE)
    write_model(tmp_path, tmp_path / "model.gguf", "llama", by_package("TQ2_0"), keys, more)
    found = problem(tmp_path / "model.gguf", weights)
    assert (found.file, found.key, found.wrong, found.expected) == ("model.gguf", key, wrong, expects)


def test_without_a_tokenizer_beside_it_a_file_takes_ids(tmp_path: Path) -> None:
    random_folder(tmp_path, ONE)
    path = tmp_path / "model.gguf"
    write_model(tmp_path, path, "llama", plain, {"tokenizer.ggml.eos_token_id": 7})
    opened = open_model(path, "model.gguf")
    assert opened.tokenizer.encode("1 2") == [1, 2]
    with pytest.raises(
        UnknownTextError, match=r"the tokenizer in model\.gguf is not read; a tokenizer\.json beside it"
    ):
        opened.tokenizer.encode("Hello")
    assert opened.config.stop == (7,)
    assert opened.files == (path,)
    sentencepiece_like().save(str(tmp_path / "tokenizer.json"))
    assert problem(path).wrong == "has 261 tokens"  # it is read, and the embedding has 60
