"""The frontier from tables of two machines whose rows are in no order and no two of whose numbers are equal."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from bitjoule.reports.figures.families import look
from bitjoule.reports.figures.style import LIGHT
from bitjoule.reports.quality import frontier
from tests.reports.shown import THREE_DIGITS

FORMATS = pd.DataFrame(
    {"kind": ["ternary", "integer", "float", "integer"], "variant": [1, 0, 0, 0]},
    index=["ternary", "gptq-w4", "fp16", "sign-mean"],
)
COLORS = {name: look(row["kind"], row["variant"], LIGHT).color.lower() for name, row in FORMATS.iterrows()}
ROWS = [  # platform, rung, format, trained, parameters, joules, loss, Pareto
    ("here", "2M", "ternary", True, 2e6, 0.5e-6, 2.0, True), ("here", "1M", "gptq-w4", False, 1e6, 0.9e-6, 2.7, False),
    ("there", "1M", "ternary", True, 1e6, 9e-3, 9.5, True), ("here", "1M", "fp16", True, 1e6, 2e-6, 2.25, False),
    ("here", "1M", "ternary", True, 1e6, 0.2e-6, 2.5, True), ("here", "1M", "sign-mean", False, 1e6, 0.1e-6, 4.0, True),
    ("here", "2M", "gptq-w4", False, 2e6, 1.5e-6, 2.6, False), ("here", "2M", "fp16", True, 2e6, 5e-6, 1.75, True),
    ("here", "2M", "sign-mean", False, 2e6, 0.25e-6, math.nan, False),
]  # fmt: skip
COLUMNS = ["platform", "rung", "format", "trained", "parameters", "energy_per_token_j", "loss_nats_per_byte", "pareto"]
RATIOS = [  # platform, format, loss, ratio and its band
    ("here", "gptq-w4", 2.25, 1.5, 1.25, 1.75), ("there", "gptq-w4", 1.0, 9.0, 8.0, 99.0),
    ("here", "ternary", 2.25, 2.5, 1.625, 8.0), ("here", "ternary", 2.5, 7.0, 6.0, 7.5),
    ("here", "gptq-w4", 2.5, 0.5, 0.25, 6.5),
]  # fmt: skip
PUBLISHED = [
    ("here", "bitnet-b1.58", 3e9, 0.02, 2.3125), ("there", "fp16", 7e9, 7.0, 9.0), ("here", "fp16", 3e9, 0.25, 2.25),
    ("here", "bitnet-b1.58", 1e9, 0.01, 2.625), ("here", "fp16", 1e9, 0.1, 2.5),
]  # fmt: skip


def tables():
    summary = pd.DataFrame(ROWS, columns=COLUMNS)
    summary = summary.assign(loss_high_nats_per_byte=summary["loss_nats_per_byte"] + 0.125)
    equal = pd.DataFrame(
        RATIOS, columns=["platform", "format", "loss_nats_per_byte", "ratio_to_baseline", "ratio_low", "ratio_high"]
    )
    published = pd.DataFrame(
        PUBLISHED, columns=["platform", "scheme", "parameters", "energy_per_token_j", "loss_nats_per_token"]
    ).assign(source="someone")
    return tuple(table.assign(technology="7nm") for table in (summary, equal, published))


@pytest.fixture(scope="module")
def panels():
    figure = frontier.draw("fp16", *tables(), FORMATS, LIGHT)
    assert figure.get_suptitle() == (
        "At equal loss ternary takes least energy: 2.5 times less than FP16; 1 other within its band"
    )
    return figure.axes


def xy(line):
    return [tuple(point) for point in np.column_stack(line.get_data()).tolist()]


def own(label):
    """Return energy and loss of the models of a format on the first machine, by rising size."""
    rows = sorted((row[4], *row[5:7]) for row in ROWS if row[2] == label and row[0] == "here")
    return [(joules, loss) for _, joules, loss in rows if not math.isnan(loss)]


def test_each_format_has_its_models_by_rising_size_and_what_was_quantised_later_is_hollow_and_not_joined(panels):
    axes = panels[0]
    drawn = {line.get_label(): line for line in axes.lines if line.get_marker() != "None"}
    named = {"ternary: least energy": "ternary", "FP16": "fp16", "_gptq-w4": "gptq-w4",
             "signs after training": "sign-mean"}  # fmt: skip
    assert set(drawn) == set(named)
    for label, name in named.items():
        line = drawn[label]
        assert xy(line) == own(name)
        assert to_hex(line.get_color()) == COLORS[name]
        trained = name in ("ternary", "fp16")
        assert (line.get_linestyle() != "None") == trained
        assert (line.get_markerfacecolor() != "none") == trained
    widths = {label: line.get_linewidth() for label, line in drawn.items()}
    assert max(widths, key=widths.get) == "ternary: least energy"
    hollow = [drawn[label].get_marker() for label in ("_gptq-w4", "signs after training")]
    assert len(set(hollow)) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "ternary: least energy", "FP16", "signs after training", "Pareto set",
    ]  # fmt: skip


def test_intervals_of_trained_losses_reach_as_far_down_as_up(panels):
    bars = {to_hex(part.get_color()[0]): part.get_segments() for part in panels[0].collections}
    assert set(bars) == {COLORS["ternary"], COLORS["fp16"]}
    for name in ("ternary", "fp16"):
        wanted = [[(joules, loss - 0.125), (joules, loss + 0.125)] for joules, loss in own(name)]
        np.testing.assert_allclose(bars[COLORS[name]], wanted)


def test_the_pareto_set_is_a_staircase_over_rising_energy_of_the_drawn_machine(panels):
    (stairs,) = [line for line in panels[0].lines if line.get_label() == "Pareto set"]
    assert xy(stairs) == sorted(row[5:7] for row in ROWS if row[7] and row[0] == "here")
    assert stairs.get_drawstyle() == "steps-post"
    low, high = panels[0].get_xlim()
    assert low < 0.1e-6 < 5e-6 < high < 9e-3


def test_each_size_is_written_at_its_trained_model_of_least_energy(panels):
    assert {text.get_text(): text.xy for text in panels[0].texts} == {"1M": (0.2e-6, 2.5), "2M": (0.5e-6, 2.0)}


def test_ratios_at_the_least_loss_are_bars_from_one_the_best_uppermost_and_a_far_end_is_cut(panels):
    axes = panels[1]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["GPTQ W4", "ternary"]
    assert [(bar.get_x(), bar.get_width(), bar.get_y() + bar.get_height() / 2) for bar in axes.patches] == [
        (1, 0.5, 0), (1, 1.5, 1),
    ]  # fmt: skip
    assert [to_hex(bar.get_facecolor()) for bar in axes.patches] == [COLORS["gptq-w4"], COLORS["ternary"]]
    paler, best = (bar.get_alpha() for bar in axes.patches)
    assert paler < best == 1
    reaches = [xy(line) for line in axes.lines if line.get_marker() == "None" and set(line.get_xdata()) != {1}]
    assert reaches == [[(1.25, 0), (1.75, 0)], [(1.625, 1), (2.5, 1)]]  # more than three times its value: cut at it
    written = {text.xy: float(text.get_text()) for text in axes.texts}
    assert written == {(1.75, 0): pytest.approx(1.5, rel=THREE_DIGITS), (2.5, 1): pytest.approx(2.5, rel=THREE_DIGITS)}
    marks = [line for line in axes.lines if line.get_marker() != "None"]
    assert [line.get_ydata() for line in marks] == [[0], [1]]
    assert [line.get_markerfacecolor() == "none" for line in marks] == [True, False]
    losses = {line.get_label(): line for line in panels[0].lines}
    assert [line.get_marker() for line in marks] == [
        losses["_gptq-w4"].get_marker(), losses["ternary: least energy"].get_marker(),
    ]  # fmt: skip
    assert axes.get_xlabel() == "times less energy than FP16\nat 2.25 nats; line: prices and seeds"
    low, high = axes.get_xlim()
    assert low < 0.9
    assert high > 2.5


def test_published_models_are_joined_by_rising_size_and_each_says_its_parameters(panels):
    axes = panels[2]
    assert [xy(line) for line in axes.lines] == [[(0.01, 2.625), (0.02, 2.3125)], [(0.1, 2.5), (0.25, 2.25)]]
    hues = [look(kind, 0, LIGHT).color for kind in ("ternary", "float")]
    assert [line.get_color() for line in axes.lines] == hues
    assert [(text.get_text(), text.xy) for text in axes.texts] == [
        ("BitNet b1.58", (0.01, 2.625)), ("1.0B", (0.01, 2.625)), ("3.0B", (0.02, 2.3125)),
        ("FP16", (0.1, 2.5)), ("1.0B", (0.1, 2.5)), ("3.0B", (0.25, 2.25)),
    ]  # fmt: skip
    assert axes.get_title() == "published"


def test_without_published_models_or_a_common_loss_the_picture_says_so():
    summary, equal, published = tables()
    losses, ratios = frontier.draw("fp16", summary, equal[:0], published[:0], FORMATS, LIGHT).axes
    assert [text.get_text() for text in ratios.texts] == ["no loss that two formats reach"]
    assert "ternary" in [line.get_label() for line in losses.lines]  # none is best
