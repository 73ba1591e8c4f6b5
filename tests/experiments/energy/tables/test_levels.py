"""Memory levels of a run: sums of the long table, what they serve, and the tables of machines without any."""

import numpy as np
import pandas as pd
import pytest

from bitjoule import run_experiment
from bitjoule.energy_models.system.platform.levels import HELD

CASE = ["platform", "prompt_tokens", "phase"]
LEVEL = {"holds": list(HELD), "bandwidth_gb_per_s": 100, "memory": "sram"}
SMALL = {"holds": ["keys_values"], "bandwidth_gb_per_s": 50, "size_bytes": 4096, "read_pj_per_bit": 0.5,
         "write_pj_per_bit": 0.25}  # fmt: skip
RUN = {
    "name": "x",
    "accounting": "system",
    "models": ["bitnet-125m"],
    "schemes": ["bitnet-b1.58"],
    "technologies": ["7nm"],
    "platforms": [
        "ternary-edge",
        {"name": "one", "like": "ternary-edge", "levels": {"l2": {**LEVEL, "size_bytes": 1 << 26, "banks": 64}}},
        {"name": "two", "like": "ternary-edge",
         "levels": {"l2": SMALL, "l3": {**LEVEL, "size_bytes": 1 << 20}, "none": {**SMALL, "size_bytes": 0}}},
    ],
    "workload": {"prompt_tokens": [4, 700], "new_tokens": 3},
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return run_experiment(RUN)


def test_each_level_has_its_rows_in_the_order_in_which_bits_pass(found):
    table = found.levels
    assert "ternary-edge" not in set(table["platform"])
    rows = table.groupby(CASE, sort=False)["level"].agg(list)
    assert set(map(tuple, rows.loc["one"])) == {("l2",)}
    assert set(map(tuple, rows.loc["two"])) == {("l2", "l3")}
    assert len(table) == 2 * 3 * (1 + 2)  # prompts, phases with their sum, levels
    assert table.iloc[-1][["holds", "size_bytes"]].tolist() == [" ".join(HELD), 1 << 20]
    assert set(table[(table["platform"] == "two") & (table["level"] == "l2")]["holds"]) == {"keys_values"}
    # a case's phases after each other, each with its levels, as the summary has its rows
    two = table[(table["platform"] == "two") & (table["prompt_tokens"] == 4)]
    assert two[["phase", "level"]].to_numpy().tolist() == [
        [phase, level] for phase in ("prefill", "decode", "request") for level in ("l2", "l3")
    ]


def test_a_level_that_nothing_is_read_from_serves_no_share():
    """Activations of a short prompt stay in the buffers."""
    platform = {"name": "one", "like": "ternary-edge", "levels": {"l2": {**SMALL, "holds": ["activations"]}}}
    table = run_experiment(RUN | {"platforms": [platform], "workload": {"prompt_tokens": 4, "new_tokens": 3}}).levels
    assert len(table) == 3
    assert (table[["read_bytes", "served_share", "utilisation", "energy_j"]] == 0).all(axis=None)


def test_bytes_and_joules_are_sums_of_the_long_table(found):
    long = found.results[found.results["component"] == "memory_levels"]
    table = found.levels
    for case, rows in table[table["phase"] != "request"].groupby(CASE):
        own = long[np.logical_and.reduce([long[key] == value for key, value in zip(CASE, case, strict=True)])]
        assert rows["energy_j"].sum() == pytest.approx(own["energy_pj"].sum() / 1e12)
        for way in ("read", "fill", "write"):
            bits = own.loc[own["action"] == f"level_{way}", "count"].sum()
            assert rows[f"{way}_bytes"].sum() == pytest.approx(bits / 8)
    for _, rows in table.groupby(["platform", "prompt_tokens", "level"]):
        by_phase = rows.set_index("phase")
        for name in ("read_bytes", "fill_bytes", "write_bytes", "energy_j"):
            assert by_phase.loc["request", name] == pytest.approx(by_phase.loc[["prefill", "decode"], name].sum())


def test_shares_follow_from_bytes_and_times(found):
    table = found.levels.merge(found.summary[[*CASE, "latency_s"]], on=CASE)
    np.testing.assert_allclose(table["served_share"], 1 - table["fill_bytes"] / table["read_bytes"], atol=1e-12)
    peak = np.where(table["level"].eq("l2") & table["platform"].eq("two"), 50e9, 100e9)
    busy_s = np.maximum(table["read_bytes"], table["fill_bytes"] + table["write_bytes"]) / peak
    np.testing.assert_allclose(table["utilisation"], busy_s / table["latency_s"], rtol=1e-9)
    of_model = table.set_index(["platform", "level", "phase", "prompt_tokens"])["served_share"]
    assert of_model["one", "l2", "decode", 4] > 0.6  # all but the first of three steps
    assert of_model["two", "l3", "decode", 4] == 0  # a model of 125 M parameters in 1 MiB


def test_energies_of_components_add_up_to_the_summary(found):
    long = found.results.groupby(CASE, observed=True)["energy_pj"].sum() / 1e12
    summary = found.summary.set_index(CASE)["energy_j"]
    for case, total in long.items():
        assert summary[case] == pytest.approx(total, rel=1e-12)


def test_parts_of_a_run_give_the_same_table(bitjoule, tmp_path):
    import yaml

    (tmp_path / "x.yaml").write_text(yaml.safe_dump(RUN))
    for jobs in ("1", "2"):
        assert bitjoule("run", tmp_path / "x.yaml", "--no-plots", "--jobs", jobs, "--out", tmp_path / jobs)[0] == 0
    one, two = ((tmp_path / jobs / "x" / "levels.csv").read_bytes() for jobs in ("1", "2"))
    assert one == two
    assert len(pd.read_csv(tmp_path / "1" / "x" / "levels.csv")) == 18


def test_the_simulated_accelerator_has_no_levels(bitjoule, tmp_path):
    (tmp_path / "l2.yaml").write_text(
        "like: ternary-edge\n"
        "levels: {l2: {holds: [weights], size_bytes: 1048576, bandwidth_gb_per_s: 64, memory: sram}}\n"
    )
    (tmp_path / "x.yaml").write_text(
        "name: x\n"
        "rtl: {config: edge_64x16, matmuls: [{m: 1, k: 64, n: 16}], random_weights: 0.4}\n"
        "technology: 7nm\nplatform: ./l2.yaml\n"
    )
    status, _, error = bitjoule("run", tmp_path / "x.yaml", "--no-plots", "--out", tmp_path)
    assert status == 2
    assert "platform l2 has memory levels (l2), which simulated matmuls do not pass" in error
