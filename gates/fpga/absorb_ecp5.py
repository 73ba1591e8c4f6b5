"""Logic in front of an adder, moved into the tables of ECP5's carry cells, which have inputs to spare.

Yosys maps an adder of ECP5 to carry cells (CCU2C) whose tables of four inputs only add two bits, and what selects an
operand to tables in front of them. A table with three inputs fits the carry cell itself, which then computes
A + f(B, C, D): its sum is the table's output T = A xor f(B, C, D), inverted by the carry, and its carry out is the
carry in where T is 1. Where T is 0, A and f are equal, and the carry out is what the cell's second table makes of A and
B. That table is the first one's entries at C = D = 0: A, as needed, if f(B, 0, 0) is 0. Operands that a trit selects
are zero where both of its select lines are. A table that several carry cells read, as the sign of an operand is in each
place that it is extended to, goes into each of them.

The cell is the vendor's, as in Yosys' ``techlibs/lattice/cells_sim_ecp5.v``.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import permutations, product
from typing import Any

_ADDS = "1001011010101010"  # A + (B xor C), with D = 1: what Yosys makes of an addition or a subtraction
_ZERO, _ONE = "0", "1"
_Place = tuple[dict[str, Any], str, str]  # a carry cell, which of its halves, and its input A or B


def absorb_operands(module: dict[str, Any]) -> int:
    """Move tables into the carry cells behind them, in place.

    Parameters
    ----------
    module
        A flat module of ECP5 cells, as Yosys writes it to JSON.

    Returns
    -------
    int
        Tables that were moved.
    """
    cells = module["cells"]
    loads = Counter(_read(module))
    tables = {
        cell["connections"]["Z"][0]: name
        for name, cell in cells.items()
        if cell["type"] == "LUT4" and "keep" not in cell.get("attributes", {})
    }
    places: dict[Any, list[_Place]] = defaultdict(list)
    for cell in [cell for cell in cells.values() if cell["type"] == "CCU2C"]:
        for half in "01":
            for operand in "AB" if _takes(cell, half) else "":
                places[cell["connections"][operand + half][0]].append((cell, half, operand))
    moved = 0
    # Fewest loads first: those of more take the place of as many others.
    for net in sorted(tables, key=lambda net: len(places[net])):
        if 0 < len(places[net]) == loads[net]:
            moved += _absorb(cells, tables[net], places[net])
    return moved


def _read(module: dict[str, Any]) -> Iterator[Any]:
    """Yield each net once for each of its loads."""
    for port in module["ports"].values():
        if port["direction"] != "input":
            yield from port["bits"]
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                yield from bits


def _takes(cell: dict[str, Any], half: str) -> bool:
    parameters, nets = cell["parameters"], cell["connections"]
    return (
        parameters[f"INIT{half}"] == _ADDS
        and parameters[f"INJECT1_{half}"] == "NO"
        and nets[f"C{half}"][0] in (_ZERO, _ONE)
        and nets[f"D{half}"][0] == _ONE
    )


def _absorb(cells: dict[str, Any], name: str, places: list[_Place]) -> int:
    """Move a table into all carry cells that read it, and no other cell may; return whether all can take it."""
    if not all(_takes(cell, half) for cell, half, _ in places):
        return 0
    halves = {(id(cell), half): (cell, half) for cell, half, _ in places}
    if 2 * len(halves) == len(places):
        return _absorb_doubled(cells, name, list(halves.values()))
    if len(halves) < len(places):
        return 0
    found = []
    for cell, half, operand in places:
        inverted = int(cell["connections"][f"C{half}"][0])
        table = _three_inputs(cells[name], inverted)
        if table is None or (inverted and operand == "A"):  # which of two summands is A matters if B is inverted
            return 0
        found.append(table)
    for (cell, half, operand), (inputs, values) in zip(places, found, strict=True):
        nets = cell["connections"]
        entries = [values[b, c, d] ^ a for d, c, b, a in product((0, 1), repeat=4)]
        cell["parameters"][f"INIT{half}"] = "".join(map(str, reversed(entries)))
        kept = nets[("B" if operand == "A" else "A") + half]
        nets |= {f"A{half}": kept} | {port + half: [wire] for port, wire in zip("BCD", inputs, strict=True)}
    del cells[name]
    return 1


def _absorb_doubled(cells: dict[str, Any], name: str, halves: list[tuple[dict[str, Any], str]]) -> int:
    """Move a table that is added to itself: a carry into the adder of the next bits. The sum is the carry in."""
    if any(cell["connections"][f"C{half}"][0] != _ZERO for cell, half in halves):  # B is inverted
        return 0
    found = _three_inputs(cells[name], 0, used=2)
    if found is None:
        return 0
    (a, b, _), values = found
    # Where D = 1, T = 0 and the carry out is the second table's: the entries at C = D = 0.
    entries = [0 if c or d else values[a_, b_, 0] for d, c, b_, a_ in product((0, 1), repeat=4)]
    for cell, half in halves:
        cell["parameters"][f"INIT{half}"] = "".join(map(str, reversed(entries)))
        cell["connections"] |= {f"A{half}": [a], f"B{half}": [b], f"C{half}": [_ZERO], f"D{half}": [_ONE]}
    del cells[name]
    return 1


def _three_inputs(
    table: dict[str, Any], inverted: int, used: int = 3
) -> tuple[list[Any], dict[tuple[int, ...], int]] | None:
    """Return the inputs B, C, D and the values of a table that a carry cell can take, if it can.

    With two inputs `used`, the order does not matter, nor what the table makes of zeros.
    """
    wires = [table["connections"][port][0] for port in "ABCD"]
    init = table["parameters"]["INIT"]
    free = [wire for wire in dict.fromkeys(wires) if wire not in (_ZERO, _ONE)]
    if len(free) > used or "x" in free or set(init) - {"0", "1"}:
        return None
    for order in permutations([*free, *[_ZERO] * (3 - len(free))]):
        values = {}
        for levels in product((0, 1), repeat=3):
            of = dict(zip(order, levels, strict=True)) | {_ZERO: 0, _ONE: 1}
            index = sum(of[wire] << i for i, wire in enumerate(wires))
            values[levels] = int(init[len(init) - 1 - index]) ^ inverted
        if used < 3 or not (values[0, 0, 0] or values[1, 0, 0]):
            return list(order), values
    return None
