"""Names of models on Hugging Face's hub, ``ORGANISATION/MODEL``, for models that ship."""

import math
import re

from bitjoule.energy_models.architecture.shape import all_presets, hub_names, presets
from bitjoule.energy_models.inputs.errors import suggestion

SIZE = re.compile(r"(?<![a-z0-9.])a?(\d+(?:\.\d+)?)([bm])(?![a-z0-9])")  # 0.6b, 350m, and a3b of a mixture
MOST_SIZES = 3


def hub_name(text: str) -> str | None:
    """Return a model's name on the hub without its organisation; none for other texts.

    Parameters
    ----------
    text
        What the user wrote.
    """
    match = re.fullmatch(r"[A-Za-z0-9][\w.-]*/([A-Za-z0-9][\w.-]*)", text)
    return match[1] if match and not text.endswith((".json", ".gguf", ".yaml", ".yml")) else None


def preset_of(text: str) -> str | None:
    """Return the model that ships for a name on the hub, whatever its case; none if there is none.

    Of the names that presets list it is the preset; other names are looked up without their organisation.

    Parameters
    ----------
    text
        What the user wrote, e.g. ``Qwen/Qwen3-0.6B``.
    """
    last = hub_name(text)
    if last is None:
        return None
    return hub_names().get(text.lower(), last.lower() if last.lower() in presets() else None)


def hint(text: str) -> str:
    """Return what may be meant by a name on the hub that no preset has, or nothing.

    A model with other numbers is another model: it is named as one of another size, the nearest sizes first.

    Parameters
    ----------
    text
        What the user wrote, e.g. ``Qwen/Qwen3-0.7B``.
    """
    last = hub_name(text)
    if last is None:
        return ""
    series, billions = _series(last)
    others = [(abs(math.log(size / billions)), name) for name, size in _sizes(series)] if billions else []
    listed = ", ".join(repr(name) for _, name in sorted(others)[:MOST_SIZES])
    return f" (other sizes ship: {listed})" if listed else suggestion(last, all_presets(), same_numbers=True)


def _sizes(series: str) -> list[tuple[str, float]]:
    """Return the presets of a series, and billions of parameters as their names say."""
    named = {name: _series(name) for name in all_presets()}
    return [(name, size) for name, (other, size) in named.items() if other == series and size]


def _series(name: str) -> tuple[str, float]:
    """Return a name without its sizes, and the first of these in billions; 0 where it has none."""
    size = SIZE.search(name.lower())
    return SIZE.sub("#", name.lower()), float(size[1]) / (1 if size[2] == "b" else 1000) if size else 0.0
