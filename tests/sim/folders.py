"""Small model folders, right and wrong, as the tests of loading take them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.sim.llm.checkpoints.loading import load_model

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
    """Return the tensors of the small model."""
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
    """Write a model's folder."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | (config or {}), indent=1))
    save_file(tensors_of(packed=True) if tensors is None else tensors, folder / "model.safetensors")


def changed(name: str, change: Callable[[NDArray[Any]], NDArray[Any] | None], packed: bool = True) -> Tensors:
    """Return tensors with one changed, or without it."""
    made = tensors_of(packed)
    value = change(made.pop(name))
    return made if value is None else {**made, name: np.ascontiguousarray(value)}


def problem(folder: Path) -> Problem:
    """Return what loading a folder says is wrong with it."""
    with pytest.raises(InputError) as caught:
        load_model(folder, "model")
    (found,) = caught.value.problems
    return found


def put(value: float, at: tuple[int, ...]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a function that puts a value at a place."""

    def change(values: NDArray[Any]) -> NDArray[Any]:
        values[at] = value
        return values

    return change


ONLINE = {"quantization_config": {**CONFIG["quantization_config"], "quantization_mode": "online"}}  # type: ignore[dict-item]
BITLINEAR = {"quantization_config": {"quant_method": "bitnet"}}
FLOAT = {"quantization_config": None}
