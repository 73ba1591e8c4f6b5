"""What static timing goes by and no wire, slew or load changes: arcs, their levels, and the pins on each net."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.liberty.cell import EDGES, Arc, Cell
from bitjoule.gates.liberty.tables import Floats, LookupTable, Stack
from bitjoule.gates.liberty.wires import WireLoad
from bitjoule.gates.netlist import Instance, Netlist

Places = NDArray[np.intp]
_FROM = {"positive_unate": ((0, 0), (1, 1)), "negative_unate": ((1, 0), (0, 1))}
_ANY = ((0, 0), (0, 1), (1, 0), (1, 1))
CellGroup = tuple[Cell, Places, dict[str, Places]]


@dataclass(frozen=True)
class Edges:
    """Arcs of all instances, from an edge of a net to an edge of another, by level and there by target.

    Each names its first table, its delay; its slew is the next. `pin` is the input it begins at, by its place in
    `Paths.pins`.
    """

    instance: Places
    source: Places
    source_edge: Places
    target: Places
    target_edge: Places
    table: Places
    pin: Places


@dataclass(frozen=True)
class Paths:
    """What timing goes by and no wire, slew or load changes: found once for all analyses of a netlist.

    Parameters
    ----------
    clock_nets : set of int
        Nets that carry the clock, gated or not.
    groups : sequence of tuple
        From `by_cell`.
    fanout : array
        Input pins on each net.
    pins_ff : array
        Their capacitance in fF at a rise and at a fall: 2 x nets.
    edges : Edges
        All arcs.
    pins : sequence of tuple
        The inputs that arcs begin at: a cell and its pin.
    stack : Stack
        The arcs' tables.
    firsts : array of int
        Where each level of the arcs begins, and their end.
    """

    clock_nets: set[int]
    groups: Sequence[CellGroup]
    fanout: Floats
    pins_ff: Floats
    edges: Edges
    pins: Sequence[tuple[Cell, str]]
    stack: Stack
    firsts: Places


def find_paths(netlist: Netlist, clock_nets: set[int]) -> Paths:
    """Return what `analyse` goes by whatever the wires are.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    clock_nets : set of int
        Nets that carry the clock, gated or not.

    Raises
    ------
    ValueError
        The netlist has a combinational loop.
    """
    groups = by_cell(netlist)
    tables: list[LookupTable] = []
    pins: list[tuple[Cell, str]] = []
    nets = netlist.nets
    edges = _find_edges(groups, tables, pins)
    level = _levels(edges, nets)[edges.target]
    order = np.lexsort((edges.target_edge, edges.target, level))
    edges = Edges(**{name: values[order] for name, values in vars(edges).items()})
    firsts = np.flatnonzero(np.diff(level[order], prepend=-1, append=-1))
    pins_ff, fanout = _pin_loads_ff(netlist, nets)
    return Paths(clock_nets, groups, fanout, pins_ff, edges, pins, Stack(tables), firsts)


def edge_loads_ff(netlist: Netlist, wires: WireLoad | None) -> Floats:
    """Return the capacitance in fF of each net when it rises and when it falls: 2 x nets."""
    loads, fanout = _pin_loads_ff(netlist, netlist.nets)
    return loads if wires is None else loads + wires.capacitance_ff(fanout)


def _pin_loads_ff(netlist: Netlist, nets: int) -> tuple[Floats, Floats]:
    """Return the capacitance in fF of the pins on each net at a rise and at a fall, 2 x nets, and their number."""
    on = [(instance.nets[pin], instance.cell.pins[pin].edge_capacitance_ff) for instance, pin in netlist.pins("input")]
    places = np.array([net for net, _ in on], dtype=np.intp)
    each_ff = np.array([capacitance for _, capacitance in on]).reshape(-1, len(EDGES)).T
    # Added in the order of the netlist, as sums of such numbers depend on it.
    loads = np.stack([np.bincount(places, weights=of_edge, minlength=nets) for of_edge in each_ff])
    return loads.astype(np.float64), np.bincount(places, minlength=nets).astype(np.float64)


def by_cell(netlist: Netlist) -> list[CellGroup]:
    """Return each cell type with the numbers of its instances and the nets at each of their pins."""
    by_type: dict[str, list[int]] = defaultdict(list)
    for number, instance in enumerate(netlist.instances):
        by_type[instance.cell.name].append(number)
    groups = []
    for numbers in by_type.values():
        members: list[Instance] = [netlist.instances[number] for number in numbers]
        cell = members[0].cell
        pins = (*cell.inputs, *cell.outputs)
        nets = {pin: np.array([instance.nets[pin] for instance in members], dtype=np.intp) for pin in pins}
        groups.append((cell, np.array(numbers, dtype=np.intp), nets))
    return groups


def _find_edges(groups: Sequence[CellGroup], tables: list[LookupTable], pins: list[tuple[Cell, str]]) -> Edges:
    """Return all arcs, and append their tables and the inputs they begin at."""
    rows: list[tuple[NDArray[Any], ...]] = [(np.zeros(0, dtype=np.intp),) * 7]
    for cell, numbers, nets in groups:
        if cell.clock_gate:
            continue
        for pin in cell.outputs:
            for arc in cell.arcs(pin):
                for related in arc.related:
                    for source_edge, target_edge in turns(cell, arc):
                        edge = EDGES[target_edge]
                        if related in nets and {f"cell_{edge}", f"{edge}_transition"} <= set(arc.tables):
                            numbered = [[source_edge], [target_edge], [len(tables)], [len(pins)]]
                            same = np.full((4, len(numbers)), numbered, dtype=np.intp)
                            tables += [arc.tables[f"cell_{edge}"], arc.tables[f"{edge}_transition"]]
                            pins.append((cell, related))
                            rows.append((numbers, nets[related], same[0], nets[pin], *same[1:]))
    return Edges(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def turns(cell: Cell, arc: Arc) -> tuple[tuple[int, int], ...]:
    """Return which edge at the input may cause which at the output, each by its place in `EDGES`.

    Parameters
    ----------
    cell : Cell
        The cell.
    arc : Arc
        One of its arcs.
    """
    if cell.flip_flop is not None:
        return ((0, 0), (0, 1)) if arc.type == "rising_edge" else ()
    unate = _FROM.get(arc.sense, _ANY)
    kinds = {"combinational": EDGES, "combinational_rise": EDGES[:1], "combinational_fall": EDGES[1:]}
    return tuple(turn for turn in unate if EDGES[turn[1]] in kinds.get(arc.type, ()))


def _levels(edges: Edges, nets: int) -> Places:
    """Return the most arcs on a way to each net."""
    level = np.zeros(nets, dtype=np.intp)
    waiting = np.bincount(edges.target, minlength=nets)
    by_source = edges.target[np.argsort(edges.source, kind="stable")]
    ends = np.cumsum(np.bincount(edges.source, minlength=nets))
    begins = np.concatenate([[0], ends[:-1]])
    ready, done = np.flatnonzero(waiting == 0), 0
    while len(ready):
        done += len(ready)
        counts = ends[ready] - begins[ready]
        behind = np.cumsum(counts) - counts
        targets = by_source[np.arange(counts.sum()) + np.repeat(begins[ready] - behind, counts)]
        np.maximum.at(level, targets, np.repeat(level[ready] + 1, counts))
        np.subtract.at(waiting, targets, 1)
        ready = np.unique(targets[waiting[targets] == 0])
    if done != nets:
        raise ValueError("the netlist has a combinational loop")
    return level
