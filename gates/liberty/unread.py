"""What a Liberty file states that is not read, or not all of it: a sentence each, once for a library."""

import re
from collections.abc import Iterable, Sequence

from bitjoule.gates.liberty.axes import read_at_first_entry
from bitjoule.gates.liberty.text import Group

VECTORS = ("bus", "bundle", "ff_bank", "latch_bank")
_SHOWN_NAMES = 3
_TABLE = re.compile(
    r"\b(?:rise_power|fall_power|power|cell_rise|cell_fall|\w+_transition|\w+_constraint)\s*\(([^()]+)\)\s*\{"
)


def unread(library: Group, texts: Iterable[str]) -> list[str]:
    """Return what of a file is not read.

    Parameters
    ----------
    library : Group
        The file, without the tables of its cells.
    texts : iterable of str
        Its cells as written.
    """
    return [*_conditions(library), *_vectors(library), *_tables(library, texts)]


def _conditions(library: Group) -> list[str]:
    name = library.attributes.get("default_operating_conditions", "")
    nominal = library.attributes.get("nom_voltage", "")
    for group in library.of("operating_conditions"):
        voltage = group.attributes.get("voltage", nominal)
        if group.arguments == name and float(voltage) != float(nominal):
            return [
                f"default_operating_conditions {name} are at {float(voltage):g} V, the tables at nom_voltage "
                f"{float(nominal):g} V: values are not scaled, all are those at {float(nominal):g} V"
            ]
    return []


def _vectors(library: Group) -> list[str]:
    cells = [cell.arguments for cell in library.of("cell") if any(group.kind in VECTORS for group in cell.groups)]
    return [f"cells with buses, bundles or banks are not used: {_some(cells)}"] if cells else []


def _tables(library: Group, texts: Iterable[str]) -> list[str]:
    templates = {group.arguments: group for group in library.groups if group.kind.endswith("_template")}
    used = dict.fromkeys(name.strip(' "') for text in texts for name in _TABLE.findall(text))
    remarks = []
    for name in used:
        axes = read_at_first_entry(templates[name]) if name in templates else []
        remarks += [f"tables of template {name} are read only at the first entry of {axis}" for axis in axes]
    missing = [name for name in used if name not in templates and name != "scalar"]
    if missing:
        remarks.append(f"no template names the axes of {_some(missing)}: assumed to be a transition time, then a load")
    return remarks


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more
