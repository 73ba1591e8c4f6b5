"""The resolver of names and paths, with one message for each error."""

import os
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from bitjoule.energy_models.inputs.documents import YAML, Document, KeyPath, fingerprint, is_path
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief
from bitjoule.energy_models.inputs.validation import unknown_name

Value = TypeVar("Value")


def name_of(stem: str, otherwise: str) -> str:
    """Return the name of something read from a file.

    Parameters
    ----------
    stem
        Of the file, or its folder.
    otherwise
        The name if no character of the stem is allowed in one.
    """
    return re.sub(r"[^A-Za-z0-9_.+-]", "-", stem).lstrip("_.+-")[:100] or otherwise


@dataclass(frozen=True)
class Entries(Generic[Value]):
    """A kind of entry that has a name or a file.

    Parameters
    ----------
    kind
        Name of the kind, e.g. ``platform``.
    known
        Returns the built-in entries, by name.
    read
        Reads a file.
    file
        What a path should refer to, for messages.
    suffixes
        Suffixes of such files.
    in_folder
        The file that a path to a folder refers to.
    """

    kind: str
    known: Callable[[], Mapping[str, Value]]
    read: Callable[[Path], Value]
    file: str
    suffixes: tuple[str, ...] = YAML
    in_folder: str = ""

    def name(self, path: Path) -> str:
        """Return the name of a file's entry: the file's, or its folder's where all such files have the same name.

        A snapshot in a cache of Hugging Face's hub, ``models--ORG--NAME/snapshots/HASH``, has the name of its model.

        Parameters
        ----------
        path
            The file.
        """
        if path.name != self.in_folder:
            return name_of(path.stem, self.kind)
        *_, model, snapshots, folder = ("", "", *path.parent.resolve().parts)
        in_cache = snapshots == "snapshots" and model.startswith("models--")
        return name_of(model.rpartition("--")[2] if in_cache else folder, self.kind)


class LookupResult(NamedTuple, Generic[Value]):
    """The result of a lookup.

    Parameters
    ----------
    name, value
        Name and value of the entry.
    from_file
        Whether it was read from a file, on which an inlined experiment must not depend.
    """

    name: str
    value: Value
    from_file: bool


@dataclass(frozen=True)
class Lookup:
    """Resolves the names in a document.

    Parameters
    ----------
    document
        The document, with file and lines; paths in it are relative to its folder.
    problems, inputs
        Problems, and the fingerprints of files by name as written, are added to these.
    """

    document: Document
    problems: list[Problem]
    inputs: dict[str, str]

    def find(self, entries: Entries[Value], text: str, at: KeyPath) -> LookupResult[Value] | None:
        """Return what a text refers to, or none if there is a problem with it.

        Parameters
        ----------
        entries
            The kind of entry.
        text
            A name or a path.
        at
            Its place in the document.
        """
        if not is_path(text, entries.suffixes):
            by_name = entries.known()
            return (
                LookupResult(text, by_name[text], from_file=False)
                if self.known(entries.kind, text, by_name, at)
                else None
            )
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
        return LookupResult(entries.name(path), value, from_file=True)

    def known(self, kind: str, name: str, known: Iterable[str], at: KeyPath) -> bool:
        """Return whether a name is known; if not, add the problem.

        Parameters
        ----------
        kind
            The kind of entry that it should refer to.
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
        """Add a problem if a name is already in use.

        Parameters
        ----------
        kind
            Kind of the entry.
        name, at
            Its name and its place in the document.
        earlier
            The names before it.
        """
        if name in earlier:
            self.problems.append(self.document.problem(at, f"duplicate {kind} {name!r}", "each name once"))
