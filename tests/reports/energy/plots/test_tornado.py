"""Bars of the tornado against the table."""

import pytest

from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.energy.runner import run
from bitjoule.reports.energy.pictures import draw
from bitjoule.reports.energy.sensitivity import price_words
from bitjoule.reports.figures.style import LIGHT

TEXT = """\
name: x
accounting: system
models: [bitnet-125m, bitnet-350m]
schemes: [fp16, int8, bitnet-b1.58]
technologies: [45nm, 7nm]
platforms: [{name: edge, by_scheme: {fp16: fp16-edge, int8: int8-edge, bitnet-b1.58: ternary-edge}}]
workload: {prompt_tokens: [30, 60], new_tokens: 4}
baseline: {scheme: fp16}
sensitivity: true
plots: [{kind: tornado, phase: decode}, {kind: tornado, phase: prefill, models: [bitnet-125m], at: {prompt_tokens: 60}}]
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Return the result of the experiment, which is varied by every cause."""
    path = tmp_path_factory.mktemp("tornado") / "experiment.yaml"
    path.write_text(TEXT)
    return run(read_experiment(path))


ENERGIES = ("energy_low_j", "energy_j", "energy_high_j")
UNITS = {"J": 1.0, "mJ": 1e-3, "µJ": 1e-6}


def span(row):
    """Return how far apart the energies of a cause lie."""
    return max(row[name] for name in ENERGIES) - min(row[name] for name in ENERGIES)


def name(cause, row):
    """Return what a bar of a cause is called."""
    if row["kind"] == "price":
        return price_words(cause)
    return f"{cause}: {row['low']} / {row['high']}".replace("_", " ")


@pytest.mark.parametrize(
    ("place", "model", "phase", "prompt"), [(0, "bitnet-350m", "decode", 30), (1, "bitnet-125m", "prefill", 60)]
)
def test_each_bar_runs_from_the_nominal_value_to_that_at_one_end_of_a_cause(result, place, model, phase, prompt):
    figure = draw(result.requested[place], result.frames, LIGHT)
    table = result.sensitivity.set_index(["model", "technology", "phase", "prompt_tokens", "scheme", "cause"])
    table = table.sort_index().loc[(model, "7nm", phase, prompt)]
    panels = list(figure.axes)
    assert len(panels) == 4
    for scheme, energy, ratio in zip(("int8", "bitnet-b1.58"), panels[::2], panels[1::2], strict=True):
        label = energy.get_xlabel()
        assert label.startswith(f"{scheme}: energy of {phase} (")
        unit = UNITS[label.partition("(")[2].rstrip(")")]
        ticks = [tick.get_text() for tick in energy.get_yticklabels()]
        named = {name(cause, row): cause for cause, row in table.loc[scheme].iterrows()}
        causes = [named[tick] for tick in ticks]
        assert ratio.get_xlabel() == f"fp16 energy / energy of {scheme}"
        spans = []
        for axes, column, factor in ((energy, "energy_{}j", unit), (ratio, "ratio_{}", 1.0)):
            lows, highs = axes.containers
            assert [lows.get_label(), highs.get_label()] == ["at its low end", "at its high end"]
            for cause, low, high in zip(causes, lows, highs, strict=True):
                row = table.loc[(scheme, cause)]
                for bar, end in ((low, "low_"), (high, "high_")):
                    assert bar.get_x() * factor == pytest.approx(row[column.format("").removesuffix("_")])
                    there = (bar.get_x() + bar.get_width()) * factor
                    assert there == pytest.approx(row[column.format(end).removesuffix("_")])
                if axes is energy:
                    spans.append(span(row))
                    middle = row["energy_j"]
                    beyond = abs(row["energy_low_j"] - middle) - abs(row["energy_high_j"] - middle)
                    assert beyond == 0 or (low.get_zorder() < high.get_zorder()) == (beyond > 0)
        assert spans == sorted(spans, reverse=True)
        assert spans[0] == max(span(row) for _, row in table.loc[scheme].iterrows())
    assert model in figure.get_suptitle()
    assert f"{prompt} prompt tokens" in figure.get_suptitle()


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("memories.csv:lpddr4", "price of lpddr4"),
        ("memories.csv:sram:7nm", "price of sram at 7nm"),
        ("operations.csv:7nm:add:int8", "price of add int8 at 7nm"),
        ("technologies/7nm-measured.yaml:ternary x int8 + int32", "price of ternary x int8 + int32, 7nm-measured"),
        ("drams.yaml:lpddr5-6400", "price of lpddr5-6400"),
        ("drams.yaml:lpddr5-6400:phy", "price of lpddr5-6400 phy"),
        ("platforms/kv260.yaml:off_chip", "price of off chip, kv260"),
        ("static:host", "static power: host"),
        ("weight_registers:7nm", "weight registers: 7nm"),
        ("leakage:7nm", "leakage: 7nm"),
        ("accumulators", "accumulators"),
        ("regulator", "regulator efficiency"),
    ],
)
def test_a_price_is_named_in_words(cause, words):
    assert price_words(cause) == words


def test_no_bar_is_named_by_a_file(result):
    figure = draw(result.requested[0], result.frames, LIGHT)
    names = [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    assert "price of lpddr4" in names
    assert not [name for name in names if ".csv" in name or "_" in name]


def test_a_tornado_without_its_table_is_refused(bitjoule, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT.replace("sensitivity: true\n", ""))
    status, _, err = bitjoule("check", path)
    assert status == 2
    assert err.startswith(
        f"{path}:9: plots[0]: a plot of kind 'tornado' without `sensitivity`; expected sensitivity: true\n"
    )
