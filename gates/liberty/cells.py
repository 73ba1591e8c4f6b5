"""Cells of one or more Liberty files: area, pins, functions, capacitance, power and timing.

The two readers on PyPI were tried: ``liberty-parser`` is GPL and brings sympy, ``eda-liberty-parser`` reads character
by character; 46 MB of ASAP7 take them 15 s and 7 s. Here the power and timing tables of a cell are read when they are
first asked for: a netlist uses a few dozen of the cells.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from bitjoule.gates.liberty.axes import TableReader
from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.flip_flops import FlipFlop, read_flip_flop
from bitjoule.gates.liberty.source import read_source
from bitjoule.gates.liberty.tables import LookupTable
from bitjoule.gates.liberty.text import (
    Group,
    LibertyError,
    Units,
    cell_texts,
    parse,
    parse_cell,
    read_units,
    volts,
)
from bitjoule.gates.liberty.unread import VECTORS, unread
from bitjoule.gates.liberty.wires import WireLoad, default_wire_load, read_resistance, read_wire_load

EDGES = ("rise", "fall")
_TIMING = {f"{name}_{edge}" for name in ("cell",) for edge in EDGES}
_TIMING |= {f"{edge}_{name}" for name in ("transition", "constraint") for edge in EDGES}
_UNITS = {"ff": "capacitive_load_unit", "ns": "time_unit", "fj": "voltage_unit", "nw": "leakage_power_unit"}


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
    reader: "_CellReader" = field(repr=False)
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
        return self.function(output).table(self.inputs)

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


class Library:
    """The cells of some Liberty files, in fF, fJ, ns, V and um2 whatever the files' units are.

    Parameters
    ----------
    paths : sequence of Path
        Liberty files, plain or gzipped, of one library and corner.

    Raises
    ------
    LibertyError
        A file is no Liberty, lacks something, or differs in voltage or units from the others.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self.cells: dict[str, Cell] = {}
        self.name = ""
        self.voltage_v = 0.0
        self.files: tuple[Path, ...] = ()
        self.unread: tuple[str, ...] = ()
        self._header = Group("library", "")
        for path in paths:
            source = read_source(path)
            self.files = tuple(dict.fromkeys([*self.files, *source.files]))
            try:
                self._read(source.text, path)
            except ValueError as error:
                raise LibertyError(f"{path}: {error}") from None
        if not self.cells:
            raise LibertyError(f"{', '.join(map(str, paths))}: no cell (name) {{ ... }} found")

    @property
    def conditions(self) -> str:
        """The operating conditions that the tables are for, as the first file states them."""
        name = self._header.attributes.get("default_operating_conditions", "")
        values = {"V": f"{self.voltage_v:g}", "C": self._header.attributes.get("nom_temperature", "")}
        process = self._header.attributes.get("nom_process", "")
        parts = [name, *(f"{value} {unit}" for unit, value in values.items() if value)]
        return ", ".join(part for part in [*parts, f"process {process}" if process else ""] if part)

    @property
    def units(self) -> Units:
        """The files' units."""
        return read_units(self._header)

    @property
    def time_unit_ns(self) -> float:
        """The files' unit of time in ns."""
        return self.units.ns

    def _read(self, text: str, path: Path) -> None:
        library = parse(text)
        units, voltage_v = read_units(library), volts(library)
        if not self._header.arguments:
            self._header = library
            read_wire_load(library, units)
        if self.cells:
            self._check_corner(library, voltage_v, path)
        already = next((group.arguments for group in library.of("cell") if group.arguments in self.cells), None)
        if already is not None:
            raise LibertyError(
                f"cell {already} is in {self.cells[already].reader.path.name} too; expected each cell in one file: of "
                "several corners or variants of a library, give one"
            )
        self.name = self.name or library.arguments
        self.voltage_v = voltage_v
        rails = [arguments.replace('"', "").split(",") for name, arguments in library.repeated if name == "voltage_map"]
        grounds = {name.strip() for name, value in rails if float(value) == 0.0}
        templates = {group.arguments: group for group in library.groups if group.kind.endswith("_template")}
        reader = _CellReader(path, units, TableReader(units, templates), grounds, library)
        texts = cell_texts(text)
        for group in library.of("cell"):
            if group.arguments not in texts:
                raise LibertyError(f"cell ({group.arguments}): invalid cell name")
            self.cells[group.arguments] = reader.cell(group, texts[group.arguments])
        self.unread = tuple(dict.fromkeys([*self.unread, *unread(library, texts.values())]))

    def _check_corner(self, library: Group, voltage_v: float, path: Path) -> None:
        """Refuse a file of other units or another voltage than the files before it."""
        first = self.paths[0].name
        units = read_units(library)
        for unit, name in _UNITS.items():
            if getattr(units, unit) != getattr(self.units, unit):
                written, before = (group.text(name).replace('"', "") for group in (library, self._header))
                raise LibertyError(
                    f"{name} is {written}, but {before} in {first}; expected files of one library and corner"
                )
        if voltage_v != self.voltage_v:
            raise LibertyError(
                f"states {voltage_v:g} V, but {first} states {self.voltage_v:g} V; expected files of one library and "
                f"corner: leave {path.name} out, or, if its nom_voltage is a slip, correct that in a copy"
            )

    def wire_load(self, area_um2: float, cells: int) -> WireLoad:
        """Return the rule for wires: the library's own if it has one, else that of `gates/data/wires.csv`.

        Parameters
        ----------
        area_um2 : float
            Area of the design in um2.
        cells : int
            Its number of cells.
        """
        return self.own_wire_load(area_um2) or default_wire_load(area_um2 / cells)

    def ohm_per_um(self, area_um2: float) -> tuple[float, str]:
        """Return the resistance of its own wires in ohm per um, and the operating conditions' ``tree_type``."""
        name = self._header.attributes.get("default_operating_conditions", "")
        trees = [group.attributes.get("tree_type", "") for group in self._header.of("operating_conditions")
                 if group.arguments == name]  # fmt: skip
        return read_resistance(self._header, area_um2), next(iter(trees), "")

    def own_wire_load(self, area_um2: float) -> WireLoad | None:
        """Return the library's own rule for wires in a design of an area in um2, or None."""
        return read_wire_load(self._header, self.units, area_um2)

    def smallest(self, cells: Iterable[Cell]) -> Cell | None:
        """Return the smallest usable cell of some, or None."""
        return min((cell for cell in cells if not cell.avoid), key=lambda cell: cell.area_um2, default=None)

    @cached_property
    def slew_ns(self) -> float:
        """A typical input slew in ns: the third entry of the library's own axis (17 ps in Nangate, 20 ps in ASAP7)."""
        for cell in self.cells.values():
            for power in (power for pin in cell.outputs for power in cell.powers(pin)):
                if power.rise is not None and len(power.rise.slew_ns) > 2:
                    return float(power.rise.slew_ns[2])
        return 0.0


@dataclass(frozen=True)
class _CellReader:
    path: Path
    units: Units
    tables: TableReader
    grounds: set[str]
    defaults: Group

    def cell(self, group: Group, source: str) -> Cell:
        pins = {pin.arguments: self.pin(pin) for pin in group.of("pin")}
        roles = {
            key: pin.arguments
            for pin in group.of("pin")
            for key in pin.attributes
            if key.startswith("clock_gate_") and pin.attributes[key] == "true"
        }
        state = next(group.of("ff"), None)
        return Cell(
            group.arguments,
            group.number("area"),
            self.leakage(group),
            pins,
            read_flip_flop(state) if state is not None else None,
            group.attributes.get("clock_gating_integrated_cell", ""),
            roles,
            group.attributes.get("dont_use") == "true" or any(item.kind in VECTORS for item in group.groups),
            self,
            source,
        )

    def leakage(self, group: Group) -> float:
        if "cell_leakage_power" in group.attributes:
            return group.number("cell_leakage_power") * self.units.nw
        entries = [
            entry for entry in group.of("leakage_power") if entry.attributes.get("related_pg_pin") not in self.grounds
        ]
        overall = [entry for entry in entries if "when" not in entry.attributes] or entries
        values = [entry.number("value") for entry in overall]
        if values:
            return float(np.mean(values)) * self.units.nw
        density = self.defaults.number("default_leakage_power_density", 0.0)
        default = self.defaults.number("default_cell_leakage_power", density * group.number("area", 0.0))
        return default * self.units.nw

    def pin(self, group: Group) -> Pin:
        direction = group.text("direction")
        function = group.attributes.get("function")
        default = self.defaults.number(f"default_{direction}_pin_cap", 0.0)
        capacitance_ff = group.number("capacitance", default) * self.units.ff
        rise_ff, fall_ff = (
            group.number(f"{edge}_capacitance", capacitance_ff / self.units.ff) * self.units.ff for edge in EDGES
        )
        return Pin(
            group.arguments,
            direction,
            BooleanFunction(function).checked() if function and direction == "output" else None,
            capacitance_ff,
            (rise_ff, fall_ff),
            group.number("max_capacitance", self.defaults.number("default_max_capacitance", 0.0)) * self.units.ff,
            group.attributes.get("clock") == "true",
        )

    def pin_tables(self, name: str, source: str) -> dict[str, tuple[tuple[Power, ...], tuple[Arc, ...]]]:
        try:
            return {
                pin.arguments: (
                    tuple(self.power(power) for power in pin.of("internal_power")),
                    tuple(self.arc(arc) for arc in pin.of("timing")),
                )
                for pin in parse_cell(source).of("pin")
            }
        except ValueError as error:
            raise LibertyError(f"{self.path}: cell {name}: {error}") from None

    def power(self, group: Group) -> Power:
        when = group.attributes.get("when")
        tables = {kind: next(group.of(kind), None) for kind in ("rise_power", "fall_power", "power")}
        rise, fall = (tables[kind] or tables["power"] for kind in ("rise_power", "fall_power"))
        return Power(
            tuple(group.attributes.get("related_pin", "").split()),
            BooleanFunction(when).checked() if when else None,
            group.attributes.get("related_pg_pin", ""),
            self.tables.table(rise, self.units.fj) if rise else None,
            self.tables.table(fall, self.units.fj) if fall else None,
        )

    def arc(self, group: Group) -> Arc:
        attributes = group.attributes
        when = attributes.get("when")
        return Arc(
            tuple(attributes.get("related_pin", "").split()),
            attributes.get("timing_sense", "non_unate"),
            attributes.get("timing_type", "combinational"),
            {table.kind: self.tables.table(table, self.units.ns) for table in group.groups if table.kind in _TIMING},
            BooleanFunction(when).checked() if when else None,
        )
