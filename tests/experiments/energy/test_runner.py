"""Runs: the papers' numbers, conservation, phases, baselines."""

import numpy as np
import pandas as pd
import pytest

from bitjoule.energy_models.architecture.block import Linear, all_matmuls
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.tables import sums
from bitjoule.experiments.files import shipped_experiments
from bitjoule.experiments.output.columns import RESULT_COLUMNS, SUMMARY_COLUMNS
from tests.experiments.shipped import result_of

CASE = ["model", "scheme", "technology", "batch", "prompt_tokens", "new_tokens"]


def shipped(name: str):
    return result_of(name)


def test_bitnet_table1_gives_34_of_36_cells_and_knows_the_other_two():
    cells = shipped("bitnet_table1").comparison
    assert len(cells) == 36
    differing = cells[~cells["agrees"]]
    # BitNet Table 1 prints 0.04 and 0.14 here, its own Figures 1 and 3 say 0.0341 and 0.1349
    assert [f"{value:.4f}" for value in differing["ours"]] == ["0.0341", "0.1349"]
    assert differing["printed"].tolist() == ["0.04", "0.14"]
    assert differing["note"].str.contains("the paper contradicts itself").all()


@pytest.mark.parametrize(
    ("name", "cells"), [("bitnet_energy_vs_size", 5), ("b158_mac_energy", 1), ("b158_2b4t_energy", 6)]
)
def test_every_printed_number_comes_out_at_its_precision(name, cells):
    comparison = shipped(name).comparison
    assert len(comparison) == cells
    assert comparison["agrees"].all()


def test_figure_3_of_b158_comes_from_the_first_papers_shapes():
    cells = shipped("b158_energy_vs_size").comparison
    first_paper = cells["model"].str.match(r"bitnet-\d")
    assert first_paper.sum() == 4
    assert cells[first_paper]["agrees"].all()
    assert not cells[~first_paper]["agrees"].all()


NOT_ON_THE_CURVE = {
    "BitNet embedding": "no LM head, no decode",
    "bitnet.cpp": "random weights in shapes that no trained model has",
    "Bonsai": "the shapes of Qwen3",
}


def test_the_curve_has_dense_presets_of_every_family_and_the_ratio_rises_along_the_bitnet_family():
    result = shipped("model_size_curve")
    layers = {name: [shape, *shape.groups] for name, shape in presets().items() if shape.experts == 1}
    dense = {name for name, own in layers.items() if not any(layer.mixer for layer in own)}
    assert set(result.grid.models) <= dense
    drawn = {presets()[name].family for name in result.grid.models}
    assert {presets()[name].family for name in dense} - drawn == set(NOT_ON_THE_CURVE)
    shapes = [presets()[name].model_dump(exclude={"source", "where", "note"}) for name in result.grid.models]
    assert all(shape not in shapes[i + 1 :] for i, shape in enumerate(shapes))
    rows = result.summary[(result.summary["scheme"] == "bitnet") & (result.summary["technology"] == "7nm")]
    family = rows[rows["model"].str.match(r"bitnet-\d")].sort_values("parameters")
    assert len(family) == 9
    assert family["ratio_to_baseline"].is_monotonic_increasing


def test_the_families_have_equal_parameters_or_use_as_many_for_a_token():
    experiment = read_experiment(shipped_experiments("energy")["families"])
    active = {
        name: sum(
            repeats * linear.in_features * linear.out_features * linear.uses
            for linear, repeats in all_matmuls(shape.blocks)
            if isinstance(linear, Linear) and linear.stored_as
        )
        for name, shape in experiment.models.items()
    }
    parameters = {name: shape.parameters for name, shape in experiment.models.items()}
    assert set(parameters) == {"transformer", "mixture", "mixture-active", "state-space", "retention"}
    equal = [parameters[name] for name in parameters if name != "mixture-active"]
    assert max(equal) < 1.02 * min(equal)
    equal = [active[name] for name in active if name != "mixture"]
    assert max(equal) < 1.02 * min(equal)


def test_columns_are_the_documented_ones_in_their_order(resolved):
    result = run(resolved())
    assert tuple(result.results.columns) == RESULT_COLUMNS == (
        "experiment", "model", "parameters", "scheme", "technology", "platform", "phase", "batch", "prompt_tokens",
        "new_tokens", "component", "operand", "action", "format", "count", "energy_pj", "energy_low_pj",
        "energy_high_pj", "price",
    )  # fmt: skip
    assert tuple(result.summary.columns) == SUMMARY_COLUMNS


def test_a_summary_row_is_the_sum_of_its_rows_and_a_request_of_its_phases(resolved):
    result = run(resolved())
    sums = result.results.groupby([*CASE, "phase"], observed=True)["energy_pj"].sum() / 1e12
    phases = result.summary[result.summary["phase"] != "request"].set_index([*CASE, "phase"])["energy_j"]
    assert set(phases.index) == set(sums.index)
    np.testing.assert_allclose(phases, sums[phases.index], rtol=1e-12)
    requests = result.summary[result.summary["phase"] == "request"].set_index(CASE)["energy_j"]
    whole = phases.groupby(level=CASE, observed=True).sum()
    assert len(requests) == len(result.grid) / 2  # those with new tokens
    np.testing.assert_allclose(requests, whole[requests.index], rtol=1e-12)


def test_energy_is_count_times_price(resolved):
    result = run(resolved())
    technologies = result.grid.technologies
    for row in result.results.itertuples():
        price = technologies[row.technology].price(row.action, row.format)
        assert row.energy_pj == pytest.approx(row[15] * price.nominal_pj, rel=1e-15)


def test_energy_per_token_divides_by_the_tokens_of_the_phase(resolved):
    summary = run(resolved()).summary
    tokens = {"prefill": summary["prompt_tokens"], "decode": summary["new_tokens"]}
    tokens["request"] = summary["prompt_tokens"] + summary["new_tokens"]
    for phase, count in tokens.items():
        rows = summary["phase"] == phase
        expected = summary["energy_j"][rows] / (count * summary["batch"])[rows]
        np.testing.assert_allclose(summary["energy_per_token_j"][rows], expected, rtol=1e-15)


def test_the_ratio_is_the_baselines_energy_over_the_cases(resolved, small):
    summary = run(resolved(small.replace("{scheme: fp16}", "{scheme: fp16, technology: 45nm}"))).summary
    keys = ["model", "phase", "batch", "prompt_tokens", "new_tokens"]
    base = summary[(summary["scheme"] == "fp16") & (summary["technology"] == "45nm")].set_index(keys)["energy_j"]
    expected = base[summary.set_index(keys).index].to_numpy() / summary["energy_j"].to_numpy()
    np.testing.assert_allclose(summary["ratio_to_baseline"], expected, rtol=1e-15)


def test_without_a_baseline_there_is_no_ratio(resolved, small):
    assert run(resolved(small.replace("baseline: {scheme: fp16}\n", ""))).summary["ratio_to_baseline"].isna().all()


def test_the_block_size_changes_nothing(resolved, monkeypatch):
    whole = run(resolved())
    monkeypatch.setattr(sums, "BLOCK_CASES", 5)
    parts = run(resolved())
    assert whole.results.equals(parts.results)
    assert whole.summary.equals(parts.summary)


def test_bare_matmuls_carry_their_tokens(resolved):
    text = "name: x\nmatmuls: [{m: 2, k: 3, n: 5}, {m: 7, k: 11, n: 13}]\nschemes: [fp16]\ntechnologies: [7nm]\n"
    result = run(resolved(text))
    assert result.summary["model"].tolist() == ["2x3x5", "7x11x13"]
    assert result.summary["prompt_tokens"].tolist() == [2, 7]
    assert result.summary["parameters"].tolist() == [3 * 5, 11 * 13]
    products = result.results[result.results["action"] == "mul"]["count"]
    assert products.tolist() == [2 * 3 * 5, 7 * 11 * 13]


def test_only_the_first_workload_of_one_sequence_is_compared_with_print():
    path = shipped_experiments("energy")["bitnet_table1"]
    swept = run(read_experiment(path, ["workload.batch=[1, 4]", "workload.new_tokens=[0, 8]"])).comparison
    assert swept["agrees"].sum() == 34
    assert run(read_experiment(path, ["workload.prompt_tokens=100"])).comparison.empty


def test_the_long_table_of_some_cases_is_a_part_of_the_whole(resolved):
    result = run(resolved())
    some = result.results_of(np.array([3, 17]))
    rows = [result.results_of(np.array([case])) for case in (3, 17)]
    assert some.equals(pd.concat(rows, ignore_index=True))
    assert len(result.results_of(np.arange(len(result.grid)))) == len(result.results)


@pytest.mark.parametrize("change", ["baseline.scheme=bitnet", "accounting=mac", "baseline.technology=7nm"])
def test_a_printed_ratio_is_compared_only_with_the_same_baseline_and_accounting(change):
    path = shipped_experiments("energy")["bitnet_energy_vs_size"]
    assert run(read_experiment(path, [change])).comparison.empty


def test_a_shape_that_only_bears_a_presets_name_is_not_compared():
    own = (
        "{name: bitnet-6.7b, layers: 1, hidden: 4, heads: 2, ffn: 8, ffn_gated: true, activation: silu, vocabulary: 5}"
    )
    path = shipped_experiments("energy")["bitnet_table1"]
    assert set(run(read_experiment(path, [f"models.0={own}"])).comparison["model"]) == {"bitnet-13b", "bitnet-30b"}


def test_a_scheme_that_only_bears_a_shipped_name_is_not_compared():
    own = "[{name: fp16, weights: int8, activations: int8, attention: fp16, rescale: fp16}, fp32]"
    path = shipped_experiments("energy")["bitnet_table1"]
    assert set(run(read_experiment(path, [f"schemes={own}"])).comparison["scheme"]) == {"fp32"}


SYSTEM = """\
name: x
accounting: system
models: [bitnet-b1.58-700m, mixtral-8x7b]
schemes: [fp16, bitnet-b1.58]
technologies: [45nm, 7nm]
platforms: [fp16-edge, {name: hbm, by_scheme: {fp16: fp16-hbm, bitnet-b1.58: ternary-hbm}}]
workload: {prompt_tokens: [1, 64], new_tokens: [0, 3], batch: [1, 2]}
baseline: {scheme: fp16, platform: hbm}
"""


def test_the_long_table_of_a_system_run_adds_up_to_its_summary(resolved):
    result = run(resolved(SYSTEM))
    case = ["model", "scheme", "technology", "platform", "batch", "prompt_tokens", "new_tokens"]
    long = result.results
    long_j = long.groupby([*case, "phase"], observed=True)["energy_pj"].sum() / 1e12
    summary = result.summary[result.summary["phase"] != "request"].set_index([*case, "phase"])["energy_j"]
    aligned = long_j.reindex(summary.index)
    np.testing.assert_allclose(aligned, summary, rtol=1e-12)
    assert len(summary) == 2 * 2 * 2 * 2 * 2 * 2 * 2 * 2 - 2 * 2 * 2 * 2 * 2 * 2  # no decode without new tokens


def test_time_and_speed_of_a_request_are_those_of_its_phases(resolved):
    summary = run(resolved(SYSTEM)).summary
    case = ["model", "scheme", "technology", "platform", "batch", "prompt_tokens", "new_tokens"]
    seconds = summary.pivot_table(index=case, columns="phase", values="latency_s", observed=True).dropna()
    assert len(seconds) == 64
    np.testing.assert_allclose(seconds["request"], seconds["prefill"] + seconds["decode"], rtol=1e-12)
    tokens = summary["tokens_per_s"] * summary["latency_s"]
    prefill, decode = summary["batch"] * summary["prompt_tokens"], summary["batch"] * summary["new_tokens"]
    expected = prefill.where(
        summary["phase"] == "prefill", decode.where(summary["phase"] == "decode", prefill + decode)
    )
    np.testing.assert_allclose(tokens, expected, rtol=1e-12)


def test_a_baseline_may_be_another_platform(resolved):
    summary = run(resolved(SYSTEM)).summary
    case = ["model", "technology", "phase", "batch", "prompt_tokens", "new_tokens"]
    energy = summary.pivot_table(index=case, columns=["scheme", "platform"], values="energy_j", observed=True)
    ratio = summary.pivot_table(index=case, columns=["scheme", "platform"], values="ratio_to_baseline", observed=True)
    for column in ratio:
        np.testing.assert_allclose(ratio[column], energy["fp16", "hbm"] / energy[column], rtol=1e-12)


def test_memory_is_the_sum_of_its_parts_and_the_same_on_every_machine(resolved):
    result = run(resolved(SYSTEM))
    parts = result.memory[["weights_bytes", "tables_bytes", "kv_cache_bytes", "activations_bytes"]]
    np.testing.assert_allclose(parts.sum(axis=1), result.memory["memory_bytes"], rtol=1e-12)
    case = ["model", "scheme", "batch", "prompt_tokens", "new_tokens"]
    held = result.summary.groupby(case, observed=True)["memory_bytes"]
    assert (held.min() == held.max()).all()
    assert len(result.memory) == 2 * 2 * 2 * 2 * 2


@pytest.mark.parametrize(("objective", "column"), [("energy", "energy_j"), ("latency", "latency_s")])
def test_each_objective_is_least_for_the_mappings_chosen_for_it(resolved, objective, column):
    runs = {name: run(resolved(SYSTEM, f"objective={name}")).summary for name in ("energy", "latency", "edp")}
    for summary in runs.values():
        assert (runs[objective][column] <= summary[column] * (1 + 1e-9)).all()


def test_b158_prints_memories_that_weights_tables_and_one_overhead_come_near():
    result = shipped("memory_footprint")
    errors = result.comparison.set_index(["model", "scheme"])["relative_error"].abs()
    assert len(errors) == 10
    # Table 1, in GB: within 7 %. Figure 2's ratios at 7B and 13B within 10 %; at 70B the overhead that grows with
    # the cache is too large: 21 % (docs/accounting.md)
    assert errors.iloc[:7].max() < 0.07
    assert errors.iloc[7:9].max() < 0.10
    assert errors.iloc[9] < 0.22
    assert result.overhead is not None
    assert result.overhead.samples == 7
