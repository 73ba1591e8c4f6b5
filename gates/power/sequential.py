"""Internal energy at the inputs of flip-flops and clock gates: data pins and clock pin, each energy once.

A table of an input states what the cell takes from its supply when that pin alone toggles in the state of the table's
condition. Inside lies a latch that is open while the clock is low: a flip-flop's master, or a clock gate's only one. A
new value turns it over once, and two tables hold that energy. With the clock low the tables of the data pin do, as the
latch follows at once. With the clock high the data pin ends at a closed latch, its tables are next to nothing, and the
tables of the clock's fall hold it, in states in which the latch then takes another value. Which of them applies depends
on the clock's level when the data change:

* In a period with a clock edge, data change while the clock is high: they are charged the data pin's tables with the
  clock high, and the clock's fall at a new value if they end the period other than they began it. The simulation lets
  each cycle settle, and the clock is high for half a period; of an array at its fastest clock a few toggles come later
  (docs/measured-prices.md).
* A register whose clock is gated off sees its clock low: each toggle of its data pin turns the master over.

How often a register gets an edge is taken for independent of when its data toggle. A pin that is tied to a constant,
such as the test pin of a clock gate, has no other state.
"""

import numpy as np

from bitjoule.gates.liberty.conditions import Mask
from bitjoule.gates.liberty.tables import Floats
from bitjoule.gates.power.internal import Prices

_RISE, _FALL = 0, 1
_CONSTANT_NETS = (0, 1)


class Register:
    """Internal energy at the inputs of the flip-flops of one type.

    Parameters
    ----------
    prices : Prices
        Of the flip-flops.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        cell, values = prices.cell, prices.states.values
        clock, state = cell.clock_pin(), cell.state
        possible = _possible(prices)
        following = np.broadcast_to(state.next_state(values) & np.uint64(1), possible.shape)
        keeps = following == values[state.state]
        levels = [possible & (values[clock] == level) for level in (0, 1)]
        self._data_fj = {pin: [_mean_fj(prices, pin, level) for level in levels] for pin in _data_pins(prices)}
        self._kept_fj = prices.mean_fj(cell.powers(clock), possible & keeps, clock)
        self._new_fj = _stated_fj(prices, clock, possible & ~keeps, self._kept_fj)[_FALL]

    def data_fj(self, toggles: Floats, edges: Floats) -> Floats:
        """Return the energy in fJ of a cycle's toggles of the data pins, instance by instance.

        Parameters
        ----------
        toggles : array
            Of each net in a cycle.
        edges : array
            Clock edges of each instance in a cycle.
        """
        nets = self._prices.members.nets
        spent = np.zeros(len(edges))
        for pin, (low_fj, high_fj) in self._data_fj.items():
            spent += toggles[nets[pin]] * (edges * high_fj + (1.0 - edges) * low_fj)
        return spent

    def clock_fj(self, settled: Floats, edges: Floats) -> Floats:
        """Return the energy in fJ of a cycle's clock edges, instance by instance, the clock pin's charge left out.

        What a rising edge takes when the state changes is in the tables of the outputs.

        Parameters
        ----------
        settled : array
            Toggles of each net in a cycle, glitches left out.
        edges : array
            Clock edges of each instance in a cycle.
        """
        nets = self._prices.members.nets
        changed = np.minimum(edges, settled[nets[self._prices.cell.outputs[0]]])
        new = changed
        if len(self._data_fj) == 1:
            (pin,) = self._data_fj
            new = edges * np.minimum(1.0, settled[nets[pin]])
        rise_fj, fall_fj = self._kept_fj
        result: Floats = (edges - changed) * rise_fj + (edges - new) * fall_fj + new * self._new_fj
        return result


class ClockGate:
    """Internal energy at the inputs of the clock gates of one type, and at their outputs, which carry the clock.

    Parameters
    ----------
    prices : Prices
        Of the clock gates.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        cell, values = prices.cell, prices.states.values
        clock, self._output = cell.clock_pin(), cell.roles["clock_gate_out_pin"]
        possible = _possible(prices)
        self._enable = cell.roles["clock_gate_enable_pin"]
        enables = [pin for pin in cell.inputs if pin != clock]
        asks = np.any([values[pin] == 1 for pin in enables], axis=0)
        high = possible & (values[clock] == 1)
        passes = [values[self._output] == level if self._output in values else possible for level in (0, 1)]
        self._data_fj = {pin: [_mean_fj(prices, pin, high & let) for let in passes] for pin in _data_pins(prices)}
        self._shut_fj = prices.mean_fj(cell.powers(clock), possible & ~asks, clock)
        self._opening_fj = _stated_fj(prices, clock, possible & asks, self._shut_fj)
        self._open_fj = prices.mean_fj(cell.powers(self._output), possible & asks, self._output, clock)
        self._closing_fj = _stated_fj(prices, self._output, possible & ~asks, self._open_fj)

    def data_fj(self, toggles: Floats, open_share: Floats) -> Floats:
        """Return the energy in fJ of a cycle's toggles of the enable, instance by instance.

        Parameters
        ----------
        toggles : array
            Of each net in a cycle.
        open_share : array
            In how many cycles each instance lets the clock through.
        """
        nets = self._prices.members.nets
        spent = np.zeros(len(open_share))
        for pin, (shut_fj, open_fj) in self._data_fj.items():
            spent += toggles[nets[pin]] * (open_share * open_fj + (1.0 - open_share) * shut_fj)
        return spent

    def clock_fj(self, settled: Floats, open_share: Floats) -> Floats:
        """Return the energy in fJ of a clock period, instance by instance, the clock pin's charge left out.

        The enable rises as often as it falls. What it changes to, the latch takes at the clock's fall: of a gate that
        is shut in the tables of the clock pin, of one that is open in those of the output.

        Parameters
        ----------
        settled : array
            Toggles of each net in a cycle, glitches left out.
        open_share : array
            In how many cycles each instance lets the clock through.
        """
        shut_share = 1.0 - open_share
        turns = np.minimum(settled[self._prices.members.nets[self._enable]] / 2, np.minimum(open_share, shut_share))
        shut_fj = shut_share * self._shut_fj.sum(axis=0) + turns * (self._opening_fj - self._shut_fj)[_FALL]
        open_fj = open_share * self._open_fj.sum(axis=0) + turns * (self._closing_fj - self._open_fj)[_FALL]
        result: Floats = shut_fj + open_fj
        return result


def _possible(prices: Prices) -> Mask:
    """Return the states that can be: constants have one value, and a gate's output is low while the clock is low."""
    cell, values = prices.cell, prices.states.values
    possible = prices.states.holds(None)
    for pin in cell.inputs:
        nets = prices.members.nets[pin]
        for constant in _CONSTANT_NETS:
            if (nets == constant).all():
                possible = possible & (values[pin] == constant)
    output = cell.roles.get("clock_gate_out_pin", "")
    if output in values:
        possible = possible & (values[output] <= values[cell.clock_pin()])
    return possible


def _data_pins(prices: Prices) -> list[str]:
    return [pin for pin in prices.cell.inputs if pin != prices.cell.clock_pin()]


def _stated_fj(prices: Prices, pin: str, within: Mask, otherwise: Floats) -> Floats:
    """Return the mean energy of each edge of a pin over some states, or another if the library says nothing of them."""
    powers = prices.cell.powers(pin)
    if not prices.states.selects(powers, within).any():
        return otherwise
    return prices.mean_fj(powers, within, pin, prices.cell.clock_pin())


def _mean_fj(prices: Prices, pin: str, within: Mask) -> Floats:
    """Return the mean energy of a rise and a fall of an input of each instance over some states."""
    energy: Floats = prices.mean_fj(prices.cell.powers(pin), within, pin).mean(axis=0)
    return energy
