"""Schemes: the number formats of one way to run a model."""

from functools import cache
from typing import Literal, Self

from pydantic import model_validator

from bitjoule.energy_models.documents import read_document
from bitjoule.energy_models.errors import choices
from bitjoule.energy_models.sources import DATA
from bitjoule.energy_models.validation import Strict, validate, wrong_value

Format = Literal["fp32", "fp16", "bf16", "int32", "int8"]
FORMATS: tuple[Format, ...] = ("fp32", "fp16", "bf16", "int32", "int8")
FLOATS = frozenset({"fp32", "fp16", "bf16"})
ADD_ONLY = frozenset({"binary", "ternary"})


class Scheme(Strict):
    """The number formats of one way to run a model.

    Parameters
    ----------
    description
        One line for a reader.
    weights
        Format of the linears' weights; ``binary`` (±1) and ``ternary`` (−1, 0, +1) need no multiplication.
    activations
        Format of the linears' inputs, in which products and sums are priced.
    attention
        Format of both attention products and of an expert router.
    rescale
        Format of the scales and biases of a quantised linear; none for floating-point weights.
    source, where
        Citation key and the place in it.
    """

    description: str = ""
    weights: Format | Literal["binary", "ternary"]
    activations: Format
    attention: Format
    rescale: Format | None = None
    source: str = ""
    where: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.quantised and self.rescale is None:
            raise wrong_value(f"{self.weights} weights without rescale", "`rescale`, the format of the scales")
        if not self.quantised and self.rescale is not None:
            raise wrong_value(f"rescale with {self.weights} weights", "no `rescale`: they have no scales")
        if not self.quantised and self.activations not in FLOATS:
            raise wrong_value(f"{self.weights} weights with {self.activations} activations", choices(sorted(FLOATS)))
        return self

    @property
    def quantised(self) -> bool:
        """Whether the linears' inputs and outputs are rescaled."""
        return self.weights not in FLOATS

    @property
    def quantises_activations(self) -> bool:
        """Whether the linears' inputs are scaled to integers first."""
        return self.activations not in FLOATS

    @property
    def multiplies(self) -> bool:
        """Whether a linear needs multiplications besides its scales."""
        return self.weights not in ADD_ONLY

    @property
    def priced(self) -> frozenset[tuple[str, str]]:
        """The (operation, format) pairs that a technology must price to run this scheme."""
        formats = {self.activations, self.attention, self.rescale or self.activations}
        pairs = {("add", name) for name in formats} | {
            ("mul", self.attention),
            ("mul", self.rescale or self.activations),
        }
        return frozenset(pairs | ({("mul", self.activations)} if self.multiplies else set()))


class _Schemes(Strict):
    """The file data/schemes.yaml."""

    schemes: dict[str, Scheme]


@cache
def schemes() -> dict[str, Scheme]:
    """Return every shipped scheme, by name.

    Raises
    ------
    InputError
        data/schemes.yaml is wrong.
    """
    return validate(_Schemes, read_document(DATA / "schemes.yaml")).schemes
