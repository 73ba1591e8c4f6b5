"""The types of tensors in GGUF files: their names, codes and sizes, from data/tensor_types.yaml."""

import math
from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from bitjoule.energy_models.formats.formats import check_format
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate


class TensorType(Strict):
    """One type of tensor.

    Parameters
    ----------
    code
        In a tensor's header.
    values, bytes
        Values of a block, and its bytes.
    tail
        Bytes behind the last block.
    rule
        Bytes by a rule of their own.
    holds
        Number format that holds a value without its scale; empty for what is no weight.
    unpack
        Operations for each block between memory and array.
    source, where
        Citation key and the place in it, where they are not the file's.
    """

    code: int = Field(ge=0)
    values: int = Field(gt=0)
    bytes: int = Field(gt=0)
    tail: int = Field(default=0, ge=0)
    rule: Literal["", "tl2"] = ""
    holds: str = ""
    unpack: dict[str, float] = Field(default_factory=dict)
    source: str = ""
    where: str = ""

    def size(self, shape: tuple[int, ...]) -> int:
        """Return the bytes of a tensor.

        Parameters
        ----------
        shape
            Its shape, rows first.

        Raises
        ------
        ValueError
            A row is not a whole number of blocks.
        """
        columns, rows = shape[-1], math.prod(shape[:-1])
        if self.rule == "tl2":  # three trits in five bits, the last 256 of a row two in four; padded to 32 bytes
            packed = max(columns - 256, 0) * rows // 3 * 5 // 8 + 256 * rows // 2 * 4 // 8
            return -(-packed // 32) * 32 + 32
        if (columns * rows if self.tail else columns) % self.values:
            raise ValueError(f"a row of {columns} values is not a multiple of {self.values}")
        return columns * rows // self.values * self.bytes + self.tail


class _Types(Strict):
    """The file data/tensor_types.yaml."""

    source: str
    where: str
    types: dict[str, TensorType]

    @model_validator(mode="after")
    def _formats_exist(self) -> Self:
        for name, tensor_type in self.types.items():
            if tensor_type.holds:
                check_format(tensor_type.holds, "types", name, "holds")
        return self


@cache
def tensor_types() -> dict[str, TensorType]:
    """Return every type of tensor in GGUF files, by name.

    Raises
    ------
    InputError
        data/tensor_types.yaml is wrong.
    """
    return validate(_Types, read_document(DATA / "tensor_types.yaml")).types


@cache
def by_code() -> dict[int, tuple[str, ...]]:
    """Return the names of the types that a code stands for."""
    codes: dict[int, tuple[str, ...]] = {}
    for name, tensor_type in tensor_types().items():
        codes[tensor_type.code] = (*codes.get(tensor_type.code, ()), name)
    return codes
