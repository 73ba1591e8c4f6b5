"""Full adders of the library: which cell, which polarity and which operand on which pin.

A library's full adder may give both outputs inverted (ASAP7). As parity and majority are self-dual, an adder fed with
inverted operands then gives plain results: a tree that alternates between the two needs next to no inverters. Which
adder is fed how is a cut to be maximised; a few sweeps of improvements one at a time come within some percent of
every edge cut.
"""

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.cell import Cell
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.netlist import MAJORITY3, PARITY3, is_full_adder

TYPES = ("bitjoule_fa_plain", "bitjoule_fa_inverted")
_SWEEPS = 40
_Ports = tuple[list[int], list[int]]


@dataclass(frozen=True)
class FullAdder:
    """The library's full adder: its cell, its pins and whether its outputs are inverted."""

    cell: Cell
    sum_pin: str
    carry_pin: str
    sum_inverted: bool
    carry_inverted: bool

    @property
    def alternates(self) -> bool:
        """Whether both outputs are inverted, so that polarities can alternate."""
        return self.sum_inverted and self.carry_inverted


def find_full_adder(library: Library) -> FullAdder | None:
    """Return the smallest full adder of a library, or None."""
    cell = library.smallest(cell for cell in library.cells.values() if is_full_adder(cell))
    if cell is None:
        return None
    tables = {pin: cell.table(pin) for pin in cell.outputs}
    sum_pin = next(pin for pin, table in tables.items() if table in {PARITY3, PARITY3 ^ 0xFF})
    carry_pin = next(pin for pin in tables if pin != sum_pin)
    return FullAdder(cell, sum_pin, carry_pin, tables[sum_pin] != PARITY3, tables[carry_pin] != MAJORITY3)


def techmap(adder: FullAdder) -> str:
    """Return the Yosys techmap from both types of full adder to the library's cell."""
    modules = []
    for name, inverted in zip(TYPES, (False, True), strict=True):
        into = "~" if inverted else ""
        # Operands come deepest last: onto the pin of least capacitance, which libraries make the fastest.
        pins = sorted(adder.cell.inputs, key=lambda pin: -adder.cell.pins[pin].capacitance_ff)
        operands = ", ".join(f".{pin}({into}{port})" for pin, port in zip(pins, "ABC", strict=True))
        sum_inverts, carry_inverts = adder.sum_inverted != inverted, adder.carry_inverted != inverted
        modules.append(
            f"module {name} (A, B, C, X, Y);\n"
            "input A, B, C; output X, Y; wire s, c;\n"
            f"{adder.cell.name} fa ({operands}, .{adder.sum_pin}(s), .{adder.carry_pin}(c));\n"
            f"assign Y = {'~' if sum_inverts else ''}s;\nassign X = {'~' if carry_inverts else ''}c;\nendmodule\n"
        )
    return "".join(modules)


def prepare(module: dict[str, Any], adder: FullAdder) -> int:
    """Give each full adder of a module its polarity and sort its operands by depth, in place.

    Parameters
    ----------
    module : dict
        A module of Yosys's JSON with ``$fa`` cells of one bit.
    adder : FullAdder
        What they will be mapped to.

    Returns
    -------
    int
        The number of full adders.
    """
    cells = module["cells"]
    names = [name for name, cell in cells.items() if cell["type"] == "$fa"]
    ports = {name: _ports(cell) for name, cell in cells.items()}
    depths = _depths(cells, ports)
    for name in names:
        cell = cells[name]
        connections = cell["connections"]
        bits = sorted((connections[port][0] for port in "ABC"), key=lambda bit: depths.get(bit, 0))
        connections.update(zip("ABC", ([bit] for bit in bits), strict=True))
    starts = [adder.alternates and depths[cells[name]["connections"]["Y"][0]] // 2 % 2 == 1 for name in names]
    inverted = _inverted(names, starts, _wishes(cells, ports, names, adder.alternates))
    for name in names:
        cells[name]["type"] = TYPES[name in inverted]
        cells[name]["parameters"] = {}
    return len(names)


def _inverted(names: list[str], choice: list[bool], wishes: list[list[tuple[int, bool]]]) -> set[str]:
    """Choose the adders to be fed inverted, so that as few nets as possible need an inverter.

    `choice` is what is begun with, and is changed; of `wishes` two adders have the same one of each other.
    """

    def unmet_wish(node: int, other: int, parity: bool) -> bool:
        return choice[node] ^ (other >= 0 and choice[other]) ^ parity

    unmet = [sum(unmet_wish(node, *wish) for wish in of_node) for node, of_node in enumerate(wishes)]
    shuffled = random.Random(0)  # noqa: S311
    order = list(range(len(names)))
    sideways = constant("sideways-chance")
    for _ in range(_SWEEPS):
        shuffled.shuffle(order)
        changed = 0
        for node in order:
            gain = 2 * unmet[node] - len(wishes[node])
            if gain > 0 or (gain == 0 and shuffled.random() < sideways):
                choice[node] = not choice[node]
                changed += gain > 0
                unmet[node] = len(wishes[node]) - unmet[node]
                for other, parity in wishes[node]:
                    if other >= 0:
                        unmet[other] += 1 if unmet_wish(node, other, parity) else -1
        if not changed:
            break
    return {name for name, inverted in zip(names, choice, strict=True) if inverted}


def _wishes(
    cells: dict[str, Any], ports: dict[str, _Ports], names: list[str], outputs_inverted: bool
) -> list[list[tuple[int, bool]]]:
    """Return for each adder its neighbours (-1: none) and whether the two should be fed differently."""
    driver = {cells[name]["connections"][port][0]: number for number, name in enumerate(names) for port in "XY"}
    inverter = {
        cell["connections"]["Y"][0]: cell["connections"]["A"][0] for cell in cells.values() if cell["type"] == "$_NOT_"
    }
    gates = {bit for name, cell in cells.items() if _is_gate(cell) for bit in ports[name][1]}

    def source(bit: int) -> tuple[int, bool]:
        parity = False
        while bit in inverter:
            bit, parity = inverter[bit], not parity
        return bit, parity

    wishes: list[list[tuple[int, bool]]] = [[] for _ in names]
    for number, name in enumerate(names):
        for port in "ABC":
            bit, parity = source(cells[name]["connections"][port][0])
            if bit in driver:
                wishes[number].append((driver[bit], parity ^ outputs_inverted))
                wishes[driver[bit]].append((number, parity ^ outputs_inverted))
            elif bit in gates:
                wishes[number].append((-1, not parity))  # an and-or gate is smallest with its output inverted
    for cell in cells.values():
        if "dff" in cell["type"].lower():
            for data in cell["connections"]["D"]:
                bit, parity = source(data)
                if bit in driver:
                    wishes[driver[bit]].append((-1, parity ^ outputs_inverted))
    return wishes


def _is_gate(cell: dict[str, Any]) -> bool:
    return cell["type"] not in {"$fa", "$_NOT_"} and "ff" not in cell["type"].lower()


def _depths(cells: dict[str, Any], ports: dict[str, _Ports]) -> dict[int, int]:
    """Return each net's depth in gates, a full adder counting two; registers begin at zero."""
    gates = [name for name, cell in cells.items() if "ff" not in cell["type"].lower()]
    driven = {bit for name in gates for bit in ports[name][1]}
    readers: dict[int, list[str]] = defaultdict(list)
    waiting: dict[str, int] = dict.fromkeys(gates, 0)
    worst: dict[str, int] = dict.fromkeys(gates, 0)
    for name in gates:
        for bit in ports[name][0]:
            if bit in driven:
                readers[bit].append(name)
                waiting[name] += 1
    depths: dict[int, int] = {}
    ready = [name for name, count in waiting.items() if not count]
    while ready:
        name = ready.pop()
        depth = worst[name] + (2 if cells[name]["type"] == "$fa" else 1)
        for bit in ports[name][1]:
            depths[bit] = depth
            for reader in readers.get(bit, ()):
                worst[reader] = max(worst[reader], depth)
                waiting[reader] -= 1
                if not waiting[reader]:
                    ready.append(reader)
    return depths


def _ports(cell: dict[str, Any]) -> _Ports:
    """Return the nets at a cell's inputs and at its outputs, constants left out."""
    inputs: list[int] = []
    outputs: list[int] = []
    for port, bits in cell["connections"].items():
        target = outputs if cell["port_directions"][port] == "output" else inputs
        target += [bit for bit in bits if isinstance(bit, int)]
    return inputs, outputs
