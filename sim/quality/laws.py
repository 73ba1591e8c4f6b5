"""Scaling laws L(N) of the loss over the parameters, with 95 % intervals.

``power``: L = a N^-alpha, a straight line in logarithms. ``floor``: L = E + a N^-alpha with E at least 0.
``paper_exponent``: L = E + a N^-alpha with alpha from a paper. N counts millions of parameters. Residuals are relative
to the loss, and each training is one observation. Intervals of ``power`` and ``paper_exponent`` are those of linear
least squares (t); those of ``floor`` are of the profile likelihood (F), since E, a and alpha trade against each other
where rungs are few: an end that the data do not bound is 0 or infinite, of E the greatest loss. What all trainings of a
rung share, a law that does not fit, is no noise: `lack_of_fit_p` tells it from the scatter of the seeds.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]
FORMS = ("power", "floor", "paper_exponent")
MILLION = 1e6
CONFIDENCE = 0.95
LEAST_RUNGS = {"power": 2, "floor": 3, "paper_exponent": 2}
EXPONENTS = (1e-3, 5.0)  # between which alpha is sought
_GRID = 120
FLAT = 1e-9  # an exponent below is of the last digits of the losses
LARGEST_LOGARITHM = 700.0  # of a float


class Estimate(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Law(NamedTuple):
    """A fitted law.

    Parameters
    ----------
    form
        One of `FORMS`.
    a, exponent, floor
        L = floor + a N^-exponent, N in millions; loss in nats.
    deviation
        Relative standard deviation of a training's loss from the law.
    lack_of_fit_p
        Probability of means that lie as far off if the law holds and the seeds scatter as they do; NaN if that cannot
        be told.
    freedom
        Observations beyond the parameters that were fitted.
    covariance
        Of ln a and the exponent, of ``power`` alone; shape (2, 2).
    """

    form: str
    a: Estimate
    exponent: Estimate
    floor: Estimate
    deviation: float
    lack_of_fit_p: float
    freedom: int
    covariance: Floats | None = None

    def loss(self, parameters: float | Floats) -> Floats:
        """Return the loss, in nats, of models.

        Parameters
        ----------
        parameters
            How many they have.
        """
        size = np.asarray(parameters, dtype=np.float64) / MILLION
        return np.asarray(self.floor.value + self.a.value * size**-self.exponent.value, dtype=np.float64)


def fit(form: str, parameters: Floats, losses: Floats, exponent: float | None = None) -> Law | None:
    """Return a law, or None where the rungs are too few for it.

    Parameters
    ----------
    form
        One of `FORMS`.
    parameters, losses
        Of each training, shape (trainings,); losses in nats.
    exponent
        Of ``paper_exponent``.

    Raises
    ------
    ValueError
        ``paper_exponent`` without an exponent.
    """
    size, loss = np.asarray(parameters, dtype=np.float64) / MILLION, np.asarray(losses, dtype=np.float64)
    if form == "paper_exponent" and exponent is None:
        raise ValueError("a form with the exponent of a paper needs its exponent")
    fitted = 3 if form == "floor" else 2
    if len(set(size.tolist())) < LEAST_RUNGS[form] or len(size) <= fitted:
        return None
    if form == "power":
        return _power(size, loss)
    if form == "paper_exponent":
        return _paper_exponent(size, loss, float(exponent or 0.0))
    return _floor(size, loss)


def size_factor(law: Law, baseline: Law, parameters: float) -> Estimate:
    """Return how many times the parameters a format needs for the loss that the baseline has at some size.

    Parameters
    ----------
    law, baseline
        Of form ``power``.
    parameters
        Of the baseline's model.

    Returns
    -------
    Estimate
        NaN where the law is flat, or the factor is too large for a float.

    Raises
    ------
    ValueError
        A law is of another form.
    """
    if law.covariance is None or baseline.covariance is None:
        raise ValueError("only power laws are compared so")
    if abs(law.exponent.value) < FLAT:
        return Estimate(math.nan, math.nan, math.nan)
    size = math.log(parameters / MILLION)
    wanted = math.log(float(baseline.loss(parameters)))
    of_wanted = np.array([1.0, -size])
    variance_wanted = float(of_wanted @ baseline.covariance @ of_wanted)
    logarithm = (math.log(law.a.value) - wanted) / law.exponent.value
    gradient = np.array([1.0, -logarithm]) / law.exponent.value
    variance = float(gradient @ law.covariance @ gradient) + variance_wanted / law.exponent.value**2
    reach = _t(min(law.freedom, baseline.freedom)) * math.sqrt(variance)
    if logarithm - size >= LARGEST_LOGARITHM:
        return Estimate(math.nan, math.nan, math.nan)
    return Estimate(*(_exp(logarithm - size + part) for part in (0.0, -reach, reach)))


def _exp(logarithm: float) -> float:
    """Return the exponential; infinite where no float is as large."""
    return math.exp(logarithm) if logarithm < LARGEST_LOGARITHM else math.inf


def _t(freedom: int) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))


def _linear(design: Floats, target: Floats) -> tuple[Floats, Floats, float]:
    """Return coefficients, their covariance, and the sum of squares, of least squares."""
    solution, *_ = np.linalg.lstsq(design, target, rcond=None)
    rest = target - design @ solution
    squares = float(rest @ rest)
    covariance = np.linalg.inv(design.T @ design) * squares / (len(target) - design.shape[1])
    return np.asarray(solution, np.float64), np.asarray(covariance, np.float64), squares


def _power(size: Floats, loss: Floats) -> Law:
    design = np.column_stack([np.ones_like(size), -np.log(size)])
    (log_a, alpha), covariance, squares = _linear(design, np.log(loss))
    freedom = len(size) - 2
    reach = _t(freedom) * np.sqrt(np.diag(covariance))
    a = Estimate(*(_exp(log_a + part) for part in (0.0, -reach[0], reach[0])))
    exponent = Estimate(alpha, alpha - reach[1], alpha + reach[1])
    none = Estimate(0.0, 0.0, 0.0)
    return Law("power", a, exponent, none, *_quality(size, np.log(loss), squares, freedom, 2), freedom, covariance)


def _paper_exponent(size: Floats, loss: Floats, alpha: float) -> Law:
    design = np.column_stack([1 / loss, size**-alpha / loss])
    (floor, a), covariance, squares = _linear(design, np.ones_like(loss))
    freedom = len(size) - 2
    reach = _t(freedom) * np.sqrt(np.diag(covariance))
    ends = [Estimate(v, v - r, v + r) for v, r in zip((floor, a), reach, strict=True)]
    quality = _quality(size, np.log(loss), squares, freedom, 2)
    return Law("paper_exponent", ends[1], Estimate(alpha, alpha, alpha), ends[0], *quality, freedom)


def _floor(size: Floats, loss: Floats) -> Law:
    grid = np.geomspace(*EXPONENTS, _GRID)

    def at_exponent(alpha: float) -> tuple[float, float, float]:
        """Return the least sum of squares, and floor and a there."""
        design = np.column_stack([1 / loss, size**-alpha / loss])
        (floor, a), rest = optimize.nnls(design, np.ones_like(loss))
        return float(rest) ** 2, float(floor), float(a)

    def at_floor(floor: float) -> float:
        def squares(alpha: float) -> float:
            column, target = size**-alpha / loss, 1 - floor / loss
            a = max(float(column @ target) / float(column @ column), 0.0)
            return float(np.sum((target - a * column) ** 2))

        return _least(squares, grid)[1]

    def at_a(a: float) -> float:
        def squares(alpha: float) -> float:
            column = 1 / loss
            target = 1 - a * size**-alpha / loss
            floor = max(float(column @ target) / float(column @ column), 0.0)
            return float(np.sum((target - floor * column) ** 2))

        return _least(squares, grid)[1]

    alpha, squares = _least(lambda each: at_exponent(each)[0], grid)
    _, floor, a = at_exponent(alpha)
    freedom = len(size) - 3
    bound = squares * (1 + float(stats.f.ppf(CONFIDENCE, 1, freedom)) / freedom) + 1e-18
    exponents = _interval(
        lambda each: at_exponent(each)[0], alpha, bound, (EXPONENTS[0], EXPONENTS[1]), (0.0, math.inf)
    )
    top = float(loss.max())  # a least-squares floor may lie above the least of losses that scatter, never above all
    floors = _interval(at_floor, floor, bound, (0.0, top), (0.0, top))
    scales = _interval(at_a, a, bound, (0.0, 100 * float(loss.max())), (0.0, math.inf))
    quality = _quality(size, np.log(loss), squares, freedom, 3)
    return Law("floor", Estimate(a, *scales), Estimate(alpha, *exponents), Estimate(floor, *floors), *quality, freedom)


def _least(of: Callable[[float], float], grid: Floats) -> tuple[float, float]:
    """Return where a function of the exponent is least, and its value there."""
    values = [of(float(each)) for each in grid]
    best = int(np.argmin(values))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])
    found = optimize.minimize_scalar(of, bounds=(low, high), method="bounded", options={"xatol": 1e-7})
    if float(found.fun) < values[best]:
        return float(found.x), float(found.fun)
    return float(grid[best]), values[best]


def _interval(
    squares: Callable[[float], float], best: float, bound: float, within: tuple[float, float],
    open_ends: tuple[float, float],
) -> tuple[float, float]:  # fmt: skip
    """Return where a profile crosses its bound at both sides, or the open end where it does not."""
    ends = []
    for end, open_end in zip(within, open_ends, strict=True):
        if best == end or squares(end) <= bound:
            ends.append(open_end)
        elif squares(best) >= bound:  # points on the law: an interval of no width
            ends.append(best)
        else:
            root = optimize.brentq(lambda each: squares(each) - bound, best, end, xtol=1e-9, rtol=1e-8)
            ends.append(float(root))
    return ends[0], ends[1]


def _quality(size: Floats, log_loss: Floats, squares: float, freedom: int, fitted: int) -> tuple[float, float]:
    """Return the relative deviation, and the p value of the F test for lack of fit against the scatter of the seeds."""
    rungs = sorted(set(size.tolist()))
    pure = sum(float(np.sum((log_loss[size == rung] - log_loss[size == rung].mean()) ** 2)) for rung in rungs)
    of_means, of_seeds = len(rungs) - fitted, len(size) - len(rungs)
    p = math.nan
    if of_means > 0 and of_seeds > 0 and pure > 0:
        p = float(stats.f.sf(max(squares - pure, 0.0) / of_means / (pure / of_seeds), of_means, of_seeds))
    return math.sqrt(squares / freedom), p
