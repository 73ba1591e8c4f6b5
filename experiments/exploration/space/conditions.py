"""Constraints on designs, such as ``area_mm2 <= 2``: read without evaluating code, and by how much each is missed."""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.inputs.errors import brief, choices, suggestion
from bitjoule.energy_models.inputs.validation import wrong_value

SIGNS = {"<=": 1.0, ">=": -1.0}
EXAMPLE = "a metric, <= or >=, and a number, e.g. area_mm2 <= 2"
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
PATTERN = re.compile(rf"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(<=|>=|==|!=|=|<|>)\s*({NUMBER})\s*")


class Constraint(NamedTuple):
    """A limit of a metric.

    Parameters
    ----------
    metric
        Its name.
    sign
        ``<=`` or ``>=``.
    limit
        In the unit of the metric.
    """

    metric: str
    sign: str
    limit: float

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.limit:g}"

    def worst(self, values: Floats) -> Floats:
        """Return the value that counts of a design's models: the one that is hardest to allow.

        Parameters
        ----------
        values
            Shape (designs, models).
        """
        worst = values.max(axis=1) if self.sign == "<=" else values.min(axis=1)
        return np.asarray(worst, dtype=np.float64)

    def met(self, values: Floats) -> NDArray[np.bool_]:
        """Return which values it allows; none that is not finite.

        Parameters
        ----------
        values
            Of the metric.
        """
        return np.isfinite(values) & (SIGNS[self.sign] * values <= SIGNS[self.sign] * self.limit)

    def excess(self, values: Floats) -> Floats:
        """Return by how much values miss it, relative to the limit (absolute where that is 0); 0 where they meet it.

        Parameters
        ----------
        values
            Of the metric; what is not finite misses it by infinity.
        """
        scale = abs(self.limit) or 1.0
        missed = np.maximum(SIGNS[self.sign] * (values - self.limit) / scale, 0.0)
        return np.where(np.isfinite(values), missed, np.inf)


def parse(text: object, metrics: Mapping[str, object]) -> Constraint:
    """Return a constraint.

    Parameters
    ----------
    text
        As written.
    metrics
        By name, those that it may limit.

    Raises
    ------
    PydanticCustomError
        It is not a constraint; the message says what is wrong with it.
    """
    match = PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise wrong_value(f"got {brief(text)}", EXAMPLE)
    metric, sign, number = match.groups()
    if metric not in metrics:
        raise wrong_value(f"unknown metric {metric!r}{suggestion(metric, metrics)}", choices(metrics, 20))
    if sign not in SIGNS:
        raise wrong_value(f"unknown comparison {sign!r}", EXAMPLE)
    if not math.isfinite(float(number)):
        raise wrong_value(f"limit {number} is not finite", EXAMPLE)
    return Constraint(metric, sign, float(number))


class Nearest(NamedTuple):
    """The constraint that is nearest to being met where no design meets all of them.

    Parameters
    ----------
    constraint
        Index of the constraint.
    design
        Row of the design that comes nearest.
    value
        Of the metric, there.
    excess
        By how much it misses the limit, relative to it.
    alone
        Whether that design meets all other constraints.
    """

    constraint: int
    design: int
    value: float
    excess: float
    alone: bool


def nearest(values: Floats, excesses: Floats) -> Nearest | None:
    """Return the constraint nearest to being met, or none if no design has finite values.

    Of the designs that miss one constraint alone, the one that misses it by the least; if there is none, the design
    whose largest excess is the least, and the constraint of that excess.

    Parameters
    ----------
    values, excesses
        Of each constraint's metric; see `Constraint.excess`; shape (designs, constraints).
    """
    finite = np.isfinite(excesses).all(axis=1)
    if not finite.any():
        return None
    largest = np.where(finite, excesses.max(axis=1), np.inf)
    one = finite & ((excesses > 0).sum(axis=1) == 1)
    design = int(np.argmin(np.where(one, largest, np.inf) if one.any() else largest))
    constraint = int(np.argmax(excesses[design]))
    excess = float(excesses[design, constraint])
    return Nearest(constraint, design, float(values[design, constraint]), excess, bool(one.any()))
