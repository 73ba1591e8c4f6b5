"""Tables of Liberty made `LookupTable`: each axis is known by the name that the table's template gives it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bitjoule.gates.liberty.tables import Floats, LookupTable
from bitjoule.gates.liberty.text import Group, LibertyError, Units, numbers

# What varies along a table's first axis in ours: the slew of the input, or of the data in a constraint.
_SLEWS = {"input_net_transition", "input_transition_time", "constrained_pin_transition"}
_LOAD = "total_output_net_capacitance"
_RELATED = "related_pin_transition"
_FURTHER = {
    "equal_or_opposite_output_net_capacitance",
    "related_out_total_output_net_capacitance",
    "related_out_output_net_length",
    "related_out_output_net_wire_cap",
    "related_out_output_net_pin_cap",
}
_NAMELESS = Group("lu_table_template", "")


@dataclass(frozen=True)
class _Axis:
    name: str
    points: Floats


@dataclass(frozen=True)
class TableReader:
    """Reads tables.

    Parameters
    ----------
    units : Units
        The file's.
    templates : mapping of str to Group
        The file's templates by name.
    """

    units: Units
    templates: Mapping[str, Group]

    def table(self, group: Group, unit: float) -> LookupTable:
        """Return a table.

        Parameters
        ----------
        group : Group
            As written.
        unit : float
            What its values are multiplied by.

        Raises
        ------
        LibertyError
            Its values do not fit its axes, or an axis is none that can be read.
        """
        values = numbers(group.text("values")) * unit
        if values.size == 1:
            return LookupTable(np.zeros(1), np.zeros(1), values.reshape(1, 1))
        axes = self._axes(group)
        sizes = [len(axis.points) for axis in axes]
        if not axes or values.size != np.prod(sizes) or any((np.diff(axis.points) <= 0).any() for axis in axes):
            raise LibertyError(f"{group.kind} ({group.arguments}): {values.size} values over axes of {sizes} points")
        values = values.reshape(sizes)
        for place in reversed([place for place, axis in enumerate(axes) if axis.name in _FURTHER]):
            values = np.delete(values, slice(1, None), axis=place).squeeze(place)
            del axes[place]
        first = [axis.points for axis in axes if axis.name in _SLEWS]
        second = [axis.points for axis in axes if axis.name not in _SLEWS]
        if len(first) > 1 or len(second) > 1:
            names = " and ".join(axis.name for axis in axes)
            raise LibertyError(
                f"{group.kind} ({group.arguments}): axes {names}; expected a transition time and one other axis at most"
            )
        if axes and axes[0].name not in _SLEWS:
            values = values.T
        slew_ns, load_ff = (first or [np.zeros(1)])[0], (second or [np.zeros(1)])[0]
        return LookupTable(slew_ns, load_ff, values.reshape(len(slew_ns), len(load_ff)))

    def _axes(self, group: Group) -> list[_Axis]:
        template = self.templates.get(group.arguments, _NAMELESS)
        by_place = (_RELATED if group.kind.endswith("_constraint") else _LOAD), ""
        axes = []
        for place, default in enumerate(("input_net_transition", *by_place), 1):
            text = group.complex_attributes.get(f"index_{place}", template.complex_attributes.get(f"index_{place}"))
            if text is None:
                continue
            name = template.attributes.get(f"variable_{place}", default)
            if name not in _SLEWS | _FURTHER | {_LOAD, _RELATED}:
                raise LibertyError(
                    f"{group.kind} ({group.arguments}): variable_{place} is {name or 'not stated'}; expected "
                    f"{', '.join([*sorted(_SLEWS), _RELATED])} or {_LOAD}"
                )
            axes.append(_Axis(name, numbers(text) * (self.units.ns if name in _SLEWS | {_RELATED} else self.units.ff)))
        return axes


def read_at_first_entry(template: Group) -> list[str]:
    """Return the axes of a template along which tables are read at their first entry alone.

    Parameters
    ----------
    template : Group
        As written.
    """
    names = [template.attributes.get(f"variable_{place}", "") for place in (1, 2, 3)]
    return [name for name in names if name in _FURTHER]
