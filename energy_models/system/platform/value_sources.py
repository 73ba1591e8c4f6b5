"""The source of each value of a platform, where it inherits sources with values that it changes.

A source is written beside a value. Where a file inherits both and writes another value without a source of its own, the
source is that of the old value; the new one has none. A source that a file writes for a mapping is that of the values
below it that the file writes, too; inherited ones beside them keep theirs.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bitjoule.energy_models.inputs.derivations import Derivation
from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.inheritance import AMOUNTS, paths
from bitjoule.energy_models.system.platform.unscaled import has_source, key_exists, value_at

NONE_GIVEN = "none given"
NO_VALUES = ("description", "references", "sources")
ENDS = frozenset().union(*AMOUNTS)


def changed_sources(
    derivations: Sequence[Derivation], merges: Mapping[str, str], sources: Mapping[str, str]
) -> dict[str, str]:
    """Return the source of each value that differs from an inherited one, where inherited sources say another.

    Parameters
    ----------
    derivations
        The steps of the platform's inheritance.
    merges
        From `merged_sources`.
    sources
        All sources, with inherited ones, by dotted key.

    Returns
    -------
    dict
        By dotted key, the source of each value that is not that of the nearest key in `sources`; ``none given`` for
        values without one.
    """
    found: dict[str, str] = {}
    for step in derivations:
        own = step.changes.get("sources")
        own = own if isinstance(own, dict) else {}
        written = [*written_keys(step.changes)]
        kept = {key: found.get(key, source) for key, source in _beside(step.base, own, written)}
        changed = {key: NONE_GIVEN for key in written if value_at(step.base, key) != value_at(step.merged, key)}
        found = {key: source_of(key, own, otherwise) for key, otherwise in {**found, **changed}.items()} | kept
        found = {key: source for key, source in found.items() if key_exists(step.merged, key)}
    return {key: source for key, source in {**found, **merges}.items() if source_of(key, sources) != source}


def _beside(base: Mapping[str, Any], own: Mapping[str, str], written: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each inherited value below a mapping of which a file writes other values and a source, and its source."""
    sources = base.get("sources") or {}
    for key in written_keys(base):
        nearest = max((place for place in own if has_source(key, [place])), key=len, default=None)
        if nearest is not None and key not in written and any(has_source(other, [nearest]) for other in written):
            yield key, source_of(key, sources)


def merged_sources(document: Document, at: KeyPath) -> dict[str, str]:
    """Return the source of each value that differs from the one that ``<<`` would have merged with its source.

    Parameters
    ----------
    document, at
        The document, and the place of the platform.
    """
    changed: dict[str, str] = {}
    if (*at, "sources") in document.inherited:
        for path, old in document.replaced.items():
            place = path[len(at) :]
            if path[: len(at)] == at and place[0] not in NO_VALUES:
                value: Any = document.data
                for key in path:
                    value = value[key]
                if value != old:
                    changed[_key(place)] = NONE_GIVEN
    return changed


def written_keys(changes: Mapping[str, Any]) -> Iterator[str]:
    """Yield the dotted keys of values that a mapping writes; an amount with its band and a list are one value.

    Parameters
    ----------
    changes
        Of a platform.
    """
    yield from dict.fromkeys(_key(path) for path in paths(changes, leaves=True) if path and path[0] not in NO_VALUES)


def source_of(key: str, sources: Mapping[str, str], otherwise: str = NONE_GIVEN) -> str:
    """Return the source of a value: that of its key, or of the nearest mapping around it.

    Parameters
    ----------
    key
        The dotted key.
    sources
        By dotted key.
    otherwise
        The source of a value that has none of these.
    """
    places = [place for place in sources if has_source(key, [place])]
    return sources[max(places, key=len)] if places else otherwise


def _key(path: KeyPath) -> str:
    names: list[str] = []
    for name in path:
        if isinstance(name, int) or name in ENDS:
            break
        names.append(name)
    return ".".join(names)
