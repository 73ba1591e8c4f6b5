"""Logic in front of an adder, moved into the adder's own table, on Gowin.

A carry cell (ALU) of Gowin is a table of four inputs T(A, B, C, D), whose output, inverted by the carry, is the sum.
Where T is 1, the carry in goes on; where it is 0, the carry out is that of a second table, of A and B, which is the
first one's lowest four entries. With C = 1 these matter to the carry alone. The modes that the vendor names leave an
input of an addition unused. T = D xor f(A, B), with f as the second table, adds any f of two nets to a third: the carry
out is f where D and f are equal. Apicula, which documents the cell from bitstreams (`doc/alu.md`), tried A and B on a
device. nextpnr takes the sixteen entries as they are (``RAW_ALU_LUT``) and connects C to 1; three nets beside the
summand would need C.

Tables of two inputs, each of whose loads is such an operand, are moved. Where several with three inputs make the same
line of two of them, as the bits of an operand do that a trit selects, the line gets a table of its own. A unit that is
added to itself, to carry into the place above, is the second table alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain, product
from typing import Any

RAW = "RAW_ALU_LUT"
_ADD_OR_SUBTRACT = 2  # Yosys' only mode of an ALU
_Line = tuple[Any, Any, tuple[int, ...]]  # two nets, and a value for each of their levels
_Place = tuple[dict[str, Any], str]  # an ALU and its input I0 or I1


def absorb_operands(module: dict[str, Any]) -> int:
    """Move tables into the carry cells behind them, in place.

    Parameters
    ----------
    module
        A flat module of Gowin's cells, as Yosys writes it to JSON.

    Returns
    -------
    int
        Tables that were moved.
    """
    cells = module["cells"]
    levels: dict[Any, int] = {"0": 0, "1": 1}
    for cell in cells.values():
        levels |= {net: int(cell["type"] == "VCC") for port in "GV" for net in cell["connections"].get(port, [])}
    loads = Counter(_read(module))
    tables = {
        cell["connections"]["F"][0]: name
        for name, cell in cells.items()
        if cell["type"] in ("LUT1", "LUT2", "LUT3", "LUT4") and "keep" not in cell.get("attributes", {})
    }
    places: dict[Any, list[_Place]] = defaultdict(list)
    for cell in [cell for cell in cells.values() if cell["type"] == "ALU"]:
        for port in ("I0", "I1"):
            places[cell["connections"][port][0]].append((cell, port))
    operands = {net for net in tables if 0 < len(places[net]) == loads[net]}
    operands = {net for net in operands if all(_takes(cell, levels) for cell, _ in places[net])}
    moved = -_share_lines(cells, [tables[net] for net in tables if net in operands], levels)
    for net in sorted(operands, key=lambda net: (len(places[net]), net)):
        if all(_takes(cell, levels) for cell, _ in places[net]):
            moved += _absorb(cells, tables[net], places[net], levels)
    return moved


def _read(module: dict[str, Any]) -> Iterator[Any]:
    """Yield each net once for each of its loads; a net that must be kept has one more."""
    for port in module["ports"].values():
        if port["direction"] != "input":
            yield from port["bits"]
    for net in module.get("netnames", {}).values():
        if "keep" in net.get("attributes", {}):
            yield from net["bits"]
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                yield from bits


def _takes(cell: dict[str, Any], levels: dict[Any, int]) -> bool:
    """Return whether a carry cell adds or subtracts, which of them being known, and has no table yet."""
    mode = int(cell["parameters"]["ALU_MODE"], 2)
    return mode == _ADD_OR_SUBTRACT and RAW not in cell["parameters"] and cell["connections"]["I3"][0] in levels


def _absorb(cells: dict[str, Any], name: str, places: list[_Place], levels: dict[Any, int]) -> int:
    """Move a table into all carry cells that read it, and no other cell may; return whether all can take it."""
    found = _two_inputs(cells[name], levels)
    if found is None:
        return 0
    (a, b), values = found
    halves = {id(cell): cell for cell, _ in places}
    doubled = 2 * len(halves) == len(places)
    if not doubled and len(halves) < len(places):
        return 0
    if doubled and any(levels[cell["connections"]["I3"][0]] == 0 for cell in halves.values()):  # I1 is inverted
        return 0
    for cell, port in places:
        nets = cell["connections"]
        inverted = 1 - levels[nets["I3"][0]]
        # The second table is what is added to D; of a difference, D is the first operand, or the inverted second.
        carry = [values[place] ^ (inverted and port == "I1") for place in range(4)]
        summed = [0] * 4 if doubled else [value ^ inverted for value in values]
        behind = [0] * 4 if doubled else [1 - value for value in summed]
        entries = [*carry, *summed, *[0] * 4, *behind]
        if not doubled:
            nets["I3"] = nets["I1" if port == "I0" else "I0"]
        cell["parameters"] |= {"ALU_MODE": f"{0:032b}", RAW: "".join(map(str, reversed(entries)))}
    for cell in halves.values():
        cell["connections"] |= {"I0": [a], "I1": [b]}
    del cells[name]
    return 1


def _share_lines(cells: dict[str, Any], names: list[str], levels: dict[Any, int]) -> int:
    """Give a table of its own to what tables make of two of their three inputs, where several do; return how many."""
    groups: dict[_Line, dict[str, tuple[Any, list[int]]]] = defaultdict(dict)
    for name in names:
        wires, values = _function(cells[name], levels)
        for other in range(3) if len(wires) == 3 else ():
            pair = [place for place in range(3) if place != other]
            found = _line(values, pair, other)
            if found:
                groups[wires[pair[0]], wires[pair[1]], found[0]][name] = (wires[other], found[1])
    made = 0
    waiting = set(names)
    for (a, b, line), tables in sorted(groups.items(), key=lambda group: -len(group[1])):
        sharing = [name for name in tables if name in waiting]
        if len(sharing) < 2:
            continue
        waiting -= set(sharing)
        net = 1 + max(
            wire for cell in cells.values() for wire in chain(*cell["connections"].values()) if isinstance(wire, int)
        )
        cells[f"shared${net}"] = _table([a, b], list(line), net)
        for name in sharing:
            other, values = tables[name]
            cells[name] = _table([net, other], values, cells[name]["connections"]["F"][0])
        made += 1
    return made


def _line(values: list[int], pair: list[int], other: int) -> tuple[tuple[int, ...], list[int]] | None:
    """Return f and g, if a table of three inputs is g(f(pair), other) for an f that is 0 where both inputs are."""
    rows = {}
    for second, first in product((0, 1), repeat=2):
        index = (first << pair[0]) + (second << pair[1])
        rows[first + 2 * second] = (values[index], values[index + (1 << other)])
    kinds = sorted(set(rows.values()), key=lambda row: row != rows[0])
    if len(kinds) != 2:
        return None
    values = [kinds[line][level] for level in (0, 1) for line in (0, 1)]
    return tuple(kinds.index(rows[place]) for place in range(4)), values


def _table(inputs: list[Any], values: list[int], output: Any) -> dict[str, Any]:
    """Return a table of two inputs, whose values the first input varies first."""
    return {
        "type": "LUT2", "parameters": {"INIT": "".join(map(str, reversed(values)))}, "attributes": {},
        "port_directions": {"I0": "input", "I1": "input", "F": "output"},
        "connections": {"I0": [inputs[0]], "I1": [inputs[1]], "F": [output]},
    }  # fmt: skip


def _two_inputs(table: dict[str, Any], levels: dict[Any, int]) -> tuple[list[Any], list[int]] | None:
    """Return two nets and a table's output for each of their levels, if that is all it depends on."""
    wires, values = _function(table, levels)
    if len(wires) == 1:
        return [wires[0]] * 2, [values[0], values[1], values[0], values[1]]
    return (wires, values) if len(wires) == 2 else None


def _function(table: dict[str, Any], levels: dict[Any, int]) -> tuple[list[Any], list[int]]:
    """Return a table's nets and its output for each of their levels, the first net's varying first; none if unknown."""
    init = table["parameters"]["INIT"]
    wires = [table["connections"][port][0] for port in ("I0", "I1", "I2", "I3") if port in table["connections"]]
    free = [wire for wire in dict.fromkeys(wires) if wire not in levels]
    if "x" in free or set(init) - {"0", "1"}:
        return [], []
    values = []
    for given in product((0, 1), repeat=len(free)):
        of = levels | dict(zip(reversed(free), given, strict=True))
        index = sum(of[wire] << i for i, wire in enumerate(wires))
        values.append(int(init[len(init) - 1 - index]))
    return free, values
