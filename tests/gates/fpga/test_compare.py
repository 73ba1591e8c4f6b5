"""Comparisons with constants as logic: what was written, by SAT, for every constant, and no carry cell for it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bitjoule.gates.fpga import placement
from tests.rtl.formal import YOSYS

MAP = Path(placement.__file__).parent / "compare.v"
BITS = 3
CONSTANTS = range(1 << BITS + 1)  # also what no word reaches


def wrong(*commands):
    """Return what Yosys prints if it fails, also at a `select -assert` or an unproved `sat`; otherwise nothing."""
    run = subprocess.run([sys.executable, "-c", YOSYS, *commands], capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else run.stdout[-2000:] + run.stderr or f"exit status {run.returncode}"


@pytest.mark.parametrize("operator", ["<=", "<", ">=", ">"])
def test_each_comparison_with_each_constant_equals_what_was_written(operator, tmp_path):
    compared = ", ".join(f"a {operator} {BITS + 1}'d{constant}" for constant in CONSTANTS)
    source = tmp_path / "gold.v"
    source.write_text(
        f"module top(input [{BITS - 1}:0] a, output [{len(CONSTANTS) - 1}:0] y); assign y = {{{compared}}}; endmodule\n"
    )
    failed = wrong(
        f"read_verilog {source}", "hierarchy -top top; proc; copy top gate; rename top gold",
        f"techmap -map {MAP} gate", "select -assert-none gate/t:$le gate/t:$lt gate/t:$ge gate/t:$gt",
        "miter -equiv -flatten -make_assert gold gate miter", "sat -verify -prove-asserts miter",
    )  # fmt: skip
    assert not failed, failed


def test_what_is_signed_or_compared_with_a_word_stays(tmp_path):
    source = tmp_path / "other.v"
    source.write_text(
        "module top(input [2:0] a, b, input signed [2:0] s, output [1:0] y);"
        " assign y = {a <= b, s < 3'sd1}; endmodule\n"
    )
    failed = wrong(
        f"read_verilog {source}", "hierarchy -top top; proc", f"techmap -map {MAP}",
        "select -assert-count 1 t:$le", "select -assert-count 1 t:$lt",
    )  # fmt: skip
    assert not failed, failed


@pytest.mark.slow
def test_a_long_comparison_takes_a_third_of_the_tables_of_a_carry_chain(tmp_path):
    source, tables = tmp_path / "long.v", {}
    source.write_text("module top(input [23:0] n, output y); assign y = n <= 24'd4; endmodule\n")
    for name, before in {"chain": "proc", "logic": f"proc; techmap -map {MAP}"}.items():
        netlist = tmp_path / f"{name}.json"
        assert not wrong(f"read_verilog {source}", before, f"synth_ecp5 -nodsp -nowidelut -top top -json {netlist}")
        kinds = [cell["type"] for cell in json.loads(netlist.read_text())["modules"]["top"]["cells"].values()]
        tables[name] = kinds.count("LUT4") + 2 * kinds.count("CCU2C")
    assert tables["chain"] >= 24
    assert tables["logic"] <= 9
