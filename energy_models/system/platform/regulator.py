"""Losses of voltage regulators: energy x (1 / efficiency - 1), as a component of its own."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.inputs.amounts import Amount, price_of
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.inputs.validation import Strict, wrong_value
from bitjoule.energy_models.papers.pricing import Energies

COMPONENT, OPERAND, ACTION = "regulator", "delivered", "loss"
UNREGULATED = ("host", "board")  # static parts that are metered before any regulator


class Regulator(Strict):
    """What stands between the supply and the chip with its memory."""

    efficiency: Amount = Field(description="energy delivered over energy drawn, above 0 and up to 1")

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        low, _, high = price_of(self.efficiency)
        if not (low > 0 and high <= 1):
            raise wrong_value(f"got {low if low <= 0 else high:g}", "above 0, and at most 1", "efficiency")
        return self

    @property
    def loss(self) -> Price:
        """Energy lost for each unit delivered: at the highest, nominal and lowest efficiency."""
        low, nominal, high = price_of(self.efficiency)
        return Price(1 / high - 1, 1 / nominal - 1, 1 / low - 1)


def price_counts(counts: Floats, prices: Floats, delivered: Floats) -> tuple[Floats, Energies, Floats]:
    """Return counts and energies; their last column is what the regulators lose.

    Parameters
    ----------
    counts
        Of all columns, shape (cases, phases, columns); the last is filled in with the pJ that are delivered.
    prices
        Low, nominal and high, shape (3, cases, columns).
    delivered
        1 for each column whose energy goes through the regulators, otherwise 0.

    Returns
    -------
    Floats, Energies, Floats
        Counts; energies of shape (cases, phases x columns), a loss at its low and high ends being that of what is
        delivered at the same end; the energy from the supply for each pJ of a column, 0 for the loss itself, at low,
        nominal and high loss, shape (3, cases, columns); ones where nothing is lost.
    """
    ends, drawn = [counts * end[:, None, :] for end in prices], np.ones((len(prices), 1, 1))
    if prices[..., -1].any():
        through = [(end * delivered).sum(axis=2) for end in ends]
        counts = counts.copy()
        counts[..., -1] = np.round(through[1]) * (prices[2, :, -1:] > 0)
        for end, joules, price in zip(ends, through, prices, strict=True):
            end[..., -1] = joules * price[:, -1:]
        drawn = 1 + prices[..., -1:] * delivered
        drawn[..., -1] = 0.0
    return counts, Energies(*(end.reshape(len(end), -1) for end in ends)), drawn
