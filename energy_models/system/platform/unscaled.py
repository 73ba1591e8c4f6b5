"""What a platform inherits although it should have changed.

A width, a leakage or a helper array is written for the machine around it. Where a file changes the size of an array or
of a buffer, or the kind of memory, and inherits what was written for the old one, `unscaled` says so. Writing
the value, or a source for it, in the file says that it was thought of.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from bitjoule.energy_models.inputs.derivations import Derivation
from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.system.platform.static_power import CONFIGURED

SIZES = {"arrays": ("lanes", "columns"), "buffers": ("size_bytes",), "levels": ("size_bytes",)}
# Keys that are written for a size or a memory, below the array or buffer itself and elsewhere; * is any node.
BELOW = {
    "arrays": ("weight_registers.load_bits_per_cycle",),
    "buffers": ("read_pj", "write_pj"),
    "levels": ("read_pj_per_bit", "write_pj_per_bit"),
}
ELSEWHERE = {
    "arrays": ("nodes.*.leakage_w", "static.array"),
    "buffers": ("nodes.*.leakage_w", "static.sram"),
    "levels": ("nodes.*.leakage_w", "static.sram"),
    "off_chip.memory": ("off_chip.bandwidth_gb_per_s", "off_chip.capacity_bytes", "static.dram", "static.phy"),
}


def unscaled(derivations: Sequence[Derivation], merges: Mapping[str, str] = MappingProxyType({})) -> Mapping[str, str]:
    """Return why a key that a platform inherits, or that overrides leave, does not fit it, by key.

    Parameters
    ----------
    derivations
        The steps of its inheritance, the overrides last.
    merges
        From `unscaled_merges`; overrides can set the value of such a key, too.
    """
    found: dict[str, str] = {}
    for step in derivations:
        if step.override:
            found |= merges
        found |= dict(unscaled_keys(step))
        found = {
            key: why
            for key, why in found.items()
            if not thought_of(key, step.changes) and key_exists(step.merged, key)
        }  # fmt: skip
    return found if any(step.override for step in derivations) else found | dict(merges)


def key_exists(value: Any, key: str) -> bool:
    """Return whether a dotted key exists in nested mappings or models.

    Parameters
    ----------
    value
        The mapping or model.
    key
        The dotted key.
    """
    for name in key.split("."):
        if isinstance(value, dict):
            exists = name in value
            value = value.get(name)
        else:
            exists = name in getattr(type(value), "model_fields", ())
            value = getattr(value, name, None)
        if not exists:
            return False
    return True


def thought_of(key: str, changes: Any) -> bool:
    """Return whether a file writes a key, or a source for it.

    Parameters
    ----------
    key
        The dotted key.
    changes
        What the file writes.
    """
    return has_source(key, _mapping(changes, "sources")) or key_exists(changes, key)


def has_source(key: str, places: Iterable[str]) -> bool:
    """Return whether a key, or the beginning of one, is among those that have a source.

    Parameters
    ----------
    key
        The dotted key.
    places
        Dotted keys that have a source.
    """
    return any(f"{key}.".startswith(f"{place}.") for place in places)


class Change(NamedTuple):
    """A value that differs from the one it was derived from: a size, or the kind of memory.

    Parameters
    ----------
    section, part, key
        Of `ELSEWHERE`, the array or buffer, and the whole dotted key.
    old, new
        The values.
    """

    section: str
    part: str
    key: str
    old: Any
    new: Any


def size_keys(data: Any) -> Iterator[tuple[str, str, str]]:
    """Yield section, part and dotted key of each size, and of the kind of memory, that is written in a mapping.

    Parameters
    ----------
    data
        Of a platform, or some of its keys.
    """
    for section, keys in SIZES.items():
        for part, written in _mapping(data, section).items():
            for key in keys:
                if isinstance(written, dict) and key in written:
                    yield section, f"{section}.{part}", f"{section}.{part}.{key}"
    if key_exists(data, "off_chip.memory"):
        yield "off_chip.memory", "", "off_chip.memory"


def depending(change: Change, merged: Any) -> Iterator[str]:
    """Yield the keys of a platform that are written for what was changed.

    Parameters
    ----------
    change
        What was changed.
    merged
        The platform's data.
    """
    keys = [f"{change.part}.{below}" for below in BELOW.get(change.section, ())]
    for pattern in ELSEWHERE[change.section]:
        head, star, tail = pattern.partition(".*.")
        keys += [f"{head}.{each}.{tail}" for each in _mapping(merged, head)] if star else [pattern]
    if change.section == "arrays":
        keys += [f"arrays.{other}" for other in _mapping(merged, "arrays") if f"arrays.{other}" != change.part]
    yield from (key for key in keys if value_at(merged, key) not in (None, 0, CONFIGURED))


def reason(change: Change, value: Any, origin: str, override: bool = False) -> str:
    """Return why an inherited value does not fit.

    Parameters
    ----------
    change
        What was changed.
    value
        The value, which is shown unless it is a mapping.
    origin
        What it is inherited from.
    override
        Whether an override made the change.
    """
    verb, remedy = ("comes", "override it, or a source for it, too") if override else (
        "is inherited", "write it, or a source for it, in the file")  # fmt: skip
    text = f"{verb} from {origin}, which has {change.key} {change.old}, not {change.new}; {remedy}"
    return text if isinstance(value, dict) else f"{value} {text}"


def unscaled_keys(step: Derivation) -> Iterator[tuple[str, str]]:
    """Yield each key that depends on what a step of inheritance changes, and why; `thought_of` is not asked.

    Parameters
    ----------
    step
        The step.
    """
    for section, part, key in size_keys(step.changes):
        change = Change(section, part, key, value_at(step.base, key), value_at(step.merged, key))
        if change.old is not None and change.new is not None and change.old != change.new:
            for depends in depending(change, step.merged):
                yield depends, reason(change, value_at(step.merged, depends), step.name, step.override)


def unscaled_merges(document: Document, at: KeyPath) -> Mapping[str, str]:
    """Return why a key that a platform in a document inherits by ``<<`` does not fit it, by key.

    Parameters
    ----------
    document, at
        The document, and the place of the platform.
    """
    data = document.data
    for key in at:
        data = data[key]
    found: dict[str, str] = {}

    def merges(key: str) -> bool:
        path = (*at, *key.split("."))
        return any(path[:length] in document.inherited for length in range(len(at) + 1, len(path) + 1))

    written = not {(*at, "sources")} & document.inherited
    sources = [key for key in _mapping(data, "sources") if written and (*at, "sources", key) not in document.inherited]
    for section, part, key in size_keys(data):
        path = (*at, *key.split("."))
        change = Change(section, part, key, document.replaced.get(path), value_at(data, key))
        if change.old is None or change.old == change.new or document.is_override(path):
            continue
        for depends in depending(change, data):
            if merges(depends) and not has_source(depends, sources):
                found[depends] = reason(change, value_at(data, depends), "a mapping that << merges")
    return found


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def value_at(value: Any, key: str) -> Any:
    """Return the value of a dotted key in nested mappings, none if it does not exist.

    Parameters
    ----------
    value
        The mappings.
    key
        The dotted key.
    """
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
