"""The parts of DRAM devices of a run: sums of the long table, bands, roofs; and the experiment that ships."""

import numpy as np
import pandas as pd
import pytest

from bitjoule import run_experiment
from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.prices.keys import shared_row
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.energy.tables.dram import PARTS
from bitjoule.experiments.files import open_experiment

CASE = ["platform", "scheme", "prompt_tokens", "phase"]
EDGES = {"fp16": "fp16-edge", "bitnet-b1.58": "ternary-edge"}


def members(suffix):
    return {scheme: f"{edge}{suffix}" for scheme, edge in EDGES.items()}


@pytest.fixture(scope="module")
def found():
    return run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": ["bitnet-b1.58-700m"],
            "schemes": list(EDGES),
            "technologies": ["7nm"],
            "platforms": [
                {"name": name, "by_scheme": members(suffix)}
                for name, suffix in (("flat", ""), ("phone", "-lpddr4"), ("module", "-ddr4"), ("stack", "-hbm3e"))
            ],
            "workload": {"prompt_tokens": [4, 96], "new_tokens": 3},
            "baseline": {"scheme": "fp16"},
        }
    )


def joules(rows):
    return rows["energy_pj"].sum() / 1e12


def test_parts_are_sums_of_the_long_table_and_leave_nothing_of_the_memory_out(found):
    long = found.results
    action = long["action"].astype(str)
    priced = long["price"].astype(str).str.startswith("drams.yaml")
    whole = long[priced].groupby(CASE, observed=True)["energy_pj"].sum() / 1e12
    table = found.dram.set_index(CASE)
    assert len(table) == 3 * 2 * 2 * 3  # devices, schemes, prompts; phases and their sum
    for case, row in table.iterrows():
        if case[-1] == "request":
            phases = [table.loc[(*case[:-1], phase)] for phase in ("prefill", "decode")]
            for part in PARTS:
                assert row[f"{part}_j"] == pytest.approx(sum(phase[f"{part}_j"] for phase in phases))
            continue
        own = np.logical_and.reduce([long[key] == value for key, value in zip(CASE, case, strict=True)])
        assert sum(row[f"{part}_j"] for part in PARTS) == pytest.approx(whole[case])
        for part in ("activate", "io", "phy"):
            assert row[f"{part}_j"] == pytest.approx(joules(long[own & action.str.endswith(f"_{part}")]))
        for part in ("read", "write"):
            assert row[f"{part}_j"] == pytest.approx(joules(long[own & (action == f"off_chip_{part}")]))
        assert row["bits"] == pytest.approx(long[own & action.str.startswith("off_chip")]["count"].sum())
        assert row["opened_rows"] == pytest.approx(long[own & action.str.endswith("_activate")]["count"].sum())
        assert row["waiting_j"] == pytest.approx(joules(long[own & (long["operand"] == "dram")]))
    assert set(found.dram["device"]) == {"lpddr4-3200", "ddr4-2400", "hbm3e"}


def test_of_a_prompt_alone_there_are_no_rows_of_decode():
    platforms_ = [{"name": "phone", "by_scheme": members("-lpddr4")}]
    one = {"name": "x", "accounting": "system", "models": ["bitnet-125m"], "schemes": list(EDGES),
           "technologies": ["7nm"], "platforms": platforms_}  # fmt: skip
    table = run_experiment(one | {"workload": {"prompt_tokens": 4, "new_tokens": [0, 1]}}).dram
    phases = table.groupby(["scheme", "new_tokens"], observed=True)["phase"].agg(list)
    for scheme in EDGES:
        assert phases[scheme, 0] == ["prefill"]
        assert phases[scheme, 1] == ["prefill", "decode", "request"]


def test_machines_with_one_price_have_no_parts(found):
    assert "flat" not in set(found.dram["platform"])
    flat = found.results[found.results["platform"] == "flat"]
    assert not flat["action"].astype(str).str.contains("_activate|_io|_phy", regex=True).any()
    alone = run_experiment(open_experiment("full_model_components", {"plots": [], "sensitivity": False}).data)
    assert alone.dram.empty


def test_components_add_up_to_the_summary(found):
    long = found.results.groupby(CASE, observed=True)["energy_pj"].sum() / 1e12
    summary = found.summary.set_index(CASE)["energy_j"]
    for case, total in long.items():
        assert summary[case] == pytest.approx(total, rel=1e-12)


def test_a_devices_parts_move_together_and_its_controller_apart():
    keys = ["core_read", "core_write", "activate", "io_read", "busy:2@500MHz", "idle:2@500MHz", "read:2048"]
    assert {shared_row(f"drams.yaml:lpddr4-3200:{key}", "7nm") for key in keys} == {"drams.yaml:lpddr4-3200"}
    for section in ("phy", "pins"):
        rows = {shared_row(f"drams.yaml:ddr4-2400:{section}.{way}_pj_per_bit", "7nm") for way in ("read", "write")}
        assert rows == {f"drams.yaml:ddr4-2400:{section}"}


def test_ratios_of_one_device_move_with_it_on_both_sides():
    """Of decode nearly all is memory: at the low end of LPDDR4 both formats take half of it, and the gain stays."""
    lpddr4 = [{"name": "lpddr4", "by_scheme": members("-lpddr4")}]
    result = run_experiment(open_experiment("dram_parts", {"plots": [], "sensitivity": True, "platforms": lpddr4}).data)
    rows = result.sensitivity
    own = rows[(rows["cause"] == "drams.yaml:lpddr4-3200") & (rows["phase"] == "decode")]
    ternary = own[own["scheme"] == "bitnet-b1.58"].iloc[0]
    assert ternary["platform"] == "lpddr4"
    parts = result.dram.set_index(["platform", "scheme", "phase"]).loc["lpddr4", "bitnet-b1.58", "decode"]
    device_j = sum(parts[f"{part}_j"] for part in PARTS if part != "phy")
    assert ternary["energy_j"] - ternary["energy_low_j"] == pytest.approx(device_j / 2)
    assert ternary["energy_high_j"] == pytest.approx(ternary["energy_j"])
    assert ternary["ratio_low"] == pytest.approx(ternary["ratio"], rel=0.05)


def test_the_roof_is_the_bandwidth_that_is_reached(tmp_path):
    clock = "nodes: {7nm: {clock_mhz: 500}}\n"
    (tmp_path / "full.yaml").write_text(f"like: ternary-edge\n{clock}")
    (tmp_path / "slow.yaml").write_text(f"like: ternary-edge\noff_chip: {{achieved_share: 0.8}}\n{clock}")
    result = run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": ["bitnet-b1.58-700m"],
            "schemes": ["bitnet-b1.58"],
            "technologies": ["7nm"],
            "platforms": [str(tmp_path / "full.yaml"), str(tmp_path / "slow.yaml")],
            "workload": {"prompt_tokens": 16, "new_tokens": 2},
            "plots": [{"kind": "roofline", "phase": "decode"}],
        }
    )
    roofs = result.plots.roofs.set_index("platform")["bytes_per_s"]
    assert roofs.tolist() == pytest.approx([12.8e9, 0.8 * 12.8e9])
    seconds = result.summary[result.summary["phase"] == "decode"].set_index("platform")["latency_s"]
    assert seconds["slow"] / seconds["full"] == pytest.approx(1 / 0.8, rel=0.02)  # nearly all is memory
    points = result.plots.roofline[result.plots.roofline["phase"] == "decode"].set_index("platform")
    for name, roof in roofs.items():
        assert points.loc[name, "operations_per_s"] <= points.loc[name, "intensity"] * roof * (1 + 1e-9)


def test_the_share_is_a_key_like_others_that_an_override_sweeps(bitjoule, tmp_path):
    (tmp_path / "x.yaml").write_text(
        "name: x\naccounting: system\nmodels: [bitnet-b1.58-700m]\nschemes: [bitnet-b1.58]\ntechnologies: [7nm]\n"
        "platforms: [./a.yaml]\nworkload: {prompt_tokens: 2, new_tokens: 1}\n"
    )
    (tmp_path / "a.yaml").write_text("like: ternary-edge\nnodes: {7nm: {clock_mhz: 500}}\n")
    assert bitjoule("run", tmp_path / "x.yaml", "--no-plots", "--out", tmp_path)[0] == 0
    seconds = {}
    for share in (1.0, 0.5, 0.25):
        key = f"platforms[0].off_chip.achieved_share={share}"
        out = tmp_path / str(share)
        assert bitjoule("run", tmp_path / "x" / "experiment.yaml", "--no-plots", "--set", key, "--out", out)[0] == 0
        summary = pd.read_csv(out / "x" / "summary.csv")
        seconds[share] = summary[summary["phase"] == "decode"]["latency_s"].item()
    assert seconds[0.5] / seconds[1.0] == pytest.approx(2, rel=0.05)
    assert seconds[0.25] / seconds[1.0] == pytest.approx(4, rel=0.05)


def test_the_shipped_experiment_has_every_device_on_the_edge_at_one_bandwidth():
    result = run_experiment(open_experiment("dram_parts", {"plots": []}).data)
    devices = result.dram.groupby("platform", sort=False)["device"].first().tolist()
    assert devices == ["lpddr4-3200", "lpddr4x-3200", "lpddr5-6400", "ddr4-2400", "hbm2-1200", "hbm3e"]
    seconds = result.summary.groupby(["scheme", "phase"], observed=True)["latency_s"]
    spread = (seconds.max() - seconds.min()) / seconds.min()
    assert spread.xs("decode", level="phase").max() < 1e-9
    assert spread.xs("prefill", level="phase").max() < 0.01  # mappings of least energy differ with the prices
    for suffix in ("lpddr4", "lpddr4x", "lpddr5", "ddr4", "hbm2", "hbm3e"):
        for edge in EDGES.values():
            machine = platforms()[f"{edge}-{suffix}"]
            assert machine.off_chip.bandwidth_gb_per_s == platforms()[edge].off_chip.bandwidth_gb_per_s
            assert (machine.static.phy.busy, machine.static.phy.idle) == (0, platforms()[edge].static.phy)
            assert machine.arrays == platforms()[edge].arrays
            assert machine.off_chip.device in drams()


def test_decode_reads_the_weights_once_a_token_at_the_price_of_the_parts():
    """2B4T: 2.084 G trits of 2 bits and a head of 328 M FP16 values a token; LPDDR4 by its currents 8.47 pJ a bit."""
    result = run_experiment(open_experiment("dram_parts", {"plots": []}).data)
    row = result.dram.set_index(["platform", "scheme", "phase"]).loc["lpddr4", "bitnet-b1.58", "decode"]
    bits = 128 * (2_084_044_800 * 2 + 328_335_360 * 16)
    burst_pj = (1.1 * (275 - 30) + 1.1 * (150 - 0.75)) / 51.2
    cache_share = row["read_j"] + row["io_j"] - bits * burst_pj / 1e12
    assert 0 < cache_share < 0.06 * bits * burst_pj / 1e12  # keys and values
    assert row["phy_j"] == pytest.approx((row["read_j"] + row["io_j"]) / burst_pj * 1.83, rel=1e-3)


def test_the_table_is_written_beside_the_others(bitjoule, tmp_path):
    assert bitjoule("run", "dram_parts", "--no-plots", "--out", tmp_path)[0] == 0
    table = pd.read_csv(tmp_path / "dram_parts" / "dram.csv")
    assert len(table) == 6 * 2 * 3
    assert [name for name in table.columns if name.endswith("_j")] == [f"{part}_j" for part in PARTS]
