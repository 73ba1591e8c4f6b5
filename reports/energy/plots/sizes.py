"""Plots over model size: a line for each scheme, a panel for each technology and platform."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import EnergyPlot, RatioPlot
from bitjoule.reports.energy.plots.titles import scheme_look, set_title
from bitjoule.reports.energy.workloads import first_of, first_rows, in_phase, ratio_bands, unit_of
from bitjoule.reports.figures.lines import WIDE_RATIOS, PlotLine, band_handle, draw_lines, label_points, scale_ratios
from bitjoule.reports.figures.panels import Panel, draw_panels, left_panels, legend_below, named_handles, panels_of
from bitjoule.reports.figures.style import DASHES, MARKERS, Theme, log_ticks, settle, size_axis

MAX_FAMILIES = 4  # more are drawn alike
AS_THE_PAPERS = "arithmetic as the papers count"
WIDE_BESIDE = 8  # with two accountings, the quotient of ratios from which their axis is logarithmic
THIN_DASHES = (0, (4, 3))


def draw_sizes(plot: EnergyPlot | RatioPlot, frames: Frames, theme: Theme) -> Figure:
    """Draw energy or ratio over size.

    Parameters
    ----------
    plot
        Which of the two.
    frames
        Of a run. Of a sweep over workloads the first is drawn; the title names it.
    theme
        Light or dark.
    """
    ratios = isinstance(plot, RatioPlot)
    rows, text = first_rows(frames, plot.phase)
    panels = panels_of(frames)
    figure, drawn = draw_panels(panels)
    per_token = isinstance(plot, EnergyPlot) and plot.per_token
    column = "ratio_to_baseline" if ratios else "energy_per_token_j" if per_token else "energy_j"
    lines_at = [_lines(panel.of(rows), column, frames, ratios, theme) for panel in panels]
    if isinstance(plot, RatioPlot) and plot.arithmetic:
        papers = first_of(frames.plots.papers, frames)
        papers = papers[in_phase(papers, plot.phase)]
        papers = papers.fillna({column: 1.0})  # where only platforms are compared: the papers know none
        for lines, panel in zip(lines_at, panels, strict=True):
            unplaced = Panel(panel.technology, "").of(papers)
            lines += [_as_papers(line) for line in _lines(unplaced, column, frames, ratios, theme)]
    limits_at = [_limits(lines, frames, panel) if ratios else [] for lines, panel in zip(lines_at, panels, strict=True)]
    for axes, panel, lines, limits in zip(drawn, panels, lines_at, limits_at, strict=True):
        draw_lines(axes, lines, theme)
        if not per_token:
            _draw_printed(axes, frames, panel.technology, ratios, theme)
        for limit, color in limits:
            axes.axhline(limit, color=color, linestyle=":", linewidth=1.4)
        if limits:
            axes.plot([], [], color=theme.text, linestyle=":", linewidth=1.4, label="limit: one MAC")
        _scale(axes, ratios, len(frames.models))
    if ratios:
        every = [line for lines in lines_at for line in lines]
        values = [value for line in every for ends in (line.value, *(line.band or ())) for value in ends.tolist()]
        two_accountings = any(line.thin for lines in lines_at for line in lines)
        scale_ratios(drawn[0], values, WIDE_BESIDE if two_accountings else WIDE_RATIOS)
        drawn[0].set_ylim(top=1.1 * max([drawn[0].get_ylim()[1] / 1.1, *(v for at in limits_at for v, _ in at)]))
    baseline = frames.baseline
    label = f"energy per {unit_of(frames)}" if per_token else "energy"
    for axes in left_panels(drawn):
        axes.set_ylabel(f"{baseline.name} energy / energy" if ratios and baseline is not None else label)
    set_title(figure, frames, plot, text)
    every = [line for lines in lines_at for line in lines]
    handles = named_handles(drawn) | band_handle(every, theme)
    by_family = any(line.family for line in every)
    legend_below(figure, handles.values(), handles.keys(), None if len(panels) > 1 else 2, dashed=by_family)
    settle(figure)  # the labels find their places in it
    for axes, lines, limits in zip(drawn, lines_at, limits_at, strict=True):
        label_points(axes, lines, limits, labels=4 if any(line.thin for line in lines) else 7)
    return figure


def _as_papers(line: PlotLine) -> PlotLine:
    return replace(line, note=AS_THE_PAPERS, thin=True, dashes=THIN_DASHES)


def _lines(rows: pd.DataFrame, column: str, frames: Frames, ratios: bool, theme: Theme) -> list[PlotLine]:
    groups: list[tuple[list[str], pd.DataFrame]] = []
    baseline = frames.baseline
    for scheme in frames.schemes:
        cases = rows[rows["scheme"] == scheme].sort_values(["parameters", "model"])
        alone = len(frames.schemes) == 1
        if (
            ratios
            and baseline is not None
            and scheme == baseline.scheme
            and not alone
            and np.allclose(cases[column], 1)
        ):
            continue
        same = [names for names, other in groups if np.allclose(other[column], cases[column], rtol=1e-9, atol=0)]
        if same:
            same[0].append(scheme)
        else:
            groups.append(([scheme], cases))
    family_of = {name: family or name for name, family in frames.models["family"].items()}
    families = list(dict.fromkeys(family_of.values()))
    joined = len(families) == 1 or len(families) < len(family_of)
    if len(families) == len(family_of):  # each model is a family: nothing to join
        family_of, families = dict.fromkeys(family_of, ""), [""]
    by_family = 1 < len(families) <= MAX_FAMILIES
    lines = []
    for i, (names, cases) in enumerate(groups):
        color, marker, dashes = scheme_look(names[0], frames, theme)
        if by_family:  # markers are the families': the line alone tells the schemes apart without colour
            dashes = DASHES[i % len(DASHES)]
        for j, family in enumerate(families):
            points = cases[cases["model"].map(family_of).astype(str) == family]
            line = PlotLine(
                schemes=tuple(names),
                family=f"{family} shapes" if by_family else "",
                x=points["parameters"].to_numpy(float),
                value=points[column].to_numpy(float),
                ratio=points["ratio_to_baseline"].to_numpy(float),
                color=color,
                marker=MARKERS[j % len(MARKERS)] if by_family else marker,
                dashes=dashes,
                band=_band(points, column, frames),
                joined=joined,
            )
            lines.append(line)
    return lines


def _band(points: pd.DataFrame, column: str, frames: Frames) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if column == "ratio_to_baseline":
        return ratio_bands(points, frames) if points["platform"].ne("").any() else None
    scale = (points[column] / points["energy_j"]).to_numpy(float)  # from joules of the phase to those of a token
    low, high = (scale * points[f"energy_{end}_j"].to_numpy(float) for end in ("low", "high"))
    return low, high


def _draw_printed(axes: Axes, frames: Frames, technology: str, ratios: bool, theme: Theme) -> None:
    """Draw the papers' numbers as hollow markers: whole energies, or those whose parts are all printed."""
    cells = frames.comparison
    quantity = "ratio_to_baseline" if ratios else "energy_j"
    cells = cells[(cells["quantity"] == quantity) & (cells["technology"] == technology)]
    if cells.empty:
        return
    parameters = frames.models["parameters"].to_dict()
    values = cells.assign(printed=cells["printed"].astype(float)).groupby(["model", "scheme"], sort=False)
    label: str | None = "as printed"
    for (model, _), group in values:
        if set(group["action"]) not in ({""}, {"add", "mul"}):
            continue
        axes.plot(
            [parameters[str(model)]], [group["printed"].sum()],
            marker="o", markersize=13, markerfacecolor="none", markeredgewidth=1.8,
            color=theme.text, linestyle="none", label=label,
        )  # fmt: skip
        label = None


def _scale(axes: Axes, ratios: bool, models: int) -> None:
    axes.margins(x=0.1 if models > 1 else 0.4, y=0.12)
    size_axis(axes)
    if ratios:
        return
    axes.set_yscale("log")
    log_ticks(axes.yaxis, "J")


def _limits(lines: Sequence[PlotLine], frames: Frames, panel: Panel) -> list[tuple[float, str]]:
    """Return the limit of each drawn scheme's ratio as the hidden size grows, and its colour."""
    limits = frames.plots.limits
    ratio = limits[limits["technology"] == panel.technology].set_index("scheme")["ratio"]
    colors = {line.schemes[0]: line.color for line in lines}
    return [(float(ratio[scheme]), color) for scheme, color in colors.items() if scheme in ratio]
