"""Checks of the linears that a model names: those with adapters, and those behind a rotation."""

from collections.abc import Mapping, Sequence
from typing import Any

from bitjoule.energy_models.architecture.block import Part
from bitjoule.energy_models.architecture.layers import LayerShape
from bitjoule.energy_models.architecture.parts.adapters import Adapters
from bitjoule.energy_models.architecture.parts.transformer import RMSNORM
from bitjoule.energy_models.inputs.errors import choices, suggestion
from bitjoule.energy_models.inputs.validation import wrong_value

_KEYS = ("adapters", "hadamard")
_ELSEWHERE = {  # names of the same linears in Hugging Face's models
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down", "gate_up_proj": "ffn_gate",
    "qkv_proj": "q_proj", "out_proj": "o_proj", "w1": "ffn_gate", "w2": "ffn_down", "w3": "ffn_up",
}  # fmt: skip


def check_components(layers: Sequence[LayerShape], changes: Sequence[Mapping[str, Any]], hidden: int) -> None:
    """Refuse adapters and rotations of linears that no layer has, and widths that cannot be rotated.

    Parameters
    ----------
    layers
        The layers that differ.
    changes
        The keys of each that are not the model's; none if all layers are alike.
    hidden
        Width of the residual stream.

    Raises
    ------
    PydanticCustomError
        With the key that is wrong.
    """
    if all(getattr(layer, key) is None for layer in layers for key in _KEYS):
        return
    parts = [_parts(layer, hidden) for layer in layers]
    every = Adapters(rank=1)
    linears = [m.component for own in parts for part in own for m in part.matmuls if every.chosen(m)]
    for i, layer in enumerate(layers):
        for key in _KEYS:
            chosen = getattr(layer, key)
            at = (*(("groups", i) if changes and key in changes[i] else ()), key, "on")
            for name in () if chosen is None or chosen.on == "all" else chosen.on:
                if name not in linears:
                    near = _ELSEWHERE.get(name)
                    hint = f" (did you mean {near!r}?)" if near in linears else suggestion(name, dict.fromkeys(linears))
                    wrong = f"no layer has a linear {name!r}{hint}"
                    raise wrong_value(wrong, choices(dict.fromkeys(linears), limit=20), *at)
        _check_widths(layer, parts[i], at)


def _parts(layer: LayerShape, hidden: int) -> tuple[Part, ...]:
    plain = layer.model_copy(update=dict.fromkeys(_KEYS))
    return plain.parts(hidden, RMSNORM, rotary=True, causal=True)


def _check_widths(layer: LayerShape, parts: Sequence[Part], at: tuple[str | int, ...]) -> None:
    hadamard = layer.hadamard
    for component, width, _ in (vector for part in parts if hadamard for vector in hadamard.rotated(part)):
        if hadamard is not None and hadamard.additions(width) is None:
            blocks = f" in blocks of {hadamard.block}" if hadamard.block else ""
            wrong = f"no Walsh-Hadamard rotation of the {width} inputs of {component}{blocks} is known"
            raise wrong_value(wrong, "a power of two, or one times an odd number up to 165 and 4; or a `block`", *at)
