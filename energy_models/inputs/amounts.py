"""Amounts in YAML files: a number, or a number with the band it may lie in."""

from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.inputs.errors import out_of_order
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.inputs.validation import Strict, wrong_value

MAX_PRICE = 1e9  # pJ, W: keeps every energy a finite float64


class Band(Strict):
    """A number and the band it may lie in."""

    low: float = Field(ge=0, le=MAX_PRICE)
    nominal: float = Field(ge=0, le=MAX_PRICE)
    high: float = Field(ge=0, le=MAX_PRICE)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low <= self.nominal <= self.high:
            raise wrong_value(out_of_order(self.low, self.nominal, self.high), "low <= nominal <= high", "nominal")
        return self


def _amount_kind(value: Any) -> str:
    return "band" if isinstance(value, dict | Band) else "number"


Amount = Annotated[
    Annotated[float, Field(ge=0, le=MAX_PRICE), Tag("number")] | Annotated[Band, Tag("band")],
    Discriminator(_amount_kind),
]


def price_of(amount: Amount, factor: float = 1.0) -> Price:
    """Return an amount as a price.

    Parameters
    ----------
    amount
        A number, or a band.
    factor
        Multiplies the amount.
    """
    if isinstance(amount, Band):
        return Price(amount.low * factor, amount.nominal * factor, amount.high * factor)
    return Price(amount * factor, amount * factor, amount * factor)
