"""Texts beside points, placed so that none lies on another, on a line or on a marker, and in the points' order."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import textalloc
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Transform
from numpy.typing import ArrayLike, NDArray

MIN_DISTANCE = 0.015  # of the panel, between a point and its text


class Label(NamedTuple):
    """A text for a point, in data coordinates."""

    x: float
    y: float
    text: str
    color: str


class _InData:
    """The axes' own coordinates. Without a transform textalloc draws the whole figure to settle it."""

    def _as_mpl_transform(self, axes: Axes) -> Transform:
        return axes.transData


def place_labels(
    axes: Axes,
    labels: Sequence[Label],
    points: NDArray[np.float64],
    lines: Sequence[tuple[ArrayLike, ArrayLike]],
    max_distance: float,
) -> list[tuple[Text, Line2D | None]]:
    """Write labels where there is room, with a line to the point of a label that does not lie next to it.

    Parameters
    ----------
    axes
        Where; its layout is settled.
    labels
        The labels, at least one.
    points
        What must not be written on, in data, shape (points, 2).
    lines
        What must not be crossed: x and y of each.
    max_distance
        Between a point and its text, as a fraction of the panel.

    Returns
    -------
    list
        The labels that found room, and their lines.
    """
    x, y, text, colors = (list(column) for column in zip(*labels, strict=True))
    axes.autoscale(enable=False)  # the lines that lead to labels do not widen the axes
    page = axes.figure.bbox
    max_distance /= min(1.0, page.width / page.height)  # by which textalloc multiplies vertical distances
    _, _, texts, leaders = textalloc.allocate(
        axes, x, y, text,
        x_scatter=points[:, 0], y_scatter=points[:, 1],
        x_lines=[np.asarray(line[0]) for line in lines], y_lines=[np.asarray(line[1]) for line in lines],
        textsize=11, textcolor=colors, linecolor=colors, linewidth=0.8, draw_all=False,
        min_distance=MIN_DISTANCE, max_distance=max_distance, avoid_label_lines_overlap=True,
        priority_strategy="largest", transform=_InData(),
    )  # fmt: skip
    pairs = zip(labels, cast("list[Text | None]", texts), cast("list[Line2D | None]", leaders), strict=True)
    placed = [(label, text, leader) for label, text, leader in pairs if text is not None]
    for at in {label.x for label, *_ in placed}:
        _in_order([each for each in placed if each[0].x == at])
    return [(text, leader) for _, text, leader in placed]


def _in_order(placed: list[tuple[Label, Text, Line2D | None]]) -> None:
    """Exchange the places of texts that stand above each other so that their order is that of their points."""
    places = []
    for _, text, leader in placed:
        near = None if leader is None else np.asarray(leader.get_path().vertices)[0]
        places.append((text.get_position(), text.get_horizontalalignment(), near))
    places.sort(key=lambda place: float(place[0][1]))
    placed = sorted(placed, key=lambda each: each[0].y)
    for (label, text, leader), (position, alignment, near) in zip(placed, places, strict=True):
        text.set_position(position)
        text.set_horizontalalignment(alignment)
        if leader is not None and near is not None:
            leader.set_data([near[0], label.x], [near[1], label.y])
