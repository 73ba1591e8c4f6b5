"""Tables moved into Gowin's carry cells: the netlist still adds, by SAT, with the cell that Apicula documents."""

import json

import pytest

from bitjoule.gates.fpga.absorb_gowin import RAW, absorb_operands
from tests.gates.fpga.proofs import prove_equal, yosys

# apicula, doc/alu.md: the sum is the table of four inputs, inverted by the carry; where the table is 0, the carry out
# is the table of A and B in its lowest four entries. A, B and D are I0, I1 and I3, and nextpnr connects C to 1.
CELL = """
module RAW_ALU(input I0, I1, I3, CIN, output SUM, COUT);
  parameter [15:0] RAW_ALU_LUT = 0;
  parameter ALU_MODE = 0;
  wire table4 = RAW_ALU_LUT[{I3, 1'b1, I1, I0}];
  wire table2 = RAW_ALU_LUT[{2'b00, I1, I0}];
  assign SUM = table4 ^ CIN;
  assign COUT = table4 ? CIN : table2;
endmodule
"""
# What is added, and how many tables go: an operand that is taken or not, also as the first one and with its sign in
# more places; one that is inverted; a unit that both lines make; the operand of a trit, one line of which gets a table;
# of a difference; and what must stay outside: two operands, of which one can move, and an operand of three lines.
CASES = {
    "gated": ("s + (p ? x : 6'd0)", 6),
    "first": ("(p ? x : 6'd0) + s", 6),
    "sign extended": ("s + (p ? {{2{x[3]}}, x[3:0]} : 6'd0)", 4),
    "inverted": ("(s ^ {6{p}}) + x", 6),
    "ones": ("s + (p ? x : ~6'd0)", 6),
    "carry in": ("({s, p ^ n} + {x, p ^ n}) >> 1", 1),
    "trit": ("s + ((p ^ n) ? x : 6'd0)", 5),
    "subtracted": ("s - (p ? x : 6'd0)", 6),
    "subtracted from": ("(p ? x : 6'd0) - s", 6),
    "both": ("(p ? s : 6'd0) + (n ? x : 6'd0)", 6),
    "three lines": ("s + (p ? x ^ {6{n}} : {6{q}})", 0),
    "plain": ("s + x", 0),
}


def tables(design):
    return sum(cell["type"].startswith("LUT") for cell in design["modules"]["top"]["cells"].values())


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_an_adder_with_absorbed_operands_equals_what_was_written(name, tmp_path):
    expression, fewest = CASES[name]
    source, netlist = tmp_path / "gold.v", tmp_path / "mapped.json"
    source.write_text(
        f"module top(input [5:0] s, x, input p, n, q, output [5:0] y); assign y = {expression}; endmodule\n"
    )
    yosys(f"read_verilog {source}", f"synth_gowin -nowidelut -noiopads -top top -json {netlist}")
    design = json.loads(netlist.read_text())
    before = tables(design)
    moved = absorb_operands(design["modules"]["top"])
    assert before - tables(design) == moved
    assert moved >= fewest if fewest else moved == 0
    for cell in design["modules"]["top"]["cells"].values():
        if RAW in cell["parameters"]:
            cell["type"] = "RAW_ALU"
    prove_equal(source, design["modules"]["top"], "+/gowin/cells_sim.v", CELL)


def cell(kind, connections, **parameters):
    return {
        "type": kind, "parameters": parameters, "attributes": {},
        "port_directions": {port: "output" if port in ("F", "SUM", "G", "V") else "input" for port in connections},
        "connections": {port: [net] for port, net in connections.items()},
    }  # fmt: skip


def module(init="1000", mode=2, adds=10):
    """A table of two inputs, 2 and 3, in front of the second operand of a carry cell that adds; 10 is one, 11 zero."""
    cells = {
        "table": cell("LUT2", {"I0": 2, "I1": 3, "F": 4}, INIT=init),
        "carry": cell("ALU", {"I0": 5, "I1": 4, "I3": adds, "CIN": 11, "SUM": 7}, ALU_MODE=f"{mode:032b}"),
        "one": cell("VCC", {"V": 10}),
        "zero": cell("GND", {"G": 11}),
    }
    return {"cells": cells, "ports": {"out": {"direction": "output", "bits": [7]}}}


def test_a_product_of_bits_is_added_as_apicula_tried_it():
    """A*B + D + CI is 0111000010001000 (apicula, doc/alu.md)."""
    design = module()
    assert absorb_operands(design) == 1
    carry = design["cells"]["carry"]
    assert "table" not in design["cells"]
    assert carry["parameters"][RAW] == "0111000010001000"
    assert int(carry["parameters"]["ALU_MODE"], 2) == 0  # nextpnr writes its own table for mode 2
    assert {port: carry["connections"][port] for port in ("I0", "I1", "I3")} == {"I0": [2], "I1": [3], "I3": [5]}


def test_a_table_that_is_read_elsewhere_or_not_known_stays():
    for design in (module(init="x000"), module(mode=5), module(adds=9)):
        assert absorb_operands(design) == 0
        assert "table" in design["cells"]
    design = module()
    design["ports"]["out"]["bits"].append(4)
    assert absorb_operands(design) == 0
    design = module()
    design["cells"]["table"]["attributes"]["keep"] = "1"
    assert absorb_operands(design) == 0


def test_a_carry_cell_takes_one_table():
    design = module()
    design["cells"]["other"] = cell("LUT2", {"I0": 8, "I1": 9, "F": 5}, INIT="0110")
    assert absorb_operands(design) == 1
    assert len({"table", "other"} & set(design["cells"])) == 1
