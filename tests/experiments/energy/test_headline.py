"""The headline: static power is watts times seconds, and every rival reads its weights once, both by hand."""

import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import DATA, keys, sources
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.experiments.energy.resolve import resolve
from bitjoule.experiments.energy.result import Result
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import open_experiment

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "benchmarks" / "headline.py"
WATTS = {"headline": {"static-0.1w": 0.1, "static-1w": 1.0}, "headline_server": {"hbm": 90.0}}
BITS = {"fp16": 16, "int8": 8, "w4a8": 4 + 16 / 128, "bitnet": 1, "bitnet-b1.58": 2}  # of a weight, scales included
SHORT_TOKENS = 128
SHORT = {"workload": {"prompt_tokens": [512, 4096], "new_tokens": SHORT_TOKENS}, "plots": []}
CASE = ["model", "scheme", "platform", "phase", "prompt_tokens"]


@cache
def result(name: str) -> Result:
    return run(resolve(open_experiment(name, SHORT)))


@pytest.mark.parametrize("name", WATTS)
def test_static_energy_is_the_watts_times_the_seconds_of_each_phase(name):
    summary = result(name).summary.set_index(CASE)
    static = result(name).results.query("component == 'static' and operand == 'board'").groupby(CASE)["energy_pj"].sum()
    assert len(static) == (summary.index.get_level_values("phase") != "request").sum()
    for case, energy_pj in static.items():
        watts = WATTS[name][case[2]]
        assert energy_pj * 1e-12 == pytest.approx(watts * summary.loc[case, "latency_s"], rel=1e-6), case


@pytest.mark.parametrize("name", WATTS)
def test_the_arrays_of_all_machines_take_the_same_area_at_the_node_that_is_priced(name):
    """As synthesised, registers and control included; each array by the MAC of its first line."""
    technology = technologies()["7nm-measured"]

    def area_um2(machine: Platform) -> float:
        total = 0.0
        for array in machine.arrays.values():
            mac = technology.mac_of_actions(array.macs[0].weights[0], array.macs[0].actions or ())
            assert mac is not None
            total += array.lanes * array.columns * mac.area_um2
        return total

    for by_scheme in result(name).grid.platforms.values():
        ternary = area_um2(by_scheme["bitnet-b1.58"][1])
        for scheme, (_, machine) in by_scheme.items():
            assert 0.98 <= area_um2(machine) / ternary <= 1, scheme


@pytest.mark.parametrize("name", WATTS)
def test_every_rival_reads_each_weight_once_per_token_in_the_bits_of_its_format(name):
    """And an FP16 head, and FP16 keys and values of the mean context; no token is faster than its bits."""
    new_tokens = SHORT_TOKENS
    reads = result(name).results.query("phase == 'decode' and action == 'off_chip_read'")
    bits = reads[reads["component"] != "embedding"].groupby(CASE)["count"].sum()
    summary = result(name).summary.set_index(CASE)
    assert {scheme for _, scheme, *_ in bits.index} == set(BITS)
    for model, scheme, platform, phase, context in bits.index:
        shape = presets()[model]
        linear = shape.layers * sum(matrix.in_features * matrix.out_features for matrix in shape.linears)
        head = 16 * shape.vocabulary * shape.hidden
        cached = 2 * 16 * shape.layers * shape.kv_heads * 128 * (context + (new_tokens + 1) / 2)
        case = (model, scheme, platform, phase, context)
        assert bits[case] == pytest.approx(new_tokens * (linear * BITS[scheme] + head + cached), rel=1e-9), case
        bandwidth = {"headline": 12.8e9, "headline_server": 1024e9}[name]
        assert summary.loc[case, "latency_s"] >= bits[case] / 8 / bandwidth * (1 - 1e-9)


def test_the_sign_of_the_gain_over_fp16_in_prefill_depends_on_the_context_as_the_readme_says():
    summary = pd.read_csv(ROOT / "reports" / "gallery" / "headline" / "summary.csv").query("phase == 'prefill'")
    energy = summary.pivot_table("energy_j", ["model", "platform", "prompt_tokens"], "scheme")
    gain = energy["fp16"] / energy["bitnet-b1.58"]
    assert (gain.xs(512, level="prompt_tokens") > 1).all()
    assert gain.xs(32768, level="prompt_tokens").min() < 1


def test_measured_gains_are_what_the_measured_joules_give():
    columns = ("machine", "model", "parameters_b", "phase", "scheme", "baseline", "energy_per_token_j",
               "baseline_energy_per_token_j", "gain", "metered", "source", "where", "note")  # fmt: skip
    gains = [cells for _, cells in read_facts(DATA / "measured_gains.csv", columns)]
    assert len(gains) == 6
    for cells in gains:
        assert set(keys(cells["source"])) <= set(sources())
        if cells["baseline_energy_per_token_j"]:
            ratio = float(cells["baseline_energy_per_token_j"]) / float(cells["energy_per_token_j"])
            assert f"{ratio:.2f}" == cells["gain"]


def test_the_rows_of_the_readme_are_those_of_the_committed_summary(tmp_path):
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True)
    for name in ("headline.csv", "headline_ranges.csv"):
        assert (tmp_path / name).read_text() == (SCRIPT.parent / name).read_text(), "python benchmarks/headline.py"


def made(joules: dict[str, float], platforms: list[str], models: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (model, scheme, platform, phase, 4096, energy, energy / 2, energy**2, energy / 128)
            for model in models for scheme, energy in joules.items() for platform in platforms
            for phase in ("prefill", "decode", "request")
        ],
        columns=[*CASE, "energy_j", "energy_low_j", "energy_high_j", "energy_per_token_j"],
    )  # fmt: skip


def test_a_row_divides_the_rival_by_ternary():
    module = script()
    joules = {"bitnet-b1.58": 2.0, "w4a8": 3.0, "int8": 5.0, "fp16": 7.0}
    rows = module.rows(made(joules, [*module.WATTS], [*module.MODELS]))
    assert rows["row"].nunique() == 8
    found = rows[rows["row"] == "BitNet 2B4T, decode, 1 W"].set_index("column")["value"]
    expected = {
        "J per token": 2 / 128, "low": 1 / 128, "high": 4 / 128, "gain over INT4": 1.5, "at low prices": 1.5,
        "at high prices": 9 / 4, "gain over INT8": 2.5, "gain over FP16": 3.5,
    }  # fmt: skip
    assert found.to_dict() == pytest.approx(expected)


def test_a_range_is_the_lowest_and_the_highest_gain_of_all_cases():
    module = script()
    first = made({"bitnet-b1.58": 2.0, "w4a8": 3.0, "int8": 5.0, "fp16": 7.0}, ["a"], ["x"])
    second = made({"bitnet-b1.58": 2.0, "w4a8": 1.0, "int8": 8.0, "fp16": 6.0}, ["b"], ["x"])
    ranges = module.ranges(pd.concat([first, second])).set_index(["rival", "phase"])
    assert ranges.loc[("INT4", "decode")].tolist() == [0.5, 1.5]
    assert ranges.loc[("INT8", "prefill")].tolist() == [2.5, 4.0]
    assert ranges.loc[("FP16", "decode")].tolist() == [3.0, 3.5]


def script() -> Any:
    spec = importlib.util.spec_from_file_location("headline", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
