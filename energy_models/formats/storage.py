"""Storage: how many bits a value takes in memory, and what it costs to get it out of its packing."""

from functools import cache
from typing import Annotated, Any, ClassVar, Self

from pydantic import Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.formats.formats import formats, mixed_products, width_bits
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate, wrong_value

AS_STORED = "as_stored"  # what the long table calls a storage that has no name


class Storage(Strict):
    """One way to store values.

    Parameters
    ----------
    holds
        Format of the values.
    word_bits, values
        Bits of a word, and values in it.
    group, scale_bits
        Values that share a scale, and its bits; 0 without scales.
    unpack
        Operations for each word between memory and array, e.g. ``{add int8: 4}``.
    nonzero
        Share of the values that are not zero by construction: N / M where N of M are not.
    planes
        Matrices whose weighted sum is one matrix; a word holds the values of all of them.
    source, where, note
        Citation key, the place in it, what was assumed.
    """

    instead: ClassVar[str] = "a name, or "

    holds: str
    word_bits: int = Field(gt=0)
    values: int = Field(default=1, gt=0)
    group: int = Field(default=0, ge=0)
    scale_bits: int = Field(default=0, ge=0)
    unpack: dict[str, float] = Field(default_factory=dict)
    nonzero: float = Field(default=1.0, gt=0, le=1)
    planes: int = Field(default=1, ge=1, le=8)
    source: str = ""
    where: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.holds not in formats():
            raise wrong_value(f"unknown format {self.holds!r}", ", ".join(formats()), "holds")
        if (self.group == 0) != (self.scale_bits == 0):
            raise wrong_value("only one of group and scale_bits is set", "both or neither", "group")
        return self

    @property
    def bits(self) -> float:
        """Bits of a value, its share of the scales included."""
        return self.word_bits / self.values + (self.scale_bits / self.group if self.group else 0.0)

    @property
    def width_bits(self) -> int:
        """Bits of a value once unpacked."""
        return width_bits(self.holds)


def _tag(value: Any) -> str:
    return "named" if isinstance(value, str) else "written"


NameOrStorage = Annotated[Annotated[str, Tag("named")] | Annotated[Storage, Tag("written")], Discriminator(_tag)]


class _Storages(Strict):
    """The file data/storage.yaml."""

    storage: dict[str, Storage]


@cache
def storages() -> dict[str, Storage]:
    """Return every way to store values, by name.

    Raises
    ------
    InputError
        data/storage.yaml is wrong.
    """
    return validate(_Storages, read_document(DATA / "storage.yaml")).storage


@cache
def counted_formats() -> tuple[str, ...]:
    """Return what the long table counts in: number formats, packings, none (cycles), mixed products, `AS_STORED`."""
    return (*dict.fromkeys((*formats(), *storages())), "", *mixed_products(), AS_STORED)


@cache
def plain_storage(number_format: str) -> str:
    """Return the default storage of a format.

    Parameters
    ----------
    number_format
        E.g. ``ternary``.
    """
    return next(name for name, storage in storages().items() if storage.holds == number_format)
