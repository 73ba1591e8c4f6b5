"""A mapped netlist: read from Yosys's JSON, changed by the sizer, simulated, written as Verilog for timing."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitjoule.gates.liberty.cell import Cell
from bitjoule.gates.liberty.cells import Library

CONSTANTS = {"0": 0, "1": 1}


@dataclass
class Instance:
    """A cell of the netlist and the net at each of its pins."""

    name: str
    cell: Cell
    nets: dict[str, int]


@dataclass
class Netlist:
    """A flat netlist of library cells. Nets are numbers; 0 and 1 are the constants.

    Parameters
    ----------
    top : str
        Name of the module.
    inputs, outputs : dict of str to list of int
        Nets of each port, lowest bit first.
    instances : list of Instance
        The cells.
    net_names : dict of int to str
        A readable name of nets that have one.
    """

    top: str
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    instances: list[Instance]
    net_names: dict[int, str] = field(default_factory=dict)

    @property
    def nets(self) -> int:
        """One more than the highest net number."""
        used = [net for instance in self.instances for net in instance.nets.values()]
        ports = [net for bits in [*self.inputs.values(), *self.outputs.values()] for net in bits]
        return max([1, *used, *ports]) + 1

    def drivers(self) -> dict[int, tuple[Instance, str]]:
        """Return which output pin drives each net."""
        return {instance.nets[pin]: (instance, pin) for instance, pin in self.pins("output")}

    def sinks(self) -> dict[int, list[tuple[Instance, str]]]:
        """Return which input pins each net drives."""
        by_net: dict[int, list[tuple[Instance, str]]] = defaultdict(list)
        for instance, pin in self.pins("input"):
            by_net[instance.nets[pin]].append((instance, pin))
        return by_net

    def pins(self, direction: str) -> Iterator[tuple[Instance, str]]:
        """Yield the pins of a direction."""
        for instance in self.instances:
            for pin in instance.cell.inputs if direction == "input" else instance.cell.outputs:
                yield instance, pin

    @property
    def area_um2(self) -> float:
        """Sum of the cells' areas in um2."""
        return sum(instance.cell.area_um2 for instance in self.instances)

    def area_by_kind_um2(self) -> dict[str, float]:
        """Return the area in um2 of flip-flops, full adders, clock gates, buffers and the rest."""
        areas: dict[str, float] = defaultdict(float)
        for instance in self.instances:
            areas[kind(instance.cell)] += instance.cell.area_um2
        return dict(areas)

    def verilog(self, constants: bool = False) -> str:
        """Return the netlist as structural Verilog, every net a scalar of its own.

        Parameters
        ----------
        constants : bool
            Whether the constants' nets have their values; else they are undriven, as OpenSTA likes them.
        """
        lines = [f"module {self.top} ({', '.join([*self.inputs, *self.outputs])});"]
        for direction, ports in (("input", self.inputs), ("output", self.outputs)):
            lines += [f"{direction} [{len(bits) - 1}:0] {name};" for name, bits in ports.items()]
        lines += [f"wire n{net};" for net in range(2, self.nets)]
        # The constants are undriven wires: OpenSTA of 2019 reads literals on pins as nets without a driver anyway.
        lines.append("wire n0 = 1'b0, n1 = 1'b1;" if constants else "wire n0, n1;")
        for name, bits in self.inputs.items():
            lines += [f"assign n{net} = {name}[{bit}];" for bit, net in enumerate(bits)]
        for name, bits in self.outputs.items():
            lines += [f"assign {name}[{bit}] = n{net};" for bit, net in enumerate(bits)]
        for number, instance in enumerate(self.instances):
            pins = ", ".join(f".{pin}(n{net})" for pin, net in instance.nets.items())
            lines.append(f"{instance.cell.name} u{number} ({pins});")
        return "\n".join([*lines, "endmodule", ""])


def kind(cell: Cell) -> str:
    """Return the kind of a cell: ``register``, ``gating``, ``adder``, ``select``, ``buffer`` or ``other``."""
    if cell.flip_flop is not None:
        return "register"
    if cell.clock_gate:
        return "gating"
    if is_full_adder(cell):
        return "adder"
    if len(cell.inputs) == 1:
        return "buffer"
    if len(cell.inputs) == 4 and len(cell.outputs) == 1 and cell.table(cell.outputs[0]) in SELECTS:
        return "select"
    return "other"


def _select_tables() -> set[int]:
    """Truth tables of two-by-two and-or and or-and gates, plain and inverted."""
    tables = set()
    for first, second in (((3, 2), (1, 0)), ((3, 1), (2, 0)), ((3, 0), (2, 1))):
        and_or = or_and = 0
        for row in range(16):
            bits = [row >> position & 1 for position in range(4)]
            a, b, c, d = bits[first[0]], bits[first[1]], bits[second[0]], bits[second[1]]
            and_or |= ((a & b) | (c & d)) << row
            or_and |= ((a | b) & (c | d)) << row
        tables |= {and_or, or_and, and_or ^ 0xFFFF, or_and ^ 0xFFFF}
    return tables


SELECTS = _select_tables()
PARITY3, MAJORITY3 = 0b10010110, 0b11101000


def is_full_adder(cell: Cell) -> bool:
    """Tell whether a cell gives the parity and the majority of its three inputs, plain or inverted."""
    if not cell.is_combinational or len(cell.inputs) != 3 or len(cell.outputs) != 2:
        return False
    tables = {min(table, table ^ 0xFF) for table in map(cell.table, cell.outputs)}
    return tables == {min(PARITY3, PARITY3 ^ 0xFF), min(MAJORITY3, MAJORITY3 ^ 0xFF)}


def read_netlist(path: Path, top: str, library: Library) -> Netlist:
    """Read a mapped netlist from Yosys's JSON.

    Parameters
    ----------
    path : Path
        File of ``write_json``.
    top : str
        Name of the module.
    library : Library
        Where its cells are.

    Raises
    ------
    ValueError
        A cell is not in the library: it was not mapped.
    """
    module = json.loads(path.read_text())["modules"][top]
    unmapped = {cell["type"] for cell in module["cells"].values()} - set(library.cells)
    if unmapped:
        raise ValueError(f"not mapped to the library: {', '.join(sorted(unmapped))}")
    ports: dict[str, dict[str, list[int]]] = {"input": {}, "output": {}}
    for name, port in module["ports"].items():
        ports[port["direction"]][name] = [_net(bit) for bit in port["bits"]]
    instances = [_instance(name, cell, library) for name, cell in sorted(module["cells"].items())]
    names: dict[int, str] = {}
    for name, net in module["netnames"].items():
        if not net.get("hide_name"):
            for position, bit in enumerate(net["bits"]):
                if isinstance(bit, int):
                    names.setdefault(bit, f"{name}[{position}]" if len(net["bits"]) > 1 else name)
    netlist = Netlist(top, ports["input"], ports["output"], instances, names)
    spare = netlist.nets
    for instance in instances:
        for pin in (*instance.cell.inputs, *instance.cell.outputs):
            if pin not in instance.nets:  # outputs that drive nothing toggle as well; a spare input does not
                instance.nets[pin] = spare if pin in instance.cell.outputs else 0
                spare += pin in instance.cell.outputs
    return netlist


def _instance(name: str, cell: dict[str, Any], library: Library) -> Instance:
    library_cell = library.cells[cell["type"]]
    nets = {pin: _net(bits[0]) for pin, bits in cell["connections"].items() if bits}
    return Instance(name, library_cell, nets)


def _net(bit: int | str) -> int:
    # An undefined bit may be either: it is a constant zero here.
    return bit if isinstance(bit, int) else CONSTANTS.get(bit, 0)
