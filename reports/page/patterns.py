"""Hatches in a page: for each part of a stack the hatch that it has in a picture of a run, as a pattern of SVG."""

from collections.abc import Mapping, Sequence

from bitjoule.reports.figures.hatches import hatch_color, hatches
from bitjoule.reports.figures.style import THEMES, Theme

SIDE_PX = 8
_STROKED = {
    "//": "M-2 2L2 -2M0 8L8 0M6 10L10 6",
    "\\\\": "M-2 6L2 10M0 0L8 8M6 -2L10 2",
    "xx": "M0 0L8 8M0 8L8 0",
    "--": "M0 4H8",
    "++": "M0 4H8M4 0V8",
    "oo": "M1.5 4a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0",
}
_FILLED = {"..": "M0.7 2a1.3 1.3 0 1 0 2.6 0a1.3 1.3 0 1 0 -2.6 0M4.7 6a1.3 1.3 0 1 0 2.6 0a1.3 1.3 0 1 0 -2.6 0"}


def variable(part: str) -> str:
    """Return the end of the names that a part has in a page.

    Parameters
    ----------
    part
        As it is written beside a chart.
    """
    return part.replace(" ", "-").lower()


def hatch_variables(colors: Mapping[str, str], theme: Theme) -> dict[str, str]:
    """Return variables with the colour in which the hatch of each part is drawn.

    Parameters
    ----------
    colors
        Of the parts in the theme.
    theme
        Light or dark.
    """
    return {f"--hatch-{variable(part)}": hatch_color(face, theme) for part, face in colors.items()}


def patterns(
    stack: str, parts: Sequence[str], order: Sequence[str], colors: Mapping[Theme, Mapping[str, str]]
) -> dict[str, str]:
    """Return a pattern for each part of a stack that needs a hatch, an element of SVG with the id `stack`-part.

    Parameters
    ----------
    stack
        Begins the ids.
    parts
        In the order in which they are stacked.
    order
        The same parts, the largest first, which are hatched least.
    colors
        Of the parts, for each theme: hatches are the same on a light and on a dark page.
    """
    of_part = hatches(parts, [colors[theme] for theme in THEMES], order)
    return {part: _pattern(f"{stack}-{variable(part)}", part, hatch) for part, hatch in of_part.items() if hatch}


def _pattern(name: str, part: str, hatch: str) -> str:
    colour = f"var(--hatch-{variable(part)})"
    if hatch in _FILLED:
        drawn = f'<path d="{_FILLED[hatch]}" style="fill:{colour}"/>'
    else:
        drawn = f'<path d="{_STROKED[hatch]}" style="fill:none;stroke:{colour};stroke-width:1.1"/>'
    return (
        f'<pattern id="{name}" width="{SIDE_PX}" height="{SIDE_PX}" patternUnits="userSpaceOnUse">'
        f'<rect width="{SIDE_PX}" height="{SIDE_PX}" style="fill:var(--part-{variable(part)})"/>{drawn}</pattern>'
    )
