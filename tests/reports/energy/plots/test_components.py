"""Colours of components: each its own, and those of a transformer the same whatever else is drawn; and its legend."""

import pytest
from matplotlib.colors import to_rgb

from bitjoule.energy_models.architecture.components import COMPONENTS, names
from bitjoule.experiments.energy.runner import run
from bitjoule.reports.energy.pictures import draw
from bitjoule.reports.energy.plots.components import STORES, _system_colors
from bitjoule.reports.figures.style import BAND_LABEL, DARK, LIGHT, THEMES, shades

PLAIN = [component.name for component in COMPONENTS if component.does == "matmul" and not component.optional]


def test_matmuls_that_are_drawn_together_have_colours_of_their_own():
    for theme in THEMES:
        drawn = _system_colors([name for name in names("matmul") if name != "matmul"], theme)  # no model's product
        assert len(set(drawn.values())) == len(drawn)


def test_a_transformers_colours_are_those_of_its_theme():
    for theme in THEMES:
        drawn = _system_colors(PLAIN, theme)
        projections = [drawn[name] for name in ("q_proj", "k_proj", "v_proj", "o_proj")]
        assert projections == list(theme.families[0][:4])


MAYBE = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [bitnet-b1.58]
technologies: [7nm]
platforms:
  - {name: own, like: ternary-edge, nodes: {7nm: {leakage_w: 0}},
     static: {phy: 0, dram: 0, host: {low: 0, nominal: WATTS, high: 1}}}
plots: [{kind: components, by: action, share: false}]
"""


def test_the_legend_names_parts_that_take_energy_alone(resolved):
    """Watts that may flow, but nominally do not, have an end of the band and no bar."""
    for watts, named in (("0.5", True), ("0", False)):
        result = run(resolved(MAYBE.replace("WATTS", watts)))
        assert (result.results["action"] == "on").any()
        legend = [text.get_text() for text in draw(result.requested[0], result, THEMES[0]).legends[0].get_texts()]
        assert ("static" in legend) is named


def widest_pt(figure):
    """Return the width of each part in points where it is widest, as it is drawn."""
    figure.canvas.draw()
    found = {}
    for axes in figure.axes:
        for bars in axes.containers:
            pixels = [bar.get_window_extent().width for bar in getattr(bars, "patches", [])]
            if pixels:
                found[bars.get_label()] = max(found.get(bars.get_label(), 0.0), max(pixels) * 72 / figure.dpi)
    return found


@pytest.mark.parametrize("nodes", ["[7nm]", "[7nm, 45nm]"])
def test_the_legend_has_the_parts_that_can_be_seen_and_names_the_others(resolved, nodes):
    """Half a point is a pixel; what lies near it may be in either."""
    result = run(resolved(PHASES.replace("[7nm]", nodes)))
    for plot in result.requested:
        figure = draw(plot, result, LIGHT)
        legend = figure.legends[0]
        entries = {text.get_text() for text in legend.get_texts()}
        said, _, others = legend.get_title().get_text().replace("\n", " ").partition(": ")
        assert said in ("", "too thin to see")
        hidden = set(others.split(", ")) if said else set()
        widths_pt = widest_pt(figure)
        assert hidden | (entries - {BAND_LABEL}) == set(widths_pt)
        assert not hidden & entries
        assert {part for part, width_pt in widths_pt.items() if width_pt > 0.7} <= entries
        assert {part for part, width_pt in widths_pt.items() if width_pt < 0.3} <= hidden


PHASES = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: own, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}]
workload: {prompt_tokens: 4096, new_tokens: 2}
plots: [{kind: components, phase: decode}, {kind: components, phase: prefill}, {kind: components},
        {kind: components, phase: prefill, share: false}]
"""


@pytest.mark.parametrize("theme", THEMES)
def test_a_part_has_one_colour_and_one_hatch_in_the_pictures_of_all_phases(resolved, theme):
    """A long prompt's attention takes more than its projections, a token's less: the largest part is another."""
    result = run(resolved(PHASES))
    looks = {}
    for plot in result.requested:
        for bars in draw(plot, result, theme).axes[0].containers:
            bar = getattr(bars, "patches", [None])[0]
            if bar is not None:
                looks.setdefault(bars.get_label(), set()).add((bar.get_hatch(), bar.get_facecolor()))
    assert len(looks) > 5
    assert {part: len(of_part) for part, of_part in looks.items()} == dict.fromkeys(looks, 1)


NODES = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [fp16]
technologies: [7nm, 45nm]
platforms: [{name: own, like: fp16-edge, nodes: {7nm: {clock_mhz: 250}, 45nm: {clock_mhz: 250}}, static: STATIC}]
workload: {prompt_tokens: 64, new_tokens: 2}
plots: [{kind: components, phase: decode, by: action, share: false}]
"""


@pytest.mark.parametrize(("static", "level"), [("{host: 20}", True), ("null", False)])
def test_panels_whose_longest_bars_are_nearly_as_long_have_one_axis(resolved, static, level):
    """Twenty watts take the same at each node; without them 45 nm takes over twice as much as 7 nm."""
    text = NODES.replace("STATIC", static)
    text = text if level else text.replace("prompt_tokens: 64, new_tokens: 2", "prompt_tokens: 2048, new_tokens: 0")
    text = text if level else text.replace("phase: decode", "phase: prefill")
    result = run(resolved(text))
    panels = [axes for axes in draw(result.requested[0], result, LIGHT).axes if axes.get_xlabel()]
    joules = result.summary[result.summary["phase"] == ("decode" if level else "prefill")]["energy_j"].tolist()
    assert (min(joules) >= max(joules) / 2) is level
    limits = {axes.get_xlim() for axes in panels}
    assert len(limits) == (1 if level else 2)
    assert all(axes.get_xlim()[1] > max(bar.get_x() + bar.get_width() for bar in axes.patches) for axes in panels)
    assert len({axes.get_xlabel() for axes in panels}) == 1 or not level


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_a_store_is_the_darker_the_farther_it_is_from_the_array(theme):
    """Wires aside, which lie between: registers, buffers, off-chip memory; lighter is nearer, as in the legend."""
    colors = _system_colors([*STORES], theme)
    lightness = [sum(to_rgb(colors[name])) for name in STORES]
    assert len(set(colors.values())) == len(STORES)
    assert sorted(lightness, reverse=lightness[0] > lightness[-1]) == lightness
    ends = [sum(to_rgb(colour)) for colour in shades(theme.families[3], len(STORES))]
    assert lightness == pytest.approx(ends[::-1])
