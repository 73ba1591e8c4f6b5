"""Losses over energies of made-up curves, whose rows are in no order: each scheme takes 4 times as much for 0.4 less.

So the energy of a scheme at a loss, and its ratio to the baseline's at the same loss, are closed forms.
"""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from bitjoule.experiments.energy.plots import LossPlot
from bitjoule.reports.energy.plots.losses import draw_losses
from bitjoule.reports.figures.families import look
from bitjoule.reports.figures.style import LIGHT
from tests.reports.shown import TWO_DIGITS

FORMATS = pd.DataFrame(
    {"kind": ["binary", "float", "integer"], "variant": [0, 0, 1]}, index=["bitnet", "fp16", "w4a16"]
)
LOOKS = {name: look(row["kind"], row["variant"], LIGHT) for name, row in FORMATS.iterrows()}
SIZES = {"tall": 1e9, "big": 2e9, "ant": 4e9}  # not in the order of their names
LOSS = {"bitnet": 3.2, "fp16": 3.0, "w4a16": 3.1}  # of the smallest; 0.4 less each
JOULES = {
    "bitnet": {"here": 0.1, "there": 30.0},
    "fp16": {"here": 1.0, "there": 3.0},
    "w4a16": {"here": 2.0, "there": 7.0},
}
FITTED = {"bitnet": (True, True, False), "fp16": (True, True, True), "w4a16": (False, True, True)}
PLACE = {"batch": 2, "prompt_tokens": 30, "new_tokens": 7}
PLOT = LossPlot(kind="loss_vs_energy", phase="decode")


def frames(schemes=tuple(LOSS), families=("one", "one", "one"), baseline="fp16", fitted=FITTED):
    rows, losses = [], []
    for scheme in schemes:
        for i, (model, size) in enumerate(SIZES.items()):
            losses.append((scheme, model, LOSS[scheme] - 0.4 * i, fitted[scheme][i]))
            for platform, joules in JOULES[scheme].items():
                rows.append((platform, model, scheme, size, joules * 4**i))
    summary = pd.DataFrame(rows, columns=["platform", "model", "scheme", "parameters", "energy_per_token_j"])
    summary = summary.assign(technology="7nm", phase="decode", **PLACE).sample(frac=1, random_state=3)
    others = [summary.assign(phase="prefill", energy_per_token_j=77.0), summary.assign(batch=3, energy_per_token_j=5.0)]
    table = pd.DataFrame(losses, columns=["scheme", "model", "loss", "fitted"])
    order = ["ant", "tall", "big"]
    table = table.sort_values("model", key=lambda names: names.map(order.index), kind="stable")
    return SimpleNamespace(
        name="x", bare=False, workload={"batch": [2, 3], "prompt_tokens": [30], "new_tokens": [7]}, formats=FORMATS,
        schemes=dict.fromkeys(schemes), baseline=SimpleNamespace(scheme=baseline) if baseline else None,
        technologies=("7nm",), platforms=("here", "there"), requested=[PLOT],
        summary=pd.concat([summary, *others], ignore_index=True), plots=SimpleNamespace(losses=table),
        models=pd.DataFrame({"unit": "token", "family": list(families)}, index=list(SIZES)),
    )  # fmt: skip


def joules(scheme, platform, loss):
    return JOULES[scheme][platform] * 4 ** ((LOSS[scheme] - loss) / 0.4)


@pytest.fixture(scope="module")
def figure():
    schemes = ("bitnet", "fp16")
    return draw_losses(PLOT, frames(schemes), LIGHT)


def entries(figure):
    return {text.get_text(): handle for legend in figure.legends
            for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)}  # fmt: skip


def test_a_line_a_scheme_falls_from_the_smallest_model_to_the_largest(figure):
    assert [axes.get_title() for axes in figure.axes] == ["7nm, here", "7nm, there"]
    for axes, platform in zip(figure.axes, ("here", "there"), strict=True):
        lines = [line for line in axes.lines if len(line.get_xdata()) == len(SIZES) and line.get_linestyle() != "None"]
        for line, scheme in zip(lines, ("bitnet", "fp16"), strict=True):
            wanted = [(JOULES[scheme][platform] * 4**i, LOSS[scheme] - 0.4 * i) for i in range(len(SIZES))]
            np.testing.assert_allclose(line.get_xydata(), wanted)
            assert line.get_color() == LOOKS[scheme].color
        points = {(round(x, 6), round(y, 6)): to_hex(line.get_markerfacecolor()) != LIGHT.background
                  for line in axes.lines if line.get_linestyle() == "None" for x, y in line.get_xydata()}  # fmt: skip
        assert points == {
            (round(JOULES[scheme][platform] * 4**i, 6), round(LOSS[scheme] - 0.4 * i, 6)): FITTED[scheme][i]
            for scheme in ("bitnet", "fp16") for i in range(len(SIZES))
        }  # fmt: skip


def test_at_equal_losses_the_baseline_and_the_other_are_joined_and_told_apart(figure):
    for axes, platform, (amount, word) in zip(
        figure.axes, ("here", "there"), ((5.0, "less"), (20.0, "more")), strict=True
    ):
        ratio = joules("fp16", platform, 2.5) / joules("bitnet", platform, 2.5)
        assert max(ratio, 1 / ratio) == pytest.approx(amount)
        texts = [re.fullmatch(r"([\d.]+)× (less|more) at loss ([\d.]+)", text.get_text()) for text in axes.texts]
        assert len(texts) >= 2
        joined = {line.get_ydata()[0]: line.get_xdata() for line in axes.lines if len({*line.get_ydata()}) == 1}
        for text, shown in zip(texts, axes.texts, strict=True):
            level = float(text[3])
            assert 2.4 <= level <= 3.0  # the losses that both have
            assert (float(text[1]), text[2]) == (pytest.approx(amount, rel=TWO_DIGITS), word)
            assert list(joined[level]) == pytest.approx([joules(name, platform, level) for name in ("fp16", "bitnet")])
            assert shown.get_color() == LOOKS["bitnet"].color
            assert shown.xy == (pytest.approx(max(joined[level])), level)


def test_the_legend_names_the_reference_and_what_is_beyond_the_fit(figure):
    beyond, relative = "extrapolated beyond fitted sizes", "energy at equal loss, relative to "
    found = entries(figure)
    assert {*found} == {"bitnet", "fp16", beyond, f"{relative}fp16"}
    whole = dict.fromkeys(FITTED, (True, True, True))
    assert beyond not in entries(draw_losses(PLOT, frames(("bitnet", "fp16"), fitted=whole), LIGHT))
    first = entries(draw_losses(PLOT, frames(("bitnet", "w4a16"), baseline=None), LIGHT))
    assert {name for name in first if relative in name} == {f"{relative}bitnet"}
    assert not any(relative in name for name in entries(draw_losses(PLOT, frames(("fp16",)), LIGHT)))


def test_models_of_several_families_are_no_line(figure):
    several = draw_losses(PLOT, frames(("bitnet", "fp16"), families=("one", "other", "one")), LIGHT)
    for drawn, joined in ((figure, True), (several, False)):
        for name in ("bitnet", "fp16"):
            assert (entries(drawn)[name].get_linestyle() != "None") == joined
    long = [line for line in several.axes[0].lines if len(line.get_xdata()) == len(SIZES)]
    assert {line.get_linestyle() for line in long} == {"None"}


def test_labels_of_three_schemes_stand_apart_within_the_panel():
    drawn = draw_losses(PLOT, frames(), LIGHT)
    for axes in drawn.axes:
        bottom, top = axes.get_ylim()
        levels = sorted(text.xy[1] for text in axes.texts)
        assert len(levels) >= 2
        assert np.diff(levels).min() >= 0.06 * (top - bottom)
        right = axes.get_window_extent().x1
        assert all(text.get_window_extent().x1 <= right for text in axes.texts)
    colors = {text.get_color() for text in drawn.axes[0].texts}
    assert colors <= {LOOKS["bitnet"].color, LOOKS["w4a16"].color}


def test_a_label_that_the_panel_has_no_room_for_is_left_out():
    found = frames(("bitnet", "fp16"))
    found.summary.loc[found.summary["scheme"] == "fp16", "energy_per_token_j"] *= 1e9
    drawn = draw_losses(PLOT, found, LIGHT)
    for axes in drawn.axes:
        right = axes.get_window_extent().x1
        assert all(text.get_window_extent().x1 <= right for text in axes.texts)
