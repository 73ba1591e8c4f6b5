"""What the labels of lines keep clear of."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bitjoule.reports.figures import lines
from bitjoule.reports.figures.lines import MARKER_RADIUS_PT, PlotLine
from bitjoule.reports.figures.style import LIGHT


@pytest.mark.parametrize("dpi", [72, 144])
def test_labels_keep_clear_of_whole_markers_at_any_resolution(monkeypatch, dpi):
    """A panel whose data are its pixels: a marker is as many of them wide as its points are at the resolution."""
    side = 4 * dpi
    axes = Figure(figsize=(4, 4), dpi=dpi).add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, side), ylim=(0, side))
    taken = []

    def place_labels(_axes, _wanted, points, *_):
        taken.append(points)
        return []

    monkeypatch.setattr(lines, "place_labels", place_labels)
    x, y = np.array([60.0, 200.0]), np.array([100.0, 30.0])
    lines.label_points(axes, [PlotLine(("bitnet",), "", x, y, np.array([2.0, 3.0]), "black", "o", "-")])
    (points,) = taken
    middles = np.stack([x, y], axis=1)
    for i, middle in enumerate(middles):
        own = points.reshape(len(middles), -1, 2)[i]
        radius = MARKER_RADIUS_PT / 72 * dpi  # 72 points are an inch
        np.testing.assert_allclose(own.min(axis=0), middle - radius, rtol=1e-9)
        np.testing.assert_allclose(own.max(axis=0), middle + radius, rtol=1e-9)
        assert np.isclose(own, middle).all(axis=1).any()


@pytest.mark.parametrize(("x", "joined", "strokes"), [([1.0, 2.0], True, 0), ([1.0], True, 1), ([1.0, 2.0], False, 2)])
def test_a_band_is_filled_between_points_that_are_joined_and_a_stroke_at_each_other(x, joined, strokes):
    """One point has nothing to fill up to, and would have no band at all."""
    axes, at = Figure().subplots(), np.array(x)
    band = at + 1, at + 4
    line = PlotLine(("bitnet",), "", at, at + 2, at, "black", "o", "-", band=band, joined=joined)
    lines.draw_lines(axes, [line], LIGHT)
    assert len(axes.collections) == (strokes == 0)
    drawn = [(*each.get_xdata(), *each.get_ydata()) for each in axes.lines if each.get_marker() == "None"]
    assert drawn == [(x, x, x + 1, x + 4) for x in at[:strokes]]


@pytest.mark.parametrize(
    ("values", "limits", "scale"),
    [
        ([], (0, 1.1), "linear"),
        ([0.5, 2.0], (0, 2.2), "linear"),
        ([0.5, 5.0], (0, 5.5), "linear"),  # not more than ten times
        ([0.1, 10.0], (0.1 / 100**0.1, 10 * 100**0.1), "log"),
    ],
)
def test_ratios_start_at_zero_unless_they_differ_by_more_than_the_quotient(values, limits, scale):
    axes = Figure().subplots()
    lines.scale_ratios(axes, values, wide=10)
    assert axes.get_yscale() == scale
    np.testing.assert_allclose(axes.get_ylim(), limits)
    assert axes.yaxis.get_major_formatter()(2.5) == "2.5×"


@pytest.mark.parametrize(
    ("x", "labels", "labelled"),
    [
        ([1, 1000], 5, [1, 1000]),  # fewer points than labels: each once
        ([1, 10, 100, 1000], 3, [1, 10, 1000]),  # 10 and 100 are as near to the middle
        ([1, 1.01, 999, 1000], 4, [1, 999]),  # neighbours would lie on each other
    ],
)
def test_points_far_enough_apart_carry_a_label_each(monkeypatch, x, labels, labelled):
    axes = Figure().subplots()
    axes.set(xscale="log", xlim=(0.5, 2000), ylim=(0, 10))
    wanted = []

    def place_labels(_axes, asked, *_):
        wanted.extend(asked)
        return []

    monkeypatch.setattr(lines, "place_labels", place_labels)
    y = np.linspace(1, 9, len(x))
    lines.label_points(axes, [PlotLine(("bitnet",), "", np.array(x, float), y, y, "black", "o", "-")], labels=labels)
    assert sorted(label.x for label in wanted) == labelled
