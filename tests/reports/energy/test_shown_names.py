"""What titles, legends and ticks name is what is drawn: workloads, schemes, models, parts, round numbers."""

import re

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from bitjoule import run_experiment
from bitjoule.reports.energy.pictures import draw
from bitjoule.reports.energy.workloads import workload_text
from bitjoule.reports.figures.style import BAND_LABEL, THEMES, settings, size_tick, token_tick, unit_tick
from tests.reports.shown import THREE_DIGITS, bars_of, quantity, unit_in

PROMPT, NEW, BATCH = [300, 2048], [20, 6], [3, 1]
MODELS = ["bitnet-b1.58-1.3b", "bitnet-b1.58-700m", "bitnet-b1.58-3b"]  # not by size: lines over size sort them
PLOTS = {
    "energy": {"kind": "energy_vs_size"},
    "ratio": {"kind": "ratio_vs_size", "phase": "decode"},
    "components": {"kind": "components", "phase": "prefill"},
    "actions": {"kind": "components", "by": "action", "share": False},
    "memory": {"kind": "memory"},
    "latency": {"kind": "sweep", "over": "prompt_tokens", "quantity": "latency_s", "phase": "decode"},
    "speed": {"kind": "sweep", "over": "batch", "quantity": "tokens_per_s"},
    "ratios": {"kind": "sweep", "over": "new_tokens", "quantity": "ratio_to_baseline"},
    "roofline": {"kind": "roofline"},
    "loss": {"kind": "loss_vs_energy"},
}
SUFFIXES = {"": 1, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


@pytest.fixture(scope="module", params=[("fp16", "bitnet-b1.58"), ("bitnet-b1.58", "fp16")], ids=["less", "more"])
def found(request):
    schemes = list(request.param)
    return run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": MODELS,
            "schemes": schemes,
            "technologies": ["7nm"],
            "platforms": [{"name": "hbm", "by_scheme": {"fp16": "fp16-hbm", "bitnet-b1.58": "ternary-hbm"}}],
            "workload": {"prompt_tokens": PROMPT, "new_tokens": NEW, "batch": BATCH},
            "baseline": {"scheme": schemes[0]},
            "plots": list(PLOTS.values()),
        }
    )


def figure_of(found, name):
    return draw(found.requested[list(PLOTS).index(name)], found, THEMES[0])


def at(rows, **values):
    """Return the rows with some values, and the first of the workload's others."""
    values = {"prompt_tokens": PROMPT[0], "new_tokens": NEW[0], "batch": BATCH[0]} | values
    return rows[np.logical_and.reduce([rows[column] == value for column, value in values.items() if value is not None])]


def named(text):
    """Return the numbers of a title by what stands beside them."""
    patterns = {"prompt": r"(\d+) prompt tokens?\b", "new": r"(\d+) new tokens?\b", "batch": r"batch (\d+)",
                "workloads": r"first of (\d+) workloads"}  # fmt: skip
    read = {name: re.search(pattern, text) for name, pattern in patterns.items()}
    return {name: int(match.group(1)) for name, match in read.items() if match}


@pytest.mark.parametrize(
    ("plot", "phase", "numbers"),
    [
        ("energy", "request", {"prompt": 300, "new": 20, "batch": 3, "workloads": 8}),
        ("ratio", "decode", {"prompt": 300, "new": 20, "batch": 3, "workloads": 8}),
        ("components", "prefill", {"prompt": 300, "new": 20, "batch": 3, "workloads": 8}),
        ("actions", None, {"prompt": 300, "new": 20, "batch": 3, "workloads": 8}),
        ("memory", None, {"prompt": 300, "new": 20, "batch": 3, "workloads": 8}),
        ("latency", "decode", {"new": 20, "batch": 3}),
        ("speed", "request", {"prompt": 300, "new": 20}),
        ("ratios", "request", {"prompt": 300, "batch": 3}),
        ("roofline", "prefill and decode", {"prompt": 300, "new": 20}),
    ],
)
def test_a_title_names_the_phase_and_the_workload_that_are_drawn(found, plot, phase, numbers):
    title = " ".join(figure_of(found, plot).get_suptitle().split())
    name, _, text = title.partition(": ")
    assert name == "x"
    assert named(text) == numbers
    words = [word for word in ("prefill and decode", "prefill", "decode", "request") if text.startswith(word)]
    assert words[:1] == ([phase] if phase else [])


@pytest.mark.parametrize(("batch", "prompt", "new"), [(1, 1, 0), (2, 1, 1), (1, 2, 2), (7, 300, 5)])
def test_a_workload_is_said_with_the_numbers_that_matter(batch, prompt, new):
    text = workload_text(batch, prompt, new)
    wanted = {"prompt": prompt, "new": new, "batch": batch}
    assert named(text) == {name: n for name, n in wanted.items() if (name, n) not in (("new", 0), ("batch", 1))}
    for word, count in (("prompt", prompt), ("new", new)):
        assert (f"{word} tokens" in text) == (count > 1)


def legend_of(figure):
    (legend,) = figure.legends
    handles = zip(legend.get_texts(), legend.legend_handles, strict=True)
    return [(text.get_text(), handle) for text, handle in handles if text.get_text() != BAND_LABEL]


@pytest.mark.parametrize(
    ("plot", "column", "phase"),
    [("energy", "energy_j", "request"), ("ratio", "ratio_to_baseline", "decode")],
)
def test_each_line_over_size_is_of_the_scheme_that_the_legend_gives_its_colour(found, plot, column, phase):
    figure = figure_of(found, plot)
    (axes,) = figure.axes
    colors = {to_hex(handle.get_color()): name for name, handle in legend_of(figure)}
    schemes = found.schemes if plot == "energy" else found.schemes[1:]
    assert list(colors.values()) == list(schemes)
    drawn = [line for line in axes.lines if line.get_label()[0] != "_" and len(line.get_xdata())]
    assert len(drawn) == len(schemes)
    for line in drawn:
        scheme = colors[to_hex(line.get_color())]
        assert line.get_label() == scheme
        own = at(found.summary, scheme=scheme, phase=phase).sort_values("parameters")
        np.testing.assert_allclose(line.get_xydata(), own[["parameters", column]].to_numpy(float))
    assert axes.get_ylabel() == ("energy" if plot == "energy" else f"{found.schemes[0]} energy / energy")


@pytest.mark.parametrize(
    ("plot", "over", "column", "phase"),
    [
        ("latency", "prompt_tokens", "latency_s", "decode"),
        ("speed", "batch", "tokens_per_s", "request"),
        ("ratios", "new_tokens", "ratio_to_baseline", "request"),
    ],
)
def test_each_line_of_a_sweep_is_of_the_scheme_and_model_that_colour_and_marker_mean(found, plot, over, column, phase):
    figure = figure_of(found, plot)
    (axes,) = figure.axes
    entries = legend_of(figure)
    colors = {to_hex(handle.get_color()): name for name, handle in entries if name in found.schemes}
    markers = {handle.get_marker(): name for name, handle in entries if name in MODELS}
    schemes = found.schemes[1:] if plot == "ratios" else found.schemes
    assert list(colors.values()) == list(schemes)
    assert list(markers.values()) == MODELS
    drawn = [line for line in axes.lines if line.get_label()[0] != "_"]
    assert len(drawn) == len(schemes) * len(MODELS)
    for line in drawn:
        case = {"scheme": colors[to_hex(line.get_color())], "model": markers[line.get_marker()], "phase": phase}
        own = at(found.summary, **case, **{over: None}).sort_values(over)
        assert len(own) == 2
        np.testing.assert_allclose(line.get_xydata(), own[[over, column]].to_numpy(float))
    names = {"latency": "latency", "speed": "tokens per second", "ratios": f"{found.schemes[0]} energy / energy"}
    assert axes.get_ylabel() == names[plot]


@pytest.mark.parametrize(("plot", "phase", "by"), [("components", "prefill", "component"), ("actions", None, "action")])
def test_each_part_of_a_bar_is_what_the_legend_gives_its_colour(found, plot, phase, by):
    figure = figure_of(found, plot)
    (axes,) = figure.axes
    bars = [label.get_text().split("  ") for label in axes.get_yticklabels()]
    long = at(found.results)
    long = long if phase is None else long[long["phase"] == phase]
    stores = {"register": "registers", "buffer": "buffers", "off_chip": "off-chip memory", "leak": "leakage"}
    stores |= dict.fromkeys(("busy", "idle", "on"), "static")
    if by == "component":
        parts = long["component"].astype(str)
    else:
        action, number = long["action"].astype(str), long["format"].astype(str)
        store = action.str.replace("_read", "").str.replace("_write", "").map(stores)
        parts = store.fillna(action + " " + number)
    sums = long.groupby([long["model"].astype(str), long["scheme"].astype(str), parts])["energy_pj"].sum() / 1e12
    whole = sums.groupby(level=[0, 1]).sum()
    legend = {name: to_hex(handle.get_facecolor()) for name, handle in legend_of(figure)}
    assert len(set(legend.values())) == len(legend)
    named, _, thin = figure.legends[0].get_title().get_text().replace("\n", " ").partition(": ")
    thin = set(filter(None, thin.split(", ")))
    assert named == ("too thin to see" if thin else "")
    assert [bars.get_label() for bars in bars_of(axes) if bars.get_label() not in thin] == list(legend)
    assert thin <= {bars.get_label() for bars in bars_of(axes)}
    exact = 0
    for container in bars_of(axes):
        label = container.get_label()
        assert {to_hex(bar.get_facecolor()) for bar in container} == {
            legend.get(label, to_hex(container[0].get_facecolor()))
        }
        if label == "element-wise":  # several parts as one
            continue
        exact += 1
        for bar, (model, scheme) in zip(container, bars, strict=True):
            joules = sums.get((model, scheme, label), 0.0)
            full = whole[model, scheme] / 100 if by == "component" else unit_in(axes.get_xlabel(), "J")
            assert bar.get_width() == pytest.approx(joules / full)
    assert exact > 4


@given(st.integers(1, 1 << 30))
def test_a_tick_of_tokens_is_the_number_where_k_is_1024(count):
    text = token_tick(count)
    factor = {"k": 1 << 10, "M": 1 << 20}.get(text[-1], 1)
    assert int(text.rstrip("kM")) * factor == count
    assert (factor > 1) == (count % 1024 == 0)


@given(st.floats(1, 9e14))
def test_a_tick_of_parameters_is_within_three_digits(count):
    text = size_tick(count)
    number, suffix = (text[:-1], text[-1]) if text[-1].isalpha() else (text, "")
    assert float(number) * SUFFIXES[suffix] == pytest.approx(count, rel=THREE_DIGITS)


@pytest.mark.parametrize("unit", ["J", "B", "s", ""])
@given(value=st.floats(1e-14, 9e14))
def test_a_tick_of_a_quantity_is_within_four_digits(unit, value):
    text = unit_tick(value, unit)
    assert (" " in text) == bool(unit)
    spaced = text if unit else re.sub(r"([TGMkmµnpf]?)$", r" \1", text, count=1)
    assert quantity(spaced, unit) == pytest.approx(value, rel=0.00051, abs=0)


@pytest.mark.parametrize(
    ("models", "schemes"),
    [
        (["bitnet-125m", "bitnet-30b"], ["fp16", "bitnet"]),
        (["bitnet-1.3b", "bitnet-6.7b"], ["fp16", "int8"]),
        (["bitnet-1.3b", "bitnet-2.7b"], ["fp16", "bitnet"]),
    ],
    ids=["far", "near", "nearer"],
)
@pytest.mark.parametrize("baseline", ["scheme", "model"])
def test_ticks_of_ratios_and_parameters_are_at_the_values_they_name(models, schemes, baseline):
    found = run_experiment(
        {
            "name": "x",
            "models": models,
            "schemes": schemes,
            "technologies": ["7nm"],
            "baseline": {"scheme": "fp16"} if baseline == "scheme" else {"model": models[0]},
            "plots": [{"kind": "ratio_vs_size"}],
        }
    )
    with mpl.rc_context(settings(THEMES[0])):
        figure = draw(found.requested[0], found, THEMES[0])
        figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    assert low == 0 if axes.get_yscale() == "linear" else low > 0
    assert high > found.summary["ratio_to_baseline"].max()
    read = 0
    for tick in axes.get_yticklabels():
        if text := tick.get_text().replace("$", ""):
            assert text.endswith("×")
            assert float(text[:-1]) == pytest.approx(tick.get_position()[1], rel=1e-5)
            read += 1
    for tick in axes.get_xticklabels():
        if text := tick.get_text().replace("$", ""):
            number, suffix = (text[:-1], text[-1]) if text[-1].isalpha() else (text, "")
            assert float(number) * SUFFIXES[suffix] == pytest.approx(tick.get_position()[0], rel=THREE_DIGITS)
            read += 1
    assert read > 4


def test_ticks_of_tokens_are_at_the_swept_values(found):
    figure = figure_of(found, "latency")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    read = {tick.get_text(): tick.get_position()[0] for tick in axes.get_xticklabels() if tick.get_text()}
    assert read == {"300": 300, "2k": 2048}
    assert "1k = 1024" in axes.get_xlabel()
    (other,) = figure_of(found, "speed").axes
    assert other.get_xlabel() == "batch"


@pytest.mark.parametrize("platforms", [["ternary-edge"], ["ternary-edge", "ternary-hbm"]])
@pytest.mark.parametrize("technologies", [["7nm"], ["45nm", "7nm"]])
def test_bars_are_as_wide_as_their_panels_whose_titles_name_the_platform_if_there_is_one(platforms, technologies):
    result = run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": MODELS[:1],
            "schemes": ["bitnet-b1.58"],
            "technologies": technologies,
            "platforms": platforms,
            "plots": [{"kind": "components"}],
        }
    )
    figure = draw(result.requested[0], result, THEMES[0])
    only = f", {platforms[0]}" if len(platforms) == 1 else ""
    assert [axes.get_title() for axes in figure.axes] == [f"{technology}{only}" for technology in technologies]
    assert len(figure.axes[0].get_yticklabels()) == len(platforms)  # a bar each
    room_in = figure.get_figwidth() - 5.6 * len(technologies)
    assert 1 < room_in < 5  # for the names of the bars


def test_a_title_says_how_many_of_the_models_are_drawn():
    models = ["bitnet-125m", "bitnet-350m", "bitnet-760m", "bitnet-1.3b", "bitnet-2.7b", "bitnet-6.7b"]
    found = run_experiment(
        {
            "name": "x",
            "models": models,
            "schemes": ["fp16", "bitnet"],
            "technologies": ["7nm"],
            "workload": {"prompt_tokens": [8, 16], "new_tokens": 0},
            "plots": [{"kind": "sweep", "over": "prompt_tokens"}, {"kind": "components"}],
        }
    )
    sweep, bars = (draw(plot, found, THEMES[0]) for plot in found.requested)
    assert sweep.get_suptitle().endswith(", 4 of 6 models")
    drawn = [name for name, _ in legend_of(sweep) if name in models]
    assert drawn == ["bitnet-125m", "bitnet-350m", "bitnet-1.3b", "bitnet-6.7b"]  # evenly spread, both ends
    assert "models" not in bars.get_suptitle()
    assert len(bars.axes[0].get_yticklabels()) == 12


def test_the_title_of_bare_products_names_no_tokens():
    found = run_experiment(
        {
            "name": "x",
            "matmuls": [{"m": 7, "k": 64, "n": 32}, {"m": 3, "k": 128, "n": 64}],
            "schemes": ["fp16", "bitnet"],
            "technologies": ["7nm"],
            "plots": [{"kind": "energy_vs_size"}],
        }
    )
    figure = draw(found.requested[0], found, THEMES[0])
    assert figure.get_suptitle() == "x: matrix products"
    assert {line.get_label(): line.get_xdata().tolist() for line in figure.axes[0].lines} == {
        "fp16": [64 * 32, 128 * 64],
        "bitnet": [64 * 32, 128 * 64],
    }
