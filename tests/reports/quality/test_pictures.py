"""The pictures and summaries of quality experiments: what they say follows from their tables."""

import csv
import math

import matplotlib as mpl
import pandas as pd
import pytest

from bitjoule.execution import read
from bitjoule.kinds import quality as kind
from bitjoule.kinds.kind import Silent
from bitjoule.reports.figures.style import LIGHT, settings
from bitjoule.reports.quality import frontier, scaling, summary, variants, zeros
from bitjoule.reports.quality.summary import headline
from bitjoule.sim.quality.tables import shipped_tables
from bitjoule.writing import run
from tests.experiments.shipped import outcome_of
from tests.reports.shown import THREE_DIGITS, table


def equal(**ratios):
    rows = [
        {"technology": "7nm", "platform": "edge", "format": label.replace("_", "-"), "loss_nats_per_byte": loss,
         "ratio_to_baseline": ratio + loss / 100, "ratio_low": ratio - 0.2, "ratio_high": ratio + 0.3}
        for loss in (2.5, 2.25) for label, ratio in ratios.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("fp16", "FP16"), ("ternary-g128", "ternary g128"), ("binary", "±1"), ("gptq-w4", "GPTQ W4"),
        ("absmax-w4a4", "absmax W4A4"), ("sign-mean", "signs after training"), ("ternary-a4.8", "ternary A4.8"),
        ("binary-no-subln", "±1 no SubLN"), ("bitnet-b1.58", "BitNet b1.58"),
    ],
)  # fmt: skip
def test_formats_have_the_names_of_the_field(label, text):
    assert frontier.shown(label) == text


def test_the_frontier_names_the_format_that_takes_least_at_the_least_loss():
    table = equal(int8=1.2, ternary=1.6, gptq_w4=1.5)
    least = "At equal loss ternary takes least energy: 1.6 times less than FP16"
    assert frontier.message("fp16", table) == f"{least}; 2 others within its band"  # whose high ends lie above 1.4
    assert frontier.message("fp16", equal(int8=1.0, ternary=1.6)) == least
    assert frontier.message("fp16", equal(int8=1.0, gptq_w4=1.2, ternary=1.6)) == f"{least}; 1 other within its band"
    assert list(frontier.at_least_loss(table)["format"]) == ["ternary", "gptq-w4", "int8"]
    assert set(frontier.at_least_loss(table)["loss_nats_per_byte"]) == {2.25}


def test_the_frontier_of_the_ladder_has_a_bar_of_each_ratio_and_a_point_of_each_model():
    result = outcome_of("quality_frontier").result
    figure = kind.pictures(outcome_of("quality_frontier"))["frontier"](LIGHT)
    losses, bars, published = figure.axes
    expected = frontier.at_least_loss(result.equal_loss)["ratio_to_baseline"].tolist()
    assert [bar.get_x() + bar.get_width() for bar in bars.patches] == pytest.approx(expected[::-1])
    shown = [float(text.get_text()) for text in bars.texts]
    assert shown == pytest.approx(expected[::-1], rel=THREE_DIGITS)
    trained = result.summary.groupby("format")["trained"].first()
    points = [line for line in bars.lines if line.get_marker() not in ("", "None", None)]
    hollow = [line.get_markerfacecolor() == "none" for line in points]
    formats = frontier.at_least_loss(result.equal_loss)["format"].tolist()[::-1]
    assert hollow == [not trained[label] for label in formats]
    assert [label.get_text() for label in bars.get_yticklabels()] == [frontier.shown(label) for label in formats]
    drawn = {(x, y) for line in losses.lines for x, y in zip(*line.get_data(), strict=True)}
    rows = result.summary.dropna(subset=["loss_nats_per_byte"])
    assert set(zip(rows["energy_per_token_j"], rows["loss_nats_per_byte"], strict=True)) <= drawn
    assert sum(len(line.get_xdata()) for line in published.lines) == len(result.published)
    assert all(axes.get_xlabel() for axes in (losses, bars, published))
    assert all(axes.get_ylabel() for axes in (losses, published))


def test_scaling_names_the_format_that_needs_most_parameters():
    power = pd.DataFrame({"size_factor": [math.nan, 1.1, 1.84]}, index=["fp16", "int4", "binary"])
    assert scaling.message("fp16", power) == "±1 needs 1.8 times the parameters of FP16 for its loss"


def test_lines_of_the_scaling_picture_are_the_laws():
    result = outcome_of("scaling_laws").result
    axes = kind.pictures(outcome_of("scaling_laws"))["scaling"](LIGHT).axes[0]
    power = result.laws[result.laws["form"] == "power"]
    curves = [line for line in axes.lines if len(line.get_xdata()) == 50]
    assert len(curves) == len(power)
    for line, (_, law) in zip(curves, power.iterrows(), strict=True):
        size, loss = (values[-1] for values in line.get_data())
        assert loss == pytest.approx(law["a_nats"] * (size / 1e6) ** -law["exponent"])


def test_a_law_is_drawn_with_the_points_of_its_own_format():
    """The first format has too few sizes for a law, and the laws of the others come in another order."""
    points = {"fp16": [1e6], "int8": [1e5, 1e6], "ternary": [2e5, 4e6]}
    models = pd.DataFrame(
        [(name, True, size, 2.0) for name, sizes in points.items() for size in sizes],
        columns=["format", "trained", "parameters", "loss_nats_per_byte"],
    )
    coefficients = {"ternary": (2.0, 0.5), "int8": (3.0, 0.25)}
    laws = pd.DataFrame(
        [("power", name, a, exponent) for name, (a, exponent) in coefficients.items()],
        columns=["form", "format", "a_nats", "exponent"],
    ).assign(size_factor=math.nan, factor_at_parameters=1e6)  # without one: of another picture
    formats = pd.DataFrame({"kind": ["float", "integer", "ternary"], "variant": 0}, index=list(points))
    axes = scaling.draw("fp16", models, laws, formats, LIGHT).axes[0]
    drawn = [line.get_xdata().tolist() for line in axes.lines if line.get_linestyle() == "None"]
    apart = (1 / 1.012, 1.0, 1.012)  # the first format's points at the left
    assert drawn == [
        pytest.approx([size * by for size in sizes]) for sizes, by in zip(points.values(), apart, strict=True)
    ]
    curves = [line for line in axes.lines if len(line.get_xdata()) == 50]
    assert [line.get_ydata()[[0, -1]].tolist() for line in curves] == [
        pytest.approx([a * (size / 1e6) ** -exponent for size in points[name]])
        for name, (a, exponent) in (("int8", coefficients["int8"]), ("ternary", coefficients["ternary"]))
    ]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["FP16", "INT8: 3.00 (N/1M)^−0.250", "ternary: 2.00 (N/1M)^−0.500"]


def test_factors_of_size_stand_from_the_top_in_the_order_of_the_laws():
    outcome = outcome_of("scaling_laws")
    laws = outcome.result.laws
    factors = laws[laws["form"] == "power"].set_index("format")["size_factor"].drop("fp16")
    axes = kind.pictures(outcome)["scaling"](LIGHT).axes[1]
    height = dict(zip([label.get_text() for label in axes.get_yticklabels()], axes.get_yticks(), strict=True))
    assert sorted(height, key=height.get, reverse=True) == [frontier.shown(label) for label in factors.index]
    points = {line.get_ydata()[0]: line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1}
    assert {name: points[at] for name, at in height.items()} == {
        frontier.shown(label): factor for label, factor in factors.items()
    }


def test_factors_at_several_sizes_tell_the_least_and_the_greatest():
    rows = [("power", name, 2.0, 0.5, 1.2, 1.1, 1.3, at)
            for name, at in (("int8", 4e6), ("int4", 1e5), ("ternary", 1e6))]  # fmt: skip
    columns = ["form", "format", "a_nats", "exponent", "size_factor", "size_factor_low", "size_factor_high"]
    laws = pd.DataFrame(rows, columns=[*columns, "factor_at_parameters"])
    models = pd.DataFrame({"trained": [True], "format": "int8", "parameters": 1e6, "loss_nats_per_byte": 2.0})
    formats = pd.DataFrame({"kind": ["integer", "integer", "ternary"], "variant": 0}, index=["int8", "int4", "ternary"])
    axes = scaling.draw("fp16", models, laws, formats, LIGHT).axes[1]
    assert axes.get_xlabel().endswith("\nat 100K to 4.00M")


def uneven(folder):
    """The ladder's table without most formats at the largest size that it has, and without INT8 at the smallest."""
    with shipped_tables()["quality_ladder"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    largest = max(rows, key=lambda row: int(row["parameters"]))["rung"]
    smallest = min(rows, key=lambda row: int(row["parameters"]))["rung"]
    kept = {"fp16", "ternary", "binary"}
    left = [row for row in rows if row["rung"] != largest or row["format"] in kept]
    left = [row for row in left if (row["rung"], row["format"]) != (smallest, "int8")]
    path = folder / "uneven.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(left)
    return path, left


def said(figure):
    """Texts that a reader needs, and whether each lies within the picture."""
    figure.draw_without_rendering()
    texts = [figure._suptitle]
    for axes in figure.axes:
        legend = axes.get_legend()
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts, *(legend.get_texts() if legend else ())]
    boxes = {text.get_text(): text.get_window_extent() for text in texts if text.get_text()}
    width, height = figure.bbox.size
    return {
        text: box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1 for text, box in boxes.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quality_frontier", "scaling_laws"])
def test_formats_of_a_ladder_may_have_different_sizes(tmp_path, name):
    path, rows = uneven(tmp_path)
    sizes = {}
    for row in rows:
        sizes.setdefault(row["format"], set()).add(row["rung"])
    assert len(set(map(len, sizes.values()))) > 1
    outcome = run(read(name, [f"quality.table={path}"]), Silent())
    with mpl.rc_context(settings(LIGHT)):
        (figure,) = (draw(LIGHT) for draw in kind.pictures(outcome).values())
    assert [text for text, inside in said(figure).items() if not inside] == []
    result = outcome.result
    trained = result.summary[result.summary["trained"]]
    assert trained.groupby("format")["rung"].agg(set).to_dict() == sizes
    if name == "quality_frontier":
        least = result.summary.groupby("format")["loss_nats_per_byte"].min()
        at = result.equal_loss["loss_nats_per_byte"].min()
        assert {"ternary", "binary"} <= set(result.equal_loss["format"])  # what reaches too little is left out
        assert at > least[list(set(result.equal_loss["format"]))].max()  # what every one of them reaches
        drawn = {x for line in figure.axes[0].lines for x in line.get_xdata()}
        assert set(trained["energy_per_token_j"]) <= drawn


@pytest.mark.slow
def test_everything_that_the_shipped_pictures_say_lies_within_them():
    with mpl.rc_context(settings(LIGHT)):
        for name in ("quality_frontier", "scaling_laws"):
            (figure,) = (draw(LIGHT) for draw in kind.pictures(outcome_of(name)).values())
            assert [text for text, inside in said(figure).items() if not inside] == []


def variant_rows(*rows):
    names = ["format", "gap_nats_per_byte", "gap_low_nats_per_byte", "gap_high_nats_per_byte"]
    return pd.DataFrame(rows, columns=names)


def test_variants_tell_what_lies_beyond_the_intervals():
    rows = variant_rows(("fp16", -0.2, -0.3, -0.1), ("int8", -0.25, -0.6, 0.1), ("binary", 0.1, 0.05, 0.15))
    assert variants.message("ternary", rows) == "Relative to ternary: FP16 0.20 nats better, ±1 0.10 nats worse"
    assert variants.message("ternary", rows.iloc[1:2]) == "No difference to ternary beyond the seeds"


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (-0.0214, "−0.021"),
        (0.0504, "+0.050"),
        (-0.0004, "0.000"),
        (0.0, "0.000"),
        (-0.0006, "−0.001"),
        (1.0, "+1.000"),
        (float("nan"), "diverged"),
    ],
)
def test_a_gap_has_a_sign_where_its_decimals_have_one(gap, expected):
    assert variants.gap_text(gap) == expected


def test_lines_of_zeros_end_below_the_top_of_their_panel_and_bytes_have_few_digits():
    tokens = [0, 50_000, 100_000, 350_000]
    shares = {"zero_share": 0.31, "zero_share_least": 0.3, "zero_share_greatest": 0.32, "saved_share": 0.104}
    table = pd.DataFrame({"tokens": tokens, "technology": "7nm", "format": "a"}).assign(**shares)
    with mpl.rc_context(settings(LIGHT)):
        figure = zeros.draw(table, LIGHT)
        figure.draw_without_rendering()
        _, saved = figure.axes
    assert saved.get_ylim()[0] == 0
    assert saved.get_ylim()[1] > 1.05 * 10.4
    assert {"0", "50k", "100k", "350k"} <= {tick.get_text() for tick in saved.get_xticklabels()}


def test_rates_tell_what_a_higher_one_costs_and_where_each_format_is_best():
    rows = [("fp16", 0.016, 2.9), ("fp16", 0.064, 3.15), ("fp16", 0.004, 3.0), ("binary", 0.004, 3.1),
            ("binary", 0.016, math.nan), ("int8", 0.004, 3.0), ("int8", 0.016, 2.5)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["format", "learning_rate", "loss_nats_per_byte"])
    table = table.assign(parameters=29024, rung="r", trained=True)
    expected = "Nats at the next rate above the best: FP16 +0.25, ±1 diverges"  # INT8 is best at its highest
    assert variants.rates_message(table) == expected
    assert variants.rates_message(table[5:]) == "No rate above the best was tried"
    table = table[table["format"].isin(["fp16", "binary"])]
    assert headline(table, "learning_rate") == "Least loss in nats per byte: FP16 2.900 at 0.016, ±1 3.100 at 0.004"


def test_zeros_tell_shares_and_what_they_save():
    table = pd.DataFrame({
        "tokens": [1, 2, 2, 2], "zero_share": [0.4, 0.31, 0.31, 0.32], "saved_share": [0.2, 0.17, 0.08, 0.09],
        "technology": ["7nm", "45nm", "7nm", "7nm"], "format": ["a", "a", "a", "b"],
    })  # fmt: skip
    zeros_save = "31.0 to 32.0 % of the trits end as zeros, which saves 8.0 to 9.0 % of a MAC's energy at 7nm"
    assert zeros.message(table) == zeros_save
    table = table[table["technology"] == "7nm"]
    assert headline(table, "tokens") == "Zero trits at the end: a 31.0 %, b 32.0 %"


def test_each_cell_of_energies_at_equal_loss_is_its_row():
    rows = equal(int8=1.25, ternary=1.625, gptq_w4=1.5)
    text = summary._equal(rows, "fp16", 4)
    assert "At the least loss that all reach, ternary takes least" in text
    shown = table(text, ["machine", "format", "loss"])
    assert len(shown) == 4
    for cells, row in zip(shown, rows.to_dict("records"), strict=False):
        assert (cells["machine"], cells["format"]) == ("7nm edge", frontier.shown(row["format"]))
        assert float(cells["loss"]) == pytest.approx(row["loss_nats_per_byte"])
        assert float(cells["FP16 / this"]) == pytest.approx(row["ratio_to_baseline"], rel=THREE_DIGITS)
        low, high = map(float, cells["band"].split(" to "))
        assert (low, high) == pytest.approx((row["ratio_low"], row["ratio_high"]), rel=THREE_DIGITS)
    assert "equal_loss.csv" in text


def test_each_cell_of_published_losses_is_its_row():
    columns = ["model", "parameters", "scheme", "printed", "loss_nats_per_token", "energy_per_token_j",
               "energy_per_token_low_j", "energy_per_token_high_j", "pareto", "source", "where"]  # fmt: skip
    rows = [
        ("a-3b", 3.32e9, "fp16", "10.04", 2.3065, 0.0405, 0.0303, 0.0607, False, "ma2024era", "Table 1"),
        ("b-1b", 1.25e9, "bitnet", "11.29", 2.4239, 0.00125, 0.00112, 0.0025, True, "someone", "Table 2"),
    ]
    lines = summary._published(pd.DataFrame(rows, columns=columns), 9).splitlines()
    header, _, *shown = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    for cells, row in zip((dict(zip(header, line, strict=True)) for line in shown), rows, strict=True):
        numbers = [float(text) for text in (cells["mJ per token"], *cells["low to high prices"].split(" to "))]
        assert numbers == pytest.approx([1e3 * joules for joules in row[5:8]], rel=THREE_DIGITS)
        assert (cells["model"], cells["scheme"], cells["perplexity"]) == (row[0], row[2], row[3])
        assert float(cells["nats per token"]) == pytest.approx(row[4], abs=0.00051)
        assert cells["parameters"] == {"a-3b": "3.32B", "b-1b": "1.25B"}[row[0]]
        assert bool(cells["Pareto"]) == row[8]
        assert cells["source"] == f"{row[9]}, {row[10]}"
