"""The header of a GGUF file: its keys, and the name, type, shape and place of each tensor.

The gguf package reads headers, too, but refuses files with a type that it does not know, and maps the file: one that is
cut short meanwhile would end the process. Here tensors stay on disk, and lists of texts (vocabularies) are skipped.
"""

import math
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices, reason, whole_file
from bitjoule.energy_models.model_files.tensor_types import by_code, tensor_types

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32
MOST_DIMENSIONS = 4
MOST_VALUES = 100_000  # of a list of numbers that is kept
SHARD = re.compile(r"^(.*)-(\d{5})-of-(\d{5})\.gguf$")
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9


class Skipped(NamedTuple):
    """A list that was not kept: texts, or very many numbers.

    Parameters
    ----------
    number
        Its items.
    """

    number: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor's place.

    Parameters
    ----------
    name, type, shape
        Its name; its type, as data/tensor_types.yaml names it; its shape, rows first, as NumPy has it.
    path, start, bytes
        The file that holds it, its first byte there, and how many it takes.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    path: Path
    start: int
    bytes: int

    @property
    def values(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of its model.

    Parameters
    ----------
    file
        Its name in messages.
    metadata
        Values by key: numbers, truth values, texts, lists of numbers; `Skipped` for other lists.
    tensors
        By name, in the order of the file; those of all shards.
    """

    file: str
    metadata: Mapping[str, Any]
    tensors: Mapping[str, StoredTensor]

    def error(self, key: str, wrong: str, expected: str) -> InputError:
        """Return the error for a key or a tensor that is wrong.

        Parameters
        ----------
        key
            The key, or the tensor's name.
        wrong, expected
            As for `Problem`.
        """
        return InputError([Problem(self.file, 1, key, wrong, expected)])


def read_gguf(path: Path, file: str | None = None) -> GgufHeader:
    """Read the header of a GGUF file, and of the further shards if it is the first of several.

    Parameters
    ----------
    path
        The file.
    file
        Its name in messages; default: `path`.

    Raises
    ------
    InputError
        The file cannot be read, is no GGUF file of a known version, is cut short, or has a tensor of an unknown type
        or one whose size does not fit its type.
    """
    name = file or str(path)
    header = _read_one(path, name)
    count = header.metadata.get("split.count", 1)
    shard = SHARD.match(path.name)
    if type(count) is not int or count < 2:
        return header
    if shard is None or int(shard[3]) != count or int(shard[2]) != 1:
        wrong = f"is one of {count} shards"
        raise header.error("split.count", wrong, f"the path of the first: NAME-00001-of-{count:05}.gguf")
    tensors = dict(header.tensors)
    for i in range(2, count + 1):
        further = path.with_name(f"{shard[1]}-{i:05}-of-{count:05}.gguf")
        if not further.exists():
            raise header.error("split.count", f"{further.name} not found", f"all {count} shards in one directory")
        tensors |= _read_one(further, str(Path(name).with_name(further.name))).tensors
    return replace(header, tensors=tensors)


def _read_one(path: Path, file: str) -> GgufHeader:
    try:
        if path.is_dir():
            raise whole_file(file, "is a directory", "a GGUF file")
        with path.open("rb") as handle:
            return _Reader(handle, path, file, path.stat().st_size).read()
    except FileNotFoundError:
        raise whole_file(file, "does not exist", "a GGUF file") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise whole_file(file, reason(error), "a GGUF file") from None


class _Entry(NamedTuple):
    """A tensor as the header lists it."""

    name: str
    shape: tuple[int, ...]
    code: int
    offset: int


class _Reader:
    """Reads one file from its beginning."""

    def __init__(self, handle: BinaryIO, path: Path, file: str, size: int) -> None:
        self.handle = handle
        self.path = path
        self.file = file
        self.size = size
        self.key = "file"  # what is being read, for messages

    def fail(self, wrong: str, expected: str) -> InputError:
        return InputError([Problem(self.file, 1, self.key, wrong, expected)])

    def read(self) -> GgufHeader:
        if self.handle.read(4) != MAGIC:
            raise self.fail("is not a GGUF file: it does not begin with GGUF", "a model file of llama.cpp (.gguf)")
        version = self.number("I")
        if version % (1 << 16) == 0 and version:
            raise self.fail("is a big-endian GGUF file", "a little-endian one (gguf-convert-endian FILE little)")
        if version not in VERSIONS:
            raise self.fail(f"is GGUF version {version}", f"version {' or '.join(map(str, VERSIONS))}")
        tensors, keys = self.number("Q"), self.number("Q")
        self.fits(tensors * 24 + keys * 13)
        metadata: dict[str, Any] = {}
        for _ in range(keys):
            self.key = "file"
            self.key = self.text()
            if self.key in metadata:
                raise self.fail("duplicate key", "each key once")
            metadata[self.key] = self.value(self.number("I"))
        entries: dict[str, _Entry] = {}
        for _ in range(tensors):
            self.key = "file"
            entry = self.tensor()
            if entry.name in entries:
                raise self.fail("duplicate tensor", "each name once")
            entries[entry.name] = entry
        self.key = "general.alignment"
        alignment = metadata.get(self.key, ALIGNMENT)
        if type(alignment) is not int or alignment < 1 or alignment & (alignment - 1):
            raise self.fail(f"got {brief(alignment)}", "a power of two")
        start = -(-self.handle.tell() // alignment) * alignment
        return GgufHeader(self.file, metadata, self.placed(list(entries.values()), start, alignment))

    def fits(self, count: int) -> None:
        """Refuse what would lie beyond the end of the file, before memory is taken for it."""
        if self.handle.tell() + count > self.size:
            raise self.fail(f"is cut short: the file ends after {self.size} bytes", "a complete GGUF file")

    def number(self, code: str) -> Any:
        size = struct.calcsize("<" + code)
        self.fits(size)
        return struct.unpack("<" + code, self.handle.read(size))[0]

    def text(self) -> str:
        length = self.number("Q")
        self.fits(length)
        try:
            return self.handle.read(length).decode()
        except UnicodeDecodeError:
            raise self.fail("a text is not valid UTF-8", "a GGUF file as gguf or llama.cpp write it") from None

    def value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self.text()
        if kind == _LIST:
            return self.list_of(self.number("I"), self.number("Q"))
        if kind not in _SCALARS:
            raise self.fail(f"unknown type of value {kind}", choices(map(str, sorted((*_SCALARS, _TEXT, _LIST)))))
        return self.number(_SCALARS[kind])

    def list_of(self, kind: int, count: int) -> Any:
        if kind == _TEXT:
            self.fits(8 * count)
            for _ in range(count):
                length = self.number("Q")
                self.fits(length)
                self.handle.seek(length, 1)
            return Skipped(count)
        if kind not in _SCALARS:
            raise self.fail(f"a list of type {kind}", "a list of numbers or texts")
        size = struct.calcsize("<" + _SCALARS[kind])
        self.fits(size * count)
        if count > MOST_VALUES:
            self.handle.seek(size * count, 1)
            return Skipped(count)
        return list(struct.unpack(f"<{count}{_SCALARS[kind]}", self.handle.read(size * count)))

    def tensor(self) -> _Entry:
        name = self.key = self.text()
        dimensions = self.number("I")
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise self.fail(f"has {dimensions} dimensions", f"1 to {MOST_DIMENSIONS}")
        sizes = [self.number("Q") for _ in range(dimensions)]
        if not all(sizes):
            raise self.fail(f"has the shape {sizes[::-1]}", "at least one value")
        code = self.number("I")
        if code not in by_code():
            known = ", ".join(f"{number} ({' or '.join(names)})" for number, names in by_code().items())
            raise self.fail(f"unknown tensor type {code}", f"one of {known}")
        return _Entry(name, tuple(reversed(sizes)), code, self.number("Q"))

    def placed(self, entries: list[_Entry], start: int, alignment: int) -> dict[str, StoredTensor]:
        """Return the tensors with their sizes, which must fill the file."""
        ordered = sorted(entries, key=lambda entry: entry.offset)
        ends = [*(entry.offset for entry in ordered[1:]), self.size - start]
        room = {entry.name: ends[i] - entry.offset for i, entry in enumerate(ordered)}
        last = ordered[-1].name if ordered else ""
        names = {
            code: self.meant(code, [entry for entry in entries if entry.code == code], room, last, alignment)
            for code in dict.fromkeys(entry.code for entry in entries)
        }
        tensors = {}
        for entry in entries:
            self.key = entry.name
            try:
                size = tensor_types()[names[entry.code]].size(entry.shape)
            except ValueError as error:
                raise self.fail(f"{error}, a block of {names[entry.code]}", "whole blocks") from None
            place = start + entry.offset
            if entry.name == last and place + size > self.size:
                wrong = f"is cut short: it ends {place + size - self.size} bytes after the file"
                raise self.fail(wrong, f"{size} bytes of {names[entry.code]}")
            if not _fill(size, room[entry.name], alignment, entry.name == last):
                wrong = f"has {room[entry.name]} bytes"
                raise self.fail(wrong, f"{size} bytes of {names[entry.code]}, padded to a multiple of {alignment}")
            tensors[entry.name] = StoredTensor(entry.name, names[entry.code], entry.shape, self.path, place, size)
        return tensors

    def meant(self, code: int, entries: Iterable[_Entry], room: Mapping[str, int], last: str, alignment: int) -> str:
        """Return the type that a code stands for in this file: the first whose sizes fit."""
        for name in by_code()[code]:
            try:
                if all(
                    _fill(tensor_types()[name].size(e.shape), room[e.name], alignment, e.name == last) for e in entries
                ):
                    return name
            except ValueError:
                continue
        return by_code()[code][0]


def _fill(size: int, room: int, alignment: int, last: bool) -> bool:
    """Return whether a tensor fills its room but for padding; the last one's may be left out."""
    padded = -(-size // alignment) * alignment
    return size <= room <= padded if last else room == padded
