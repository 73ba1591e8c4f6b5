"""Bars, their names, and which models have one."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

from bitjoule.reports.figures.bars import LONGEST_NAME, bar_name, draw_bars, names_in, panel_in, shown_models
from bitjoule.reports.figures.style import BAND_LABEL, LIGHT, new_figure


@pytest.mark.parametrize(("length", "kept"), [(LONGEST_NAME, LONGEST_NAME), (LONGEST_NAME + 1, LONGEST_NAME - 1)])
def test_a_long_name_is_cut_to_the_length_of_the_longest_that_is_whole(length, kept):
    name = "x" * length
    assert bar_name([name, "fp16"]) == "x" * kept + "…" * (kept < length) + "  fp16"


@pytest.mark.parametrize(
    ("bars_each", "shown"), [(1, "abcdefgh"), (3, "abcdefgh"), (4, "abcefh"), (9, "ah"), (25, "a")]
)
def test_models_that_do_not_fit_are_left_out_evenly(bars_each, shown):
    """At most 24 bars: of eight models with four bars each six, both ends among them."""
    assert sorted(shown_models("abcdefgh", bars_each)) == list(shown)


def colors(_theme):
    return {"weights": "#123456", "static": "#abcdef", "x": "#123456", "y": "#143658"}


def test_bars_are_stacked_from_the_top_and_the_whiskers_end_at_the_bands():
    drawn = pd.DataFrame({"weights": [3.0, 0.5], "static": [1.0, 2.25]})
    axes = new_figure(5, 4).subplots()
    bands = np.array([[3.5, 2.0], [6.0, 2.75]])
    draw_bars(axes, drawn, ["4 J", "2.75 J"], ["a", "b"], colors, LIGHT, bands)
    whiskers, *bars = sorted(axes.containers, key=lambda each: not isinstance(each, ErrorbarContainer))
    assert [(each.get_label(), {to_hex(bar.get_facecolor()) for bar in each}) for each in bars] == [
        ("weights", {"#123456"}), ("static", {"#abcdef"}),
    ]  # fmt: skip
    spans = [[(bar.get_x(), bar.get_width(), bar.get_y() + bar.get_height() / 2) for bar in each] for each in bars]
    assert spans == [[(0.0, 3.0, 0), (0.0, 0.5, 1)], [(3.0, 1.0, 0), (0.5, 2.25, 1)]]
    assert whiskers.get_label() == BAND_LABEL
    assert [line.tolist() for line in whiskers[2][0].get_segments()] == [[[3.5, 0], [6.0, 0]], [[2.0, 1], [2.75, 1]]]
    behind = [each for each in axes.collections if each is not whiskers[2][0]]
    assert [segment.tolist() for each in behind for segment in each.get_segments()] == [
        [[3.5, 0], [6.0, 0]], [[2.0, 1], [2.75, 1]],
    ]  # fmt: skip
    assert {to_hex(color) for each in behind for color in each.get_color()} == {LIGHT.background}
    assert behind[0].get_linewidth()[0] > whiskers[2][0].get_linewidth()[0]
    assert bars[0][0].get_zorder() < behind[0].get_zorder() < whiskers[2][0].get_zorder()
    assert [(text.get_text(), text.xy) for text in axes.texts] == [("4 J", (6.0, 0)), ("2.75 J", (2.75, 1))]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.get_yticks().tolist() == [0, 1]
    top, bottom = axes.get_ylim()
    assert top > 1 > 0 > bottom  # the first bar is uppermost
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlim()[1] > 6.0


@pytest.mark.parametrize("bands", [None, np.array([[4.0, 2.75], [4.0, 2.75]])])
def test_bars_without_a_band_have_no_whiskers(bands):
    axes = new_figure(5, 4).subplots()
    draw_bars(axes, pd.DataFrame({"x": [4.0, 2.75]}), ["", ""], ["a", "b"], colors, LIGHT, bands)
    assert [each.get_label() for each in axes.containers] == ["x"]


@pytest.mark.parametrize(("hatch_of", "expected"), [(None, ["//", None]), ({"x": "..", "y": ""}, ["..", None])])
def test_a_part_as_light_as_another_is_hatched_unless_hatches_have_a_meaning(hatch_of, expected):
    axes = new_figure(5, 4).subplots()
    drawn = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]})
    draw_bars(axes, drawn, ["", ""], ["a", "b"], colors, LIGHT, hatch_of=hatch_of)
    found = [(bar.get_hatch(), to_hex(bar.get_edgecolor())) for bars in axes.containers for bar in bars]
    assert found == [(hatch, "#ffffff") for hatch in expected for _ in range(2)]


@pytest.mark.parametrize(
    ("characters", "most", "columns", "width_in"),
    [(10, 1, 1, 5.6), (10, 2, 2, 5.07), (10, 3, 2, 5.07), (48, 2, 2, 3.75), (74, 2, 1, 4.78)],
)
def test_panels_of_bars_are_as_many_and_as_wide_as_their_names_leave_room_for(characters, most, columns, width_in):
    """A picture of 12.55 inches shows letters of 12 points 8.5 pixels high where it is 640 pixels wide."""
    count, each_in = panel_in(["x" * characters], most)
    assert (count, pytest.approx(each_in, abs=0.01)) == (columns, width_in)
    assert count * each_in + names_in(["x" * characters]) <= 12.55
