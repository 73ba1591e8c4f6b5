"""Published accelerators as they are shown, from a table no two of whose numbers are equal."""

import math

import numpy as np
import pandas as pd
import pytest

from bitjoule.reports.designs import designs_markdown, draw_designs, headline
from bitjoule.reports.figures.style import LIGHT
from tests.reports.shown import THREE_DIGITS, header_and_rows

NAN = math.nan
ROWS = [  # design, phase, model; printed, predicted of each quantity
    ("zeta", "decode", "m3", (50.0, 61.0), (0.9e-3, NAN), "chip", "lanes; clock"),
    ("alpha", "prefill", "m1", (400.0, 340.0), (0.19, 0.0612), "board", ""),
    ("alpha", "decode", "m2", (25.0, 26.5), (NAN, 0.0431), "board", "width of a port"),
    ("kappa", "decode", "m1", (NAN, 7.3), (0.031, 0.0473), "chip", ""),
]
PLACES = [f"{design}, {phase}" for design, phase, *_ in ROWS]
ERRORS = {  # predicted over printed, less 1
    "tokens per second": [0.22, -0.15, 0.06, NAN],
    "joules per token": [NAN, 0.0612 / 0.19 - 1, NAN, 0.0473 / 0.031 - 1],
}


def designs():
    table = pd.DataFrame(
        [
            {
                "design": design, "phase": phase, "model": model, "metered": metered, "inputs": inputs,
                "printed_tokens_per_s": speed[0], "tokens_per_s": speed[1],
                "printed_j_per_token": joules[0], "j_per_token": joules[1],
            }
            for design, phase, model, speed, joules, metered, inputs in ROWS
        ]
    )  # fmt: skip
    names = dict(zip(("tokens_per_s", "j_per_token"), ERRORS.values(), strict=True))
    return table.assign(**{f"error_{name}": errors for name, errors in names.items()})


def test_each_cell_is_its_row_and_what_is_not_printed_is_empty():
    header, rows = header_and_rows(designs_markdown("x", "about", designs()), ["design", "phase", "model"])
    quantities = ["tokens/s printed", "predicted", "error", "mJ/token printed", "predicted", "error"]
    assert header == ["design", "phase", "model", *quantities, "metered", "inputs"]
    for i, (cells, (*place, speed, joules, metered, inputs)) in enumerate(zip(rows, ROWS, strict=True)):
        assert cells[:3] == place
        assert cells[-2:] == [metered, inputs]
        wanted = [*speed, None, *(1e3 * value for value in joules), None]
        for name, text, value in zip(quantities, cells[3:9], wanted, strict=True):
            if value is not None:
                assert (float(text) if text else NAN) == pytest.approx(value, rel=THREE_DIGITS, nan_ok=True), name
        for text, errors in zip((cells[5], cells[8]), ERRORS.values(), strict=True):
            error = float(text.removesuffix(" %")) if text else NAN
            assert error == pytest.approx(100 * errors[i], abs=0.51, nan_ok=True)
            assert not text or text[0] == ("+" if errors[i] > 0 else "-")


def test_the_headline_counts_the_printed_numbers_that_are_met_within_three_tenths():
    errors = np.abs([error for errors in ERRORS.values() for error in errors])
    median, most = (f"{100 * value:.0f} %" for value in (np.nanmedian(errors), np.nanmax(errors)))
    told = f"(difference: median {median}, largest {most})"
    assert headline(designs()) == f"3 of 5 printed numbers within 30 % {told}"
    edge = designs().assign(error_tokens_per_s=[0.3, -0.3, 0.31, -0.31])
    assert headline(edge).startswith("2 of 6 printed numbers within 30 % (")


def test_each_ratio_is_a_marker_of_its_quantity_on_the_row_of_its_design():
    figure = draw_designs(designs(), LIGHT)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == PLACES
    assert axes.get_yticks().tolist() == [0, 1, 2, 3]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(ERRORS)
    drawn = [line for line in axes.lines if line.get_label() in ERRORS]
    assert [line.get_label() for line in drawn] == list(ERRORS)
    for line, handle in zip(drawn, figure.legends[0].legend_handles, strict=True):
        ratios, rows = line.get_data()
        assert list(ratios) == pytest.approx([1 + error for error in ERRORS[line.get_label()]], nan_ok=True)
        assert [round(row) for row in rows.tolist()] == [0, 1, 2, 3]
        assert (line.get_color(), line.get_marker()) == (handle.get_color(), handle.get_marker())
        assert line.get_linestyle() == "None"
    first, second = drawn
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()
    assert (first.get_ydata() < second.get_ydata()).all()  # the first above, as in the legend


def test_the_axis_holds_every_ratio_and_the_band_and_names_its_values():
    figure = draw_designs(designs(), LIGHT)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert low < 0.0612 / 0.19
    assert high > 0.0473 / 0.031
    bottom, top = axes.get_ylim()
    assert bottom > 3.14  # from the top down, each row whole
    assert top < -0.14
    (band,) = axes.patches
    corners = band.get_extents().transformed(axes.transData.inverted())
    assert (corners.x0, corners.x1) == pytest.approx((0.7, 1.3))
    (one,) = [line for line in axes.lines if line.get_label() not in ERRORS]
    assert list(one.get_xdata()) == [1.0, 1.0]
    assert axes.get_xlabel() == "predicted over printed; band: 30 %"
    ticks = [(tick.get_text(), tick.get_position()[0]) for tick in axes.get_xticklabels() if tick.get_text()]
    assert len(ticks) > 1
    assert [float(text) for text, _ in ticks] == pytest.approx([place for _, place in ticks])


def test_the_axis_holds_the_band_where_all_ratios_lie_within_it():
    close = designs().assign(error_tokens_per_s=0.01, error_j_per_token=-0.02)
    low, high = draw_designs(close, LIGHT).axes[0].get_xlim()
    assert low < 0.7
    assert high > 1.3
