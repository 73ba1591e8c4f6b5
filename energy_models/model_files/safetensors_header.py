"""The header of a safetensors file, which the format says is JSON without duplicate keys."""

import json
from typing import Any, BinaryIO

from bitjoule.energy_models.inputs.json_documents import unique

LARGEST_BYTES = 100_000_000  # the format's own limit


def read_header(handle: BinaryIO) -> tuple[dict[str, Any], int]:
    """Return the header and where the data begin, in bytes.

    The library of the format keeps the last of two tensors of one name.

    Parameters
    ----------
    handle
        The file, at its beginning.

    Raises
    ------
    ValueError
        The header is too large, not JSON, or lists a tensor twice.
    """
    length = int.from_bytes(handle.read(8), "little")
    if length > LARGEST_BYTES:
        raise ValueError("header too large")
    return json.loads(handle.read(length), object_pairs_hook=unique), 8 + length
