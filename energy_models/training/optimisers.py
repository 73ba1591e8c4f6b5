"""Optimisers: operations, states and latent weights of each parameter."""

from functools import cache

from pydantic import Field

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate


class Optimiser(Strict):
    """What an optimiser does for each parameter in a step.

    Parameters
    ----------
    mul, add
        Operations in FP32.
    state_bits
        Bits of each value that it keeps from step to step; read and written in each.
    latent_bits
        Bits of the parameter that it updates, beside the copy that computes.
    source, where, note
        Citation key, the place in it, and what the operations are.
    """

    mul: float = Field(ge=0)
    add: float = Field(ge=0)
    state_bits: list[float]
    latent_bits: float = Field(gt=0)
    source: str
    where: str
    note: str = ""

    @property
    def kept_bits(self) -> float:
        """Bits that it keeps of a parameter: states and latent value."""
        return sum(self.state_bits) + self.latent_bits


class _Optimisers(Strict):
    """The file data/optimisers.yaml."""

    optimisers: dict[str, Optimiser]


@cache
def optimisers() -> dict[str, Optimiser]:
    """Return every optimiser, by name.

    Raises
    ------
    InputError
        data/optimisers.yaml is wrong.
    """
    return validate(_Optimisers, read_document(DATA / "optimisers.yaml")).optimisers
