"""Plots over model size: one line a scheme, one panel a technology."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import textalloc
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from bitjoule.experiments.result import Result
from bitjoule.experiments.schema import EnergyPlot, RatioPlot
from bitjoule.reports.digits import significant, with_unit
from bitjoule.reports.style import DASHES, MARKERS, Theme, new_figure, size_axis

LABELS_A_LINE = 7
MAX_FAMILIES = 4  # more are drawn alike
CROWDED_POINTS = 40
WIDE_RATIOS = 200  # quotient of the largest and the smallest


@dataclass(frozen=True)
class Line:
    """One scheme's points of one family at one technology, by rising size.

    Parameters
    ----------
    schemes
        Names of the schemes whose values these are: those that coincide share a line.
    family
        Of the models; empty where families are not told apart.
    size, value, ratio
        Parameters, what is drawn, and the ratio to the baseline; shape (models,).
    color, marker, dashes
        How it is drawn.
    """

    schemes: tuple[str, ...]
    family: str
    size: NDArray[np.float64]
    value: NDArray[np.float64]
    ratio: NDArray[np.float64]
    color: str
    marker: str
    dashes: Any

    @property
    def label(self) -> str:
        """For the legend."""
        return " = ".join(self.schemes) + (f", {self.family} shapes" if self.family else "")


def draw_sizes(plot: EnergyPlot | RatioPlot, result: Result, theme: Theme) -> Figure:
    """Draw energy or ratio over size.

    Parameters
    ----------
    plot
        Which of the two.
    result
        A run. Of a sweep over workloads the first is drawn; the title names it.
    theme
        Light or dark.
    """
    ratios = isinstance(plot, RatioPlot)
    rows, workload = _rows_of(result)
    technologies = list(result.resolved.technologies)
    figure = new_figure(5.4 * len(technologies) + (0.6 if len(technologies) > 1 else 2.6), 5.8)
    panels = figure.subplots(1, len(technologies), sharey=True, squeeze=False)[0]
    column = "ratio_to_baseline" if ratios else "energy_j"
    lines_at = {name: _lines(rows[rows["technology"] == name], column, result, ratios, theme) for name in technologies}
    limits_at = {name: list(_limits(lines_at[name], result, name).values()) if ratios else [] for name in technologies}
    for axes, technology in zip(panels, technologies, strict=True):
        _draw_lines(axes, lines_at[technology])
        _draw_printed(axes, result, technology, plot, theme)
        for limit, color in limits_at[technology]:
            axes.axhline(limit, color=color, linestyle=":", linewidth=1.4)
        if limits_at[technology]:
            axes.plot([], [], color=theme.text, linestyle=":", linewidth=1.4, label="the same for one MAC")
        axes.set_title(technology)
        _scale(axes, ratios, len(result.resolved.models))
    if ratios:
        _scale_ratios(
            panels[0], [value for lines in lines_at.values() for line in lines for value in line.value.tolist()]
        )
        panels[0].set_ylim(
            top=1.1 * max([panels[0].get_ylim()[1] / 1.1, *(v for at in limits_at.values() for v, _ in at)])
        )
    baseline = result.resolved.experiment.baseline
    panels[0].set_ylabel(f"{baseline.name} energy / energy" if ratios and baseline is not None else "energy")
    figure.suptitle(f"{result.resolved.experiment.name}: {workload}", fontsize=14)
    named = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(
        named.values(),
        named.keys(),
        loc="outside lower center",
        ncols=min(len(named), 4 if len(technologies) > 1 else 2),
    )
    figure.draw_without_rendering()  # settles the layout, in which the labels then find their places
    figure.set_layout_engine("none")
    for axes, technology in zip(panels, technologies, strict=True):
        _label_points(axes, lines_at[technology], limits_at[technology])
    return figure


def first_workload(result: Result) -> tuple[NDArray[np.intp], str]:
    """Return the numbers of the cases of the sweep's first workload, and its description; of matmuls, all.

    Parameters
    ----------
    result
        A run.
    """
    cases = np.arange(len(result.grid))
    if result.resolved.experiment.matmuls is not None:
        return cases, "matrix products"
    workload_axes = np.stack(result.grid.axis_indices(cases)[3:])
    cases = cases[(workload_axes == 0).all(axis=0)]
    workloads = len(result.grid) // len(cases)
    batch, prompt, new = (int(values[0]) for values in result.grid.workload(cases[:1]))
    first = f" (first of {workloads} workloads)" if workloads > 1 else ""
    return cases, workload_text(batch, prompt, new) + first


def workload_text(batch: int, prompt: int, new: int) -> str:
    """Return a workload as ``512 prompt tokens, 128 new tokens, batch 4``.

    Parameters
    ----------
    batch, prompt, new
        Sequences, tokens, tokens.
    """
    parts = [f"{prompt} prompt token{'s' * (prompt > 1)}"]
    parts += [f"{new} new token{'s' * (new > 1)}"] if new else []
    return ", ".join([*parts, f"batch {batch}"] if batch > 1 else parts)


def _rows_of(result: Result) -> tuple[pd.DataFrame, str]:
    """Return the summary rows of the first workload, both phases summed, and its description."""
    cases, text = first_workload(result)
    summary = result.summary
    if result.resolved.experiment.matmuls is not None:
        return summary, text
    batch, prompt, new = (int(values[0]) for values in result.grid.workload(cases[:1]))
    rows = (summary["batch"] == batch) & (summary["prompt_tokens"] == prompt) & (summary["new_tokens"] == new)
    return summary[rows & (summary["phase"] == ("request" if new else "prefill"))], text


def _lines(rows: pd.DataFrame, column: str, result: Result, ratios: bool, theme: Theme) -> list[Line]:
    groups: list[tuple[list[str], pd.DataFrame]] = []
    baseline = result.resolved.experiment.baseline
    for scheme in result.resolved.schemes:
        own = rows[rows["scheme"] == scheme].sort_values(["parameters", "model"])
        alone = len(result.resolved.schemes) == 1
        if ratios and baseline is not None and scheme == baseline.scheme and not alone and np.allclose(own[column], 1):
            continue
        same = [names for names, other in groups if np.allclose(other[column], own[column], rtol=1e-9, atol=0)]
        if same:
            same[0].append(scheme)
        else:
            groups.append(([scheme], own))
    family_of = {name: model.family or name for name, model in result.resolved.models.items()}
    families = list(dict.fromkeys(family_of.values()))
    if len(families) == len(family_of):  # nothing to join: one line through all
        family_of, families = dict.fromkeys(family_of, ""), [""]
    told_apart = 1 < len(families) <= MAX_FAMILIES
    lines = []
    for names, own in groups:
        i = list(result.resolved.schemes).index(names[0])
        for j, family in enumerate(families):
            points = own[own["model"].map(family_of).astype(str) == family]
            line = Line(
                schemes=tuple(names),
                family=family if told_apart else "",
                size=points["parameters"].to_numpy(float),
                value=points[column].to_numpy(float),
                ratio=points["ratio_to_baseline"].to_numpy(float),
                color=theme.series[i % len(theme.series)],
                marker=MARKERS[(j if told_apart else i) % len(MARKERS)],
                dashes=DASHES[i % len(DASHES)],
            )
            lines.append(line)
    return lines


def _draw_lines(axes: Axes, lines: Sequence[Line]) -> None:
    crowded = sum(len(line.size) for line in lines) > CROWDED_POINTS
    for line in lines:
        joined = len(np.unique(line.size)) == len(line.size)  # different things of one size are no curve
        axes.plot(
            line.size, line.value, color=line.color, linestyle=line.dashes if joined else "none", marker=line.marker,
            markersize=5 if crowded else 7, linewidth=1 if crowded else 2, label=line.label,
        )  # fmt: skip


def _draw_printed(axes: Axes, result: Result, technology: str, plot: EnergyPlot | RatioPlot, theme: Theme) -> None:
    """Draw the papers' numbers as hollow markers: whole energies, or those whose parts are all printed."""
    cells = result.comparison
    quantity = "ratio_to_baseline" if isinstance(plot, RatioPlot) else "energy_j"
    cells = cells[(cells["quantity"] == quantity) & (cells["technology"] == technology)]
    if cells.empty:
        return
    values = cells.assign(printed=cells["printed"].astype(float)).groupby(["model", "scheme"], sort=False)
    label: str | None = "as printed"
    for (model, _), group in values:
        if set(group["action"]) not in ({""}, {"add", "mul"}):
            continue
        size = result.resolved.models[str(model)].parameters
        axes.plot(
            [size], [group["printed"].sum()], marker="o", markersize=13, markerfacecolor="none", markeredgewidth=1.8,
            color=theme.text, linestyle="none", label=label,
        )  # fmt: skip
        label = None


def _scale_ratios(axes: Axes, values: Sequence[float]) -> None:
    """Show ratios from zero, or on a logarithmic axis where they differ too much for that."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    if high > WIDE_RATIOS * low:
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, 1.1 * high)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))


def _scale(axes: Axes, ratios: bool, models: int) -> None:
    axes.margins(x=0.1 if models > 1 else 0.4, y=0.12)
    size_axis(axes)
    if ratios:
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: with_unit(value, "J", 1)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_locator(NullLocator())


def _limits(lines: Sequence[Line], result: Result, technology: str) -> dict[str, tuple[float, str]]:
    """Return what each scheme tends to as the hidden size grows, the ratio of the prices of one MAC, and its colour."""
    resolved = result.resolved
    baseline = resolved.experiment.baseline
    if baseline is None or baseline.scheme is None or baseline.model or baseline.technology:
        return {}
    at_node = resolved.technologies[technology]

    def mac_pj(name: str) -> float:
        scheme = resolved.schemes[name]
        multiply = at_node.price("mul", scheme.activations).nominal_pj if scheme.multiplies else 0.0
        return multiply + at_node.price("add", scheme.activations).nominal_pj

    return {line.schemes[0]: (mac_pj(baseline.scheme) / mac_pj(line.schemes[0]), line.color) for line in lines}


def _label_points(axes: Axes, lines: Sequence[Line], limits: Sequence[tuple[float, str]]) -> None:
    """Write the ratio to the baseline at points and limits, where there is room; never one over another."""
    edges = list(axes.get_xlim())
    wanted = [
        (edges[0] * (edges[1] / edges[0]) ** 0.25, limit, f"{significant(limit)}×", color) for limit, color in limits
    ]
    for schemes in dict.fromkeys(line.schemes for line in lines):
        own = [line for line in lines if line.schemes == schemes]
        size, value, ratio = (
            np.concatenate([getattr(line, name) for line in own]) for name in ("size", "value", "ratio")
        )
        if np.isnan(ratio).all() or np.allclose(ratio, 1):
            continue
        if ratio.max() < 1.02 * ratio.min():  # one number says it all
            wanted.append((size[-1], value[-1], f"{significant(ratio[-1])}×", own[0].color))
        else:
            wanted += [(size[i], value[i], f"{significant(ratio[i])}×", own[0].color) for i in _spread(size)]
    if not wanted:
        return
    x, y, text, colors = (list(column) for column in zip(*wanted, strict=True))
    axes.autoscale(enable=False)  # the lines that lead to labels do not widen the axes
    _, _, texts, leaders = textalloc.allocate(
        axes, x, y, text,
        x_scatter=np.concatenate([line.size for line in lines]),
        y_scatter=np.concatenate([line.value for line in lines]),
        x_lines=[line.size for line in lines] + [edges] * len(limits),
        y_lines=[line.value for line in lines] + [[limit, limit] for limit, _ in limits],
        textsize=11, textcolor=colors, linecolor=colors, linewidth=0.8, draw_all=False,
        min_distance=0.015, max_distance=0.05, avoid_label_lines_overlap=True, priority_strategy="largest",
    )  # fmt: skip
    inside = axes.get_window_extent()
    for label, leader in zip(cast("list[Text | None]", texts), cast("list[Line2D | None]", leaders), strict=True):
        if label is None:
            continue
        box = label.get_window_extent()
        if not (inside.x0 < box.x0 and box.x1 < inside.x1 and inside.y0 < box.y0 and box.y1 < inside.y1):
            label.remove()
            if leader is not None:
                leader.remove()


def _spread(size: NDArray[np.float64]) -> list[int]:
    """Return the indices of some points that are far enough apart to carry labels, the ends first."""
    low, high = np.log(size.min()), np.log(size.max())
    position = (np.log(size) - low) / max(high - low, 1e-9)
    chosen: list[int] = []
    for target in np.linspace(0, 1, LABELS_A_LINE):
        nearest = int(np.argmin(np.abs(position - target)))
        if all(abs(position[nearest] - position[other]) > 0.5 / LABELS_A_LINE for other in chosen):
            chosen.append(nearest)
    return chosen
