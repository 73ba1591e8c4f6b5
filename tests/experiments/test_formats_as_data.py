"""A number format, or a packing, is rows of data: added to a copy of the data files, no line of code is touched."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

ROOT = Path(__file__).parents[2]
E4M3_PJ = {"mul": 0.25, "add": 0.125}  # made up, and equal to no other price
FORMATS = """\
  fp8_e4m3: {bits: 8, kind: float, scales: true}
  fp8_e5m2: {bits: 8, kind: float, scales: true}
"""
STORAGE = """\
  fp8_e4m3: {holds: fp8_e4m3, word_bits: 8}
  fp8_e5m2: {holds: fp8_e5m2, word_bits: 8, group: 32, scale_bits: 8}
  ternary20: {holds: ternary, word_bits: 32, values: 20, unpack: {add int8: 19}}
"""
SCHEMES = """\
  fp8:
    weights: fp8_e4m3
    activations: fp8_e4m3
    attention: fp16
    rescale: fp16
    kv_cache: fp8_e5m2
  packed:
    weights: ternary
    activations: int8
    attention: fp16
    rescale: fp16
    weight_storage: ternary20
"""
PLATFORM = """\
like: fp16-edge
description: made up
arrays:
  fp8:
    lanes: 8
    columns: 8
    macs: [{weights: [fp8_e4m3], activations: [fp8_e4m3], actions: [mul fp8_e4m3, add fp16]}]
    weight_registers: {load_bits_per_cycle: 512}
    accumulators: {per: column, depth: 64, bits: 32}
  fp16:
    macs:
      - {weights: [fp16, ternary, fp8_e5m2], activations: [fp16], actions: [mul fp16, add fp16]}
      - {weights: [ternary], activations: [int8], actions: [add int8]}
nodes: {45nm: {leakage_w: 0.1}, 7nm: {leakage_w: 0.001}}
sources: {arrays.fp8: made up, nodes: made up}
"""
EXPERIMENT = """\
name: added
accounting: {accounting}
models: [bitnet-125m]
schemes: [fp16, fp8, packed]
technologies: [45nm]
workload: {{prompt_tokens: 7, new_tokens: 3}}
baseline: {{scheme: fp16}}
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """Return a folder with the code as it is, beside data files with new rows."""
    folder = tmp_path_factory.mktemp("changed")
    (folder / "bitjoule").mkdir()
    for entry in (ROOT / "bitjoule").iterdir():
        if entry.name != "energy_models":
            (folder / "bitjoule" / entry.name).symlink_to(entry.resolve())
    data = folder / "bitjoule" / "energy_models" / "data"
    copytree(ROOT / "energy_models", data.parent)
    for name, text in (("formats", FORMATS), ("storage", STORAGE), ("schemes", SCHEMES)):
        with (data / f"{name}.yaml").open("a", encoding="utf-8") as file:
            file.write(text)
    with (data / "operations.csv").open("a", encoding="utf-8") as file:
        for operation, energy_pj in E4M3_PJ.items():
            file.write(f"{operation},fp8_e4m3,45,{energy_pj},{energy_pj},{energy_pj},bitjoule2026,made up,\n")
    (data / "platforms" / "fp8-edge.yaml").write_text(PLATFORM, encoding="utf-8")
    return folder


def run(folder, accounting, more=""):
    """Run the experiment in a process that imports the changed copy; return the long table."""
    path = folder / f"{accounting}.yaml"
    path.write_text(EXPERIMENT.format(accounting=accounting) + more)
    command = [sys.executable, "-m", "bitjoule", "run", str(path), "--out", str(folder / accounting), "--no-plots"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with (folder / accounting / "added" / "results.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sums(rows, scheme, **keys):
    """Return the count and the energy in pJ of some rows."""
    chosen = [row for row in rows if row["scheme"] == scheme and all(row[key] in value for key, value in keys.items())]
    return sum(float(row["count"]) for row in chosen), sum(float(row["energy_pj"]) for row in chosen)


LAYERS, HIDDEN, FFN = 12, 768, 3072  # bitnet-125m
WEIGHTS = LAYERS * (4 * HIDDEN * HIDDEN + 2 * HIDDEN * FFN)
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down")


@pytest.mark.slow
def test_fp8_in_the_papers_accounting_is_rows_of_data(changed):
    rows = run(changed, "arithmetic")
    tokens = 7 + 3
    count, energy_pj = sums(rows, "fp8", operand=("weights",), action=("mul",), format=("fp8_e4m3",))
    assert count == tokens * WEIGHTS
    assert energy_pj == pytest.approx(count * E4M3_PJ["mul"])
    inputs, outputs = LAYERS * (5 * HIDDEN + FFN), LAYERS * (5 * HIDDEN + FFN)
    count, energy_pj = sums(rows, "fp8", operand=("partial_sums",), action=("add",), format=("fp8_e4m3",))
    assert count == tokens * (WEIGHTS - outputs)
    assert energy_pj == pytest.approx(count * E4M3_PJ["add"])
    scaled, _ = sums(rows, "fp8", operand=("activations", "outputs"), action=("mul",), format=("fp16",))
    assert scaled == tokens * (inputs + outputs)


@pytest.mark.slow
def test_fp8_and_a_packing_on_a_machine_are_rows_of_data(changed):
    rows = run(changed, "system", "platforms: [fp8-edge]\n")
    tokens = 7 + 3
    linears = {"component": LINEARS, "operand": ("weights",)}
    count, energy_pj = sums(rows, "fp8", **linears, action=("mul",), format=("fp8_e4m3",))
    assert count == tokens * WEIGHTS
    assert energy_pj == pytest.approx(count * E4M3_PJ["mul"])
    # decode alone: each token reads every weight once, in the bits of its packing
    decode = {**linears, "phase": ("decode",), "action": ("off_chip_read",)}
    assert sums(rows, "fp8", **decode, format=("fp8_e4m3",))[0] == pytest.approx(3 * WEIGHTS * 8)
    assert sums(rows, "packed", **decode, format=("ternary20",))[0] == pytest.approx(3 * WEIGHTS * 32 / 20)
    written, _ = sums(rows, "fp8", component=("kv_cache_write",), action=("off_chip_write",), format=("fp8_e5m2",))
    assert written == pytest.approx(tokens * LAYERS * 2 * HIDDEN * (8 + 8 / 32))
