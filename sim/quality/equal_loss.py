"""Energy at equal loss along the sizes of two formats."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_SPAN = 0.5  # of the baseline's losses, that formats are compared within


class Curve(NamedTuple):
    """Models of one format, by size.

    Parameters
    ----------
    energy_j
        Low, nominal and high energy of a token, shape (3, sizes).
    loss
        Mean over the seeds, nats; shape (sizes,).
    reach
        Half of the 95 % interval of that mean, nats; shape (sizes,).
    """

    energy_j: Floats
    loss: Floats
    reach: Floats


class EqualLoss(NamedTuple):
    """The energy of a baseline over that of a format, at one loss.

    Parameters
    ----------
    loss
        Nats.
    ratio, low, high
        Above 1 where the format takes less. The band has both ends of the prices, the same for both formats, and both
        ends of the losses, against each other; infinite or 0 where one end is beyond the sizes that there are.
    """

    loss: float
    ratio: float
    low: float
    high: float


def energy_at(loss: float, losses: Floats, energy_j: Floats) -> float:
    """Return the energy at a loss, log-linear between the sizes; NaN beyond them.

    Parameters
    ----------
    loss
        Nats.
    losses, energy_j
        Of each size; shape (sizes,). Both are taken by falling loss.
    """
    order = np.argsort(losses)
    if not losses[order[0]] <= loss <= losses[order[-1]]:
        return float("nan")
    return float(np.exp(np.interp(loss, losses[order], np.log(energy_j[order]))))


def reaching(curves: Mapping[str, Curve], baseline: str) -> dict[str, Curve]:
    """Return the formats that share losses with the baseline and with each other; none without the baseline.

    Parameters
    ----------
    curves
        By format. Those that reach the least are left out, one by one, until the losses that the others have in common
        span `LEAST_SPAN` of the baseline's.
    baseline
        Format that stays.
    """
    if baseline not in curves:
        return {}
    left = dict(curves)
    span = LEAST_SPAN * float(np.ptp(curves[baseline].loss))
    while len(left) > 1 and np.ptp(_range(list(left.values()))) <= span:
        others = {label: float(each.loss.min()) for label, each in left.items() if label != baseline}
        del left[max(others, key=others.__getitem__)]
    return left


def common_losses(curves: Sequence[Curve], count: int) -> Floats:
    """Return losses that all formats reach, evenly spaced within their common range; none if they share none.

    Parameters
    ----------
    curves
        The formats.
    count
        How many.
    """
    low, high = _range(curves)
    return np.linspace(low, high, count + 2)[1:-1] if high > low else np.zeros(0)


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return the ends of what all reach; equal ends where that is nothing."""
    low, high = max(float(each.loss.min()) for each in curves), min(float(each.loss.max()) for each in curves)
    return low, max(low, high)


def equal_loss(baseline: Curve, other: Curve, loss: float) -> EqualLoss:
    """Return the ratio of two formats' energies at one loss.

    Parameters
    ----------
    baseline, other
        The formats.
    loss
        Nats; one that both reach.
    """

    def ratio(end: int, of_baseline: Floats, of_other: Floats, beyond: float) -> float:
        ends = (energy_at(loss, of_baseline, baseline.energy_j[end]), energy_at(loss, of_other, other.energy_j[end]))
        return beyond if np.isnan(ends).any() else ends[0] / ends[1]

    nominal = ratio(1, baseline.loss, other.loss, float("nan"))
    worse = [ratio(end, baseline.loss - baseline.reach, other.loss + other.reach, 0.0) for end in range(3)]
    better = [ratio(end, baseline.loss + baseline.reach, other.loss - other.reach, float("inf")) for end in range(3)]
    return EqualLoss(loss, nominal, min(worse), max(better))
