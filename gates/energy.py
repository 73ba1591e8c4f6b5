"""Energy of a netlist from its toggles and the library's capacitances and power tables.

Counted are, in a cycle: half C V squared for each toggle of a net, C being the input pins on it (no wires: there is
no layout); the internal energy of its driver at that load and a typical slew, the mean of the tables for the
different paths and edges; the internal energy of inputs that toggle without effect; and for each flip-flop that gets
a clock edge the clock pin's capacitance and internal energy. The clock's own tree is not there before layout and not
counted. Tables given for the ground rail are a second view of the same charge and not counted either.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.boolean import Function
from bitjoule.gates.liberty import Cell, Library, Power, Table
from bitjoule.gates.netlist import Instance, Netlist, kind
from bitjoule.gates.simulation import Activity


@dataclass(frozen=True)
class Energy:
    """Energy of a cycle.

    Parameters
    ----------
    settled_fj, total_fj : float
        Without and with glitches, in fJ, clock pins included, leakage not.
    clock_fj : float
        The part of the clock pins, in fJ.
    error_fj : float
        Standard error of `total_fj`.
    leakage_nw : float
        Leakage in nW.
    parts_fj : dict of str to float
        `total_fj` by the kind of the driving cell; ``input`` is what the primary inputs charge.
    by_instance_fj : tuple of array
        Energy without and with glitches, in fJ, of each instance by its number: its internal energy, its clock pin and
        the nets it drives. What primary inputs charge belongs to none.
    """

    settled_fj: float
    total_fj: float
    clock_fj: float
    error_fj: float
    leakage_nw: float
    parts_fj: dict[str, float]
    by_instance_fj: tuple[NDArray[np.float64], NDArray[np.float64]]


class EnergyModel:
    """Prices toggles.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    library : Library
        Where its cells are.
    clock_nets : iterable of int
        Nets that carry the clock: priced by clock edges, not by toggles.
    slew_ns : float
        Input slew in ns at which tables are read.
    """

    def __init__(self, netlist: Netlist, library: Library, clock_nets: Iterable[int], slew_ns: float) -> None:
        self.netlist = netlist
        self.slew_ns = slew_ns
        self.clock_nets = set(clock_nets)
        self.volt_squared = library.voltage_v**2
        self.load_ff = loads_ff(netlist)
        self.toggle_fj = 0.5 * self.load_ff * self.volt_squared
        self.kinds = np.full(netlist.nets, "input", dtype=object)
        internal = cache(self._pin_fj)
        for instance, pin in netlist.pins("output"):
            net = instance.nets[pin]
            self.toggle_fj[net] += internal(instance.cell, pin, round(float(self.load_ff[net]), 1))
            self.kinds[net] = kind(instance.cell)
        self.toggle_fj[list(self.clock_nets)] = 0.0

    def _pin_fj(self, cell: Cell, pin: str, load_ff: float) -> float:
        return _mean_fj(cell.pins[pin].powers, self.slew_ns, load_ff)

    def energy(self, activity: Activity) -> Energy:
        """Price what was counted.

        Parameters
        ----------
        activity : Activity
            Of the same netlist.

        Returns
        -------
        Energy
            Of a cycle.
        """
        clocks = self._clock_fj(activity)
        clock_fj = float(clocks.sum())
        hiddens = [self._hidden_fj(toggles) for toggles in (activity.settled, activity.total)]
        hidden = [float(energies.sum()) for energies in hiddens]
        by_cycle = np.array([float(total @ self.toggle_fj) for _, total in activity.by_cycle])
        parts: dict[str, float] = defaultdict(float)
        for name, energy in zip(self.kinds, activity.total * self.toggle_fj, strict=True):
            parts[name] += float(energy)
        parts["clock"] = clock_fj
        parts["hidden"] = hidden[1]
        return Energy(
            float(activity.settled @ self.toggle_fj) + hidden[0] + clock_fj,
            float(activity.total @ self.toggle_fj) + hidden[1] + clock_fj,
            clock_fj,
            float(by_cycle.std(ddof=1) / np.sqrt(len(by_cycle))) if len(by_cycle) > 1 else 0.0,
            sum(instance.cell.leakage_nw for instance in self.netlist.instances),
            dict(parts),
            (
                self._driven_fj(activity.settled) + hiddens[0] + clocks,
                self._driven_fj(activity.total) + hiddens[1] + clocks,
            ),
        )

    def _driven_fj(self, toggles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Energy of the toggles of the nets that each instance drives."""
        energies = toggles * self.toggle_fj
        return np.array([sum(energies[item.nets[pin]] for pin in item.cell.outputs) for item in self.netlist.instances])

    def _hidden_fj(self, toggles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Energy, by instance, of input toggles that change no output and of those at a flip-flop's data pin."""
        spent_fj = np.zeros(len(self.netlist.instances))
        mean = cache(self._pin_fj)
        for number, instance in enumerate(self.netlist.instances):
            pins = [pin for pin in instance.cell.inputs if instance.nets[pin] not in self.clock_nets]
            energies = [mean(instance.cell, pin, 0.0) for pin in pins]
            if not any(energies):
                continue
            into = [float(toggles[instance.nets[pin]]) for pin in pins]
            spent = sum(energy * count for energy, count in zip(energies, into, strict=True))
            if instance.cell.is_combinational and sum(into) > 0.0:
                out = max(float(toggles[instance.nets[pin]]) for pin in instance.cell.outputs)
                spent *= max(0.0, 1.0 - out / sum(into))
            spent_fj[number] = spent
        return spent_fj

    def _clock_fj(self, activity: Activity) -> NDArray[np.float64]:
        spent_fj = np.zeros(len(self.netlist.instances))
        for number, instance in enumerate(self.netlist.instances):
            cell = instance.cell
            if cell.flip_flop is not None:
                edges = float(activity.clocked[number])
                toggled = min(edges, float(activity.settled[instance.nets[cell.outputs[0]]]))
                pin = cell.pins[cell.flip_flop.clock.text.strip("() ")]
                idle, busy = _clock_pin_fj(cell, pin.name, self.slew_ns)
                charge_fj = edges * pin.capacitance_ff * self.volt_squared
                spent_fj[number] = charge_fj + (edges - toggled) * idle + toggled * busy
            elif cell.clock_gate:
                spent_fj[number] = self._gate_fj(instance, activity)
        return spent_fj

    def _gate_fj(self, instance: Instance, activity: Activity) -> float:
        """Energy of a clock gate: its clock pin in every cycle, its output when its registers get an edge."""
        cell = instance.cell
        clock = cell.pins[cell.roles["clock_gate_clock_pin"]]
        output = cell.roles["clock_gate_out_pin"]
        net = instance.nets[output]
        gated = [
            float(activity.clocked[number])
            for number, other in enumerate(self.netlist.instances)
            if other.cell.flip_flop is not None and other.nets[other.cell.flip_flop.clock.text.strip("() ")] == net
        ]
        open_share = gated[0] if gated else 0.0
        idle = 2.0 * _mean_fj(clock.powers, self.slew_ns, 0.0) * (1.0 - open_share)
        busy = 2.0 * _mean_fj(cell.pins[output].powers, self.slew_ns, float(self.load_ff[net])) * open_share
        return clock.capacitance_ff * self.volt_squared + idle + busy


def loads_ff(netlist: Netlist) -> NDArray[np.float64]:
    """Return the capacitance in fF of the input pins on each net."""
    loads = np.zeros(netlist.nets)
    for instance, pin in netlist.pins("input"):
        loads[instance.nets[pin]] += instance.cell.pins[pin].capacitance_ff
    return loads


def _mean_fj(powers: Iterable[Power], slew_ns: float, load_ff: float) -> float:
    """Return the mean internal energy in fJ of one edge over paths and states."""
    means = [_edges_fj(power, slew_ns, load_ff) / 2.0 for power in powers]
    return float(np.mean(means)) if means else 0.0


def _edges_fj(power: Power, slew_ns: float, load_ff: float) -> float:
    return sum(table.at(slew_ns, load_ff) for table in (power.rise, power.fall) if table is not None)


@cache
def _clock_pin_fj(cell: Cell, pin: str, slew_ns: float) -> tuple[float, float]:
    """Return the internal energy in fJ of a clock period at the clock pin: when the state stays and when it changes.

    The tables are told apart by their condition. When the state changes, what the rising edge takes is the outputs'.
    """
    stays: list[tuple[Table | None, Table | None]] = []
    changes: list[tuple[Table | None, Table | None]] = []
    for power in cell.pins[pin].powers:
        for same, target in ((True, stays), (False, changes)):
            if power.when is None or _possible(cell, power.when, same):
                target.append((power.rise, power.fall))
    idle = _mean_at(stays, 0, slew_ns) + _mean_at(stays, 1, slew_ns)
    return idle, _mean_at(changes or stays, 1, slew_ns)


def _mean_at(tables: list[tuple[Table | None, Table | None]], edge: int, slew_ns: float) -> float:
    energies = [table.at(slew_ns, 0.0) for pair in tables if (table := pair[edge]) is not None]
    return float(np.mean(energies)) if energies else 0.0


def _possible(cell: Cell, when: Function, same: bool) -> bool:
    """Tell whether a condition can hold while the next state is (not) the state."""
    state = cell.state
    free = [pin for pin in cell.inputs if pin != state.clock.text.strip("() ")]
    one = np.uint64(1)
    for bits in itertools.product((0, 1), repeat=len(free) + 2):
        values = {pin: np.array([bit], dtype=np.uint64) for pin, bit in zip(free, bits, strict=False)}
        values[state.clock.text.strip("() ")] = np.array([bits[-1]], dtype=np.uint64)
        values[state.state] = np.array([bits[-2]], dtype=np.uint64)
        values[state.inverse] = values[state.state] ^ one
        for pin in cell.outputs:
            values[pin] = cell.function(pin)(values) & one
        if bool(when(values)[0] & one) and ((state.next_state(values)[0] & one) == values[state.state][0]) == same:
            return True
    return False
