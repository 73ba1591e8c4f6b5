"""Static timing of a netlist: slew and arrival at each net, and the critical path.

The clock is ideal: it reaches every register at once. It and the primary inputs have one slew, the library's typical
one. Of all arcs into a net the slowest slew and the latest arrival count, as is usual, rise and fall apart. Wires add
capacitance if a rule is given. Their resistance is left out, too little to matter in most libraries, unless asked for:
`Resistance` says what it would add.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bitjoule.gates.liberty.cell import EDGES, Cell
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.tables import Floats, LookupTable, Stack
from bitjoule.gates.liberty.text import NS_PER_OHM_FF
from bitjoule.gates.liberty.wires import WireLoad
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.timing.paths import CellGroup, Edges, Paths, Places, find_paths

_REGISTERS, _INPUTS = 0, 1


@dataclass(frozen=True)
class Timing:
    """Longest delays in ns; NaN where there is no such path.

    Parameters
    ----------
    period_ns : float
        Least clock period between registers: clock to output, gates and set-up time.
    input_ns, output_ns : float
        From an input to a register, set-up time included, and from a register to an output.
    through_ns : float
        From an input to an output.
    path : tuple of str
        Cells on the path that bounds the period, with the output pin.
    instances : tuple of int
        Their numbers in the netlist.
    """

    period_ns: float
    input_ns: float
    output_ns: float
    through_ns: float
    path: tuple[str, ...]
    instances: tuple[int, ...]


@dataclass(frozen=True)
class Resistance:
    """Resistance of wires, for their Elmore delay; slews and the load of a driver stay as without it.

    Parameters
    ----------
    ohm_per_um : float
        Of the wire-load rule.
    tree : str
        Liberty's ``tree_type``: in a ``worst_case_tree`` all sinks are at the far end, in a ``best_case_tree`` at the
        driver; else each has a branch of its own, an equal share of the wire.
    """

    ohm_per_um: float
    tree: str = ""

    def delay_ns(self, wires: WireLoad, fanout: Floats, pins_ff: Floats, pin_ff: float) -> Floats:
        """Return the delay in ns from drivers to a pin of some capacitance.

        Parameters
        ----------
        wires : WireLoad
            The rule.
        fanout, pins_ff : array
            Of each net: sinks, and the capacitance of their pins.
        pin_ff : float
            Capacitance of the pin.
        """
        ohm, wire_ff = self.ohm_per_um * wires.length_um(fanout), wires.capacitance_ff(fanout)
        if self.tree == "best_case_tree":
            ohm = np.zeros_like(ohm)
        share = np.ones_like(fanout) if self.tree == "worst_case_tree" else np.maximum(fanout, 1.0)
        load_ff = wire_ff + pins_ff if self.tree == "worst_case_tree" else wire_ff / share + pin_ff
        delay: Floats = ohm / share * load_ff * NS_PER_OHM_FF
        return delay


@dataclass(frozen=True)
class Analysis:
    """What static timing found.

    Parameters
    ----------
    timing : Timing
        Longest delays.
    slew_ns : array
        Slew in ns of the rising and of the falling edge of each net: 2 x nets.
    load_ff : array
        Capacitance in fF of each net, the mean of a rise and a fall: what energy goes by.
    edge_load_ff : array
        That of a rise and of a fall, 2 x nets: what delays and slews go by.
    """

    timing: Timing
    slew_ns: Floats
    load_ff: Floats
    edge_load_ff: Floats


@dataclass(frozen=True)
class _Wiring:
    """What a wire's delay to a pin follows from: the rule, its resistance, and each net's sinks and their pins."""

    wires: WireLoad | None
    resistance: Resistance | None
    fanout: Floats
    pins_ff: Floats

    def delay_ns(self, nets: Places, edge: int, cell: Cell, pin: str) -> Floats:
        if self.wires is None or self.resistance is None or pin not in cell.inputs:
            return np.zeros(len(nets))
        pin_ff = cell.pins[pin].edge_capacitance_ff[edge]
        return self.resistance.delay_ns(self.wires, self.fanout[nets], self.pins_ff[edge, nets], pin_ff)


@dataclass(frozen=True)
class _Sweep:
    """Arcs and their tables, and what is known of each edge of each net: load, slew, arrival by where from."""

    edges: Edges
    wire_ns: Floats
    stack: Stack
    loads_ff: Floats
    slews_ns: Floats
    arrivals_ns: Floats

    def at(self, part: slice | Places) -> tuple[Floats, Floats]:
        """Return the slew that some arcs give, and when they deliver: by where from, then arc."""
        edges = self.edges
        source, table = (edges.source_edge[part], edges.source[part]), edges.table[part]
        slew, load = self.slews_ns[source], self.loads_ff[edges.target_edge[part], edges.target[part]]
        later = self.arrivals_ns[:, source[0], source[1]] + self.wire_ns[part] + self.stack.at(table, slew, load)
        return self.stack.at(table + 1, slew, load), later

    def propagate(self, part: slice) -> None:
        """Set what the arcs of one level set."""
        slower, later = self.at(part)
        target, edge = self.edges.target[part], self.edges.target_edge[part]
        first = np.flatnonzero(np.diff(2 * target + edge, prepend=-1))
        self.slews_ns[edge[first], target[first]] = np.maximum.reduceat(slower, first)
        self.arrivals_ns[:, edge[first], target[first]] = np.maximum.reduceat(later, first, axis=1)

    def trace(self, origin: int, net: int, edge: int) -> list[tuple[int, int]]:
        """Return the instances, and the nets they drive, on the latest path to an edge of a net, first to last."""
        path = []
        while net >= 0:
            into = np.flatnonzero((self.edges.target == net) & (self.edges.target_edge == edge))
            if not len(into):
                break
            last = into[int(np.argmax(self.at(into)[1][origin]))]
            path.append((int(self.edges.instance[last]), net))
            net, edge = int(self.edges.source[last]), int(self.edges.source_edge[last])
        return path[::-1]


def analyse(
    netlist: Netlist,
    library: Library,
    clock_nets: set[int],
    wires: WireLoad | None = None,
    slew_ns: float | None = None,
    resistance: Resistance | None = None,
    paths: Paths | None = None,
) -> Analysis:
    """Return slews, loads and longest delays of a netlist.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    library : Library
        Where its cells are.
    clock_nets : set of int
        Nets that carry the clock, gated or not.
    wires : WireLoad or None
        Wire capacitance; none is pins only.
    slew_ns : float or None
        Slew of the clock and of primary inputs in ns, instead of the library's typical one.
    resistance : Resistance or None
        Of the wires; none leaves it out.
    paths : Paths or None
        What `find_paths` returns of the netlist as it is and of these clock nets, if it is known already.

    Raises
    ------
    ValueError
        The netlist has a combinational loop.
    """
    start_ns = library.slew_ns if slew_ns is None else slew_ns
    paths = find_paths(netlist, clock_nets) if paths is None else paths
    wiring = _Wiring(wires, resistance, paths.fanout, paths.pins_ff)
    loads = paths.pins_ff if wires is None else paths.pins_ff + wires.capacitance_ff(paths.fanout)
    slews_ns, arrivals_ns = np.full_like(loads, start_ns), np.full((2, 2, len(paths.fanout)), -np.inf)
    sweep = _Sweep(paths.edges, _wire_ns(paths, wiring), paths.stack, loads, slews_ns, arrivals_ns)
    for port in netlist.inputs.values():
        sweep.arrivals_ns[_INPUTS][:, [net for net in port if net not in clock_nets]] = 0.0
    sweep.arrivals_ns[_REGISTERS][:, sorted(clock_nets)] = 0.0
    for first, last in pairwise(paths.firsts.tolist()):
        sweep.propagate(slice(first, last))
    timing = _timing(netlist, paths.groups, bool(clock_nets), start_ns, sweep, wiring)
    return Analysis(timing, sweep.slews_ns, loads.mean(axis=0), loads)


def _wire_ns(paths: Paths, wiring: _Wiring) -> Floats:
    """Return what the wire to each arc takes in ns; the clock is ideal, its wires take nothing."""
    wire_ns = np.zeros(len(paths.edges.source))
    if wiring.wires is None or wiring.resistance is None:
        return wire_ns
    clocked = np.isin(paths.edges.source, sorted(paths.clock_nets))
    for number, (cell, pin) in enumerate(paths.pins):
        for edge in range(len(EDGES)):
            here = np.flatnonzero((paths.edges.pin == number) & (paths.edges.source_edge == edge) & ~clocked)
            wire_ns[here] = wiring.delay_ns(paths.edges.source[here], edge, cell, pin)
    return wire_ns


def _timing(
    netlist: Netlist, groups: Sequence[CellGroup], clocked: bool, clock_ns: float, sweep: _Sweep, wiring: _Wiring
) -> Timing:
    ends_ns, ends = _ends(groups, clock_ns, sweep, wiring)
    outputs = [net for bits in netlist.outputs.values() for net in bits]
    leaving = sweep.arrivals_ns[:, :, outputs]
    leaving_ns = [_finite(leaving[origin].max(initial=-np.inf)) for origin in (_REGISTERS, _INPUTS)]
    path: list[tuple[int, int]] = []
    if clocked and ends_ns.size:
        net, edge = ends[int(ends_ns[_REGISTERS].argmax())]
        path = sweep.trace(_REGISTERS, net, edge)
    elif not clocked and outputs:
        edge, place = divmod(int(leaving[_INPUTS].argmax()), len(outputs))
        path = sweep.trace(_INPUTS, outputs[place], edge)
    names = []
    for number, net in path:
        instance = netlist.instances[number]
        names.append(f"{instance.cell.name}/{next(pin for pin in instance.cell.outputs if instance.nets[pin] == net)}")
    period_ns, input_ns = (_finite(ends_ns[origin].max(initial=-np.inf)) for origin in (_REGISTERS, _INPUTS))
    return Timing(period_ns, input_ns, leaving_ns[0], leaving_ns[1], tuple(names), tuple(number for number, _ in path))


def _ends(
    groups: Sequence[CellGroup], clock_ns: float, sweep: _Sweep, wiring: _Wiring
) -> tuple[Floats, list[tuple[int, int]]]:
    """Return when each edge at a register's input has been there for its set-up time, by where from, and the edges."""
    tables: list[LookupTable] = []
    rows: list[tuple[Places, ...]] = [(np.zeros(0, dtype=np.intp),) * 3]
    wire_ns = [np.zeros(0)]
    for cell, numbers, nets in groups:
        for pin in cell.inputs if cell.flip_flop is not None or cell.clock_gate else ():
            for arc in (arc for arc in cell.arcs(pin) if arc.type == "setup_rising"):
                for edge, name in enumerate(EDGES):
                    if f"{name}_constraint" in arc.tables:
                        same = np.full((2, len(numbers)), [[edge], [len(tables)]])
                        tables.append(arc.tables[f"{name}_constraint"])
                        rows.append((nets[pin], same[0], same[1]))
                        wire_ns.append(wiring.delay_ns(nets[pin], edge, cell, pin))
    net, edges, number = (np.concatenate(column) for column in zip(*rows, strict=True))
    setup = Stack(tables).at(number, sweep.slews_ns[edges, net], np.full(len(net), clock_ns))
    return sweep.arrivals_ns[:, edges, net] + np.concatenate(wire_ns) + setup, list(
        zip(net.tolist(), edges.tolist(), strict=True)
    )


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else math.nan
