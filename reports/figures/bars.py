"""Stacked horizontal bars, one for each model and scheme."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bitjoule.reports.figures.hatches import hatch_color, hatches
from bitjoule.reports.figures.style import BAND_LABEL, THEMES, WIDEST_IN, Theme

MAX_BARS = 24
LONGEST_NAME = 24
NAMES_IN = 2.4  # least width of the bars' names
IN_PER_CHARACTER = 0.105
PANEL_IN = 5.2  # width of bars of which nothing else is known
MOST_PANEL_IN, LEAST_PANEL_IN = 5.6, 3.4  # width of a panel of bars
WHISKER_PT, CAP_PT, CLEAR_PT = 1.4, 4, 1.4  # widths of a whisker, of half its ends, and of the background around them
END_IN = 0.104  # width of a character behind a bar


def shown_models(models: Sequence[str], bars_each: int) -> set[str]:
    """Return the models that are shown: all, or as many as fit, evenly spread.

    Parameters
    ----------
    models
        Names, in order.
    bars_each
        Bars of a model.
    """
    most = max(1, MAX_BARS // bars_each)
    return {models[i] for i in np.linspace(0, len(models) - 1, min(most, len(models))).astype(int)}


def cut_text(shown: int, models: int) -> str:
    """Return a remark for a title on models that are not drawn, or nothing.

    Parameters
    ----------
    shown, models
        Number of models drawn, and of all.
    """
    return f", {shown} of {models} models" if shown < models else ""


def bar_name(parts: Sequence[str]) -> str:
    """Return the name of a bar.

    Parameters
    ----------
    parts
        Model, scheme and, where there are several, platform.
    """
    return "  ".join(part if len(part) <= LONGEST_NAME else part[: LONGEST_NAME - 1] + "…" for part in parts)


def names_in(names: Sequence[str]) -> float:
    """Return the width that the names of bars take, in inches.

    Parameters
    ----------
    names
        From `bar_name`.
    """
    return max(NAMES_IN, IN_PER_CHARACTER * max(map(len, names)))


def panel_in(names: Sequence[str], columns: int) -> tuple[int, float]:
    """Return how many panels lie side by side, and the width of one in inches, so that texts stay large enough.

    Parameters
    ----------
    names
        Of the bars, left of the first panel.
    columns
        At most.
    """
    room_in = WIDEST_IN - names_in(names)
    count = max(1, min(columns, int(room_in / LEAST_PANEL_IN)))
    return count, min(MOST_PANEL_IN, max(room_in / count, LEAST_PANEL_IN))


def hatches_of(drawn: pd.DataFrame, colors: Callable[[Theme], Mapping[str, str]]) -> dict[str, str]:
    """Return the hatch of each part of some bars, none for the largest: what colours do not tell apart in grey.

    Parameters
    ----------
    drawn
        Lengths, a row for each bar, a column for each part.
    colors
        Of the parts, for a theme: hatches are the same on a light and on a dark page.
    """
    shares = drawn.div(drawn.sum(axis=1), axis="index").sum()
    order = [str(part) for part in shares.sort_values(ascending=False, kind="stable").index]
    return hatches([str(part) for part in drawn.columns], [colors(theme) for theme in THEMES], order)


def _clear_whiskers(axes: Axes, bands: NDArray[np.float64], theme: Theme) -> None:
    """Draw the background around whiskers, which are as dark as some parts that they cross."""
    rows = np.arange(bands.shape[1])
    axes.hlines(rows, bands[0], bands[1], colors=theme.background, linewidth=WHISKER_PT + 2 * CLEAR_PT, zorder=1.9)
    axes.plot(bands.ravel(), np.tile(rows, 2), "|", color=theme.background, markersize=2 * (CAP_PT + CLEAR_PT),
              markeredgewidth=1 + 2 * CLEAR_PT, zorder=1.9)  # fmt: skip


def draw_bars(
    axes: Axes,
    drawn: pd.DataFrame,
    ends: Sequence[str],
    names: Sequence[str],
    colors: Callable[[Theme], Mapping[str, str]],
    theme: Theme,
    bands: NDArray[np.float64] | None = None,
    width_in: float = PANEL_IN,
    hatch_of: Mapping[str, str] | None = None,
) -> None:
    """Draw stacked bars from the top down; parts that are as light as others are hatched.

    Parameters
    ----------
    axes
        Where.
    drawn
        Lengths, a row for each bar, a column for each part.
    ends
        Text at the end of each bar.
    names
        Of the bars.
    colors
        Of the parts, for a theme: hatches are the same on a light and on a dark page.
    theme
        Light or dark.
    bands
        Lengths at the low and the high ends of the prices, shape (2, bars).
    width_in
        Of the panel in inches.
    hatch_of
        Hatches of the parts, from `hatches_of` where several panels share them, or with a meaning of their own.
    """
    own = colors(theme)
    if hatch_of is None:
        hatch_of = hatches_of(drawn, colors)
    left = np.zeros(len(drawn))
    for part in drawn.columns:
        width = drawn[part].to_numpy()
        hatch = hatch_of[part]
        axes.barh(range(len(drawn)), width, left=left, height=0.72, color=own[part], label=part, hatch=hatch or None,
                  edgecolor=hatch_color(own[part], theme) if hatch else theme.background,
                  linewidth=0 if hatch else 0.6)  # fmt: skip
        left += width
    tips = left
    if bands is not None and np.any(bands[1] > bands[0]):
        _clear_whiskers(axes, bands, theme)
        axes.errorbar(left, range(len(drawn)), xerr=np.abs(bands - left), color=theme.text, linestyle="none",
                      elinewidth=WHISKER_PT, capsize=CAP_PT, label=BAND_LABEL)  # fmt: skip
        tips = np.maximum(left, bands[1])
    clear = {"boxstyle": "square,pad=0.15", "facecolor": theme.background, "edgecolor": "none"}
    for y, (tip, text) in enumerate(zip(tips, ends, strict=True)):
        axes.annotate(text, (tip, y), xytext=(7, 0), textcoords="offset points", va="center", fontsize=12, bbox=clear)
    axes.set_yticks(range(len(drawn)), names)
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    end = END_IN / width_in
    reach = max(tip / (1 - end * (len(text) + 2)) for tip, text in zip(tips, ends, strict=True))
    axes.set_xlim(0, max(float(tips.max()) * 1.05, reach))
    axes.grid(visible=False, axis="y")
