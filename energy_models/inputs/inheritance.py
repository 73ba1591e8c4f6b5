"""``like``: an entry that holds the differences from another one, given by its name, its path, or in place."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from bitjoule.energy_models.inputs.derivations import Derivation
from bitjoule.energy_models.inputs.documents import Document, KeyPath, is_path, read_document
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices
from bitjoule.energy_models.inputs.validation import unknown_name

LIKE = "like"
AMOUNTS = ({"low", "nominal", "high"}, {"busy", "idle"})  # mappings that are one amount
IN_PLACE = "the mapping in `like`"


class Completed(NamedTuple):
    """An entry with what it inherits.

    Parameters
    ----------
    data
        Plain data, without ``like``.
    origins
        Where each inherited value comes from, by its path in the entry: a name, or a path as written.
    lines
        Line of each value of the entry's own, by its path in the entry.
    files
        Files that were read, by name as written.
    derivations
        The steps, the one from the entry's own base last.
    """

    data: Any
    origins: Mapping[KeyPath, str]
    lines: Mapping[KeyPath, int]
    files: Mapping[str, Path]
    derivations: tuple[Derivation, ...] = ()


@dataclass(frozen=True)
class Family:
    """A kind of entry that may be like another of its kind.

    Parameters
    ----------
    kind
        Its name, for messages.
    names
        Returns the names of built-in entries.
    built_in
        Returns the file of a built-in entry, or its data, by name.
    read
        Reads a file as a document.
    suffixes
        Of such files.
    items
        For each list at the top of an entry, the keys that tell its items apart: an item changes the base's item of the
        same keys, or is added. Other lists are replaced.
    tidied
        Returns merged data as they should be, from them and the changes.
    as_base
        Returns the data of a file as something to inherit from.
    """

    kind: str
    names: Callable[[], Sequence[str]]
    built_in: Callable[[str], Path | Mapping[str, Any]]
    read: Callable[[Path], Document] = read_document
    suffixes: tuple[str, ...] = (".yaml", ".yml")
    items: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tidied: Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]] = lambda merged, _: merged
    as_base: Callable[[dict[str, Any]], dict[str, Any]] = dict


def completed(
    family: Family, document: Document, at: KeyPath = (), neighbours: Path | None = None, visited: tuple[Path, ...] = ()
) -> Completed:
    """Return an entry with what it inherits, from its base and from that one's.

    Parameters
    ----------
    family
        Its kind.
    document, at
        Where the entry is written. A relative path in ``like`` starts at the document's folder.
    neighbours
        Folder whose files are names, too, before the built-in ones; by default there are none.
    visited
        Files that are like the entry, from which it cannot inherit.

    Raises
    ------
    InputError
        There is no such base, or it inherits from the entry itself.
    """
    data = document.data
    for key in at:
        data = data[key]
    lines = {path[len(at) :]: line for path, line in document.lines.items() if path[: len(at)] == at}
    if not isinstance(data, dict) or LIKE not in data:
        return Completed(data, {}, lines, {})
    name, base = _base(family, document, at, data[LIKE], neighbours, visited)
    changes = {key: value for key, value in data.items() if key != LIKE}
    merged, own = _with_items(family, base.data, changes)
    merged = family.tidied(merged, changes)
    places = {_renumbered(path, own): path for path in paths(changes)}
    origins = {
        path: base.origins.get(path, name) for path in paths(merged, leaves=True) if path not in places
    }  # fmt: skip
    in_place = base.lines if isinstance(data[LIKE], dict) else {}
    lines = {**in_place, **{_renumbered(path, own): line for path, line in lines.items()}}
    steps = (*base.derivations, Derivation(name, base.data, changes, merged))
    return Completed(merged, origins, lines, base.files, steps)


def _base(
    family: Family, document: Document, at: KeyPath, like: Any, neighbours: Path | None, visited: tuple[Path, ...]
) -> tuple[str, Completed]:
    """Return the name and the data of what an entry is like."""
    place = (*at, LIKE)
    if isinstance(like, dict):
        return IN_PLACE, completed(family, document, place, neighbours, visited)
    own = None if document.path is None else document.path.resolve()
    names = [name for name in family.names() if neighbours is None or own is None or name != own.stem]
    file = _file(family, document, place, like, neighbours)
    if file is None:
        if not isinstance(like, str) or like not in family.names():
            raise InputError([document.problem(place, *unknown_name(family.kind, like, names))])
        built_in = family.built_in(like)
        if not isinstance(built_in, Path):
            return like, Completed(dict(built_in), {}, {}, {})
        file = built_in
    files = visited if own is None else (*visited, own)
    if file.resolve() in files:
        wrong = f"circular inheritance: {like!r} is derived from this file"
        raise InputError([document.problem(place, wrong, f"another {family.kind}, {choices(names)}")])
    base = completed(family, family.read(file), (), file.parent, files)
    data = family.as_base(base.data) if isinstance(base.data, dict) else base.data
    if not isinstance(data, dict):
        raise InputError([document.problem(place, f"{brief(like)} holds {brief(data)}", "a mapping")])
    shipped = str(like) in family.names() and not is_path(str(like), family.suffixes)
    return str(like), base._replace(data=data, files=base.files if shipped else {**base.files, str(like): file})


def _file(family: Family, document: Document, place: KeyPath, like: Any, neighbours: Path | None) -> Path | None:
    """Return the file that a path or the name of a neighbour refers to; none for other names.

    A file is not its own neighbour where its name is also a built-in one: `rtx-4090.yaml` may be like `rtx-4090`.
    """
    if not isinstance(like, str):
        return None
    isfile = os.path.isfile  # never raises, whatever the name
    if is_path(like, family.suffixes):
        path = document.folder(place) / like
        if not isfile(path):
            expected = f"a file of a {family.kind}, {' or '.join(family.suffixes)}"
            raise InputError([document.problem(place, f"{brief(like)} not found", expected)])
        return path
    neighbour = neighbours / f"{like}.yaml" if neighbours else None
    if neighbour is None or not isfile(neighbour):
        return None
    itself = document.path is not None and neighbour.resolve() == document.path.resolve()
    return None if itself and like in family.names() else neighbour


def _with_items(
    family: Family, base: Mapping[str, Any], changes: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Return merged data, and the new number of each item of the changes' lists, by its path there."""
    numbers: dict[KeyPath, int] = {}
    lists = {}
    for key, identity in family.items.items():
        before, after = base.get(key), changes.get(key)
        if isinstance(before, list) and isinstance(after, list) and all(isinstance(item, dict) for item in after):
            items = list(before)
            known = {tuple(item.get(part) for part in identity): i for i, item in enumerate(before)}
            for i, item in enumerate(after):
                number = known.get(tuple(item.get(part) for part in identity), len(items))
                numbers[key, i] = number
                if number < len(items):
                    items[number] = _merged(items[number], item)
                else:
                    items.append(item)
            lists[key] = items
    merged = _merged(base, {key: value for key, value in changes.items() if key not in lists})
    return {**merged, **lists}, numbers


def _renumbered(path: KeyPath, numbers: Mapping[KeyPath, int]) -> KeyPath:
    return (path[0], numbers[path[:2]], *path[2:]) if path[:2] in numbers else path


def paths(data: Any, at: KeyPath = (), leaves: bool = False) -> Iterator[KeyPath]:
    """Yield the path of each value.

    Parameters
    ----------
    data
        Nested dicts, lists and scalars.
    at
        Path of the data.
    leaves
        Whether only values that hold no others are wanted.
    """
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    if not (leaves and parts and data):
        yield at
    for key, part in parts:
        yield from paths(part, (*at, key), leaves)


def _merged(base: Any, changes: Any) -> Any:
    """Return a mapping updated recursively with another; null removes a key, and another form of an amount replaces it.

    A band and watts by activity are such forms: merged key by key they would be neither.
    """
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return changes
    before, after = ([bool(mapping.keys() & form) for form in AMOUNTS] for mapping in (base, changes))
    if any(before) and any(after) and before != after:
        return changes
    merged = {key: _merged(base.get(key), value) for key, value in changes.items() if value is not None}
    return {key: merged.get(key, value) for key, value in base.items() if changes.get(key, 0) is not None} | {
        key: value for key, value in merged.items() if key not in base
    }


def inheriting(document: Document, families: Mapping[KeyPath, Family]) -> Document:
    """Return a document whose entries have what they inherit.

    Parameters
    ----------
    document
        As written.
    families
        The entries, by place.

    Raises
    ------
    InputError
        With a problem for each base that is wrong.
    """
    problems: list[Problem] = []
    for at, family in families.items():
        try:
            entry = completed(family, document, at)
        except InputError as error:
            problems += error.problems
            continue
        outside = {path: line for path, line in document.lines.items() if path[: len(at)] != at}
        lines = {**outside, **{(*at, *path): line for path, line in entry.lines.items()}}
        steps = {**document.derivations, at: _with_overrides(family, document, at, entry)}
        data = _put(document.data, at, entry.data)
        files = {**document.files, **entry.files}
        document = replace(document, data=data, lines=lines, files=files, derivations=steps)
    if problems:
        raise InputError(dict.fromkeys(problems))
    return document


def _with_overrides(family: Family, document: Document, at: KeyPath, entry: Completed) -> tuple[Derivation, ...]:
    """Return the steps of an entry's inheritance, with the overrides below it as a step of their own."""
    below = {place[len(at) :] for place in document.origins if place[: len(at)] == at and len(place) > len(at)}
    below = {place for place in below if place[0] != LIKE}
    if not below or document.is_override(at) or document.is_override((*at, LIKE)):
        return entry.derivations
    try:
        before = completed(family, replace(document, data=document.original), at)
    except (LookupError, TypeError):  # the entry is made by its overrides
        return entry.derivations
    changes: dict[str, Any] = {}
    for place in sorted(below, key=len):
        value = document.data
        for key in (*at, *place):
            value = value[key]
        node = changes
        for key in place[:-1]:
            node = node.setdefault(str(key), {})
        node[str(place[-1])] = value
    step = Derivation(document.file, before.data, changes, entry.data, override=True)
    return (*before.derivations, step)


def _put(data: Any, at: KeyPath, value: Any) -> Any:
    """Return data with one value replaced."""
    if not at:
        return value
    if isinstance(data, dict):
        return {key: _put(part, at[1:], value) if key == at[0] else part for key, part in data.items()}
    return [_put(part, at[1:], value) if i == at[0] else part for i, part in enumerate(data)]
