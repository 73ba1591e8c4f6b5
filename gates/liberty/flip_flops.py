"""What a flip-flop does, and the values at which its reset and preset leave it alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.text import Group

_RESETS = ("clear", "preset")


@dataclass(frozen=True)
class FlipFlop:
    """State of a flip-flop.

    Parameters
    ----------
    state, inverse : str
        Names of the state and its inverse.
    next_state, clock : Function
        What it takes, and when.
    asynchronous : bool
        Whether it has a reset or a preset.
    idle : dict of str to int
        The values at which pins of the reset and the preset leave the state alone; none if there are no such values.
    """

    state: str
    inverse: str
    next_state: BooleanFunction
    clock: BooleanFunction
    asynchronous: bool
    idle: dict[str, int] = field(default_factory=dict, hash=False)

    def is_plain(self, nets: Mapping[str, int]) -> bool:
        """Tell whether nothing but the clock changes the state, its pins being at nets of which 0 and 1 are constants.

        Parameters
        ----------
        nets : mapping of str to int
            The net at each pin.
        """
        tied = bool(self.idle) and all(nets.get(pin) == value for pin, value in self.idle.items())
        return tied or not self.asynchronous


def _idle(functions: Sequence[BooleanFunction]) -> dict[str, int]:
    """Return values of pins that make all functions false, or none."""
    pins = list(dict.fromkeys(pin for function in functions for pin in function.pins))
    for values in product((0, 1), repeat=len(pins)):
        words = {pin: np.uint64(value) for pin, value in zip(pins, values, strict=True)}
        if not any(int(function(words)) & 1 for function in functions):  # type: ignore[arg-type]
            return dict(zip(pins, values, strict=True))
    return {}


def read_flip_flop(group: Group) -> FlipFlop:
    """Return what an ``ff`` group says.

    Parameters
    ----------
    group : Group
        As written.

    Raises
    ------
    ValueError
        A function is none, or missing.
    """
    names = [name.strip(' "') for name in [*group.arguments.split(","), ""]]
    resets = [BooleanFunction(group.attributes[key]).checked() for key in _RESETS if key in group.attributes]
    next_state, clock = BooleanFunction(group.text("next_state")), BooleanFunction(group.text("clocked_on"))
    return FlipFlop(names[0], names[1], next_state, clock, bool(resets), _idle(resets))
