"""The pictures of quality experiments from tables whose rows are in no order and no two of whose numbers are equal."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from bitjoule.reports.figures.families import look
from bitjoule.reports.figures.style import LIGHT
from bitjoule.reports.quality import scaling, variants, zeros
from tests.reports.shown import THREE_DIGITS

FORMATS = pd.DataFrame(
    {"kind": ["ternary", "binary", "float", "integer"], "variant": [0, 1, 0, 2]},
    index=["ternary", "binary", "fp16", "int8"],
)
NAMES = {"ternary": "ternary", "binary": "±1", "fp16": "FP16", "int8": "INT8"}
NAN = math.nan
BY_LOOK = {
    (drawn.color.lower(), drawn.marker): name
    for name, row in FORMATS.iterrows()
    for drawn in [look(row["kind"], row["variant"], LIGHT)]
}


def of_look(line):
    """Return the format whose colour and marker a line has."""
    return BY_LOOK[to_hex(line.get_color()), line.get_marker()]


def xy(line):
    return [tuple(point) for point in np.column_stack(line.get_data()).tolist()]


def near(points):
    """Return what a list of points is compared with."""
    return [pytest.approx(point) for point in points]


def legend_of(axes):
    (legend,) = axes.figure.legends
    return [text.get_text() for text in legend.get_texts()], legend.legend_handles


def variant_tables():
    """Three formats at the largest size, which stands first in the table, and two at another, with losses far away."""
    rows = [
        ("big", "binary", 59e3, 2.75, 0.25, 0.14, 0.37), ("small", "int8", 29e3, 3.8, 0.1, 0.05, 0.15),
        ("big", "ternary", 58e3, 2.5, NAN, NAN, NAN), ("big", "fp16", 60e3, 2.375, -0.125, -0.19, -0.05),
        ("small", "ternary", 29e3, 3.7, NAN, NAN, NAN),
    ]  # fmt: skip
    gaps = [f"gap_{end}nats_per_byte" for end in ("", "low_", "high_")]
    summary = pd.DataFrame(rows, columns=["rung", "format", "parameters", "loss_nats_per_byte", *gaps])
    seeds = {"binary": (2.9, 2.6, 2.75), "ternary": (2.52, 2.48), "fp16": (2.4, 2.35)}
    models = [("big", name, loss) for i in range(3) for name, losses in seeds.items() for loss in losses[i : i + 1]]
    models += [("small", name, 3.75) for name in seeds]
    return summary, pd.DataFrame(models, columns=["rung", "format", "loss_nats_per_byte"]), seeds


def test_each_format_of_the_largest_size_has_its_gap_its_interval_and_its_seeds_on_its_row():
    summary, models, seeds = variant_tables()
    figure = variants.draw_variants("ternary", summary, models, FORMATS, LIGHT)
    (axes,) = figure.axes
    from_below = ["fp16", "ternary", "binary"]  # the first of the table is uppermost
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [NAMES[name] for name in from_below]
    assert axes.get_yticks().tolist() == [0, 1, 2]
    bottom, top = axes.get_ylim()
    assert bottom < 0 < 2 < top
    marks = {of_look(line): xy(line) for line in axes.lines if line.get_marker() not in ("None", "|")}
    assert marks == {"fp16": [(-0.125, 0)], "ternary": [(0, 1)], "binary": [(0.25, 2)]}
    by_color = {color: name for (color, _), name in BY_LOOK.items()}
    of_seeds = {by_color[to_hex(line.get_color())]: xy(line) for line in axes.lines if line.get_marker() == "|"}
    for name, losses in seeds.items():
        wanted = [(loss - 2.5, from_below.index(name)) for loss in losses]
        assert sorted(of_seeds.pop(name)) == near(sorted(wanted))
    assert of_seeds == {}
    *reaches, zero = [line for line in axes.lines if line.get_marker() == "None"]
    assert list(zero.get_xdata()) == [0, 0]
    ends = {by_color[to_hex(line.get_color())]: xy(line) for line in reaches if not np.isnan(line.get_xdata()).any()}
    assert ends == {"fp16": [(-0.19, 0), (-0.05, 0)], "binary": [(0.14, 2), (0.37, 2)]}
    written = {text.xy[1]: text.get_text() for text in axes.texts}
    assert written == {0: "−0.125", 1: "2.500 nats", 2: "+0.250"}
    assert axes.get_xlabel().startswith("held-out loss minus that of ternary (nats per byte)")
    assert figure.get_suptitle() == "Relative to ternary: FP16 0.12 nats better, ±1 0.25 nats worse"


def test_a_size_at_which_the_baseline_is_not_trained_yet_is_left_out():
    summary, models, _ = variant_tables()
    begun = summary.iloc[:1].assign(rung="huge", parameters=2e5)
    diverged = summary.iloc[2:3].assign(rung="giant", parameters=4e5, loss_nats_per_byte=NAN)
    figure = variants.draw_variants("ternary", pd.concat([begun, diverged, summary]), models, FORMATS, LIGHT)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["FP16", "ternary", "±1"]


def rate_tables(worst=7.5, diverged=1):
    """Two formats over rates in no order; of one a loss is above what is drawn, and one rate diverged."""
    rows = [
        ("binary", 0.016, worst, 0), ("fp16", 0.004, 2.9, 0), ("binary", 0.001, 3.25, 0), ("fp16", 0.001, 3.0, 0),
        ("binary", 0.004, 3.125, 0), ("binary", 0.064, NAN if diverged else 3.5, diverged), ("fp16", 0.016, 2.95, 0),
    ]  # fmt: skip
    columns = ["format", "learning_rate", "loss_nats_per_byte"]
    summary = pd.DataFrame(rows, columns=[*columns, "diverged"]).assign(parameters=29024, trained=True)
    models = [(name, rate, loss + shift) for name, rate, loss, _ in rows for shift in (-0.03, 0.02)]
    return summary, pd.DataFrame(models, columns=columns).assign(parameters=29024, trained=True)


def test_each_format_has_a_line_over_rising_rates_and_a_dash_for_each_seed():
    figure = variants.draw_rates(*rate_tables(), FORMATS, LIGHT)
    (axes,) = figure.axes
    named = [line for line in axes.lines if line.get_label()[0] != "_"]
    assert [(line.get_label(), of_look(line)) for line in named] == [("±1", "binary"), ("FP16", "fp16")]
    losses, handles = legend_of(axes)
    assert losses == ["±1", "FP16"]
    assert [(handle.get_color(), handle.get_marker()) for handle in handles] == [
        (line.get_color(), line.get_marker()) for line in named
    ]
    rates, drawn = named[0].get_data()
    assert list(rates) == [0.001, 0.004, 0.016, 0.064]
    assert list(drawn) == pytest.approx([3.25, 3.125, 6.5, NAN], nan_ok=True)  # losses above 6.5 nats are cut
    assert xy(named[1]) == [(0.001, 3.0), (0.004, 2.9), (0.016, 2.95)]
    dashes = {to_hex(line.get_color()): xy(line) for line in axes.lines if line.get_marker() == "_"}
    assert sorted(dashes[to_hex(named[1].get_color())]) == near(
        [(0.001, 2.97), (0.001, 3.02), (0.004, 2.87), (0.004, 2.92), (0.016, 2.92), (0.016, 2.97)]
    )
    of_binary = sorted(point for point in dashes[to_hex(named[0].get_color())] if not np.isnan(point[1]))
    assert of_binary == near([(0.001, 3.22), (0.001, 3.27), (0.004, 3.095), (0.004, 3.145), (0.016, 6.5), (0.016, 6.5)])
    (cross,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert xy(cross) == [(0.064, 6.5)]
    assert cross.get_color() == named[0].get_color()
    assert axes.get_xscale() == "log"
    ticks = [(tick.get_text(), tick.get_position()[0]) for tick in axes.get_xticklabels()]
    assert ticks == [("0.001", 0.001), ("0.004", 0.004), ("0.016", 0.016), ("0.064", 0.064)]


@pytest.mark.parametrize(
    ("worst", "diverged", "shown"), [(4.5, 0, False), (4.5, 1, True), (4.6, 0, True), (7.5, 0, True)]
)
def test_the_loss_of_a_guessed_byte_is_drawn_where_a_loss_is_within_a_nat_of_it_or_one_diverged(worst, diverged, shown):
    (axes,) = variants.draw_rates(*rate_tables(worst, diverged), FORMATS, LIGHT).axes
    level = [line for line in axes.lines if set(line.get_ydata()) == {math.log(256)}]
    assert len(level) == shown
    assert [(text.get_text(), text.xy) for text in axes.texts] == [
        ("a byte guessed", (0.001, pytest.approx(5.545, abs=1e-3)))
    ][:shown]


def test_zeros_are_shares_at_the_left_and_savings_of_the_last_technology_at_the_right():
    tokens = [0, 50_000, 100_000]
    rows = [
        {"technology": node, "format": label, "tokens": at, "zero_share": 0.3 + 0.01 * i + 0.001 * j,
         "zero_share_least": 0.28 + 0.01 * i + 0.001 * j, "zero_share_greatest": 0.35 + 0.01 * i + 0.001 * j,
         "saved_share": (0.1 if node == "45nm" else 0.2) + 0.02 * i + 0.003 * j}
        for j, at in enumerate(tokens) for node in ("45nm", "7nm") for i, label in enumerate(["no-decay", "mine"])
    ]  # fmt: skip
    figure = zeros.draw(pd.DataFrame(rows), LIGHT)
    share, saved = figure.axes
    labels, handles = legend_of(share)
    assert labels == [line.get_label() for line in share.lines] == ["no weight decay", "mine"]
    assert len(saved.lines) == len(share.collections) == 2
    for i, (line, other, band, handle) in enumerate(
        zip(share.lines, saved.lines, share.collections, handles, strict=True)
    ):
        assert xy(line) == near([(at, 30 + i + 0.1 * j) for j, at in enumerate(tokens)])
        assert xy(other) == near([(at, 20 + 2 * i + 0.3 * j) for j, at in enumerate(tokens)])
        looks = {(each.get_color(), each.get_marker(), each.get_linestyle()) for each in (line, other, handle)}
        assert len(looks) == 1
        assert to_hex(band.get_facecolor()[0]) == to_hex(line.get_color())
        corners = band.get_paths()[0].vertices
        for j, at in enumerate(tokens):
            heights = corners[corners[:, 0] == at][:, 1]
            assert (heights.min(), heights.max()) == pytest.approx((28 + i + 0.1 * j, 35 + i + 0.1 * j))
    one, two = share.lines
    assert one.get_color() != two.get_color()
    assert one.get_marker() != two.get_marker()
    assert saved.get_title() == "array of adders, 7nm"
    assert share.get_ylabel() == "zero trits (%)"
    assert figure.get_suptitle().startswith("30.2 to 31.2 % of the trits")


def law_tables():
    """Three formats in no order; of the second no power law was fitted, and the third is the baseline."""
    rows = [
        ("binary", 4e6, 1.375, True), ("int8", 1e6, 1.75, True), ("fp16", 1e6, 1.625, True), ("binary", 1e6, 2.0, True),
        ("int8", 2e6, 1.5, True), ("fp16", 8e6, 1.125, True), ("fp16", 2e5, 9.0, False), ("binary", 2e6, NAN, True),
        ("ternary", 1e6, 1.875, True),
    ]  # fmt: skip
    models = pd.DataFrame(rows, columns=["format", "parameters", "loss_nats_per_byte", "trained"])
    laws = pd.DataFrame(
        [
            ("offset", "int8", 7.0, 0.9, 5.0, 4.0, 6.0, 9e6), ("power", "binary", 2.0, 0.25, 1.84, 1.5, 2.25, 4e6),
            ("power", "fp16", 1.625, 0.125, NAN, NAN, NAN, NAN), ("power", "ternary", 1.9, 0.2, 1.3, 1.1, 1.4, 2e6),
        ],
        columns=["form", "format", "a_nats", "exponent", "size_factor", "size_factor_low", "size_factor_high",
                 "factor_at_parameters"],
    )  # fmt: skip
    return models, laws


def test_losses_over_parameters_are_the_trainings_and_the_law_of_each_format():
    models, laws = law_tables()
    figure = scaling.draw("fp16", models, laws, FORMATS, LIGHT)
    axes = figure.axes[0]
    marks = [line for line in axes.lines if line.get_marker() != "None" and len(line.get_xdata())]
    drawn = {of_look(line): xy(line) for line in marks}
    assert list(drawn) == ["binary", "int8", "fp16", "ternary"]
    for name, points in drawn.items():
        own = models[(models["format"] == name) & models["trained"]].dropna()
        assert [y for _, y in points] == own["loss_nats_per_byte"].tolist()
        assert [x for x, _ in points] == pytest.approx(own["parameters"].tolist(), rel=0.02)  # seen beside each other
    at_a_million = [x for points in drawn.values() for x, _ in points if x == pytest.approx(1e6, rel=0.1)]
    assert len(set(at_a_million)) == len(at_a_million) == 4
    assert at_a_million == pytest.approx([1e6] * 4, rel=0.03)
    assert np.prod(at_a_million) == pytest.approx(1e24)  # as far to the left as to the right
    curves = {to_hex(line.get_color()): line for line in axes.lines if line.get_marker() == "None"}
    for (color, _), name in BY_LOOK.items():
        law = laws[(laws["form"] == "power") & (laws["format"] == name)]
        assert (color in curves) == len(law)
        for _, row in law.iterrows():
            sizes, losses = curves[color].get_data()
            own = models[(models["format"] == name) & models["trained"]].dropna()["parameters"]
            assert (sizes[0], sizes[-1]) == pytest.approx((own.min(), own.max()))
            np.testing.assert_allclose(losses, row["a_nats"] * (sizes / 1e6) ** -row["exponent"])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "±1: 2.00 (N/1M)^−0.250", "INT8", "FP16: 1.62 (N/1M)^−0.125", "ternary: 1.90 (N/1M)^−0.200",
    ]  # fmt: skip
    assert figure.get_suptitle() == "±1 needs 1.8 times the parameters of FP16 for its loss"


def test_factors_of_size_have_their_intervals_and_numbers_on_the_row_of_their_format():
    axes = scaling.draw("fp16", *law_tables(), FORMATS, LIGHT).axes[1]
    from_below = ["ternary", "binary"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [NAMES[name] for name in from_below]
    marks = {of_look(line): xy(line) for line in axes.lines if line.get_marker() != "None"}
    assert marks == {"ternary": [(1.3, 0)], "binary": [(1.84, 1)]}
    *reaches, one = [line for line in axes.lines if line.get_marker() == "None"]
    assert sorted(map(xy, reaches)) == [[(1.1, 0), (1.4, 0)], [(1.5, 1), (2.25, 1)]]
    assert list(one.get_xdata()) == [1, 1]
    written = {text.xy: float(text.get_text()) for text in axes.texts}
    assert written == {point: pytest.approx(point[0], rel=THREE_DIGITS) for (point,) in marks.values()}
    bottom, top = axes.get_ylim()
    assert bottom < 0 < 1 < top
    assert axes.get_title() == "parameters for the loss of FP16"
    assert axes.get_xlabel() == "times those of FP16, 95 % interval\nat 2.00M to 4.00M"


def test_without_a_power_law_losses_are_drawn_alone():
    models, laws = law_tables()
    figure = scaling.draw("fp16", models, laws[laws["form"] != "power"], FORMATS, LIGHT)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["±1", "INT8", "FP16", "ternary"]
    assert figure.get_suptitle() == "Loss over parameters"
