"""Bars, their names, and which models have one."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

from bitjoule.reports.figures.bars import LONGEST_NAME, bar_name, draw_bars, shown_models
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


def test_bars_are_stacked_from_the_top_and_the_whiskers_end_at_the_bands():
    drawn = pd.DataFrame({"weights": [3.0, 0.5], "static": [1.0, 2.25]})
    axes = new_figure(5, 4).subplots()
    bands = np.array([[3.5, 2.0], [6.0, 2.75]])
    draw_bars(axes, drawn, ["4 J", "2.75 J"], ["a", "b"], {"weights": "#123456", "static": "#abcdef"}, LIGHT, bands)
    whiskers, *bars = sorted(axes.containers, key=lambda each: not isinstance(each, ErrorbarContainer))
    assert [(each.get_label(), {to_hex(bar.get_facecolor()) for bar in each}) for each in bars] == [
        ("weights", {"#123456"}), ("static", {"#abcdef"}),
    ]  # fmt: skip
    spans = [[(bar.get_x(), bar.get_width(), bar.get_y() + bar.get_height() / 2) for bar in each] for each in bars]
    assert spans == [[(0.0, 3.0, 0), (0.0, 0.5, 1)], [(3.0, 1.0, 0), (0.5, 2.25, 1)]]
    assert whiskers.get_label() == BAND_LABEL
    assert [line.tolist() for line in whiskers[2][0].get_segments()] == [[[3.5, 0], [6.0, 0]], [[2.0, 1], [2.75, 1]]]
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
    draw_bars(axes, pd.DataFrame({"x": [4.0, 2.75]}), ["", ""], ["a", "b"], {"x": "#123456"}, LIGHT, bands)
    assert [each.get_label() for each in axes.containers] == ["x"]
