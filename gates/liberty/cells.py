"""The cells of one or more Liberty files, their units, voltage and wires.

The two readers on PyPI were tried: ``liberty-parser`` is GPL and brings sympy, ``eda-liberty-parser`` reads character
by character; 46 MB of ASAP7 take them 15 s and 7 s. Here the power and timing tables of a cell are read when they are
first asked for: a netlist uses a few dozen of the cells.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from bitjoule.gates.liberty.axes import TableReader
from bitjoule.gates.liberty.cell import Cell
from bitjoule.gates.liberty.cell_reader import CellReader
from bitjoule.gates.liberty.source import read_source
from bitjoule.gates.liberty.text import Group, LibertyError, Units, cell_texts, parse, read_units, volts
from bitjoule.gates.liberty.unread import unread
from bitjoule.gates.liberty.wires import WireLoad, default_wire_load, read_resistance, read_wire_load

_UNITS = {"ff": "capacitive_load_unit", "ns": "time_unit", "fj": "voltage_unit", "nw": "leakage_power_unit"}


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
        reader = CellReader(path, units, TableReader(units, templates), grounds, library)
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
