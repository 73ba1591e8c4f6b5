"""Operations and traffic per element of the element-wise functions; all assumptions, in one data file."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate


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
    note
        What the operations are.
    """

    mul: float = Field(default=0, ge=0)
    add: float = Field(default=0, ge=0)
    read: float = Field(default=0, ge=0)
    write: float = Field(default=0, ge=0)
    kept: float = Field(default=0, ge=0)
    note: str = ""

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


def unit_work(unit: str) -> dict[str, float]:
    """Return the operations that are assumed for an element in a unit of a BitLinear: of each kind, how many.

    Parameters
    ----------
    unit
        One of `bitjoule.energy_models.prices.measured.UNITS`; ``absmax`` and ``quantise`` together are the function
        ``quantisation``, of which the comparison is the first.
    """
    name = {"absmax": "quantisation", "quantise": "quantisation", "rms_norm": "rmsnorm"}.get(unit, unit)
    work = functions()[name]
    comparison = {"absmax": (0.0, 1.0), "quantise": (work.mul, work.add - 1.0)}
    mul, add = comparison.get(unit, (work.mul, work.add))
    return {action: times for action, times in (("mul", mul), ("add", add)) if times}
