"""What the labels of lines keep clear of."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bitjoule.reports.figures import lines
from bitjoule.reports.figures.lines import MARKER_RADIUS_PT, PlotLine


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
