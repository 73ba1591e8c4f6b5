"""Scores over energies from a table of two models, machines, phases and workloads, whose rows are in no order."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from bitjoule.experiments.energy.plots import AccuracyPlot
from bitjoule.reports.energy.accuracies import accuracy_text
from bitjoule.reports.energy.plots.accuracies import draw_accuracies
from bitjoule.reports.figures.families import look
from bitjoule.reports.figures.style import LIGHT
from tests.reports.shown import THREE_DIGITS, table

FORMATS = pd.DataFrame(
    {"kind": ["binary", "float", "integer"], "variant": [0, 0, 1]}, index=["bitnet", "fp16", "w4a16"]
)
LOOKS = {name: look(row["kind"], row["variant"], LIGHT) for name, row in FORMATS.iterrows()}
SCORE, PERPLEXITY = "zero-shot accuracy (%)", "validation perplexity"
ROWS = [  # platform, model, scheme, benchmark; joules, score, in the set
    ("here", "large", "w4a16", SCORE, 0.5, 61.0, False), ("here", "small", "fp16", SCORE, 0.25, 51.0, True),
    ("there", "large", "fp16", SCORE, 8.0, 66.0, True), ("here", "large", "fp16", SCORE, 1.25, 65.0, True),
    ("here", "small", "bitnet", SCORE, 0.04, 47.0, True), ("here", "large", "bitnet", SCORE, 0.125, 63.0, True),
    ("there", "large", "bitnet", SCORE, 0.75, 62.0, True), ("here", "large", "fp16", PERPLEXITY, 1.25, 9.0, True),
    ("here", "large", "bitnet", PERPLEXITY, 0.125, 9000.0, True),
]  # fmt: skip
COLUMNS = ["platform", "model", "scheme", "benchmark", "energy_per_token_j", "score", "pareto"]
PLACE = {"batch": 2, "prompt_tokens": 30, "new_tokens": 7}


def frames(plot):
    own = pd.DataFrame(ROWS, columns=COLUMNS).assign(technology="7nm", phase="decode", **PLACE)
    own = own.assign(falls=own["benchmark"] == PERPLEXITY, printed=own["score"].map("{:g}".format))
    others = [own.assign(phase="prefill", score=1.5, energy_per_token_j=77.0, pareto=False)]
    others += [own.assign(batch=3, score=2.5, energy_per_token_j=55.0, pareto=False)]
    return SimpleNamespace(
        name="x", bare=False, workload={"batch": [2, 3], "prompt_tokens": [30], "new_tokens": [7]},
        summary=pd.DataFrame([PLACE, PLACE | {"batch": 3}]), formats=FORMATS, technologies=("7nm",),
        platforms=("here", "there"), models=pd.DataFrame({"unit": "token"}, index=["small", "large"]),
        requested=[plot], plots=SimpleNamespace(accuracies=pd.concat([others[0], own, others[1]], ignore_index=True)),
    )  # fmt: skip


def xy(line):
    return [tuple(point) for point in np.column_stack(line.get_data()).tolist()]


@pytest.fixture(scope="module")
def figure():
    plot = AccuracyPlot(kind="accuracy_vs_energy", benchmark=SCORE, phase="decode")
    return draw_accuracies(plot, frames(plot), LIGHT)


def test_each_score_is_a_point_of_its_scheme_filled_in_the_set_and_hollow_outside(figure):
    assert [axes.get_title() for axes in figure.axes] == ["7nm, here", "7nm, there"]
    for axes, platform in zip(figure.axes, ("here", "there"), strict=True):
        found = []
        for line in axes.lines:
            if line.get_marker() not in ("None", ""):
                filled = to_hex(line.get_markerfacecolor()) != LIGHT.background
                found.append((*xy(line)[0], line.get_color(), line.get_marker(), filled))
        own = [row for row in ROWS if row[0] == platform and row[3] == SCORE]
        wanted = [(row[4], row[5], LOOKS[row[2]].color, LOOKS[row[2]].marker, row[6]) for row in own]
        assert sorted(found) == sorted(wanted)
        assert axes.get_xscale() == "log"
        assert axes.get_yscale() == "linear"
        assert axes.get_xlabel() == "energy per token"
    assert figure.axes[0].get_ylabel() == SCORE


def test_the_set_of_each_model_is_joined_over_rising_energy(figure):
    for axes, platform in zip(figure.axes, ("here", "there"), strict=True):
        lines = [xy(line) for line in axes.lines if line.get_marker() in ("None", "") and line.get_zorder() == 1]
        own = [row for row in ROWS if row[0] == platform and row[3] == SCORE and row[6]]
        models = {row[1] for row in own}
        assert sorted(lines) == sorted(sorted(row[4:6] for row in own if row[1] == model) for model in models)


def test_names_say_scheme_and_where_there_are_several_the_model(figure):
    here, there = ({text.get_text(): text.get_color() for text in axes.texts} for axes in figure.axes)
    assert {*here} == {f"{row[2]}, {row[1]}" for row in ROWS if row[0] == "here" and row[3] == SCORE}
    assert {*there} == {"fp16", "bitnet"}
    for text, color in (here | there).items():
        assert color == LOOKS[text.split(",")[0]].color


def test_title_and_legend_say_what_is_drawn(figure):
    title = " ".join(figure.get_suptitle().split())
    assert title == "x: decode, 30 prompt tokens, 7 new tokens, batch 2 (first of 2 workloads)"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["Pareto set", "others"]
    assert [to_hex(handle.get_markerfacecolor()) for handle in legend.legend_handles] == [LIGHT.text, LIGHT.background]


def test_a_score_that_falls_has_a_logarithmic_axis_and_without_others_the_legend_names_none():
    plot = AccuracyPlot(kind="accuracy_vs_energy", benchmark=PERPLEXITY, phase="decode")
    figure = draw_accuracies(plot, frames(plot), LIGHT)
    assert figure.axes[0].get_yscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Pareto set"]


def test_each_row_of_the_table_has_the_scores_of_its_case_and_marks_the_set():
    plot = AccuracyPlot(kind="accuracy_vs_energy", benchmark=SCORE, phase="decode")
    rows = table(accuracy_text(frames(plot), 100), ["model", "platform"])
    (unit,) = (name for name in rows[0] if name.endswith("J per token"))
    factor = {"J per token": 1.0, "mJ per token": 1e3}[unit]
    assert list(rows[0])[-3:] == [unit, SCORE, PERPLEXITY]
    own = [row for row in rows if row["batch"] == "2"]
    assert len(rows) == 2 * len(own)  # the other workload has as many
    for shown in own:
        cases = [row for row in ROWS if row[:3] == (shown["platform"], shown["model"], shown["scheme"])]
        assert float(shown[unit]) == pytest.approx(cases[0][4] * factor, rel=THREE_DIGITS)
        cells = {row[3]: f"{row[5]:g}" + " ◆" * row[6] for row in cases}
        assert {name: shown[name] for name in (SCORE, PERPLEXITY) if shown[name]} == cells
    assert len(own) == len({row[:3] for row in ROWS})
    assert "The first 3 of 14 rows; all are in accuracies.csv." in accuracy_text(frames(plot), 3)
