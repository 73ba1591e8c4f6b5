"""Conditions in conditions joined, so that Yosys finds when a register holds its value.

``if (a) begin if (b) q = x; end`` becomes two multiplexers, both of which take the value before, and Yosys' ``opt_dff``
makes no clock enable of a value with two users: it spends a table a bit to hold the register. With one condition,
``a & b``, there is one user.
"""

from typing import Any

_NAME = "$joined_enable"


def join_enables(design: Any) -> int:
    """Make one multiplexer of each pair that chooses between a new value and the same old one, in place.

    Parameters
    ----------
    design
        A pyosys design without processes, after ``opt_muxtree`` and ``opt_clean``.

    Returns
    -------
    int
        Pairs that were joined.
    """
    return sum(_join(module) for module in design.modules_.values())


def run(first: str, then: str) -> None:
    """Run a script of Yosys that reads a design, join conditions, and run another script.

    Parameters
    ----------
    first, then
        Files; the first ends with ``opt_clean``.
    """
    from pyosys import libyosys

    design = libyosys.Design()
    design.run_pass(f"script {first}")
    join_enables(design)
    design.run_pass(f"script {then}")


def _join(module: Any) -> int:
    from pyosys.libyosys import IdString

    ports = {name: IdString(f"\\{name}") for name in "ABSY"}
    muxes = [cell for cell in module.cells_.values() if cell.type.str() == "$mux"]
    by_output = {_text(cell.getPort(ports["Y"])): cell for cell in muxes if cell.getPort(ports["Y"]).is_wire()}
    joined = 0
    waiting = list(muxes)
    while waiting:
        outer = waiting.pop()
        old, inner = outer.getPort(ports["A"]), by_output.get(_text(outer.getPort(ports["B"])))
        if inner is None:
            continue
        chosen = inner.getPort(ports["S"])
        if inner.getPort(ports["A"]) == old:
            new = inner.getPort(ports["B"])
        elif inner.getPort(ports["B"]) == old:
            new = inner.getPort(ports["A"])
            chosen = module.Not(IdString(f"{_NAME}_not${len(module.cells_)}"), chosen)
        else:
            continue
        name = IdString(f"{_NAME}${len(module.cells_)}")
        outer.setPort(ports["S"], module.And(name, outer.getPort(ports["S"]), chosen))
        outer.setPort(ports["B"], new)
        joined += 1
        waiting.append(outer)  # the new value may be chosen in the same way
    return joined


def _text(signal: Any) -> str:
    """Return a key of a whole wire; of anything else one that no output has."""
    return signal.as_wire().name.str() if signal.is_wire() else ""
