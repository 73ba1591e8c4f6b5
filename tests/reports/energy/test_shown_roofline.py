"""The roofline, read back: points counted anew from the long table, roofs from the platforms' files, their labels."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_hex

from bitjoule import run_experiment
from bitjoule.reports.energy.pictures import draw
from bitjoule.reports.figures.style import THEMES
from tests.energy_models.clocks import MET_MHZ
from tests.reports.shown import THREE_DIGITS, quantity

MODELS = ["bitnet-b1.58-700m", "bitnet-b1.58-3b"]
BATCHES = [2048, 1, 16]
# bytes and operations a second at 7 nm: bandwidth; 2 x lanes x columns x the clock that all arrays meet
HERTZ = MET_MHZ["7nm"] * 1e6
BY_FILE = {"fp16": (12.8e9, 2 * 6 * 13 * HERTZ), "bitnet-b1.58": (1024e9, 2 * 256 * 256 * HERTZ)}


def ran(plots=({"kind": "roofline"},), machines=("fp16-edge", "ternary-hbm")):
    return run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": MODELS,
            "schemes": ["fp16", "bitnet-b1.58"],
            "technologies": ["7nm"],
            "platforms": [
                {"name": "mine", "by_scheme": dict(zip(("fp16", "bitnet-b1.58"), machines, strict=True))},
            ],
            "workload": {"prompt_tokens": [30, 40], "new_tokens": [20, 7], "batch": BATCHES},
            "baseline": {"scheme": "fp16"},
            "plots": list(plots),
        }
    )


@pytest.fixture(scope="module")
def found():
    return ran()


@pytest.fixture(scope="module")
def figure(found):
    drawn = draw(found.requested[0], found, THEMES[0])
    drawn.draw_without_rendering()
    return drawn


def counted(found, model, scheme, phase):
    """Return operations a byte and a second over rising batch, from the long table and the latency."""
    case = {"model": model, "scheme": scheme, "prompt_tokens": 30, "new_tokens": 20}
    points = []
    for batch in sorted(BATCHES):
        long, times = (
            rows[np.logical_and.reduce([rows[key] == value for key, value in (case | {"batch": batch}).items()])]
            for rows in (found.results, found.summary)
        )
        long = long if phase == "request" else long[long["phase"] == phase]
        products = long["component"].isin(
            ["q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down", "attention_scores",
             "attention_values", "lm_head"]
        )  # fmt: skip
        macs = products & (long["operand"] == "partial_sums") & (long["action"] == "add")
        operations = 2 * long[macs]["count"].sum()
        moved = long[long["action"].str.startswith("off_chip")]["count"].sum() / 8
        (latency_s,) = times[times["phase"] == phase]["latency_s"]
        points.append((operations / moved, operations / latency_s))
    return points


def lines_of_points(figure):
    (axes,) = figure.axes
    return [line for line in axes.lines if line.get_marker() not in ("", "None", None) and len(line.get_xdata()) == 3]


def legend_of(figure):
    (legend,) = figure.legends
    return [(text.get_text(), handle) for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)]


def meaning(line, entries, schemes):
    """Return model, scheme and phase of a line by the legend's markers, colours and faces."""
    models = {handle.get_marker(): name for name, handle in entries if name in MODELS}
    colors = {to_hex(handle.get_color()): name for name, handle in entries if name in schemes}
    faces = {name: to_hex(handle.get_markerfacecolor()) for name, handle in entries if name in ("prefill", "decode")}
    hollow = to_hex(line.get_markerfacecolor()) == THEMES[0].background
    assert faces["decode"] == THEMES[0].background != faces["prefill"]
    return models[line.get_marker()], colors[to_hex(line.get_color())], "decode" if hollow else "prefill"


def test_points_are_operations_over_bytes_and_over_seconds_of_what_the_legend_says(found, figure):
    entries = legend_of(figure)
    assert [name for name, _ in entries][:6] == ["fp16", "bitnet-b1.58", "prefill", "decode", *MODELS]
    lines = lines_of_points(figure)
    seen = [meaning(line, entries, found.schemes) for line in lines]
    assert len(set(seen)) == len(seen) == 8
    for line, case in zip(lines, seen, strict=True):
        np.testing.assert_allclose(line.get_xydata(), counted(found, *case))


def test_a_phase_is_drawn_alone():
    alone = ran([{"kind": "roofline", "phase": "request"}])
    figure = draw(alone.requested[0], alone, THEMES[0])
    lines = [line.get_xydata().tolist() for line in lines_of_points(figure)]
    wanted = [counted(alone, model, scheme, "request") for model in MODELS for scheme in alone.schemes]
    np.testing.assert_allclose(sorted(lines), sorted([list(map(list, points)) for points in wanted]))


def test_batches_are_written_at_the_ends_of_the_line_of_each_phase_that_spans_most(found, figure):
    (axes,) = figure.axes
    written = [text for text in axes.texts if text.get_text().startswith("batch ")]
    assert 0 < len(written) <= 4
    where = axes.transData + axes.transAxes.inverted()
    ends = {}
    for phase in ("prefill", "decode"):
        lines = [counted(found, model, scheme, phase) for model in MODELS for scheme in found.schemes]
        widest = max(lines, key=lambda points: points[-1][0] / points[0][0])
        ends |= {(phase, "1"): widest[0], (phase, "2k"): widest[-1]}
    texts = []
    for text in written:
        batch = re.fullmatch(r"batch (1|2k)", text.get_text()).group(1)
        box = axes.transAxes.inverted().transform(text.get_window_extent().get_points())
        middle = box.mean(axis=0)
        apart = {key: np.linalg.norm(where.transform(point) - middle) for key, point in ends.items()}
        nearest = min(apart, key=apart.get)
        assert nearest[1] == batch, (nearest, text)
        texts.append(nearest)
    assert len(set(texts)) == len(texts)


def test_roofs_are_the_bandwidth_of_memory_and_the_peak_of_the_array(found, figure):
    """Sizes and bandwidths as their files give them, clocks as the slowest array meets them."""
    (axes,) = figure.axes
    roofs = found.plots.roofs.set_index("scheme")
    dashed = [line for line in axes.lines if line.get_marker() == "None" and len(line.get_xdata()) == 3]
    named = [(name, handle) for name, handle in legend_of(figure) if name.startswith("roof of ")]
    assert [name for name, _ in named] == ["roof of fp16-edge (fp16)", "roof of ternary-hbm (bitnet-b1.58)"]
    for line, (_, handle), scheme in zip(dashed, named, found.schemes, strict=True):
        assert line.get_linestyle() == handle.get_linestyle()
        assert line.get_color() == handle.get_color() == dict(legend_of(figure))[scheme].get_color()
        bandwidth, peak = roofs.loc[scheme, ["bytes_per_s", "operations_per_s"]]
        x, y = line.get_data()
        np.testing.assert_allclose(y, np.minimum(x * bandwidth, peak))
        assert x[1] == pytest.approx(peak / bandwidth)
        assert (bandwidth, peak) == pytest.approx(BY_FILE[scheme])


def test_a_roof_of_all_schemes_is_named_by_its_machine_alone():
    found = run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": MODELS[:1],
            "schemes": ["bitnet-b1.58", "bitnet-b1.58-kv8"],
            "technologies": ["7nm"],
            "platforms": ["ternary-edge"],
            "workload": {"prompt_tokens": 30, "new_tokens": 20, "batch": [1, 4]},
            "baseline": {"scheme": "bitnet-b1.58"},
            "plots": [{"kind": "roofline"}],
        }
    )
    figure = draw(found.requested[0], found, THEMES[0])
    assert [name for name, _ in legend_of(figure) if name.startswith("roof")] == ["roof of ternary-edge"]


def test_the_numbers_at_the_roofs_are_at_their_heights_and_slopes(found, figure):
    (axes,) = figure.axes
    roofs = found.plots.roofs
    peaks = [text for text in axes.texts if text.get_text().endswith("op/s")]
    speeds = [text for text in axes.texts if text.get_text().endswith("B/s")]
    assert len(peaks) == roofs["operations_per_s"].nunique()
    assert len(speeds) == roofs["bytes_per_s"].nunique()
    for text in peaks:
        assert quantity(text.get_text().removesuffix("op/s"), "") == pytest.approx(text.xy[1], rel=THREE_DIGITS)
        assert text.xy[1] in roofs["operations_per_s"].tolist()
    of_peak = dict(roofs[["operations_per_s", "scheme"]].itertuples(index=False))
    hue = {name: handle.get_color() for name, handle in legend_of(figure) if name.startswith("roof of ")}
    assert len(set(hue.values())) == 2
    for text in peaks:
        (own,) = (color for name, color in hue.items() if name.endswith(f" ({of_peak[text.xy[1]]})"))
        assert text.get_color() == own
    for text in speeds:
        x, y = text.xy
        assert quantity(text.get_text().removesuffix("/s"), "B") == pytest.approx(y / x, rel=THREE_DIGITS)
    assert sorted(text.xy[1] / text.xy[0] for text in speeds) == pytest.approx(sorted(set(roofs["bytes_per_s"])))


def test_axes_name_their_quantities_and_ticks_their_values(figure):
    (axes,) = figure.axes
    assert "per second" in axes.get_ylabel()
    assert "byte" in axes.get_xlabel()
    for axis in (axes.xaxis, axes.yaxis):
        ticks = [(tick.get_text().replace("$", ""), tick.get_position()) for tick in axis.get_ticklabels()]
        read = [(text, place[axis is axes.yaxis]) for text, place in ticks if text]
        assert read
        for text, place in read:
            spaced = re.sub(r"([TGMkmµnpf]?)$", r" \1", text, count=1)
            assert quantity(spaced, "") == pytest.approx(place, rel=THREE_DIGITS)
