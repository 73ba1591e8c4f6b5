"""The pictures of measured machines from tables whose rows are in no order and no two of whose numbers are equal."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from bitjoule.reports.figures.style import LIGHT
from bitjoule.reports.measured import draw_gains, draw_points

POINTS = [  # machine, quantity, speed; measured, predicted, low, high
    ("phone", "j_per_token", "predicted", 0.5, 0.625, 0.125, 0.75), ("card", "tokens_per_s", "given", 2, 1e4, 1e4, 1e4),
    ("phone", "tokens_per_s", "predicted", 9, 6, 5.5, 7.5), ("card", "tokens_per_s", "predicted", 90, 80, 70, 99),
    ("board", "tokens_per_s", "predicted", 20, 25, 25, 25), ("card", "tokens_per_s", "predicted", 30, 33, 33, 40),
    ("card", "j_per_token", "predicted", 2.0, 1.75, 1.5, 9.0),
]  # fmt: skip
COLUMNS = ["machine", "quantity", "speed", "measured", "predicted", "low", "high"]
UNITS = {"tokens_per_s": "tokens/s", "j_per_token": "J/token"}


def legend_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()], legend.legend_handles


def test_each_prediction_is_over_its_measurement_in_the_look_of_its_machine():
    figure = draw_points(pd.DataFrame(POINTS, columns=COLUMNS), LIGHT)
    labels, handles = legend_of(figure)
    assert sorted(labels) == ["board", "card", "phone"]
    hues = {label: to_hex(handle.get_color()[0]) for label, handle in zip(labels, handles, strict=True)}
    looks = set()
    assert [axes.get_xlabel() for axes in figure.axes] == [f"measured {unit}" for unit in UNITS.values()]
    for axes, (quantity, unit) in zip(figure.axes, UNITS.items(), strict=True):
        assert axes.get_ylabel() == f"predicted {unit}"
        wanted = [point for point in POINTS if point[1] == quantity and point[2] == "predicted"]
        found = []
        for drawn in axes.containers:
            line, _, (bars,) = drawn
            assert to_hex(line.get_color()) == hues[drawn.get_label()]
            looks.add((drawn.get_label(), to_hex(line.get_color()), line.get_marker()))
            for x, y, ends in zip(*line.get_data(), bars.get_segments(), strict=True):
                found.append((drawn.get_label(), quantity, "predicted", x, y, *ends[:, 1].tolist()))
        assert sorted(found) == sorted(wanted)
        low, high = axes.get_xlim()
        assert (low, high) == axes.get_ylim()
        values = [value for point in wanted for value in (point[3], *point[5:])]
        assert low < min(values)
        assert high > max(values)
        (equal,) = [line for line in axes.lines if line.get_color() == LIGHT.text]
        np.testing.assert_array_equal(equal.get_xdata(), equal.get_ydata())
        (shade,) = [part for part in axes.collections if to_hex((*part.get_facecolor(), "none")[0]) == LIGHT.grid]
        corners = shade.get_paths()[0].vertices
        of_first = corners[corners[:, 0] == equal.get_xdata()[0]][:, 1] / equal.get_xdata()[0]
        assert (of_first.min(), of_first.max()) == pytest.approx((0.75, 1.25))
    assert len(looks) == len({look[1:] for look in looks}) == 3  # on either panel the same, and no two alike
    assert "within 25 %" in figure.get_suptitle()


def test_a_quantity_that_nothing_measured_has_no_panel():
    points = pd.DataFrame(POINTS, columns=COLUMNS)
    figure = draw_points(points[points["quantity"] == "j_per_token"], LIGHT)
    assert [axes.get_xlabel() for axes in figure.axes] == ["measured J/token"]


GAINS = [  # batch, machine, format, bits, tokens/s, gain, bound
    (16, "phone", "w4", 4.5, 800.0, 9.0, "vector"), (1, "phone", "fp16", 16.0, 7.0, 1.0, "off_chip"),
    (1, "card", "w4", 4.25, 310.0, 3.125, "activation_buffer"), (1, "phone", "w2", 2.625, 31.0, 4.5, "weight_buffer"),
    (1, "card", "fp16", 16.0, 99.25, 1.0, "off_chip"), (1, "phone", "w1", 1.125, 37.0, 5.25, "mystery"),
]  # fmt: skip
SHOWN = {
    "off_chip": "memory bandwidth",
    "activation_buffer": "buffers",
    "weight_buffer": "buffers",
    "mystery": "mystery",
}


def test_each_gain_of_the_smallest_batch_is_a_bar_under_its_machine_in_the_look_of_what_bounds_it():
    table = pd.DataFrame(
        GAINS, columns=["batch", "machine", "format", "weight_bits", "tokens_per_s", "speed_gain", "bound_by"]
    )
    figure = draw_gains(table, LIGHT)
    (axes,) = figure.axes
    labels, handles = legend_of(figure)
    assert labels == ["memory bandwidth", "buffers", "mystery"]
    looks = {
        name: (to_hex(patch.get_facecolor()), patch.get_hatch()) for name, patch in zip(labels, handles, strict=True)
    }
    assert len({color for color, _ in looks.values()}) == len({hatch for _, hatch in looks.values()}) == 3
    own = [row for machine in ("phone", "card") for row in GAINS if row[0] == 1 and row[1] == machine]
    bars = sorted(axes.patches, key=lambda bar: bar.get_y())
    rows = [bar.get_y() + bar.get_height() / 2 for bar in bars]
    ticks = [(tick.get_text(), tick.get_position()[1]) for tick in axes.get_yticklabels()]
    assert ticks == [
        (f"{name}, {bits:g} bit", pytest.approx(y)) for (_, _, name, bits, *_), y in zip(own, rows, strict=True)
    ]
    for bar, y, (_, _, _, _, speed, gain, bound) in zip(bars, rows, own, strict=True):
        assert (bar.get_x(), bar.get_width()) == (0, gain)
        assert (to_hex(bar.get_facecolor()), bar.get_hatch() or "") == (
            looks[SHOWN[bound]][0],
            looks[SHOWN[bound]][1] or "",
        )
        (text,) = [text for text in axes.texts if text.get_position()[1] == pytest.approx(y)]
        assert text.get_text() == f"{gain:.2f}×  ({speed:.3g} tokens/s)"
        assert gain < text.get_position()[0] < axes.get_xlim()[1]
    heads = {text.get_text(): text.get_position()[1] for text in axes.texts if text.get_text() in ("phone", "card")}
    assert heads["phone"] < rows[0] < rows[2] < heads["card"] < rows[3]  # y grows downwards
    bottom, top = axes.get_ylim()
    assert top < heads["phone"]
    assert bottom > rows[-1] + 0.375
    assert axes.get_xlabel() == "tokens/s relative to the first format of the machine, batch 1"
