"""Lines with the ratio to the baseline written at their points."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.labels import Label, place_labels
from bitjoule.reports.figures.style import BAND_LABEL, Theme, log_scale

LABELS_A_LINE = 7
CROWDED_POINTS = 40
MARKER_RADIUS_PT = 4.0
MAX_DISTANCE = 0.05  # of the panel, between a point and its label
BAND_ALPHA = 0.16
WIDE_RATIOS = 200  # quotient of the largest and the smallest


@dataclass(frozen=True)
class PlotLine:
    """One scheme's points of one family of models in one panel, by rising x.

    Parameters
    ----------
    schemes
        Names of the schemes whose values these are: those that coincide share a line.
    family
        Of the models, for the legend; empty where families share a marker.
    x, value, ratio
        Where its points lie, and their ratio to the baseline; shape (points,).
    color, marker, dashes
        How it is drawn.
    note
        Appended to its name.
    thin
        Whether it is drawn thin with hollow markers, for comparison with the others.
    band
        The values at the low and at the high ends of the prices' bands, shape (points,) each.
    joined
        Whether its points are of one family, which a line may join.
    """

    schemes: tuple[str, ...]
    family: str
    x: NDArray[np.float64]
    value: NDArray[np.float64]
    ratio: NDArray[np.float64]
    color: str
    marker: str
    dashes: Any
    note: str = ""
    thin: bool = False
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    joined: bool = True

    @property
    def label(self) -> str:
        """For the legend."""
        return ", ".join(part for part in (" = ".join(self.schemes), self.family, self.note) if part)


def draw_lines(axes: Axes, lines: Sequence[PlotLine], theme: Theme, crowded_from: int = CROWDED_POINTS) -> None:
    """Draw lines, thinner where there are many points.

    Parameters
    ----------
    axes
        Where.
    lines
        Which.
    theme
        Light or dark.
    crowded_from
        Points beyond which lines are thinner.
    """
    crowded = sum(len(line.x) for line in lines if not line.thin) > crowded_from
    for line in lines:
        joined = line.joined and len(np.unique(line.x)) == len(line.x)  # models of one size do not form a curve
        if line.band is not None and np.any(line.band[1] > line.band[0]):
            _draw_band(axes, line, *line.band, joined)
        axes.plot(
            line.x, line.value, color=line.color, linestyle=line.dashes if joined else "none", marker=line.marker,
            markersize=5 if crowded or line.thin else 7, linewidth=1 if crowded or line.thin else 2, label=line.label,
            markerfacecolor=theme.background if line.thin else line.color, zorder=1.9 if line.thin else 2,
        )  # fmt: skip


def _draw_band(axes: Axes, line: PlotLine, low: NDArray[np.float64], high: NDArray[np.float64], joined: bool) -> None:
    if joined and len(line.x) > 1:
        axes.fill_between(line.x, low, high, color=line.color, alpha=BAND_ALPHA, linewidth=0, zorder=1.6)
    else:
        for x, *ends in zip(line.x, low, high, strict=True):
            axes.plot([x, x], ends, color=line.color, linewidth=1.2, zorder=1.6)


def band_handle(lines: Sequence[PlotLine], theme: Theme) -> dict[str, Artist]:
    """Return what the legend says of bands, where there are any.

    Parameters
    ----------
    lines
        All that are drawn.
    theme
        Light or dark.
    """
    banded = any(line.band is not None and np.any(line.band[1] > line.band[0]) for line in lines)
    return {BAND_LABEL: Patch(color=theme.text, alpha=BAND_ALPHA, linewidth=0)} if banded else {}


def scale_ratios(axes: Axes, values: Sequence[float], wide: float = WIDE_RATIOS) -> None:
    """Show ratios from zero, or on a logarithmic axis where they differ too much for that.

    Parameters
    ----------
    axes
        To change.
    values
        All that are drawn.
    wide
        Quotient of the largest and the smallest from which the axis is logarithmic.
    """
    low, high = min(values, default=1.0), max(values, default=1.0)
    if high > wide * low:
        log_scale(axes, "", low, high)
    else:
        axes.set_ylim(0, 1.1 * high)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))


def label_points(
    axes: Axes, lines: Sequence[PlotLine], limits: Sequence[tuple[float, str]] = (), labels: int = LABELS_A_LINE
) -> None:
    """Write the ratio to the baseline at points and limits, where there is room; never one over another.

    Parameters
    ----------
    axes
        Where; its layout is settled.
    lines
        What is drawn there.
    limits
        Height and color of horizontal lines.
    labels
        At most, of one line.
    """
    edges = list(axes.get_xlim())
    texts = [
        Label(edges[0] * (edges[1] / edges[0]) ** 0.25, limit, f"{significant(limit)}×", color)
        for limit, color in limits
    ]
    for key in dict.fromkeys((line.schemes, line.note) for line in lines):
        group = [line for line in lines if (line.schemes, line.note) == key]
        x, value, ratio = (np.concatenate([getattr(line, name) for line in group]) for name in ("x", "value", "ratio"))
        if np.isnan(ratio).all() or np.allclose(ratio, 1):
            continue
        if ratio.max() < 1.02 * ratio.min():  # a constant ratio is written once
            texts.append(Label(x[-1], value[-1], f"{significant(ratio[-1])}×", group[0].color))
        else:
            texts += [Label(x[i], value[i], f"{significant(ratio[i])}×", group[0].color) for i in _spread(x, labels)]
    if not texts:
        return
    drawn = [(line.x, line.value) for line in lines]
    drawn += [(np.array(edges), np.array([limit, limit])) for limit, _ in limits]
    inside = axes.get_window_extent()
    for label, leader in place_labels(axes, texts, _markers(axes, lines), drawn, MAX_DISTANCE):
        box = label.get_window_extent()
        if not (inside.x0 < box.x0 and box.x1 < inside.x1 and inside.y0 < box.y0 and box.y1 < inside.y1):
            label.remove()
            if leader is not None:
                leader.remove()


def _markers(axes: Axes, lines: Sequence[PlotLine]) -> NDArray[np.float64]:
    """Return points, in data, at the middles and edges of the markers, shape (points, 2)."""
    middles = np.concatenate([np.stack([line.x, line.value], axis=1) for line in lines])
    around = MARKER_RADIUS_PT * axes.figure.dpi / 72 * np.array(
        [(0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1), (0, 1), (0, -1)]
    )  # fmt: skip
    pixels = axes.transData.transform(middles)[:, None] + around
    return np.asarray(axes.transData.inverted().transform(pixels.reshape(-1, 2)))


def _spread(x: NDArray[np.float64], labels: int) -> list[int]:
    """Return the indices of some points that are far enough apart to carry labels, from the left."""
    shown = np.log(np.maximum(x, 0.5))
    low, high = shown.min(), shown.max()
    position = (shown - low) / max(high - low, 1e-9)
    chosen: list[int] = []
    for target in np.linspace(0, 1, labels):
        nearest = int(np.argmin(np.abs(position - target)))
        if all(abs(position[nearest] - position[other]) > 0.5 / labels for other in chosen):
            chosen.append(nearest)
    return chosen
