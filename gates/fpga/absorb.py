"""Logic in front of an adder, moved into the adder's own tables, where the family's carry cells have inputs to spare.

Yosys maps an adder of ECP5 to carry cells (CCU2C) whose tables of four inputs only add two bits, and what selects an
operand to tables in front of them. A table with three inputs fits the carry cell itself, which then computes
A + f(B, C, D): its sum is the table's output T = A xor f(B, C, D), inverted by the carry, and its carry out is the
carry in where T is 1. Where T is 0, A and f are equal, and the carry out is what the cell's second table makes of A and
B. That table is the first one's entries at C = D = 0: A, as needed, if f(B, 0, 0) is 0. Operands that a trit selects
are zero where both of its select lines are.

The cell is the vendor's, as in Yosys' ``techlibs/lattice/cells_sim_ecp5.v``.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import permutations, product
from typing import Any

_ADDS = "1001011010101010"  # A + (B xor C), with D = 1: what Yosys makes of an addition or a subtraction
_ZERO, _ONE = "0", "1"


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
    moved = 0
    for cell in [cell for cell in cells.values() if cell["type"] == "CCU2C"]:
        for half in "01":
            if _takes(cell, half):
                moved += _absorb(cells, cell, half, tables, loads)
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


def _absorb(cells: dict[str, Any], cell: dict[str, Any], half: str, tables: dict[Any, str], loads: Counter[Any]) -> int:
    nets = cell["connections"]
    inverted = int(nets[f"C{half}"][0])
    # Which of two summands is A does not matter, unless B is inverted.
    for kept, operand in (("A", "B"), ("B", "A"))[: 1 if inverted else 2]:
        net = nets[operand + half][0]
        name = tables.get(net)
        if name is None or loads[net] != 1:
            continue
        found = _three_inputs(cells[name], inverted)
        if found is None:
            continue
        inputs, values = found
        entries = [values[b, c, d] ^ a for d, c, b, a in product((0, 1), repeat=4)]
        cell["parameters"][f"INIT{half}"] = "".join(map(str, reversed(entries)))
        kept_net = nets[kept + half]
        nets |= {f"A{half}": kept_net} | {port + half: [wire] for port, wire in zip("BCD", inputs, strict=True)}
        del cells[name], tables[net]
        return 1
    return 0


def _three_inputs(table: dict[str, Any], inverted: int) -> tuple[list[Any], dict[tuple[int, ...], int]] | None:
    """Return the inputs B, C, D and the values of a table that a carry cell can take, if it can."""
    wires = [table["connections"][port][0] for port in "ABCD"]
    init = table["parameters"]["INIT"]
    free = [wire for wire in dict.fromkeys(wires) if wire not in (_ZERO, _ONE)]
    if len(free) > 3 or "x" in free or set(init) - {"0", "1"}:
        return None
    for order in permutations([*free, *[_ZERO] * (3 - len(free))]):
        values = {}
        for levels in product((0, 1), repeat=3):
            of = dict(zip(order, levels, strict=True)) | {_ZERO: 0, _ONE: 1}
            index = sum(of[wire] << i for i, wire in enumerate(wires))
            values[levels] = int(init[len(init) - 1 - index]) ^ inverted
        if not values[0, 0, 0] and not values[1, 0, 0]:
            return list(order), values
    return None
