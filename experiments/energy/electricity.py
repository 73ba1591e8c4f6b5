"""What an experiment says of the electricity that it buys: price, carbon intensity, and what the building adds."""

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.inputs.errors import brief
from bitjoule.energy_models.inputs.validation import Strict, wrong_value
from bitjoule.energy_models.prices.electricity import electricity
from bitjoule.experiments.output.columns import COST_INPUTS

LARGEST = 1e9


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "number"


Amount = Annotated[float, Field(ge=0, le=LARGEST)]
Ratio = Annotated[float, Field(ge=1, le=LARGEST)]
Amounts = Annotated[
    Annotated[Amount, Tag("number")] | Annotated[list[Amount], Field(min_length=1), Tag("list")], Discriminator(_kind)
]
Ratios = Annotated[
    Annotated[Ratio, Tag("number")] | Annotated[list[Ratio], Field(min_length=1), Tag("list")], Discriminator(_kind)
]


def _default(quantity: str) -> Any:
    return lambda: electricity()[quantity].value


class Costs(Strict):
    """What energy costs. Each value may be a list: a sweep."""

    electricity_usd_per_kwh: Amounts = Field(
        default_factory=_default("electricity_usd_per_kwh"), description="price of electricity"
    )
    grid_gco2_per_kwh: Amounts = Field(
        default_factory=_default("grid_gco2_per_kwh"), description="carbon intensity of the grid"
    )
    power_usage_effectiveness: Ratios = Field(
        default_factory=_default("power_usage_effectiveness"),
        description="PUE: energy of the building over that of the machines in it; 1 without a data centre",
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for key in COST_INPUTS:
            repeated = [value for value, count in Counter(self.values(key)).items() if count > 1]
            if repeated:
                raise wrong_value(f"duplicate value {brief(repeated[0])}", "each value once", key)
        return self

    def values(self, key: str) -> Sequence[float]:
        """Return the values of a key.

        Parameters
        ----------
        key
            One of `COST_INPUTS`.
        """
        value = getattr(self, key)
        return value if isinstance(value, list) else [value]

    @property
    def combinations(self) -> list[tuple[float, ...]]:
        """Every combination of values, in the order of `COST_INPUTS`."""
        return list(product(*map(self.values, COST_INPUTS)))
