"""Metrics and knobs as a person reads them."""

from collections.abc import Sequence

import pandas as pd

from bitjoule.experiments.exploration.space.knobs import BYTES, size_text
from bitjoule.experiments.exploration.space.metrics import METRICS
from bitjoule.reports.figures.digits import significant, with_unit

PREFIXED = ("J", "s", "W", "B")  # units that take a prefix
ENDINGS = {
    "_gb_per_s": " (GB/s)",
    "_mhz": " (MHz)",
    "_bits": " (bits)",
    "_w": " (W)",
    "_v": " (V)",
    "_ns": " (ns)",
    "_bytes": "",
    "_macs": " MACs",
}  # of keys; sizes have their unit beside each value


def quantity(name: str, value: float) -> str:
    """Return a metric with its unit, e.g. ``46.9 J``.

    Parameters
    ----------
    name, value
        Of the metric.
    """
    unit = METRICS[name].unit
    if unit in PREFIXED:
        return with_unit(value, unit)
    return f"{significant(value)} {unit}".rstrip()


def header(name: str) -> str:
    """Return the header of a metric's column, e.g. ``energy per request (J)``.

    Parameters
    ----------
    name
        Of the metric.
    """
    metric = METRICS[name]
    return f"{metric.label} ({metric.unit})" if metric.unit else metric.label


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return short names of dotted keys: as many of their last parts as tell them apart, units as such.

    Parameters
    ----------
    names
        Keys or names of knobs, each once.
    """
    shortened = {}
    for name in names:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            text = ".".join(parts[-count:])
            if sum(other == text or other.endswith(f".{text}") for other in names) == 1:
                shortened[name] = text
                break
        else:
            shortened[name] = name
    holder = {name: name.split(".") for name in names}
    for name, text in shortened.items():
        if text in ("size_bytes", "size bytes") and len(holder[name]) > 1:
            shortened[name] = f"{holder[name][-2]}.{text}"
    return {name: _in_words(text) for name, text in shortened.items()}


def _in_words(text: str) -> str:
    for ending, words in ENDINGS.items():
        if text.endswith(ending):
            return text.removesuffix(ending).replace("_", " ") + words
    return text.replace("_", " ")


def setting_text(name: str, text: str) -> str:
    """Return the value of a key for a cell: sizes in bytes with a binary prefix.

    Parameters
    ----------
    name, text
        The key, and its value as text.
    """
    return size_text(text) if name.endswith(BYTES) else text


def knob_columns(designs: pd.DataFrame) -> list[str]:
    """Return the columns of the values at the keys of knobs.

    Parameters
    ----------
    designs
        Of an exploration.
    """
    names = list(designs.columns)
    return names[1 : names.index("status")]
