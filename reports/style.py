"""Colours, markers and fonts: distinct without colour, legible at half size, on a light and on a dark page."""

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from bitjoule.reports.digits import parameters

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (8, 2, 2, 2, 2, 2)))
PNG_DPI = 150
NARROW = 8  # below this quotient of its ends an axis has too few round numbers for logarithmic ticks


@dataclass(frozen=True)
class Theme:
    """Colours for one background.

    Parameters
    ----------
    suffix
        Put behind the file's name.
    background, text, grid
        Of the page.
    series
        For lines, in order; after Okabe and Ito's colour-blind safe set, lightened for the dark page.
    families
        Hues for stacked parts, each from dark to light: projections, attention products, FFN, other.
    """

    suffix: str
    background: str
    text: str
    grid: str
    series: tuple[str, ...]
    families: tuple[tuple[str, ...], ...]


LIGHT = Theme(
    suffix="",
    background="#ffffff",
    text="#1f2328",
    grid="#d8dee4",
    series=("#0072B2", "#D55E00", "#009E73", "#000000", "#332288", "#444444", "#117733", "#CC3377"),
    families=(
        ("#08519c", "#3182bd", "#6baed6", "#9ecae1"),
        ("#b34700", "#fd9a4a"),
        ("#00441b", "#238b45", "#66c2a4", "#b2e2d0"),
        ("#6a51a3", "#9e9ac8"),
    ),
)
DARK = Theme(
    suffix="_dark",
    background="#0d1117",
    text="#e6edf3",
    grid="#30363d",
    series=("#56B4E9", "#FF8C42", "#2FCB9C", "#9467FF", "#FFFFFF", "#FF5C8A", "#FFF7BC", "#3C8DDE"),
    families=(
        ("#2a78c8", "#56a0e0", "#8cc0ee", "#c3def6"),
        ("#e06a10", "#ffb570"),
        ("#15803d", "#2fb36a", "#7fd6a8", "#c2eed6"),
        ("#9a84d6", "#c9bdf0"),
    ),
)
THEMES = (LIGHT, DARK)


def settings(theme: Theme) -> dict[Any, Any]:
    """Return matplotlib's settings for a theme.

    Parameters
    ----------
    theme
        Light or dark.
    """
    return {
        **{key: mpl.rcParamsDefault[key] for key in ("font.family", "font.sans-serif")},
        "font.size": 13,
        "axes.titlesize": 14,
        "axes.labelsize": 13,
        "xtick.labelsize": 12,
        "ytick.labelsize": 12,
        "legend.fontsize": 12,
        "figure.facecolor": theme.background,
        "axes.facecolor": theme.background,
        "savefig.facecolor": theme.background,
        "text.color": theme.text,
        "axes.labelcolor": theme.text,
        "axes.edgecolor": theme.text,
        "xtick.color": theme.text,
        "ytick.color": theme.text,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.grid,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 2,
        "lines.markersize": 7,
        "legend.frameon": False,
        "svg.hashsalt": "bitjoule",  # the same drawing gives the same bytes
    }


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure that keeps its parts apart by itself.

    Parameters
    ----------
    width_in, height_in
        Size in inches.
    """
    return Figure(figsize=(width_in, height_in), layout="constrained")


def size_axis(axes: Axes, label: str = "parameters") -> None:
    """Make x a logarithmic axis of parameters, with ticks such as ``1B``.

    Parameters
    ----------
    axes
        To change.
    label
        Of the axis.
    """
    axes.set_xscale("log")
    axes.set_xlabel(label)
    low, high = axes.get_xlim()
    if high / low < NARROW:
        axes.xaxis.set_major_locator(MaxNLocator(4, prune="both"))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 100 else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size_tick(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def size_tick(count: float) -> str:
    """Return a number of parameters for a tick, e.g. ``1B`` or ``25M``.

    Parameters
    ----------
    count
        Parameters.
    """
    text = parameters(count)
    number, suffix = (text[:-1], text[-1]) if text[-1].isalpha() else (text, "")
    return f"{float(number):g}{suffix}"
