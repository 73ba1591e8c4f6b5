"""What is shown of explorations: each cell against the tables, and the marks of the pictures."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from bitjoule.execution import read
from bitjoule.experiments.exploration.schema import DesignMapPlot, ParetoPlot
from bitjoule.experiments.exploration.space.metrics import METRICS
from bitjoule.kinds import kinds
from bitjoule.kinds.kind import Silent
from bitjoule.reports.exploration import pareto
from bitjoule.reports.exploration.design_map import NONE, cells, draw_design_map
from bitjoule.reports.exploration.pareto import draw_pareto
from bitjoule.reports.exploration.summary import exploration_markdown, headline
from bitjoule.reports.exploration.words import header as metric_header
from bitjoule.reports.exploration.words import quantity, short_names
from bitjoule.reports.figures.recolour import recolour
from bitjoule.reports.figures.style import BAND_LABEL, LIGHT
from bitjoule.writing import run
from tests.experiments.exploration.cases import document
from tests.reports.figures.test_contrast import contrast
from tests.reports.pages import assert_inside
from tests.reports.shown import THREE_DIGITS, header_and_rows
from tests.reports.shown import quantity as quantity_of

OBJECTIVES = ["energy_j", "latency_s", "area_mm2"]
X, Y = "platform.arrays.adders.columns", "platform.off_chip.bandwidth_gb_per_s"
SIZE = "platform.buffers.weights.size_bytes"
PLOTS = [{"kind": "pareto"}, {"kind": "knobs"}, {"kind": "design_map", "x": X, "y": Y}, {"kind": "pareto", "by": X}]


@pytest.fixture(scope="module")
def outcome():
    return run(read(document(plots=PLOTS, explore__constraints=["area_mm2 <= 0.25"])), Silent())


def section(text, name, first):
    """Return the rows of the table of a section, whose header starts with a cell."""
    header, rows = header_and_rows(text.partition(f"## {name}")[2].partition("\n## ")[0], [first])
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_each_cell_of_the_pareto_set_is_its_value(outcome):
    result = outcome.result
    rows = section(exploration_markdown(result, 100), "Pareto set", "design")
    assert len(rows) == len(result.pareto)
    headers = ("energy per request (J)", "latency per request (s)", "area (mm²)")
    for shown, row in zip(rows, result.pareto.to_dict("records"), strict=True):
        assert shown["design"].strip("*") == str(row["design"])
        assert ("*" in shown["design"]) == row["best"]
        for header, name in zip(headers, OBJECTIVES, strict=True):
            assert float(shown[header]) == pytest.approx(row[name], rel=THREE_DIGITS)
        low, high = shown["energy per request, low to high"].split(" to ")
        assert float(low) == pytest.approx(row["energy_j_low"], rel=THREE_DIGITS)
        assert float(high) == pytest.approx(row["energy_j_high"], rel=THREE_DIGITS)
        assert shown["columns"] == str(row[X])


def test_the_text_counts_designs_and_the_headline_has_the_best(outcome):
    result = outcome.result
    row, text = result.summary.iloc[0], exploration_markdown(result, 1)
    assert (
        f"All 18 designs of the space were evaluated. {row['feasible']} are feasible, {row['infeasible']} break" in text
    )
    assert re.search(rf"\b{row['pareto']} designs form the Pareto set", text)
    assert row["infeasible"] > 0
    best = result.pareto[result.pareto["best"]].iloc[0]
    assert quantity("energy_j", best["energy_j"]) in headline(result)
    assert f"The first 1 of {len(result.pareto)} rows; all are in pareto.csv." in text


@pytest.mark.parametrize(
    ("undecided", "said"),
    [
        (0, "; each other feasible design is dominated by a member at all prices within their bands."),
        (1, "; bands of prices leave undecided whether 1 other belongs to it"),
        (3, "; bands of prices leave undecided whether 3 others belong to it"),
    ],
)
def test_designs_that_bands_leave_undecided_are_counted_where_there_are_any(outcome, undecided, said):
    result = replace(outcome.result, summary=outcome.result.summary.assign(undecided=undecided))
    assert f"form the Pareto set{said}" in exploration_markdown(result, 1)


def test_without_other_feasible_designs_none_is_said_to_be_dominated(outcome):
    feasible = outcome.result.summary["pareto"]
    result = replace(outcome.result, summary=outcome.result.summary.assign(undecided=0, feasible=feasible))
    text = exploration_markdown(result, 1)
    assert "form the Pareto set, all that are feasible." in text
    assert "dominated" not in text


def test_a_single_design_forms_the_pareto_set(outcome):
    result = replace(outcome.result, summary=outcome.result.summary.assign(pareto=1))
    assert " 1 design forms the Pareto set; " in exploration_markdown(result, 1)


def test_the_sensitivity_of_each_knob_is_shown(outcome):
    rows = section(exploration_markdown(outcome.result, 5), "Knobs", "knob")
    for shown, row in zip(rows, outcome.result.sensitivity.to_dict("records"), strict=True):
        low, high = shown["area: least to most"].split(" to ")
        assert float(low) == pytest.approx(row["area_mm2_least"], rel=THREE_DIGITS)
        assert float(high) == pytest.approx(row["area_mm2_most"], rel=THREE_DIGITS)


def test_a_cell_of_the_map_is_the_best_feasible_design_with_both_settings(outcome):
    result = outcome.result
    values, members = cells(DesignMapPlot(kind="design_map", x=X, y=Y), "latency_s", result)
    designs = result.designs[result.designs["status"] != "infeasible"]
    for row, bandwidth in enumerate([12.8, 25.6]):
        for column, columns in enumerate([8, 16, 32]):
            own = designs[(designs[X] == columns) & (designs[Y] == bandwidth)]
            if own.empty:
                assert np.isnan(values[row, column])
                assert members[row][column] == ""
            else:
                assert values[row, column] == own["latency_s"].min()
                assert members[row][column] in set(own["status"][own["latency_s"] == own["latency_s"].min()])


def test_the_pictures_mark_what_the_tables_say(outcome):
    drawn = kinds()["exploration"].kind.pictures(outcome)
    assert list(drawn) == ["pareto", "knobs", "design_map", "pareto_2"]
    result = outcome.result
    counts = result.designs["status"].value_counts()
    labels = {"pareto": "Pareto set", "dominated": "dominated", "infeasible": "breaks a constraint"}
    labels["undecided"] = "dominated, but not at all prices in the bands"
    axes = drawn["pareto"](LIGHT).axes[0]
    shown = {line.get_label(): len(line.get_xdata()) for line in axes.lines}
    for status, label in labels.items():
        assert shown.get(label, 0) == counts[status]
    banded = [f"{metric}_low" in result.designs for metric in OBJECTIVES[:2]]
    assert banded == [True, False]  # energy has a band of its prices, latency none
    assert len(axes.collections) == sum(banded)  # its lines
    assert BAND_LABEL in [text.get_text() for text in axes.figure.legends[0].get_texts()]
    panels = [axes for axes in drawn["knobs"](LIGHT).axes if axes.get_title()]
    assert len(panels) == 3
    by_setting = drawn["pareto_2"](LIGHT).axes[0]
    members = [len(line.get_xdata()) for line in by_setting.lines if str(line.get_label()).startswith("Pareto set, ")]
    assert sum(members) == len(result.pareto)
    design_map = drawn["design_map"](LIGHT)
    texts = [text.get_text() for text in design_map.axes[0].texts]
    assert NONE not in [text.get_text() for text in design_map.legends[0].get_texts()]
    assert len(texts) == len({tuple(row) for row in result.settings[[X, Y]][
        result.designs["status"] != "infeasible"].to_numpy().tolist()})  # fmt: skip
    plt.close("all")


def test_the_values_of_cells_can_be_read_on_both_pages(outcome):
    """The dark page is recoloured, its cells are not: black or white, whichever stands out, and the same on both."""
    figure = draw_design_map(DesignMapPlot(kind="design_map", x=X, y=Y), outcome.result, LIGHT)
    axes = figure.axes[0]
    (image,) = axes.images
    for page in ("light", "dark"):
        if page == "dark":
            recolour(figure)
        for text in axes.texts:
            column, row = (round(place) for place in text.get_position())
            cell = image.cmap(image.norm(image.get_array()[row, column]))
            assert contrast(text.get_color(), cell[:3]) >= 4.5, (page, text.get_text())  # WCAG 2.1 AA for text
    plt.close("all")


def test_cells_without_a_feasible_design_have_a_name(outcome):
    designs, settings = outcome.result.designs.copy(), outcome.result.settings
    designs.loc[(settings[[X, Y]] == settings[[X, Y]].iloc[0]).all(axis=1), "status"] = "infeasible"
    result = SimpleNamespace(**{name: getattr(outcome.result, name) for name in ("experiment", "settings", "knobs")},
                             designs=designs)  # fmt: skip
    figure = draw_design_map(DesignMapPlot(kind="design_map", x=X, y=Y), result, LIGHT)
    assert len(figure.axes[0].texts) == len(result.knobs[X]) * len(result.knobs[Y]) - 1
    (legend,) = figure.legends
    named = zip(legend.get_texts(), legend.legend_handles, strict=True)
    (patch,) = (handle for text, handle in named if text.get_text() == NONE)
    assert to_hex(patch.get_facecolor()) == to_hex(figure.axes[0].get_facecolor())
    plt.close("all")


@pytest.mark.parametrize("wide", [1.0, 30.0])
def test_bands_are_drawn_whole(outcome, wide):
    """Bands of prices reach beyond the designs: limits of a logarithmic axis, which are set by hand, hold them."""
    designs, pareto = outcome.result.designs.copy(), outcome.result.pareto.copy()
    for table in (designs, pareto):
        table["energy_j_high"] = table["energy_j_high"] * wide
        table["energy_j_low"] = table["energy_j_low"] / wide
    names = ("experiment", "settings", "knobs", "best")
    result = SimpleNamespace(**{name: getattr(outcome.result, name) for name in names},
                             designs=designs, pareto=pareto)  # fmt: skip
    for x, y in (("energy_j", "latency_s"), ("latency_s", "energy_j")):
        axes = draw_pareto(ParetoPlot(kind="pareto", x=x, y=y), result, LIGHT).axes[0]
        assert_inside(axes)
        assert axes.get_xlabel() == METRICS[x].label
        assert axes.get_ylabel() == METRICS[y].label
    plt.close("all")


def test_where_no_design_is_feasible_the_sentence_is_the_headline_and_nothing_is_drawn():
    unmet = run(read(document(plots=PLOTS, explore__constraints=["area_mm2 <= 0.001"])), Silent())
    text = exploration_markdown(unmet.result, 5)
    assert unmet.result.nearest in text
    assert headline(unmet.result) == "No design meets all constraints"
    assert "## Pareto set" not in text
    assert kinds()["exploration"].kind.pictures(unmet) == {}


def test_short_names_tell_keys_apart():
    expected = {
        "platform.buffers.weights.size_bytes": "weights.size",
        "platform.buffers.activations.size_bytes": "activations.size",
        "a.lanes": "a.lanes",
        "b.lanes": "b.lanes",
        "platform.vector.width_bits": "width (bits)",
        "platform.off_chip.bandwidth_gb_per_s": "bandwidth (GB/s)",
        "fp16_macs": "fp16 MACs",
        "g": "g",
    }
    assert short_names(list(expected)) == expected


def test_settings_that_are_schemes_have_the_colours_of_their_formats():
    """As `reports.figures.families` draws each family in every picture; another knob's settings are only told apart."""
    names = ["bitnet-b1.58", "w4a8", "fp16", "bitnet"]
    formats = pd.DataFrame(
        {"kind": ["float", "binary", "ternary", "integer"], "variant": [0, 0, 0, 1]},
        index=["fp16", "bitnet", "bitnet-b1.58", "w4a8"],
    )
    made = SimpleNamespace(
        knobs={"format": ("a", "b", "c", "d"), "size": ("1", "2")},
        designs=pd.DataFrame({"scheme": pd.Categorical([*names, names[0]])}),
        settings=pd.DataFrame({"format": [0, 1, 2, 3, 0], "size": [0, 1, 0, 1, 1]}),
        formats=formats,
    )
    blue, orange, green, purple = LIGHT.series[:4]
    assert pareto._looks("format", made, LIGHT) == [(green, "^"), (orange, "D"), (blue, "o"), (purple, "P")]
    assert [color for color, _ in pareto._looks("size", made, LIGHT)] == [blue, orange]
    made.designs = made.designs.drop(columns="scheme")
    assert [color for color, _ in pareto._looks("format", made, LIGHT)] == [blue, orange, green, purple]


def asked(outcome, **changes):
    """Return a result whose experiment asks for something else."""
    explore = outcome.result.experiment.explore.model_copy(update=changes)
    return replace(outcome.result, experiment=outcome.result.experiment.model_copy(update={"explore": explore}))


def test_what_was_searched_evaluated_and_found_is_counted_each_with_its_number(outcome):
    result = asked(outcome, sampler="tpe", seed=41)
    counts = {"searched": 30, "designs": 240, "evaluated": 37, "feasible": 19, "infeasible": 13, "no_result": 5,
              "pareto": 4, "undecided": 0, "hypervolume": 0.0123456789}  # fmt: skip
    row = result.summary.assign(**counts, reference_energy_j=0.25, reference_latency_s=3e-3, reference_area_mm2=1.5)
    text = exploration_markdown(replace(result, summary=row), 5)
    assert (
        "\n30 of 240 designs were searched (12.5 %) with sampler tpe, seed 41. 7 more vary one knob of the best "
        "design. 19 are feasible, 13 break a constraint, 5 have no result. 4 designs form the Pareto set; " in text
    )
    assert " Hypervolume 0.0123457 within the reference 250 mJ, 3.00 ms, 1.50 mm².\n" in text
    text = exploration_markdown(replace(result, summary=row.assign(no_result=0, evaluated=30, hypervolume=0.0)), 5)
    assert " seed 41. 19 are feasible, 13 break a constraint. 4 designs" in text
    assert "Hypervolume" not in text


def test_a_constraint_has_the_best_that_there_is_and_the_best_beside_the_others_in_its_unit(outcome):
    rows = [("area_mm2 <= 2", 11, 5, 1.25, 3.5, 0.2534), ("tokens_per_s >= 9", 4, 3, 31.0, np.nan, np.nan)]
    columns = ["constraint", "met_by", "others_met_by", "best_value", "best_beside_others", "missed_by"]
    result = replace(outcome.result, constraints=pd.DataFrame(rows, columns=columns))
    _, _, *lines = [
        line for line in exploration_markdown(result, 5).split("## Best design")[0].splitlines() if "|" in line
    ]
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines] == [
        ["area_mm2 <= 2", "11", "1.25 mm²", "3.50 mm²", "25.3"], ["tokens_per_s >= 9", "4", "31.0 1/s", "", ""],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("best", "models", "said"),
    [
        (
            None,
            1,
            "Of the Pareto set it has the least product of the objectives, each as a ratio that should be small.\n",
        ),
        ("latency_s", 1, "Of the Pareto set it has the best latency per request.\n"),
        ("latency_s", 2, "best latency per request. Metrics are geometric means over 2 models.\n"),
    ],
)
def test_why_a_design_is_the_best_is_said(outcome, best, models, said):
    result = asked(outcome, best=best)
    experiment = result.experiment.model_copy(update={"models": result.experiment.models * models})
    assert said in exploration_markdown(replace(result, experiment=experiment), 5)


def test_each_value_of_the_best_design_has_its_unit_and_its_ends_from_low_to_high(outcome):
    result = outcome.result
    row = result.designs[result.designs["design"] == result.best].iloc[0]
    shown = {cells["header"]: cells for cells in best_rows(exploration_markdown(result, 5))}
    assert shown["platform.buffers.weights.size_bytes"]["value"] == f"{row[SIZE] // 1024} KiB"
    assert shown[X]["value"] == str(row[X])
    units = {"energy_j": "J", "watts": "W", "latency_s": "s", "memory_bytes": "B"}
    for name, unit in units.items():
        cells = shown[METRICS[name].label]
        assert quantity_of(cells["value"], unit) == pytest.approx(row[name], rel=THREE_DIGITS)
        ends = cells["band"].split(" to ") if cells["band"] else []
        assert len(ends) == (2 if f"{name}_low" in row else 0)
        assert [quantity_of(text, unit) for text in ends] == [
            pytest.approx(row[f"{name}_{end}"], rel=THREE_DIGITS) for end in ("low", "high")[: len(ends)]
        ]
    assert METRICS["memory_share"].label not in shown  # the size of the memory is not known


def best_rows(text):
    """Return the rows of the best design, whose first header is empty."""
    lines = text.split("## Best design")[1].split("## Pareto set")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [dict(zip(("header", "value", "band"), row, strict=True)) for row in cells[2:]]


def test_knobs_that_never_differ_have_no_column_and_each_knob_says_its_settings(outcome):
    result = outcome.result
    designs = result.designs.assign(**{Y: 25.6})
    text = exploration_markdown(replace(result, designs=designs), 5)
    header, _ = header_and_rows(text.split("## Pareto set")[1].split("## Knobs")[0], ["design"])
    assert header[1:3] == ["columns", "weights.size"]
    assert not any("bandwidth" in name for name in header)
    settings = {row["knob"]: row["settings"] for row in section(text, "Knobs", "knob")}
    assert settings == {"columns": "3", "weights.size": "3", "bandwidth (GB/s)": "2"}


@pytest.mark.parametrize(
    ("name", "value", "text", "head"),
    [
        ("memory_bytes", 2.5e9, "2.50 GB", "off-chip memory needed (B)"),
        ("memory_share", 0.75, "0.750", "share of the off-chip memory"),
        ("tokens_per_s", 212.4, "212 1/s", "tokens per second (1/s)"), ("watts", 0.9, "900 mW", "mean power (W)"),
    ],
)  # fmt: skip
def test_a_metric_has_its_unit_with_a_prefix_where_it_takes_one(name, value, text, head):
    assert quantity(name, value) == text
    assert metric_header(name) == head
