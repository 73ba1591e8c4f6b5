"""The plot of designs in the plane of two metrics."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitjoule.experiments.exploration.result import ExplorationResult
from bitjoule.experiments.exploration.schema import ParetoPlot
from bitjoule.experiments.exploration.space.metrics import METRICS
from bitjoule.reports.exploration.words import PREFIXED, short_names
from bitjoule.reports.figures.families import look
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import BAND_LABEL, MARKERS, WIDE, Theme, log_ticks, new_figure, unit_tick

WIDTH_IN, HEIGHT_IN = 9.0, 6.6
MOST_BANDS = 60  # members of the set that are drawn with their bands
MARGIN = 1.08  # of a logarithmic axis, beyond what is drawn


class Group(NamedTuple):
    """Designs that are drawn alike.

    Parameters
    ----------
    rows
        Of the table of designs.
    label, color, marker, size, alpha
        How they are drawn.
    hollow, banded
        Whether markers are hollow, and whether bands of prices are drawn.
    """

    rows: pd.DataFrame
    label: str
    color: str
    marker: str
    size: float
    alpha: float = 1.0
    hollow: bool = False
    banded: bool = False


def draw_pareto(plot: ParetoPlot, result: ExplorationResult, theme: Theme) -> Figure:
    """Draw every design with a result, the Pareto set with its bands, and the designs that bands leave undecided.

    Parameters
    ----------
    plot
        What the experiment asks for.
    result
        Of an exploration.
    theme
        Light or dark.
    """
    x, y = result.experiment.axes_of(plot)
    figure = new_figure(WIDTH_IN, HEIGHT_IN)
    axes = figure.subplots()
    shown = []
    for group in _groups(plot, result, theme):
        rows = group.rows.iloc[np.flatnonzero(np.isfinite(group.rows[[x, y]].to_numpy()).all(axis=1))]
        if rows.empty:
            continue
        shown.append(rows)
        axes.plot(
            rows[x], rows[y], marker=group.marker, markersize=group.size, color=group.color, alpha=group.alpha,
            label=group.label, linestyle="none", markerfacecolor="none" if group.hollow else group.color,
            markeredgewidth=1.0 if group.hollow or group.marker == "x" else 0.0,
        )  # fmt: skip
        if group.banded:
            _bands(axes, rows, x, y, group.color)
    best = result.designs[result.designs["design"] == result.best]
    axes.plot(
        best[x], best[y], "*", markersize=17, color=theme.text, markeredgecolor=theme.background, linestyle="none",
        label=f"best: design {result.best}", zorder=4,
    )  # fmt: skip
    every = pd.concat(shown)
    _axis(axes, "x", x, every)
    _axis(axes, "y", y, every)
    axes.set_title(f"{result.experiment.name}: {len(result.pareto)} Pareto-optimal of {len(result.designs)} designs")
    lines = axes.plot([], [], color=theme.idle, linewidth=1)
    handles, labels = axes.get_legend_handles_labels()
    if f"{x}_low" in every or f"{y}_low" in every:
        some = " (of some)" if len(result.pareto) > MOST_BANDS else ""
        handles, labels = [*handles, lines[0]], [*labels, f"{BAND_LABEL}{some}"]
    legend_below(figure, handles, labels, columns=3)
    return figure


def _groups(plot: ParetoPlot, result: ExplorationResult, theme: Theme) -> Iterator[Group]:
    designs = result.designs
    of = {status: designs[designs["status"] == status] for status in designs["status"].cat.categories}
    yield Group(of["infeasible"], "breaks a constraint", theme.idle, "x", 3.5, 0.5)
    yield Group(of["dominated"], "dominated", theme.idle, ".", 5, 0.75)
    yield Group(
        of["undecided"], "dominated, but not at all prices in the bands", theme.series[1], "o", 5, hollow=True
    )  # fmt: skip
    members = of["pareto"]
    if plot.by is None:
        yield Group(members, "Pareto set", theme.series[0], "o", 6.5, banded=True)
        return
    name = short_names(list(result.knobs))[plot.by]
    settings = result.settings.loc[members.index, plot.by]
    texts = result.knobs[plot.by]
    for i, (text, (color, marker)) in enumerate(zip(texts, _looks(plot.by, result, theme), strict=True)):
        yield Group(members[settings == i], f"Pareto set, {name} {text}", color, marker, 6.5, banded=True)


def _looks(knob: str, result: ExplorationResult, theme: Theme) -> list[tuple[str, str]]:
    """Return colour and marker of each setting of a knob: if it chooses schemes those of their formats."""
    settings = range(len(result.knobs[knob]))
    if "scheme" in result.designs:
        used = result.designs["scheme"].astype(str).groupby(result.settings[knob]).unique().to_dict()
        names = [used[i][0] for i in settings if len(used.get(i, ())) == 1]
        if len(set(names)) == len(settings):
            rows = result.formats.loc[names].to_dict("records")
            return [look(row["kind"], row["variant"], theme)[:2] for row in rows]
    return [(theme.series[i % len(theme.series)], MARKERS[i % len(MARKERS)]) for i in settings]


def _bands(axes: Axes, rows: pd.DataFrame, x: str, y: str, color: str) -> None:
    """Draw the bands of prices of some members of the set."""
    chosen = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_BANDS)).astype(int))]
    if f"{x}_low" in rows:
        axes.hlines(chosen[y], chosen[f"{x}_low"], chosen[f"{x}_high"], color=color, linewidth=1, alpha=0.4, zorder=1.5)
    if f"{y}_low" in rows:
        axes.vlines(chosen[x], chosen[f"{y}_low"], chosen[f"{y}_high"], color=color, linewidth=1, alpha=0.4, zorder=1.5)


def _axis(axes: Axes, which: str, name: str, rows: pd.DataFrame) -> None:
    """Make an axis of a metric, logarithmic where it spans far."""
    metric = METRICS[name]
    members = rows[rows["status"] == "pareto"]
    ends = [rows[name], *(members[f"{name}_{end}"] for end in ("low", "high") if f"{name}_{end}" in members)]
    low, high = float(min(end.min() for end in ends)), float(max(end.max() for end in ends))
    axis = axes.xaxis if which == "x" else axes.yaxis
    unit = metric.unit if metric.unit in PREFIXED else ""
    axis.set_label_text(metric.label if unit or not metric.unit else f"{metric.label} ({metric.unit})")
    if low > 0 and high / low > WIDE**0.5:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        (axes.set_xlim if which == "x" else axes.set_ylim)(low / MARGIN, high * MARGIN)
        log_ticks(axis, unit)
    else:
        axis.set_major_formatter(lambda value, _: unit_tick(float(value), unit))
