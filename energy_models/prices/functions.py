"""Operations and traffic per element of the element-wise functions; all assumptions, in one data file."""

from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate, wrong_value
from bitjoule.energy_models.prices.measured import Unit


class UnitWork(Strict):
    """What a unit of a BitLinear in hardware does of a function's operations.

    Parameters
    ----------
    mul, add
        Operations per element.
    code_bits
        Bits of the widest integers that it gives; none of a unit that gives floating-point numbers.
    """

    mul: float = Field(default=0, ge=0)
    add: float = Field(default=0, ge=0)
    code_bits: int | None = Field(default=None, gt=0)

    @property
    def per_element(self) -> NDArray[np.float64]:
        """The operations per element in the order of `Function.per_element`; a unit moves nothing of its own."""
        return np.array([self.mul, self.add, 0.0, 0.0])

    def gives(self, number_format: str) -> bool:
        """Return whether its results may have a format.

        Parameters
        ----------
        number_format
            A format.
        """
        form = formats()[number_format]
        return self.code_bits is None or (form.kind == "integer" and form.bits <= self.code_bits)


class Function(Strict):
    """One element-wise function.

    Parameters
    ----------
    mul, add
        Operations per element.
    read, write
        Values moved between buffer and vector unit for each element.
    kept
        Of a gradient: values of the forward pass that it takes, for each element.
    units
        Units of a BitLinear in hardware, and the operations of each, in whose place an element pays it where the
        technology has its price.
    note
        What the operations are.
    """

    mul: float = Field(default=0, ge=0)
    add: float = Field(default=0, ge=0)
    read: float = Field(default=0, ge=0)
    write: float = Field(default=0, ge=0)
    kept: float = Field(default=0, ge=0)
    units: dict[Unit, UnitWork] = Field(default_factory=dict)
    note: str = ""

    @model_validator(mode="after")
    def _units_do_parts_of_it(self) -> Self:
        for key in ("mul", "add"):
            whole, parts = getattr(self, key), sum(getattr(unit, key) for unit in self.units.values())
            if parts > whole:
                raise wrong_value(f"units with {parts:g} {key} of {whole:g}", f"at most {whole:g}", "units")
        return self

    @property
    def per_element(self) -> NDArray[np.float64]:
        """The four amounts per element: mul, add, read and write."""
        return np.array([self.mul, self.add, self.read, self.write], dtype=np.float64)


class _Functions(Strict):
    """The file data/functions.yaml."""

    functions: dict[str, Function]


@cache
def functions() -> dict[str, Function]:
    """Return every function, by name.

    Raises
    ------
    InputError
        data/functions.yaml is wrong.
    """
    return validate(_Functions, read_document(DATA / "functions.yaml")).functions


@cache
def unit_works() -> dict[str, UnitWork]:
    """Return what each unit of a BitLinear does of the operations of the function that names it."""
    return {unit: work for function in functions().values() for unit, work in function.units.items()}


def unit_work(unit: str) -> dict[str, float]:
    """Return the operations that are assumed for an element in a unit of a BitLinear: of each kind, how many.

    Parameters
    ----------
    unit
        One of `bitjoule.energy_models.prices.measured.UNITS`.
    """
    work = unit_works()[unit]
    return {action: times for action, times in (("mul", work.mul), ("add", work.add)) if times}
