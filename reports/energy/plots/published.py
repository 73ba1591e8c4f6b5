"""Ours against the printed numbers: a dot for each printed cell, the residuals below."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bitjoule.energy_models.papers.footprint import MEMORY_GB, MEMORY_RATIO
from bitjoule.energy_models.papers.published import decimals_of
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import PublishedPlot
from bitjoule.reports.energy.lead import difference
from bitjoule.reports.energy.plots.titles import scheme_look, set_title
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.style import MARKERS, Theme, new_figure

AXIS = {
    "energy_j": "energy (J)",
    "ratio_to_baseline": "ratio to the baseline",
    MEMORY_GB: "memory (GB)",
    MEMORY_RATIO: "memory of the baseline over memory",
}


def draw_published(plot: PublishedPlot, frames: Frames, theme: Theme) -> Figure:
    """Draw ours over printed, and the relative difference with the width of the printed rounding.

    Parameters
    ----------
    plot
        What of the run is drawn.
    frames
        Of a run with printed numbers.
    theme
        Light or dark.
    """
    cells = frames.comparison
    printed, ours = cells["printed"].astype(float).to_numpy(), cells["ours"].to_numpy(float)
    rounding = np.array([0.5 * 10.0 ** -decimals_of(text) for text in cells["printed"]])
    figure = new_figure(8.4, 7.6)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    groups = list(dict.fromkeys(zip(cells["scheme"], cells["action"], strict=True)))
    for i, (scheme, action) in enumerate(groups):
        in_group = ((cells["scheme"] == scheme) & (cells["action"] == action)).to_numpy()
        color = scheme_look(str(scheme), frames, theme).color
        for agrees in (True, False):
            chosen = in_group & (cells["agrees"].to_numpy(bool) == agrees)
            style = {"marker": MARKERS[i % len(MARKERS)], "color": color, "linestyle": "none"}
            style["markerfacecolor"] = color if agrees else theme.background
            label = f"{scheme} {action}".strip() if agrees else None
            top.plot(printed[chosen], ours[chosen], label=label, **style)
            residual = 100 * (ours[chosen] / printed[chosen] - 1)
            width = 100 * rounding[chosen] / printed[chosen]
            bottom.errorbar(printed[chosen], residual, yerr=width, elinewidth=1.2, capsize=3, **style)
    low, high = min(printed.min(), ours.min()) / 1.6, max(printed.max(), ours.max()) * 1.6
    top.plot([low, high], [low, high], color=theme.text, linewidth=1, zorder=0)
    bottom.axhline(0, color=theme.text, linewidth=1, zorder=0)
    top.set_xscale("log")
    top.set_yscale("log")
    top.set_xlim(low, high)
    top.set_ylim(low, high)
    quantity = " or ".join(AXIS[quantity] for quantity in dict.fromkeys(cells["quantity"]))
    top.set_ylabel(f"ours, {quantity}")
    bottom.set_ylabel("ours − printed (%)")
    bottom.set_xlabel(f"printed, {quantity}; bars: width of the printed rounding")
    for axis in (top.xaxis, top.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 100 else (1.0,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: significant(value, 1)))
        axis.set_minor_formatter(NullFormatter())
    agree = int(cells["agrees"].sum())
    hollow = "" if agree == len(cells) else " (hollow: not)"
    text = f"{agree} of {len(cells)} agree at the printed precision{hollow}; difference: {difference(cells)}"
    set_title(figure, frames, plot, text)
    figure.legend(*top.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
