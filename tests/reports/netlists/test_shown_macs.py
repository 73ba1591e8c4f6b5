"""Numbers shown of MACs on netlists, counted anew from tables in which no two columns are in proportion."""

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.netlists.run import GatesResult
from bitjoule.experiments.netlists.schema import GatesPlot
from bitjoule.reports.figures.style import THEMES
from bitjoule.reports.netlists.lines import draw_bits, draw_zeros
from bitjoule.reports.netlists.parts import draw_parts
from bitjoule.reports.netlists.summary import drawings, gates_markdown
from tests.reports.shown import SI, THREE_DIGITS, header_and_rows, quantity, table, ticks_are_their_values, unit_in

CASE = ["library", "array", "stimulus"]
# by text, 1e-1 comes last: points are sorted by their share
ZEROS = {"uniform,zeros:1e-1": 0.1, "uniform,zeros:0.5": 0.5, "uniform,zeros:0.8": 0.8, "model:m": 0.6, "worst": 0.0}
PARTS = ("tree", "registers", "wires")
NETLISTS = 6
FJ = 1e-15


def energy_fj(library, array, zeros):
    """Return a sweep's energy: straight between its points, less steep from one to the next, unlike in each array."""
    height, slope = {"wide": (90.0, 0.4), "narrow": (37.0, 0.7), "middle": (61.0, 0.55)}[array]
    saved = slope * np.interp(zeros, [0, 0.1, 0.5, 0.8], [0, 0.1, 0.45, 0.6])
    return height * (1 - saved) if library == "one" else 1.7 * height * (1 - saved / 2)


def made_by_hand(libraries=("one", "two")):
    """Return two tables whose columns are drawn independently of each other."""
    draws = np.random.default_rng(14)
    rows, parts = [], []
    bits = {"wide": 8, "narrow": 3, "middle": 5}
    for library, array, (stimulus, zeros) in product(libraries, bits, ZEROS.items()):
        taken = energy_fj(library, array, zeros) * {"model:m": 0.7, "worst": 1.9}.get(stimulus, 1.0)
        case = dict(zip(CASE, (library, array, stimulus), strict=True))
        low, high, nominal, settled, wires = draws.uniform([0.5, 1.1, 0.6, 0.4, 0.1], [0.6, 1.9, 0.9, 0.9, 0.3])
        rows.append(
            {
                **case, "node_nm": 45.0 if library == "one" else np.nan, "weights": "ternary",
                "activations": f"int{bits[array]}", "accumulation": "int32", "lanes": 16, "columns": 4, "tokens": 1,
                "datapath": "parallel", "activation_bits": bits[array], "zero_share": zeros, "energy_fj": taken,
                "energy_low_fj": low * taken, "energy_high_fj": high * taken, "without_glitches_fj": nominal * taken,
                "settled_fj": settled * taken * 0.8, "total_fj": taken * 0.8, "wire_fj": wires * taken,
                "area_um2": draws.uniform(10, 90), "leakage_nw": draws.uniform(100, 900),
                "period_ns": draws.uniform(1, 9), "netlists": NETLISTS,
            }
        )  # fmt: skip
        for column in ("energy_fj", "without_glitches_fj", "area_um2"):
            name, _, unit = column.rpartition("_")
            less, more = draws.uniform(0.0, 0.2, 2)  # of netlists that differ in names alone
            rows[-1] |= {
                f"{name}_{end}_{unit}": rows[-1][column] * by
                for end, by in (("least", 1 - less), ("greatest", 1 + more))
            }
        shares = draws.dirichlet([3.0] * len(PARTS))
        of_it = draws.uniform(0.3, 0.9, len(PARTS))
        parts += [
            {**case, "part": part, "energy_fj": share * taken, "settled_fj": settled * share * taken}
            for part, share, settled in zip(PARTS, shares, of_it, strict=True)
        ]
    return pd.DataFrame(rows), pd.DataFrame(parts)


@pytest.fixture(scope="module")
def tables():
    return made_by_hand()


def numbers(text):
    return [float(number) for number in re.findall(r"(?<![\w:.])-?\d+(?:\.\d+)?(?![\w:.]*\d)", text)]


def told(tables):
    summary, results = tables
    return gates_markdown(GatesResult("x", "", (), results, summary, {}), 200)


def test_each_cell_of_the_table_is_its_row_of_the_summary(tables):
    summary, _ = tables
    header, rows = header_and_rows(told(tables), ["library", "array", "weights x activations, sums"])
    assert len(rows) == len(summary)
    marked = 0
    for cells, own in zip(rows, summary.to_dict("records"), strict=True):
        first = summary[summary["library"] == own["library"]].iloc[0]
        shown = dict(zip(header, cells, strict=True))
        assert [shown["library"], shown["array"], shown["operands"]] == [own[key] for key in CASE]
        assert cells[2] == f"ternary x {own['activations']}, int32"
        assert shown["lanes x columns"] == "16 x 4"
        assert float(shown["zeros (%)"]) == pytest.approx(100 * own["zero_share"], abs=0.051)
        for name, column in (
            ("energy (fJ)", "energy_fj"), ("without glitches (fJ)", "without_glitches_fj"), ("area (µm²)", "area_um2"),
            ("leakage (nW)", "leakage_nw"), ("period (ns)", "period_ns"),
        ):  # fmt: skip
            assert float(shown[name]) == pytest.approx(own[column], rel=THREE_DIGITS)
        # two columns bear this name: each follows the energy whose multiple it is
        times = [cells[i].removesuffix("×") for i, name in enumerate(header) if name == "relative to first row"]
        wanted = [own[column] / first[column] for column in ("energy_fj", "without_glitches_fj")]
        assert [float(text.removeprefix("≈ ")) for text in times] == pytest.approx(wanted, rel=THREE_DIGITS)
        # another array whose netlists are partly cheaper and partly dearer than those of the first is not told apart
        for text, name in zip(times, ("energy", "without_glitches"), strict=True):
            (least, greatest), (first_least, first_greatest) = (
                [row[f"{name}_{end}_fj"] for end in ("least", "greatest")] for row in (own, first)
            )
            apart = least > first_greatest or greatest < first_least
            assert text.startswith("≈ ") == (own["array"] != first["array"] and not apart)
            marked += text.startswith("≈ ")
        band = [float(end) for end in shown["band"].split(" to ")]
        assert band == pytest.approx([own["energy_low_fj"], own["energy_high_fj"]], rel=THREE_DIGITS)
        glitches = 100 * (own["total_fj"] - own["settled_fj"]) / own["total_fj"]
        assert float(shown["glitches (%)"]) == pytest.approx(glitches, abs=0.51)
        assert float(shown["wires (%)"]) == pytest.approx(100 * own["wire_fj"] / own["energy_fj"], abs=0.51)
    assert 0 < marked < len(summary)


def test_the_spread_of_netlists_that_differ_in_names_alone_is_said(tables):
    summary, _ = tables
    text = told(tables)
    said = re.search(r"of (\d+) netlists .* ([\d.]+) % apart in energy, ([\d.]+) % without .* ([\d.]+) % in area", text)
    widest = [
        max(100 * (row[f"{name}_greatest_{unit}"] - row[f"{name}_least_{unit}"]) / row[f"{name}_{unit}"]
            for row in summary.to_dict("records"))
        for name, unit in (("energy", "fj"), ("without_glitches", "fj"), ("area", "um2"))
    ]  # fmt: skip
    assert int(said[1]) == NETLISTS
    assert [float(number) for number in said.groups()[1:]] == pytest.approx(widest, abs=0.051)
    alone = summary.assign(netlists=1)
    assert "One netlist of each array" in told((alone, tables[1]))
    assert "≈" not in told((alone, tables[1]))


def test_sentences_on_sparsity_say_what_the_last_point_saves_of_the_first(tables):
    sentences = re.findall(r"Does sparsity pay\? (\w+) in (\w+), uniform: ([^\n]+)", told(tables))
    assert len(sentences) == 6
    for array, library, text in sentences:
        first, last = (energy_fj(library, array, zeros) for zeros in (0.1, 0.8))
        saved, ideal = (first - last) / first, (0.8 - 0.1) / (1 - 0.1)
        *shares, from_fj, to_fj, less, at_most, paid = numbers(text)
        assert shares == [10, 80]
        assert (from_fj, to_fj) == pytest.approx((first, last), rel=THREE_DIGITS)
        assert (less, at_most, paid) == pytest.approx((100 * saved, 100 * ideal, 100 * saved / ideal), abs=0.51)


def test_rows_on_sparsity_say_what_each_point_saves_of_the_first(tables):
    rows = table(told(tables), ["library", "array", "operands", "zeros (%)", "saved (%)"])
    assert len(rows) == 2 * 3 * 2
    for row in rows:
        zeros = float(row["zeros (%)"]) / 100
        assert zeros in (0.5, 0.8)
        first, own = (energy_fj(row["library"], row["array"], share) for share in (0.1, zeros))
        saved, ideal = 100 * (first - own) / first, 100 * (zeros - 0.1) / (1 - 0.1)
        assert float(row["saved (%)"]) == pytest.approx(saved, abs=0.051)
        assert float(row["ideal (%)"]) == pytest.approx(ideal, abs=0.051)
        assert float(row["effectiveness (%)"]) == pytest.approx(100 * saved / ideal, abs=0.051)


@pytest.mark.parametrize(("factor", "word"), [(0.7, "less"), (1.3, "more")])
def test_other_operands_are_set_beside_the_sweep_at_the_same_share(factor, word):
    summary, results = made_by_hand()
    recorded = summary["stimulus"] == "model:m"
    summary.loc[recorded, "energy_fj"] *= factor / 0.7
    sentences = re.findall(r"\n(\w+) in (\w+) with model:m: ([^\n]+)", told((summary, results)))
    assert len(sentences) == 6
    for array, library, text in sentences:
        at_same = energy_fj(library, array, 0.6)  # straight from 50 to 80 % zeros
        zeros, own_fj, change, sweep_fj = numbers(text)
        assert zeros == 60
        assert own_fj == pytest.approx(factor * at_same, rel=THREE_DIGITS)
        assert change == pytest.approx(30, abs=0.51)
        assert f"% {word} than" in text
        assert sweep_fj == pytest.approx(at_same, rel=THREE_DIGITS)


def test_the_table_of_parts_is_the_first_stimulus_of_each_array(tables):
    _, results = tables
    rows = table(told(tables), ["library", "array", "operands", "tree (fJ)"])
    assert len(rows) == 6
    for row in rows:
        assert row["operands"] == "uniform,zeros:1e-1"
        own = results[(results[CASE] == [row["library"], row["array"], row["operands"]]).all(axis=1)]
        wanted = own.set_index("part")["energy_fj"]
        assert {part: float(row[f"{part} (fJ)"]) for part in PARTS} == pytest.approx(wanted.to_dict(), rel=THREE_DIGITS)


def test_lines_over_zeros_are_measured_without_glitches_and_ideal(tables):
    summary, _ = tables
    figure = draw_zeros(summary, THEMES[0])
    assert [axes.get_title() for axes in figure.axes] == ["one, 45 nm", "two"]
    figure.draw_without_rendering()
    for axes, library in zip(figure.axes, ("one", "two"), strict=True):
        rows = summary[summary["library"] == library]
        named = {line.get_label(): line for line in axes.lines}
        for array in ("wide", "narrow", "middle"):
            own = rows[(rows["array"] == array) & rows["stimulus"].str.startswith("uniform")]
            line, bare, ideal = (named[name] for name in (array, f"_{array}", f"_{array} ideal"))
            np.testing.assert_allclose(line.get_xydata(), [*zip([10, 50, 80], own["energy_fj"] * FJ, strict=True)])
            np.testing.assert_allclose(bare.get_xydata(), [*zip([10, 50, 80], own["energy_low_fj"] * FJ, strict=True)])
            np.testing.assert_allclose(ideal.get_xydata(), [(10, own["energy_fj"].iloc[0] * FJ), (100, 0)])
        points = [tuple(line.get_xydata()[0]) for line in axes.lines if len(line.get_xdata()) == 1]
        others = rows[~rows["stimulus"].str.startswith("uniform")]
        wanted = [(100 * row["zero_share"], row["energy_fj"] * FJ) for row in others.to_dict("records")]
        assert points == [pytest.approx(point, abs=0) for point in wanted]
        ticks_are_their_values(axes.yaxis, "J")
        assert axes.get_ylim()[1] >= rows["energy_fj"].max() * FJ
    assert "%" in figure.axes[0].get_xlabel()


@pytest.mark.parametrize("sweeps", [1, 2, 3])
def test_sweeps_of_one_array_are_named_by_their_operands_where_there_are_several(tables, sweeps):
    one = tables[0][(tables[0]["array"] == "wide") & tables[0]["stimulus"].str.startswith("uniform")]
    names = ["uniform", "gaussian:3", "gaussian:9"][:sweeps]
    each = [one.assign(stimulus=one["stimulus"].str.replace("uniform", name)) for name in names]
    axes = draw_zeros(pd.concat(each, ignore_index=True), THEMES[0]).axes[0]
    labels = [line.get_label() for line in axes.lines if not line.get_label().startswith("_")]
    assert labels == ([f"wide, {name}" for name in names] if sweeps > 1 else ["wide"])


def test_of_one_library_the_legend_says_how_much_of_the_ideal_the_last_point_saves():
    summary, _ = made_by_hand(["two"])
    figure = draw_zeros(summary, THEMES[0])
    noted = [re.fullmatch(r"(\w+), (\d+) % of .+", text.get_text()) for text in figure.legends[0].get_texts()]
    noted = [found.groups() for found in noted if found]
    assert [array for array, _ in noted] == ["wide", "narrow", "middle"]
    for array, percent in noted:
        saved = 1 - energy_fj("two", array, 0.8) / energy_fj("two", array, 0.1)
        assert float(percent) == pytest.approx(100 * saved / ((0.8 - 0.1) / (1 - 0.1)), abs=0.51)


def test_lines_over_bits_and_how_many_times_less_than_with_the_most_bits(tables):
    summary, _ = tables
    figure = draw_bits(summary, THEMES[0])
    figure.draw_without_rendering()
    written = 0
    for axes, library in zip(figure.axes, ("one", "two"), strict=True):
        own = summary[(summary["library"] == library) & (summary["stimulus"] == "uniform,zeros:1e-1")]
        own = own.sort_values("activation_bits")
        line, bare = (next(line for line in axes.lines if line.get_label() == name) for name in ("ternary", "_ternary"))
        np.testing.assert_allclose(line.get_xydata(), [*zip([3, 5, 8], own["energy_fj"] * FJ, strict=True)])
        np.testing.assert_allclose(bare.get_xydata(), [*zip([3, 5, 8], own["energy_low_fj"] * FJ, strict=True)])
        less = (own["energy_fj"].iloc[-1] / own["energy_fj"]).tolist()
        labels = [float(text.get_text().removesuffix("×")) for text in axes.texts if text.get_text()]
        written += len(labels)
        assert all(any(label == pytest.approx(ratio, rel=THREE_DIGITS) for ratio in less) for label in labels)
        assert any(label == pytest.approx(less[0], rel=THREE_DIGITS) for label in labels)
        assert [float(tick.get_text()) for tick in axes.get_xticklabels()] == axes.get_xticks().tolist() == [3, 5, 8]
        ticks_are_their_values(axes.yaxis, "J")
    assert written > 2


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"lanes": 32}, ["ternary, 16 x 4", "ternary, 32 x 4"]),
        ({"columns": 8}, ["ternary, 16 x 4", "ternary, 16 x 8"]),
        ({"tokens": 7}, ["ternary, 1 token", "ternary, 7 tokens"]),
        ({"weights": "int2"}, ["ternary", "int2"]),
    ],
)
def test_kinds_are_named_by_what_differs_among_them(tables, changes, names):
    summary, _ = tables
    other = summary.assign(**changes, array=summary["array"] + "2")
    figure = draw_bits(pd.concat([summary, other]), THEMES[0])
    assert [text.get_text() for text in figure.legends[0].get_texts()][:-1] == names


@pytest.mark.parametrize("share", [False, True])
def test_bars_of_parts_are_in_the_unit_of_their_axis_and_say_the_energy(share):
    """In one library a MAC takes femtojoules, in the other picojoules."""
    summary, results = made_by_hand()
    energies = [column for column in summary.columns if column.endswith("_fj")]
    summary.loc[summary["library"] == "two", energies] *= 100
    results.loc[results["library"] == "two", ["energy_fj", "settled_fj"]] *= 100
    figure = draw_parts(results, summary, THEMES[0], share)
    assert "uniform,zeros:1e-1" in figure.get_suptitle()
    units = set()
    for axes, library in zip(figure.axes, ("one", "two"), strict=True):
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names == ["wide", "narrow", "middle"]
        rows = results[(results["library"] == library) & (results["stimulus"] == "uniform,zeros:1e-1")]
        by_part = rows.pivot_table(index="array", columns="part", values=["energy_fj", "settled_fj"]).loc[names]
        joules = by_part["energy_fj"].sum(axis=1).to_numpy() * FJ
        texts = [quantity(text.get_text(), "J") for text in axes.texts]
        assert texts == pytest.approx(joules, rel=THREE_DIGITS, abs=0)
        if share:
            assert "(%)" in axes.get_xlabel()
            scale = 100 / joules
        else:
            units.add(unit_in(axes.get_xlabel(), "J"))
            scale = np.full(3, 1 / unit_in(axes.get_xlabel(), "J"))
        settled, glitches = axes.containers[::2], axes.containers[1::2]
        assert [bars.get_label() for bars in settled] == list(PARTS)
        left = np.zeros(3)
        for part, without, added in zip(PARTS, settled, glitches, strict=True):
            for bars, wanted_fj in (
                (without, by_part["settled_fj", part]),
                (added, by_part["energy_fj", part] - by_part["settled_fj", part]),
            ):
                np.testing.assert_allclose([bar.get_x() for bar in bars], left, atol=1e-9)
                widths = [bar.get_width() for bar in bars]
                np.testing.assert_allclose(widths, wanted_fj.to_numpy() * FJ * scale)
                left += widths
    assert units == (set() if share else {SI["f"], SI["p"]})


def test_of_one_array_each_stimulus_has_a_bar():
    summary, results = made_by_hand(["one"])
    wide = summary["array"] == "wide"
    axes = draw_parts(results, summary[wide], THEMES[0]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(ZEROS)
    joules = summary[wide]["energy_fj"].to_numpy() * FJ
    assert [quantity(text.get_text(), "J") for text in axes.texts] == pytest.approx(joules, rel=THREE_DIGITS, abs=0)


def test_where_both_differ_a_bar_says_array_and_stimulus():
    summary, results = made_by_hand(["one"])
    chosen = {("wide", "worst"): "wide\nworst", ("narrow", "model:m"): "narrow\nmodel:m"}
    cases = summary[[case in chosen for case in zip(summary["array"], summary["stimulus"], strict=True)]]
    axes = draw_parts(results, cases, THEMES[0]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(chosen.values())
    alone = draw_parts(results, cases.head(1), THEMES[0]).axes[0]
    assert [label.get_text() for label in alone.get_yticklabels()] == ["wide"]


def test_each_kind_of_plot_is_drawn_as_asked(tables):
    """The kind picks the picture, and `share` the one in per cent."""
    summary, results = tables
    kinds = ("parts", "energy_vs_bits", "energy_vs_zeros")
    plots = (*(GatesPlot(kind=kind) for kind in kinds), GatesPlot(kind="parts", share=True))
    drawn = drawings(GatesResult("x", "", plots, results, summary, {}))
    labels = {name: draw(THEMES[0]).axes[0].get_xlabel() for name, draw in drawn.items()}
    assert list(labels) == [*kinds, "parts_2"]
    for name, word in zip(labels, ("(fJ)", "bits", "zero", "(%)"), strict=True):
        assert word in labels[name]
