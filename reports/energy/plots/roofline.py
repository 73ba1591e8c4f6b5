"""Operations per second over operations per byte of off-chip traffic, under each machine's roof."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import RooflinePlot
from bitjoule.experiments.output.columns import PHASES, REQUEST
from bitjoule.reports.energy.plots.titles import scheme_look, set_title
from bitjoule.reports.energy.workloads import first_values, unit_of, workload_text
from bitjoule.reports.figures.bars import cut_text
from bitjoule.reports.figures.digits import with_unit
from bitjoule.reports.figures.labels import Label, place_labels
from bitjoule.reports.figures.panels import Panel, draw_panels, left_panels, legend_below, panels_of
from bitjoule.reports.figures.style import MARKERS, Theme, log_ticks, settle, token_tick

MAX_MODELS = 4
ROOF_DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
SLOPE_LABEL_AT = (0.24, 0.05)  # least position of a bandwidth's label, as fractions of the axes
MAX_DISTANCE = 0.12  # of the panel, between a point and its label
LABEL_ROOM = 0.075  # height of a peak's label, as a fraction of the axis
LABEL_WIDTH = 84  # of a peak's label, in points
MANY_PEAKS = 4  # of a panel: some lie so close that their labels would meet the points
ROOM_RIGHT, ROOM_OF_MANY = 4, 80  # times the largest intensity, for one or two columns of labels at the right


class Roof(NamedTuple):
    """Upper bounds on the throughput of machines.

    Parameters
    ----------
    bytes_per_s, operations_per_s
        Bandwidth of off-chip memory; peak of the array that runs the linear layers.
    machines, schemes
        Names of the machines with these bounds, and of the schemes that run on them.
    """

    bytes_per_s: float
    operations_per_s: float
    machines: tuple[str, ...]
    schemes: tuple[str, ...]

    @property
    def ridge(self) -> float:
        """Operations per byte above which the array is the limit."""
        return self.operations_per_s / self.bytes_per_s


def draw_roofline(plot: RooflinePlot, frames: Frames, theme: Theme) -> Figure:
    """Draw every model, scheme, phase and batch under the roofs of its machines.

    Parameters
    ----------
    plot
        The phase; without one, prefill and decode.
    frames
        Of a run with the system accounting. Of several prompts or new tokens the first are drawn; the title names them.
    theme
        Light or dark.
    """
    points = roofline_points(plot, frames)
    models = list(frames.models.index)
    selected = [models[i] for i in np.linspace(0, len(models) - 1, min(MAX_MODELS, len(models))).astype(int)]
    if frames.bare:
        selected = models
    points = points[points["model"].isin(selected)]
    panels = panels_of(frames)
    figure, drawn = draw_panels(panels, height_in=6.0)
    roofs_at = [roofs(frames, panel) for panel in panels]
    for axes, panel in zip(drawn, panels, strict=True):
        _draw_points(axes, panel.of(points), selected, frames, theme)
    handles: dict[str, Line2D] = {}
    _scale(drawn, points, roofs_at)
    for axes, panel_roofs in zip(drawn, roofs_at, strict=True):
        _draw_roofs(axes, panel_roofs, frames, theme, handles)
    for axes in left_panels(drawn):
        axes.set_ylabel("operations per second (op/s)")
    set_title(figure, frames, plot, _title(plot, frames) + cut_text(len(selected), len(models)))
    legend = _legend(points, selected, frames, theme) | handles
    legend_below(figure, legend.values(), legend.keys(), None if len(panels) > 1 else 3)
    settle(figure)  # the labels find their places in it
    for axes, panel, panel_roofs in zip(drawn, panels, roofs_at, strict=True):
        _label_roofs(axes, panel_roofs, frames, theme)
        _label_batches(axes, panel.of(points), frames, theme)
    return figure


def roofline_points(plot: RooflinePlot, frames: Frames) -> pd.DataFrame:
    """Return the points of a phase.

    Parameters
    ----------
    plot
        The phase; without one, prefill and decode.
    frames
        Of a run with the system accounting.
    """
    points = frames.plots.roofline
    if not frames.bare:
        _, prompt, new = first_values(frames).values()
        points = points[(points["prompt_tokens"] == prompt) & (points["new_tokens"] == new)]
    return points[points["phase"] == plot.phase if plot.phase is not None else points["phase"] != REQUEST]


def roofs(frames: Frames, panel: Panel) -> list[Roof]:
    """Return the different roofs of the machines of a panel.

    Parameters
    ----------
    frames
        Of a run with the system accounting.
    panel
        Technology and platform.
    """
    by_limits: dict[tuple[float, float], tuple[dict[str, None], list[str]]] = {}
    rows = panel.of(frames.plots.roofs)[["bytes_per_s", "operations_per_s", "machine", "scheme"]]
    for *limits, machine, scheme in rows.itertuples(index=False):
        machines, schemes = by_limits.setdefault((limits[0], limits[1]), ({}, []))
        machines[machine] = None
        schemes.append(scheme)
    return [Roof(*limits, tuple(machines), tuple(schemes)) for limits, (machines, schemes) in by_limits.items()]


def _draw_points(axes: Axes, points: pd.DataFrame, models: Sequence[str], frames: Frames, theme: Theme) -> None:
    for (model, scheme, phase), group in points.groupby(["model", "scheme", "phase"], observed=True, sort=False):
        color, own, dashes = scheme_look(str(scheme), frames, theme)
        marker = MARKERS[models.index(model) % len(MARKERS)] if len(models) > 1 else own
        group = group.sort_values("batch")
        axes.plot(
            group["intensity"], group["operations_per_s"], color=color, linewidth=1.2, markersize=8,
            marker=marker, linestyle=dashes if len(group) > 1 else "none",
            markerfacecolor=theme.background if phase == "decode" else color, markeredgewidth=1.6, zorder=2.5,
        )  # fmt: skip


def _scale(drawn: Sequence[Axes], points: pd.DataFrame, roofs_at: Sequence[Sequence[Roof]]) -> None:
    every = [roof for panel_roofs in roofs_at for roof in panel_roofs]
    intensity, speed = points["intensity"], points["operations_per_s"]
    x_low = min(intensity.min(), *(roof.ridge for roof in every)) / 3
    peaks = max(len({roof.operations_per_s for roof in panel_roofs}) for panel_roofs in roofs_at)
    room = ROOM_RIGHT if peaks < MANY_PEAKS else ROOM_OF_MANY
    x_high = max(intensity.max(), *(roof.ridge for roof in every)) * room
    y_low, y_high = speed.min() / 3, max(speed.max(), *(roof.operations_per_s for roof in every)) * 3
    for axes in drawn:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(x_low, x_high)
        axes.set_xlabel("operations per off-chip byte (op/B)")
        log_ticks(axes.xaxis, "")
    drawn[0].set_ylim(y_low, y_high)
    log_ticks(drawn[0].yaxis, "")


def _draw_roofs(
    axes: Axes, panel_roofs: Sequence[Roof], frames: Frames, theme: Theme, handles: dict[str, Line2D]
) -> None:
    x_low, x_high = axes.get_xlim()
    for i, roof in enumerate(panel_roofs):
        color = _roof_color(roof, panel_roofs, frames, theme)
        x = np.array([x_low, roof.ridge, x_high])
        y = np.minimum(x * roof.bytes_per_s, roof.operations_per_s)
        dashes = ROOF_DASHES[i % len(ROOF_DASHES)]
        axes.plot(x, y, color=color, linewidth=1.6, linestyle=dashes, zorder=1.8)
        schemes = f" ({' = '.join(roof.schemes)})" if len(panel_roofs) > 1 else ""
        label = f"roof of {' = '.join(roof.machines)}{schemes}"
        handles.setdefault(label, Line2D([], [], color=color, linewidth=1.6, linestyle=dashes))


def _label_roofs(axes: Axes, panel_roofs: Sequence[Roof], frames: Frames, theme: Theme) -> None:
    """Write the peak over the right end of each roof, in its hue, and each bandwidth at the foot of its slope.

    Where peaks are close, a label goes below its roof, and further left than one that it would cover.
    """
    to_axes = axes.transScale + axes.transLimits

    def height(value: float) -> float:
        return float(to_axes.transform((1.0, value))[1])

    clear = {
        "boxstyle": "square,pad=0.1",
        "facecolor": theme.background,
        "edgecolor": "none",
    }  # over other roofs, under the points
    above = 2.0
    columns: list[float] = []  # lowest end of the labels in each, from the right
    for peak in sorted({roof.operations_per_s for roof in panel_roofs}, reverse=True):
        over = above - height(peak) > LABEL_ROOM
        low, high = (height(peak), height(peak) + LABEL_ROOM) if over else (height(peak) - LABEL_ROOM, height(peak))
        column = next((i for i, lowest in enumerate(columns) if high <= lowest), len(columns))
        columns[column : column + 1] = [low]
        of_peak = [roof for roof in panel_roofs if roof.operations_per_s == peak]
        color = _roof_color(of_peak[0], panel_roofs, frames, theme) if len(of_peak) == 1 else theme.text
        axes.annotate(f"{with_unit(peak, '')}op/s", (1, peak), xycoords=("axes fraction", "data"), fontsize=11,
                      xytext=(-4 - column * LABEL_WIDTH, 4 if over else -4), textcoords="offset points", ha="right",
                      va="bottom" if over else "top", color=color, bbox=clear, zorder=1.9)  # fmt: skip
        above = height(peak)
    for bandwidth in sorted({roof.bytes_per_s for roof in panel_roofs}):
        x = max(_from_axes(axes, 0, SLOPE_LABEL_AT[0]), _from_axes(axes, 1, SLOPE_LABEL_AT[1]) / bandwidth)
        axes.annotate(f"{with_unit(bandwidth, 'B')}/s", (x, x * bandwidth), xytext=(-7, 0), textcoords="offset points",
                      ha="right", va="bottom", fontsize=11, color=theme.text)  # fmt: skip


def _from_axes(axes: Axes, axis: int, fraction: float) -> float:
    """Return the data value at a fraction of a logarithmic axis."""
    low, high = axes.get_ylim() if axis else axes.get_xlim()
    return float(low * (high / low) ** fraction)


def _label_batches(axes: Axes, points: pd.DataFrame, frames: Frames, theme: Theme) -> None:
    """Write the batch at both ends of the line of each phase that spans the widest range of intensities."""
    labels: list[Label] = []
    for _, phase_points in points.groupby("phase", observed=True, sort=False):
        lines = [
            line.sort_values("batch")
            for _, line in phase_points.groupby(["model", "scheme"], observed=True, sort=False)
        ]
        line = max(lines, key=lambda line: line["intensity"].max() / line["intensity"].min())
        if len(line) > 1:
            color = _color(str(line["scheme"].iloc[0]), frames, theme)
            for x, y, batch in line[["intensity", "operations_per_s", "batch"]].iloc[[0, -1]].itertuples(index=False):
                labels.append(Label(x, y, f"batch {token_tick(int(batch))}", color))
    if not labels:
        return
    drawn = [np.asarray(line.get_xydata()) for line in axes.lines]
    texts = _inside([label.get_window_extent() for label in axes.texts], axes)
    occupied = np.concatenate([points[["intensity", "operations_per_s"]].to_numpy(float), texts])
    place_labels(axes, labels, occupied, [(line[:, 0], line[:, 1]) for line in drawn], MAX_DISTANCE)


def _inside(boxes: Sequence[Bbox], axes: Axes) -> NDArray[np.float64]:
    """Return points, in data coordinates, that cover the boxes of other texts, shape (points, 2)."""
    pixels = [
        (box.x0 + across * box.width, box.y0 + up * box.height)
        for box in boxes
        for across in np.linspace(0, 1, 9)
        for up in (0, 0.5, 1)
    ]
    return np.asarray(axes.transData.inverted().transform(np.reshape(pixels, (-1, 2))))


def _legend(points: pd.DataFrame, models: Sequence[str], frames: Frames, theme: Theme) -> dict[str, Line2D]:
    """Return a handle for each scheme, each phase and, where there are several, each model."""
    looks = {scheme: scheme_look(scheme, frames, theme) for scheme in frames.schemes}
    handles = {
        scheme: Line2D([], [], color=color, linestyle=dashes, linewidth=3, marker="" if len(models) > 1 else marker,
                       markersize=8)
        for scheme, (color, marker, dashes) in looks.items()
    }  # fmt: skip
    for phase in [name for name in PHASES if (points["phase"] == name).any()]:
        face = theme.background if phase == "decode" else theme.text
        handles[phase] = Line2D([], [], color=theme.text, marker="o", markersize=8, linestyle="none",
                                markeredgewidth=1.6, markerfacecolor=face)  # fmt: skip
    if len(models) > 1:
        for i, model in enumerate(models):
            handles[model] = Line2D([], [], color=theme.text, marker=MARKERS[i % len(MARKERS)], markersize=8,
                                    linestyle="none")  # fmt: skip
    return handles


def _roof_color(roof: Roof, panel_roofs: Sequence[Roof], frames: Frames, theme: Theme) -> str:
    """Return the hue of the scheme that has a roof of its own; that of text for other roofs."""
    by_scheme = len(panel_roofs) > 1 and len(roof.schemes) == 1
    return _color(roof.schemes[0], frames, theme) if by_scheme else theme.text


def _color(scheme: str, frames: Frames, theme: Theme) -> str:
    return scheme_look(scheme, frames, theme).color


def _title(plot: RooflinePlot, frames: Frames) -> str:
    if frames.bare:
        return "matrix products"
    if unit_of(frames) == "image":
        return "images"
    _, prompt, new = first_values(frames).values()
    phase = plot.phase or ("prefill and decode" if new else "prefill")
    return f"{phase}, {workload_text(1, prompt, new)}"
