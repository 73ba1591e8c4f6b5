"""Ours beside printed numbers, in the picture and in the summary: residuals, widths of rounding, what agrees."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.energy.plots import PublishedPlot
from bitjoule.reports.energy.plots.published import draw_published
from bitjoule.reports.energy.summary import comparison_table
from bitjoule.reports.figures.style import THEMES
from tests.reports.shown import table

CELLS = pd.DataFrame(
    [
        ("a", "fp16", "7nm", "mul", "energy_j", "4.41", 4.4149, True),
        ("b", "fp16", "7nm", "mul", "energy_j", "0.50", 0.47, False),
        ("a", "fp16", "7nm", "add", "energy_j", "12", 12.4, True),
        ("a", "bitnet", "45nm", "mul", "energy_j", "31.5", 38.0, False),
        ("b", "bitnet", "45nm", "", "energy_j", "0.040", 0.0398, True),
    ],
    columns=["model", "scheme", "technology", "action", "quantity", "printed", "ours", "agrees"],
)
FAR = "median 3.3 %, largest 21 %"  # |ours / printed - 1|: 0.11, 6.0, 3.3, 20.6 and 0.5 %
HALF_A_UNIT = {"4.41": 0.005, "0.50": 0.005, "12": 0.5, "31.5": 0.05, "0.040": 0.0005}


def cells(**changes):
    whole = CELLS.assign(**changes)
    printed = whole["printed"].astype(float)
    whole["relative_error"] = (whole["ours"] - printed) / printed
    return whole.assign(source="someone", where="Table 1", note=["", "a reason", "", "", ""])


FORMATS = pd.DataFrame({"kind": ["float", "binary"], "variant": 0}, index=["fp16", "bitnet"])


def drawn_with(comparison, name):
    frames = SimpleNamespace(comparison=comparison, formats=FORMATS, name=name)
    return draw_published(PublishedPlot(kind="published"), frames, THEMES[0])


@pytest.fixture(scope="module")
def figure():
    drawn = drawn_with(cells(), "mine")
    drawn.draw_without_rendering()
    return drawn


def test_points_are_ours_over_printed_and_hollow_where_they_disagree(figure):
    top, _ = figure.axes
    found = []
    for line in top.lines:
        if line.get_linestyle() == "None":
            filled = line.get_markerfacecolor() != THEMES[0].background
            found += [(*point, filled, line.get_marker(), line.get_color()) for point in line.get_xydata()]
    looks = {line.get_label(): (line.get_marker(), line.get_color()) for line in top.lines}
    wanted = [
        (float(cell.printed), cell.ours, cell.agrees, *looks[f"{cell.scheme} {cell.action}".strip()])
        for cell in CELLS.itertuples()
    ]
    assert sorted(found) == sorted(wanted)  # each once
    (diagonal,) = [line for line in top.lines if line.get_linestyle() == "-"]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert top.get_xlim() == top.get_ylim()
    assert top.get_xlim()[0] < 0.0398 < 38 < top.get_xlim()[1]


def test_residuals_are_per_cent_of_the_printed_number_and_bars_half_a_unit_of_its_last_digit(figure):
    _, bottom = figure.axes
    found = {}
    for drawn in bottom.containers:
        line, _, (bars,) = drawn
        for x, y, ends in zip(*line.get_data(), bars.get_segments(), strict=True):
            assert ends[:, 0].tolist() == [x, x]
            found[x] = (y, *ends[:, 1])
    wanted = {}
    for cell in CELLS.itertuples():
        printed, half = float(cell.printed), HALF_A_UNIT[cell.printed]
        residual, width = 100 * (cell.ours - printed) / printed, 100 * half / printed
        wanted[printed] = pytest.approx((residual, residual - width, residual + width))
    assert found == wanted
    assert "(%)" in bottom.get_ylabel()
    # ours agrees where the bar reaches zero
    for cell in CELLS.itertuples():
        low, high = found[float(cell.printed)][1:]
        assert (low <= 0 <= high) == cell.agrees


def test_title_axes_and_legend_name_what_is_drawn(figure):
    title = figure.get_suptitle()
    assert " ".join(title.split()) == (f"mine: 3 of 5 agree at the printed precision (hollow: not); difference: {FAR}")
    top, bottom = figure.axes
    assert "energy (J)" in top.get_ylabel()
    assert "energy (J)" in bottom.get_xlabel()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "fp16 mul", "fp16 add", "bitnet mul", "bitnet",
    ]  # fmt: skip
    for axis, where in ((top.yaxis, 1), (bottom.xaxis, 0)):
        ticks = [(tick.get_text(), tick.get_position()[where]) for tick in axis.get_ticklabels() if tick.get_text()]
        assert ticks
        assert [float(text) for text, _ in ticks] == pytest.approx([place for _, place in ticks])


@pytest.mark.parametrize(("quantity", "word"), [("memory_gb", "(GB)"), ("memory_ratio", "baseline over memory"),
                                                ("ratio_to_baseline", "ratio to the baseline")])  # fmt: skip
def test_other_quantities_are_named_and_nothing_is_hollow_where_all_agree(quantity, word):
    every = cells(quantity=quantity, agrees=True)
    figure = drawn_with(every, "x")
    assert figure.get_suptitle().startswith("x: 5 of 5 agree")
    assert "hollow" not in figure.get_suptitle()
    assert word in figure.axes[0].get_ylabel()


def test_the_table_says_printed_ours_and_the_difference_in_per_cent_of_the_printed():
    text = comparison_table(cells())
    rows = table(text, ["model", "scheme", "technology", "quantity", "printed"])
    for row, own in zip(rows, cells().to_dict("records"), strict=True):
        assert [row[key] for key in ("model", "scheme", "technology", "printed")] == [
            own[key] for key in ("model", "scheme", "technology", "printed")
        ]
        assert row["quantity"] == f"{own['action']} energy (J)".strip()
        printed, half = float(own["printed"]), HALF_A_UNIT[own["printed"]]
        assert float(row["ours"]) == pytest.approx(own["ours"], abs=half / 50)
        error = 100 * (own["ours"] - printed) / printed
        assert row["relative error (%)"][0] == ("+" if error > 0 else "-")
        assert float(row["relative error (%)"]) == pytest.approx(error, abs=0.0051)
        assert row["agrees"] == ("yes" if own["agrees"] else "**no**")
    counted = f"3 of 5 published values agree at the printed precision (difference: {FAR})"
    assert f"\n{counted}; printed in someone, Table 1.\n" in text
    differing = re.findall(r"^- (.*): printed ([\d.]+), ours ([\d.]+)(?:: (.*))?\.$", text, re.MULTILINE)
    assert differing == [
        ("b, fp16, 7nm, mul energy (J)", "0.50", "0.4700", "a reason"),
        ("a, bitnet, 45nm, mul energy (J)", "31.5", "38.000", ""),
    ]
