"""The table of components: it adds up to the summary and to the long table, and names arrays."""

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.tables.components import shown_cases, utilisation
from bitjoule.experiments.output.columns import BOUND_COLUMNS, CASE_COLUMNS, COMPONENT_COLUMNS, UTILISATION_COLUMNS

TEXT = """\
name: x
accounting: system
models: [bitnet-125m, mixtral-8x7b]
schemes: [fp16, bitnet-b1.58]
technologies: [45nm, 7nm]
platforms: [{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}, ternary-hbm]
workload: {prompt_tokens: [100, 7], new_tokens: [20, 3], batch: 3}
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    path = tmp_path_factory.mktemp("components") / "x.yaml"
    path.write_text(TEXT)
    return run(read_experiment(path))


@pytest.fixture(scope="module")
def table(result):
    return pd.concat(list(result.components_in_blocks()), ignore_index=True)


def by_case(frame, columns):
    frame = frame.assign(**{name: frame[name].astype(str) for name in CASE_COLUMNS})
    return frame.groupby(list(CASE_COLUMNS), sort=False)[columns].sum()


def test_time_and_energy_of_the_components_add_up_to_the_summary(result, table):
    assert tuple(table.columns) == COMPONENT_COLUMNS
    energies = ["energy_j", "energy_low_j", "energy_high_j"]
    summed = by_case(table, ["time_s", *BOUND_COLUMNS, *energies])
    phases = result.summary[result.summary["phase"] != "request"]
    expected = by_case(phases, ["latency_s", *energies]).loc[summed.index]
    assert len(expected) == len(phases)
    np.testing.assert_allclose(summed["time_s"], expected["latency_s"], rtol=1e-12)
    np.testing.assert_allclose(summed[list(BOUND_COLUMNS)].sum(axis=1), expected["latency_s"], rtol=1e-12)
    np.testing.assert_allclose(summed[energies], expected[energies], rtol=1e-12)


def test_each_component_has_the_energy_of_its_rows_in_the_long_table(result, table):
    keys = [*CASE_COLUMNS, "component"]
    long = result.results.groupby(keys, observed=True)["energy_pj"].sum() / 1e12
    ours = table.groupby(keys, observed=True)["energy_j"].sum()
    expected = long.reindex(ours.index, fill_value=0.0)  # what takes time alone has no energy
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    assert set(long[long > 0].index) <= set(ours.index)


def test_the_bounds_of_a_row_of_the_summary_are_those_of_its_components(result, table):
    bounds = result.bounds
    assert (bounds[list(CASE_COLUMNS)] == result.summary[list(CASE_COLUMNS)]).all(axis=None)
    np.testing.assert_allclose(bounds[list(BOUND_COLUMNS)].sum(axis=1), result.summary["latency_s"], rtol=1e-12)
    phases = bounds[bounds["phase"] != "request"]
    summed = by_case(table, list(BOUND_COLUMNS))
    np.testing.assert_allclose(by_case(phases, list(BOUND_COLUMNS)).loc[summed.index], summed, rtol=1e-9, atol=1e-15)


def test_arrays_are_those_of_the_machine_of_each_scheme(table):
    """fp16 runs all on its own array at the edge; the adders take no FP16, and the server's `float` runs it."""
    runs = table[table["macs"] > 0].groupby(["platform", "scheme"], observed=True)["array"].agg(set)
    assert runs["edge", "fp16"] == {"fp16"}
    assert runs["ternary-hbm", "fp16"] == {"float"}
    assert runs["edge", "bitnet-b1.58"] == runs["ternary-hbm", "bitnet-b1.58"] == {"adders", "float"}
    helped = table[(table["array"] == "float") & (table["scheme"] == "bitnet-b1.58")]
    assert set(helped["component"]) == {"attention_scores", "attention_values", "lm_head", "ffn_router"}
    assert set(table.loc[table["array"] == "", "macs"]) == {0}


def test_shares_of_macs_are_those_of_the_phase_and_add_up_to_those_of_arrays_in_the_summary(result, table):
    summed = by_case(table, ["macs", "mac_share"])
    np.testing.assert_allclose(summed["mac_share"], 1, rtol=1e-12)
    whole = summed["macs"].loc[pd.MultiIndex.from_frame(table[list(CASE_COLUMNS)].astype(str))].to_numpy()
    np.testing.assert_allclose(table["mac_share"], table["macs"] / whole, rtol=1e-12)
    of_array = table.groupby([*CASE_COLUMNS, "array"], observed=True)["mac_share"].sum()
    phases = result.summary[result.summary["phase"] != "request"]
    ours = of_array.loc[pd.MultiIndex.from_frame(phases[[*CASE_COLUMNS, "array"]])]
    np.testing.assert_allclose(phases["array_mac_share"], ours, rtol=1e-12)


def test_a_summary_shows_all_schemes_of_the_last_model_and_technology_at_the_first_workload(result):
    shown = result.components
    place = shown[["model", "technology", "platform", "batch", "prompt_tokens", "new_tokens"]].drop_duplicates()
    assert place.to_numpy().tolist() == [["mixtral-8x7b", "7nm", "edge", 3, 100, 20]]
    assert len(shown_cases(result.grid)) == 2
    assert set(shown["scheme"]) == {"fp16", "bitnet-b1.58"}


def test_other_accountings_have_neither_time_nor_the_table(resolved, small):
    result = run(resolved(small))
    assert result.components.empty
    assert result.bounds.empty


def test_shares_of_peaks_are_within_the_time_and_those_of_a_phase_are_the_mean_of_its_components(result, table):
    of_peaks = list(UTILISATION_COLUMNS)
    assert ((table[of_peaks] >= 0) & (table[of_peaks] <= 1)).all(axis=None)
    busy = table.assign(**{name: table[name] * table["time_s"] for name in of_peaks})
    summed = by_case(busy, [*of_peaks, "time_s"])
    phases = by_case(result.summary[result.summary["phase"] != "request"], of_peaks).loc[summed.index]
    np.testing.assert_allclose(phases, summed[of_peaks].div(summed["time_s"], axis=0), rtol=1e-9, atol=1e-12)
    timed = table[table["time_s"] > 0]
    at_work = 1 - timed["bound_by_latency_s"] / timed["time_s"]
    np.testing.assert_allclose(timed[of_peaks].max(axis=1), at_work, rtol=1e-4)


def test_nothing_is_busy_for_more_than_all_of_a_time_and_nothing_in_no_time():
    """Sums of the same seconds in another order may differ in their last digits."""
    busy = np.array([[1.0 + 1e-12, 0.25, 0.0], [3.0, 0.0, 1.0], [2.0, 1.0, 4.0]])
    assert utilisation(busy, np.array([1.0, 0.0, 4.0])).tolist() == [[1.0, 0.25, 0.0], [0.0] * 3, [0.5, 0.25, 1.0]]
