"""Prices of two technologies as they are shown: divided anew, in the table and in the picture."""

import numpy as np
import pandas as pd
import pytest

from bitjoule.reports.figures.style import THEMES
from bitjoule.reports.prices import draw_ratios, prices_markdown
from tests.reports.shown import THREE_DIGITS, table

ROWS = [
    ("old", "new", "mac", "ternary x int8 + int32", (0.03, 0.02, 0.05), (0.21, 0.11, 0.38), "add int8"),
    ("old", "new", "mul", "fp16", (1.1, 0.9, 1.3), (0.34, 0.3, 0.5), "mul fp16"),
    ("old", "new", "add", "int8", (0.03, 0.02, 0.05), (0.007, 0.006, 0.01), "add int8"),
    ("other", "new", "add", "fp16", (0.4, 0.4, 0.7), (0.9, 0.5, 2.0), "measured"),
    ("other", "new", "add", "int8", (0.06, 0.03, 0.08), (0.3, 0.25, 0.31), "add int8"),
]


def prices():
    rows = []
    for first, second, operation, name, one, two, made_of in ROWS:
        rows.append(
            {
                "first": first, "second": second, "operation": operation, "format": name,
                "first_pj": one[0], "first_low_pj": one[1], "first_high_pj": one[2],
                "second_pj": two[0], "second_low_pj": two[1], "second_high_pj": two[2],
                "ratio": two[0] / one[0], "ratio_low": two[1] / one[2], "ratio_high": two[2] / one[1],
                "first_is": made_of,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def test_each_pair_has_a_table_of_both_prices_and_the_seconds_over_the_firsts():
    text = prices_markdown("x", "", prices())
    for pair in ("old", "other"):
        rows = table(text, ["operation", "format", f"{pair} (pJ)"])
        own = [row for row in ROWS if row[0] == pair]
        assert len(rows) == len(own)
        for shown, (first, second, operation, name, one, two, made_of) in zip(rows, own, strict=True):
            assert (shown["operation"], shown["format"], shown[f"{first} derived from"]) == (operation, name, made_of)
            assert float(shown[f"{first} (pJ)"]) == pytest.approx(one[0], rel=THREE_DIGITS)
            assert float(shown[f"{second} (pJ)"]) == pytest.approx(two[0], rel=THREE_DIGITS)
            assert float(shown["ratio"]) == pytest.approx(two[0] / one[0], rel=THREE_DIGITS)
            band = [float(end) for end in shown["band"].split(" to ")]
            assert band == pytest.approx([two[1] / one[2], two[2] / one[1]], rel=THREE_DIGITS)


def test_each_ratio_and_its_band_is_on_the_row_of_its_operation():
    figure = draw_ratios(prices(), THEMES[0])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["add int8", "add fp16", "mul fp16", "mac ternary x int8 + int32"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [drawn.get_label() for drawn in axes.containers] == ["new / old", "new / other"]
    for drawn, pair in zip(axes.containers, ("old", "other"), strict=True):
        line, _, (bars,) = drawn
        found = {}
        for x, y, ends in zip(*line.get_data(), bars.get_segments(), strict=True):
            assert abs(y - round(y)) < 0.5
            found[names[round(y)]] = (x, *ends[:, 0])
        wanted = {
            f"{operation} {name}": pytest.approx((two[0] / one[0], two[1] / one[2], two[2] / one[1]))
            for first, _, operation, name, one, two, _ in ROWS
            if first == pair
        }
        assert found == wanted
    y = np.concatenate([drawn[0].get_ydata() for drawn in axes.containers])
    assert len(set(y)) == len(y) == len(ROWS)  # no marker on another


def test_the_axis_of_ratios_holds_every_band_and_names_its_values():
    figure = draw_ratios(prices(), THEMES[0])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert low < 0.006 / 0.05
    assert high > 0.38 / 0.02
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # from the top down
    one = [line.get_xdata() for line in axes.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2]
    assert [*one] == [[1.0, 1.0]]
    ticks = [(tick.get_text(), tick.get_position()[0]) for tick in axes.get_xticklabels() if tick.get_text()]
    assert len(ticks) > 2
    for text, place in ticks:
        number = text.replace("$", "")
        assert number.endswith("×")
        assert float(number.removesuffix("×")) == pytest.approx(place, rel=THREE_DIGITS)
    assert axes.get_xlabel() == "energy relative to the first technology"
