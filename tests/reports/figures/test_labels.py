"""Labels keep clear of lines, of points and of each other."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bitjoule.reports.figures.labels import Label, place_labels

POINT = (5.0, 50.0)


def panel():
    """A panel of 400 x 400 pixels; x and y differ in scale, so that one cannot stand for the other."""
    axes = Figure(figsize=(4, 4), dpi=100).add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 10), ylim=(0, 100))
    return axes


def placed(axes, points, lines):
    """The box of the one label, in data."""
    points = np.array(points, dtype=float).reshape(-1, 2)
    ((label, _),) = place_labels(axes, [Label(*POINT, "12.3×", "black")], points, lines, 0.3)
    return label.get_window_extent().transformed(axes.transData.inverted())


@pytest.mark.parametrize("shift", [-1, 1])
@pytest.mark.parametrize("axis", [0, 1], ids=["upright", "level"])
def test_a_label_crosses_no_line(axis, shift):
    """A line through where the label stands if there is none."""
    free = placed(panel(), [POINT], [])
    at = ((free.x0 + free.x1) / 2 + shift * 0.2, (free.y0 + free.y1) / 2 + shift)[axis]
    ends = (np.array([0.0, 10.0]), np.array([0.0, 100.0]))
    line = tuple(np.full(2, at) if i == axis else ends[i] for i in range(2))
    box = placed(panel(), [POINT], [line])
    low, high = ((box.x0, box.x1), (box.y0, box.y1))[axis]
    assert not low < at < high


def test_a_label_lies_on_no_point():
    """A point in the middle of where the label stands if there is none."""
    free = placed(panel(), [POINT], [])
    other = ((free.x0 + free.x1) / 2, (free.y0 + free.y1) / 2)
    box = placed(panel(), [POINT, other], [])
    assert not (box.x0 < other[0] < box.x1 and box.y0 < other[1] < box.y1)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_texts_of_points_above_each_other_stand_in_the_order_of_the_points(order):
    """Three points within the height of a text, which find their places one after the other."""
    axes = panel()
    wanted = [Label(5.0, 50.0 + i, f"{i}.00×", "black") for i in order]
    points = np.array([(label.x, label.y) for label in wanted])
    placed = place_labels(axes, wanted, points, [], 0.3)
    assert len(placed) == len(wanted)
    height = {text.get_text(): text.get_window_extent().y0 for text, _ in placed}
    assert sorted(height, key=height.__getitem__) == ["0.00×", "1.00×", "2.00×"]
    for text, leader in placed:
        box = text.get_window_extent().transformed(axes.transData.inverted())
        (near_x, at_x), (near_y, at_y) = leader.get_data()
        assert (at_x, at_y) == (5.0, 50.0 + float(text.get_text()[0]))
        assert box.x0 - 0.1 <= near_x <= box.x1 + 0.1
        assert box.y0 - 1 <= near_y <= box.y1 + 1
