"""Values of a platform that are fitted to measurements: which, and between what bounds."""

from typing import Self

from pydantic import Field, model_validator

from bitjoule.energy_models.inputs.validation import Strict, wrong_value


class Free(Strict):
    """A value that is fitted; it and its bounds are positive, as fits take logarithms."""

    low: float = Field(gt=0, description="physical bounds")
    high: float = Field(gt=0)
    prior: list[float] | None = Field(
        default=None, min_length=2, max_length=2,
        description="band that a data sheet or another source gives, as a 95 % interval; such a value is no free one",
    )  # fmt: skip
    source: str = Field(default="", description="where the band is from; needed with prior")
    shared: bool = Field(
        default=False, description="whether it is one value for all machines of a family that are fitted together"
    )
    also: list[str] = Field(default_factory=list, description="further keys that have the same value")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise wrong_value(f"low {self.low:g} and high {self.high:g}", "low below high", "low")
        if self.prior is not None and not self.low <= self.prior[0] < self.prior[1] <= self.high:
            wrong = f"got [{self.prior[0]:g}, {self.prior[1]:g}]"
            raise wrong_value(wrong, f"low and high of a band within {self.low:g} to {self.high:g}", "prior")
        if (self.prior is None) != (not self.source):
            raise wrong_value("only one of prior and source is set", "a band and where it is from, or neither", "prior")
        return self
