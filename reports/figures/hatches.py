"""Hatches of stacked parts and of bars: they tell apart in grey what lightness alone does not."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb

from bitjoule.reports.figures.style import Theme

HATCHES = ("", "//", "..", "xx", "\\\\", "oo", "--", "++")
APART = 12  # of CIELAB's lightness, from 0 to 100: where the just noticeable difference is about 2
LINEAR_BELOW, SLOPE, GAMMA = 0.04045, 12.92, 2.4  # sRGB, IEC 61966-2-1
LUMINANCE = (0.2126, 0.7152, 0.0722)
CUBIC_ABOVE, DARK_SLOPE = 216 / 24389, 24389 / 27  # CIE 15, section 8.2.1


def lightness(color: str) -> float:
    """Return CIELAB's lightness of a colour, from 0 (black) to 100 (white).

    Parameters
    ----------
    color
        As matplotlib takes it.
    """
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= LINEAR_BELOW, rgb / SLOPE, ((rgb + 0.055) / 1.055) ** GAMMA)
    luminance = float(linear @ LUMINANCE)
    return 116 * luminance ** (1 / 3) - 16 if luminance > CUBIC_ABOVE else DARK_SLOPE * luminance


def hatches(parts: Sequence[str], colors: Sequence[Mapping[str, str]], order: Sequence[str]) -> dict[str, str]:
    """Return a hatch for each part, so that two parts of one hatch differ in lightness wherever they are drawn.

    Where there are more parts than hatches can tell apart, those that look alike lie far from each other.

    Parameters
    ----------
    parts
        In the order of the stack.
    colors
        Of the parts, one mapping a theme.
    order
        The same parts, the largest first, which are hatched least.
    """
    light = {part: np.array([lightness(of_theme[part]) for of_theme in colors]) for part in parts}
    place = {part: i for i, part in enumerate(parts)}
    chosen: dict[str, str] = {}
    for part in order:
        nearest = dict.fromkeys(HATCHES, len(parts))
        for other, hatch in chosen.items():
            if np.min(np.abs(light[part] - light[other])) < APART:
                nearest[hatch] = min(nearest[hatch], abs(place[part] - place[other]))
        chosen[part] = max(HATCHES, key=nearest.__getitem__)
    return chosen


def hatch_color(face: str, theme: Theme) -> str:
    """Return the colour in which a hatch can be seen on a face.

    Parameters
    ----------
    face
        Colour of the bar.
    theme
        Light or dark.
    """
    return max((theme.background, theme.text), key=lambda color: abs(lightness(color) - lightness(face)))
