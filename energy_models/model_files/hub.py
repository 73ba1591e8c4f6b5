"""Names of models on Hugging Face's hub, ``ORGANISATION/MODEL``, for models that ship."""

import re

from bitjoule.energy_models.architecture.shape import hub_names, presets


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
