"""Tables moved into carry cells: the netlist still adds, by SAT and by Yosys' own models of the cells."""

import json

import pytest

from bitjoule.gates.fpga.absorb_ecp5 import absorb_operands
from tests.gates.fpga.proofs import prove_equal, yosys

# What is added: a trit's operand, one that is switched off, both operands selected, and what must stay outside: an
# operand that is one where its lines are zero, and one that is used twice. A sign is read by each place that it fills.
CASES = {
    "trit": ("s + ((p ^ n) ? x ^ {6{n}} : 6'd0)", 6),
    "sign extended": ("s + ((p ^ n) ? {{2{x[3]}}, x[3:0]} ^ {6{n}} : 6'd0)", 4),
    "carry in": ("({s, p & ~n} + {x, p & ~n}) >> 1", 1),
    "gated": ("(p ? s : 6'd0) + x", 6),
    "both": ("(p ? s : 6'd0) + (n ? x : 6'd0)", 6),
    "second": ("(p ? s : 6'd0) + (n ? x : ~6'd0)", 6),
    "subtracted": ("s - (p ? x : 6'd0)", 0),
    "ones": ("s + (p ? x : ~6'd0)", 0),
    "plain": ("s + x", 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_an_adder_with_absorbed_operands_equals_what_was_written(name, tmp_path):
    expression, fewest = CASES[name]
    source, netlist = tmp_path / "gold.v", tmp_path / "mapped.json"
    source.write_text(f"module top(input [5:0] s, x, input p, n, output [5:0] y); assign y = {expression}; endmodule\n")
    yosys(f"read_verilog {source}", f"synth_ecp5 -nowidelut -nodsp -top top -json {netlist}")
    design = json.loads(netlist.read_text())
    tables = [cell for cell in design["modules"]["top"]["cells"].values() if cell["type"] == "LUT4"]
    moved = absorb_operands(design["modules"]["top"])
    left = [cell for cell in design["modules"]["top"]["cells"].values() if cell["type"] == "LUT4"]
    assert len(tables) - len(left) == moved >= fewest
    prove_equal(source, design["modules"]["top"], "+/lattice/cells_sim_ecp5.v")


def cell(kind, connections, directions, **parameters):
    return {
        "type": kind, "parameters": parameters, "attributes": {}, "port_directions": directions,
        "connections": {port: [net] for port, net in connections.items()},
    }  # fmt: skip


def module(init="0000000010001000", loads=1, inject="NO"):
    """A table of two inputs, 2 and 3, in front of the first half of a carry cell."""
    table = {"A": 2, "B": 3, "C": "0", "D": "0", "Z": 4}
    carry = {"A0": 5, "B0": 4, "C0": "0", "D0": "1", "A1": 5, "B1": 6, "C1": "0", "D1": "1", "CIN": "0", "S0": 7}
    adds = "1001011010101010"
    directions = {port: "output" if port in ("Z", "S0") else "input" for port in {**table, **carry}}
    cells = {
        "table": cell("LUT4", table, {port: directions[port] for port in table}, INIT=init),
        "carry": cell(
            "CCU2C", carry, {port: directions[port] for port in carry},
            INIT0=adds, INIT1=adds, INJECT1_0=inject, INJECT1_1=inject,
        ),
    }  # fmt: skip
    ports = {"out": {"direction": "output", "bits": [7] + [4] * (loads - 1)}}
    return {"cells": cells, "ports": ports}


def test_the_carry_cell_takes_the_table_and_its_inputs():
    """The sum's table is 5 xor (2 and 3), and its entries at C = D = 0 are those of A: the carry."""
    design = module()
    assert absorb_operands(design) == 1
    carry = design["cells"].pop("carry")
    assert not design["cells"]
    nets = [carry["connections"][port] for port in ("A0", "B0", "C0", "D0")]
    assert nets[0] == [5]
    init = carry["parameters"]["INIT0"]
    for a in (0, 1):
        for two in (0, 1):
            for three in (0, 1):
                levels = {5: a, 2: two, 3: three, "0": 0}
                index = sum(levels[net] << i for i, (net,) in enumerate(nets))
                assert int(init[15 - index]) == a ^ (two & three)
    assert [int(init[15 - index]) for index in range(4)] == [0, 1, 0, 1]
    assert carry["parameters"]["INIT1"] == "1001011010101010"


def test_a_table_at_the_first_operand_is_taken_and_the_other_becomes_the_first():
    design = module()
    nets = design["cells"]["carry"]["connections"]
    nets["A0"], nets["B0"] = nets["B0"], nets["A0"]
    assert absorb_operands(design) == 1
    nets = design["cells"]["carry"]["connections"]
    assert nets["A0"] == [5]
    assert sorted(net for port in ("B0", "C0") for net in nets[port]) == [2, 3]


def test_a_table_of_four_inputs_stays():
    design = module()
    table = design["cells"]["table"]
    table["connections"] |= {"C": [8], "D": [9]}
    table["parameters"]["INIT"] = "1000000000000000"  # all four
    assert absorb_operands(design) == 0
    table["connections"]["D"] = ["1"]  # three are left
    assert absorb_operands(design) == 1


def test_a_table_goes_into_all_carry_cells_that_read_it_or_into_none():
    design = module()
    nets, parameters = (design["cells"]["carry"][key] for key in ("connections", "parameters"))
    nets["B1"] = [4]
    parameters["INJECT1_1"] = "YES"
    assert absorb_operands(design) == 0
    parameters["INJECT1_1"] = "NO"
    nets["D1"] = ["0"]
    assert absorb_operands(design) == 0
    nets["D1"] = ["1"]
    assert absorb_operands(design) == 1
    assert parameters["INIT0"] == parameters["INIT1"] != "1001011010101010"
    assert set(design["cells"]) == {"carry"}


def test_a_table_that_is_added_to_itself_becomes_the_carry():
    """The sum's table is zero, its entries at C = D = 0 those of the table; not where B is inverted."""
    design = module()
    nets = design["cells"]["carry"]["connections"]
    nets["A0"], nets["C0"] = [4], ["1"]
    assert absorb_operands(design) == 0
    nets["C0"] = ["0"]
    assert absorb_operands(design) == 1
    carry = design["cells"].pop("carry")
    assert not design["cells"]
    assert [carry["connections"][port][0] for port in ("C0", "D0")] == ["0", "1"]
    assert {carry["connections"][port][0] for port in ("A0", "B0")} == {2, 3}
    assert carry["parameters"]["INIT0"] == "0" * 12 + "1000"  # 2 and 3


def test_of_tables_at_one_adder_those_go_in_that_leave_more_to_others():
    """Two that are read once each, in either half, and one that both halves read at their other input."""
    design = module()
    cells = design["cells"]
    for name, inputs, output in (("other", (9, 10), 11), ("both", (12, 13), 14)):
        cells[name] = cell("LUT4", dict(zip("ABCDZ", (*inputs, "0", "0", output), strict=True)),
                           cells["table"]["port_directions"], INIT="0000000010001000")  # fmt: skip
    for order in (list(cells), list(cells)[::-1]):
        for half, net in (("0", 4), ("1", 11)):
            cells["carry"]["connections"] |= {f"A{half}": [14], f"B{half}": [net]}
        tried = json.loads(json.dumps({**design, "cells": {name: cells[name] for name in order}}))
        assert absorb_operands(tried) == 2
        assert set(tried["cells"]) == {"carry", "both"}


def test_a_table_that_is_to_be_kept_stays_and_so_does_one_that_reads_what_is_not_known():
    design = module()
    table = design["cells"]["table"]
    table["attributes"] = {"keep": "1"}
    assert absorb_operands(design) == 0
    table["attributes"] = {"src": "here"}
    table["connections"]["B"] = ["x"]
    assert absorb_operands(design) == 0
    table["connections"]["B"] = [3]
    assert absorb_operands(design) == 1


@pytest.mark.parametrize(("inverted", "moved"), [(("0", "0"), 1), (("0", "1"), 0), (("1", "0"), 0), (("1", "1"), 0)])
def test_a_table_that_both_halves_add_to_itself_becomes_their_carry_where_neither_inverts_it(inverted, moved):
    design = module()
    nets = design["cells"]["carry"]["connections"]
    for half, level in zip("01", inverted, strict=True):
        nets |= {f"A{half}": [4], f"B{half}": [4], f"C{half}": [level]}
    assert absorb_operands(design) == moved


@pytest.mark.parametrize("init", ["0111011101110111", "1110111011101110", "0110011001100110"])
def test_what_a_table_that_is_added_to_itself_makes_of_zeros_does_not_matter(init):
    """The sum of a bit and itself is the bit in the next place; the carry is read at C = D = 0."""
    design = module(init=init)
    nets = design["cells"]["carry"]["connections"]
    nets["A0"] = [4]
    assert absorb_operands(design) == 1
    carry = design["cells"]["carry"]
    first, second = (carry["connections"][port][0] for port in ("A0", "B0"))
    for levels in ({2: 0, 3: 0}, {2: 1, 3: 0}, {2: 0, 3: 1}, {2: 1, 3: 1}):
        at = levels[first] + 2 * levels[second]
        assert carry["parameters"]["INIT0"][15 - at] == init[15 - (levels[2] + 2 * levels[3])]


def test_a_table_of_three_inputs_is_not_added_to_itself():
    design = module(init="1000000010000000")
    design["cells"]["table"]["connections"]["C"] = [8]
    nets = design["cells"]["carry"]["connections"]
    nets["A0"] = [4]
    assert absorb_operands(design) == 0
    assert set(design["cells"]) == {"table", "carry"}


@pytest.mark.parametrize(
    "changed", [{"loads": 2}, {"inject": "YES"}, {"init": "0111011101110111"}, {"init": "x000000010001000"}]
)
def test_what_is_used_elsewhere_or_is_not_zero_stays(changed):
    design = module(**changed)
    assert absorb_operands(design) == 0
    assert set(design["cells"]) == {"table", "carry"}
