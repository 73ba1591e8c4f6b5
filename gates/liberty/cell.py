"""A cell of a library: area, pins, functions, capacitance, power and timing."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.flip_flops import FlipFlop
from bitjoule.gates.liberty.tables import LookupTable
from bitjoule.gates.liberty.text import LibertyError

EDGES = ("rise", "fall")


@dataclass(frozen=True)
class Power:
    """One ``internal_power`` group: the input it is about, its condition, its rail and each edge's energy, if given."""

    related: tuple[str, ...]
    when: BooleanFunction | None
    rail: str
    rise: LookupTable | None
    fall: LookupTable | None


@dataclass(frozen=True)
class Arc:
    """One ``timing`` group from a pin to the pin it stands at.

    Parameters
    ----------
    related : tuple of str
        The pins it comes from.
    sense, type : str
        ``timing_sense`` and ``timing_type``, as Liberty calls them.
    tables : dict of str to Table
        ``cell_rise``, ``rise_transition``, ``rise_constraint`` and the same of ``fall``, in ns.
    when : BooleanFunction or None
        The condition under which it applies.
    """

    related: tuple[str, ...]
    sense: str
    type: str
    tables: dict[str, LookupTable]
    when: BooleanFunction | None = None


@dataclass(frozen=True)
class Pin:
    """A pin: direction, function if an output, and capacitance in fF: the greatest, of each edge, and to be driven.

    Libraries state the greater of the two edges' as ``capacitance``: right for what a driver must be able to drive.
    """

    name: str
    direction: str
    function: BooleanFunction | None
    capacitance_ff: float
    edge_capacitance_ff: tuple[float, float]
    max_capacitance_ff: float
    is_clock: bool

    @property
    def mean_capacitance_ff(self) -> float:
        """The mean of a rise's and a fall's: each is charged as often as the other."""
        return sum(self.edge_capacitance_ff) / len(EDGES)


class Tables(Protocol):
    """Reads the power and timing tables of a cell when they are first asked for."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def grounds(self) -> set[str]:
        """Names of the ground rails."""

    def pin_tables(self, name: str, source: str) -> dict[str, tuple[tuple[Power, ...], tuple[Arc, ...]]]:
        """Return the ``internal_power`` and ``timing`` groups of each pin of a cell from its text."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A library cell."""

    name: str
    area_um2: float
    leakage_nw: float
    pins: dict[str, Pin]
    flip_flop: FlipFlop | None
    clock_gate: str
    roles: dict[str, str]
    avoid: bool
    reader: Tables = field(repr=False)
    source: str = field(repr=False)

    @cached_property
    def _tables(self) -> dict[str, tuple[tuple[Power, ...], tuple[Arc, ...]]]:
        tables = self.reader.pin_tables(self.name, self.source)
        if not set(self.pins) <= set(tables):
            raise LibertyError(f"{self.reader.path}: cell {self.name}: unbalanced braces in its tables")
        return tables

    def powers(self, pin: str, grounds: bool = False) -> tuple[Power, ...]:
        """Return the ``internal_power`` groups of a pin, those of ground rails only if asked for.

        Tables for VDD and for VSS are two views of the same charge.
        """
        return tuple(power for power in self._tables[pin][0] if grounds or power.rail not in self.reader.grounds)

    def arcs(self, pin: str) -> tuple[Arc, ...]:
        """Return the ``timing`` groups of a pin."""
        return self._tables[pin][1]

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input pins, in the file's order."""
        return tuple(pin.name for pin in self.pins.values() if pin.direction == "input")

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output pins, in the file's order."""
        return tuple(pin.name for pin in self.pins.values() if pin.direction == "output")

    @cached_property
    def is_combinational(self) -> bool:
        """Whether each output is a function of the inputs."""
        read_pins = {pin for name in self.outputs if (function := self.pins[name].function) for pin in function.pins}
        return bool(self.outputs) and self.flip_flop is None and not self.clock_gate and self._all_known(read_pins)

    def _all_known(self, read_pins: set[str]) -> bool:
        return read_pins <= set(self.inputs) and all(self.pins[name].function for name in self.outputs)

    def table(self, output: str) -> int:
        """Return the truth table of an output over the inputs in their order."""
        known = self._truths.get(output)
        if known is None:
            known = self._truths[output] = self.function(output).table(self.inputs)
        return known

    @cached_property
    def _truths(self) -> dict[str, int]:
        return {}  # of the outputs that were asked for: each instance in a netlist asks

    def function(self, output: str) -> BooleanFunction:
        """Return the function of an output.

        Raises
        ------
        LibertyError
            The library gives none.
        """
        function = self.pins[output].function
        if function is None:
            raise LibertyError(f"cell {self.name}: output {output} has no function")
        return function

    def clock_pin(self) -> str:
        """Return the clock pin of a flip-flop or clock gate."""
        return self.roles["clock_gate_clock_pin"] if self.clock_gate else self.state.clock.text.strip("() ")

    @property
    def state(self) -> FlipFlop:
        """What a flip-flop does.

        Raises
        ------
        LibertyError
            The cell is none.
        """
        if self.flip_flop is None:
            raise LibertyError(f"cell {self.name} is not a flip-flop")
        return self.flip_flop
