"""The pictures of explorations: each mark, cell and setting against the tables, whose rows are shuffled."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from bitjoule.execution import read
from bitjoule.experiments.exploration.schema import DesignMapPlot, ParetoPlot
from bitjoule.experiments.exploration.space.metrics import METRICS
from bitjoule.kinds.kind import Silent
from bitjoule.reports.exploration.design_map import draw_design_map
from bitjoule.reports.exploration.knobs import draw_knobs
from bitjoule.reports.exploration.pareto import draw_pareto
from bitjoule.reports.exploration.words import short_names
from bitjoule.reports.figures.style import LIGHT
from bitjoule.writing import run
from tests.experiments.exploration.cases import document
from tests.reports.shown import THREE_DIGITS

X, Y = "platform.arrays.adders.columns", "platform.off_chip.bandwidth_gb_per_s"
GROUPS = {
    "pareto": "Pareto set", "dominated": "dominated", "infeasible": "breaks a constraint",
    "undecided": "dominated, but not at all prices in the bands",
}  # fmt: skip


@pytest.fixture(scope="module")
def result():
    """Return an exploration whose designs are in another order, some of them said to be undecided."""
    plots = [{"kind": "pareto"}]
    found = run(read(document(plots=plots, explore__constraints=["area_mm2 <= 0.25"])), Silent()).result
    names = ("experiment", "knobs", "best", "pareto", "variations", "formats")
    order = np.random.default_rng(5).permutation(len(found.designs))
    designs = found.designs.iloc[order].copy()
    dominated = designs.index[designs["status"] == "dominated"]
    assert len(dominated) > 2
    designs.loc[dominated[::2], "status"] = "undecided"
    designs["tokens_per_s"] = 100 * 1.17 ** np.arange(len(designs))  # no two alike in a cell
    return SimpleNamespace(
        **{name: getattr(found, name) for name in names}, designs=designs, settings=found.settings.iloc[order]
    )


def xy(line):
    return [tuple(point) for point in np.column_stack(line.get_data()).tolist()]


@pytest.mark.parametrize(("x", "y"), [("energy_j", "area_mm2"), ("latency_s", "energy_j")])
def test_each_design_is_a_point_of_its_status_and_the_best_is_a_star(result, x, y):
    figure = draw_pareto(ParetoPlot(kind="pareto", x=x, y=y), result, LIGHT)
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines if len(line.get_xdata())}
    designs = result.designs
    for status, label in GROUPS.items():
        own = designs.loc[designs["status"] == status, [x, y]]
        assert len(own)
        assert sorted(xy(lines.pop(label))) == sorted(own.itertuples(index=False, name=None))
    best = designs.loc[designs["design"] == result.best, [x, y]]
    star = lines.pop(f"best: design {result.best}")
    assert xy(star) == list(best.itertuples(index=False, name=None))
    assert star.get_marker() == "*"
    assert lines == {}
    assert axes.get_title().endswith(f"{len(result.pareto)} Pareto-optimal of {len(designs)} designs")


def test_the_bands_of_the_pareto_set_are_those_of_its_members(result):
    axes = draw_pareto(ParetoPlot(kind="pareto", x="energy_j", y="latency_s"), result, LIGHT).axes[0]
    (bands,) = [part for part in axes.collections if isinstance(part, LineCollection)]
    members = result.designs[result.designs["status"] == "pareto"]
    wanted = [((low, y), (high, y)) for low, high, y in
              members[["energy_j_low", "energy_j_high", "latency_s"]].itertuples(index=False, name=None)]  # fmt: skip
    assert sorted(tuple(map(tuple, segment.tolist())) for segment in bands.get_segments()) == sorted(wanted)


def test_the_pareto_set_is_told_apart_by_a_knobs_settings(result):
    axes = draw_pareto(ParetoPlot(kind="pareto", x="energy_j", y="area_mm2", by=X), result, LIGHT).axes[0]
    lines = {line.get_label(): line for line in axes.lines if str(line.get_label()).startswith("Pareto set, ")}
    members = result.designs[result.designs["status"] == "pareto"]
    name = short_names(list(result.knobs))[X]
    found = {}
    for setting, own in members.groupby(X):
        line = lines[f"Pareto set, {name} {setting}"]
        found[setting] = (to_hex(line.get_color()), line.get_marker())
        assert sorted(xy(line)) == sorted(own[["energy_j", "area_mm2"]].itertuples(index=False, name=None))
    assert len({color for color, _ in found.values()}) == len({mark for _, mark in found.values()}) == len(lines) > 1


@pytest.mark.parametrize("metric", ["latency_s", "energy_j", "tokens_per_s"])
def test_each_cell_of_the_map_is_written_where_its_settings_are(result, metric):
    figure = draw_design_map(DesignMapPlot(kind="design_map", x=X, y=Y, metric=metric), result, LIGHT)
    axes = figure.axes[0]
    columns = [tick.get_text() for tick in axes.get_xticklabels()]
    rows = [tick.get_text() for tick in axes.get_yticklabels()]
    feasible = result.designs[result.designs["status"] != "infeasible"]
    wanted = {}
    for (column, row), own in feasible.groupby([X, Y]):
        best = own[metric].max() if METRICS[metric].maximised else own[metric].min()
        statuses = set(own.loc[own[metric] == best, "status"])
        mark = "●" if "pareto" in statuses else "○" if "undecided" in statuses else ""
        wanted[f"{column:g}", f"{row:g}"] = (pytest.approx(best, rel=THREE_DIGITS), mark)
    found = {}
    for text in axes.texts:
        x, y = text.get_position()
        number, _, mark = text.get_text().partition(" ")
        found[columns[int(x)], rows[int(y)]] = (float(number), mark)
    assert found == wanted
    short = short_names(list(result.knobs))
    assert (axes.get_xlabel(), axes.get_ylabel()) == (short[X], short[Y])
    assert f"best {METRICS[metric].label}, in {METRICS[metric].unit}" in axes.get_title() or not METRICS[metric].unit
    bottom, top = axes.get_ylim()
    assert bottom < top  # small settings at the lower left
    (image,) = axes.images
    for text in axes.texts:
        x, y = map(int, text.get_position())
        assert float(image.get_array()[y, x]) == pytest.approx(found[columns[x], rows[y]][0], rel=THREE_DIGITS)


def test_the_best_cell_of_a_map_is_the_darkest_whether_less_or_more_is_better(result):
    for metric in ("latency_s", "tokens_per_s"):
        figure = draw_design_map(DesignMapPlot(kind="design_map", x=X, y=Y, metric=metric), result, LIGHT)
        (image,) = figure.axes[0].images
        values = image.get_array().compressed()
        best, worst = (values.max(), values.min()) if METRICS[metric].maximised else (values.min(), values.max())
        colors = [sum(image.cmap(image.norm(value))[:3]) for value in (best, worst)]
        assert colors[0] < colors[1], metric


def test_each_knob_has_a_panel_of_its_settings_relative_to_the_best_design(result):
    table = result.variations.copy()
    objectives = result.experiment.explore.objectives
    assert (table["status"] == "infeasible").any()
    figure = draw_knobs(SimpleNamespace(**vars(result)), LIGHT)
    figure.draw_without_rendering()
    names = list(dict.fromkeys(table["knob"]))
    assert [axes.get_title() for axes in figure.axes] == [short_names(names)[name] for name in names]
    entries = dict(zip([text.get_text() for text in figure.legends[0].get_texts()], figure.legends[0].legend_handles,
                       strict=True))  # fmt: skip
    assert list(entries) == [*(METRICS[name].label for name in objectives), "best design", "breaks a constraint"]
    for axes, name in zip(figure.axes, names, strict=True):
        own = table[table["knob"] == name]
        ticks = {tick.get_position()[0]: tick.get_text() for tick in axes.get_xticklabels()}
        assert ticks == {i: str(setting) for i, setting in enumerate(own["setting"])}
        (chosen,) = np.flatnonzero(own["chosen"])
        wide = max(axes.lines, key=lambda line: line.get_linewidth())
        assert set(wide.get_xdata()) == {chosen}
        for objective in objectives:
            handle = entries[METRICS[objective].label]
            values = own[f"{objective}_relative"].to_numpy(float)
            lines = [line for line in axes.lines if line.get_color() == handle.get_color()]
            (joined,) = [
                line for line in lines if line.get_linestyle() == "-" and len(line.get_xdata()) and line is not wide
            ]
            np.testing.assert_array_equal(xy(joined), list(enumerate(values)))
            for allowed in (True, False):
                marks = [line for line in lines if line.get_linestyle() == "None"
                         and (line.get_markerfacecolor() != LIGHT.background) == allowed]  # fmt: skip
                assert {line.get_marker() for line in marks} == {handle.get_marker()}
                at = np.flatnonzero((own["status"] != "infeasible").to_numpy() == allowed)
                assert sorted(point for line in marks for point in xy(line)) == [(i, values[i]) for i in at]
        low, high = axes.get_ylim()
        finite = table[[f"{objective}_relative" for objective in objectives]].to_numpy(float)
        assert low < np.nanmin(finite)
        assert high > np.nanmax(finite)
    assert figure.get_suptitle().endswith(f"one knob at a time around design {result.best}")
