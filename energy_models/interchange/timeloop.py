"""Timeloop's architectures (0.3 and 0.4) with Accelergy's table of energies (ERT).

Read are nested ``subtree`` and ``local`` lists, with counts as ``PE[0..255]`` or ``PE[1..256]``, as people write them
and as Timeloop writes them out (parsed-processed-input.yaml), and the ``architecture_constraints`` or ``constraints``
that say which operands a memory keeps. Energies are in pJ of an access of ``width`` bits.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.errors import brief
from bitjoule.energy_models.interchange.levels import OPERANDS, Hardware, Level
from bitjoule.energy_models.interchange.platform import INTEGER
from bitjoule.energy_models.interchange.values import child, error, number

DATA_SPACES = {"weights": "weights", "inputs": "inputs", "outputs": "outputs"}
COUNTED = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<first>\d+)\.\.(?P<last>\d+)\])?")
MAC_CLASSES = re.compile(r"mac|fpmac|intmac|compute|multiplier", re.IGNORECASE)
DUMMY = "dummy"
CYCLE_S = "global_cycle_seconds"
Table = dict[str, dict[str, float]]


def is_timeloop(document: Document) -> bool:
    """Return whether a document is an architecture of Timeloop.

    Parameters
    ----------
    document
        Any YAML.
    """
    return isinstance(document.data, dict) and isinstance(document.data.get("architecture"), dict)


def read_ert(document: Document) -> Table:
    """Return the energies in pJ of each component's actions, by its name without count.

    Parameters
    ----------
    document
        Accelergy's ERT.

    Raises
    ------
    InputError
        It is not an ERT.
    """
    ert = child(document, ("ERT",), dict, document.data)
    energies: Table = {}
    for i, table in enumerate(child(document, ("ERT", "tables"), list, ert)):
        at: KeyPath = ("ERT", "tables", i)
        name = child(document, (*at, "name"), str, table).rsplit(".", 1)[-1]
        actions = child(document, (*at, "actions"), list, table)
        found: dict[str, float] = {}
        for j, action in enumerate(actions):
            place = (*at, "actions", j)
            found.setdefault(
                child(document, (*place, "name"), str, action),
                number(document, (*place, "energy"), action.get("energy", "missing")),
            )
        energies[name.split("[")[0]] = found
    return energies


def read_timeloop(document: Document, energies: Table | None = None) -> Hardware:
    """Read an architecture.

    Parameters
    ----------
    document
        The architecture.
    energies
        From `read_ert`; without it no energy is known.

    Raises
    ------
    InputError
        A key is missing or wrong, or there is no unit that multiplies.
    """
    parts = list(_parts(document, ("architecture",), document.data["architecture"], 1, {}))
    macs = [part for part in parts if part["mac"]]
    if not macs:
        raise error(
            document, ("architecture",), "no component multiplies", "a component of class intmac, fpmac or compute"
        )
    left_out: list[str] = []
    mac = macs[-1]
    columns = min(int(mac["attributes"].get("meshX", mac["count"])), mac["count"])
    lanes = mac["count"] // columns
    if lanes * columns != mac["count"]:
        raise error(document, mac["at"], f"{mac['count']} in rows of {columns}", "a meshX that divides their number")
    left_out.append(f"meshX {columns} counts outputs, {lanes} rows terms of a sum: Timeloop's mapping decides")
    kept = _kept(document)
    bits = int(mac["attributes"].get("datawidth", mac["attributes"].get("multiplier_width", 16)))
    if bits not in INTEGER:
        raise error(document, mac["at"], f"operands of {bits} bits", f"one of {', '.join(map(str, INTEGER))}")
    levels = [
        _level(document, part, mac["count"], kept, energies, left_out)
        for part in parts
        if not part["mac"] and DUMMY not in str(part["class"]) and part["class"] != "Container"
    ]
    if not levels or levels[0].inside:
        raise error(document, ("architecture",), "no memory outside the PEs", "the outermost memory first")
    cycle = next((part["attributes"][CYCLE_S] for part in parts if CYCLE_S in part["attributes"]), None)
    clock = None if cycle is None else 1e-6 / number(document, (), cycle)
    mac_pj = None if energies is None else energies.get(mac["name"], {}).get("compute")
    if energies is None:
        left_out.append("energies: Accelergy computes them; give its ERT.yaml beside the architecture (--ert)")
    if mac["class"] and "fp" in str(mac["class"]).lower():
        left_out.append(
            f"{mac['name']}: class {mac['class']} computes in floating point; integers of its width stand here"
        )
    return Hardware("Timeloop", str(parts[0]["root"]), lanes, columns, mac_pj, bits, tuple(levels), clock,
                    left_out=tuple(left_out))  # fmt: skip


def _parts(
    document: Document, at: KeyPath, node: dict[str, Any], outer: int, inherited: dict[str, Any], root: str = ""
) -> Iterator[dict[str, Any]]:
    """Yield every component with its number and the attributes it inherits, in the file's order."""
    for key in ("local", "subtree"):
        for i, entry in enumerate(child(document, (*at, key), list, node, default=[])):
            place = (*at, key, i)
            name = child(document, (*place, "name"), str, entry)
            match = COUNTED.fullmatch(name)
            if match is None:
                raise error(document, (*place, "name"), f"got {brief(name)}", "a name, or one with a count: PE[0..255]")
            written = child(document, (*place, "attributes"), dict, entry, default={})
            attributes = {**inherited, **written}
            copies = int(match["last"]) - int(match["first"]) + 1 if match["last"] else 1
            if copies < 1:
                raise error(document, (*place, "name"), f"got {brief(name)}", "a count that does not fall")
            count = outer * copies
            top = root or match["name"]
            kind = entry.get("class", "")
            if key == "local":
                yield {
                    "name": match["name"], "class": kind, "count": count, "attributes": attributes, "at": place,
                    "root": top, "mac": bool(MAC_CLASSES.search(str(kind))),
                }  # fmt: skip
            else:
                shared = {k: v for k, v in attributes.items() if k in ("technology", CYCLE_S)}
                yield from _parts(document, place, entry, count, shared, top)


def _kept(document: Document) -> dict[str, frozenset[str]]:
    """Return which operands each memory keeps, where constraints say so."""
    kept: dict[str, frozenset[str]] = {}
    constraints = document.data.get("architecture_constraints", {})
    targets = constraints.get("targets", []) if isinstance(constraints, dict) else []
    for i, target in enumerate(targets):
        at: KeyPath = ("architecture_constraints", "targets", i)
        if not isinstance(target, dict) or target.get("type") not in ("bypass", "datatype", "dataspace"):
            continue
        name = child(document, (*at, "target"), str, target)
        bypassed = {str(each).lower() for each in target.get("bypass", ())}
        if not bypassed <= set(DATA_SPACES):
            raise error(
                document, (*at, "bypass"), f"got {brief(sorted(bypassed))}", "data spaces Weights, Inputs, Outputs"
            )
        kept[name] = frozenset(OPERANDS) - {DATA_SPACES[each] for each in bypassed}
    return kept


def _level(
    document: Document,
    part: dict[str, Any],
    pes: int,
    kept: dict[str, frozenset[str]],
    energies: Table | None,
    left_out: list[str],
) -> Level:
    attributes, at, name = part["attributes"], (*part["at"], "attributes"), part["name"]

    def value(*keys: str, default: float | None = None) -> float | None:
        key = next((key for key in keys if key in attributes), None)
        return default if key is None else number(document, (*at, key), attributes[key])

    width = value("memory_width", "width", default=None)
    if not width:
        raise error(document, at, f"{name} has no width", "width (or memory_width): bits of an access")
    depth = value("memory_depth", "depth", "entries", default=math.inf)
    word = value("datawidth", "word-bits", "word_bits", default=width) or width
    actions = (energies or {}).get(name)
    if energies is not None and actions is None:
        left_out.append(f"{name}: not in the table of energies")
    prices = [None if actions is None or key not in actions else actions[key] / width for key in ("read", "write")]
    speeds = [value(key) for key in ("read_bandwidth", "write_bandwidth")]
    shared = value("shared_bandwidth")
    if 1 < part["count"] < pes:
        left_out.append(f"{name}: {part['count']} for {pes} PEs; counted as one for each")
    bits = [
        math.inf if shared is None and speed is None else (speed if speed is not None else shared or 0) * word
        for speed in speeds
    ]
    leak = 0.0 if actions is None else actions.get("leak", 0.0)
    if leak:
        left_out.append(f"{name}: leakage of {leak:g} pJ a cycle; give it as nodes.*.leakage_w")
    holds = kept.get(name)
    if holds is None:
        holds = frozenset(OPERANDS)
        left_out.append(f"{name}: no constraint says which operands it keeps; all are assumed")
    return Level(
        name, holds, math.inf if depth is None else depth * width, inside=part["count"] > 1,
        read_pj_per_bit=prices[0], write_pj_per_bit=prices[1], read_bits=bits[0], write_bits=bits[1],
    )  # fmt: skip
