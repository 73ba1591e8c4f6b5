"""Whole explorations: the Pareto set, the best design and its variations, and constraints that nothing meets."""

import numpy as np
import pandas as pd
import pytest

import bitjoule
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.execution import read
from bitjoule.experiments.exploration import run as running
from tests.experiments.exploration.cases import document

METRICS = ["energy_j", "latency_s", "area_mm2"]


@pytest.fixture(scope="module")
def result():
    """Return an exploration of all 18 designs."""
    return bitjoule.run(document())


def test_every_design_has_a_row_and_the_set_is_that_of_the_definition(result):
    values = result.designs[METRICS].to_numpy()
    expected = [not any((other <= own).all() and (other < own).any() for other in values) for own in values]
    assert len(values) == 18
    assert (result.designs["status"] == "pareto").tolist() == expected
    assert sorted(result.pareto["design"]) == result.designs["design"][expected].tolist()
    assert result.pareto["energy_j"].is_monotonic_increasing
    row = result.summary.iloc[0]
    assert (row["designs"], row["evaluated"], row["feasible"], row["pareto"]) == (18, 18, 18, sum(expected))


def test_the_best_design_has_the_least_product_and_no_single_knob_improves_on_it(result):
    products = result.pareto[METRICS].prod(axis=1)
    assert result.best == result.pareto["design"][products.idxmin()]
    assert result.pareto["best"].sum() == 1
    variations = result.variations
    assert variations[variations["chosen"]]["design"].unique().tolist() == [result.best]
    assert len(variations) == 3 + 3 + 2
    assert (variations[METRICS].prod(axis=1) >= products.min() * (1 - 1e-12)).all()
    own = variations[variations["chosen"]].iloc[0]
    for name in METRICS:
        np.testing.assert_allclose(variations[f"{name}_relative"], variations[name] / own[name], rtol=1e-15)


def test_the_sensitivity_is_the_span_of_each_knob_alone(result):
    for row in result.sensitivity.to_dict("records"):
        values = result.variations[result.variations["knob"] == row["knob"]]["latency_s_relative"]
        assert row["latency_s_span"] == pytest.approx(values.max() / values.min())
        assert row["settings"] == row["with_result"] == len(values)


def test_what_is_best_may_be_a_metric():
    result = bitjoule.run(document(explore__best="latency_s"))
    assert result.pareto["latency_s"][result.pareto["best"]].item() == result.pareto["latency_s"].min()
    result = bitjoule.run(document(explore__best="tokens_per_joule"))
    assert result.pareto["tokens_per_joule"][result.pareto["best"]].item() == result.pareto["tokens_per_joule"].max()


def test_a_constraint_that_nothing_meets_says_which_is_nearest_and_by_how_much(result):
    least = float(result.designs["area_mm2"].min())
    limits = [f"area_mm2 <= {least / 1.25!r}", "tokens_per_s >= 1"]
    unmet = bitjoule.run(document(explore__constraints=limits))
    design = int(unmet.designs["design"][unmet.designs["area_mm2"].idxmin()])
    assert unmet.best is None
    assert unmet.pareto.empty
    assert unmet.nearest == (
        f"No design meets all constraints. Nearest to being met is area_mm2 <= {least / 1.25:g}: design {design} has "
        f"{least:.4g} mm², which misses it by 25 % of the limit, and meets all others."
    )
    table = unmet.constraints.set_index("constraint")
    assert table["met_by"].tolist() == [0, 18]
    assert table["others_met_by"].tolist() == [18, 0]
    assert table["missed_by"].tolist() == [pytest.approx(0.25), pytest.approx(np.nan, nan_ok=True)]
    assert table["best_value"].tolist() == [least, unmet.designs["tokens_per_s"].max()]


def test_two_constraints_that_exclude_each_other_are_named_with_what_the_others_leave(result):
    designs = result.designs
    fast, small = 1.5 * float(designs["tokens_per_s"].max()), float(designs["area_mm2"].min()) / 2
    unmet = bitjoule.run(document(explore__constraints=[f"tokens_per_s >= {fast!r}", f"area_mm2 <= {small!r}"]))
    missed = np.stack([1 - designs["tokens_per_s"] / fast, designs["area_mm2"] / small - 1], axis=1)
    row = missed.max(axis=1).argmin()
    name = ("tokens_per_s >=", "area_mm2 <=")[missed[row].argmax()]
    assert f"Nearest to being met is {name}" in unmet.nearest
    assert f"design {designs['design'][row]} has" in unmet.nearest
    assert f"misses it by {100 * missed[row].max():.3g} % of the limit, the largest of what it misses" in unmet.nearest
    assert unmet.constraints["others_met_by"].tolist() == [0, 0]
    assert unmet.constraints["missed_by"].isna().all()


def test_a_design_without_a_finite_result_is_counted_apart_and_never_reaches_the_set():
    knobs = {"platform.off_chip.capacity_bytes": [None, 10**8, 10**9], "platform.arrays.adders.columns": [8, 16]}
    warned = bitjoule.run(document(explore__knobs=knobs, explore__objectives=["energy_j", "memory_share"]))
    failed = warned.designs["status"] == "no result"
    assert failed.tolist() == [True, True, False, False, False, False]
    assert warned.summary[["no_result", "infeasible", "feasible"]].iloc[0].tolist() == [2, 0, 4]
    assert not set(warned.pareto["design"]) & {0, 1}
    assert any("2 designs have no result: a metric is not finite (memory_share)" in line for line in warned.warnings)
    assert np.isfinite(warned.pareto[["energy_j", "memory_share"]]).all(axis=None)


def test_the_model_that_is_hardest_to_allow_decides_a_constraint():
    models = ["bitnet-125m", "bitnet-350m"]
    both = bitjoule.run(document(models=models))
    slowest = both.cases.groupby("design")["tokens_per_s"].min()
    limit = float(slowest.median())
    limited = bitjoule.run(document(models=models, explore__constraints=[f"tokens_per_s >= {limit!r}"]))
    allowed = set(limited.designs["design"][limited.designs["status"] != "infeasible"])
    assert allowed == set(slowest.index[slowest >= limit])
    assert 0 < len(allowed) < 18


def test_a_leakage_that_does_not_follow_the_knobs_is_warned_of():
    platform = {"name": "p", "like": "ternary-edge", "nodes": {"7nm": {"leakage_w": 0.1}}}
    platform["sources"] = {"nodes.7nm.leakage_w": "made up"}
    with_number = bitjoule.run(document(platform=platform))
    assert [line for line in with_number.warnings if "leakage_w at 7nm is a number" in line]
    other = bitjoule.run(document(platform=platform, explore__knobs={"workload.batch": [1, 2]}))
    assert not [line for line in other.warnings if "leakage_w" in line]


def test_a_search_varies_the_best_design_beyond_its_budget_and_counts_that_apart():
    found = bitjoule.run(document(explore__budget=8, explore__batch=4))
    row = found.summary.iloc[0]
    assert (row["designs"], row["searched"]) == (18, 8)
    assert row["evaluated"] == len(found.designs) > 8
    assert found.designs["design"].is_unique
    assert set(found.variations["design"]) <= set(found.designs["design"])


def test_a_reference_that_no_member_reaches_leaves_the_hypervolume_out():
    reference = {"energy_j": 1e-9, "latency_s": 1.0, "area_mm2": 1.0}
    found = bitjoule.run(document(explore__reference=reference))
    assert np.isnan(found.summary["hypervolume"].item())
    assert any("explore.reference" in line for line in found.warnings)


def test_a_reference_that_some_members_reach_bounds_the_boxes_of_these():
    """Of two objectives: members beyond the reference add no box."""
    names = ["latency_s", "area_mm2"]
    front = bitjoule.run(document(explore__objectives=names)).pareto.sort_values("latency_s")
    assert len(front) > 2
    latency, area = (front[name].to_numpy() for name in names)
    corner = [(latency[1] + latency[2]) / 2, 2 * area.max()]
    found = bitjoule.run(document(explore__objectives=names, explore__reference=dict(zip(names, corner, strict=True))))
    boxes = [(corner[0] - latency[i]) * (top - area[i]) for i, top in enumerate((corner[1], area[0]))]
    assert found.summary["hypervolume"].item() == pytest.approx(sum(boxes))
    assert not any("hypervolume" in line for line in found.warnings)


def test_without_moocore_the_tables_are_the_same_but_for_the_hypervolume(result, monkeypatch):
    from bitjoule.experiments.exploration import dominance

    for module in (running, dominance):
        monkeypatch.setattr(module, "find_spec", lambda _: None)
    without = bitjoule.run(document())
    pd.testing.assert_frame_equal(without.designs, result.designs)
    pd.testing.assert_frame_equal(without.pareto, result.pareto)
    assert np.isnan(without.summary["hypervolume"].item())
    assert any("moocore is not installed" in line for line in without.warnings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"explore__knobs": {"platform.arrays.adder.lanes": [8]}}, "names nothing in platform ternary-edge"),
        ({"explore__knobs": {"platform.arrays.adders.lane": [8]}}, "(did you mean 'lanes'?)"),
        ({"explore__knobs": {"platfrom.vector.lanes": [8]}}, "is not a key of a design (did you mean 'platform'?)"),
        ({"explore__knobs": {"accelerator.lanes": [8]}}, "the experiment has no accelerator"),
        ({"explore__knobs": {"workload.tokens": [8]}}, "workload.tokens: unknown key"),
        ({"explore__knobs": {"workload.batch": [0]}}, "workload.batch: got 0; expected whole numbers from 1"),
        ({"explore__knobs": {"scheme": ["bitnet-b1.59"]}}, "unknown scheme 'bitnet-b1.59'"),
        ({"explore__knobs": {"platform": ["ternary-edge.yaml"]}}, "expected names of built-in entries: platforms"),
        ({"explore__knobs": {"platform": [[], {}]}}, "got []; expected names of built-in entries: platforms"),
        ({"explore__knobs": {"scheme": [["fp16"]]}}, "got ['fp16']; expected names of built-in entries: schemes"),
        ({"explore__knobs": {"platform.arrays.adders.lanes": ["many"]}}, "none of 1 designs that were tried is"),
        ({"explore__knobs": {"platform.vector.lanes": [8, 8]}}, "duplicate value 8"),
        ({"explore__knobs": {"platform.vector.lanes": {"start": 8, "stop": 4, "step": 1}}}, "an empty range"),
        ({"explore__knobs": {}}, "is empty; expected at least 1 item"),
        ({"explore__objectives": ["energy"]}, "'energy' is unknown (did you mean 'energy_j'?)"),
        ({"explore__objectives": ["energy_j", "energy_j"]}, "duplicate 'energy_j'"),
        ({"explore__constraints": ["area <= 2"]}, "unknown metric 'area' (did you mean 'area_mm2'?)"),
        ({"explore__reference": {"energy_j": 1.0}}, "a reference of energy_j; expected the objectives"),
        ({"explore__sampler": "nsga3"}, "'nsga3' is unknown (did you mean 'nsga2'?)"),
        ({"plots": [{"kind": "design_map", "x": "lanes", "y": "b"}]}, "'lanes' is not a knob"),
        ({"plots": [{"kind": "pareto", "x": "energy_j"}]}, "'energy_j' on both axes"),
        ({"plots": [{"kind": "pareto", "by": "lanes"}]}, "plots[0].by: 'lanes' is not a knob"),
        ({"scheme": "w4a8"}, "no array of platform ternary-edge computes int4 x int8"),
        ({"models": ["no-such"]}, "unknown model 'no-such'"),
        ({"accelerator": {"config": "edge_64x16", "array": "adder"}}, "'adder' is not an array of the platform"),
    ],
)  # fmt: skip
def test_wrong_input_says_where_and_what_was_expected(changes, message):
    with pytest.raises(InputError) as caught:
        read(document(**changes))
    assert message in str(caught.value)
    assert "; expected " in str(caught.value)
