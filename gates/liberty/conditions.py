"""How likely a table's condition is: all states of a cell, each as likely as any other, and the tables they select."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.cell import Cell, Power

Mask = NDArray[np.bool_]
_ONE = np.uint64(1)


@dataclass(frozen=True)
class States:
    """All states of a cell: the values of its inputs, of a flip-flop's state, and of its outputs.

    Resets and presets are tied off: they have one value.

    Parameters
    ----------
    cell : Cell
        The cell.
    """

    cell: Cell

    @cached_property
    def values(self) -> dict[str, NDArray[np.uint64]]:
        """The value of each pin, 0 or 1, in each state."""
        state = self.cell.flip_flop
        function_pins = [function.pins for pin in self.cell.outputs if (function := self.cell.pins[pin].function)]
        # A clock gate's output and latch are no function of its inputs: they are free here.
        free = {pin for powers in self._conditions for pin in powers} | {pin for pins in function_pins for pin in pins}
        names = dict.fromkeys([*self.cell.inputs, *sorted(free)])
        if state is not None:
            names |= {state.state: None}
            names.pop(state.inverse, None)
        for pin in self.cell.outputs:
            if self.cell.pins[pin].function is not None:
                names.pop(pin, None)
        tied = state.idle if state is not None else {}
        choices = [(tied[name],) if name in tied else (0, 1) for name in names]
        rows = np.array(list(itertools.product(*choices)), dtype=np.uint64)
        values = {name: rows[:, column] for column, name in enumerate(names)}
        if state is not None and state.inverse:
            values[state.inverse] = values[state.state] ^ _ONE
        for pin in self.cell.outputs:
            function = self.cell.pins[pin].function
            if function is not None:
                values[pin] = np.broadcast_to(function(values) & _ONE, rows.shape[:1])
        return values

    @property
    def _conditions(self) -> list[tuple[str, ...]]:
        pins = (*self.cell.inputs, *self.cell.outputs)
        return [power.when.pins for pin in pins for power in self.cell.powers(pin) if power.when]

    def holds(self, function: BooleanFunction | None) -> Mask:
        """Return in which states a condition holds; everywhere if there is none."""
        size = len(next(iter(self.values.values())))
        if function is None:
            return np.ones(size, dtype=bool)
        return np.broadcast_to(function(self.values) & _ONE, size).astype(bool)

    def flipped(self, output: str, pin: str) -> tuple[Mask, Mask]:
        """Return in which states a toggle of an input toggles an output, and in which the output follows the input."""
        function = self.cell.function(output)
        other = {**self.values, pin: self.values[pin] ^ _ONE}
        after = np.broadcast_to(function(other) & _ONE, len(self.values[pin]))
        return after != self.values[output], self.values[output] == self.values[pin]

    def selects(self, powers: tuple[Power, ...], within: Mask) -> NDArray[np.float64]:
        """Return how likely it is that each of some tables applies.

        Parameters
        ----------
        powers : tuple of Power
            Tables that compete: of one pin and one related pin. One without a condition is for all other states.
        within : array of bool
            The states that can be.
        """
        holds = [self.holds(power.when) if power.when else None for power in powers]
        stated = np.any([mask for mask in holds if mask is not None] or [np.zeros_like(within)], axis=0)
        shares = [float((within & (~stated if mask is None else mask)).mean()) for mask in holds]
        return np.array(shares)
