"""Delays of each cell of a netlist: what the event-driven simulation (`events`) counts glitches with.

A cell's output follows the change of an input after the delay of the arc from that input, for the edge that the output
makes, read at the slew and load that static timing found for the instance (`bitjoule.gates.timing.sta`). Arcs with a
condition apply where the cell's other inputs fulfil it. So the delay depends on the pin that changed and on the inputs
after it: which *choice* that is, is the same for all instances of a cell (`OutputDelays.choices`); what the choice
takes is each instance's own. Where several arcs fit, the slowest counts, as in static timing; where none does, all
from that pin for that edge, then all for that edge.

Flip-flops have a delay of each edge, from the clock's; primary inputs change at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.cell import EDGES, Arc, Cell
from bitjoule.gates.liberty.tables import Floats, LookupTable, Stack
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.timing.paths import Places, by_cell, turns
from bitjoule.gates.timing.sta import Analysis

FS_PER_NS = 1_000_000
_LONGEST_FS = np.iinfo(np.uint32).max

Choices = NDArray[np.uint16]


@dataclass(frozen=True)
class OutputDelays:
    """Delays of one output of all instances of a cell.

    Parameters
    ----------
    cell : Cell
        The cell.
    pin : str
        The output.
    numbers : array of int
        The instances, by their number in the netlist.
    choices : array of int or None
        Inputs x states: which row of `delay_fs` applies when that input has changed and that state is reached, the
        last input being the state's lowest bit; None of a flip-flop, whose rows are rise and fall.
    delay_fs : array of int
        Choices x instances.
    """

    cell: Cell
    pin: str
    numbers: Places
    choices: Choices | None
    delay_fs: NDArray[np.uint32]


@dataclass(frozen=True)
class _Row:
    """An arc's delay for one pair of edges: where it is from, when it applies, and its table."""

    related: str
    source_edge: int
    target_edge: int
    when: BooleanFunction | None
    table: LookupTable


def arc_delays(netlist: Netlist, analysis: Analysis) -> list[OutputDelays]:
    """Return the delays of all outputs of flip-flops and combinational cells.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    analysis : Analysis
        Its slews and loads, wires included or not. The resistance of wires is left out.
    """
    delays = []
    for cell, numbers, nets in by_cell(netlist):
        if cell.flip_flop is None and not cell.is_combinational:
            continue
        for pin in cell.outputs:
            rows = list(_rows(cell, pin, nets))
            each_ns = np.zeros((len(rows), len(numbers)))
            for row, delay_ns in zip(rows, each_ns, strict=True):
                slew = analysis.slew_ns[row.source_edge, nets[row.related]]
                load = analysis.edge_load_ff[row.target_edge, nets[pin]]
                delay_ns[:] = Stack([row.table]).at(np.zeros(len(numbers), dtype=np.intp), slew, load)
            choices, fitting = _States(cell, pin).choices(rows) if cell.is_combinational else (None, _by_edge(rows))
            delays.append(OutputDelays(cell, pin, numbers, choices, _slowest_fs(each_ns, fitting)))
    return delays


def equal_delays(netlist: Netlist, delay_fs: int) -> list[OutputDelays]:
    """Return delays with which all gates are alike, and flip-flops change at once.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    delay_fs : int
        Of each gate.
    """
    delays = []
    for cell, numbers, _ in by_cell(netlist):
        for pin in cell.outputs:
            if cell.is_combinational:
                choices = np.zeros((len(cell.inputs), 1 << len(cell.inputs)), dtype=np.uint16)
                delays.append(OutputDelays(cell, pin, numbers, choices, _all(delay_fs, 1, len(numbers))))
            elif cell.flip_flop is not None:
                delays.append(OutputDelays(cell, pin, numbers, None, _all(0, 2, len(numbers))))
    return delays


def _all(value: int, rows: int, columns: int) -> NDArray[np.uint32]:
    return np.full((rows, columns), value, dtype=np.uint32)


def _rows(cell: Cell, pin: str, nets: dict[str, Places]) -> Iterator[_Row]:
    for arc in cell.arcs(pin):
        for related in arc.related:
            for source_edge, target_edge in turns(cell, arc):
                table = arc.tables.get(f"cell_{EDGES[target_edge]}")
                if table is not None and related in nets:
                    yield _Row(related, source_edge, target_edge, _condition(cell, arc), table)


def _condition(cell: Cell, arc: Arc) -> BooleanFunction | None:
    """Return when an arc applies, if the inputs decide it."""
    decided = arc.when is not None and cell.is_combinational and set(arc.when.pins) <= set(cell.inputs)
    return arc.when if decided else None


def _by_edge(rows: Sequence[_Row]) -> list[tuple[int, ...]]:
    return [tuple(place for place, row in enumerate(rows) if row.target_edge == edge) for edge in range(len(EDGES))]


def _slowest_fs(each_ns: Floats, fitting: Sequence[tuple[int, ...]]) -> NDArray[np.uint32]:
    """Return the largest of each group of delays; a gate takes no less than 1 fs, a library without an arc that."""
    slowest = [each_ns[list(places)].max(axis=0) if places else np.zeros(each_ns.shape[1]) for places in fitting]
    slowest_ns = np.array(slowest).reshape(-1, each_ns.shape[1])
    slowest_fs: Floats = np.clip(np.rint(slowest_ns * FS_PER_NS), 1, _LONGEST_FS)
    return slowest_fs.astype(np.uint32)


@dataclass(frozen=True)
class _States:
    """All states of the inputs of a combinational cell, and the value of one output in each."""

    cell: Cell
    pin: str

    @cached_property
    def inputs(self) -> dict[str, NDArray[np.uint64]]:
        """The value, 0 or 1, of each input in each state."""
        names = self.cell.inputs
        numbers = np.arange(1 << len(names), dtype=np.uint64)
        places = range(len(names) - 1, -1, -1)
        return {name: numbers >> np.uint64(place) & np.uint64(1) for name, place in zip(names, places, strict=True)}

    @cached_property
    def output(self) -> NDArray[np.uint8]:
        """The value of the output in each state."""
        return truth(self.cell, self.pin)

    def choices(self, rows: Sequence[_Row]) -> tuple[Choices, list[tuple[int, ...]]]:
        """Return which group of rows applies when an input has changed to a state, and the groups."""
        groups: dict[tuple[int, ...], int] = {}
        choices = np.zeros((len(self.cell.inputs), len(self.output)), dtype=np.uint16)
        conditions = [self._holds(row.when) for row in rows]
        for place, name in enumerate(self.cell.inputs):
            for state, value in enumerate(self.output.tolist()):
                edge, source_edge = 1 - value, 1 - int(self.inputs[name][state])
                to_edge = [number for number, row in enumerate(rows) if row.target_edge == edge]
                from_pin = [number for number in to_edge if rows[number].related == name]
                turning = [number for number in from_pin if rows[number].source_edge == source_edge]
                holding = [number for number in turning if conditions[number][state]]
                stated = [number for number in holding if rows[number].when is not None]
                fitting = next(filter(None, (stated, holding, turning, from_pin, to_edge)), [])
                choices[place, state] = groups.setdefault(tuple(fitting), len(groups))
        return choices, list(groups)

    def _holds(self, condition: BooleanFunction | None) -> NDArray[np.bool_]:
        if condition is None:
            return np.ones(len(self.output), dtype=np.bool_)
        values: NDArray[np.uint64] = np.broadcast_to(condition(self.inputs), len(self.output)) & np.uint64(1)
        return values.astype(np.bool_)


def truth(cell: Cell, pin: str) -> NDArray[np.uint8]:
    """Return the value of an output in each state of a cell's inputs, the last input being the lowest bit.

    Parameters
    ----------
    cell : Cell
        The cell.
    pin : str
        The output.
    """
    table = cell.table(pin)
    return np.array([table >> state & 1 for state in range(1 << len(cell.inputs))], dtype=np.uint8)
