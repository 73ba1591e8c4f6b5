"""The tensors of a Hugging Face folder, read one by one: ``model.safetensors``, or shards with an index.

Only the headers stay in memory. A tensor is read when it is requested, checked, and widened to float32 on the way:
NumPy has no bfloat16, whose 16 bits are the upper half of a float32.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from bitjoule.energy_models.inputs.documents import read_text
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices, reason, suggestion, whole_file
from bitjoule.energy_models.model_files.safetensors_header import read_header
from bitjoule.sim.llm.checkpoints.tensors import BYTES, FLOATS
from bitjoule.sim.reference.checks import Float32s

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_STORED = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "U8": "u1",
}  # fmt: skip


@dataclass(frozen=True)
class _Tensor:
    """A tensor's place: its file, type, shape and first byte."""

    path: Path
    file: str
    dtype: str
    shape: tuple[int, ...]
    start: int


class Checkpoint:
    """The tensors of a folder; opening it reads the headers alone.

    Parameters
    ----------
    folder
        Holds ``model.safetensors`` or ``model.safetensors.index.json`` with its shards.
    file
        The folder's name in messages; default: `folder`.

    Raises
    ------
    InputError
        A file is missing, cut short or no safetensors, or the index does not fit its shards.
    """

    def __init__(self, folder: Path, file: str | None = None) -> None:
        self.file = file or str(folder)
        if (folder / SINGLE).exists() or not (folder / INDEX).exists():
            self._main = f"{self.file}/{SINGLE}"
            self._tensors: Mapping[str, _Tensor] = _read_header(folder / SINGLE, self._main)
        else:
            self._main = f"{self.file}/{INDEX}"
            self._tensors = _read_index(folder, self.file)
        self._checked: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def dtype(self, name: str) -> str:
        """Return a tensor's type as safetensors writes it, e.g. ``BF16``.

        Parameters
        ----------
        name
            The tensor.

        Raises
        ------
        InputError
            There is no such tensor.
        """
        return self._tensor(name).dtype

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape.

        Parameters
        ----------
        name
            The tensor.

        Raises
        ------
        InputError
            There is no such tensor.
        """
        return self._tensor(name).shape

    def group(self, name: str) -> int | None:  # noqa: ARG002
        """Return None: no type of safetensors holds trits with their scale; see `Tensors.group`."""
        return None

    def error(self, name: str, wrong: str, expected: str) -> InputError:
        """Return the error for a tensor that is wrong.

        Parameters
        ----------
        name
            The tensor.
        wrong, expected
            As for `Problem`.
        """
        file = self._tensors[name].file if name in self._tensors else self._main
        return InputError([Problem(file, 1, name, wrong, expected)])

    def check(self, name: str, shape: tuple[int, ...], dtypes: tuple[str, ...]) -> None:
        """Refuse a tensor that is missing or of another type or shape, from the header alone.

        Parameters
        ----------
        name
            The tensor.
        shape
            What the configuration asks for.
        dtypes
            The types allowed, as safetensors writes them.

        Raises
        ------
        InputError
            Names the file and the tensor.
        """
        self._checked.add(name)
        tensor = self._tensor(name)
        if tensor.dtype not in dtypes:
            raise self.error(name, f"holds {tensor.dtype}", choices(dtypes))
        if tensor.shape != shape:
            raise self.error(name, f"has shape {list(tensor.shape)}", f"{list(shape)}, according to config.json")

    def refuse_others(self, ignored: re.Pattern[str]) -> None:
        """Refuse a tensor that `check` has not seen: the model would run without it.

        Parameters
        ----------
        ignored
            Names of tensors that are allowed nevertheless, matched in full.

        Raises
        ------
        InputError
            Names the first one.
        """
        for name in self._tensors:
            if name not in self._checked and not ignored.fullmatch(name):
                raise self.error(name, "is not used by this model", "tensors that config.json requires")

    def floats(self, name: str, shape: tuple[int, ...]) -> Float32s:
        """Read a tensor of floats: float32 and finite.

        Parameters
        ----------
        name
            The tensor.
        shape
            Its shape after the configuration.

        Raises
        ------
        InputError
            Missing, another type or shape, cut short, or values that are not finite in float32.
        """
        self.check(name, shape, FLOATS)
        return self._widened(name, self._read(name, 0, math.prod(shape))).reshape(shape)

    def float_rows(self, name: str, start: int, stop: int) -> Float32s:
        """Read some rows of a tensor of floats: float32 and finite, shape (stop − start, ...).

        Parameters
        ----------
        name
            The tensor, which `check` let pass.
        start, stop
            The first row, and the one after the last.

        Raises
        ------
        InputError
            Missing, cut short, or values that are not finite in float32.
        """
        tensor = self._tensor(name)
        width = math.prod(tensor.shape[1:])
        values = self._widened(name, self._read(name, start * width, (stop - start) * width))
        return values.reshape(stop - start, *tensor.shape[1:])

    def bytes(self, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Read a tensor of bytes: uint8.

        Parameters
        ----------
        name
            The tensor.
        shape
            Its shape after the configuration.

        Raises
        ------
        InputError
            Missing, another type or shape, or cut short.
        """
        self.check(name, shape, BYTES)
        return self._read(name, 0, math.prod(shape)).reshape(shape)

    def _tensor(self, name: str) -> _Tensor:
        if name not in self._tensors:
            raise self.error(name, "is missing", f"a tensor of this name{suggestion(name, self._tensors)}")
        return self._tensors[name]

    def _read(self, name: str, first: int, count: int) -> NDArray[Any]:
        tensor = self._tensors[name]
        dtype = np.dtype(_STORED[tensor.dtype])
        try:
            with tensor.path.open("rb") as handle:  # no memory map: a file cut short meanwhile would end the process
                handle.seek(tensor.start + first * dtype.itemsize)
                values: NDArray[Any] = np.fromfile(handle, dtype, count)
        except OSError as error:
            raise self.error(name, f"cannot be read: {error.strerror}", "a file that can be read") from None
        if values.size < count:
            raise self.error(name, "is truncated", f"{count * dtype.itemsize} more bytes")
        return values

    def _widened(self, name: str, values: NDArray[Any]) -> Float32s:
        if self._tensors[name].dtype == "BF16":
            wide = (values.astype("<u4") << np.uint32(16)).view("<f4")
        else:
            with np.errstate(over="ignore"):  # becomes inf, refused below
                wide = values.astype(np.float32, copy=False)
        if not np.isfinite(wide).all():
            at = int(np.flatnonzero(~np.isfinite(wide))[0])
            raise self.error(name, f"holds {wide.flat[at]} in float32", "finite weights")
        return wide


def _read_header(path: Path, file: str) -> dict[str, _Tensor]:
    if not path.exists():
        raise whole_file(file, "does not exist", f"{SINGLE}, or shards and {INDEX}")
    try:
        with safe_open(path, framework="np"):  # checks offsets, sizes and the file's length
            pass
        with path.open("rb") as handle:
            return dict(_entries(handle, path, file))
    except (SafetensorError, ValueError) as error:
        raise _damaged(path, file, str(error)) from None
    except OSError as error:
        raise whole_file(file, reason(error), "a safetensors file") from None


def _entries(handle: BinaryIO, path: Path, file: str) -> Iterator[tuple[str, _Tensor]]:
    header, data = read_header(handle)
    for name, entry in header.items():
        if name != "__metadata__":
            yield name, _Tensor(path, file, entry["dtype"], tuple(entry["shape"]), data + entry["data_offsets"][0])


def _damaged(path: Path, file: str, wrong: str) -> InputError:
    """Return the error for a file that safetensors refuses, with the first tensor that is cut off."""
    key, expected = "file", "a complete safetensors file"
    try:
        with path.open("rb") as handle:
            tensors = sorted(_entries(handle, path, file), key=lambda item: item[1].start)
        size = path.stat().st_size
        for name, tensor in tensors:
            end = tensor.start + math.prod(tensor.shape) * np.dtype(_STORED.get(tensor.dtype, "u1")).itemsize
            if end > size:
                return InputError([Problem(file, 1, name, f"ends {end - size} bytes after the file", expected)])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass  # the header itself is damaged
    return InputError([Problem(file, 1, key, brief(wrong, 200)[1:-1], expected)])


def _read_index(folder: Path, file: str) -> dict[str, _Tensor]:
    index = f"{file}/{INDEX}"
    try:
        document = json.loads(read_text(folder / INDEX, index))
    except (ValueError, RecursionError) as error:
        raise whole_file(index, f"JSON: {brief(str(error), 200)[1:-1]}", "valid JSON") from None
    places = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(shard, str) for shard in places.values()):
        raise InputError([Problem(index, 1, "weight_map", "is missing or wrong", "the shard of every tensor")])
    shards: dict[str, dict[str, _Tensor]] = {}
    tensors: dict[str, _Tensor] = {}
    for name, shard in places.items():
        if shard not in shards:
            if Path(shard).name != shard:
                raise InputError([Problem(index, 1, name, f"is in {brief(shard)}", "a file in the same directory")])
            if not (folder / shard).is_file():
                raise InputError(
                    [Problem(f"{file}/{shard}", 1, name, "the shard does not exist", f"a shard listed in {INDEX}")]
                )
            shards[shard] = _read_header(folder / shard, f"{file}/{shard}")
        if name not in shards[shard]:
            raise InputError([Problem(f"{file}/{shard}", 1, name, "is missing", f"this tensor, as listed in {INDEX}")])
        tensors[name] = shards[shard][name]
    return tensors
