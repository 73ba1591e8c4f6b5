"""Distributions of times, and of the number of requests that are served one after the other."""

from typing import NamedTuple, Self

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats

MOST_PREFILLS = 400  # of a busy period
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(7)  # for sums of many prefills


class Distribution(NamedTuple):
    """A distribution of times.

    Parameters
    ----------
    seconds, probability
        Its values, ascending, and their probabilities, shape (points,).
    """

    seconds: Floats
    probability: Floats

    @classmethod
    def fixed(cls, seconds: float) -> Self:
        """Return the distribution of a time that is always the same.

        Parameters
        ----------
        seconds
            The time.
        """
        return cls(np.array([seconds]), np.ones(1))

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self.seconds @ self.probability)

    def quantile(self, share: float) -> float:
        """Return the time that a share of all do not exceed.

        Parameters
        ----------
        share
            Between 0 and 1.
        """
        at = int(np.searchsorted(np.cumsum(self.probability), share * self.probability.sum()))
        return float(self.seconds[min(at, len(self.seconds) - 1)])

    def within(self, seconds: float) -> float:
        """Return the share of all that do not exceed a time.

        Parameters
        ----------
        seconds
            The time.
        """
        return min(float(self.probability[self.seconds <= seconds].sum()), 1.0)


class Sums(NamedTuple):
    """Times that 0, 1, 2, ... prefills take together, shape (prefills, points), and their probabilities."""

    seconds: Floats
    probability: Floats


def prefill_sums(prefill: Distribution) -> Sums:
    """Return the times of several prefills: of one and two exactly, of more by their mean and variance.

    Parameters
    ----------
    prefill
        Of one.
    """
    mean = prefill.mean
    deviation = float(np.sqrt(np.maximum(prefill.probability @ prefill.seconds**2 - mean**2, 0)))
    points = max(len(prefill.seconds) ** 2, len(NODES))
    seconds, probability = np.zeros((2, MOST_PREFILLS, points))
    probability[0, 0] = 1.0
    seconds[1, : len(prefill.seconds)], probability[1, : len(prefill.seconds)] = prefill
    pairs = np.add.outer(prefill.seconds, prefill.seconds).reshape(-1)
    seconds[2, : len(pairs)] = pairs
    probability[2, : len(pairs)] = np.outer(prefill.probability, prefill.probability).reshape(-1)
    count = np.arange(3, MOST_PREFILLS)[:, None]
    seconds[3:, : len(NODES)] = np.maximum(count * mean + np.sqrt(count) * deviation * NODES, 0)
    probability[3:, : len(NODES)] = WEIGHTS / WEIGHTS.sum()
    return Sums(seconds, probability)


def busy_period(rate: float, sums: Sums, step_s: float) -> Floats:
    """Return the probabilities of the number of prefills until nobody waits, from 0 on.

    Those who come in a step begin them; with S the time of k prefills, k of them have the probability
    E[s / (s + S) Poisson(k; rate (s + S))] (ballot theorem).

    Parameters
    ----------
    rate, sums
        Of requests; times of prefills.
    step_s
        The step, s.
    """
    count = np.arange(MOST_PREFILLS)[:, None]
    whole = step_s + sums.seconds
    logs = count * np.log(rate * whole) - rate * whole - log_factorials(MOST_PREFILLS)[:, None]
    return np.asarray((np.exp(logs) * step_s / whole * sums.probability).sum(axis=1))


def begun_by_one(rate: float, sums: Sums) -> Floats:
    """Return the probabilities of the number of prefills that one request begins, itself included, from 0 on.

    Parameters
    ----------
    rate, sums
        As for `busy_period`.
    """
    count = np.arange(1, MOST_PREFILLS)[:, None]
    came = np.maximum(rate * sums.seconds[1:], np.finfo(float).tiny)
    logs = (count - 1) * np.log(came) - came - log_factorials(MOST_PREFILLS)[:-1, None]
    found = (np.exp(logs) / count * sums.probability[1:]).sum(axis=1)
    return np.concatenate([[0.0], found])


def poisson(mean: float, size: int = MOST_PREFILLS) -> Floats:
    """Return the probabilities of the number of those who come, from 0 on.

    Parameters
    ----------
    mean, size
        Of the number; how many probabilities.
    """
    if mean == 0:
        return np.asarray(np.eye(1, size)[0], dtype=np.float64)
    count = np.arange(size)
    return np.asarray(np.exp(count * np.log(mean) - mean - log_factorials(size)))


def binomial(count: int, share: float) -> Floats:
    """Return the probabilities of the number of those that stay, from 0 on.

    Parameters
    ----------
    count, share
        Of how many; how likely each stays.
    """
    if share == 0:
        return np.asarray(np.eye(1, count + 1)[0], dtype=np.float64)
    kept = np.arange(count + 1)
    logs = log_factorials(count + 1)
    chosen = logs[-1] - logs - logs[::-1]
    return np.asarray(np.exp(chosen + kept * np.log(share) + (count - kept) * np.log1p(-share)))


def log_factorials(count: int) -> Floats:
    """Return the logarithms of the factorials of 0 to `count` - 1.

    Parameters
    ----------
    count
        How many.
    """
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count)))])


def add_uniform(values: Floats, end: float, weight: float) -> None:
    """Add the probabilities of a uniform distribution to those of points.

    Parameters
    ----------
    values
        Of the points; changed.
    end, weight
        Points from 0 that it covers; its probability.
    """
    whole = int(end)
    values[:whole] += weight / end
    if whole < len(values):
        values[whole] += weight * (end - whole) / end
