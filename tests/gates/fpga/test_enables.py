"""Joined conditions: the design is as before, by SAT, and its registers have a clock enable."""

import json
import subprocess
import sys

import pytest

from bitjoule.gates.fpga.enables import join_enables
from tests.rtl.formal import YOSYS

# What is assigned under which conditions: a new value in two ifs, one that holds in the inner one, one in three ifs,
# and what has no old value in common.
CASES = {
    "nested": ("if (a) begin if (b) q <= x; end", 1),
    "else": ("if (a) begin if (b) q <= q; else q <= x; end", 1),
    "three": ("if (a) begin if (b) begin if (c) q <= x; end end", 2),
    "one of two": ("if (a) begin if (b) q <= x; end if (c) q <= y;", 1),
    "load and count": ("if (c) begin if (b) q <= q - 4'd3; end if (a) begin if (b) q <= x; end", 2),
    "apart": ("if (a) begin if (b) q <= x; else q <= y; end", 0),
    "single": ("if (a) q <= x;", 0),
}
READ = ("proc", "opt_muxtree", "opt_clean")


def design_of(text, *commands):
    from pyosys import libyosys

    design = libyosys.Design()
    for command in (f"read_verilog {text}", "hierarchy -top top", *commands):
        design.run_pass(command)
    return design


@pytest.fixture
def source(request, tmp_path):
    assigned, joined = CASES[request.param]
    path = tmp_path / "top.v"
    path.write_text(
        "module top(input clk, a, b, c, input [3:0] x, y, output reg [3:0] q);\n"
        f"  always @(posedge clk) begin {assigned} end\nendmodule\n"
    )
    return path, joined


def test_the_conditions_of_all_modules_are_joined_and_counted(tmp_path):
    inner = "module inner(input clk, a, b, x, output reg q); always @(posedge clk) if (a) if (b) q <= x; endmodule\n"
    top = (
        "module top(input clk, a, b, c, x, output reg q, output p); inner inner(clk, a, b, x, p);\n"
        "  always @(posedge clk) if (a) if (b) if (c) q <= x; endmodule\n"
    )
    (tmp_path / "two.v").write_text(inner + top)
    assert join_enables(design_of(tmp_path / "two.v", *READ)) == 1 + 2


@pytest.mark.parametrize("source", CASES, indirect=True)
def test_registers_hold_as_before_and_none_is_held_by_a_table(source, tmp_path):
    path, joined = source
    gate = tmp_path / "gate.il"
    design = design_of(path, *READ)
    assert join_enables(design) == joined
    for command in ("opt_clean", "opt_dff", f"write_json {tmp_path / 'cells.json'}", "rename top gate",
                    f"write_rtlil {gate}"):  # fmt: skip
        design.run_pass(command)
    cells = json.loads((tmp_path / "cells.json").read_text())["modules"]["top"]["cells"].values()
    assert [cell["type"] for cell in cells if cell["type"].startswith("$dff")] == ["$dffe"]
    script = [
        f"read_verilog {path}", "hierarchy -top top; proc; rename top gold", f"read_rtlil {gate}",
        "equiv_make gold gate equiv", "hierarchy -top equiv", "equiv_simple -undef", "equiv_induct -undef",
        "equiv_status -assert",
    ]  # fmt: skip
    subprocess.run([sys.executable, "-c", YOSYS, *script], check=True, stdout=subprocess.DEVNULL)
