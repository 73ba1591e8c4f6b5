"""GGUF files of models that transformers makes, with the keys, names and order of rows of llama.cpp's converter."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from tests.energy_models.model_files.gguf_files import raw_gguf, text

Floats = NDArray[np.float32]
Quantise = Callable[[str, Floats], tuple[int, bytes, Floats]]  # a tensor's type, its bytes, and their values
TYPES = {"TQ1_0": 34, "TQ2_0": 35, "F32": 0, "F16": 1, "BF16": 30, "Q8_0": 8}
PLACES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "self_attn.attn_sub_norm": "attn_sub_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "mlp.ffn_sub_norm": "ffn_sub_norm", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "embed_tokens": "token_embd", "model.norm": "output_norm",
    "lm_head": "output",
}  # fmt: skip


def name_in_file(name: str) -> str:
    """Return llama.cpp's name of a tensor."""
    stem, _, kind = name.rpartition(".")
    layer = f"blk.{stem.split('.')[2]}." if ".layers." in stem else ""
    return f"{layer}{next(theirs for ours, theirs in PLACES.items() if stem.endswith(ours))}.{kind}"


def interleaved(rows: NDArray[Any], heads: int) -> NDArray[Any]:
    """Return rows in llama.cpp's order: of each head the first of one half, the first of the other, the second, ..."""
    head_dim = len(rows) // heads
    order = [head * head_dim + half * head_dim // 2 + i
             for head in range(heads) for i in range(head_dim // 2) for half in range(2)]  # fmt: skip
    return rows[order]


def by_package(type_name: str) -> Quantise:
    """Return what quantises a tensor with the gguf package."""

    def quantise(_: str, values: Floats) -> tuple[int, bytes, Floats]:
        kind = gguf.GGMLQuantizationType[type_name]
        stored = gguf.quantize(values, kind)
        return TYPES[type_name], stored.tobytes(), gguf.dequantize(stored, kind).reshape(values.shape)

    return quantise


def q1_0(_: str, values: Floats) -> tuple[int, bytes, Floats]:
    """Quantise to signs in blocks of 128: a half-precision scale, then a bit each, the lowest first."""
    blocks = values.reshape(-1, 128)
    scales = np.abs(blocks).mean(axis=1, keepdims=True).astype("<f2")
    bits = np.packbits(blocks > 0, axis=1, bitorder="little")
    stored = np.concatenate([scales.view(np.uint8), bits], axis=1)
    signs = np.where(blocks > 0, np.float32(1), np.float32(-1))
    return 41, stored.tobytes(), (signs * scales.astype(np.float32)).reshape(values.shape)


def plain(_: str, values: Floats) -> tuple[int, bytes, Floats]:
    """Keep a tensor in float32."""
    return 0, values.astype("<f4").tobytes(), values


def value(entry: Any) -> bytes:
    """Return a key's value with its type as the format has it."""
    if isinstance(entry, str):
        return np.uint32(8).tobytes() + text(entry)
    if isinstance(entry, float):
        return np.uint32(6).tobytes() + np.float32(entry).tobytes()
    return np.uint32(4).tobytes() + np.uint32(entry).tobytes()


def write_model(
    folder: Path,
    path: Path,
    architecture: str,
    quantise: Quantise,
    keys: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
) -> dict[str, Floats]:
    """Write the GGUF file of a float model's folder, and return the values that it holds, by transformers' names."""
    config = json.loads((folder / "config.json").read_text())
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    head_dim = config.get("head_dim") or config["hidden_size"] // heads["attn_q"]
    written = {
        "block_count": config["num_hidden_layers"],
        "embedding_length": config["hidden_size"],
        "feed_forward_length": config["intermediate_size"],
        "context_length": config["max_position_embeddings"],
        "attention.head_count": heads["attn_q"],
        "attention.head_count_kv": heads["attn_k"],
        "attention.key_length": head_dim,
        "attention.value_length": head_dim,
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.freq_base": float(config["rope_parameters"]["rope_theta"]),
        "rope.dimension_count": head_dim,
    }
    tensors, held = {}, {}
    for name, values in load_file(folder / "model.safetensors").items():
        theirs = name_in_file(name)
        code, _, held[name] = (quantise if "_proj.weight" in name else plain)(theirs, values)
        rows = values
        if architecture == "llama" and theirs.split(".")[-2] in heads:
            rows = interleaved(values, heads[theirs.split(".")[-2]])
        stored = (quantise if "_proj.weight" in name else plain)(theirs, rows)[1]
        tensors[theirs] = code, values.shape, stored
    for name, values in (more or {}).items():
        floats = np.atleast_1d(np.float32(values))
        tensors[name] = 0, floats.shape, floats.tobytes()
    every = {"general.architecture": architecture, **{f"{architecture}.{key}": entry for key, entry in written.items()}}
    raw_gguf(path, {key: value(entry) for key, entry in (every | (keys or {})).items()}, tensors)
    return held


def write_folder(folder: Path, values: dict[str, Floats], quantisation: dict[str, Any]) -> None:
    """Turn a folder into one in which AutoBitLinear multiplies these values: a stored scale of 1 beside each."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": quantisation}))
    scales = {f"{name}_scale": np.ones(1, np.float32) for name in values if "_proj.weight" in name}
    save_file({**values, **scales}, folder / "model.safetensors", {"format": "pt"})
