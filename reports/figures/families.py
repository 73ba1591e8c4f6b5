"""How a number format is drawn: one colour for a family, marker and line style for the variant, in every picture."""

import math
from typing import Any, NamedTuple

from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from bitjoule.energy_models.formats.formats import factors, formats
from bitjoule.reports.figures.style import DASHES, Theme

KINDS = ("float", "integer", "ternary", "binary")  # in the order of the themes' series
ARM = 0.42  # of a star: its inner radius over its outer one
TO_CENTRE = 4 / 3 / math.pi  # from the straight side of half a disc to its centroid, in radii


def _half(turned_degrees: int) -> Path:
    """Return half a disc: matplotlib's other markers that point somewhere are lines, hollow and filled alike."""
    return Path.wedge(0, 180).transformed(Affine2D().translate(0, -TO_CENTRE).rotate_deg(turned_degrees))


MARKERS_OF: dict[str, tuple[Any, ...]] = {
    "float": ("o", "h", "H", "8"),
    "integer": ("s", "D", "d", "p"),
    "ternary": ("^", "v", "<", ">", *map(_half, (0, 180, 90, 270))),
    "binary": ("P", "X", "*", Path.unit_regular_star(4, ARM)),
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
    marker: Any
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
