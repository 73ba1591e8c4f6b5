"""The one resolver of names and paths, with one text for each thing that can be wrong with them."""

import os
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from bitjoule.energy_models.inputs.documents import Document, KeyPath, fingerprint
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief
from bitjoule.energy_models.inputs.validation import unknown_name

Value = TypeVar("Value")
YAML = (".yaml", ".yml")


def is_path(text: str, suffixes: tuple[str, ...] = YAML) -> bool:
    """Return whether a text is meant as a path rather than as a name.

    Parameters
    ----------
    text
        Of an experiment or a command line.
    suffixes
        Of the files that are meant.
    """
    return "/" in text or text.endswith(suffixes)


def name_of(stem: str, otherwise: str) -> str:
    """Return the name of something read from a file.

    Parameters
    ----------
    stem
        Of the file, or its folder.
    otherwise
        Where nothing of it can stand in a name.
    """
    return re.sub(r"[^A-Za-z0-9_.+-]", "-", stem).lstrip("_.+-")[:100] or otherwise


@dataclass(frozen=True)
class Entries(Generic[Value]):
    """One kind of thing that has a name or a file.

    Parameters
    ----------
    kind
        What it is called, e.g. ``platform``.
    known
        Returns those that have a name.
    read
        Reads a file.
    file
        What a path should lead to, for messages.
    suffixes
        Of such files.
    in_folder
        The file that a path to a folder stands for.
    """

    kind: str
    known: Callable[[], Mapping[str, Value]]
    read: Callable[[Path], Value]
    file: str
    suffixes: tuple[str, ...] = YAML
    in_folder: str = ""

    def name(self, path: Path) -> str:
        """Return the name of what a file holds: its own, or its folder's where all such files are called alike.

        Parameters
        ----------
        path
            The file.
        """
        stem = path.parent.resolve().name if path.name == self.in_folder else path.stem
        return name_of(stem, self.kind)


class Found(NamedTuple, Generic[Value]):
    """What a name or a path stands for.

    Parameters
    ----------
    name, value
        The thing.
    of_file
        Whether it was read from a file, which an experiment that is written out cannot rely on.
    """

    name: str
    value: Value
    of_file: bool


@dataclass(frozen=True)
class Lookup:
    """Resolves what one document names.

    Parameters
    ----------
    document
        Names file and lines; paths in it are relative to its folder.
    problems, inputs
        Where problems, and the fingerprints of files by name as written, are added.
    """

    document: Document
    problems: list[Problem]
    inputs: dict[str, str]

    def find(self, entries: Entries[Value], text: str, at: KeyPath) -> Found[Value] | None:
        """Return what a text stands for, or none if there is a problem with it.

        Parameters
        ----------
        entries
            The kind of thing.
        text
            A name or a path.
        at
            Its place in the document.
        """
        if not is_path(text, entries.suffixes):
            known = entries.known()
            return Found(text, known[text], of_file=False) if self.known(entries.kind, text, known, at) else None
        path = self.document.folder(at) / text
        path = path / entries.in_folder if entries.in_folder and os.path.isdir(path) else path  # noqa: PTH112
        if not os.path.exists(path):  # noqa: PTH110 (never raises, whatever the name)
            self.problems.append(self.document.problem(at, f"{brief(text)} not found", entries.file))
            return None
        try:
            value = entries.read(path)
            self.inputs[text] = fingerprint(path)
        except InputError as error:
            self.problems.extend(error.problems)
            return None
        return Found(entries.name(path), value, of_file=True)

    def known(self, kind: str, name: str, known: Iterable[str], at: KeyPath) -> bool:
        """Return whether a name is known; if not, add the problem.

        Parameters
        ----------
        kind
            What it should name.
        name, at
            The name and its place in the document.
        known
            The names that exist.
        """
        names = list(known)
        if name not in names:
            self.problems.append(self.document.problem(at, *unknown_name(kind, name, names)))
        return name in names

    def once(self, kind: str, name: str, earlier: Container[str], at: KeyPath) -> None:
        """Add a problem if there is one of that name already.

        Parameters
        ----------
        kind
            What it is.
        name, at
            Its name and its place in the document.
        earlier
            The names before it.
        """
        if name in earlier:
            self.problems.append(self.document.problem(at, f"duplicate {kind} {name!r}", "each name once"))
