"""The resolver of names and paths, with one message for each error."""

import os
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from bitjoule.energy_models.inputs.documents import YAML, Document, KeyPath, folder_hint, is_path
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices
from bitjoule.energy_models.inputs.fingerprints import fingerprint
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
    in_folder, inside
        The file that a path to a folder refers to, and how another one is found there.
    digest
        Returns what is recorded of a file: what is behind its name, and the SHA-256; default: of the whole file.
    others
        Returns names that users may write instead of known ones, each with those that are meant.
    """

    kind: str
    known: Callable[[], Mapping[str, Value]]
    read: Callable[[Path], Value]
    file: str
    suffixes: tuple[str, ...] = YAML
    in_folder: str = ""
    inside: Callable[[Path], Path] | None = None
    digest: Callable[[Path], tuple[str, str]] | None = None
    others: Callable[[], Mapping[str, Sequence[str]]] = dict

    def name(self, path: Path) -> str:
        """Return the name of a file's entry: the file's, or its folder's where all such files have the same name.

        A snapshot in a cache of Hugging Face's hub, ``models--ORG--NAME/snapshots/HASH``, has the name of its model.

        Parameters
        ----------
        path
            The file.
        """
        if path.name != self.in_folder:
            return name_of(re.sub(r"-\d{5}-of-\d{5}$", "", path.stem), self.kind)  # the first of several shards
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
            if entries.in_folder and text not in by_name and (path := folder_hint(self.document.folder(at), text)):
                wrong, expected = unknown_name(entries.kind, text, ())[0] + path, choices(by_name)
                self.problems.append(self.document.problem(at, wrong, expected))
                return None
            return (
                LookupResult(text, by_name[text], from_file=False)
                if self.known(entries.kind, text, by_name, at, entries.others())
                else None
            )
        return self.file(entries, text, at)

    def file(self, entries: Entries[Value], text: str, at: KeyPath, instead: str = "") -> LookupResult[Value] | None:
        """Return the entry of a file, or none if there is a problem with it.

        Parameters
        ----------
        entries
            The kind of entry.
        text, at
            A path, and its place in the document.
        instead
            A hint at what may be meant if there is no such file.
        """
        path = self.document.folder(at) / text
        try:
            if os.path.isdir(path):  # noqa: PTH112 (never raises, whatever the name)
                inner = path / entries.in_folder if entries.in_folder else path
                path = entries.inside(path) if entries.inside else inner
            if not os.path.exists(path):  # noqa: PTH110
                self.problems.append(self.document.problem(at, f"{brief(text)} not found{instead}", entries.file))
                return None
            value = entries.read(path)
            behind, digest = entries.digest(path) if entries.digest else ("", fingerprint(path))
            self.inputs[text + behind] = digest
        except InputError as error:
            self.problems.extend(error.problems)
            return None
        return LookupResult(entries.name(path), value, from_file=True)

    def known(
        self, kind: str, name: str, known: Iterable[str], at: KeyPath, others: Mapping[str, Sequence[str]] | None = None
    ) -> bool:
        """Return whether a name is known; if not, add the problem.

        Parameters
        ----------
        kind
            The kind of entry that it should refer to.
        name, at
            The name and its place in the document.
        known
            The names that exist.
        others
            As of `Entries`; with them, names with other numbers are other things.
        """
        names = list(known)
        meant = (others or {}).get(name.lower(), ())
        if name not in names and meant:
            wrong = f"unknown {kind} {brief(name)} (did you mean {' or '.join(map(repr, meant))}?)"
            self.problems.append(self.document.problem(at, wrong, choices(names)))
        elif name not in names:
            self.problems.append(self.document.problem(at, *unknown_name(kind, name, names, bool(others))))
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
