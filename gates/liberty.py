"""Cells of one or more Liberty files: area, pins, functions, capacitance and power.

The two readers on PyPI were tried: ``liberty-parser`` is GPL and brings sympy, ``eda-liberty-parser`` reads character
by character; 46 MB of ASAP7 take them 15 s and 7 s. Timing groups are skipped here: ABC and OpenSTA read those from
the files themselves.
"""

import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.boolean import Function

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_TIMING = re.compile(r"\btiming\s*\(\s*\)\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_TOKEN = re.compile(r'(\w+)\s*(?:\(([^()]*)\)\s*(\{)?|:\s*("[^"]*"|[^;\n}]*))\s*;?|(\})')
_QUANTITY = re.compile(r'"?\s*([\d.eE+-]+)\s*,?\s*([a-zA-Z]+)\s*"?')
_PREFIX = {"a": 1e-18, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}


class LibertyError(ValueError):
    """A file is not Liberty, or a library lacks what is needed."""


@dataclass
class Group:
    """One ``kind (name) { ... }`` of a Liberty file, as written."""

    kind: str
    arguments: str
    attributes: dict[str, str] = field(default_factory=dict)
    tuples: dict[str, str] = field(default_factory=dict)
    several: list[tuple[str, str]] = field(default_factory=list)
    groups: list["Group"] = field(default_factory=list)

    def of(self, kind: str) -> Iterator["Group"]:
        """Yield the groups of a kind directly below this one."""
        return (group for group in self.groups if group.kind == kind)


def parse(text: str) -> Group:
    """Parse a Liberty file, all but its timing groups."""
    text = _TIMING.sub("", _COMMENT.sub("", text).replace("\\\n", ""))
    root = Group("file", "")
    stack = [root]
    for match in _TOKEN.finditer(text):
        name, arguments, opens, value, closes = match.groups()
        if closes:
            stack.pop()
        elif opens:
            group = Group(name, arguments.strip().strip('"'))
            stack[-1].groups.append(group)
            stack.append(group)
        elif arguments is not None:
            stack[-1].tuples[name] = arguments
            stack[-1].several.append((name, arguments))
        else:
            stack[-1].attributes[name] = value.strip().strip('"').strip()
    if len(stack) != 1:
        raise ValueError("unbalanced braces in a Liberty file")
    return next(root.of("library"))


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array([float(item) for item in re.split(r"[\s,]+", text.replace('"', " ").strip()) if item])


@dataclass(frozen=True)
class Table:
    """A power table: energy in fJ over input slew in ns and, for outputs, load in fF."""

    slew_ns: NDArray[np.float64]
    load_ff: NDArray[np.float64]
    energy_fj: NDArray[np.float64]

    def at(self, slew_ns: float, load_ff: float) -> float:
        """Return the energy in fJ, interpolated between and held beyond the table's ends."""
        by_load = [float(np.interp(slew_ns, self.slew_ns, column)) for column in self.energy_fj.T]
        return float(np.interp(load_ff, self.load_ff, by_load))


@dataclass(frozen=True)
class Power:
    """One ``internal_power`` group: the condition and the energy of each edge; None where the library gives none."""

    when: Function | None
    rise: Table | None
    fall: Table | None


@dataclass(frozen=True)
class Pin:
    """A pin: direction, function if an output, capacitance in fF and power tables."""

    name: str
    direction: str
    function: Function | None
    capacitance_ff: float
    max_capacitance_ff: float
    is_clock: bool
    powers: tuple[Power, ...]


@dataclass(frozen=True)
class FlipFlop:
    """State of a flip-flop: names of the state and its inverse, next state and clock."""

    state: str
    inverse: str
    next_state: Function
    clock: Function
    asynchronous: bool


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
        read = {pin for name in self.outputs if (function := self.pins[name].function) for pin in function.pins}
        return bool(self.outputs) and self.flip_flop is None and not self.clock_gate and self._all_known(read)

    def _all_known(self, read: set[str]) -> bool:
        return read <= set(self.inputs) and all(self.pins[name].function for name in self.outputs)

    def table(self, output: str) -> int:
        """Return the truth table of an output over the inputs in their order."""
        return self.function(output).table(self.inputs)

    def function(self, output: str) -> Function:
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

    @property
    def state(self) -> FlipFlop:
        """What a flip-flop does.

        Raises
        ------
        LibertyError
            The cell is none.
        """
        if self.flip_flop is None:
            raise LibertyError(f"cell {self.name} is no flip-flop")
        return self.flip_flop


class Library:
    """The cells of some Liberty files, in fF, fJ, ns, V and um2 whatever the files' units are.

    Parameters
    ----------
    paths : sequence of Path
        Liberty files, plain or gzipped, of one library and corner.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self.cells: dict[str, Cell] = {}
        self.name = ""
        self.voltage_v = 0.0
        self.time_unit_ns = 0.0
        for path in paths:
            self._read(parse(read_text(path)))

    def _read(self, library: Group) -> None:
        self.name = self.name or library.arguments
        if self.voltage_v not in {0.0, float(library.attributes["nom_voltage"])}:
            raise ValueError("the Liberty files are of different voltages")
        self.voltage_v = float(library.attributes["nom_voltage"])
        number, unit = _split_unit(library.tuples["capacitive_load_unit"])
        farad = number * _PREFIX[unit[:-1]]
        number, unit = _split_unit(library.attributes["time_unit"])
        second = number * _PREFIX[unit[:-1]]
        self.time_unit_ns = second * 1e9
        number, unit = _split_unit(library.attributes["voltage_unit"])
        volt = number * _PREFIX[unit[:-1].lower()]
        number, unit = _split_unit(library.attributes["leakage_power_unit"])
        watt = number * _PREFIX[unit[:-1]]
        # Liberty: the unit of internal energy is the unit of capacitance times the square of the unit of voltage.
        units = _Units(farad * 1e15, second * 1e9, farad * volt**2 * 1e15, watt * 1e9)
        rails = [arguments.replace('"', "").split(",") for name, arguments in library.several if name == "voltage_map"]
        grounds = {name.strip() for name, value in rails if float(value) == 0.0}
        templates = {group.arguments: group.attributes for group in library.of("power_lut_template")}
        reader = _CellReader(units, templates, grounds)
        for group in library.of("cell"):
            self.cells[group.arguments] = reader.cell(group)

    def smallest(self, cells: Iterable[Cell]) -> Cell | None:
        """Return the smallest usable cell of some, or None."""
        return min((cell for cell in cells if not cell.avoid), key=lambda cell: cell.area_um2, default=None)

    @cached_property
    def slew_ns(self) -> float:
        """A typical input slew in ns: the third entry of the library's own axis (17 ps in Nangate, 20 ps in ASAP7)."""
        for cell in self.cells.values():
            for pin in cell.pins.values():
                for power in pin.powers:
                    if power.rise is not None and len(power.rise.slew_ns) > 2:
                        return float(power.rise.slew_ns[2])
        return 0.0


def read_text(path: Path) -> str:
    """Return the text of a file, gzipped or not."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def _split_unit(text: str) -> tuple[float, str]:
    match = _QUANTITY.match(text.replace('"', ""))
    if match is None:
        raise LibertyError(f"no unit in {text}")
    return float(match[1]), match[2]


@dataclass(frozen=True)
class _Units:
    ff: float
    ns: float
    fj: float
    nw: float


@dataclass(frozen=True)
class _CellReader:
    units: _Units
    templates: dict[str, dict[str, str]]
    grounds: set[str]

    def cell(self, group: Group) -> Cell:
        pins = {pin.arguments: self.pin(pin) for pin in group.of("pin")}
        roles = {
            key: pin.arguments
            for pin in group.of("pin")
            for key in pin.attributes
            if key.startswith("clock_gate_") and pin.attributes[key] == "true"
        }
        state = next(group.of("ff"), None)
        flip_flop = None
        if state is not None:
            names = [name.strip().strip('"') for name in state.arguments.split(",")]
            flip_flop = FlipFlop(
                names[0].strip(' "'),
                names[1].strip(' "'),
                Function(state.attributes["next_state"]),
                Function(state.attributes["clocked_on"]),
                bool({"clear", "preset"} & set(state.attributes)),
            )
        return Cell(
            group.arguments,
            float(group.attributes["area"]),
            self.leakage(group),
            pins,
            flip_flop,
            group.attributes.get("clock_gating_integrated_cell", ""),
            roles,
            group.attributes.get("dont_use") == "true",
        )

    def leakage(self, group: Group) -> float:
        if "cell_leakage_power" in group.attributes:
            return float(group.attributes["cell_leakage_power"]) * self.units.nw
        entries = [entry for entry in group.of("leakage_power") if self.of_supply(entry)]
        overall = [entry for entry in entries if "when" not in entry.attributes] or entries
        values = [float(entry.attributes["value"]) for entry in overall]
        return float(np.mean(values)) * self.units.nw if values else 0.0

    def of_supply(self, group: Group) -> bool:
        """Tell whether a power counts: tables for VDD and for VSS are two views of the same charge."""
        return group.attributes.get("related_pg_pin") not in self.grounds

    def pin(self, group: Group) -> Pin:
        attributes = group.attributes
        function = attributes.get("function")
        return Pin(
            group.arguments,
            attributes["direction"],
            Function(function) if function and attributes["direction"] == "output" else None,
            float(attributes.get("capacitance", 0.0)) * self.units.ff,
            float(attributes.get("max_capacitance", 0.0)) * self.units.ff,
            attributes.get("clock") == "true",
            tuple(self.power(power) for power in group.of("internal_power") if self.of_supply(power)),
        )

    def power(self, group: Group) -> Power:
        when = group.attributes.get("when")
        tables = {kind: next(group.of(kind), None) for kind in ("rise_power", "fall_power", "power")}
        rise, fall = (tables[kind] or tables["power"] for kind in ("rise_power", "fall_power"))
        return Power(
            Function(when) if when else None,
            self.table(rise) if rise else None,
            self.table(fall) if fall else None,
        )

    def table(self, group: Group) -> Table:
        energy = _numbers(group.tuples["values"]) * self.units.fj
        if energy.size == 1:
            return Table(np.zeros(1), np.zeros(1), energy.reshape(1, 1))
        template = self.templates.get(group.arguments, {})
        axes = [_numbers(group.tuples[f"index_{axis}"]) for axis in (1, 2) if f"index_{axis}" in group.tuples]
        if len(axes) == 1:
            return Table(axes[0] * self.units.ns, np.zeros(1), energy.reshape(-1, 1))
        values = energy.reshape(len(axes[0]), len(axes[1]))
        if "capacitance" in template.get("variable_1", ""):
            axes, values = axes[::-1], values.T
        return Table(axes[0] * self.units.ns, axes[1] * self.units.ff, values)
