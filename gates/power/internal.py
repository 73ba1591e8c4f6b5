"""Internal energy of the cells of one type: their tables, read at each instance's slews and load, and weighed.

A toggle of an output is priced by the tables of the inputs that toggle, in proportion to how often they do and to how
likely each table's condition is among the states in which that input toggles that output; an output's tables without a
related pin are added to that, whichever input is the cause. Toggles of inputs that
toggle no output are priced by the input's own tables, in proportion to how likely their conditions are among those
other states. A toggle is a rise as often as a fall. What flip-flops and clock gates take at their inputs is another
matter (`sequential`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.liberty.cell import Cell, Power
from bitjoule.gates.liberty.conditions import Mask, States
from bitjoule.gates.liberty.tables import Floats, LookupTable, Stack

Places = NDArray[np.intp]
_NOTHING = LookupTable(np.zeros(1), np.zeros(1), np.zeros((1, 1)))


@dataclass(frozen=True)
class Members:
    """The instances of one cell type.

    Parameters
    ----------
    cell : Cell
        The type.
    numbers : array of int
        Their numbers in the netlist.
    nets : dict of str to array of int
        The net at each of their pins.
    """

    cell: Cell
    numbers: Places
    nets: dict[str, Places]


class Prices:
    """Internal energy of the instances of one type.

    Parameters
    ----------
    members : Members
        The instances.
    slew_ns : array
        Slew of each net in ns: 2 x nets.
    load_ff : array
        Load of each net in fF.
    clock_nets : set of int
        Nets that carry the clock.
    """

    def __init__(self, members: Members, slew_ns: Floats, load_ff: Floats, clock_nets: set[int]) -> None:
        self.members = members
        self.cell = members.cell
        self.states = States(members.cell)
        self._slew_ns = slew_ns
        self._load_ff = load_ff
        self._data = [pin for pin in self.cell.inputs if not clock_nets & set(members.nets[pin].tolist())]
        self._outputs = {} if self.cell.clock_gate else {pin: self._output(pin) for pin in self.cell.outputs}
        self._always = {} if self.cell.clock_gate else {pin: self._unrelated(pin) for pin in self.cell.outputs}
        self._hidden = {pin: self._input(pin) for pin in self._data} if self.cell.is_combinational else {}

    def edges_fj(self, power: Power, pin: str, related: str, follows: bool = True) -> Floats:
        """Return the energy in fJ of a table's rise and fall for each instance: 2 x instances.

        Parameters
        ----------
        power : Power
            The tables.
        pin : str
            The pin they stand at.
        related : str
            The input whose slew they are read at.
        follows : bool
            Whether a rise of the pin is due to a rise of that input.
        """
        stack = Stack([power.rise or _NOTHING, power.fall or _NOTHING])
        nets, source = self.members.nets[pin], self.members.nets[related]
        load = self._load_ff[nets] if pin in self.cell.outputs else np.zeros(len(nets))
        numbers = [np.full(len(nets), edge, dtype=np.intp) for edge in (0, 1)]
        slews = self._slew_ns[:, source] if follows else self._slew_ns[::-1, source]
        return np.stack([stack.at(number, slew, load) for number, slew in zip(numbers, slews, strict=True)])

    def _output(self, pin: str) -> list[tuple[str, float, Floats]]:
        """Return for each table of an output its input, its likelihood and the energy of a toggle of each instance."""
        tables = []
        for related in dict.fromkeys(name for power in self.cell.powers(pin) for name in power.related):
            powers = tuple(power for power in self.cell.powers(pin) if related in power.related)
            tables += self._caused(pin, related, powers)
        return tables

    def _unrelated(self, pin: str) -> list[tuple[str, float, Floats]]:
        """Return the same of an output's tables without a related pin: they apply whichever input is the cause."""
        powers = tuple(power for power in self.cell.powers(pin) if not power.related)
        if not powers:
            return []
        causes = self.cell.function(pin).pins if self.cell.is_combinational else (self.cell.clock_pin(),)
        return [item for related in causes for item in self._caused(pin, related, powers)]

    def _caused(self, pin: str, related: str, powers: tuple[Power, ...]) -> list[tuple[str, float, Floats]]:
        if self.cell.is_combinational:
            toggles, same = self.states.flipped(pin, related)
        else:
            toggles = self.states.holds(None)
            same = toggles
        tables = []
        for power, share in zip(powers, self.states.selects(powers, toggles), strict=True):
            if share > 0.0:
                within = toggles & self.states.holds(power.when)
                follows = bool((same & within).sum() * 2 >= within.sum())
                tables.append((related, float(share), self.edges_fj(power, pin, related, follows).mean(axis=0)))
        return tables

    def _input(self, pin: str) -> Floats:
        """Return the energy of a toggle of an input that toggles no output, for each instance."""
        idle = self.states.holds(None)
        for output in self.cell.outputs:
            idle = idle & ~self.states.flipped(output, pin)[0]
        energy: Floats = self.mean_fj(self.cell.powers(pin), idle, pin).mean(axis=0)
        return energy

    def mean_fj(self, powers: Sequence[Power], within: Mask, pin: str, related: str = "") -> Floats:
        """Return the mean energy in fJ of each edge of some tables over the states that can be: 2 x instances.

        Parameters
        ----------
        powers : sequence of Power
            The tables: of one pin, and of one related pin if that is an output.
        within : array of bool
            The states that can be.
        pin : str
            The pin they stand at.
        related : str
            The input whose slew they are read at; the pin itself if there is none.
        """
        shares = self.states.selects(tuple(powers), within)
        total = np.zeros((2, len(self.members.numbers)))
        for power, share in zip(powers, shares, strict=True):
            if share > 0.0:
                total += share / shares.sum() * self.edges_fj(power, pin, related or pin)
        return total

    def output_fj(self, pin: str, toggles: Floats) -> Floats:
        """Return the internal energy in fJ of a toggle of an output, instance by instance.

        Parameters
        ----------
        pin : str
            The output.
        toggles : array
            Toggles of each net, which say how likely each input is the cause.
        """
        return self._mean_fj(self._outputs.get(pin, []), toggles) + self._mean_fj(self._always.get(pin, []), toggles)

    def _mean_fj(self, tables: Sequence[tuple[str, float, Floats]], toggles: Floats) -> Floats:
        if not tables:
            return np.zeros(len(self.members.numbers))
        energies = np.stack([energy for _, _, energy in tables])
        shares = np.array([share for _, share, _ in tables])[:, None]
        causes = np.stack([toggles[self.members.nets[related]] for related, _, _ in tables])
        weights = shares * (causes if self.cell.is_combinational else 1.0)
        sums = weights.sum(axis=0)
        weights = np.where(sums > 0.0, weights, shares)
        result: Floats = (weights * energies).sum(axis=0) / weights.sum(axis=0)
        return result

    def hidden_fj(self, toggles: Floats) -> Floats:
        """Return the energy in fJ of input toggles of combinational cells that toggle no output, instance by instance.

        Parameters
        ----------
        toggles : array
            Of each net in a cycle.
        """
        nets = self.members.nets
        spent = sum(
            (energy * toggles[nets[pin]] for pin, energy in self._hidden.items()), np.zeros(len(self.members.numbers))
        )
        into = np.sum([toggles[nets[pin]] for pin in self._data] or [np.zeros_like(spent)], axis=0)
        out = np.max([toggles[nets[pin]] for pin in self.cell.outputs], axis=0)
        share = 1.0 - np.divide(out, into, out=np.ones_like(into), where=into > 0.0)
        hidden: Floats = spent * np.maximum(share, 0.0)
        return hidden
