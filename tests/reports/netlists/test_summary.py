"""Summaries and pictures of experiments on netlists and of prices: values by a closed form, no text on another."""

import re
from dataclasses import replace
from functools import cache

import matplotlib as mpl
import numpy as np
import pytest

from bitjoule.experiments.files import shipped_experiments
from bitjoule.experiments.netlists import run as measuring
from bitjoule.experiments.netlists.run import run_gates
from bitjoule.experiments.netlists.schema import read_gates_experiment
from bitjoule.experiments.prices.schema import read_prices_experiment
from bitjoule.experiments.prices.table import prices_table
from bitjoule.gates.liberty.libraries import find_library
from bitjoule.reports.figures.style import THEMES, settings
from bitjoule.reports.netlists.lines import BARE, IDEAL, draw_bits, draw_zeros
from bitjoule.reports.netlists.parts import draw_parts
from bitjoule.reports.netlists.summary import drawings as pictures
from bitjoule.reports.netlists.summary import gates_markdown
from bitjoule.reports.prices import draw_ratios, prices_markdown
from tests.experiments import measured_by_hand as measured
from tests.experiments.opened import opened
from tests.experiments.technology_files import write_technology
from tests.reports.pages import assert_clean, name_of_page, on_either_page

pytestmark = pytest.mark.slow  # they draw

SWEEP = """\
name: mine
gates:
  arrays:
    - {name: ternary, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 128}}
    - {name: narrow, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 128, activation_bits: 4}}
    - {name: binary, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 64, weight_encoding: binary1}}
  stimuli: ["uniform,zeros:0", "uniform,zeros:0.5", "uniform,zeros:0.75", "gaussian:3,zeros:0.2", model:tiny-b158]
plots: [{kind: energy_vs_zeros}, {kind: parts}, {kind: energy_vs_bits}]
"""
ODD = {
    "one sweep": [],
    "two libraries": ["gates.libraries=[freepdk45, copy.lib]"],
    "sweeps of two kinds": [
        "gates.stimuli=['uniform,zeros:0', 'uniform,zeros:1', 'gaussian:3,zeros:0.2', 'gaussian:3,zeros:0.4', worst]"
    ],
    "long names": [f"gates.arrays[{i}].name={letter * 30}" for i, letter in enumerate("abc")],
    "many arrays": [
        "gates.arrays=["
        + ", ".join(
            f"{{name: a{bits}b{lanes}, config: {{lanes: {lanes}, columns: 4, max_k: 64, weight_bus_bits: {8 * lanes}, "
            f"activation_bits: {bits}}}}}"
            for bits in range(1, 9)
            for lanes in (8, 16, 32)
        )
        + "]"
    ],
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs an experiment's text on measurements made up by a closed form."""
    monkeypatch.setattr(measuring, "measure", measured.made_up)
    monkeypatch.setattr(measuring, "find_library", lambda _: parsed())  # copy.lib holds the same
    monkeypatch.chdir(tmp_path)
    (tmp_path / "copy.lib").write_bytes(find_library(["freepdk45"]).paths[0].read_bytes())

    def ran(overrides=(), text=SWEEP):
        (tmp_path / "mine.yaml").write_text(text)
        return run_gates(read_gates_experiment(opened(tmp_path / "mine.yaml", overrides)), lambda *_: None)

    return ran


@cache
def parsed():
    return find_library(["freepdk45"])


def drawings(found, theme):
    with mpl.rc_context(settings(theme)):
        yield draw_zeros(found.summary, theme)
        yield draw_parts(found.results, found.summary, theme)
        yield draw_bits(found.summary, theme)


@pytest.mark.parametrize(("what", "theme"), on_either_page(ODD, "odd netlists"), ids=name_of_page)
def test_no_text_lies_on_another_or_leaves_the_page(run, what, theme):
    for figure in drawings(run(ODD[what]), theme):
        with mpl.rc_context(settings(theme)):
            assert_clean(figure)


@pytest.mark.parametrize(
    ("name", "theme"), on_either_page(shipped_experiments("netlists"), "shipped netlists"), ids=name_of_page
)
def test_the_pictures_of_shipped_experiments_are_as_clean(run, name, theme):
    found = run(text=shipped_experiments()[name].read_text())
    with mpl.rc_context(settings(theme)):
        for plot in found.plots:
            draw = {
                "energy_vs_zeros": lambda: draw_zeros(found.summary, theme),
                "parts": lambda plot=plot: draw_parts(found.results, found.summary, theme, plot.share),
                "energy_vs_bits": lambda: draw_bits(found.summary, theme),
            }[plot.kind]
            assert_clean(draw())


def lines_of(axes, **wanted):
    return [line for line in axes.lines if all(getattr(line, f"get_{key}")() == value for key, value in wanted.items())]


def test_the_ideal_line_goes_from_the_fewest_zeros_to_nothing(run):
    axes = draw_zeros(run().summary, THEMES[0]).axes[0]
    ideals = [line for line in axes.lines if line.get_marker() in ("", "None") and len(line.get_xdata()) == 2]
    # 80 fJ without wires, a quarter more with, with 8 and with 4 bits; all of it gone at 100 % zeros
    assert [line.get_xdata().tolist() for line in ideals] == [[0.0, 100.0]] * 2
    np.testing.assert_allclose([line.get_ydata() for line in ideals], [[100e-15, 0.0], [50e-15, 0.0]])


def test_lines_over_zeros_are_the_energies_of_the_summary(run):
    axes = draw_zeros(run().summary, THEMES[0]).axes[0]
    x = np.array([0.0, 50.0, 75.0])
    full = next(line for line in axes.lines if line.get_label().startswith("ternary"))
    np.testing.assert_allclose(full.get_xdata(), x)
    np.testing.assert_allclose(full.get_ydata(), 1.25e-15 * (80 - 0.6 * x))
    bare = next(line for line in axes.lines if line.get_label() == "_ternary")
    np.testing.assert_allclose(bare.get_ydata(), 0.75e-15 * (80 - 0.6 * x))
    assert "75 % of the ideal saving" in full.get_label()


def test_the_legend_says_what_dashes_and_markers_mean(run):
    figure = draw_zeros(run().summary, THEMES[0])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[-2:] == [BARE, IDEAL]
    drawn = {line.get_label(): line._unscaled_dash_pattern for line in figure.axes[0].lines}
    bare, ideal = (handle._unscaled_dash_pattern for handle in figure.legends[0].legend_handles[-2:])
    assert (bare, ideal) == (drawn["_ternary"], drawn["_ternary ideal"])
    assert bare != ideal
    assert {"gaussian:3,zeros:0.2", "model:tiny-b158"} <= set(labels)
    assert len(labels) == 2 + 2 + 2


def test_recorded_operands_are_markers_at_their_share_of_zeros(run):
    axes = draw_zeros(run().summary, THEMES[0]).axes[0]
    points = [(*line.get_xdata(), *line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 1]
    recorded = [energy for zeros, energy in points if zeros == pytest.approx(40.0)]
    assert recorded == pytest.approx([1.25e-15 * 0.5 * 56, 1.25e-15 * 0.25 * 56], abs=0)


def test_bars_end_at_the_energy_of_a_mac_and_what_glitches_add_to_each_part_is_hatched(run):
    found = run()
    axes = draw_parts(found.results, found.summary, THEMES[0]).axes[0]
    settled, glitches = axes.containers[::2], axes.containers[1::2]
    assert [bars.get_label() for bars in settled] == list(measured.PARTS)
    ends = [bar.get_x() + bar.get_width() for bar in glitches[-1]]
    np.testing.assert_allclose(ends, [100, 50, 100])  # fJ: ternary without zeros, 4 bits, binary
    shares = [[bar.get_width() / energy for bar, energy in zip(bars, (80, 40, 80), strict=True)] for bars in settled]
    np.testing.assert_allclose(shares, [[0.75 * share] * 3 for share in measured.PARTS.values()])
    np.testing.assert_allclose([bar.get_width() for bar in glitches[-1]], [5, 2.5, 5])  # a quarter of the wires
    assert all(bar.get_hatch() for bars in glitches for bar in bars)
    assert not any(bar.get_hatch() for bars in settled for bar in bars)


def test_shares_end_at_a_hundred_per_cent_and_the_energies_are_written_all_the_same(run):
    found = run()
    axes = draw_parts(found.results, found.summary, THEMES[0], share=True).axes[0]
    np.testing.assert_allclose([bar.get_x() + bar.get_width() for bar in axes.containers[-1]], 100)
    assert [text.get_text() for text in axes.texts] == ["100 fJ", "50.0 fJ", "100 fJ"]


def test_a_picture_asked_for_twice_gets_two_files(run):
    assert list(pictures(run(["plots=[{kind: parts}, {kind: parts, share: true}]"]))) == ["parts", "parts_2"]


def test_points_over_bits_carry_how_many_times_less_they_take(run):
    figure = draw_bits(run().summary, THEMES[0])
    axes = figure.axes[0]
    named = [line for line in axes.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in named] == ["ternary"]  # binary has one width only
    np.testing.assert_allclose(named[0].get_xydata(), [[4, 50e-15], [8, 100e-15]])
    assert "2.00×" in {text.get_text() for text in axes.texts}


def test_the_summary_says_how_much_of_the_ideal_sparsity_pays(run):
    text = gates_markdown(run(), 200)
    assert (
        "Does sparsity pay? ternary in NangateOpenCellLibrary, uniform: from 0 to 75 % zeros a MAC goes from 100 to "
        "43.8 fJ, 56 % less. If zero weights cost nothing it would be 75 % less: an effectiveness of 75 %."
    ) in text
    assert "ternary in NangateOpenCellLibrary with model:tiny-b158: 40.0 % zeros, 35.0 fJ, 50 % less than" in text
    assert "binary in" not in text.partition("## ")[0].partition("Does sparsity pay?")[2].partition("\n")[0]


def test_a_sweep_in_which_zeros_cost_energy_says_more(run):
    found = run()
    dearer = found.summary.assign(energy_fj=np.where(found.summary["zero_share"] == 0.75, 120.0, 100.0))
    text = gates_markdown(replace(found, summary=dearer), 200)
    assert "goes from 100 to 120 fJ, 20 % more. If zero weights cost nothing it would be 75 % less" in text


def test_every_row_says_how_many_times_the_first_rows_energy_it_takes(run):
    text = gates_markdown(run(["gates.libraries=[freepdk45, copy.lib]"]), 200)
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.startswith("| Nangate")]
    times = {(row[1], row[2], row[5]): row[8] for row in rows if row[8].endswith("×")}
    for library in ("NangateOpenCellLibrary", "NangateOpenCellLibrary (2)"):
        assert times[library, "ternary", "uniform,zeros:0"] == "1.00×"
        assert times[library, "ternary", "uniform,zeros:0.5"] == "0.625×"  # (80 + 20) / 2 over 80
        assert times[library, "narrow", "uniform,zeros:0"] == "0.500×"


def test_a_summary_shows_as_many_rows_as_it_may(run):
    text = gates_markdown(run(), 2)
    assert "The first 2 of 15 rows; all are in summary.csv." in text


def test_without_a_sweep_nothing_is_drawn_over_zeros(run):
    assert list(pictures(run())) == ["energy_vs_zeros", "parts", "energy_vs_bits"]
    found = run(["gates.stimuli=[worst]", "plots=[{kind: energy_vs_zeros}]"])
    assert pictures(found) == {}
    assert "sparsity" not in gates_markdown(found, 9)


@pytest.fixture
def prices(tmp_path):
    """Return a function that compares pairs of technologies."""
    write_technology(tmp_path / "made.yaml")
    write_technology(tmp_path / "small.yaml", 7.0, 0.1)

    def compared(pairs):
        (tmp_path / "x.yaml").write_text(f"name: x\ndescription: some words\ncompare: {pairs}\n")
        given = read_prices_experiment(opened(tmp_path / "x.yaml"))
        return given, prices_table(given)

    return compared


PAIRS = ["[[45nm, made.yaml]]", "[[45nm, made.yaml], [7nm, small.yaml]]", "[[45nm, 7nm]]", "[[made.yaml, small.yaml]]"]


@pytest.mark.parametrize(("pairs", "theme"), on_either_page(PAIRS, "pictures of prices"), ids=name_of_page)
def test_pictures_of_prices_are_as_clean(prices, pairs, theme):
    with mpl.rc_context(settings(theme)):
        assert_clean(draw_ratios(prices(pairs)[1], theme))


def test_each_ratio_is_drawn_at_its_value_with_its_band(prices):
    _, table = prices(PAIRS[0])
    container = draw_ratios(table, THEMES[0]).axes[0].containers[0]
    np.testing.assert_allclose(container[0].get_xdata(), table["ratio"])
    ends = np.array([segment[:, 0] for segment in container[2][0].get_segments()])
    np.testing.assert_allclose(ends, table[["ratio_low", "ratio_high"]])


def test_the_summary_has_a_table_for_each_pair(prices):
    given, table = prices(PAIRS[1])
    text = prices_markdown(given.experiment.name, given.experiment.description, table)
    assert "45nm (pJ) |" in text
    assert re.search(r"\| add +\| int8 +\| +0.0300 \| +0.0600 \| +2.00 \| +1.00 to 4.00 \|", text)
    assert text.count("|:---") >= 2
    assert "some words" in text
