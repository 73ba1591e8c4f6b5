"""Pictures of measured machines: no text lies on another, each machine and each bound has a look of its own."""

import re

import matplotlib as mpl
import pandas as pd
import pytest

from bitjoule.experiments.measured.schema import LowBit, Measured
from bitjoule.experiments.measured.tables import error_table, gain_table, point_table
from bitjoule.reports.figures.style import THEMES, settings
from bitjoule.reports.measured import draw_gains, draw_points, gains_markdown, headline, points_markdown
from tests.reports.pages import assert_clean
from tests.reports.shown import header_and_rows

GAINS = LowBit(model="llama-3.2-1b", machines=["rtx-4090", "h100"], formats=["fp16", "w4-k", "binary-1.125"])


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_no_text_lies_on_another(theme):
    points, gains = point_table(Measured(use="hold"))[0], gain_table(GAINS)[0]
    with mpl.rc_context(settings(theme)):
        figures = [draw_points(points, theme), draw_gains(gains, theme)]
        for figure in figures:
            assert_clean(figure)
    labels = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert sorted(labels) == sorted(points["machine"].unique())


def test_summaries_show_every_machine_and_say_what_has_no_prediction():
    points, why = point_table(Measured(use="fit"))
    text = points_markdown("x", "y", points, error_table(points), why, 3)
    assert all(f"### {machine}\n" in text for machine in points["machine"].unique())
    assert all(line in text for line in why)
    gains, missing = gain_table(GAINS)
    text = gains_markdown("x", "y", gains, ["a, b: why"])
    assert not missing
    assert all(machine in text for machine in GAINS.machines)
    assert "* a, b: why" in text


def test_each_column_of_errors_and_points_shows_its_own_value():
    """No two values are equal, so that an exchanged column shows."""
    error = {
        "quantity": "j_per_token", "speed": "given", "machine": "a", "rows": 7, "bias": -0.011, "median": 0.022,
        "ninetieth": 0.033, "other_way": "roofline", "other_rows": 5, "same_rows_median": 0.044, "other_median": 0.055,
        "other_ninetieth": 0.066,
    }  # fmt: skip
    point = {
        "machine": "a", "line": 12, "model": "m", "weights": "w", "batch": 3, "phase": "decode",
        "quantity": "j_per_token", "speed": "given", "measured": 0.5, "predicted": 0.4, "error": -0.2,
    }  # fmt: skip
    text = points_markdown("x", "y", pd.DataFrame([point]), pd.DataFrame([error]), [], 3)
    assert "## J/token, speed given" in text
    header, (row,) = header_and_rows(text, ["machine", "rows", "bias"])
    assert header[5:] == ["other way", "rows", "same rows", "median", "90 %"]
    assert row == ["a", "7", "-1.1 %", "2.2 %", "3.3 %", "roofline", "5", "4.4 %", "5.5 %", "6.6 %"]
    header, (row,) = header_and_rows(text, ["line", "model"])
    assert row == ["12", "m", "w", "3", "decode", "J/token", "given", "0.500", "0.400", "-20.0 %"]
    assert header[-3:] == ["measured", "predicted", "error"]


def test_each_column_of_gains_shows_its_own_value():
    gain = {
        "batch": 16, "machine": "a", "format": "w4", "weight_bits": 4.5, "tokens_per_s": 21.0, "speed_gain": 1.25,
        "j_per_token": 0.32, "energy_gain": 1.5, "bound_by": "vector", "off_chip_utilisation": 0.61,
        "unpacking_utilisation": 0.72, "array_utilisation": 0.13, "fixed_share": 0.04,
    }  # fmt: skip
    text = gains_markdown("x", "y", pd.DataFrame([gain]), [])
    assert "## Batch 16" in text
    header, (row,) = header_and_rows(text, ["machine", "format"])
    assert header[2:8] == ["bits", "tokens/s", "gain", "J/token", "gain", "bound by"]
    assert header[8:] == ["memory", "unpacking", "products", "launches, steps"]
    assert row == ["a", "w4", "4.5", "21.0", "1.25", "0.320", "1.50", "vector unit", "61 %", "72 %", "13 %", "4 %"]


def test_the_headline_of_gains_is_the_least_and_the_greatest_in_speed():
    gains = pd.DataFrame({"speed_gain": [1.25, 3.875, 2.0], "energy_gain": [0.5, 9.0, 1.5]})
    assert headline(gains, pd.DataFrame()) == "narrow weights gain 1.25 to 3.88 in speed"
    assert headline(gains[:0], pd.DataFrame()) == "nothing could be priced"


def test_the_headline_of_points_has_the_errors_of_all_machines():
    rows = [
        ("a", "tokens_per_s", "predicted", 0.5, 3), ("all", "tokens_per_s", "predicted", 0.123, 17),
        ("a", "j_per_token", "given", 0.75, 5), ("all", "j_per_token", "given", 0.0456, 29),
    ]  # fmt: skip
    errors = pd.DataFrame(rows, columns=["machine", "quantity", "speed", "median", "rows"])
    found = re.fullmatch(
        r"tokens/s \(predicted speed\): median error ([\d.]+) ?% of 17 rows; "
        r"J/token \(given speed\): median error ([\d.]+) ?% of 29 rows",
        headline(pd.DataFrame(), errors),
    )
    assert [float(text) for text in found.groups()] == pytest.approx([12.3, 4.6], abs=0.06)
