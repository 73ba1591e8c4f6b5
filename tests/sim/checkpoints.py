"""Random models that transformers makes and saves, and its logits of them."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.engines import NumpyEngine
from bitjoule.sim.llm.model import Model
from bitjoule.sim.reference import bitlinear as reference
from bitjoule.sim.reference.quantisation import QuantisedActivations, absmax

TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
RELATIVE = 1e-6  # of the largest logit
CLEAR = 4e-5  # codes: float32 noise of 3e-7 on codes of up to 127
SHAPES = {
    "plain": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2,
              "num_key_value_heads": 2},
    "grouped queries": {"hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 3, "num_attention_heads": 8,
                        "num_key_value_heads": 2},
    "one key head": {"hidden_size": 96, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 6,
                     "num_key_value_heads": 1},
}  # fmt: skip
ONLINE = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online"}
OFFLINE = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}
BITLINEAR = {"quant_method": "bitnet"}
FORMATS = {"packed": OFFLINE, "packed, divisor": BITLINEAR, "unpacked": ONLINE}
ENGINE = NumpyEngine()
FAMILIES = {"bitnet": "BitNet", "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}
NO_IDS = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}


def make(
    hf: Any, folder: Path, family: str, shape: dict[str, int], seed: int = 0, stored: str = "float32", **options: Any
) -> Any:
    """Make and save a random model of float weights, wide enough apart that its logits differ."""
    import torch

    torch.manual_seed(seed)
    options = {"max_position_embeddings": 64, **NO_IDS, **shape, **options}
    config = getattr(hf, f"{FAMILIES[family]}Config")(vocab_size=71, **options)
    model = getattr(hf, f"{FAMILIES[family]}ForCausalLM")(config).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.uniform_(0.5, 1.5)
        elif name.endswith("bias"):
            parameter.normal_(0, 0.1)
    model.to(getattr(torch, stored)).save_pretrained(folder)


def quantise(folder: Path, quantisation: dict[str, Any]) -> None:
    """Turn a saved float model into one of a bitnet format, packed by transformers' own function."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers.integrations.bitnet import pack_weights

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": quantisation}))
    tensors = load_file(folder / "model.safetensors")
    for name in [name for name in tensors if "_proj.weight" in name]:
        weight = tensors[name]
        stem = name.removesuffix(".weight")
        if quantisation.get("use_rms_norm"):
            tensors[f"{stem}.rms_norm.weight"] = torch.rand(weight.shape[1]) + 0.5
        if quantisation.get("quantization_mode") == "online":
            continue
        scale = weight.abs().mean()
        tensors[name] = pack_weights((weight / scale).round().clamp(-1, 1))
        divides = quantisation.get("linear_class") != "autobitlinear"
        tensors[f"{stem}.weight_scale"] = (1 / scale if divides else scale).reshape(1)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def nearest_tie(model: Model) -> float:
    """Return how near the activations come to a tie of their rounding, in codes.

    Next to one, the order of a float32 sum decides a code, and a code moves logits by more than the tolerance:
    transformers then differs from itself, too, between a prefill and a pass token by token.
    """
    nearest = [0.5]

    def measured(x: Any, bits: int = 8, groups: int = 1) -> QuantisedActivations:
        exact = 127 * x.astype(np.float64) / np.abs(x).max(axis=-1, keepdims=True)
        nearest.append(float(np.abs(np.abs(exact) % 1 - 0.5).min()))
        return absmax(x, bits, groups)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "absmax", measured)
        model.forward(TOKENS, ENGINE)
    return min(nearest)


def loaded_and_expected(
    hf: Any, folder: Path, family: str, quantisation: dict[str, Any], shape: dict[str, int], **options: Any
) -> tuple[Model, Any]:
    """Return our model and transformers' logits, of the first seed whose activations keep clear of ties."""
    for seed in range(100):
        make(hf, folder, family, shape, seed, **options)
        quantise(folder, quantisation)
        model = load_model(folder).model
        if nearest_tie(model) > CLEAR:
            return model, expected(hf, folder)
    raise AssertionError("every seed comes near a tie")


def expected(hf: Any, folder: Path, tokens: list[int] = TOKENS) -> Any:
    """Return transformers' logits of the saved model in float32."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()(torch.tensor([tokens])).logits[0].numpy()


def assert_same(model: Model, logits: Any) -> None:
    """Compare a prefill, a token-by-token pass, and a prefill continued in pieces."""
    assert np.ptp(logits) > 0.1
    tolerance = RELATIVE * np.abs(logits).max()
    np.testing.assert_allclose(model.forward(TOKENS, ENGINE), logits, rtol=0, atol=tolerance)
    for sizes in ([1] * len(TOKENS), [4, 1, 6]):
        cache, start = model.new_cache(), 0
        for size in sizes:
            part = model.forward(TOKENS[start : start + size], ENGINE, cache)
            np.testing.assert_allclose(part, logits[start : start + size], rtol=0, atol=tolerance)
            start += size
