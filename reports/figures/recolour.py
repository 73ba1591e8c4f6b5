"""A figure in another theme's colours: what is laid out once need not be laid out again for the dark page."""

from functools import cache
from typing import Any

import numpy as np
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from bitjoule.reports.figures.hatches import hatch_color
from bitjoule.reports.figures.style import DARK, LIGHT, Theme, shades

MOST_SHADES = 24  # most parts of one family in a picture
SAME = 2.5 / 255


def recolour(figure: Figure) -> None:
    """Turn a figure that was drawn for a light page into the one for a dark page.

    Parameters
    ----------
    figure
        Drawn with `LIGHT`, to change. Colours that are not the theme's stay.
    """
    texts = [artist for artist in figure.findobj(Text) if isinstance(artist, Text)]
    boxes = [box for text in texts if (box := text.get_bbox_patch()) is not None]  # neither are a text's children
    arrows = [arrow for text in texts if (arrow := getattr(text, "arrow_patch", None)) is not None]
    for artist in (*figure.findobj(), *boxes, *arrows):
        if isinstance(artist, Text):
            artist.set_color(_dark(artist.get_color()))
        elif isinstance(artist, Line2D):
            face, edge = artist.get_markerfacecolor(), artist.get_markeredgecolor()
            artist.set_color(_dark(artist.get_color()))
            artist.set_markerfacecolor(_dark(face))
            artist.set_markeredgecolor(_dark(edge))
        elif isinstance(artist, Patch):
            face, edge = artist.get_facecolor(), artist.get_edgecolor()
            artist.set_facecolor(_dark(face))
            hatched = bool(artist.get_hatch())
            artist.set_edgecolor(hatch_color(to_hex(_dark(face)), DARK) if hatched else _dark(edge))
        elif isinstance(artist, Collection):
            faces, edges = artist.get_facecolor(), artist.get_edgecolor()
            artist.set_facecolor([_dark(color) for color in faces])
            artist.set_edgecolor([_dark(color) for color in edges])


@cache
def dark_colors() -> dict[str, str]:
    """Return the colour of the dark theme that replaces each of the light one.

    Raises
    ------
    ValueError
        Two colours of the dark theme replace one of the light theme.
    """
    dark_of: dict[str, str] = {}
    for light, dark in zip(_colors(LIGHT), _colors(DARK), strict=True):
        apart = np.abs(np.subtract(to_rgb(dark_of.setdefault(light, dark)), to_rgb(dark))).max()
        if apart > SAME:  # shades between hues can round to one light colour and to neighbouring dark ones
            raise ValueError(f"{light} is {dark_of[light]} and {dark} on a dark page")
    return dark_of


def _colors(theme: Theme) -> list[str]:
    """Return every colour of a theme, in an order that is the same for all."""
    plain = [theme.background, theme.text, theme.grid, *theme.series]
    plain += [theme.small, theme.spilled, theme.idle, theme.static, theme.loss]
    every = (*theme.families, theme.cache)
    families = [color for family in every for color in family]
    between = [color for family in every for count in range(1, MOST_SHADES) for color in shades(family, count)]
    return [to_hex(color) for color in (*plain, *families, *between)]


def _dark(color: Any) -> Any:
    if isinstance(color, str) and color == "none":
        return color
    *_, alpha = to_rgba(color)
    name = to_hex(color)
    return to_rgba(dark_colors().get(name, name), alpha)
