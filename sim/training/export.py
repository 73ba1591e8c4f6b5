"""A trained model as a folder in Hugging Face's layout: config.json, model.safetensors, README.md.

Trits and signs are stored as BitNet b1.58 2B4T is: four codes of two bits a byte, −1, 0 and +1 as 0, 1 and 2, row r of
the bytes holding rows r, r + R, r + 2R and r + 3R of the R bytes high matrix from its lowest bits up, and a scale to
multiply with. transformers loads it as `AutoBitLinear`, offline.
"""

import json
import math
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from bitjoule.sim.training.corpus import Corpus
from bitjoule.sim.training.layers import BitLinear, Weights, quantised_weights

CODES_PER_BYTE = 4
QUANTISATION = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}
_FROM_CONFIG = (
    "model_type",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_act",
    "max_position_embeddings",
    "rms_norm_eps",
    "attention_bias",
    "tie_word_embeddings",
    "bos_token_id",
    "eos_token_id",
)


@dataclass(frozen=True)
class ExportReport:
    """The result of a training.

    Parameters
    ----------
    weights
        The kind of the model.
    train_loss, held_out_loss
        Nats a byte, of as much text each, after the weights were rounded to what the file holds.
    minutes
        Processor time.
    sample
        Text drawn from the model.
    schedule
        By which it was trained.
    """

    weights: Weights
    train_loss: float
    held_out_loss: float
    minutes: float
    sample: str
    schedule: dict[str, Any]


@torch.no_grad()
def round_to_file(model: torch.nn.Module) -> None:
    """Round, in place, what the file holds as float16: the matrices of a model that no layer quantises."""
    if not _kinds(model):
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.copy_(parameter.half())


def tensors_of(model: torch.nn.Module) -> dict[str, Tensor]:
    """Return what model.safetensors holds: packed codes and their scales or float16 matrices, the rest float32.

    The embedding beside packed codes is float32: of a packed checkpoint, transformers 5 keeps every other tensor in the
    type of the file, whatever type it is asked for, and does not multiply different ones.
    """
    kinds = _kinds(model)
    tensors: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():  # leaves out lm_head, which is the embedding
        layer = name.removesuffix(".weight")
        if layer in kinds:
            codes, scale = quantised_weights(parameter, kinds[layer])
            tensors[name] = packed(codes)
            tensors[f"{layer}.weight_scale"] = scale.reshape(1)
        else:
            tensors[name] = parameter if kinds or parameter.ndim == 1 else parameter.half()
    return tensors


def _kinds(model: torch.nn.Module) -> dict[str, Weights]:
    return {name: layer.kind for name, layer in model.named_modules() if isinstance(layer, BitLinear)}


def packed(codes: Tensor) -> Tensor:
    """Return trits (4 R, K) as uint8 (R, K)."""
    digits = (codes + 1).to(torch.uint8).reshape(CODES_PER_BYTE, -1, codes.shape[1])
    result = torch.zeros_like(digits[0])
    for place, digit in enumerate(digits):
        result |= digit << 2 * place
    return result


def save_model(model: Any, folder: Path, corpus: Corpus, report: ExportReport) -> None:
    """Write a model's folder, over files of the same names.

    Parameters
    ----------
    model
        A `BitNetForCausalLM`, with or without `BitLinear`.
    folder
        Made where there is none.
    corpus, report
        Contents of the README.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors_of(model), folder / "model.safetensors", {"format": "pt"})
    settings = model.config.to_dict()
    config = {"architectures": ["BitNetForCausalLM"]} | {key: settings[key] for key in _FROM_CONFIG}
    config["rope_theta"] = settings["rope_parameters"]["rope_theta"]
    config["dtype"] = "float16" if report.weights == "float" else "float32"
    if report.weights != "float":
        config["quantization_config"] = QUANTISATION
    config["bitjoule"] = {
        "weights": report.weights,
        "tokenizer": "bytes",
        "activations": "float" if report.weights == "float" else "absmax",
        "context": report.schedule["context"],
        "held_out_nats_per_byte": round(report.held_out_loss, 4),
        "corpus": {"packages": corpus.versions, "sha256": corpus.digest},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "README.md").write_text(_readme(folder.name, config, corpus, report))


_HOW = {
    "ternary": (
        "BitNet b1.58",
        "Weights are trits, clip(round(W / mean|W|), −1, 1) times mean|W|; activations eight bits, 127 / max|x| by "
        "token.",
    ),
    "binary": (
        "BitNet",
        "Weights are signs, sign(W − mean W) times mean|W|; activations eight bits, 127 / max|x| by token. All else is "
        "as in the b1.58 twin (RMSNorm, absmax), not as in the first BitNet paper (LayerNorm, 128 / max|x|): the twins "
        "differ in their weights only. The file holds them as that of trits, none of them 0.",
    ),
    "float": ("FP16", "Weights are float16 and activations floats: the same network without quantisation."),
}


def _readme(name: str, config: dict[str, Any], corpus: Corpus, report: ExportReport) -> str:
    kind, how = _HOW[report.weights]
    schedule = report.schedule
    python = platform.python_version()
    estimator = "" if report.weights == "float" else ", straight-through estimator"
    versions = ", ".join(f"{package} {version}" for package, version in corpus.versions.items())
    command = f"python -m bitjoule.sim.training.train --weights {report.weights} --out sim/models/{name}"
    command += f" --steps {schedule['steps']} --seed {schedule['seed']} --layers {config['num_hidden_layers']}"
    return f"""# {name}: a small {kind} language model

{how} Bytes in, bytes out: the token is the byte.

| | |
| --- | --- |
| held-out loss | {report.held_out_loss:.4f} nats a byte ({report.held_out_loss / math.log(2):.4f} bits a byte) |
| loss on as much of the training text | {report.train_loss:.4f} nats a byte |
| layers, hidden, feed-forward | {config["num_hidden_layers"]}, {config["hidden_size"]}, {config["intermediate_size"]} |
| heads, of keys and values | {config["num_attention_heads"]}, {config["num_key_value_heads"]} |
| trained on sequences of | {schedule["context"]} bytes; what it says beyond that many is a guess |
| text | {len(corpus.train):,} bytes, and {len(corpus.held_out):,} held out (other files, no shared paragraph) |
| steps, seed | {schedule["steps"]}, {schedule["seed"]}, of {schedule["batch"] * schedule["context"]} bytes each |
| optimiser | AdamW, peak {schedule["peak"]}{estimator} |
| processor time | {report.minutes:.1f} minutes on one core |
| made with | torch {torch.__version__}, Python {python} |

```sh
{command}
```

The learning rate and the length of the sequences come from short trials, five of 300 steps with trits and one with
signs, judged by 40,000 bytes of the held-out text: its loss flatters a little. The float twin was not tuned, and each
is one run of one seed: small differences between the twins say nothing.

It says, at temperature 0.6:

```text
{report.sample}
```

## Text and licence

The text is the prose of the docstrings of {versions}, as `pip` installs them: both BSD-3-Clause, `../NOTICE.md`.
SHA-256 of the text: `{corpus.digest}`. Another version of these packages is another text, and gives another model; so
does another Python, as NumPy's wheels for 3.12 and later leave out numpy.distutils.

The model is under Apache-2.0, as bitjoule is. What it repeats of its text is under the licence of that.
"""
