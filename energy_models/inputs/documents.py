"""YAML as plain data that remembers the line of every key.

PyYAML's own loader discards the position of a value, lets a later duplicate key win and expands aliases without bound.
This reader composes the node tree with PyYAML and builds the data itself, so that every later error can name a line.
Scalars follow YAML 1.2's core schema, and ``<<`` merges mappings.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bitjoule.energy_models.inputs.derivations import Derivation
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, reason, whole_file
from bitjoule.energy_models.inputs.fingerprints import fingerprint
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.yaml_core import MERGE_TAG, CoreLoader, fast_loader

KeyPath = tuple[str | int, ...]
_Entries = dict[str, tuple[yaml.Node, yaml.Node]]

YAML = (".yaml", ".yml")
MAX_FILE_BYTES = 1_000_000
BY_HAND = "a text file written by hand"
MAX_VALUES = 100_000  # values after expanding aliases: a few nested anchors can otherwise stand for billions
FEWER = "fewer anchors and aliases"
KEPT = 256  # texts that are not parsed again: a fit reads the same platforms hundreds of times, and PyYAML is slow
LONGEST_KEPT = 50_000  # characters


@dataclass(frozen=True)
class Document:
    """A YAML file's data and the line of each value.

    Parameters
    ----------
    file
        The file as the user named it.
    data
        Nested dicts, lists and scalars.
    lines
        Line of each value, by its path of keys and indices; the root is ``()``.
    origins
        Paths of values that did not come from the file, each with the name of its origin.
    path
        The file; none for data that came from no file.
    inherited
        Paths of values that ``<<`` merged.
    replaced
        Values that ``<<`` would have merged, by the path of the key that is written in their place; scalars only.
    files
        Further files from which values came, by name as written.
    original
        The data before any value was overridden; none without overrides.
    derivations
        The steps of inheritance of entries, by their path.
    repeated
        Keys that are written more than once, where that is allowed.
    """

    file: str
    data: Any
    lines: Mapping[KeyPath, int]
    origins: Mapping[KeyPath, str] = field(default_factory=dict)
    path: Path | None = None
    inherited: frozenset[KeyPath] = frozenset()
    replaced: Mapping[KeyPath, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    original: Any = None
    derivations: Mapping[KeyPath, tuple[Derivation, ...]] = field(default_factory=dict)
    repeated: tuple[KeyPath, ...] = ()

    def line(self, path: KeyPath) -> int:
        """Return the line of the nearest enclosing value that was written in the file.

        Parameters
        ----------
        path
            Keys and indices from the root.
        """
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1

    def problem(self, path: KeyPath, wrong: str, expected: str) -> Problem:
        """Return a problem at `path`.

        Parameters
        ----------
        path
            Keys and indices from the root.
        wrong, expected
            As for `Problem`.
        """
        for place, origin in self.origins.items():
            if path and (path[: len(place)] == place or place[: len(path)] == path):
                return Problem(origin, 1, dotted(path), wrong, expected)
        return Problem(self.file, self.line(path), dotted(path), wrong, expected)

    def is_override(self, path: KeyPath) -> bool:
        """Return whether a value, or one that encloses it, did not come from the file.

        Parameters
        ----------
        path
            Keys and indices from the root.
        """
        return any(path[: len(place)] == place for place in self.origins)

    def folder(self, path: KeyPath) -> Path:
        """Return the folder in which a relative path starts: the file's, or the current one for a changed value.

        Parameters
        ----------
        path
            Where the relative path is written: keys and indices from the root.
        """
        return Path() if self.path is None or self.is_override(path) else self.path.parent

    @property
    def inputs(self) -> dict[str, str]:
        """SHA-256 of the file and of those from which values came, by name; nothing for data that came from no file."""
        files = {} if self.path is None else {self.path.name: self.path}
        return {name: fingerprint(path) for name, path in (files | dict(self.files)).items()}


def is_path(text: str, suffixes: tuple[str, ...] = YAML) -> bool:
    """Return whether a text is a path rather than a name.

    Parameters
    ----------
    text
        Of an experiment or a command line.
    suffixes
        Of the files that a path may refer to.
    """
    return "/" in text or text.endswith(suffixes)


def folder_hint(beside: Path, text: str) -> str:
    """Return how a directory is written that has the name of no built-in entry, or nothing if there is none.

    Parameters
    ----------
    beside
        Where paths begin.
    text
        A name.
    """
    there = bool(text.strip(".")) and os.path.isdir(beside / text)  # noqa: PTH112 (never raises)
    return f" (the directory {brief(text)} is written './{text}')" if there else ""


def dotted(path: KeyPath) -> str:
    """Return a path as ``models[2].layers``.

    Parameters
    ----------
    path
        Keys and indices from the root; the root itself is called ``file``.
    """
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.lstrip(".") or "file"


def read_text(path: Path, file: str, largest_bytes: int = MAX_FILE_BYTES, expected: str = BY_HAND) -> str:
    """Return a text file's contents.

    Parameters
    ----------
    path
        The file.
    file
        Its name in messages.
    largest_bytes, expected
        What is read at most, and what is expected instead of more.

    Raises
    ------
    InputError
        It does not exist, is a directory, is too large or is not UTF-8.
    """
    try:
        if path.is_dir():
            raise whole_file(file, "is a directory", "a file")
        with path.open("rb") as handle:
            content = handle.read(largest_bytes + 1)  # bounded: the path may be a device
        if len(content) > largest_bytes:
            raise whole_file(file, f"is larger than {largest_bytes} bytes", expected)
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise whole_file(file, "does not exist", "a file that can be read") from None
    except UnicodeDecodeError as error:
        raise whole_file(file, reason(error), "a UTF-8 text file") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise whole_file(file, reason(error), "a file that can be read") from None


def read_document(path: Path, file: str | None = None, *, last_wins: bool = False) -> Document:
    """Read a YAML file.

    Parameters
    ----------
    path
        The file.
    file
        Its name in messages; default: `path`.
    last_wins
        As for `parse_document`.

    Raises
    ------
    InputError
        The file cannot be read or is not the YAML that bitjoule accepts.
    """
    name = str(path) if file is None else file
    text, shipped = read_text(path, name), path.is_relative_to(DATA)
    return replace(parse_document(text, name, last_wins=last_wins, shipped=shipped), path=path)


def parse_document(text: str, file: str, *, last_wins: bool = False, shipped: bool = False) -> Document:
    """Parse YAML text; see `read_document`.

    Parameters
    ----------
    text
        The YAML.
    file
        The name used in messages.
    last_wins
        Whether the last of several equal keys counts, as in files that other tools read, instead of being an error.
    shipped
        Whether the text is of a file of this package.

    Raises
    ------
    InputError
        The text is not the YAML that bitjoule accepts: syntax, duplicate or non-text keys, unbounded aliases.
    """
    parse = _kept if len(text) <= LONGEST_KEPT else _parsed
    parsed = parse(text, file, last_wins, shipped)
    # Who asked may change what it got, but not what others get.
    return replace(parsed, data=_copied(parsed.data), lines=dict(parsed.lines), replaced=dict(parsed.replaced))


def _copied(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copied(value) for key, value in data.items()}
    return [_copied(value) for value in data] if isinstance(data, list) else data


def _parsed(text: str, file: str, last_wins: bool, shipped: bool) -> Document:
    kind = fast_loader() if shipped else CoreLoader
    loader = CoreLoader("")
    try:
        loader = kind(text)
        root = loader.get_single_node()
        if root is None:
            raise whole_file(file, "is empty", "a YAML mapping")
        builder = _Builder(file, loader, last_wins)
        data = builder.build(root, ())
        return Document(
            file, data, builder.lines, inherited=frozenset(builder.inherited), replaced=builder.replaced,
            repeated=tuple(builder.repeated),
        )  # fmt: skip
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InputError([Problem(file, line, "file", f"YAML: {error.problem or error}", "valid YAML")]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, max(error.position, 0)) + 1
        raise InputError(
            [Problem(file, line, "file", "contains a character that YAML does not allow", "plain text")]
        ) from None
    except RecursionError:
        raise whole_file(file, "is nested too deeply", "a few levels of keys") from None
    finally:
        loader.dispose()


_kept = lru_cache(KEPT)(_parsed)


class _Builder:
    """Turns a node tree into data, noting lines."""

    def __init__(self, file: str, loader: CoreLoader, last_wins: bool) -> None:
        self.file = file
        self.last_wins = last_wins
        self.repeated: list[KeyPath] = []
        self.loader = loader
        self.lines: dict[KeyPath, int] = {}
        self.open: set[int] = set()
        self.merged: dict[int, _Entries] = {}
        self.bases: dict[int, tuple[_Entries, _Entries]] = {}  # of a mapping with <<: what it merges, what it writes
        self.inherited: set[KeyPath] = set()
        self.replaced: dict[KeyPath, Any] = {}
        self.copied = 0

    def fail(self, node: yaml.Node, path: KeyPath, wrong: str, expected: str) -> InputError:
        return InputError([Problem(self.file, node.start_mark.line + 1, dotted(path), wrong, expected)])

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(self.lines) > MAX_VALUES:
            raise self.fail(node, path[:1], f"expands to more than {MAX_VALUES} values", FEWER)
        if id(node) in self.open:
            raise self.fail(node, path[:1], "an alias contains itself", "an alias of something else")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
            return self.scalar(node, path)
        finally:
            self.open.discard(id(node))

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, (key_node, value_node) in self.entries(node, path).items():
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            data[key] = self.build(value_node, (*path, key))
        merged, explicit = self.bases.get(id(node), ({}, {}))
        for key, (_, value_node) in merged.items():
            if key not in explicit:
                self.inherited.add((*path, key))
            elif isinstance(value_node, yaml.ScalarNode):
                self.replaced[(*path, key)] = self.scalar(value_node, path)
        return data

    def entries(self, node: yaml.MappingNode, path: KeyPath) -> _Entries:
        """Return a mapping's keys and values as nodes: the merged ones first, overridden by the explicit ones."""
        if id(node) in self.merged:
            return self.merged[id(node)]
        explicit: _Entries = {}
        merged: _Entries = {}
        for key_node, value_node in node.value:
            key = "<<" if key_node.tag == MERGE_TAG else self.key(key_node, path)
            if key in explicit and self.last_wins:
                self.repeated.append((*path, key))
            elif key in explicit:
                first_line = explicit[key][0].start_mark.line + 1
                raise self.fail(key_node, (*path, key), f"duplicate key, first on line {first_line}", "each key once")
            explicit[key] = key_node, value_node
            if key_node.tag == MERGE_TAG:
                merged = self.merge(key_node, value_node, (*path, key))
        if any(key_node.tag == MERGE_TAG for key_node, _ in explicit.values()):
            del explicit["<<"]
            self.bases[id(node)] = merged, explicit
        self.merged[id(node)] = {**merged, **explicit}
        return self.merged[id(node)]

    def merge(self, key: yaml.Node, node: yaml.Node, path: KeyPath) -> _Entries:
        """Return the entries of a mapping to be merged, or of a list of them; earlier ones have precedence."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: _Entries = {}
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                wrong = f"{brief(source.value) if isinstance(source, yaml.ScalarNode) else 'a list'} cannot be merged"
                raise self.fail(key, path, wrong, "an alias of a mapping, or a list of such")
            if id(source) in self.open:
                raise self.fail(key, path, "an alias contains itself", "an alias of something else")
            self.open.add(id(source))
            entries = self.entries(source, path)
            self.open.discard(id(source))
            self.copied += len(entries)
            if self.copied > MAX_VALUES:
                raise self.fail(key, path[:1], f"expands to more than {MAX_VALUES} values", FEWER)
            merged = {**entries, **merged}
        return merged

    def key(self, node: yaml.Node, path: KeyPath) -> str:
        key = self.scalar(node, path) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise self.fail(node, path, f"the key {brief(node.value)} is not text", "a name as key")
        return key

    def scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        try:
            value = self.loader.construct_object(node)
            if isinstance(value, str):
                value.encode()  # an escape can stand for half a character
        except (ValueError, OverflowError, KeyError, AttributeError, yaml.constructor.ConstructorError):
            raise self.fail(node, path, f"{brief(node.value)} is not a valid value", "text or a number") from None
        return value
