"""What a model is read from: tensors by the names that transformers has for them, whatever file holds them."""

import re
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.reference.checks import Float32s

FLOATS = ("F64", "F32", "F16", "BF16")
BYTES = ("U8",)


class Tensors(Protocol):
    """The tensors of a model; only their headers are in memory.

    Every method raises `InputError` for a tensor that is missing or damaged, with the file and the tensor's name there.
    """

    file: str

    def __contains__(self, name: str) -> bool:
        """Return whether there is a tensor of a name."""
        ...

    def dtype(self, name: str) -> str:
        """Return a tensor's type as safetensors writes it; of other float types, ``F32``."""
        ...

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape."""
        ...

    def group(self, name: str) -> int | None:
        """Return how many values along a row share a scale, if the tensor's type holds trits with theirs."""
        ...

    def error(self, name: str, wrong: str, expected: str) -> InputError:
        """Return the error for a tensor that is wrong."""
        ...

    def check(self, name: str, shape: tuple[int, ...], dtypes: tuple[str, ...]) -> None:
        """Refuse a tensor that is missing or of another shape or type."""
        ...

    def refuse_others(self, ignored: re.Pattern[str]) -> None:
        """Refuse a tensor that `check` has not seen and whose name does not match."""
        ...

    def floats(self, name: str, shape: tuple[int, ...]) -> Float32s:
        """Return a tensor's values: float32 and finite."""
        ...

    def float_rows(self, name: str, start: int, stop: int) -> Float32s:
        """Return some rows of a tensor: float32 and finite."""
        ...

    def bytes(self, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return a tensor of bytes: uint8."""
        ...
