"""One quantity over an axis of the workload: a line for each scheme, a panel for each technology and platform."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bitjoule.energy_models.inputs.wording import counted
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import SweepPlot
from bitjoule.reports.energy.plots.titles import scheme_look, set_title
from bitjoule.reports.energy.workloads import first_values, in_phase, ratio_bands, unit_of
from bitjoule.reports.figures.bars import cut_text
from bitjoule.reports.figures.lines import PlotLine, band_handle, draw_lines, label_points, scale_ratios
from bitjoule.reports.figures.panels import draw_panels, left_panels, legend_below, panels_of
from bitjoule.reports.figures.style import DASHES, MARKERS, Theme, settle, token_axis, unit_axis

MAX_MODELS = 4
CROWDED_POINTS = 80


class Quantity(NamedTuple):
    """How a column of the summary is named on an axis, and its unit."""

    name: str
    unit: str


QUANTITIES = {
    "energy_per_token_j": Quantity("energy per token", "J"),
    "latency_s": Quantity("latency", "s"),
    "tokens_per_s": Quantity("tokens per second", ""),
    "memory_bytes": Quantity("memory", "B"),
}
AXIS_NAMES = {"prompt_tokens": "prompt tokens", "new_tokens": "new tokens", "batch": "batch"}


def draw_sweep(plot: SweepPlot, frames: Frames, theme: Theme) -> Figure:
    """Draw a quantity over the swept value.

    Parameters
    ----------
    plot
        Which quantity over which axis. Other axes of the workload are at their first value; the title names them.
    frames
        Of a run.
    theme
        Light or dark.
    """
    rows, others = swept_rows(plot, frames)
    models = list(frames.models.index)
    selected = [models[i] for i in np.linspace(0, len(models) - 1, min(MAX_MODELS, len(models))).astype(int)]
    panels = panels_of(frames)
    figure, drawn = draw_panels(panels)
    lines_at = [_lines(plot, panel.of(rows), selected, frames, theme) for panel in panels]
    every = [line for lines in lines_at for line in lines]
    drawn_values = [values for line in every for values in (line.value, *(line.band or ()))]
    values = np.concatenate(drawn_values).tolist() if drawn_values else []
    for axes, lines in zip(drawn, lines_at, strict=True):
        draw_lines(axes, lines, theme, CROWDED_POINTS)
        token_axis(
            axes, "images" if unit_of(frames) == "image" else AXIS_NAMES[plot.over], sorted(set(rows[plot.over]))
        )
    baseline = frames.baseline
    if plot.quantity == "ratio_to_baseline":
        scale_ratios(drawn[0], values)
        label = f"{baseline.name} energy / energy" if baseline is not None else ""
    else:
        unit_axis(drawn[0], QUANTITIES[plot.quantity].unit, min(values), max(values))
        label = QUANTITIES[plot.quantity].name.replace("token", unit_of(frames))
    for axes in left_panels(drawn):
        axes.set_ylabel(label)
    set_title(figure, frames, plot, others + cut_text(len(selected), len(models)))
    legend_below(figure, *_legend(every, theme), None if len(panels) > 1 else 3, dashed=len(selected) > 1)
    settle(figure)  # the labels find their places in it
    if plot.quantity in ("energy_per_token_j", "ratio_to_baseline") and len(selected) == 1:
        for axes, lines in zip(drawn, lines_at, strict=True):
            label_points(axes, lines, labels=3)
    return figure


def swept_rows(plot: SweepPlot, frames: Frames) -> tuple[pd.DataFrame, str]:
    """Return the summary rows of a sweep over one axis, the others at their first value, and a text for the title.

    Parameters
    ----------
    plot
        Over which axis, in which phase.
    frames
        Of a run.
    """
    rows = frames.summary
    first = first_values(frames)
    for axis, value in first.items():
        if axis != plot.over:
            rows = rows[rows[axis] == value]
    rows = rows[in_phase(rows, plot.phase)]
    batch, prompt, new = (0 if axis == plot.over else value for axis, value in first.items())
    if unit_of(frames) == "image":
        return rows, counted(batch, "image") if batch else "images"
    has_request = bool((rows["phase"] == "request").any())
    parts: list[str] = [plot.phase or ("request" if has_request else "")]
    parts += [counted(prompt, "prompt token")] * bool(prompt)
    parts += [counted(new, "new token")] * bool(new)
    parts += [f"batch {batch}"] * (batch > 0 and (batch > 1 or not prompt))
    return rows, ", ".join(part for part in parts if part)


def _lines(plot: SweepPlot, rows: pd.DataFrame, models: list[str], frames: Frames, theme: Theme) -> list[PlotLine]:
    baseline = frames.baseline
    lines: list[PlotLine] = []
    several = len(models) > 1  # whose markers these are: the line alone tells the schemes apart without colour
    for i, scheme in enumerate(frames.schemes):
        scheme_rows = rows[(rows["scheme"] == scheme) & rows["model"].isin(models)]
        is_baseline = plot.quantity == "ratio_to_baseline" and baseline is not None and scheme == baseline.scheme
        if is_baseline and len(frames.schemes) > 1 and np.allclose(scheme_rows["ratio_to_baseline"], 1):
            continue
        color, marker, dashes = scheme_look(scheme, frames, theme)
        for j, model in enumerate(models):
            points = scheme_rows[scheme_rows["model"] == model].sort_values(plot.over)
            lines.append(
                PlotLine(
                    schemes=(scheme,),
                    family=model if several else "",
                    x=points[plot.over].to_numpy(float),
                    value=points[plot.quantity].to_numpy(float),
                    ratio=points["ratio_to_baseline"].to_numpy(float),
                    color=color,
                    marker=MARKERS[j % len(MARKERS)] if several else marker,
                    dashes=DASHES[i % len(DASHES)] if several else dashes,
                    band=_band(points, plot, frames),
                )
            )
    return lines


def _band(
    points: pd.DataFrame, plot: SweepPlot, frames: Frames
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if plot.quantity == "ratio_to_baseline":
        return ratio_bands(points, frames)
    if plot.quantity != "energy_per_token_j":
        return None
    scale = points["energy_per_token_j"] / points["energy_j"]
    low, high = ((scale * points[f"energy_{end}_j"]).to_numpy(float) for end in ("low", "high"))
    return low, high


def _legend(lines: list[PlotLine], theme: Theme) -> tuple[list[Artist], list[str]]:
    """Return a handle for each scheme and, where there are several, each model."""
    handles: dict[str, Artist] = {}
    for line in lines:
        if not line.family:
            handles[line.schemes[0]] = Line2D([], [], color=line.color, linestyle=line.dashes, marker=line.marker)
        else:
            handles[line.schemes[0]] = Line2D([], [], color=line.color, linestyle=line.dashes, linewidth=3)
    for line in lines:
        if line.family:
            handles[line.family] = Line2D([], [], color=theme.text, linestyle="none", marker=line.marker)
    handles |= band_handle(lines, theme)
    return list(handles.values()), list(handles)
