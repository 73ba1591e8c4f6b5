"""How a number format is drawn: one colour for a family, marker and line style for the variant, in every picture."""

from typing import Any, NamedTuple

from bitjoule.energy_models.formats.formats import factors, formats
from bitjoule.reports.figures.style import DASHES, Theme

KINDS = ("float", "integer", "ternary", "binary")  # in the order of the themes' series
MARKERS_OF: dict[str, tuple[str, ...]] = {
    "float": ("o", "h", "H", "8"),
    "integer": ("s", "D", "d", "p"),
    "ternary": ("^", "v", "<", ">", "2", "1", "3", "4"),
    "binary": ("P", "X", "*", "+"),
}  # families differ without colour, too


class Look(NamedTuple):
    """How a scheme is drawn.

    Parameters
    ----------
    color
        Of its family.
    marker, dashes
        Of its variant.
    """

    color: str
    marker: str
    dashes: Any


def look(kind: str, variant: int, theme: Theme) -> Look:
    """Return how a variant of a family of formats is drawn.

    Parameters
    ----------
    kind
        Of `bitjoule.energy_models.formats.formats.NumberFormat`.
    variant
        Its number, from 0.
    theme
        Light or dark.
    """
    markers = MARKERS_OF[kind]
    return Look(theme.series[KINDS.index(kind)], markers[variant % len(markers)], DASHES[variant % len(DASHES)])


def kind_of(name: str) -> str:
    """Return the kind of a number format, or of what begins with one such as ``ternary x int8`` or ``int4xint8``.

    Parameters
    ----------
    name
        A format; of a MAC its weights come first.
    """
    return formats()[factors(name.split()[0])[0]].kind
