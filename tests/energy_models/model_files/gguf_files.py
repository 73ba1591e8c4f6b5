"""GGUF files written by the gguf package, and by hand where it cannot."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
from numpy.typing import NDArray

Stored = tuple[int, tuple[int, ...], bytes]


def write_gguf(path: Path, architecture: str, keys: Mapping[str, Any], tensors: Mapping[str, Any]) -> Path:
    """Write a file with the gguf package; a tensor is an array, or bytes with their type and shape."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in keys.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        else:
            writer.add_string(key, value)
    for name, tensor in tensors.items():
        if isinstance(tensor, tuple):
            values, kind = tensor
            writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def text(value: str) -> bytes:
    """A text as the format has it."""
    return struct.pack("<Q", len(value)) + value.encode()


def raw_gguf(path: Path, keys: Mapping[str, bytes], tensors: Mapping[str, Stored], version: int = 3) -> Path:
    """Write a file byte by byte: values of keys with their types, tensors as (code, shape, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    head += b"".join(text(key) + value for key, value in keys.items())
    data = b""
    for name, (code, shape, stored) in tensors.items():
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape))
        head += struct.pack("<IQ", code, len(data))
        data += stored + b"\0" * (-len(stored) % 32)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)
    return path


def halves(values: NDArray[Any]) -> bytes:
    """Half-precision bytes."""
    return values.astype("<f2").tobytes()
