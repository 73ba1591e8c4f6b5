"""Values of the tensors in GGUF files, in float32.

Types that the gguf package dequantises are left to it. Those here it knows by name only (Q1_0) or not at all.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.energy_models.model_files.gguf_header import StoredTensor
from bitjoule.energy_models.model_files.tensor_types import tensor_types

Bytes = NDArray[np.uint8]
Float32s = NDArray[np.float32]
POWERS = np.array([1, 3, 9, 27, 81], dtype=np.uint8)


class DequantisationError(Exception):
    """No values can be had from a tensor: its type, or a package that is missing. `expected` says what would do."""

    def __init__(self, wrong: str, expected: str) -> None:
        self.expected = expected
        super().__init__(f"{wrong}; expected {expected}")
        self.wrong = wrong


def dequantise(stored: Bytes, type_name: str, shape: tuple[int, ...]) -> Float32s:
    """Return the values of a tensor, or of some of its rows.

    Parameters
    ----------
    stored
        Its bytes, shape (bytes,).
    type_name
        As data/tensor_types.yaml names it, e.g. ``TQ1_0``.
    shape
        The values' shape, rows first.

    Returns
    -------
    NDArray
        float32, of this shape. Scales in half precision are widened before they multiply.

    Raises
    ------
    DequantisationError
        The layout of the type is not known, or needs the gguf package and that is missing.
    ValueError
        The bytes do not make up that shape.
    """
    kind = tensor_types()[type_name]
    if stored.size != kind.size(shape):
        raise ValueError(f"{stored.size} bytes for shape {shape} of {type_name}, which takes {kind.size(shape)}")
    if type_name in PLAIN:
        return stored.view(PLAIN[type_name]).astype(np.float32).reshape(shape)
    if type_name == "I2_S":
        return _i2_s(stored, shape)
    if type_name in OWN:
        return OWN[type_name](stored.reshape(-1, kind.bytes)).reshape(shape)
    if type_name in ("TL1", "TL2"):
        wrong = f"the order of {type_name} values depends on the machine that the file was made for"
        raise DequantisationError(wrong, "the model as I2_S, TQ1_0, TQ2_0 or F16")
    return _with_gguf(stored.reshape(-1, kind.bytes), type_name).reshape(shape)


def read_tensor(tensor: StoredTensor, file: str, start: int = 0, stop: int | None = None) -> Float32s:
    """Return a tensor's values, or those of the rows from `start` to before `stop`.

    Parameters
    ----------
    tensor
        From `bitjoule.energy_models.model_files.gguf_header.read_gguf`.
    file
        The file's name in messages.
    start, stop
        Rows of the first axis; not for types with one scale a tensor (I2_S).

    Raises
    ------
    InputError
        The file is cut short or cannot be read, or the type cannot be dequantised.
    """
    rows = tensor.shape[0] if len(tensor.shape) > 1 else 1
    stop = rows if stop is None else stop
    row_bytes = tensor.bytes // rows
    whole = (start, stop) == (0, rows)
    shape = tensor.shape if whole else (stop - start, *tensor.shape[1:])
    count = tensor.bytes if whole else (stop - start) * row_bytes
    try:
        with tensor.path.open("rb") as handle:
            handle.seek(tensor.start + start * row_bytes)
            stored = np.fromfile(handle, np.uint8, count)
    except OSError as error:
        raise InputError(
            [Problem(file, 1, tensor.name, f"cannot be read: {error.strerror}", "a file that can be read")]
        ) from None
    if stored.size < count:
        raise InputError([Problem(file, 1, tensor.name, "is cut short", f"{count - stored.size} more bytes")])
    try:
        return dequantise(stored, tensor.type, shape)
    except DequantisationError as error:
        raise InputError([Problem(file, 1, tensor.name, error.wrong, error.expected)]) from None


def _scales(blocks: Bytes, at: int) -> Float32s:
    """Return the half-precision scale of each block, shape (blocks, 1)."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _q1_0(blocks: Bytes) -> Float32s:
    bits = np.unpackbits(blocks[:, 2:], axis=1, bitorder="little")
    return np.where(bits == 1, _scales(blocks, 0), -_scales(blocks, 0))


def _two_bits(blocks: Bytes) -> Float32s:
    """Return the values of blocks of a scale and 2-bit codes, the lowest bits first."""
    codes = blocks[:, 2:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8) & 3
    return _scales(blocks, 0) * (codes.reshape(len(blocks), -1).astype(np.float32) - 1)


def _ptq1_0(blocks: Bytes) -> Float32s:
    """Return the values of blocks of 16 and 8 bytes of five trits each, 2 bytes of four, and a scale."""
    parts = []
    for first, stop, digits in ((0, 16, 5), (16, 24, 5), (24, 26, 4)):
        shifted = blocks[:, None, first:stop] * POWERS[:digits, None]  # modulo 256: the digits before are shifted out
        parts.append((shifted.astype(np.uint16) * 3 >> 8).reshape(len(blocks), -1))
    return _scales(blocks, 26) * (np.concatenate(parts, axis=1).astype(np.float32) - 1)


def _i2_s(stored: Bytes, shape: tuple[int, ...]) -> Float32s:
    """Return 2-bit trits in blocks of 128 (bytes hold values 32 apart, highest bits first) times the tensor's scale."""
    if np.prod(shape) % 128:
        raise DequantisationError(f"{np.prod(shape)} values of I2_S", "whole blocks of 128")
    count = stored.size - tensor_types()["I2_S"].tail
    codes = stored[:count].reshape(-1, 1, 32) >> np.array([6, 4, 2, 0], dtype=np.uint8)[:, None] & 3
    scale = stored[count : count + 4].view("<f4")
    values: Float32s = (codes.astype(np.float32) - 1) * scale
    return values.reshape(shape)


def _with_gguf(blocks: Bytes, type_name: str) -> Float32s:
    try:
        import gguf
    except ImportError:
        wrong = f"values of {type_name} need the package gguf"
        raise DequantisationError(wrong, "it installed: pip install 'bitjoule[models]'") from None
    try:
        values = gguf.dequantize(blocks, gguf.GGMLQuantizationType[type_name])
    except (KeyError, NotImplementedError):
        raise DequantisationError(f"gguf has no values for {type_name}", "a file of another type") from None
    return np.asarray(values, dtype=np.float32)


PLAIN: Mapping[str, str] = {
    "F32": "<f4", "F16": "<f2", "F64": "<f8", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
}  # fmt: skip
OWN: Mapping[str, Callable[[Bytes], Float32s]] = {
    "Q1_0": _q1_0, "Q2_0": _two_bits, "Q2_0_G128": _two_bits, "PQ2_0": _two_bits, "PTQ1_0": _ptq1_0,
}  # fmt: skip
