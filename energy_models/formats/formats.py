"""Number formats: how wide a value is, whether it needs a multiplier, how unprinted prices are derived."""

from collections.abc import Callable
from functools import cache
from itertools import permutations
from typing import Literal, Self

from pydantic import Field, model_validator

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import OneOf, Strict, unknown_name, validate, wrong_value


class NumberFormat(Strict):
    """One number format.

    Parameters
    ----------
    bits
        Of a value once unpacked.
    kind
        ``ternary`` is −1, 0, +1; ``binary`` is ±1.
    priced_between
        Two formats; where no row prices this one, its price lies on the log-log line over the bits through theirs.
    scales
        Whether values share a scale; default: all but floating-point ones.
    in_schemes
        Whether a scheme may compute in it.
    """

    bits: int = Field(gt=0, le=64)
    kind: Literal["float", "integer", "ternary", "binary"]
    priced_between: list[str] | None = Field(default=None, min_length=2, max_length=2)
    scales: bool | None = None
    in_schemes: bool = True

    @property
    def add_only(self) -> bool:
        """Whether products with weights of this format need no multiplication."""
        return self.kind in ("ternary", "binary")

    @property
    def scaled(self) -> bool:
        """Whether values share a scale, so that sums of products are multiplied by scales."""
        return self.kind != "float" if self.scales is None else self.scales


class _Formats(Strict):
    """The file data/formats.yaml."""

    formats: dict[str, NumberFormat]

    @model_validator(mode="after")
    def _bounds_exist(self) -> Self:
        for name, number_format in self.formats.items():
            for i, bound in enumerate(number_format.priced_between or ()):
                if bound not in self.formats:
                    raise wrong_value(
                        *unknown_name("format", bound, self.formats), "formats", name, "priced_between", i
                    )
            narrow, wide = number_format.priced_between or ("", "")
            if narrow and self.formats[narrow].bits >= self.formats[wide].bits:
                wrong = f"{narrow} is not narrower than {wide}"
                raise wrong_value(wrong, "the narrower format first", "formats", name, "priced_between")
        return self


@cache
def formats() -> dict[str, NumberFormat]:
    """Return every number format, by name.

    Raises
    ------
    InputError
        data/formats.yaml is wrong.
    """
    return validate(_Formats, read_document(DATA / "formats.yaml")).formats


def width_bits(name: str) -> int:
    """Return the bits of a value once unpacked.

    Parameters
    ----------
    name
        A format.
    """
    return formats()[name].bits


def scaled(name: str) -> bool:
    """Return whether values of a format share a scale.

    Parameters
    ----------
    name
        A format.
    """
    return formats()[name].scaled


def add_only(name: str) -> bool:
    """Return whether products with weights of a format need no multiplication.

    Parameters
    ----------
    name
        A format.
    """
    return formats()[name].add_only


def check_format(name: str, *at: str | int) -> None:
    """Raise the error of a validator if no format has this name.

    Parameters
    ----------
    name
        What the user wrote.
    at
        Keys that lead from the validated value to it.
    """
    if name not in formats():
        raise wrong_value(*unknown_name("format", name, formats()), *at)


def factors(operands: str) -> tuple[str, str]:
    """Return the formats of the two factors of a product.

    Parameters
    ----------
    operands
        A format, which both have; or weights and activations, e.g. ``int4xint8``.
    """
    if operands not in mixed_products():  # a format's own name may contain an x
        return operands, operands
    weights, _, activations = operands.partition("x")
    return weights, activations


@cache
def mixed_products() -> tuple[str, ...]:
    """Return the names of products of two integer formats, weights first, e.g. ``int4xint8``."""
    integers = [name for name, number_format in formats().items() if number_format.kind == "integer"]
    return tuple(f"{weights}x{activations}" for weights, activations in permutations(integers, 2))


def computed(number_format: NumberFormat) -> bool:
    """Return whether a scheme may compute sums and products in a format.

    Parameters
    ----------
    number_format
        The format.
    """
    return number_format.in_schemes and not number_format.add_only


def format_name(accepts: Callable[[NumberFormat], bool]) -> OneOf:
    """Return the annotation of a text that must name one of some formats.

    Parameters
    ----------
    accepts
        Whether a format may be named.
    """
    return OneOf(lambda: [name for name, number_format in formats().items() if accepts(number_format)])
