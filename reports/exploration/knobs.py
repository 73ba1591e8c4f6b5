"""The plot of what each knob alone does to the objectives of the best design."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from bitjoule.experiments.exploration.result import ExplorationResult
from bitjoule.experiments.exploration.space.metrics import METRICS
from bitjoule.reports.exploration.words import short_names
from bitjoule.reports.figures.panels import PANELS_A_ROW, SIDE_IN, legend_below, named_handles
from bitjoule.reports.figures.style import MARKERS, WIDEST_LABELLED_IN, Theme, new_figure

PANEL_IN = (4.2, 3.3)
SQUARE = 4  # knobs: two rows of two
LEGEND_IN = 0.9
MOST_LABELS = 8  # of a panel's settings
CHARACTERS = 28  # of the labels of a panel in one line; longer ones stand at an angle
MARGIN = 1.12
SHADE = 0.25
FINE, COARSE = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0)  # of ticks, in each decade
MOST_TICKS = 8


def draw_knobs(result: ExplorationResult, theme: Theme) -> Figure:
    """Draw a panel for each knob: the objectives over its settings, relative to the best design.

    Parameters
    ----------
    result
        Of an exploration.
    theme
        Light or dark.
    """
    table, objectives = result.variations, result.experiment.explore.objectives
    names = list(dict.fromkeys(table["knob"]))
    short = short_names(names)
    columns = min(len(names), PANELS_A_ROW) if len(names) != SQUARE else 2
    rows = math.ceil(len(names) / columns)
    panel_in = min(PANEL_IN[0], (WIDEST_LABELLED_IN - SIDE_IN) / columns)
    figure = new_figure(panel_in * columns + SIDE_IN, PANEL_IN[1] * rows + LEGEND_IN)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    relative = table[[f"{name}_relative" for name in objectives]].to_numpy(dtype=np.float64)
    relative = relative[np.isfinite(relative)]
    low, high = float(relative.min()) / MARGIN, float(relative.max()) * MARGIN
    for axes, name in zip(panels, names, strict=False):
        settings = table[table["knob"] == name].reset_index(drop=True)
        x = np.arange(len(settings))
        axes.axhline(1.0, color=theme.text, linewidth=0.8, zorder=1.2)
        axes.axvline(float(x[settings["chosen"]][0]), color=theme.series[2], linewidth=7, alpha=SHADE, zorder=1.1)
        for i, objective in enumerate(objectives):
            values = settings[f"{objective}_relative"]
            color = theme.series[i]
            axes.plot(x, values, color=color, zorder=2 + i)
            axes.plot([], [], color=color, marker=MARKERS[i], markersize=6, label=METRICS[objective].label)
            for allowed, face in ((True, color), (False, theme.background)):
                at = (settings["status"] != "infeasible") == allowed
                axes.plot(x[at], values[at], MARKERS[i], color=color, markerfacecolor=face, linestyle="none",
                          markersize=6, zorder=3 + i)  # fmt: skip
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(FixedLocator(_ticks(low, high)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_title(short[name])
        _settings_axis(axes, list(settings["setting"]))
    for unused in panels[len(names) :]:
        unused.remove()
    figure.supylabel("relative to the best design", fontsize=13, color=theme.text)
    figure.suptitle(f"{result.experiment.name}: one knob at a time around design {result.best}", fontsize=14)
    handles = named_handles(panels[: len(names)])
    handles["best design"] = Patch(color=theme.series[2], alpha=SHADE)
    if (table["status"] == "infeasible").any():
        drawn = panels[0].plot([], [], "o", color=theme.text, markerfacecolor=theme.background, linestyle="none")
        handles["breaks a constraint"] = drawn[0]
    legend_below(figure, handles.values(), handles.keys())
    return figure


def _ticks(low: float, high: float) -> list[float]:
    """Return round ratios between two ends, 1 among them: fewer digits the farther they lie apart."""
    for digits in (FINE, COARSE, (1.0,)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= MOST_TICKS:
            return ticks
    return [1.0]


def _settings_axis(axes: Axes, labels: list[str]) -> None:
    step = math.ceil(len(labels) / MOST_LABELS)
    shown = list(range(0, len(labels), step))
    axes.set_xlim(-0.5, len(labels) - 0.5)
    texts = [labels[i] for i in shown]
    long = sum(len(text) + 2 for text in texts) > CHARACTERS
    axes.set_xticks(shown, texts, rotation=30 if long else 0, ha="right" if long else "center", fontsize=11)
