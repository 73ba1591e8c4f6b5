"""Prices of two technologies as they are shown: divided anew, in the table and in the picture."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from bitjoule.reports.figures.style import THEMES, settings
from bitjoule.reports.prices import draw_ratios, prices_markdown
from tests.reports.shown import THREE_DIGITS, header_and_rows, table

ROWS = [
    ("prior", "new", "mac", "ternary x int8 + int32", (0.03, 0.02, 0.05), (0.21, 0.11, 0.38), "add int8"),
    ("prior", "new", "mul", "fp16", (1.1, 0.9, 1.3), (0.34, 0.3, 0.5), "mul fp16"),
    ("prior", "new", "add", "int8", (0.03, 0.02, 0.05), (0.007, 0.006, 0.01), "add int8"),
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
    for pair in ("prior", "other"):
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
    assert text.index("prior (pJ)") < text.index("other (pJ)")  # as the experiment compares them


def test_words_are_aligned_left_and_numbers_right():
    text = prices_markdown("x", "", prices())
    header, _ = header_and_rows(text, ["operation"])
    rule = next(line for line in text.splitlines() if line.startswith("|") and set(line) <= set("|:- "))
    left = {"operation", "format", "prior derived from"}
    for name, dashes in zip(header, rule.strip("|").split("|"), strict=True):
        assert dashes.strip().endswith(":") == (name not in left), name


def test_each_ratio_and_its_band_is_on_the_row_of_its_operation():
    figure = draw_ratios(prices(), THEMES[0])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["add int8", "add fp16", "mul fp16", "mac ternary x int8 + int32"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [drawn.get_label() for drawn in axes.containers] == ["new / prior", "new / other"]
    for drawn, pair in zip(axes.containers, ("prior", "other"), strict=True):
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


OPERATIONS = [("add", name) for name in ("int8", "int16", "int32", "fp16", "fp32")]
OPERATIONS += [("mac", f"int{bits} x int8 + int32") for bits in range(1, 17)]


def compared(operations, pairs, ratios=(2.0, 3.0)):
    """Return a table of pairs of technologies whose ratios lie within two values, each with a band of a fifth."""
    rows = []
    for first in (f"t{i}" for i in range(pairs)):
        for (operation, name), ratio in zip(operations, np.geomspace(*ratios, len(operations)), strict=True):
            rows.append(
                {
                    "first": first, "second": "new", "operation": operation, "format": name, "ratio": ratio,
                    "ratio_low": ratio / 1.2, "ratio_high": ratio * 1.2,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("pairs", [1, 2, 3, 4, 6, 8])
def test_the_points_of_an_operation_stand_apart_around_its_name(pairs):
    (axes,) = draw_ratios(compared(OPERATIONS, pairs), THEMES[0]).axes
    rows = np.array([drawn[0].get_ydata() for drawn in axes.containers])
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [" ".join(operation) for operation in OPERATIONS]
    np.testing.assert_allclose(rows.mean(axis=0), axes.get_yticks(), atol=1e-12)
    assert (abs(rows - axes.get_yticks()) < 0.5).all()
    between = np.diff(rows, axis=0)
    assert (between > 0.1).all()
    np.testing.assert_allclose(between, between[:1].repeat(pairs - 1, axis=0))


def test_pairs_that_share_a_technology_keep_their_own_points():
    pairs = [("a", "b"), ("a", "c"), ("b", "c"), ("c", "b"), ("b", "a")]
    tables = []
    for i, (first, second) in enumerate(pairs):
        own = compared(OPERATIONS[:4], 1, (1.0 + i, 2.0 + i))
        tables.append(own.assign(first=first, second=second))
    (axes,) = draw_ratios(pd.concat(tables), THEMES[0]).axes
    for drawn, table_of, (first, second) in zip(axes.containers, tables, pairs, strict=True):
        assert drawn.get_label() == f"{second} / {first}"
        np.testing.assert_array_equal(drawn[0].get_xdata(), table_of["ratio"])


def test_as_many_pairs_as_an_experiment_may_compare_differ_in_marker_and_colour():
    figure = draw_ratios(compared(OPERATIONS, 8), THEMES[0])
    lines = [drawn[0] for drawn in figure.axes[0].containers]
    assert len({line.get_marker() for line in lines}) == len({line.get_color() for line in lines}) == 8


@pytest.mark.parametrize("count", [5, len(OPERATIONS)])
def test_a_picture_is_as_high_as_its_rows_need(count):
    """A row takes two to three and a half lines of its text, in a short picture and in a long one."""
    with mpl.rc_context(settings(THEMES[0])):
        figure = draw_ratios(compared(OPERATIONS[:count], 1), THEMES[0])
        figure.draw_without_rendering()
    (axes,) = figure.axes
    first, second = axes.transData.transform([(1, 0), (1, 1)])[:, 1] / figure.dpi
    line_in = axes.get_yticklabels()[0].get_fontsize() / 72
    assert 2 * line_in < first - second < 3.5 * line_in


@pytest.mark.parametrize("ratios", [(2.0, 30.0), (0.01, 0.5), (0.3, 7.0)], ids=["more", "less", "both"])
def test_the_axes_hold_every_band_and_equality_with_some_room_on_either_side(ratios):
    (axes,) = draw_ratios(compared(OPERATIONS, 2, ratios), THEMES[0]).axes
    low, high = axes.get_xlim()
    least, most = min(ratios[0] / 1.2, 1.0), max(ratios[1] * 1.2, 1.0)
    assert least / low == pytest.approx(high / most)
    assert 1.1 < least / low < 1.5
    bottom, top = axes.get_ylim()
    assert bottom - (len(OPERATIONS) - 1) == pytest.approx(0 - top)
    assert 0.5 < -top < 1.0  # a row's own half


def test_the_line_of_equality_lies_over_the_grid_and_under_the_points():
    with mpl.rc_context(settings(THEMES[0])):
        (axes,) = draw_ratios(prices(), THEMES[0]).axes
    (one,) = [line for line in axes.lines if set(line.get_xdata()) == {1.0} and line.get_label().startswith("_")]
    drawn = [part for container in axes.containers for part in container.get_children()]
    assert one.get_linewidth() > 0
    assert one.get_zorder() < min(part.get_zorder() for part in drawn)
    assert one.get_zorder() > axes.xaxis.get_zorder()  # an axis draws its grid


def test_operators_stand_over_macs_in_the_order_of_the_formats_whatever_the_table_begins_with():
    mixed = pd.concat([compared(OPERATIONS[::-1], 1), compared([("mul", "fp16"), ("mul", "int8")], 1)])
    (axes,) = draw_ratios(mixed, THEMES[0]).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    operators = ["add int8", "mul int8", "add int16", "add int32", "add fp16", "mul fp16", "add fp32"]
    assert names == operators + [" ".join(operation) for operation in OPERATIONS[:4:-1]]
