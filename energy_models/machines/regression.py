"""Least squares in logarithms of positive parameters, with bounds, priors and confidence intervals.

Residuals of observations have one unknown deviation, which is estimated; a prior counts as one observation with the
deviation that its band has. Bounded solvers stand still at coefficients of 1e-12 in their own units: hence logarithms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.system.platform.free import Free

CONFIDENCE = 0.95
START_DEVIATION = 0.1
LEAST_DEVIATION = 1e-9  # of observations that are met exactly
ROUNDS = 8
STEP = 1e-4  # of the derivatives: models round to whole cycles
PRECISE = 1e-6  # relative changes of logarithms and of the sum of squares, far below what intervals show
CLOSE_ENOUGH = 1e-4  # relative changes of logarithms and of the sum of squares
INSENSITIVE = 1e-6  # relative to the most sensitive parameter
NEAR_BOUND = 1e-3


@dataclass(frozen=True)
class Estimate:
    """A parameter.

    Parameters
    ----------
    value, low, high
        Its value and its 95 % interval.
    note
        Why the interval does not hold; empty where it does.
    """

    value: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Regression:
    """What was found.

    Parameters
    ----------
    estimates
        Of each parameter.
    residuals
        Of each observation at these values.
    deviation
        Estimated standard deviation of an observation.
    condition
        Condition number of the Jacobian with columns of length 1.
    jacobian
        Of the residuals over their deviation, and then of the priors, by the logarithms of the parameters; shape
        (observations + priors, parameters).
    beliefs
        How far the parameters with priors are from the middle of their bands, in deviations.
    lower, upper
        How far the logarithms of the parameters are from their bounds: not above 0, not below 0.
    """

    estimates: tuple[Estimate, ...]
    residuals: Floats
    deviation: float
    condition: float
    jacobian: Floats
    beliefs: Floats
    lower: Floats
    upper: Floats

    @property
    def values(self) -> Floats:
        """The values of the parameters."""
        return np.array([estimate.value for estimate in self.estimates])

    def without(self, groups: Sequence[object]) -> Floats:
        """Return the residual that each observation has for a fit without its group, to first order.

        The fit without a group is a Gauss-Newton step, within the bounds, from that to all; exact in linear models. Of
        a group without which a parameter has no observation left, residuals are nan.

        Parameters
        ----------
        groups
            Group of each observation.
        """
        count = len(self.residuals)
        scaled = np.concatenate([self.residuals / self.deviation, self.beliefs])
        found = np.full(count, np.nan)
        sensitive = np.linalg.norm(self.jacobian, axis=0)
        for group in dict.fromkeys(groups):
            own = np.array([each == group for each in groups])
            others = np.concatenate([~own, np.ones(len(self.beliefs), dtype=np.bool_)])
            left = self.jacobian[others]
            lost = np.linalg.norm(left, axis=0) <= INSENSITIVE * sensitive
            if (lost & (sensitive > 0)).any() or (~own).sum() < self.jacobian.shape[1] - len(self.beliefs):
                continue
            step = np.clip(-np.linalg.pinv(left) @ scaled[others], self.lower, self.upper)
            found[own] = self.residuals[own] + self.jacobian[:count][own] @ step * self.deviation
        return found


class TooFewPointsError(ValueError):
    """There are fewer than two observations for each free parameter."""


def fit(
    residuals: Callable[[Floats], Floats], start: Floats, free: Sequence[Free], deviation: float | None = None
) -> Regression:
    """Return the parameters that give the least squares of residuals.

    Parameters
    ----------
    residuals
        From values of the parameters to residuals, shape (observations,).
    start
        Values to begin with.
    free
        Bounds and priors of each parameter.
    deviation
        Of an observation; default: it is estimated. With one, the solver stops at `CLOSE_ENOUGH`.

    Raises
    ------
    TooFewPointsError
        More parameters without a prior than half the observations.
    """
    count = len(residuals(start))
    unknown = sum(each.prior is None for each in free)
    if unknown > count / 2:
        raise TooFewPointsError(f"{unknown} free parameters for {count} observations")
    lower, upper = np.log([each.low for each in free]), np.log([each.high for each in free])
    bands = [None if each.prior is None else np.log(each.prior) for each in free]
    quantile = stats.norm.ppf((1 + CONFIDENCE) / 2)

    def beliefs(logs: Floats) -> Floats:
        return np.array(
            [
                (logs[i] - band.mean()) / ((band[1] - band[0]) / 2 / quantile)
                for i, band in enumerate(bands)
                if band is not None
            ]
        )

    def solved(begin: Floats, deviation: float) -> optimize.OptimizeResult:
        def weighted(logs: Floats) -> Floats:
            return np.concatenate([residuals(np.exp(logs)) / deviation, beliefs(logs)])

        def derivatives(logs: Floats) -> Floats:
            """Return them from steps of one size: those of scipy follow the logarithm, which is next to 0 at 1."""
            here = weighted(logs)
            steps = np.where(logs + STEP <= upper, STEP, -STEP)
            changed = [weighted(logs + step) for step in np.diag(steps)]
            return np.stack([(each - here) / step for each, step in zip(changed, steps, strict=True)], axis=1)

        inside = np.clip(begin, lower + 1e-9, upper - 1e-9)
        return optimize.least_squares(
            weighted, inside, derivatives, bounds=(lower, upper), x_scale=1.0, ftol=close, xtol=close
        )

    rounds, close = (ROUNDS, PRECISE) if deviation is None else (0, CLOSE_ENOUGH)
    deviation, assumed = deviation or START_DEVIATION, False
    best = solved(np.log(start), deviation)
    for _ in range(rounds):
        if _left_over(best.jac, count) < 1:  # points that priors can meet exactly do not say how far points are off
            deviation, assumed = START_DEVIATION, True
            best = solved(best.x, deviation)
            break
        at = residuals(np.exp(best.x))
        estimated = max(float(np.sqrt((at**2).sum() / _freedom(best.jac, count))), LEAST_DEVIATION)
        if abs(estimated / deviation - 1) < STEP:
            break
        deviation = estimated
        best = solved(best.x, deviation)
    lengths = np.linalg.norm(best.jac, axis=0)
    seen = lengths > INSENSITIVE * lengths.max()
    scaled = best.jac[:, seen] / lengths[seen]
    spread = np.sqrt(np.diag(np.linalg.pinv(scaled.T @ scaled))) / lengths[seen]
    errors = np.full(len(free), np.inf)
    errors[seen] = spread * (quantile if assumed else stats.t.ppf((1 + CONFIDENCE) / 2, _freedom(best.jac, count)))
    estimates = tuple(
        _estimate(log, error, each) for log, error, each in zip(best.x.tolist(), errors.tolist(), free, strict=True)
    )
    at = residuals(np.exp(best.x))
    condition = float(np.linalg.cond(scaled))
    return Regression(estimates, at, deviation, condition, best.jac, beliefs(best.x), lower - best.x, upper - best.x)


def _freedom(jacobian: Floats, count: int) -> float:
    """Return the degrees of freedom of the observations, at least 1."""
    return max(_left_over(jacobian, count), 1.0)


def _left_over(jacobian: Floats, count: int) -> float:
    """Return the observations less what the parameters take of them, beside priors."""
    hat = jacobian @ np.linalg.pinv(jacobian)
    return count - float(np.trace(hat[:count, :count]))


def _estimate(log: float, error: float, free: Free) -> Estimate:
    value = float(np.exp(log))
    low, high = (float(np.clip(np.exp(log + sign * error), free.low, free.high)) for sign in (-1, 1))
    if not np.isfinite(error):
        return Estimate(value, free.low, free.high, "these points do not determine it")
    at_bound = min(log - np.log(free.low), np.log(free.high) - log) < NEAR_BOUND
    return Estimate(value, low, high, "at a bound: the interval does not hold" if at_bound else "")
