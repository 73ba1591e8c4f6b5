"""Published scores over the energy of a token."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import AccuracyPlot
from bitjoule.reports.energy.plots.titles import scheme_look, set_title
from bitjoule.reports.energy.workloads import first_of, first_workload, in_phase, phase_text
from bitjoule.reports.figures.labels import Label, place_labels
from bitjoule.reports.figures.panels import draw_panels, left_panels, legend_below, panels_of
from bitjoule.reports.figures.style import Theme, log_ticks, settle

LABEL_DISTANCE = 0.3  # of the panel
NAMES_BELOW = 0.1  # of the panel, above the highest and below the lowest point: room for their names


def draw_accuracies(plot: AccuracyPlot, frames: Frames, theme: Theme) -> Figure:
    """Draw a benchmark's scores over the energy of a token; the Pareto set is filled and joined.

    Parameters
    ----------
    plot
        Phase and benchmark.
    frames
        Of a run. Of a sweep over workloads the first is drawn; the title names it.
    theme
        Light or dark.
    """
    values, text = first_workload(frames)
    table = first_of(frames.plots.accuracies, frames)
    table = table[in_phase(table, plot.phase) & (table["benchmark"] == plot.benchmark)]
    panels = panels_of(frames)
    figure, drawn = draw_panels(panels)
    handles: dict[str, Line2D] = {}
    for axes, panel in zip(drawn, panels, strict=True):
        points = panel.of(table)
        for _, rows in points.groupby("model", sort=False, observed=True):
            front = rows[rows["pareto"]].sort_values("energy_per_token_j")
            axes.plot(front["energy_per_token_j"], front["score"], color=theme.text, linewidth=1, zorder=1)
            for row in rows.to_dict("records"):
                color, marker, _ = scheme_look(row["scheme"], frames, theme)
                face = color if row["pareto"] else theme.background
                axes.plot(row["energy_per_token_j"], row["score"], marker=marker, color=color, markerfacecolor=face,
                          markeredgewidth=1.6, zorder=2)  # fmt: skip
        axes.margins(y=NAMES_BELOW)
        if points["falls"].any():
            axes.set_yscale("log")
        axes.set_xscale("log")
        log_ticks(axes.xaxis, "J")
        axes.set_xlabel("energy per token")
    for axes in left_panels(drawn):
        axes.set_ylabel(plot.benchmark)
    set_title(figure, frames, plot, f"{phase_text(plot.phase, values['new_tokens'])}{text}")
    handles["Pareto set"] = Line2D([], [], color=theme.text, linewidth=1, marker="o")
    if not table["pareto"].all():
        handles["others"] = Line2D(
            [], [], color=theme.text, linestyle="none", marker="o", markerfacecolor=theme.background
        )
    legend_below(figure, handles.values(), handles.keys(), 2)
    settle(figure)  # the names find their places in it
    for axes, panel in zip(drawn, panels, strict=True):
        _name_points(axes, panel.of(table), frames, theme)
    return figure


def _name_points(axes: Axes, points: pd.DataFrame, frames: Frames, theme: Theme) -> None:
    """Write each scheme at its point, where there is room."""
    several = len(set(points["model"])) > 1
    labels = [
        Label(row["energy_per_token_j"], row["score"], f"{row['scheme']}, {row['model']}" if several else row["scheme"],
              scheme_look(row["scheme"], frames, theme).color)
        for row in points.to_dict("records")
    ]  # fmt: skip
    if labels:
        at = points[["energy_per_token_j", "score"]].to_numpy(float)
        front = points[points["pareto"]].sort_values("energy_per_token_j")
        lines = [(front["energy_per_token_j"].to_numpy(), front["score"].to_numpy())]
        place_labels(axes, labels, at, lines, LABEL_DISTANCE)
