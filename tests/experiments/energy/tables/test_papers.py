"""The papers' accounting beside another, and the limits of its ratios, against prices as printed."""

import numpy as np
import pytest

from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.tables.papers import arithmetic, limits

TEXT = """\
name: x
models: [bitnet-125m, bitnet-1.3b]
schemes: [bitnet-b1.58, fp16]
technologies: [45nm, 7nm]
workload: {prompt_tokens: [9, 300], new_tokens: [2, 0]}
"""


def test_a_limit_is_the_price_of_the_baselines_mac_over_that_of_the_scheme(resolved):
    """Wang et al., Table 2, and Ma et al., Figure 3: FP16 multiplies and adds, ternary weights add INT8 alone."""
    table = limits(grid_of(resolved(f"{TEXT}baseline: {{scheme: fp16}}\n"))).set_index(["technology", "scheme"])
    expected = {("45nm", "bitnet-b1.58"): (0.4 + 1.1) / 0.03, ("7nm", "bitnet-b1.58"): (0.16 + 0.34) / 0.007,
                ("45nm", "fp16"): 1.0, ("7nm", "fp16"): 1.0}  # fmt: skip
    assert table["ratio"].to_dict() == pytest.approx(expected)


@pytest.mark.parametrize(
    "baseline",
    ["", "scheme: fp16, technology: 45nm", "scheme: fp16, model: bitnet-125m", "technology: 45nm",
     "scheme: fp16, model: bitnet-125m, technology: 45nm"],
)  # fmt: skip
def test_where_a_baseline_fixes_more_than_a_scheme_there_is_no_limit(resolved, baseline):
    text = TEXT + (f"baseline: {{{baseline}}}\n" if baseline else "")
    assert limits(grid_of(resolved(text))).empty


def test_on_a_machine_there_is_no_limit(resolved):
    text = TEXT.replace("[bitnet-b1.58, fp16]", "[fp16]").replace("[45nm, 7nm]", "[7nm]")
    platforms = "accounting: system\nplatforms: [fp16-edge]\n"
    assert limits(grid_of(resolved(f"{text}{platforms}baseline: {{scheme: fp16}}\n"))).empty


@pytest.mark.parametrize("fixed", ["scheme: fp16", "scheme: fp16, technology: 45nm", "model: bitnet-125m"])
def test_the_papers_numbers_of_some_workloads_have_the_baseline_of_the_experiment(resolved, fixed):
    """Of an experiment on machines they are those of the experiment without: its platforms are left out."""
    platforms = (
        "accounting: system\nplatforms: [{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}]\n"
    )
    grid = grid_of(resolved(f"{TEXT}{platforms}baseline: {{{fixed}, platform: edge}}\n"))
    table = arithmetic(grid, ([1], [300], [2, 0]))
    alone = TEXT.replace("[9, 300]", "300")
    expected = run(resolved(f"{alone}accounting: arithmetic\nbaseline: {{{fixed}}}\n")).summary
    keys = ["model", "scheme", "technology", "prompt_tokens", "new_tokens", "phase"]
    assert table[keys].astype(str).to_numpy().tolist() == expected[keys].astype(str).to_numpy().tolist()
    for column in ("energy_j", "ratio_to_baseline"):
        np.testing.assert_allclose(table[column], expected[column], rtol=1e-12)
    assert table["ratio_to_baseline"].nunique() > 2
