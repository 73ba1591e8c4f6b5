"""A model's config.json beyond its shape: norms, positions, how weights are stored and quantised."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from bitjoule.energy_models.architecture.huggingface import read_config
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError, brief, choices
from bitjoule.energy_models.inputs.json_documents import read_json
from bitjoule.energy_models.inputs.validation import unknown_name
from bitjoule.sim.llm.defaults import model_types
from bitjoule.sim.reference.quantisation import Kind

Weights = Literal["ternary", "binary", "float"]
Activations = Literal["absmax", "absmax_binary"]
Stored = Literal["packed", "offline", "online", "any"]
_ACTIVATIONS = ("relu", "relu2", "silu")  # of gelu there are several


@dataclass(frozen=True)
class QuantisationScheme:
    """How linears are quantised, and how the file stores it.

    Parameters
    ----------
    kind
        Of the codes.
    activations
        What quantises the activations: `absmax`, or `absmax_binary`, as BitNet has it with binary weights.
    stored
        ``packed``: uint8 and a scale; ``offline``: that, or trits as floats and a scale; ``online``: floats;
        ``any``: packed or floats, as each tensor's type tells.
    divides
        Whether the stored scale is a divisor.
    bias_is_scaled
        Whether the scale multiplies the bias, too.
    norm_epsilon
        Of the norm before each linear; None if there is none.
    skipped
        Patterns of the linears that are not quantised.
    """

    kind: Kind = "ternary"
    activations: Activations = "absmax"
    stored: Stored = "any"
    divides: bool = False
    bias_is_scaled: bool = False
    norm_epsilon: float | None = None
    skipped: tuple[str, ...] = ("lm_head",)


@dataclass(frozen=True)
class ModelConfig:
    """A model as its config.json describes it.

    Parameters
    ----------
    shape
        Dimensions.
    norm_epsilon, rope_theta
        Of every norm of the blocks; base of the rotary angles.
    weights
        Kind of the linears' weights.
    scheme
        How they are quantised, unless they are floats.
    sub_norms
        Names of the norms before the output and the down projection, if the shape has them.
    tokenizer
        ``bytes``, ``characters``, or None: as the folder's files tell.
    stop
        Ids that end a text.
    positions
        Context length, if the file states one; longer texts run nevertheless.
    """

    shape: ModelShape
    norm_epsilon: float
    rope_theta: float
    weights: Weights
    scheme: QuantisationScheme
    sub_norms: tuple[str, str]
    tokenizer: str | None
    stop: tuple[int, ...]
    positions: int | None

    def quantised(self, name: str) -> bool:
        """Return whether a linear's weights are codes, as transformers decides it.

        Parameters
        ----------
        name
            Its full name, e.g. ``model.layers.0.mlp.up_proj``.
        """
        if self.weights == "float":
            return False
        boundary = r"(?:(?<=\.)|(?=\.|$))"
        return not any(
            re.match(f"(?:{skipped}){boundary}", name) or name.endswith(skipped) for skipped in self.scheme.skipped
        )


def read_model_config(folder: Path, file: str, weights: Weights | None = None) -> ModelConfig:
    """Read a folder's config.json.

    Parameters
    ----------
    folder
        The model's.
    file
        Its name in messages.
    weights
        Overrides the file's kind for float weights.

    Raises
    ------
    InputError
        It cannot be read, or describes a model that cannot be run.
    """
    document = read_json(folder / "config.json", f"{file}/config.json")
    config: Mapping[str, Any] = document.data
    model_type = config.get("model_type")
    types = model_types().types
    if not isinstance(model_type, str) or model_type not in types:
        raise _error(document, "model_type", *unknown_name("model_type", model_type, types))
    shape = read_config(folder, file)
    if shape.activation not in _ACTIVATIONS:
        raise _error(document, "hidden_act", brief(config.get("hidden_act")), choices(_ACTIVATIONS))
    if shape.head_dim % 2:
        raise _error(document, "head_dim", f"is {shape.head_dim}", "an even number, as positions are rotary")
    reproduction = model_type == "llama" and config.get("weight_bits") == 1
    weight_kind, scheme = _scheme(document, reproduction, weights)
    extension = _mapping(document, config, "bitjoule")
    return ModelConfig(
        shape,
        _positive(document, config, "rms_norm_eps", types[model_type].norm_epsilon),
        _theta(document, config, types[model_type].rope_theta),
        weight_kind,
        scheme,
        ("inner_attn_ln", "ffn_layernorm") if reproduction else ("attn_sub_norm", "ffn_sub_norm"),
        extension.get("tokenizer"),
        _stop(document, folder, file),
        positions if type(positions := config.get("max_position_embeddings")) is int else None,
    )


def _stop(document: Document, folder: Path, file: str) -> tuple[int, ...]:
    """Return the ids that end a text: generation_config.json's, or else config.json's."""
    name = "generation_config.json"
    if (folder / name).is_file():
        generation = read_json(folder / name, f"{file}/{name}")
        document = generation if generation.data.get("eos_token_id") is not None else document
    eos = document.data.get("eos_token_id")
    ids = eos if isinstance(eos, list) else [] if eos is None else [eos]
    if not all(type(value) is int for value in ids):
        raise _error(document, "eos_token_id", f"is {brief(eos)}", "an id, or a list of ids")
    return tuple(ids)


def _scheme(document: Document, reproduction: bool, requested: Weights | None) -> tuple[Weights, QuantisationScheme]:
    config = document.data
    stated = _mapping(document, config, "bitjoule").get("weights")
    if stated is not None and stated not in get_args(Weights):
        raise _error(document, "bitjoule", f"weights is {brief(stated)}", choices(get_args(Weights)))
    quantisation = _mapping(document, config, "quantization_config")
    written: Weights = stated or ("ternary" if quantisation or reproduction else "float")
    weights: Weights = requested or written
    if weights == "float":
        if quantisation or written != "float":
            raise _error(document, "quantization_config", f"has {written} weights", "no quantisation for float weights")
        return weights, QuantisationScheme()
    kind: Kind = weights
    activations = _activations(document, kind, bool(quantisation))
    if not quantisation:
        return weights, QuantisationScheme(kind, activations, "online" if reproduction else "any")
    supported: dict[str, tuple[str, ...]] = {
        "quant_method": ("bitnet",),
        "linear_class": ("bitlinear", "autobitlinear"),
        "quantization_mode": ("offline", "online"),
    }
    picked = {"linear_class": "bitlinear", "quantization_mode": "offline", **quantisation}
    for key, names in supported.items():
        if picked.get(key) not in names:
            raise _error(document, "quantization_config", f"{key} is {brief(picked.get(key))}", choices(names))
    automatic, online = picked["linear_class"] == "autobitlinear", picked["quantization_mode"] == "online"
    stored: Stored = ("online" if online else "offline") if automatic else "packed"
    epsilon = None
    if picked.get("use_rms_norm"):
        default = model_types().quantisation_norm_epsilon.value
        epsilon = _positive(document, quantisation, "rms_norm_eps", default, "quantization_config")
    skipped = picked.get("modules_to_not_convert")
    return weights, QuantisationScheme(
        kind,
        activations,
        stored,
        divides=not automatic,
        bias_is_scaled=automatic and not online,
        norm_epsilon=epsilon,
        skipped=("lm_head",) if skipped is None else _patterns(document, skipped),
    )


def _activations(document: Document, kind: Kind, transformers: bool) -> Activations:
    stated = _mapping(document, document.data, "bitjoule").get("activations")
    if stated is None or stated == "float":  # of a float model that is quantised on load
        return "absmax" if kind == "ternary" or transformers else "absmax_binary"
    allowed = get_args(Activations) if kind == "binary" else ("absmax",)
    if stated not in allowed:
        raise _error(document, "bitjoule", f"activations is {brief(stated)}", choices(allowed))
    return "absmax" if stated == "absmax" else "absmax_binary"


def _patterns(document: Document, patterns: Any) -> tuple[str, ...]:
    try:
        return tuple(pattern for pattern in patterns if re.compile(pattern))
    except (TypeError, re.error):
        wrong = f"modules_to_not_convert is {brief(patterns)}"
        raise _error(document, "quantization_config", wrong, "a list of patterns") from None


def _theta(document: Document, config: Mapping[str, Any], default: float) -> float:
    theta = _positive(document, config, "rope_theta", default)
    for key in ("rope_parameters", "rope_scaling"):
        rope = _mapping(document, config, key)
        kind = rope.get("rope_type", rope.get("type", "default"))
        if kind != "default":
            raise _error(document, key, f"rope_type is {brief(kind)}", choices(["default"]))
        if rope.get("partial_rotary_factor", 1) != 1:
            raise _error(document, key, "rotates only part of each head", "partial_rotary_factor 1")
        theta = _positive(document, rope, "rope_theta", theta, key)
    return theta


def _mapping(document: Document, config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _error(document, key, brief(value), "an object")
    return value


def _positive(document: Document, config: Mapping[str, Any], key: str, default: float, at: str | None = None) -> float:
    value = config.get(key)
    if value is None:
        return default
    if type(value) not in (int, float) or not 0 < value < 1e30:
        raise _error(document, at or key, f"{f'{key} ' if at else ''}is {brief(value)}", "a positive number")
    return float(value)


def _error(document: Document, key: str, wrong: str, expected: str) -> InputError:
    return InputError([document.problem((key,), wrong, expected)])
