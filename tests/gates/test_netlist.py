"""Netlists as Yosys writes them, read back by hand: nets, names, spare pins, kinds of cells, and Verilog."""

import json
from types import SimpleNamespace

import pytest

from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.netlist import Instance, Netlist, is_full_adder, kind, read_netlist
from tests.gates import clock_gate
from tests.gates import hand_made as hand

# Bits of one net have several names, of which the first stays; `$auto` names are Yosys' own.
NAMES = {
    "first": {"bits": [4], "hide_name": 0}, "second": {"bits": [4], "hide_name": 0}, "bus": {"bits": [5, 6, "1"]},
    "$auto$7": {"bits": [7], "hide_name": 1}, "last": {"bits": [7]},
}  # fmt: skip


def cell(kind_of, **connections):
    return {"type": kind_of, "connections": {pin: [] if net is None else [net] for pin, net in connections.items()}}


def read(tmp_path, cells, library=None):
    ports = {"a": {"direction": "input", "bits": [2, 3]}, "y": {"direction": "output", "bits": [7, "0", "x", "1"]}}
    path = tmp_path / "mapped.json"
    path.write_text(json.dumps({"modules": {"top": {"ports": ports, "cells": cells, "netnames": NAMES}}}))
    return read_netlist(path, "top", library or hand.library(tmp_path))


def test_nets_names_and_constants_are_those_of_the_file(tmp_path):
    netlist = read(tmp_path, {"n": cell("NAND", A=2, B="1", Y=4), "i": cell("INV", A="x", Y=7)})
    assert (netlist.inputs, netlist.outputs) == ({"a": [2, 3]}, {"y": [7, 0, 0, 1]})
    found = {item.name: (item.cell.name, item.nets) for item in netlist.instances}
    assert found == {"i": ("INV", {"A": 0, "Y": 7}), "n": ("NAND", {"A": 2, "B": 1, "Y": 4})}
    assert netlist.net_names == {4: "first", 5: "bus[0]", 6: "bus[1]", 7: "last"}
    assert netlist.nets == 8


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_output_that_drives_nothing_is_a_net_of_its_own_and_a_spare_input_is_low(tmp_path, count):
    cells = {f"i{i}": cell("INV", A=2, Y=None) for i in range(count)} | {"n": cell("NAND", A=3, B=None, Y=7)}
    netlist = read(tmp_path, cells)
    *inverters, gate = netlist.instances
    assert gate.nets["B"] == 0
    outputs = [item.nets["Y"] for item in inverters]
    assert len(set(outputs)) == count
    assert min(outputs) > 7
    assert netlist.nets == max(outputs) + 1
    assert set(netlist.drivers()) == {7, *outputs}


def test_a_cell_that_is_not_of_the_library_was_not_mapped(tmp_path):
    cells = {"a": cell("$_XOR_", A=2), "b": cell("INV", A=2, Y=4), "c": cell("$_AND_", A=3)}
    with pytest.raises(ValueError, match=r"^not mapped to the library: \$_AND_, \$_XOR_$"):
        read(tmp_path, cells)


def test_areas_are_added_up_by_what_cells_are(tmp_path):
    """Of the hand-made library; an inverter counts as a buffer, and a gate with four inputs by its function."""
    pins = "".join(f"pin ({pin}) {{ direction : input; capacitance : 1; }}" for pin in "ABCD")
    output = 'pin (%s) { direction : output; max_capacitance : 60; function : "%s"; }'
    functions = {"AOI22": ["!(A B + C D)"], "OA22": ["(A + C) (B + D)"], "AND4": ["A B C D"], "TWO": ["A B + C D"] * 2}
    gates = "".join(
        f"cell ({name}) {{ area : 8; cell_leakage_power : 1; {pins}"
        f"{''.join(output % (out, text) for out, text in zip('YZ', texts, strict=False))} }}\n"
        for name, texts in functions.items()
    )
    text = hand.text().rstrip().removesuffix("}") + clock_gate.cell() + gates + "}\n"
    library = hand.library(tmp_path, content=text)
    kinds = {name: kind(made) for name, made in library.cells.items()}
    assert kinds == {
        "INV": "buffer", "BUF": "buffer", "NAND": "other", "DFF": "register", "ICG": "gating", "AOI22": "select",
        "OA22": "select", "AND4": "other", "TWO": "other",
    }  # fmt: skip
    cells = {"i": cell("INV", A=2), "b": cell("BUF", A=2), "n": cell("NAND", A=2), "r": cell("DFF", D=2),
             "g": cell("ICG", E=2), "s": cell("OA22", A=2)}  # fmt: skip
    netlist = read(tmp_path, cells, library)
    areas = {"buffer": 1.0 + 2.0, "other": 1.5, "register": 5.0, "gating": 4.0, "select": 8.0}
    assert netlist.area_by_kind_um2() == pytest.approx(areas)
    assert netlist.area_um2 == pytest.approx(sum(areas.values()))


@pytest.mark.parametrize(("constants", "written"), [(True, "wire n0 = 1'b0, n1 = 1'b1;"), (False, "wire n0, n1;")])
def test_constants_have_values_in_verilog_where_they_are_asked_for(tmp_path, constants, written):
    text = read(tmp_path, {"n": cell("NAND", A=2, B="1", Y=7)}).verilog(constants).splitlines()
    assert text == [
        "module top (a, y);", "input [1:0] a;", "output [3:0] y;", *(f"wire n{net};" for net in range(2, 8)), written,
        "assign n2 = a[0];", "assign n3 = a[1];", "assign y[0] = n7;", "assign y[1] = n0;", "assign y[2] = n0;",
        "assign y[3] = n1;", "NAND u0 (.A(n2), .B(n1), .Y(n7));", "endmodule",
    ]  # fmt: skip


@pytest.mark.parametrize("pairs", ["AB CD", "AC BD", "AD BC"])
@pytest.mark.parametrize("form", ["({0} & {1}) | ({2} & {3})", "({0} | {1}) & ({2} | {3})"])
def test_gates_that_select_have_any_pairs_of_inputs_plain_or_inverted(pairs, form):
    text = form.format(*pairs.replace(" ", ""))
    for written, selects in ((text, True), (f"!({text})", True), (f"{text} & A", False), (f"({text}) ^ A", False)):
        made = SimpleNamespace(
            flip_flop=None, clock_gate="", is_combinational=True, inputs="ABCD", outputs=("Y",),
            table=lambda _, written=written: BooleanFunction(written).table("ABCD"),
        )  # fmt: skip
        assert kind(made) == ("select" if selects else "other"), written


SUM, CARRY = (sum(func(row.bit_count()) << row for row in range(8)) for func in (lambda n: n % 2, lambda n: n > 1))
NONE = 0xFF  # of a table


@pytest.mark.parametrize(
    ("inputs", "tables", "combinational", "adds"),
    [
        ("ABC", (SUM, CARRY), True, True), ("ABC", (CARRY ^ NONE, SUM), True, True),
        ("ABC", (CARRY ^ NONE, SUM ^ NONE), True, True), ("ABC", (SUM, CARRY), False, False),
        ("ABC", (SUM, CARRY, CARRY ^ NONE), True, False),  # one output more, which nothing would take
        ("ABC", (SUM, SUM ^ NONE), True, False), ("ABC", (CARRY,), True, False), ("AB", (SUM, CARRY), True, False),
    ],
)  # fmt: skip
def test_a_full_adder_has_three_inputs_and_their_parity_and_majority_alone(inputs, tables, combinational, adds):
    outputs = dict(zip("XYZ", tables, strict=False))
    made = SimpleNamespace(
        is_combinational=combinational, inputs=list(inputs), outputs=list(outputs), table=outputs.__getitem__
    )
    assert is_full_adder(made) == adds
    made.flip_flop, made.clock_gate = None, ""
    assert (kind(made) == "adder") == adds


@pytest.mark.parametrize(
    ("inputs", "outputs", "nets"),
    [([2, 9], [2], 10), ([2], [9, 2], 10), ([2], [0, 1], 3), ([], [0], 2), ([], [], 2)],
)
def test_nets_are_numbered_up_to_the_highest_of_a_port_too(inputs, outputs, nets):
    assert Netlist("top", {"a": inputs}, {"y": outputs}, []).nets == nets


def test_a_wire_from_port_to_port_is_declared(tmp_path):
    inverter = hand.library(tmp_path).cells["INV"]
    instances = [Instance("i", inverter, {"A": 2, "Y": 3})]
    text = Netlist("top", {"a": [2], "b": [4]}, {"y": [3], "z": [4]}, instances).verilog()
    assert [line for line in text.splitlines() if "n4" in line] == [
        "wire n4;",
        "assign n4 = b[0];",
        "assign z[0] = n4;",
    ]
