"""Stacked horizontal bars, one for each model and scheme."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bitjoule.reports.figures.style import BAND_LABEL, Theme

MAX_BARS = 24
LONGEST_NAME = 24
NAMES_IN = 2.4  # least width of the bars' names
IN_PER_CHARACTER = 0.105
END_FRACTION = 0.02  # width of a character behind a bar, as a fraction of the axis


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


def draw_bars(
    axes: Axes,
    drawn: pd.DataFrame,
    ends: Sequence[str],
    names: Sequence[str],
    colors: Mapping[str, str],
    theme: Theme,
    bands: NDArray[np.float64] | None = None,
) -> None:
    """Draw stacked bars from the top down.

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
        Of the parts.
    theme
        Light or dark.
    bands
        Lengths at the low and the high ends of the prices, shape (2, bars).
    """
    left = np.zeros(len(drawn))
    for part in drawn.columns:
        width = drawn[part].to_numpy()
        axes.barh(range(len(drawn)), width, left=left, height=0.72, color=colors[part], label=part,
                  edgecolor=theme.background, linewidth=0.6)  # fmt: skip
        left += width
    tips = left
    if bands is not None and np.any(bands[1] > bands[0]):
        axes.errorbar(left, range(len(drawn)), xerr=np.abs(bands - left), color=theme.text, linestyle="none",
                      elinewidth=1.4, capsize=4, label=BAND_LABEL)  # fmt: skip
        tips = np.maximum(left, bands[1])
    clear = {"boxstyle": "square,pad=0.15", "facecolor": theme.background, "edgecolor": "none"}
    for y, (tip, text) in enumerate(zip(tips, ends, strict=True)):
        axes.annotate(text, (tip, y), xytext=(7, 0), textcoords="offset points", va="center", fontsize=12, bbox=clear)
    axes.set_yticks(range(len(drawn)), names)
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    reach = max(tip / (1 - END_FRACTION * (len(text) + 2)) for tip, text in zip(tips, ends, strict=True))
    axes.set_xlim(0, max(float(tips.max()) * 1.05, reach))
    axes.grid(visible=False, axis="y")
