"""Colours, markers and fonts: distinct without colour, legible at half size, on a light and on a dark page."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from bitjoule.reports.figures.digits import parameters, prefix

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (8, 2, 2, 2, 2, 2)))
PNG_DPI = 150
MOST_PIXELS = 2000  # of a picture, in either direction
SMALLEST_PX, NARROWEST_PX = 8.5, 640  # least height of letters where a picture is shown at its least width
WIDEST_IN, WIDEST_LABELLED_IN = (  # of pictures whose smallest letters have 12 and 11 points, of 1/72 inch
    points / 72 * NARROWEST_PX / SMALLEST_PX for points in (12, 11)
)
BAND_LABEL = "low to high prices"
PALER = 0.45  # fraction of a hue in its paler shade
WIDE = 10  # beyond this quotient of its ends an axis of a quantity is logarithmic
TICK_FRACTION = 0.022  # width of a character of a tick's label, as a fraction of the axis
LOG_DIGITS = ((100, (1.0, 2.0, 5.0)), (1000, (1.0, 3.0)))  # of ticks, below these quotients of an axis's ends
ONE_APART = 0.05  # of an axis, between the tick at 1 and others
NARROW = 8  # below this quotient of its ends an axis has too few round numbers for logarithmic ticks


@dataclass(frozen=True)
class Theme:
    """Colours for one background.

    Parameters
    ----------
    suffix
        Appended to the file's stem.
    background, text, grid
        Of the page.
    series
        For lines: of FP, INT, ternary and ±1 formats, then of what is no format; after Okabe and Ito's colour-blind
        safe set, lightened for the dark page.
    families
        Hues for stacked parts, each from dark to light: projections, attention products, FFN, other.
    cache, small, spilled, idle, static, loss
        Hues for what only the system accounting has: KV cache, from dark to light; element-wise parts; activations
        that do not fit; leakage; static power; regulators.
    """

    suffix: str
    background: str
    text: str
    grid: str
    series: tuple[str, ...]
    families: tuple[tuple[str, ...], ...]
    cache: tuple[str, ...]
    small: str
    spilled: str
    idle: str
    static: str
    loss: str


LIGHT = Theme(
    suffix="",
    background="#ffffff",
    text="#1f2328",
    grid="#d8dee4",
    series=("#0072B2", "#D55E00", "#009E73", "#882255", "#000000", "#332288", "#117733", "#CC3377"),
    families=(
        ("#08519c", "#3182bd", "#6baed6", "#9ecae1"),
        ("#b34700", "#fd9a4a"),
        ("#00441b", "#238b45", "#66c2a4", "#b2e2d0"),
        ("#6a51a3", "#9e9ac8"),
    ),
    cache=("#ae0f5e", "#ee7fb0"),
    small="#e3c520",
    spilled="#7a4b2a",
    idle="#8c959f",
    static="#424a53",
    loss="#d0d7de",
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
    cache=("#d6417f", "#f7a3c4"),
    small="#f0dc6a",
    spilled="#c8976b",
    idle="#6e7681",
    static="#c9d1d9",
    loss="#484f58",
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
        "legend.title_fontsize": 12,
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
        "hatch.linewidth": 0.8,
        "svg.hashsalt": "bitjoule",  # the same drawing gives the same bytes
    }


class Picture(Figure):
    """A figure that a notebook shows without pyplot, which alone would register figures with it."""

    def _repr_png_(self) -> bytes:
        """Return the figure as PNG, in its own resolution and colours."""
        file = BytesIO()
        with mpl.rc_context({"savefig.facecolor": "auto"}):
            self.savefig(file, format="png", dpi=self.dpi)
        return file.getvalue()


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure that keeps its parts apart by itself.

    Parameters
    ----------
    width_in, height_in
        Size in inches.
    """
    figure = Picture(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)  # without it each text that is measured gets a renderer, a page of pixels, of its own
    return figure


def png_dpi(figure: Figure) -> float:
    """Return the resolution of a figure's PNG: less for a large one.

    Parameters
    ----------
    figure
        From `new_figure`.
    """
    return min(PNG_DPI, MOST_PIXELS / float(max(figure.get_size_inches())))


def settle(figure: Figure) -> None:
    """Lay a figure out, once and for all: what is put into it then moves nothing.

    Parameters
    ----------
    figure
        From `new_figure`.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)


def shades(family: Sequence[str], count: int) -> list[str]:
    """Return `count` hues, from a family's darkest to its lightest, or paler where there are many.

    Parameters
    ----------
    family
        Hues of a theme, from dark to light.
    count
        How many.
    """
    red, green, blue = (1 - (1 - part) * PALER for part in to_rgb(family[-1]))
    paler = [to_hex((red, green, blue))] if count > len(family) else []
    between = LinearSegmentedColormap.from_list("", [*family, *paler])
    return [to_hex(between(i / max(count - 1, 1))) for i in range(count)]


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


def token_axis(axes: Axes, label: str, values: Sequence[int]) -> None:
    """Make x an axis of the values of a sweep, with ticks at them such as ``128k``; logarithmic where they span far.

    Parameters
    ----------
    axes
        To change.
    label
        Of the axis.
    values
        Of the sweep.
    """
    low, high = min(values), max(values)
    if high > NARROW * max(low, 1):
        if low > 0:
            axes.set_xscale("log", base=2)
        else:
            axes.set_xscale("symlog", base=2, linthresh=min(value for value in values if value > 0))
    axes.margins(x=0.06 if len(values) > 1 else 0.4)
    to_axes = axes.transScale + axes.transLimits
    ordered = sorted(values)
    position = {value: float(to_axes.transform((value, 1.0))[0]) for value in ordered}

    def fit(left: int, right: int) -> bool:
        room = TICK_FRACTION * (len(token_tick(left)) + len(token_tick(right)) + 3) / 2
        return position[right] - position[left] > room

    steps = (ordered[::step] for step in range(1, len(ordered)))
    shown = next((ticks for ticks in steps if all(fit(*pair) for pair in pairwise(ticks))), ordered[-1:])
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(FixedLocator(ordered))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: token_tick(round(value))))
    axes.xaxis.set_minor_formatter(NullFormatter())
    binary = any(token_tick(value)[-1] in "kM" for value in shown)
    axes.set_xlabel(f"{label} (1k = 1024)" if binary else label)


def token_tick(count: int) -> str:
    """Return a number of tokens or sequences for a tick, e.g. ``512``, ``128k``, where k stands for 1024.

    Parameters
    ----------
    count
        Tokens or sequences.
    """
    for factor, suffix in ((1 << 20, "M"), (1 << 10, "k")):
        if count and count % factor == 0:
            return f"{count // factor}{suffix}"
    return str(count)


def unit_axis(axes: Axes, unit: str, low: float, high: float) -> None:
    """Make y an axis of a quantity with a unit, from zero, or logarithmic where it spans more than tenfold.

    Parameters
    ----------
    axes
        To change.
    unit
        Of the quantity, without prefix; empty for none.
    low, high
        The least and the most that is drawn.
    """
    if high > WIDE * low > 0:
        log_scale(axes, unit, low, high)
    else:
        axes.set_ylim(0, 1.15 * high)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: unit_tick(value, unit)))


def log_scale(axes: Axes, unit: str, low: float, high: float) -> None:
    """Make y a logarithmic axis with a tenth of its span above and below what is drawn.

    Parameters
    ----------
    axes
        To change.
    unit
        Of the quantity, without prefix; empty for none.
    low, high
        The least and the most that is drawn.
    """
    margin = (high / low) ** 0.1
    axes.set_yscale("log")
    axes.set_ylim(low / margin, high * margin)
    log_ticks(axes.yaxis, unit)


def log_ticks(axis: Axis, unit: str) -> None:
    """Put ticks at powers of ten of a logarithmic axis, or at more round numbers where it spans little.

    Parameters
    ----------
    axis
        To change; its ends are set.
    unit
        Of the quantity, without prefix; empty for none.
    """
    low, high = axis.get_view_interval()
    if high / low < NARROW:
        axis.set_major_locator(MaxNLocator(5, prune="both"))
    else:
        digits = next((digits for span, digits in LOG_DIGITS if high / low < span), (1.0,))
        axis.set_major_locator(LogLocator(subs=digits, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: unit_tick(value, unit)))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(NullLocator())


def with_one(axis: Axis) -> None:
    """Put a tick at 1 on a logarithmic axis of ratios, in place of ticks that are too close to it.

    Parameters
    ----------
    axis
        To change; its ends and its ticks are set.
    """
    low, high = axis.get_view_interval()
    apart = (high / low) ** ONE_APART
    ticks = [tick for tick in axis.get_majorticklocs() if low <= tick <= high and not 1 / apart < tick < apart]
    axis.set_major_locator(FixedLocator(sorted([*ticks, 1.0])))


def unit_tick(value: float, unit: str) -> str:
    """Return a value for a tick, e.g. ``20 mJ``; without a unit, ``0.5`` or ``20k``.

    Parameters
    ----------
    value
        The value.
    unit
        Without prefix; empty for none.
    """
    if value == 0:
        return "0"
    if not unit and 1e-4 <= abs(value) < 1e3:
        return f"{value:.4g}"
    factor, name = prefix(float(f"{value:.3g}"))
    return f"{value / factor:.4g}{' ' * bool(unit)}{name}{unit}"


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
