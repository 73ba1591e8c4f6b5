"""Figures of several panels: how large they are, and how the panels lie."""

import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bitjoule.reports.figures.panels import Panel, draw_panels, legend_below, panel_title

WIDTH_IN, HEIGHT_IN = 5.0, 4.0


def panels(technologies: int, platforms: int) -> list[Panel]:
    return [Panel(f"{t}nm", f"machine {p}") for p in range(platforms) for t in range(technologies)]


@pytest.mark.parametrize(
    ("technologies", "platforms", "columns", "rows"),
    [(1, 1, 1, 1), (2, 1, 2, 1), (2, 2, 2, 2), (2, 3, 3, 2), (2, 4, 2, 4), (1, 4, 2, 2), (1, 5, 2, 3)],
)
def test_rows_below_the_first_need_no_room_for_title_and_legend(technologies, platforms, columns, rows):
    figure, axes = draw_panels(panels(technologies, platforms), WIDTH_IN, HEIGHT_IN)
    assert [each.get_title() for each in axes] == [panel.title for panel in panels(technologies, platforms)]
    assert axes[0].get_gridspec().get_geometry() == (rows, columns)
    assert set(figure.axes) == set(axes)  # no empty frame where panels do not fill the last row
    width_in, height_in = figure.get_size_inches()
    assert min(columns * WIDTH_IN, 11) < width_in < (columns + 1) * WIDTH_IN
    assert width_in <= 11 / 72 * 640 / 8.5 + 1e-9  # labels of 11 points are 8.5 pixels high where 640 pixels are shown
    assert (rows - 1) * HEIGHT_IN / 2 < height_in <= rows * HEIGHT_IN
    assert (height_in == HEIGHT_IN) == (rows == 1)


@pytest.mark.parametrize(
    ("technologies", "platforms", "places"),
    [
        (6, 1, [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]),  # down: three prices of a node, then of the next
        (2, 3, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]),
        (4, 1, [(0, 0), (0, 1), (1, 0), (1, 1)]),
    ],
)
def test_a_long_list_of_panels_goes_down_its_columns(technologies, platforms, places):
    _, axes = draw_panels(panels(technologies, platforms), WIDTH_IN, HEIGHT_IN)
    specs = [each.get_subplotspec() for each in axes]
    assert [(spec.rowspan.start, spec.colspan.start) for spec in specs] == places


def test_a_long_title_is_broken_between_words():
    assert panel_title("45nm-measured-arrays (synthesised)", 3.6) == "45nm-measured-arrays\n(synthesised)"
    assert panel_title("45nm-measured-arrays (synthesised)", 5.4) == "45nm-measured-arrays (synthesised)"


@pytest.mark.parametrize(
    ("width_in", "labels", "most", "columns"),
    [
        (20, ["a"] * 9, None, 4),  # however wide
        (20, ["a"] * 9, 2, 2),
        (20, ["a"] * 3, None, 3),
        (20, ["a" * 200] * 9, None, 1),  # however long
    ],
)
def test_a_legend_has_no_more_columns_than_fit(width_in, labels, most, columns):
    figure = Figure(figsize=(width_in, 4))
    legend_below(figure, [Line2D([], []) for _ in labels], labels, most)
    (legend,) = figure.legends
    assert legend._ncols == columns
