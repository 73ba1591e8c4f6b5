"""Experiments on netlists: tables by a closed form, savings by hand, what a user may write."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import yaml

from bitjoule.experiments.files import shipped_experiments
from bitjoule.experiments.netlists import run as measuring
from bitjoule.experiments.netlists.run import by_part, run_gates, shown_cases
from bitjoule.experiments.netlists.schema import GatesEffort, read_gates_experiment
from bitjoule.experiments.netlists.sparsity import outside_sweeps, savings, swept
from bitjoule.gates.calibration.measurement import Effort
from bitjoule.gates.liberty.libraries import find_library
from tests.experiments import measured_by_hand as measured
from tests.experiments.opened import opened

ARRAYS = """\
    - {name: ternary, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 128}}
    - {name: binary, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 64, weight_encoding: binary1}}
"""
TEXT = f"""\
name: mine
gates:
  arrays:
{ARRAYS}  stimuli: ["uniform,zeros:0", "uniform,zeros:0.5", "uniform,zeros:0.75", model:tiny-b158]
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs an experiment's text on measurements made up by a closed form."""
    monkeypatch.setattr(measuring, "measure", measured.made_up)

    def ran(text, *overrides):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        steps = []
        found = run_gates(read_gates_experiment(opened(path, overrides)), lambda *step: steps.append(step))
        return found, steps

    return ran


def test_the_summary_has_a_row_for_each_array_and_stimulus_with_the_energy_of_a_mac(run):
    summary = run(TEXT)[0].summary
    assert summary[["array", "stimulus"]].apply(tuple, axis=1).nunique() == len(summary) == 8
    assert set(summary["node_nm"]) == {45.0}
    for row in summary.to_dict("records"):
        zeros = measured.zero_share(row["stimulus"], row["weights"] == "ternary")
        pins = (80 * (1 - zeros) + 20 * zeros) * (0.5 if row["stimulus"].startswith("model") else 1)
        assert row["total_fj"] == pytest.approx(pins)
        assert row["settled_fj"] == row["energy_low_fj"] == pytest.approx(0.75 * pins)
        assert row["energy_fj"] == pytest.approx(1.25 * pins)
        assert row["energy_high_fj"] == pytest.approx((1.25 + 0.25 + 0.125) * pins)
        assert (row["area_um2"], row["leakage_nw"], row["period_ns"]) == (50.0, 30.0, 1.5)


def test_the_parts_of_the_long_table_add_up_to_the_nominal_energy(run):
    found, _ = run(TEXT)
    case = ["library", "array", "stimulus"]
    sums = found.results.groupby(case)["energy_fj"].sum()
    nominal = found.summary.set_index(case)["energy_fj"]
    np.testing.assert_allclose(sums.loc[nominal.index], nominal)
    assert found.results.groupby(case)["area_um2"].sum().to_numpy() == pytest.approx(50.0)
    table = by_part(found.results, shown_cases(found.summary))
    assert [array for _, array, _ in table.index] == ["ternary", "binary"]
    assert list(table.columns) == list(measured.PARTS)
    np.testing.assert_allclose(table.sum(axis=1), 100.0)  # (1 + 0.25) 80 fJ
    settled = by_part(found.results, shown_cases(found.summary), "settled_fj")
    np.testing.assert_allclose(settled, 0.75 * table)


def test_a_part_without_any_energy_has_no_column_and_one_that_a_case_lacks_is_zero():
    rows = [("ternary", "tree", 1.0), ("ternary", "select", 0.0), ("int8", "tree", 2.5), ("int8", "multiply", 1e-3)]
    results = pd.DataFrame(
        [{"library": "45nm", "array": name, "stimulus": "s", "part": part, "energy_fj": fj} for name, part, fj in rows]
    )
    table = by_part(results, results.drop_duplicates("array"))
    assert list(table.columns) == ["multiply", "tree"]
    assert table.to_numpy().tolist() == [[0.0, 1.0], [1e-3, 2.5]]


def test_of_one_array_the_parts_with_every_stimulus_are_shown(run):
    found, _ = run(TEXT.replace(ARRAYS.splitlines()[1] + "\n", ""))
    assert len(shown_cases(found.summary)) == 4
    assert by_part(found.results, shown_cases(found.summary)).index.get_level_values("stimulus").nunique() == 4


def test_progress_counts_every_measurement_and_ends(run):
    _, steps = run(TEXT)
    assert [done for done, _, _ in steps] == list(range(9))
    assert {total for _, total, _ in steps} == {8}
    assert steps[-1] == (8, 8, "")
    assert "ternary, uniform,zeros:0.5" in steps[1][2]


def test_savings_are_those_of_the_closed_form(run):
    found = savings(run(TEXT)[0].summary)
    assert found["array"].tolist() == ["ternary", "ternary"]  # ±1 weights have no zeros
    # a MAC takes 80 (1 - z) + 20 z: of the ideal saving z, 3/4 is left
    assert found["saving"].tolist() == pytest.approx([0.375, 0.5625])
    assert found["ideal"].tolist() == pytest.approx([0.5, 0.75])
    assert found["effectiveness"].tolist() == pytest.approx([0.75, 0.75])


def test_a_sweep_that_begins_with_zeros_is_compared_with_its_beginning():
    summary = pd.DataFrame(
        {"library": "l", "array": "a", "stimulus": ["uniform,zeros:0.6", "uniform,zeros:0.2"], "zero_share": [0.6, 0.2],
         "energy_fj": [6.0, 8.0]}
    )  # fmt: skip
    assert savings(summary)["ideal"].tolist() == pytest.approx([0.5])  # 0.8 nonzero become 0.4
    assert savings(summary)["saving"].tolist() == pytest.approx([0.25])


@pytest.mark.parametrize("second", ["gaussian:3,zeros:0.5", "uniform,zeros:0.0"])
def test_other_operands_and_one_share_make_no_sweep(second):
    summary = pd.DataFrame(
        {"library": "l", "array": "a", "stimulus": ["uniform,zeros:0", second], "energy_fj": [8.0, 6.0],
         "zero_share": [0.0, 0.5 * ("3" in second)]}
    )  # fmt: skip
    assert swept(summary).empty
    assert savings(summary).empty
    assert outside_sweeps(summary).empty


def test_recorded_operands_stand_beside_the_sweep_at_their_share_of_zeros(run):
    found = outside_sweeps(run(TEXT)[0].summary).to_dict("records")
    assert len(found) == 1
    assert found[0]["energy_fj"] == pytest.approx(1.25 * 0.5 * (80 - 60 * 0.4))
    assert found[0]["sweep_fj"] == pytest.approx(1.25 * (80 - 60 * 0.4))  # a straight line between 0 and 50 %


def test_an_array_of_its_own_stimuli_is_run_with_these_alone(run):
    text = TEXT.replace("weight_encoding: binary1}}", "weight_encoding: binary1}, stimuli: [uniform]}")
    summary = run(text)[0].summary
    assert summary.loc[summary["array"] == "binary", "stimulus"].tolist() == ["uniform"]


def test_libraries_of_one_name_are_told_apart(run, tmp_path):
    copy = tmp_path / "copy.lib"
    copy.write_bytes(find_library(["freepdk45"]).paths[0].read_bytes())
    summary = run(TEXT, f"gates.libraries=[freepdk45, {copy}]")[0].summary
    assert summary["library"].unique().tolist() == ["NangateOpenCellLibrary", "NangateOpenCellLibrary (2)"]
    assert set(summary["node_nm"]) == {45.0}


def test_shipped_and_written_configurations_may_be_named(run, tmp_path):
    (tmp_path / "own.yaml").write_text("{lanes: 8, columns: 2, max_k: 64, weight_bus_bits: 32}")
    found, _ = run(TEXT.replace(ARRAYS, "    - tiny_8x4\n    - ./own.yaml\n    - {name: third, config: own.yaml}\n"))
    assert found.summary["array"].unique().tolist() == ["tiny_8x4", "own", "third"]
    assert {"mine.yaml", "tiny_8x4", "./own.yaml", "own.yaml", "stdcells.lib"} == set(found.inputs)


def test_the_experiment_written_out_needs_no_other_file_and_says_the_same(tmp_path):
    (tmp_path / "own.yaml").write_text("{lanes: 8, columns: 2, max_k: 64, weight_bus_bits: 32}")
    (tmp_path / "first.yaml").write_text(TEXT.replace(ARRAYS, "    - own.yaml\n"))
    given = read_gates_experiment(opened(tmp_path / "first.yaml"))
    (tmp_path / "own.yaml").unlink()
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(given.experiment.model_dump(mode="json", exclude_none=True)))
    again = read_gates_experiment(opened(tmp_path / "again.yaml"))
    assert again.experiment == given.experiment
    assert [array.config for array in again.arrays] == [array.config for array in given.arrays]


def test_the_default_effort_is_that_of_a_measurement():
    assert GatesEffort().model_dump() == asdict(Effort())


@pytest.mark.parametrize("name", shipped_experiments("netlists"))
def test_shipped_experiments_keep_every_array_busy_and_have_readable_stimuli(name):
    given = read_gates_experiment(opened(shipped_experiments()[name]))
    assert given.measurements >= 5
    assert all(array.config.tile_beats == 1 for array in given.arrays)


def test_areas_and_energies_have_the_bounds_of_netlists_that_differ_in_names_alone(run):
    one, several = run(TEXT)[0].summary, run(TEXT, "gates.netlists=5")[0].summary
    assert set(one["netlists"]) == {1}
    assert set(several["netlists"]) == {5}
    for name, unit, least, greatest in (
        ("energy", "fj", 1.0, 1 + 4 / 64), ("without_glitches", "fj", 1.0, 1 + 4 / 64), ("area", "um2", 1 - 4 / 64, 1.0)
    ):  # fmt: skip
        value = one[f"{name}_{unit}"]
        pd.testing.assert_series_equal(several[f"{name}_{unit}"], value)  # the first netlist's
        np.testing.assert_array_equal(one[f"{name}_least_{unit}"], value)
        np.testing.assert_array_equal(one[f"{name}_greatest_{unit}"], value)
        np.testing.assert_allclose(several[f"{name}_least_{unit}"], least * value)
        np.testing.assert_allclose(several[f"{name}_greatest_{unit}"], greatest * value)
