"""One colour for a family of formats in every picture, marker and line style for the variant; bands and selections."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import Rectangle

from bitjoule import run_experiment
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.experiments.energy.tables.families import families
from bitjoule.reports.energy.pictures import draw
from bitjoule.reports.energy.workloads import WORKLOAD_AXES
from bitjoule.reports.figures.families import KINDS, look
from bitjoule.reports.figures.style import BAND_LABEL, DASHES, THEMES, new_figure, png_dpi
from tests.reports.shown import bars_of, unit_in

LIGHT = THEMES[0]
SCHEMES = ["fp16", "fp16-kv8", "int8", "w4a16", "bitnet-b1.58", "bitnet-b1.58-5in8", "bitnet"]
OWN = {"name": "fp16-kv8", "kv_cache": "int8"} | dict.fromkeys(("weights", "activations", "attention"), "fp16")
HUES = dict(zip(SCHEMES, (0, 0, 1, 1, 2, 2, 3), strict=True))  # FP, INT, ternary, ±1
MODELS = ["bitnet-1.3b", "llama-7b", "bitnet-b1.58-3b"]
SIZES = {"prompt_tokens": [64, 300], "new_tokens": [4, 9], "batch": [1, 5]}
PLOTS = {
    "energy": {"kind": "energy_vs_size", "phase": "decode", "per_token": True},
    "ratio": {"kind": "ratio_vs_size", "arithmetic": True, "at": {"prompt_tokens": 300, "batch": 5}},
    "bars": {"kind": "components", "by": "action", "share": False, "at": {"new_tokens": 9}, "models": ["llama-7b"]},
    "parts": {"kind": "components", "at": {"batch": 5}, "phase": "prefill"},
    "sweep": {"kind": "sweep", "over": "batch", "at": {"prompt_tokens": 300}, "models": ["llama-7b"]},
    "models": {"kind": "sweep", "over": "batch", "at": {"prompt_tokens": 300}, "models": ["llama-7b", "bitnet-1.3b"]},
    "roofline": {"kind": "roofline", "at": {"prompt_tokens": 300}, "models": ["llama-7b", "bitnet-1.3b"]},
    "gain": {
        "kind": "sweep",
        "over": "batch",
        "at": {"prompt_tokens": 300},
        "models": ["llama-7b"],
        "quantity": "ratio_to_baseline",
        "phase": "decode",
    },
    "memory": {"kind": "memory", "at": {"prompt_tokens": 300}, "title": "Bytes of each model"},
    "loss": {"kind": "loss_vs_energy", "title": "Loss"},
}


@pytest.fixture(scope="module")
def result():
    machines = {name: "ternary-edge" if name.startswith("bitnet") else "fp16-edge" for name in SCHEMES}
    return run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": MODELS,
            "schemes": [OWN if name == OWN["name"] else name for name in SCHEMES],
            "technologies": ["7nm"],
            "platforms": [{"name": "edge", "by_scheme": machines}],
            "workload": SIZES,
            "baseline": {"scheme": "fp16"},
            "plots": list(PLOTS.values()),
        }
    )


def figure_of(result, name):
    return draw(result.requested[list(PLOTS).index(name)], result, LIGHT)


def drawn_lines(figure):
    """Return the lines that the legend names by the first scheme of their label."""
    lines = [line for axes in figure.axes for line in axes.lines if line.get_label()[0] != "_"]
    return [(line.get_label().split(",")[0].split(" = ")[0], line) for line in lines if len(line.get_xdata())]


@pytest.mark.parametrize("name", ["energy", "ratio", "sweep", "loss"])
def test_a_line_has_the_colour_of_its_family(result, name):
    found = {(scheme, to_hex(line.get_color())) for scheme, line in drawn_lines(figure_of(result, name))}
    if name == "loss":
        (legend,) = figure_of(result, name).legends
        entries = zip(legend.get_texts(), legend.legend_handles, strict=True)
        found = {(text.get_text(), to_hex(line.get_color())) for text, line in entries if text.get_text() in SCHEMES}
    assert {scheme for scheme, _ in found} >= ({"bitnet"} if name == "ratio" else {"fp16", "bitnet"})
    assert {(scheme, LIGHT.series[HUES[scheme]].lower()) for scheme, _ in found} == found


def test_variants_of_a_family_differ_in_marker_and_line_style(result):
    looks = {
        scheme: (line.get_marker(), line.get_linestyle()) for scheme, line in drawn_lines(figure_of(result, "sweep"))
    }
    assert len(looks) == len(set(looks.values())) == len(SCHEMES)


def test_where_markers_are_the_models_dashes_tell_schemes_apart_without_colour(result):
    """There are six; the seventh scheme begins anew with another colour."""
    dashes: dict[str, set[object]] = {}
    for scheme, line in drawn_lines(figure_of(result, "models")):
        dashes.setdefault(scheme, set()).add(str(line._unscaled_dash_pattern))
    assert set(dashes) == set(SCHEMES)
    assert {len(each) for each in dashes.values()} == {1}
    assert len({str(each) for each in list(dashes.values())[: len(DASHES)]}) == len(DASHES)


def test_a_scheme_is_drawn_alike_whatever_stands_beside_it():
    every = families(schemes())
    for name, row in every.iterrows():
        assert tuple(families({name: schemes()[name]}).loc[name]) == tuple(row)
    own = schemes()["bitnet"].model_copy(update={"weights": "ternary"})
    assert families({"mine": own}).loc["mine"].tolist() == ["ternary", (every["kind"] == "ternary").sum()]
    taken = families({"int8": own, "fp16": schemes()["fp16"]})  # a scheme of one's own may have a name of ours
    assert taken["kind"].to_dict() == {"int8": "ternary", "fp16": "float"}
    for kind, of_kind in every.groupby("kind"):
        assert sorted(of_kind["variant"]) == list(range(len(of_kind)))
        assert look(kind, 0, LIGHT).color == LIGHT.series[KINDS.index(kind)]
    first = every[every["variant"] == 0]
    assert set(first.index) == {"fp16", "int8", "bitnet-b1.58", "bitnet"}
    assert len({look(kind, 0, LIGHT).marker for kind in first["kind"]}) == 4


def at(rows, **values):
    for column, value in ({axis: SIZES[axis][0] for axis in WORKLOAD_AXES} | values).items():
        rows = rows if value is None else rows[rows[column] == value]
    return rows


def test_the_band_of_a_line_reaches_from_the_low_to_the_high_prices(result):
    figure = figure_of(result, "sweep")
    (axes,) = figure.axes
    rows = at(result.summary, prompt_tokens=300, batch=None, phase="request", model="llama-7b")
    for scheme, band in zip(SCHEMES, axes.collections, strict=True):
        own = rows[rows["scheme"] == scheme].sort_values("batch")
        tokens = own["energy_j"] / own["energy_per_token_j"]
        corners = band.get_paths()[0].vertices
        for x, low, high in zip(own["batch"], own["energy_low_j"] / tokens, own["energy_high_j"] / tokens, strict=True):
            heights = corners[corners[:, 0] == x][:, 1]
            assert (heights.min(), heights.max()) == pytest.approx((low, high))
    assert BAND_LABEL in [text.get_text() for text in figure.legends[0].get_texts()]
    low, high = axes.get_ylim()
    per_token = rows["energy_per_token_j"] / rows["energy_j"]
    assert low <= (rows["energy_low_j"] * per_token).min()
    assert high > (rows["energy_high_j"] * per_token).max()


@pytest.mark.parametrize(("name", "phase"), [("ratio", "request"), ("gain", "decode")])
def test_the_band_of_a_ratio_is_the_least_and_the_most_that_the_prices_allow(result, name, phase):
    figure = figure_of(result, name)
    (axes,) = figure.axes
    if name == "gain":
        rows = at(result.bands, prompt_tokens=300, batch=None, phase=phase, model="llama-7b", scheme="bitnet")
        (band,) = [drawn for drawn in axes.collections if to_hex(drawn.get_facecolor()[0]) == LIGHT.series[3].lower()]
        corners = band.get_paths()[0].vertices
        ends = [
            (corners[corners[:, 0] == x][:, 1].min(), corners[corners[:, 0] == x][:, 1].max()) for x in rows["batch"]
        ]
    else:  # models of several families: a bar at each
        rows = at(result.bands, prompt_tokens=300, batch=5, phase=phase, scheme="bitnet").sort_values("parameters")
        bars = [line for line in axes.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2]
        bars = [
            line for line in bars if to_hex(line.get_color()) == LIGHT.series[3].lower() and line.get_linewidth() > 1
        ]
        ends = [tuple(line.get_ydata()) for line in bars if line.get_xdata()[0] in set(rows["parameters"])]
    np.testing.assert_allclose(ends, rows[["ratio_low", "ratio_high"]])
    assert (rows["ratio_low"] < rows["ratio_high"]).all()
    low, high = axes.get_ylim()
    assert low <= rows["ratio_low"].min()
    assert high > rows["ratio_high"].max()


def test_families_of_models_are_not_joined(result):
    for _, line in drawn_lines(figure_of(result, "energy")):
        assert line.get_linestyle() == "None"
        assert len(line.get_xdata()) == len(MODELS)
    (axes,) = figure_of(result, "loss").axes
    points = [line for line in axes.lines if len(line.get_xdata()) == len(MODELS)]
    assert points
    assert {line.get_linestyle() for line in points} == {"None"}


def test_a_total_s_whiskers_are_its_low_and_high_prices_and_its_text_stands_clear(result):
    (axes,) = figure_of(result, "bars").axes
    (whiskers,) = [drawn for drawn in axes.containers if isinstance(drawn, ErrorbarContainer)]
    rows = at(result.summary, new_tokens=9, phase="request", model="llama-7b").set_index("scheme").loc[SCHEMES]
    unit = unit_in(axes.get_xlabel(), "J")
    ends = np.array([segment[:, 0] for segment in whiskers[2][0].get_segments()]) * unit
    np.testing.assert_allclose(ends, rows[["energy_low_j", "energy_high_j"]])
    for text, high in zip(axes.texts, rows["energy_high_j"], strict=True):
        assert text.xy[0] * unit == pytest.approx(high)
        assert text.get_bbox_patch().get_facecolor()[:3] == (1.0, 1.0, 1.0)
        assert text.get_zorder() > axes.xaxis.get_zorder()  # an axis draws its grid


def test_bars_are_of_the_models_and_the_workload_that_the_plot_selects(result):
    (axes,) = figure_of(result, "bars").axes
    assert [label.get_text().split("  ") for label in axes.get_yticklabels()] == [["llama-7b", s] for s in SCHEMES]
    (parts,) = figure_of(result, "parts").axes
    long = at(result.results, batch=5, phase="prefill", model="bitnet-b1.58-3b", scheme="fp16")
    shares = long.groupby(long["component"].astype(str))["energy_pj"].sum() / long["energy_pj"].sum() * 100
    bar = [label.get_text().split("  ") for label in parts.get_yticklabels()].index(["bitnet-b1.58-3b", "fp16"])
    widths = {stack.get_label(): stack[bar].get_width() for stack in bars_of(parts)}
    for name in ("q_proj", "ffn_down", "attention_scores", "static"):
        assert widths[name] == pytest.approx(shares[name])


def test_ratios_beside_those_of_the_papers_are_at_the_selected_workload(result):
    figure = figure_of(result, "ratio")
    own = at(result.summary, prompt_tokens=300, batch=5, phase="request", scheme="bitnet").sort_values("parameters")
    papers = run_experiment(
        {
            "name": "x",
            "models": MODELS,
            "schemes": ["fp16", "bitnet"],
            "technologies": ["7nm"],
            "workload": {"prompt_tokens": 300, "new_tokens": 4, "batch": 5},
            "baseline": {"scheme": "fp16"},
        }
    ).summary
    papers = papers[(papers["scheme"] == "bitnet") & (papers["phase"] == "request")].sort_values("parameters")
    lines = dict(line[::-1] for line in drawn_lines(figure))
    drawn = {("papers" in line.get_label()): line.get_ydata() for line, scheme in lines.items() if scheme == "bitnet"}
    thin = [line for line in lines if "papers" in line.get_label() and "bitnet" in line.get_label()]
    np.testing.assert_allclose(drawn[False], own["ratio_to_baseline"])
    assert any(np.allclose(line.get_ydata(), papers["ratio_to_baseline"]) for line in thin)
    assert "300 prompt tokens, 4 new tokens, batch 5" in " ".join(figure.get_suptitle().split())


def test_points_under_a_roof_are_at_the_selected_prompt(result):
    figure = figure_of(result, "roofline")
    (axes,) = figure.axes
    points = [line for line in axes.lines if line.get_marker() not in ("None", "") and len(line.get_xdata()) == 2]
    speeds = sorted(value for line in points for value in line.get_ydata())
    rows = at(result.summary, prompt_tokens=300, batch=None)
    rows = rows[rows["model"].isin(["llama-7b", "bitnet-1.3b"]) & (rows["phase"] != "request")]
    assert len(speeds) == len(rows)
    prefill = rows[(rows["phase"] == "prefill") & (rows["model"] == "llama-7b")]
    macs = 300 * prefill["batch"] * 32 * 4096 * (4 * 4096 + 3 * 11008)  # the linears alone: attention adds to them
    least = (2 * macs / prefill["latency_s"]).to_numpy()
    assert all(any(value <= speed < 1.2 * value for speed in speeds) for value in least)
    assert "300 prompt tokens" in figure.get_suptitle()


@pytest.mark.parametrize(("name", "title"), [("memory", "Bytes of each model"), ("loss", "Loss")])
def test_a_plot_may_have_a_title_of_its_own(result, name, title):
    assert figure_of(result, name).get_suptitle() == title


def test_memory_is_that_of_the_selected_prompt(result):
    axes = figure_of(result, "memory").axes
    rows = at(result.memory, prompt_tokens=300)
    ends = [
        (bar.get_x() + bar.get_width()) * unit_in(panel.get_xlabel(), "B")
        for panel in axes
        for bar in bars_of(panel)[-1]
    ]
    np.testing.assert_allclose(ends, rows["memory_bytes"])


def test_the_mac_of_a_whole_array_is_not_called_a_multiplication():
    result = run_experiment(
        {
            "name": "x",
            "accounting": "mac",
            "matmuls": [{"m": 1, "k": 1, "n": 1}],
            "schemes": ["fp16", "int8", "bitnet-b1.58", "bitnet"],
            "technologies": ["7nm", "7nm-measured-arrays"],
            "plots": [{"kind": "components", "by": "action", "share": False}],
        }
    )
    table, arrays = draw(result.requested[0], result, LIGHT).axes
    assert [axes.get_title() for axes in (table, arrays)] == ["7nm", "7nm-measured-arrays (synthesised)"]
    for axes, names in (
        (table, {"mul fp16", "add fp16", "mul int8", "add int8"}),
        (arrays, {"mac fp16 x fp16", "mac int8 x int8", "mac ternary x int8", "mac binary x int8"}),
    ):
        stacks = [stack for stack in bars_of(axes) if any(bar.get_width() > 0 for bar in stack)]
        assert {stack.get_label() for stack in stacks} == names
    hues = {stack.get_label(): to_hex(stack[0].get_facecolor()) for stack in bars_of(arrays)}
    assert len(set(hues.values())) == len(hues)
    assert hues["mac ternary x int8"] in LIGHT.families[2]
    assert hues["mul int8"] in LIGHT.families[1]
    assert isinstance(bars_of(table)[0][0], Rectangle)


@pytest.mark.parametrize(("size", "dpi"), [((8.0, 6.0), 150), ((20.0, 5.0), 100), ((5.0, 40.0), 50)])
def test_no_picture_is_wider_or_higher_than_2000_pixels(size, dpi):
    assert png_dpi(new_figure(*size)) == pytest.approx(dpi)
