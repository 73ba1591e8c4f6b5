"""Inline platforms and technologies of an experiment that are like another one."""

from collections.abc import Iterator
from typing import Any

from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.inheritance import Family, inheriting
from bitjoule.energy_models.prices.derived import TECHNOLOGY
from bitjoule.energy_models.system.platform.platforms import PLATFORM


def with_bases(document: Document) -> Document:
    """Return an experiment whose inline platforms and technologies have what they inherit by ``like``.

    Parameters
    ----------
    document
        An experiment of any kind, as written. Relative paths in ``like`` start at its folder; names are those of
        built-in entries.

    Raises
    ------
    InputError
        A base is wrong.
    """
    return inheriting(document, dict(_places(document.data)))


def _places(data: Any) -> Iterator[tuple[KeyPath, Family]]:
    """Yield the places of inline entries."""
    if not isinstance(data, dict):
        return
    candidates: list[tuple[KeyPath, Any, Family]] = [(("platform",), data.get("platform"), PLATFORM)]
    candidates += [(("decoders", i), entry, PLATFORM) for i, entry in enumerate(_list(data.get("decoders")))]
    for i, entry in enumerate(_list(data.get("platforms"))):
        candidates.append((("platforms", i), entry, PLATFORM))
        members = entry.get("by_scheme") if isinstance(entry, dict) else None
        for scheme, member in (members if isinstance(members, dict) else {}).items():
            candidates.append((("platforms", i, "by_scheme", scheme), member, PLATFORM))
    candidates += [(("technologies", i), entry, TECHNOLOGY) for i, entry in enumerate(_list(data.get("technologies")))]
    for i, pair in enumerate(_list(data.get("compare"))):
        candidates += [(("compare", i, side), entry, TECHNOLOGY) for side, entry in enumerate(_list(pair))]
    for at, entry, family in candidates:
        if isinstance(entry, dict):
            yield at, family


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
