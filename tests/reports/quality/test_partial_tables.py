"""Summaries and pictures of tables that lack losses, rates or sizes."""

import math

import pandas as pd
import pytest

from bitjoule.reports.figures.style import LIGHT
from bitjoule.reports.quality import variants, zeros
from bitjoule.reports.quality.summary import headline, nats

FORMATS = pd.DataFrame({"kind": ["float", "ternary"], "variant": 0}, index=["fp16", "ternary"])


def losses(*rows):
    """Return a summary of (rung, format, parameters, rate, loss)."""
    columns = ["rung", "format", "parameters", "learning_rate", "loss_nats_per_byte"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(trained=table["learning_rate"].notna(), diverged=table["loss_nats_per_byte"].isna().astype(int))


RATES = losses(
    ("a", "fp16", 100, 0.01, 2.0), ("b", "fp16", 100, 0.02, 2.5), ("c", "fp16", 50, 0.02, 9.0),
    ("a", "ternary", 100, 0.01, math.nan), ("b", "ternary", 100, 0.02, math.nan), ("a", "after", 100, math.nan, 4.0),
)  # fmt: skip


def test_a_format_that_diverges_at_every_rate_is_named():
    text = variants.rates_message(RATES)
    assert text == "Nats at the next rate above the best: FP16 +0.50, ternary diverges at all rates"
    assert headline(RATES, "learning_rate") == "Least loss in nats per byte: FP16 2.000 at 0.01"


def test_the_picture_of_rates_has_the_largest_size_and_what_was_trained():
    axes = variants.draw_rates(RATES, RATES, FORMATS, LIGHT).axes[0]
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines if not line.get_label().startswith("_")}
    assert drawn["FP16"] == [2.0, 2.5]
    assert list(drawn) == ["FP16", "ternary"]
    assert list(axes.get_xticks()) == [0.01, 0.02]


def test_the_headline_says_what_diverged_at_the_largest_trained_size():
    table = losses(
        ("s", "fp16", 100, 0.01, 2.0), ("s", "ternary", 100, 0.01, math.nan), ("l", "after", 900, math.nan, 4.0)
    )
    assert headline(table, "parameters") == "At 100 parameters, nats per byte: FP16 2.000, ternary diverged"
    assert headline(table[~table["trained"]], "parameters") == "At 900 parameters, nats per byte: after 4.000"


@pytest.mark.parametrize(("value", "text"), [(2.5, "2.500"), (math.nan, ""), (1e100, "1.00e100"), (-12345.6, "-12300")])
def test_losses_far_beyond_trainings_have_three_digits(value, text):
    assert nats(value) == text


def test_shares_that_are_alike_are_written_once():
    rows = [{"tokens": 8, "technology": "7nm", "format": "a", "zero_share": 0.25, "saved_share": 0.0}]
    text = "25.0 % of the trits end as zeros, which saves 0 % of a MAC's energy at 7nm"
    assert zeros.message(pd.DataFrame(rows)) == text


def test_an_axis_of_nothing_saved_is_not_empty():
    row = {"tokens": 8, "technology": "7nm", "format": "a", "zero_share": 0.0, "saved_share": 0.0}
    table = pd.DataFrame([row | {"zero_share_least": 0.0, "zero_share_greatest": 0.0}])
    assert zeros.draw(table, LIGHT).axes[1].get_ylim() == (0, 1)
