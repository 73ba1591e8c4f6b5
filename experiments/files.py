"""Experiment files: built-in ones, a user's own, and overrides of their values."""

import os
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from bitjoule.energy_models.inputs.documents import Document, KeyPath, dotted, parse_document, read_document
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief
from bitjoule.energy_models.inputs.validation import Strict, named_file

SHIPPED = Path(__file__).parent / "shipped"
Overrides = Sequence[str] | Mapping[str, Any]


class ExperimentFile(Strict):
    """Keys of an experiment file of any kind; a kind's schema adds its own."""

    name: str = Field(pattern=r"^[a-z0-9_]+$", max_length=100, description="name of the output directory")
    description: str = Field(default="", description="description of the experiment")

    @property
    @abstractmethod
    def size(self) -> str:
        """Size of the run, e.g. ``36 cases``: for ``bitjoule check`` and ``bitjoule list experiments``."""


def shipped_experiments(kind: str = "*") -> dict[str, Path]:
    """Return the built-in experiments, by name.

    Parameters
    ----------
    kind
        ``energy``, ``exploration``, ``hardware``, ``netlists``, ``prices`` or ``serving``; default: all.
    """
    return {path.stem: path for path in sorted(SHIPPED.glob(f"{kind}/*.yaml"))}


def find_experiment(argument: str) -> Path:
    """Return the file that a command-line argument refers to.

    Parameters
    ----------
    argument
        A file, or the name of a shipped experiment.

    Raises
    ------
    InputError
        It is neither.
    """
    return named_file("experiment", argument, shipped_experiments())


def open_experiment(
    experiment: "str | os.PathLike[str] | Mapping[str, Any]", overrides: Overrides = (), file: str = "experiment"
) -> Document:
    """Return an experiment of any kind with values changed.

    Parameters
    ----------
    experiment
        A shipped name, a YAML file, or a mapping with the contents of a file.
    overrides
        ``key=value`` texts, as of ``--set`` (dotted key, value in YAML), or a mapping of dotted keys to values; a
        mapping inside it changes the keys below.
    file
        Name of a mapping in messages.

    Raises
    ------
    InputError
        There is no such experiment, the file is not YAML, a text is not ``key=value``, or a key does not exist.
    """
    if isinstance(experiment, Mapping):
        document = Document(file, _plain(experiment), {(): 1})
    else:
        path = find_experiment(experiment) if isinstance(experiment, str) else Path(experiment)
        document = read_document(path)
    return overridden(document, overrides)


def overridden(document: Document, overrides: Overrides) -> Document:
    """Return a document with values changed.

    Parameters
    ----------
    document
        As written.
    overrides
        As for `open_experiment`.

    Raises
    ------
    InputError
        A text is not ``key=value``, or its key does not exist.
    """
    if overrides and document.original is None:
        document = replace(document, original=document.data)
    if isinstance(overrides, Mapping):
        for key, value in _leaves(overrides):
            if not _key_path(key):
                raise InputError([Problem("overrides", 1, "key", f"got {brief(key)}", "a dotted key")])
            document = _override(document, key, _plain(value), f"override of {dotted(_key_path(key))}")
        return document
    for text in overrides:
        origin = f"--set {brief(text)[1:-1]}"
        key, equals, value = text.partition("=")
        if not equals or not _key_path(key):
            raise InputError([Problem(origin, 1, key or "key", "is not key=value", "e.g. workload.prompt_tokens=1024")])
        document = _override(document, key, parse_document(value, origin).data if value.strip() else None, origin)
    return document


def _key_path(key: str) -> KeyPath:
    """Return a dotted key as a path."""
    names = [name for name in re.split(r"[.\[\]]+", key) if name]
    return tuple(int(name) if re.fullmatch(r"[0-9]{1,9}", name) else name for name in names)


def _leaves(overrides: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values of nested mappings."""
    for key, value in overrides.items():
        dotted_key = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, dotted_key)
        else:
            yield dotted_key, value


def _plain(value: Any) -> Any:
    """Return Python data in the types that YAML has."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def _override(document: Document, key: str, value: Any, origin: str) -> Document:
    """Return the document with one value set."""
    key_path = _key_path(key)

    def replaced(data: Any, path: KeyPath) -> Any:
        if not path:
            return value
        head, rest = path[0], path[1:]
        if isinstance(data, list) and isinstance(head, int) and head < len(data):
            return [replaced(item, rest) if i == head else item for i, item in enumerate(data)]
        if isinstance(data, dict) and isinstance(head, str):
            return {**data, head: replaced(data.get(head, {} if rest else None), rest)}
        raise InputError([Problem(origin, 1, key or "key", "does not lead to a value", "a key of the experiment")])

    origins = {place: earlier for place, earlier in document.origins.items() if place[: len(key_path)] != key_path}
    return replace(document, data=replaced(document.data, key_path), origins={**origins, key_path: origin})
