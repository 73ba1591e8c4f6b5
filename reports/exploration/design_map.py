"""The plot of the best value of a metric over two knobs."""

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from bitjoule.experiments.exploration.result import ExplorationResult
from bitjoule.experiments.exploration.schema import DesignMapPlot
from bitjoule.experiments.exploration.space.metrics import METRICS
from bitjoule.reports.exploration.words import PREFIXED, short_names
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.hatches import lightness
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import LIGHT, Theme, log_ticks, new_figure, unit_tick

CELL_IN, SIDE_IN, LEAST_IN = 0.85, (3.4, 2.5), 6.0
TEXT = ("#010101", "#fdfdfd")  # of no theme: on a dark page the cells keep their colours, and so do these
NONE = "no design meets all constraints"
LABEL_PAD_PT = 10
NARROW = 1.5  # below this quotient of its ends the scale of colours is linear


def draw_design_map(plot: DesignMapPlot, result: ExplorationResult, theme: Theme) -> Figure:
    """Draw a cell for each pair of settings: the best feasible design with them, all other knobs free.

    Parameters
    ----------
    plot
        What the experiment asks for.
    result
        Of an exploration.
    theme
        Light or dark.
    """
    metric = plot.metric or result.experiment.explore.objectives[0]
    columns, rows = result.knobs[plot.x], result.knobs[plot.y]
    values, members = cells(plot, metric, result)
    width_in = max(LEAST_IN, CELL_IN * len(columns) + SIDE_IN[0])
    figure = new_figure(width_in, max(LEAST_IN, 0.55 * CELL_IN * len(rows) + SIDE_IN[1]))
    axes = figure.subplots()
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    norm = LogNorm(low, high) if high > NARROW * low > 0 else Normalize(low, high if high > low else low + abs(low))
    family = LIGHT.families[0] if METRICS[metric].maximised else LIGHT.families[0][::-1]
    colors = LinearSegmentedColormap.from_list("", list(family)[::-1])
    axes.grid(visible=False)
    axes.set_facecolor(theme.grid)
    image = axes.imshow(np.ma.masked_invalid(values), cmap=colors, norm=norm, origin="lower", aspect="auto")
    for row, column in zip(*np.nonzero(np.isfinite(values)), strict=True):
        cell = lightness(to_hex(colors(norm(values[row, column]))))
        color = max(TEXT, key=lambda text: abs(lightness(text) - cell))
        mark = {"pareto": " ●", "undecided": " ○"}.get(members[row][column], "")
        axes.text(column, row, f"{significant(float(values[row, column]))}{mark}", ha="center", va="center",
                  color=color, fontsize=10.5)  # fmt: skip
    short = short_names(list(result.knobs))
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlabel(short[plot.x])
    axes.set_ylabel(short[plot.y])
    unit = METRICS[metric].unit
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    prefixed = unit if unit in PREFIXED else ""
    if isinstance(norm, LogNorm):
        log_ticks(bar.ax.yaxis, prefixed)
    else:
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: unit_tick(float(value), prefixed)))
    bar.set_label(METRICS[metric].label + (f" ({unit})" if unit and not prefixed else ""), labelpad=LABEL_PAD_PT)
    in_unit = f", in {unit}" if unit else ""
    axes.set_title(f"{result.experiment.name}: best {METRICS[metric].label}{in_unit}, other knobs free", fontsize=13)
    handles: list[Artist] = [
        axes.plot([], [], "o", color=theme.text, markerfacecolor=face, linestyle="none", markersize=6)[0]
        for face in (theme.text, theme.background)
    ]
    names = ["in the Pareto set", "dominated, but not at all prices in the bands"]
    if len(finite) < values.size:
        handles, names = [*handles, Patch(color=theme.grid)], [*names, NONE]
    legend_below(figure, handles, names)
    return figure


def cells(
    plot: DesignMapPlot, metric: str, result: ExplorationResult
) -> tuple["np.ndarray[tuple[int, int], np.dtype[np.float64]]", list[list[str]]]:
    """Return the best value of a metric for each pair of settings, and the status of the design that has it.

    Parameters
    ----------
    plot, metric, result
        As for `draw_design_map`.

    Returns
    -------
    ndarray and list
        Shape (settings of y, settings of x); NaN and an empty text where no feasible design was evaluated.
    """
    shape = (len(result.knobs[plot.y]), len(result.knobs[plot.x]))
    values = np.full(shape, np.nan)
    members = [[""] * shape[1] for _ in range(shape[0])]
    designs = result.designs
    feasible = designs[designs["status"].isin(["pareto", "undecided", "dominated"]) & np.isfinite(designs[metric])]
    settings = result.settings.loc[feasible.index]
    ascending = not METRICS[metric].maximised
    order = pd.DataFrame({"value": feasible[metric], "row": settings[plot.y], "column": settings[plot.x]})
    order["status"] = feasible["status"].cat.codes
    order = order.sort_values(["value", "status"], ascending=[ascending, True], kind="stable")
    first = order.drop_duplicates(["row", "column"])
    names = feasible["status"].cat.categories
    cells_of = zip(*(first[name].tolist() for name in ("row", "column", "value", "status")), strict=True)
    for row, column, value, status in cells_of:
        values[row, column] = value
        members[row][column] = str(names[status])
    return values, members
