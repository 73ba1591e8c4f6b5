"""Pictures: each kind is drawn, and no text lies on another."""

import matplotlib as mpl
import numpy as np
import pytest

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.papers.scaling import laws
from bitjoule.experiments.energy.resolve import read_experiment, resolve
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import open_experiment, shipped_experiments
from bitjoule.reports.energy.pictures import draw, draw_all, file_stems
from bitjoule.reports.energy.plots.losses import Curve, amount_text, curves
from bitjoule.reports.energy.plots.roofline import roofline_points, roofs
from bitjoule.reports.energy.workloads import WORKLOAD_AXES, first_rows
from bitjoule.reports.figures.digits import PREFIXES, with_unit
from bitjoule.reports.figures.panels import panels_of
from bitjoule.reports.figures.style import THEMES, settings
from tests.experiments.shipped import result_of
from tests.reports.pages import assert_clean, drawn_ticks, name_of_page, on_either_page
from tests.sampling import sampled

pytestmark = pytest.mark.slow  # they draw

PLOTS = [
    (name, i)
    for name, path in shipped_experiments("energy").items()
    for i in range(len(read_document(path).data.get("plots", [])))
]
RESULTS = {}


@pytest.mark.parametrize(
    ("name", "plot", "theme"), on_either_page(PLOTS, "shipped pictures", one_in=2), ids=name_of_page
)
def test_no_text_lies_on_another_or_leaves_the_page(name, plot, theme):
    result = result_of(name)
    figure = draw(result.requested[plot], result, theme)
    with mpl.rc_context(settings(theme)):
        assert_clean(figure)


MACHINES = {"fp16": "fp16", "int8": "int8", "w4a8": "int4", "bitnet-b1.58": "ternary"}
RIVALS = {
    "schemes": [*MACHINES],
    "platforms": [
        {"name": place, "by_scheme": {scheme: f"{machine}-{place}" for scheme, machine in MACHINES.items()}}
        for place in ("edge", "hbm")
    ],
}


@pytest.mark.parametrize(
    ("name", "plot", "theme"),
    on_either_page([("roofline", 0), ("technology_compare", 0), ("technology_compare", 1)], "rivals"),
    ids=name_of_page,
)
def test_four_machines_whose_peaks_are_close_and_products_of_two_formats_are_drawn(name, plot, theme):
    result = run(resolve(open_experiment(name, RIVALS)))
    figure = draw(result.requested[plot], result, theme)
    with mpl.rc_context(settings(theme)):
        assert_clean(figure)


ODD = {
    "one model": "models: [bitnet-6.7b]\nschemes: [fp16, bitnet]",
    "the baseline alone": "models: [bitnet-125m, bitnet-6.7b]\nschemes: [fp16]",
    "sizes near each other": "models: [llama-7b, mistral-7b, qwen2.5-7b, falcon3-7b]\nschemes: [fp16, bitnet]",
    "matmuls": "matmuls: [{m: 1, k: 64, n: 32}, {m: 512, k: 64, n: 32}, {m: 1, k: 4096, n: 4096}]\n"
    "schemes: [fp16, bitnet]",
    "many schemes": "models: [bitnet-125m, bitnet-6.7b, bitnet-70b]\nschemes: [fp16, fp32, bf16, int8, bitnet, "
    "{name: w1a16, weights: binary, activations: fp16, attention: fp16, rescale: fp16}, "
    "{name: w8a16, weights: int8, activations: fp16, attention: fp16, rescale: fp16}]",
    "long names": f"models: [{{name: {'a-long-name' * 8}, layers: 1, hidden: 4, heads: 2, ffn: 8, ffn_gated: true, "
    f"activation: silu, vocabulary: 5}}]\nschemes: [fp16, bitnet]",
    "more bars than fit": "models: [opt-125m, opt-1.3b, opt-2.7b, opt-6.7b, opt-13b, opt-30b, opt-66b, opt-175b]\n"
    "schemes: [fp32, fp16, int8, bitnet]",
}


ODD_KINDS = ["energy_vs_size", "ratio_vs_size", "components"]


@pytest.mark.parametrize(
    ("what", "kind", "theme"),
    on_either_page([(what, kind) for what in ODD for kind in ODD_KINDS], "odd pictures"),
    ids=name_of_page,
)
def test_pictures_of_odd_experiments_are_as_clean(resolved, what, kind, theme):
    plots = f"plots: [{{kind: {kind}}}]\nbaseline: {{scheme: fp16}}\n"
    result = run(resolved(f"name: x\ntechnologies: [7nm]\n{ODD[what]}\n{plots}"))
    figure = draw(result.requested[0], result, theme)
    with mpl.rc_context(settings(theme)):
        assert_clean(figure)
        ticks = [label.get_text() for label in drawn_ticks(figure.axes[0].xaxis)]
    assert len(set(ticks)) == len(ticks)


SYSTEM_ODD = {
    "one of each": "models: [bitnet-1.3b]\nschemes: [bitnet]\ntechnologies: [7nm]\nplatforms: [ternary-edge]\n"
    "workload: {prompt_tokens: 64, new_tokens: 8}",
    "sizes near each other": "models: [llama-7b, mistral-7b, qwen2.5-7b]\nschemes: [fp16, bitnet]\n"
    "technologies: [45nm, 7nm]\nplatforms: [ternary-edge]\nworkload: {prompt_tokens: 64, new_tokens: [8, 9]}",
    "three platforms at two nodes": "models: [bitnet-125m, bitnet-1.3b, bitnet-b1.58-3b, bitnet-30b, opt-125m]\n"
    "schemes: [fp16, bitnet]\ntechnologies: [45nm, 7nm]\nplatforms: [fp16-edge, ternary-edge, ternary-hbm]\n"
    "workload: {prompt_tokens: [128, 512], new_tokens: 8, batch: [1, 2]}",
    "far sweeps and machines of their own": "models: [bitnet-b1.58-2b-4t]\ntechnologies: [7nm]\n"
    "schemes: [fp16, int8, bitnet-b1.58, bitnet]\nplatforms: [{name: edge, "
    "by_scheme: {fp16: fp16-edge, int8: int8-edge, bitnet-b1.58: ternary-edge, bitnet: ternary-edge}}]\n"
    "workload: {prompt_tokens: {start: 128, stop: 131072, factor: 4}, new_tokens: {start: 1, stop: 1001, step: 250}, "
    "batch: {start: 1, stop: 256, factor: 4}}",
    "prefill alone and long names": f"models: [{{name: {'a-long-name' * 8}, layers: 1, hidden: 64, heads: 2, ffn: 128, "
    f"ffn_gated: true, activation: silu, vocabulary: 5}}]\nschemes: [fp16, bitnet]\ntechnologies: [7nm]\n"
    "platforms: [fp16-edge-peak, int8-edge-peak, ternary-edge, ternary-hbm]\nworkload: {prompt_tokens: [1, 5, 9]}",
}
SYSTEM_KINDS = {
    "energy of a token": "{kind: energy_vs_size, per_token: true}",
    "ratio beside arithmetic": "{kind: ratio_vs_size, arithmetic: true}",
    "components": "{kind: components, phase: prefill, share: false}",
    "actions": "{kind: components, by: action}",
    "sweep of prompts": "{kind: sweep, over: prompt_tokens}",
    "sweep of new tokens": "{kind: sweep, over: new_tokens, quantity: latency_s}",
    "sweep of batch": "{kind: sweep, over: batch, quantity: ratio_to_baseline}",
    "sweep of speed": "{kind: sweep, over: batch, quantity: tokens_per_s}",
    "sweep of memory": "{kind: sweep, over: prompt_tokens, quantity: memory_bytes}",
    "roofline": "{kind: roofline}",
    "loss": "{kind: loss_vs_energy}",
    "memory": "{kind: memory}",
}


def system_result(resolved, what):
    if what not in RESULTS:
        baseline = "{scheme: bitnet}" if what == "one of each" else "{scheme: fp16}"
        text = f"name: x\naccounting: system\nbaseline: {baseline}\n{SYSTEM_ODD[what]}\n"
        RESULTS[what] = run(resolved(f"{text}plots: [{', '.join(SYSTEM_KINDS.values())}]\n"))
    return RESULTS[what]


def plot_of(result, kind):
    return result.requested[list(SYSTEM_KINDS).index(kind)]


CASES = [f"{what}, {kind}, {theme}" for what in SYSTEM_ODD for kind in SYSTEM_KINDS for theme in ("light", "dark")]


@pytest.mark.parametrize("case", sampled(CASES, 10, "pictures of odd systems"))
def test_pictures_of_odd_systems_are_as_clean(resolved, case):
    what, kind, background = case.rsplit(", ", 2)
    theme = THEMES[background == "dark"]
    result = system_result(resolved, what)
    figure = draw(plot_of(result, kind), result, theme)
    with mpl.rc_context(settings(theme)):
        assert_clean(figure)
        ticks = [label.get_text() for label in drawn_ticks(figure.axes[0].xaxis)]
    assert 1 <= len(set(ticks)) == len(ticks)


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_the_pictures_of_matmuls_on_platforms_are_as_clean(resolved, theme):
    plots = "plots: [{kind: energy_vs_size}, {kind: components}, {kind: components, by: action}, {kind: roofline}]\n"
    rest = "technologies: [7nm]\nplatforms: [ternary-edge]\n"
    result = run(resolved(f"name: x\naccounting: system\n{ODD['matmuls']}\n{rest}{plots}"))
    for plot in result.requested:
        figure = draw(plot, result, theme)
        with mpl.rc_context(settings(theme)):
            assert_clean(figure)


def at_first_workload(result, rows, but=""):
    """Return the rows of the first workload, or of those that differ from it in one value."""
    for axis, values in zip(WORKLOAD_AXES, result.grid.workload(np.array([0])), strict=True):
        rows = rows if axis == but else rows[rows[axis] == values[0]]
    return rows


def panel_rows(axes, rows):
    """Return the rows that belong on a panel, by its title."""
    return rows[rows["technology"].astype(str) + ", " + rows["platform"].astype(str) == axes.get_title()]


@pytest.mark.parametrize("what", ["three platforms at two nodes", "far sweeps and machines of their own"])
def test_every_technology_and_platform_has_its_panel(resolved, what):
    result = system_result(resolved, what)
    _, _, technologies, platforms = result.grid.names
    wanted = {f"{technology}, {platform}" for technology in technologies for platform in platforms}
    for kind in ("energy of a token", "sweep of prompts", "roofline", "loss"):
        titles = [axes.get_title() for axes in draw(plot_of(result, kind), result, THEMES[0]).axes]
        assert set(titles) == wanted
        assert len(titles) == len(wanted)


@pytest.mark.parametrize(
    ("kind", "over", "column"),
    [
        ("sweep of prompts", "prompt_tokens", "energy_per_token_j"),
        ("sweep of new tokens", "new_tokens", "latency_s"),
        ("sweep of batch", "batch", "ratio_to_baseline"),
        ("sweep of memory", "prompt_tokens", "memory_bytes"),
    ],
)
@pytest.mark.parametrize("what", ["three platforms at two nodes", "far sweeps and machines of their own"])
def test_lines_of_a_sweep_are_the_values_of_the_summary(resolved, what, kind, over, column):
    result = system_result(resolved, what)
    rows = result.summary[result.summary["phase"] == "request"]
    rows = at_first_workload(result, rows, over)
    rows = rows[rows["scheme"] != "fp16"] if column == "ratio_to_baseline" else rows
    for axes in draw(plot_of(result, kind), result, THEMES[0]).axes:
        drawn = np.concatenate([line.get_xydata() for line in axes.lines if line.get_label()[0] != "_"])
        own = panel_rows(axes, rows)[[over, column]].to_numpy(float)
        assert set(map(tuple, drawn.tolist())) <= set(map(tuple, own.tolist()))
        if len(result.grid.models) <= 4:
            assert len(drawn) == len(own)


@pytest.mark.parametrize("what", SYSTEM_ODD)
def test_points_of_a_roofline_lie_under_their_roof(resolved, what):
    result = system_result(resolved, what)
    points = roofline_points(plot_of(result, "roofline"), result)
    assert len(points) > 0
    for panel in panels_of(result):
        reach = {scheme: roof for roof in roofs(result, panel) for scheme in roof.schemes}
        for point in panel.of(points).to_dict("records"):
            roof = reach[point["scheme"]]
            limit = min(point["intensity"] * roof.bytes_per_s, roof.operations_per_s)
            assert 0 < point["operations_per_s"] <= limit * 1.001, point


@pytest.mark.parametrize("what", SYSTEM_ODD)
def test_memory_bars_end_at_the_bytes_that_are_held(resolved, what):
    result = system_result(resolved, what)
    figure = draw(plot_of(result, "memory"), result, THEMES[0])
    ends = []
    for axes in figure.axes:
        unit = axes.get_xlabel().removeprefix("memory (").removesuffix("B)")
        factor = {name: factor for factor, name in PREFIXES}[unit]
        ends += [(bar.get_x() + bar.get_width()) * factor for bar in axes.containers[-1]]
    np.testing.assert_allclose(ends, at_first_workload(result, result.memory)["memory_bytes"])


@pytest.mark.parametrize("what", ["sizes near each other", "three platforms at two nodes"])
def test_the_thin_line_is_the_ratio_of_the_arithmetic_experiment(resolved, what):
    result = system_result(resolved, what)
    text = SYSTEM_ODD[what].split("platforms:")[0] + "baseline: {scheme: fp16}\n"
    _, prompt, new = (int(values[0]) for values in result.grid.workload(np.array([0])))
    papers = run(resolved(f"name: x\n{text}workload: {{prompt_tokens: {prompt}, new_tokens: {new}}}\n")).summary
    papers = papers[(papers["phase"] == "request") & (papers["scheme"] == "bitnet")]
    for axes in draw(plot_of(result, "ratio beside arithmetic"), result, THEMES[0]).axes:
        drawn = np.concatenate([line.get_xydata() for line in axes.lines if "papers" in str(line.get_label())])
        own = papers[papers["technology"] == axes.get_title().split(", ")[0]]
        wanted = own[["parameters", "ratio_to_baseline"]].to_numpy(float)
        np.testing.assert_allclose(sorted(drawn.tolist()), sorted(wanted.tolist()))


def test_system_accountings_have_no_limit_of_one_mac(resolved):
    result = system_result(resolved, "sizes near each other")
    figure = draw(plot_of(result, "ratio beside arithmetic"), result, THEMES[0])
    assert not any("MAC" in text.get_text() for text in figure.legends[0].get_texts())


def test_losses_are_those_of_the_laws_and_hollow_beyond_their_sizes(resolved):
    result = system_result(resolved, "three platforms at two nodes")
    rows, _ = first_rows(result, None)
    for panel in panels_of(result):
        for curve in curves(panel.of(rows), result):
            law = laws()[result.grid.schemes[curve.scheme].weights]
            sizes = sorted(model.parameters for model in result.grid.models.values())
            np.testing.assert_allclose(curve.loss, [law.a * (size / 1e9) ** law.b + law.c for size in sizes])
            assert curve.fitted[0] == (sizes[0] >= 0.75e9 * law.smallest_b)
            assert curve.fitted[-1] == (sizes[-1] <= 1e9 * law.largest_b)


def test_every_loss_lies_within_its_panel(resolved):
    result = system_result(resolved, "three platforms at two nodes")
    for axes in draw(plot_of(result, "loss"), result, THEMES[0]).axes:
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        points = np.concatenate([line.get_xydata() for line in axes.lines if line.get_marker() not in ("", "None")])
        assert ((left < points[:, 0]) & (points[:, 0] < right)).all()
        assert ((bottom < points[:, 1]) & (points[:, 1] < top)).all()
        losses = np.concatenate([curve.loss for curve in curves(first_rows(result, None)[0], result)])
        assert top - bottom == pytest.approx(1.16 * max(losses.max() - losses.min(), 0.2))


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (2.3, "2.3× less"),
        (1 / 1.2, "1.2× more"),
        (1.04, "the same"),
        (0.96, "the same"),
        (1.06, "1.1× less"),
        (13.2, "13× less"),
    ],
)
def test_energies_that_round_to_one_another_are_the_same(ratio, expected):
    assert amount_text(ratio) == expected


def test_the_energy_at_a_loss_lies_on_the_line_between_two_points():
    curve = Curve("x", np.array([1.0, 4.0]), np.array([5.0, 4.0]), np.array([True, True]))
    assert [curve.energy_at(loss) for loss in (5.0, 4.5, 4.0)] == pytest.approx([1.0, 2.0, 4.0])


def test_a_phase_draws_its_energy_alone(resolved):
    text = "name: x\nmodels: [bitnet-1.3b]\nschemes: [fp16, bitnet]\ntechnologies: [7nm]\naccounting: system\n"
    text += "platforms: [ternary-edge]\nworkload: {prompt_tokens: 64, new_tokens: 8}\n"
    plots = ", ".join(
        f"{{kind: components, share: false, phase: {phase}}}" for phase in ("prefill", "decode", "request")
    )
    result = run(resolved(f"{text}plots: [{plots}, {{kind: components, share: false}}]\n"))
    for plot in result.requested:
        figure = draw(plot, result, THEMES[0])
        own = result.summary[result.summary["phase"] == (plot.phase or "request")]["energy_j"]
        written = [text.get_text() for text in figure.axes[0].texts]
        assert written == [with_unit(value, "J") for value in own]


def test_the_ratio_to_the_baseline_is_written_at_points():
    result = result_of("bitnet_energy_vs_size")
    figure = draw(result.requested[0], result, THEMES[0])
    written = {text.get_text() for text in figure.axes[1].texts}
    assert {"29.1×", "21.7×"} <= written  # BitNet Figure 1, 7 nm: 6.7B and 2.7B


@pytest.mark.parametrize(("baseline", "scale"), [("{scheme: fp16}", "linear"), ("{model: bitnet-125m}", "log")])
def test_ratios_that_differ_much_are_drawn_on_a_logarithmic_axis(resolved, baseline, scale):
    text = "name: x\nmodels: [bitnet-125m, bitnet-70b]\nschemes: [fp16, bitnet]\ntechnologies: [45nm, 7nm]\n"
    result = run(resolved(f"{text}baseline: {baseline}\nplots: [{{kind: ratio_vs_size}}]\n"))
    figure = draw(result.requested[0], result, THEMES[0])
    assert {axes.get_yscale() for axes in figure.axes} == {scale}
    lowest = figure.axes[0].get_ylim()[0]
    assert lowest == 0 if scale == "linear" else lowest > 0


def test_printed_numbers_are_hollow_markers_at_their_values():
    result = result_of("bitnet_energy_vs_size")
    figure = draw(result.requested[1], result, THEMES[0])
    hollow = [line for line in figure.axes[1].lines if line.get_markerfacecolor() == "none"]
    assert sorted(line.get_ydata()[0] for line in hollow) == [11.0, 18.6, 21.7, 29.1, 32.9]


def test_schemes_that_coincide_share_a_line_and_a_name():
    result = result_of("model_size_curve")
    figure = draw(result.requested[0], result, THEMES[0])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["fp16", "int8", "bitnet = bitnet-b1.58"]


def test_stacked_shares_end_at_a_hundred_per_cent():
    result = result_of("bitnet_energy_vs_size")
    figure = draw(result.requested[2], result, THEMES[0])
    ends = [
        container[i].get_x() + container[i].get_width()
        for container in figure.axes[0].containers[-1:]
        for i in range(18)
    ]
    np.testing.assert_allclose(ends, 100)


def test_stacked_joules_are_the_prices_of_one_mac():
    result = result_of("b158_mac_energy")
    figure = draw(result.requested[0], result, THEMES[0])
    widths = sorted(bar.get_width() for bar in figure.axes[0].patches if bar.get_width() > 0)
    np.testing.assert_allclose(widths, [7, 160, 340])  # fJ at 7 nm: INT8 add, FP16 add, FP16 multiplication


def test_a_plot_asked_for_twice_gets_two_files(resolved, small, tmp_path):
    plots = (
        "plots: [{kind: components}, {kind: components, by: action}, {kind: energy_vs_size}, {kind: ratio_vs_size}]\n"
    )
    result = run(resolved(small + plots))
    assert file_stems(result) == ["components", "components_2", "energy_vs_size", "ratio_vs_size"]
    (tmp_path / "out").mkdir()
    draw_all(result, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 4 * 4


def test_a_plot_of_printed_numbers_is_left_out_where_there_are_none(tmp_path):
    path = shipped_experiments("energy")["bitnet_table1"]
    draw_all(run(read_experiment(path, ["workload.prompt_tokens=9", "plots=[{kind: published}]"])), tmp_path)
    assert list(tmp_path.iterdir()) == []
