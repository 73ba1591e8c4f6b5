"""What is suspicious about points of a fit: their meters, their units, and what no free value can bring about."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.machines.metering import seen_by
from bitjoule.energy_models.machines.names import Named
from bitjoule.energy_models.machines.regression import Regression
from bitjoule.energy_models.system.platform.free import Free
from bitjoule.energy_models.system.platform.platforms import Platform

SPEED, ENERGY = "tokens_per_s", "j_per_token"
UNIT_FACTOR = 30.0  # what no model misses by: a number in another unit
OUT_OF_REACH = 0.05  # log; less is noise of the measurement


class Observation(NamedTuple):
    """A measured number: a row's speed or energy."""

    row: int
    quantity: str
    value: float


def suspicions(
    platforms: Sequence[Platform], rows: Sequence[Named], platform_of: Sequence[int],
    observations: Sequence[Observation], regression: Regression, left_out: Floats, free: Sequence[Free],
    logs: Callable[[Floats], Floats],
) -> Iterator[str]:  # fmt: skip
    """Yield what is suspicious, one line each.

    Parameters
    ----------
    platforms, rows, platform_of
        The machines, what was measured, and the machine of each row.
    observations, regression
        Of these rows, and the fit to them.
    left_out
        Residual of each observation for a fit without its row; nan where there is none.
    free, logs
        Bounds of the parameters; from their values to logarithms of predicted over measured of the observations.
    """
    yield from _meters(platforms, rows, platform_of, observations)
    worst = np.where(np.isnan(left_out), regression.residuals, left_out)
    strange = np.abs(worst) > np.log(UNIT_FACTOR)
    for i in np.flatnonzero(strange).tolist():
        each, residual = observations[i], float(worst[i])
        yield (
            f"{_place(rows, each)}: {each.value:g} is {np.exp(abs(residual)):.3g} times "
            f"{'less' if residual > 0 else 'more'} than the other points say; check the unit"
        )
    yield from _unreachable(rows, observations, regression, free, logs, strange)


def _place(rows: Sequence[Named], observation: Observation) -> str:
    row = rows[observation.row].row
    return f"{row.file}:{row.line}: {observation.quantity}"


def _meters(
    platforms: Sequence[Platform],
    rows: Sequence[Named],
    platform_of: Sequence[int],
    observations: Sequence[Observation],
) -> Iterator[str]:
    """Yield the meters of the rows where there are several, with the lines of the rarest."""
    seen: dict[str, list[int]] = {}
    for each in observations:
        if each.quantity == ENERGY:
            meter = " ".join(seen_by(rows[each.row].meter, platforms[platform_of[each.row]]))
            seen.setdefault(meter, []).append(rows[each.row].row.line)
    if len(seen) > 1:
        rarest = min(seen, key=lambda meter: len(seen[meter]))
        lines = ", ".join(map(str, seen[rarest]))
        yield f"the rows have meters that see different things: {', '.join(seen)} ({rarest}: lines {lines})"


def _unreachable(
    rows: Sequence[Named], observations: Sequence[Observation], regression: Regression, free: Sequence[Free],
    logs: Callable[[Floats], Floats], known: Floats,
) -> Iterator[str]:  # fmt: skip
    """Yield the points that no values within the bounds reach: less energy than is spent without the free values."""
    low, high = np.array([[each.low, each.high] for each in free]).T
    slopes = regression.jacobian[: len(observations)]
    for i, each in enumerate(observations):
        residual = float(regression.residuals[i])
        if known[i] or abs(residual) <= OUT_OF_REACH:
            continue
        towards = slopes[i] * np.sign(residual)  # values that bring the prediction to what was measured
        corner = np.where(towards > 0, low, np.where(towards < 0, high, regression.values))
        nearest = float(logs(corner)[i])
        if nearest * residual > 0 and abs(nearest) > OUT_OF_REACH:
            side, end = ("below", "least") if residual > 0 else ("above", "most")
            room = " (nothing is left for the free values)" if (each.quantity, side) == (ENERGY, "below") else ""
            yield (
                f"{_place(rows, each)}: {each.value:g} is {side} the {end} that values within their bounds give, "
                f"{each.value * np.exp(nearest):.4g}{room}"
            )
