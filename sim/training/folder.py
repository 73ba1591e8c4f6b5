"""A trained model as a folder in Hugging Face's layout, with the losses of its training and a card.

Ternary and binary matrices of one scale are stored as BitNet b1.58 2B4T is, packed, with the activations' format: that
is what transformers and `bitjoule rtl simulate` multiply. All other codes are written out as codes times scale in
float32: the same weights, which transformers multiplies with inputs that it does not round.
"""

import json
import math
import platform
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from bitjoule.sim.training.config import VOCABULARY, CorpusOfFiles, TrainConfig
from bitjoule.sim.training.decoder import NORM_EPSILON, ROPE_THETA, Decoder, zero_share
from bitjoule.sim.training.quantisers import dequantised
from bitjoule.sim.training.texts import Text
from bitjoule.sim.training.trainer import Trained, sample

FILES = ("config.json", "model.safetensors", "README.md", "loss.csv")
QUANTISATION = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}
CODES_PER_BYTE = 4
_CODES = ("ternary", "binary")
_NORMS = {
    "attention_in": "input_layernorm", "attention_out": "self_attn.attn_sub_norm",
    "ffn_in": "post_attention_layernorm", "ffn_out": "mlp.ffn_sub_norm",
}  # fmt: skip
_WEIGHTS = {
    "fp16": "Weights are floats, rounded to float16 after the training",
    "int8": "Weights are integers of 8 bits, round(127 W / max|W|), with a scale per {block}",
    "int4": "Weights are integers of 4 bits, round(7 W / max|W|), with a scale per {block}",
    "ternary": "Weights are trits, clip(round(W / mean|W|), −1, 1), with the scale mean|W| per {block}",
    "binary": "Weights are signs, sign(W − mean W), with the scale mean|W| per {block}",
}


def is_packed(config: TrainConfig) -> bool:
    """Return whether a model's codes are stored as codes.

    Parameters
    ----------
    config
        Of the training.
    """
    return config.weights in _CODES and not config.group_size and config.shards == 1


@torch.no_grad()
def tensors_of(model: Decoder) -> dict[str, Tensor]:
    """Return what model.safetensors holds.

    Parameters
    ----------
    model
        Rounded to its file.
    """
    config = model.config
    dense = torch.float16 if config.weights == "fp16" else torch.float32
    tensors = {"model.embed_tokens.weight": model.embedding.to(dense), "model.norm.weight": model.last_gain}
    for role, gains in model.gains.items():
        for layer, gain in enumerate(gains):
            tensors[f"model.layers.{layer}.{_NORMS[role]}.weight"] = gain
    for name, weight, scale in model.matrices():
        if scale is None:
            tensors[f"{name}.weight"] = weight.to(dense)
        elif is_packed(config):
            tensors[f"{name}.weight"] = packed(weight)
            tensors[f"{name}.weight_scale"] = scale.reshape(1)
        else:
            tensors[f"{name}.weight"] = dequantised(weight, scale)
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def packed(codes: Tensor) -> Tensor:
    """Return trits as BitNet b1.58 2B4T has them: −1, 0 and +1 as 0, 1 and 2, two bits each, shape (rows / 4, columns).

    Row r of the R rows of bytes holds rows r, r + R, r + 2 R and r + 3 R, from its lowest bits up.

    Parameters
    ----------
    codes
        Shape (rows, columns), rows a multiple of 4.
    """
    digits = (codes + 1).to(torch.uint8).reshape(CODES_PER_BYTE, -1, codes.shape[1])
    result = torch.zeros_like(digits[0])
    for place, digit in enumerate(digits):
        result |= digit << 2 * place
    return result


def config_of(config: TrainConfig, text: Text, trained: Trained) -> dict[str, Any]:
    """Return what config.json holds.

    Parameters
    ----------
    config, text, trained
        Of the training.
    """
    shape, evaluation = config.model, trained.evaluation
    settings: dict[str, Any] = {
        "architectures": ["BitNetForCausalLM" if shape.sub_norms else "LlamaForCausalLM"],
        "model_type": "bitnet" if shape.sub_norms else "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads_of_keys,
        "hidden_act": shape.activation,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": NORM_EPSILON,
        "attention_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
        "rope_theta": ROPE_THETA,
        "dtype": "float16" if config.weights == "fp16" else "float32",
    }
    if is_packed(config):
        settings["quantization_config"] = QUANTISATION
    codes = config.weights in _CODES
    settings["bitjoule"] = {
        "weights": config.weights if codes else "float",
        "tokenizer": "bytes",
        "activations": "absmax" if codes else "float",
        "format": config.weight_format,
        "group_size": config.group_size,
        "shards": config.shards,
        "inputs": list(config.inputs),
        "context": config.training.context,
        "held_out_nats_per_byte": round(evaluation.held_out, 4),
        "held_out_nats_per_byte_float_inputs": round(evaluation.held_out_floats, 4),
        "corpus": {
            "name": "files" if isinstance(config.corpus, CorpusOfFiles) else config.corpus,
            "sources": {name: version for name, (version, _) in text.sources.items()},
            "sha256": text.sha256,
        },
    }
    return settings


def save_folder(folder: Path, config: TrainConfig, text: Text, trained: Trained) -> None:
    """Write a model's folder.

    Parameters
    ----------
    folder
        Exists.
    config, text, trained
        Of the training.
    """
    settings = config_of(config, text, trained)
    save_file(tensors_of(trained.model), folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    (folder / "loss.csv").write_text(trained.loss_csv, encoding="utf-8")
    (folder / "README.md").write_text(card(config, text, trained), encoding="utf-8")


def card(config: TrainConfig, text: Text, trained: Trained) -> str:
    """Return the model's card, as Markdown.

    Parameters
    ----------
    config, text, trained
        Of the training.
    """
    shape, schedule, evaluation = config.model, config.training, trained.evaluation
    zeros = zero_share(trained.model)
    rate = f"peak {schedule.learning_rate:g}, "
    if schedule.second_stage is None:
        rate += f"a cosine to {schedule.final_share:g} of it"
    else:
        stage = schedule.second_stage
        rate += f"falling linearly; from {stage.at:.0%} of the steps on, {stage.learning_rate:g} falling to 0"
    tokens = schedule.steps * schedule.batch_tokens
    rows = [
        ("held-out loss", f"{_nats(evaluation.held_out)}"),
        ("the same, inputs of linears not rounded", f"{_nats(evaluation.held_out_floats)}"),
        ("loss on as much of the training text", f"{evaluation.train:.4f} nats a byte"),
        ("parameters, of them in linears", f"{shape.parameters:,}, {shape.linear_parameters:,}"),
        ("layers, hidden, feed-forward", f"{shape.layers}, {shape.hidden}, {shape.ffn}"),
        ("heads, of keys and values", f"{shape.heads}, {shape.heads_of_keys}"),
        ("zeros among the codes", "none" if zeros is None else f"{zeros:.1%}"),
        ("trained on", f"{tokens:,} bytes ({tokens / shape.parameters:.1f} per parameter), sequences of "
         f"{schedule.context}; what it says beyond that many is a guess"),
        ("steps, seed", f"{schedule.steps:,} of {schedule.batch_tokens} bytes, {config.seed}"),
        ("optimiser", f"AdamW, {rate}, weight decay {schedule.weight_decay:g} in the first "
         f"{schedule.weight_decay_until:.0%} of the steps; straight-through estimator"),
        ("text", f"{len(text.train):,} bytes, and {len(text.held_out):,} held out (other files, "
         f"{len(evaluation.windows):,} windows evaluated)"),
        ("speed", f"{trained.tokens_per_s:,.0f} tokens per second of processor time, "
         f"{trained.processor_s / 60:.1f} minutes"),
        ("made with", f"torch {torch.__version__}, Python {platform.python_version()}, "
         f"{trained.model.embedding.device.type}"),
    ]  # fmt: skip
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    sources = "\n".join(f"* {name} {version}: {licence}" for name, (version, licence) in text.sources.items())
    known = {True: "\nThis is the text whose digest bitjoule states.", None: ""}.get(
        text.stated, "\nThis is not the text whose digest bitjoule states: the versions or Python differ."
    )
    return f"""# {config.name}: a small {config.weight_format} language model

{config.description or "Made by `bitjoule train`."}

{_how(config)} Bytes in, bytes out: the token is the byte.

| | |
| --- | --- |
{table}

At temperature 0.6 it continues the first 32 held-out bytes so:

```text
{_shown(sample(trained.model, text.held_out[:32], 160))}
```

## Text and licence

{sources}

SHA-256 of the text: `{text.sha256}`.{known}
What the model repeats of its text is under the licence of that.
"""


def _how(config: TrainConfig) -> str:
    block = "matrix"
    if config.group_size:
        block = f"{config.group_size} weights of a row, or row if it is shorter"
    elif config.weights in ("int8", "int4"):
        block = "row"
    if config.shards > 1:
        block += f" of each of {config.shards} shards"
    outer, inner = config.inputs
    inputs = {
        "fp16": "are floats", "int8": "are integers of 8 bits, 127 / max|x| by token",
        "int4": "are integers of 4 bits, 7 / max|x| by token",
    }  # fmt: skip
    text = f"{_WEIGHTS[config.weights].format(block=block)}. Inputs of the linear layers {inputs[outer]}"
    if inner != outer:
        text += f"; those of the output and down projections {inputs[inner]}"
    text += "."
    if not is_packed(config) and config.weights != "fp16":
        text += " The file holds codes times scale in float32."
    return text + _readers(config)


def _readers(config: TrainConfig) -> str:
    """Return who of those that read the file rounds the inputs otherwise than the training did.

    transformers rounds the inputs of packed codes alone, bitjoule those of all codes; both to 8 bits, by token.
    """
    codes, inputs = config.weights in _CODES, set(config.inputs)
    transformers = inputs == {"int8" if is_packed(config) else "fp16"}
    ours = inputs == {"int8" if codes else "fp16"}
    if transformers and ours:
        return ""
    if ours:
        return " `bitjoule rtl simulate` rounds the inputs as the training did; transformers leaves them as floats."
    if transformers:
        return " transformers leaves the inputs as floats, as the training did; `bitjoule rtl simulate` rounds them."
    return " transformers and `bitjoule rtl simulate` do not round the inputs as the training did."


def _nats(loss: float) -> str:
    return f"{loss:.4f} nats a byte ({loss / math.log(2):.4f} bits a byte)"


def _shown(drawn: bytes) -> str:
    text = drawn.decode("ascii", errors="replace")
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text).replace("```", "'''")
