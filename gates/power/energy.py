"""Energy of a netlist from its toggles and the library's capacitances and power tables.

Counted are, in a cycle: half C V squared for each toggle of a net, C being the input pins on it, each with the mean of
its rise's and its fall's capacitance (as `capacitance` libraries state the greater); the internal energy of its driver
and of inputs that toggle without effect, the tables read at each pin's own slew and load (`internal`); and for each
flip-flop or clock gate that gets a clock edge the clock pin's capacitance and internal energy (`sequential`). What
wires add by the wire-load rule, in charge, slews and internal energy, is a part of its own. The clock's own tree is not
there before layout and not counted, nor the clock's wires.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.tables import Floats
from bitjoule.gates.liberty.wires import WireLoad
from bitjoule.gates.netlist import Instance, Netlist, kind
from bitjoule.gates.power.activity import Activity
from bitjoule.gates.power.internal import Members, Prices
from bitjoule.gates.power.sequential import ClockGate, Register
from bitjoule.gates.timing.paths import Paths, find_paths
from bitjoule.gates.timing.sta import analyse


@dataclass(frozen=True)
class Energy:
    """Energy of a cycle.

    Parameters
    ----------
    settled_fj, total_fj : float
        Without and with glitches, in fJ, clock pins included, leakage and wires not.
    wire_fj : tuple of float
        What wires add to each.
    clock_fj : float
        The part of the clock pins, in fJ.
    error_fj : float
        Standard error of `total_fj`.
    leakage_nw : float
        Leakage in nW.
    parts_fj : dict of str to float
        `total_fj` by the kind of the driving cell; ``input`` is what the primary inputs charge, ``hidden`` is of input
        toggles that toggle no output.
    by_instance_fj : tuple of array
        `settled_fj` and `total_fj` of each instance by its number: its internal energy, its clock pin and the nets it
        drives. What primary inputs charge belongs to none.
    wire_by_instance_fj : tuple of array
        `wire_fj` of each instance.
    clock_by_instance_fj : array
        The part of `by_instance_fj` that is `clock_fj`.
    """

    settled_fj: float
    total_fj: float
    wire_fj: tuple[float, float]
    clock_fj: float
    error_fj: float
    leakage_nw: float
    parts_fj: dict[str, float]
    by_instance_fj: tuple[Floats, Floats]
    wire_by_instance_fj: tuple[Floats, Floats]
    clock_by_instance_fj: Floats


@dataclass(frozen=True)
class Bill:
    """Energy in fJ of a cycle by what it is spent on.

    Parameters
    ----------
    switching, internal : array
        Of each net: half C V squared, and its driver's internal energy.
    hidden, clock : array
        Of each instance: inputs that toggle without effect, and the clock pin.
    """

    switching: Floats
    internal: Floats
    hidden: Floats
    clock: Floats

    @property
    def total_fj(self) -> float:
        """The sum."""
        return float(self.switching.sum() + self.internal.sum() + self.hidden.sum() + self.clock.sum())


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
    slew_ns : float or None
        Slew of the clock and of primary inputs in ns, instead of the library's typical one.
    """

    def __init__(
        self, netlist: Netlist, library: Library, clock_nets: Iterable[int], slew_ns: float | None = None
    ) -> None:
        self.netlist = netlist
        nets = set(clock_nets)
        self.wires = library.wire_load(netlist.area_um2, len(netlist.instances))
        paths = find_paths(netlist, nets)
        self.pins = Meter(netlist, library, nets, None, slew_ns, paths)
        self.wired = Meter(netlist, library, nets, self.wires, slew_ns, paths)
        driver = {net: number for number, item in enumerate(netlist.instances) for net in outputs(item)}
        self._driven = np.array(list(driver), dtype=np.intp)
        self._drivers = np.array(list(driver.values()), dtype=np.intp)
        kind_of = {cell.name: kind(cell) for cell, _, _ in paths.groups}
        kinds = ["input"] * netlist.nets
        for net, number in driver.items():
            kinds[net] = kind_of[netlist.instances[number].cell.name]
        self._kinds = list(dict.fromkeys(kinds))
        places = {name: place for place, name in enumerate(self._kinds)}
        self._kind = np.array([places[name] for name in kinds], dtype=np.intp)

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
        bills = [self.pins.bill(toggles, activity) for toggles in (activity.settled, activity.total)]
        wired = [self.wired.bill(toggles, activity) for toggles in (activity.settled, activity.total)]
        total = bills[1]
        net_fj = total.switching + total.internal
        each = np.divide(net_fj, activity.total, out=np.zeros_like(net_fj), where=activity.total > 0.0)
        # Not a product of BLAS, whose order of summation differs between processors.
        by_cycle = np.array([(toggles * each).sum() for _, toggles in activity.by_cycle])
        by_kind = np.bincount(self._kind, weights=net_fj, minlength=len(self._kinds)).tolist()
        parts = dict(zip(self._kinds, by_kind, strict=True))
        parts["clock"] = float(total.clock.sum())
        parts["hidden"] = float(total.hidden.sum())
        by_instance = [self._by_instance(bill) for bill in bills]
        with_wires = [self._by_instance(bill) for bill in wired]
        return Energy(
            bills[0].total_fj,
            bills[1].total_fj,
            (wired[0].total_fj - bills[0].total_fj, wired[1].total_fj - bills[1].total_fj),
            parts["clock"],
            float(by_cycle.std(ddof=1) / np.sqrt(len(by_cycle))) if len(by_cycle) > 1 else 0.0,
            sum(instance.cell.leakage_nw for instance in self.netlist.instances),
            parts,
            (by_instance[0], by_instance[1]),
            (with_wires[0] - by_instance[0], with_wires[1] - by_instance[1]),
            total.clock,
        )

    def _by_instance(self, bill: Bill) -> Floats:
        result: Floats = bill.hidden + bill.clock
        net_fj = bill.switching + bill.internal
        np.add.at(result, self._drivers, net_fj[self._driven])
        return result


class Meter:
    """Prices toggles under one wire-load rule, or without wires.

    Parameters
    ----------
    netlist, library, clock_nets, slew_ns
        As of `EnergyModel`.
    wires : WireLoad or None
        The rule.
    paths : Paths or None
        Of the netlist and its clock nets, if they are known already.
    """

    def __init__(
        self,
        netlist: Netlist,
        library: Library,
        clock_nets: set[int],
        wires: WireLoad | None,
        slew_ns: float | None,
        paths: Paths | None = None,
    ) -> None:
        paths = find_paths(netlist, clock_nets) if paths is None else paths
        self.netlist = netlist
        self.volt_squared = library.voltage_v**2
        self.analysis = analyse(netlist, library, clock_nets, wires, slew_ns, paths=paths)
        self.clock_nets = np.array(sorted(clock_nets), dtype=np.intp)
        self.prices = [
            Prices(Members(cell, numbers, nets), self.analysis.slew_ns, self.analysis.load_ff, clock_nets)
            for cell, numbers, nets in paths.groups
        ]
        self._sequential: dict[str, Register | ClockGate] = {}
        for prices in self.prices:
            if prices.cell.flip_flop is not None:
                self._sequential[prices.cell.name] = Register(prices)
            elif prices.cell.clock_gate:
                self._sequential[prices.cell.name] = ClockGate(prices)

    def bill(self, toggles: Floats, activity: Activity) -> Bill:
        """Price toggles.

        Parameters
        ----------
        toggles : array
            Of each net in a cycle, with or without glitches.
        activity : Activity
            Where they are from: which flip-flops got a clock edge, and how often their state changed.
        """
        switching = 0.5 * self.volt_squared * self.analysis.load_ff * toggles
        switching[self.clock_nets] = 0.0
        internal = np.zeros_like(switching)
        hidden, clock = np.zeros(len(self.netlist.instances)), np.zeros(len(self.netlist.instances))
        for prices in self.prices:
            members = prices.members
            for pin in members.cell.outputs:
                internal[members.nets[pin]] = toggles[members.nets[pin]] * prices.output_fj(pin, toggles)
            inner = self._sequential.get(members.cell.name)
            if inner is None:
                hidden[members.numbers] = prices.hidden_fj(toggles)
                continue
            edges = self._edges(members, activity)
            pin_ff = members.cell.pins[members.cell.clock_pin()].mean_capacitance_ff
            # A register's clock pin moves with its own clock, a clock gate's in every cycle.
            charges = np.ones_like(edges) if members.cell.clock_gate else edges
            hidden[members.numbers] = inner.data_fj(toggles, edges)
            clock[members.numbers] = charges * pin_ff * self.volt_squared + inner.clock_fj(activity.settled, edges)
        internal[self.clock_nets] = 0.0
        return Bill(switching, internal, hidden, clock)

    def _edges(self, members: Members, activity: Activity) -> Floats:
        """Return the clock edges in a cycle that registers get, and that clock gates let through to theirs."""
        if not members.cell.clock_gate:
            return activity.clocked[members.numbers]
        gated = members.nets[members.cell.roles["clock_gate_out_pin"]]
        return np.array([self._open_share(net, activity) for net in gated.tolist()])

    def _open_share(self, net: int, activity: Activity) -> float:
        for prices in self.prices:
            if prices.cell.flip_flop is not None:
                gated = prices.members.nets[prices.cell.clock_pin()] == net
                if gated.any():
                    return float(activity.clocked[prices.members.numbers[gated][0]])
        return 0.0


def outputs(instance: Instance) -> list[int]:
    """Return the nets an instance drives."""
    return [instance.nets[pin] for pin in instance.cell.outputs]
