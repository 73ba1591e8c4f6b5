"""Reads cells: what every netlist needs at once, their power and timing tables when they are first asked for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitjoule.gates.liberty.axes import TableReader
from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.cell import EDGES, Arc, Cell, Pin, Power
from bitjoule.gates.liberty.flip_flops import read_flip_flop
from bitjoule.gates.liberty.text import Group, LibertyError, Units, parse_cell
from bitjoule.gates.liberty.unread import VECTORS

_TIMING = {f"{name}_{edge}" for name in ("cell",) for edge in EDGES}
_TIMING |= {f"{edge}_{name}" for name in ("transition", "constraint") for edge in EDGES}


@dataclass(frozen=True)
class CellReader:
    """Reads the cells of a file.

    Parameters
    ----------
    path : Path
        The file.
    units : Units
        Its units.
    tables : TableReader
        Reads its tables.
    grounds : set of str
        Names of its ground rails.
    defaults : Group
        The library, for what a cell or pin leaves out.
    """

    path: Path
    units: Units
    tables: TableReader
    grounds: set[str]
    defaults: Group

    def cell(self, group: Group, source: str) -> Cell:
        """Return a cell from its group and its text."""
        pins = {pin.arguments: self._pin(pin) for pin in group.of("pin")}
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
            self._leakage(group),
            pins,
            read_flip_flop(state) if state is not None else None,
            group.attributes.get("clock_gating_integrated_cell", ""),
            roles,
            group.attributes.get("dont_use") == "true" or any(item.kind in VECTORS for item in group.groups),
            self,
            source,
        )

    def _leakage(self, group: Group) -> float:
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

    def _pin(self, group: Group) -> Pin:
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
        """Return the ``internal_power`` and ``timing`` groups of each pin of a cell from its text.

        Raises
        ------
        LibertyError
            A table is not what Liberty says.
        """
        try:
            return {
                pin.arguments: (
                    tuple(self._power(power) for power in pin.of("internal_power")),
                    tuple(self._arc(arc) for arc in pin.of("timing")),
                )
                for pin in parse_cell(source).of("pin")
            }
        except ValueError as error:
            raise LibertyError(f"{self.path}: cell {name}: {error}") from None

    def _power(self, group: Group) -> Power:
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

    def _arc(self, group: Group) -> Arc:
        attributes = group.attributes
        when = attributes.get("when")
        return Arc(
            tuple(attributes.get("related_pin", "").split()),
            attributes.get("timing_sense", "non_unate"),
            attributes.get("timing_type", "combinational"),
            {table.kind: self.tables.table(table, self.units.ns) for table in group.groups if table.kind in _TIMING},
            BooleanFunction(when).checked() if when else None,
        )
