"""Cards of a machine: how many can share a model, the link between them, and the watts that each may draw."""

from pydantic import Field

from bitjoule.energy_models.inputs.validation import Strict

MAX_CARDS = 4096


class Cards(Strict):
    """Cards that share every matrix of a model (tensor parallelism); results are of all of them together."""

    link: str = Field(description="between cards: a name in data/links.yaml")
    most: int = Field(ge=2, le=MAX_CARDS, description="cards in one machine")


class PowerLimit(Strict):
    """Watts that a card may draw: its clock falls until it draws no more, and its voltage with the clock."""

    watts: float = Field(gt=0, le=1e6, description="of the whole card, off-chip memory included")
    least_volts: float = Field(
        default=1.0, gt=0, le=1,
        description="voltage at the lowest clocks, relative to that at the full clock; in between it is linear in the "
        "clock",
    )  # fmt: skip
    least_clock: float = Field(default=0.2, gt=0, le=1, description="lowest clock, relative to the full one")

    def volts(self, clock: float) -> float:
        """Return the voltage at a clock, both relative to those at the full clock.

        Parameters
        ----------
        clock
            Between `least_clock` and 1.
        """
        return self.least_volts + (1 - self.least_volts) * clock
