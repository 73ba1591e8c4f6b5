"""Markers of families of formats."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bitjoule.reports.figures.families import KINDS, MARKERS_OF, look
from bitjoule.reports.figures.style import LIGHT

LOOKS = [(kind, variant) for kind in KINDS for variant in range(len(MARKERS_OF[kind]))]
FACE_PIXELS = 30  # least area in which a face is seen to be there or not: a tenth of that of a disc of 20 pixels


def drawn(marker, face):
    figure = Figure(figsize=(0.5, 0.5), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.plot(0, 0, marker=marker, color="black", markerfacecolor=face, markersize=20 * 0.72, markeredgewidth=1.6)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., 0].astype(float) / 255


@pytest.mark.parametrize(("kind", "variant"), LOOKS)
def test_a_filled_marker_differs_from_a_hollow_one(kind, variant):
    marker = look(kind, variant, LIGHT).marker
    assert np.abs(drawn(marker, "black") - drawn(marker, "white")).sum() > FACE_PIXELS


def test_no_two_variants_of_a_family_look_alike():
    for kind in KINDS:
        pictures = [drawn(marker, "black") for marker in MARKERS_OF[kind]]
        for i, one in enumerate(pictures):
            for other in pictures[:i]:
                assert np.abs(one - other).sum() > FACE_PIXELS / 2, kind
