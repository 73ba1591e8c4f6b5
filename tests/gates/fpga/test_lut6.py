"""Tables of six inputs: the committed counts made again, counts of a design by hand, and the designs of others."""

import csv
import json
from pathlib import Path

import pytest

from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.gates.fpga import lut6
from bitjoule.gates.fpga.lut6 import COLUMNS, OPEN_DESIGNS, Lut6, open_designs, synthesised
from bitjoule.rtl.verilog import TOP, accelerator_verilog
from bitjoule.sim.accelerator.configurations import read_configuration

TABLE = Path(__file__).parents[3] / "benchmarks" / "fpga_lut6.csv"
TINY = read_configuration("tiny_8x4")
MIXED = """
module top(input clk, input [5:0] a, input [4:0] at, output reg y, output [15:0] read);
  (* ram_style = "distributed" *) reg [15:0] words[0:31];
  always @(posedge clk) begin
    y <= ^a;
    words[at] <= {16{a[0]}} ^ 16'h00ff;
  end
  assign read = words[~at];
endmodule
"""


def committed():
    designs = {}
    for row in csv.DictReader(TABLE.read_text().splitlines()):
        designs.setdefault(row["design"], {})[row["quantity"]] = float(row["value"])
    return designs


@pytest.mark.slow
def test_the_committed_counts_of_tiny_are_made_again(tmp_path):
    built = synthesised("tiny", TINY, accelerator_verilog(TINY), TOP, tmp_path)
    row = committed()["`tiny_8x4`, `carry_save`, synthesis"]
    assert (built.trits_per_cycle, built.tables, built.flip_flops) == (
        row["trits per cycle"], row["LUTs"], row["flip-flops"],
    )  # fmt: skip


@pytest.mark.slow
def test_memory_counts_for_the_tables_that_it_takes(tmp_path):
    """One table for six inputs; 32 words of 16 bits take a RAM32M16 or four RAM32M, eight or sixteen tables."""
    built = synthesised("mixed", TINY, MIXED, "top", tmp_path)
    assert built.flip_flops == 1
    assert 1 + 8 <= built.tables <= 1 + 16 + 6  # and inverters of the address, where the RAM does not take them


def test_each_cell_counts_for_the_tables_that_the_vendor_gives_it(tmp_path, monkeypatch):
    """UG574: a RAM of 32 words takes half a table a bit and port, of 64 a whole one; a shift register takes one."""
    numbers = {"LUT1": 1, "LUT2": 2, "LUT3": 4, "LUT4": 8, "LUT5": 16, "LUT6": 32, "FDRE": 3, "FDSE": 5, "CARRY8": 7,
               "MUXF7": 9, "RAM32M16": 100, "RAM32M": 1000, "RAM64M8": 10**4, "RAM64M": 10**5, "RAM32X1D": 10**6,
               "RAM64X1D": 10**7, "SRL16E": 10**8, "SRLC32E": 10**9}  # fmt: skip
    kinds = [cell for cell, count in numbers.items() if count < 10]
    weights = {"RAM32M16": 8, "RAM32M": 4, "RAM64M8": 8, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2}
    few = {cell: count if cell in kinds else count.bit_length() for cell, count in numbers.items()}
    cells = {f"{cell}{i}": {"type": cell} for cell, count in few.items() for i in range(count)}

    def run_yosys(verilog, synthesis, folder):
        assert (verilog, synthesis.split()[-2:]) == ("text", ["-top", "mine"])
        (folder / "netlist.json").write_text(json.dumps({"modules": {"mine": {"cells": cells}}}))
        return folder / "netlist.json"

    monkeypatch.setattr(lut6, "run_yosys", run_yosys)
    built = synthesised("a name", TINY, "text", "mine", tmp_path)
    tables = sum(few[cell] * weights.get(cell, 1) for cell in few if cell[:3] in ("LUT", "RAM", "SRL"))
    assert built == Lut6("a name", 32, tables, 3 + 5)


def test_the_designs_of_others_have_sources_and_are_in_the_table():
    rows = [row for _, row in read_facts(OPEN_DESIGNS, COLUMNS)]
    assert all(row["where"] and set(keys(row["source"])) <= set(sources()) for row in rows)
    designs = committed()
    for design in open_designs():
        assert designs[design.design]["LUTs per trit"] == pytest.approx(design.tables / design.trits_per_cycle)
    assert Lut6("", 80, 4179, 1829).tables_per_trit == pytest.approx(52.2375)
