"""Wire-load rules: the capacitance of a net's wire from how many pins it drives, there being no layout.

A library may bring its own rule, a ``wire_load`` group. Otherwise a wire is as long as so many cell pitches for its
first sink and for each further one, the pitch being the root of the mean cell area, and has so much capacitance a um;
`data/wires.csv` has these numbers and where they are from.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bitjoule.gates.constants import quantities
from bitjoule.gates.liberty.tables import Floats
from bitjoule.gates.liberty.text import Group, LibertyError, Units, ohms

DATA = Path(__file__).parents[1] / "data" / "wires.csv"


@dataclass(frozen=True)
class WireLoad:
    """Wire capacitance by fanout: linear between points, by `slope_um` beyond the last.

    Parameters
    ----------
    name : str
        What the rule is called.
    ff_per_um : float
        Capacitance in fF per um.
    fanouts, lengths_um : tuple of float
        Points of the rule.
    slope_um : float
        Length of each further sink in um.
    """

    name: str
    ff_per_um: float
    fanouts: tuple[float, ...]
    lengths_um: tuple[float, ...]
    slope_um: float

    def capacitance_ff(self, fanout: Floats) -> Floats:
        """Return the capacitance in fF of wires with so many sinks; none without a sink."""
        result: Floats = self.ff_per_um * self.length_um(fanout)
        return result

    def length_um(self, fanout: Floats) -> Floats:
        """Return the length in um of wires with so many sinks; none without a sink."""
        beyond = np.maximum(fanout - self.fanouts[-1], 0.0) * self.slope_um
        result: Floats = np.interp(fanout, (0.0, *self.fanouts), (0.0, *self.lengths_um)) + beyond
        return result


def read_wire_load(library: Group, units: Units, area_um2: float = 0.0) -> WireLoad | None:
    """Return the ``wire_load`` that a Liberty file selects by area or else by default, or None.

    Parameters
    ----------
    library : Group
        The file.
    units : Units
        Its units; lengths are in um.
    area_um2 : float
        Area of the design in um2.

    Raises
    ------
    LibertyError
        The one selected is not there or has no points.
    """
    rule = _selected(library, area_um2)
    if rule is None:
        return None
    name = rule.arguments
    points = sorted(
        tuple(float(part) for part in arguments.split(",")[:2])
        for key, arguments in rule.repeated
        if key == "fanout_length"
    )
    if not points:
        raise LibertyError(f"wire_load ({name}) has no fanout_length")
    fanouts, lengths = zip(*points, strict=True)
    return WireLoad(name, rule.number("capacitance") * units.ff, fanouts, lengths, rule.number("slope"))


def read_resistance(library: Group, area_um2: float) -> float:
    """Return the resistance in ohm per um of the ``wire_load`` that a Liberty file selects; 0 if it states none.

    Parameters
    ----------
    library : Group
        The file.
    area_um2 : float
        Area of the design in um2.
    """
    rule = _selected(library, area_um2)
    return 0.0 if rule is None else rule.number("resistance", 0.0) * ohms(library)


def _selected(library: Group, area_um2: float) -> Group | None:
    rules = {group.arguments: group for group in library.of("wire_load")}
    name = library.attributes.get("default_wire_load", "")
    for selection in library.of("wire_load_selection"):
        for key, arguments in selection.repeated:
            least, most, selected = (part.strip(' "') for part in arguments.split(","))
            if key == "wire_load_from_area" and float(least) <= area_um2 < float(most):
                name = selected
    if not name:
        return None
    if name not in rules:
        raise LibertyError(f"the library selects wire_load ({name}) but does not define it")
    return rules[name]


def default_wire_load(mean_cell_um2: float) -> WireLoad:
    """Return the rule for libraries without one.

    Parameters
    ----------
    mean_cell_um2 : float
        Mean area of a netlist's cells in um2.
    """
    values, pitch_um = _values(), mean_cell_um2**0.5
    name = f"{values['first-sink']:g} + {values['further-sink']:g} (sinks - 1) cell pitches of {pitch_um:.3g} um"
    return WireLoad(
        name, values["capacitance"], (1.0,), (values["first-sink"] * pitch_um,), values["further-sink"] * pitch_um
    )


@cache
def _values() -> dict[str, float]:
    return {quantity: value for quantity, (value,) in quantities(DATA).items()}
