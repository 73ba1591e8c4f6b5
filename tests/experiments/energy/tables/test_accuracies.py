"""Published scores: those of the papers, and the Pareto set that follows from them and the energies."""

import csv
from dataclasses import replace

import pandas as pd
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.energy_models.papers.accuracies import ACCURACIES_FILE, accuracies, benchmarks
from bitjoule.experiments.energy.tables.accuracies import accuracy_table, pareto
from bitjoule.reports.energy.accuracies import accuracy_text
from tests.experiments.shipped import result_of

# BitNet's Table 3: perplexity and mean accuracy of a 6.7B model
TABLE_3 = {
    "fp16": (15.19, 57.8), "int8": (21.43, 53.4), "int8-smoothquant": (15.67, 56.7), "w4a16": (16.05, 52.9),
    "w4a4": (4.8e4, 46.2), "w4a4-smoothquant": (1.6e6, 45.1), "w2a16": (1032, 45.2), "w2a16-quip": (70.43, 49.0),
    "w1a8": (3.5e23, 44.6), "w1a8-smoothquant": (3.3e21, 44.4), "bitnet": (17.07, 55.9),
}  # fmt: skip


@pytest.fixture(scope="module")
def quantised():
    return result_of("post_training_quantization")


def test_scores_are_those_of_the_papers_table():
    printed = {(each.scheme, each.benchmark): each.score for each in accuracies() if each.model == "bitnet-6.7b"}
    names = ("validation perplexity", "zero-shot accuracy (%)")
    table = {(scheme, name): score for scheme, both in TABLE_3.items() for name, score in zip(names, both, strict=True)}
    assert printed == table


def test_every_score_cites_a_source_and_a_place():
    with ACCURACIES_FILE.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == len(accuracies())
    for row in rows:
        assert all(key in sources() for key in keys(row["source"]))
        assert row["where"]


def test_only_of_perplexities_less_is_better():
    assert {name for name in benchmarks() if any(each.falls for each in accuracies() if each.benchmark == name)} == {
        "validation perplexity"
    }


@pytest.mark.parametrize(
    ("energies", "scores", "best"),
    [
        ([1, 2, 3], [1, 2, 3], [True, True, True]),
        ([1, 2, 3], [3, 2, 1], [True, False, False]),
        ([1, 1, 2], [5, 4, 5], [True, False, False]),
        ([1, 1], [5, 5], [True, True]),
        ([2, 1, 3], [2, 1, 1.5], [True, True, False]),
    ],
)
def test_a_point_is_in_the_set_unless_another_is_better_in_one_and_no_worse_in_the_other(energies, scores, best):
    assert pareto(energies, scores).tolist() == best


@pytest.mark.parametrize("phase", ["prefill", "decode", "request"])
def test_the_set_of_the_experiment_follows_from_its_joules_and_the_printed_scores(quantised, phase):
    rows = quantised.summary[quantised.summary["phase"] == phase]
    joules = dict(zip(rows["scheme"].astype(str), rows["energy_per_token_j"], strict=True))
    table = accuracy_table(quantised.summary)
    for column, benchmark, sign in ((0, "validation perplexity", -1), (1, "zero-shot accuracy (%)", 1)):
        best = set()
        for scheme, scores in TABLE_3.items():
            rivals = [
                other
                for other, theirs in TABLE_3.items()
                if joules[other] <= joules[scheme] and sign * theirs[column] >= sign * scores[column]
                and (joules[other], theirs[column]) != (joules[scheme], scores[column])
            ]  # fmt: skip
            if not rivals:
                best.add(scheme)
        marked = table[(table["phase"] == phase) & (table["benchmark"] == benchmark) & table["pareto"]]
        assert set(marked["scheme"]) == best
        assert {"fp16", "bitnet"} <= best
        assert len(best) < len(TABLE_3)


def test_the_table_marks_the_set_and_shows_what_was_printed(quantised):
    lines = accuracy_text(quantised.frames, 100).splitlines()
    table = quantised.frames.plots.accuracies
    for scheme, both in TABLE_3.items():
        (line,) = [line for line in lines if "| decode" in line and f"| {scheme} " in line]
        rows = table[(table["phase"] == "decode") & (table["scheme"] == scheme)]
        assert line.count("◆") == rows["pareto"].sum()
        assert all(f"| {printed}" in line.replace(" ", "").replace("|", "| ") for printed in rows["printed"])
        assert len(rows) == len(both)


def test_phases_that_are_not_shown_have_no_say_in_the_unit(quantised):
    frames, table = quantised.frames, quantised.frames.plots.accuracies
    joules = table["energy_per_token_j"]
    lower = table.assign(energy_per_token_j=joules.mask(table["phase"] == "request", joules / 1e6))
    shown = accuracy_text(replace(frames, plots=replace(frames.plots, accuracies=lower)), 100)
    assert "| request" not in shown
    assert " J per token" in shown  # fp16 takes more than a joule in decode
    assert shown == accuracy_text(frames, 100)


def test_bonsai_takes_the_bytes_that_its_model_cards_state():
    memory = result_of("one_bit_family").memory.set_index("scheme")
    stored = (memory["weights_bytes"] + memory["tables_bytes"]) / 1e9
    assert f"{stored['bonsai']:.2f}" == "1.15"
    assert f"{stored['ternary-bonsai']:.2f}" == "2.18"
    assert f"{stored['fp16']:.2f}" == "16.38"


def test_a_case_without_a_published_score_has_no_row(quantised):
    summary = quantised.summary.assign(model="another")
    assert isinstance(accuracy_table(summary), pd.DataFrame)
    assert accuracy_table(summary).empty


PLOT = "name: x\nmodels: [%s]\nschemes: [%s]\ntechnologies: [7nm]\nplots: [{kind: accuracy_vs_energy, benchmark: %s}]\n"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ("llama-7b", "fp16", "six benchmarks (%)"),
            "plots[0].benchmark: a plot of six benchmarks (%), which no model was published with in these schemes; "
            "expected one of qwen3-8b in bonsai, qwen3-8b in fp16, qwen3-8b in ternary-bonsai",
        ),
        (("llama-7b", "fp16", "six"), "plots[0].benchmark: 'six' is unknown; expected one of validation perplexity, "),
    ],
)
def test_a_plot_without_scores_is_refused_with_those_there_are(resolved, values, message):
    with pytest.raises(InputError) as error:
        resolved(PLOT % values)
    assert message in str(error.value)
