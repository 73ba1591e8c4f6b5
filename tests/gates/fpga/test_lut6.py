"""Tables of six inputs: the committed counts made again, counts of a design by hand, and the designs of others."""

import csv
from pathlib import Path

import pytest

from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import keys, sources
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
        row["trits per cycle"], row["tables"], row["flip-flops"],
    )  # fmt: skip


@pytest.mark.slow
def test_memory_counts_for_the_tables_that_it_takes(tmp_path):
    """One table for six inputs; 32 words of 16 bits take a RAM32M16 or four RAM32M, eight or sixteen tables."""
    built = synthesised("mixed", TINY, MIXED, "top", tmp_path)
    assert built.flip_flops == 1
    assert 1 + 8 <= built.tables <= 1 + 16 + 6  # and inverters of the address, where the RAM does not take them


def test_the_designs_of_others_have_sources_and_are_in_the_table():
    rows = [row for _, row in read_facts(OPEN_DESIGNS, COLUMNS)]
    assert all(row["where"] and set(keys(row["source"])) <= set(sources()) for row in rows)
    designs = committed()
    for design in open_designs():
        assert designs[design.design]["tables per trit"] == pytest.approx(design.tables / design.trits_per_cycle)
    assert Lut6("", 80, 4179, 1829).tables_per_trit == pytest.approx(52.2375)
