"""The memory of running sums: what Yosys makes of it, and what stands in its module."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP, accelerator_verilog
from tests.rtl.formal import YOSYS

CONFIG = AcceleratorConfig(8, 4, 64, 64, tokens=64, accumulators="memory")
MODULE = re.compile(r"^module \\bitjoule_accelerator\.core\.accumulators\.storage (.*?)^endmodule", re.M | re.S)


def test_the_module_of_the_memory_contains_nothing_else_and_has_the_ports_of_a_macro():
    text = MODULE.search(accelerator_verilog(CONFIG))[1]
    ports = {"clk", "rst", "read_en", "read_addr", "read_data", "write_en", "write_addr", "write_data"}
    assert set(re.search(r"\((.*?)\)", text)[1].split(", ")) == ports
    assert re.findall(r"reg \[\d+:0\] (\w+) \[63:0\];", text) == ["words"]
    assert "no_rw_check" in text
    assert " \\" not in text.split(");", 1)[1]  # no instance, and no net without a name of its own


def test_registers_have_no_such_module():
    assert not MODULE.search(accelerator_verilog(replace(CONFIG, accumulators="registers")))


@pytest.mark.slow
@pytest.mark.parametrize(("accumulators", "block_ram"), [("memory", 2), ("registers", 0)])
def test_yosys_makes_block_ram_of_it(accumulators, block_ram, tmp_path):
    """Of 64 words of 4 x 15 bits: two of ECP5's, which are 36 bits wide with a port for reading and one for writing."""
    verilog, report = tmp_path / "accelerator.v", tmp_path / "cells.json"
    verilog.write_text(accelerator_verilog(replace(CONFIG, accumulators=accumulators)))
    commands = (
        f"read_verilog {verilog}",
        f"synth_ecp5 -nowidelut -nodsp -top {TOP}",
        f"tee -q -o {report} stat -json",
    )
    subprocess.run([sys.executable, "-c", YOSYS, *commands], check=True, stdout=subprocess.DEVNULL)
    cells = json.loads(report.read_text())["design"]["num_cells_by_type"]
    assert cells.get("DP16KD", 0) + cells.get("PDPW16KD", 0) == block_ram
