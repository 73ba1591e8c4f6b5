"""How a model's weights are stored and quantised, as its config.json says it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import brief, choices
from bitjoule.sim.llm.config_values import config_error, mapping, positive
from bitjoule.sim.llm.defaults import model_types
from bitjoule.sim.reference.quantisation import Kind

Weights = Literal["ternary", "binary", "float"]
Activations = Literal["absmax", "absmax_binary"]
Stored = Literal["packed", "offline", "online", "any"]


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
        ``packed``: uint8 and a scale; ``offline``: that, or trits as floats and a scale; ``online``: floats, quantised
        on load; ``any``: packed or floats, as each tensor's type tells. Floats of ``any`` that are trits times a scale
        keep it; others are quantised on load.
    divides
        Whether the stored scale is a divisor.
    bias_is_scaled
        Whether the scale multiplies the bias, too.
    norm_epsilon
        Of the norm before each linear; None if there is none.
    skipped
        Patterns of the linears that are not quantised.
    group_size
        Weights along a row that share a scale, where floats are trits times a scale of their group; None if rows or the
        matrix have one. A row that is not longer has one.
    shards
        Parts of a row that have a scale each, in the same way.
    """

    kind: Kind = "ternary"
    activations: Activations = "absmax"
    stored: Stored = "any"
    divides: bool = False
    bias_is_scaled: bool = False
    norm_epsilon: float | None = None
    skipped: tuple[str, ...] = ("lm_head",)
    group_size: int | None = None
    shards: int = 1

    def group(self, in_features: int) -> int | None:
        """Return how many weights along a row share a scale; None if all of a row do.

        Parameters
        ----------
        in_features
            Length of a row.
        """
        size = self.group_size or (0 if in_features % self.shards else in_features // self.shards)
        return size if 0 < size < in_features and in_features % size == 0 else None

    def skips(self, name: str) -> bool:
        """Return whether a linear stays in floating point, as transformers decides it.

        Parameters
        ----------
        name
            Its full name, e.g. ``model.layers.0.mlp.up_proj``.
        """
        boundary = r"(?:(?<=\.)|(?=\.|$))"
        return any(re.match(f"(?:{skipped}){boundary}", name) or name.endswith(skipped) for skipped in self.skipped)


def read_scheme(
    document: Document, reproduction: bool, requested: Weights | None
) -> tuple[Weights, QuantisationScheme]:
    """Return the kind of a model's weights, and how they are quantised.

    Parameters
    ----------
    document
        Its config.json.
    reproduction
        Whether it is one as 1bitLLM wrote it (``weight_bits`` 1).
    requested
        Overrides the file's kind for float weights.

    Raises
    ------
    InputError
        A scheme that is not known, or a request that contradicts the file.
    """
    config = document.data
    stated = mapping(document, config, "bitjoule").get("weights")
    if stated is not None and stated not in get_args(Weights):
        raise config_error(document, "bitjoule", f"weights is {brief(stated)}", choices(get_args(Weights)))
    quantisation = mapping(document, config, "quantization_config")
    written: Weights = stated or ("ternary" if quantisation or reproduction else "float")
    weights: Weights = requested or written
    if weights == "float":
        if quantisation or written != "float":
            wrong = f"has {written} weights"
            raise config_error(document, "quantization_config", wrong, "no quantisation for float weights")
        return weights, QuantisationScheme()
    kind: Kind = weights
    activations = _activations(document, kind, bool(quantisation))
    if not quantisation:
        groups = _groups(document)
        return weights, QuantisationScheme(kind, activations, "online" if reproduction else "any", **groups)
    supported: dict[str, tuple[str, ...]] = {
        "quant_method": ("bitnet",),
        "linear_class": ("bitlinear", "autobitlinear"),
        "quantization_mode": ("offline", "online"),
    }
    picked = {"linear_class": "bitlinear", "quantization_mode": "offline", **quantisation}
    for key, names in supported.items():
        if picked.get(key) not in names:
            wrong = f"{key} is {brief(picked.get(key))}"
            raise config_error(document, "quantization_config", wrong, choices(names))
    automatic, online = picked["linear_class"] == "autobitlinear", picked["quantization_mode"] == "online"
    stored: Stored = ("online" if online else "offline") if automatic else "packed"
    skipped = picked.get("modules_to_not_convert")
    return weights, QuantisationScheme(
        kind,
        activations,
        stored,
        divides=not automatic,
        bias_is_scaled=automatic and not online,
        norm_epsilon=_norm_epsilon(document, picked),
        skipped=("lm_head",) if skipped is None else _patterns(document, skipped),
    )


def _groups(document: Document) -> dict[str, Any]:
    """Return the groups of weights that bitjoule's own extension states: `bitjoule train` writes them."""
    stated = mapping(document, document.data, "bitjoule")
    groups = {key: stated[key] for key in ("group_size", "shards") if stated.get(key) is not None}
    for key, value in groups.items():
        if type(value) is not int or value < 1:
            raise config_error(document, "bitjoule", f"{key} is {brief(value)}", "a whole number, at least 1")
    return groups


def _norm_epsilon(document: Document, quantisation: Mapping[str, Any]) -> float | None:
    if not quantisation.get("use_rms_norm"):
        return None
    default = model_types().quantisation_norm_epsilon.value
    return positive(document, quantisation, "rms_norm_eps", default, "quantization_config")


def _activations(document: Document, kind: Kind, transformers: bool) -> Activations:
    stated = mapping(document, document.data, "bitjoule").get("activations")
    if stated is None or stated == "float":  # of a float model that is quantised on load
        return "absmax" if kind == "ternary" or transformers else "absmax_binary"
    allowed = get_args(Activations) if kind == "binary" else ("absmax",)
    if stated not in allowed:
        raise config_error(document, "bitjoule", f"activations is {brief(stated)}", choices(allowed))
    return "absmax" if stated == "absmax" else "absmax_binary"


def _patterns(document: Document, patterns: Any) -> tuple[str, ...]:
    try:
        if not isinstance(patterns, list):  # the letters of a text would be patterns
            raise TypeError
        return tuple(pattern for pattern in patterns if re.compile(pattern))
    except (TypeError, re.error):
        wrong = f"modules_to_not_convert is {brief(patterns)}"
        raise config_error(document, "quantization_config", wrong, "a list of patterns") from None
