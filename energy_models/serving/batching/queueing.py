"""Distributions of times, and of the number of requests that are served one after the other."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.lengths import Lengths

MOST_PREFILLS = 400  # of a busy period
SKEWED = 1.0  # skewness beyond which sums are taken for lognormal, else for normal
PAIRED = 24  # times of a prefill, for those of two
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
    """Times that 0, 1, 2, ... prefills take together.

    Parameters
    ----------
    prefills, seconds, probability
        Number of prefills, ascending; their time, and its probability among those of this number; shape (points,).
    """

    prefills: NDArray[np.intp]
    seconds: Floats
    probability: Floats


def prefill_sums(prefill: Distribution) -> Sums:
    """Return the times of several prefills.

    Parameters
    ----------
    prefill
        Of one.
    """
    return sums_of(prefill, MOST_PREFILLS)


def sums_of(prefill: Distribution, most: int) -> Sums:
    """Return the sums of several times: of one and two as they are, of more by their mean and variance.

    Parameters
    ----------
    prefill, most
        Of one; how many of them, less one, at the most; at least 2.
    """
    mean, few = prefill.mean, Distribution(*Lengths(*prefill).coarse(PAIRED))
    variance = float(np.maximum(prefill.probability @ prefill.seconds**2 - mean**2, 0))
    pairs = np.add.outer(few.seconds, few.seconds).reshape(-1)
    count = np.arange(3, most)[:, None]
    third = float(prefill.probability @ (prefill.seconds - mean) ** 3)
    if third > SKEWED * variance**1.5:
        sigma = np.sqrt(np.log1p(variance / mean**2 / count))
        more = count * mean * np.exp(sigma * NODES - sigma**2 / 2)  # lognormal
    else:
        more = np.maximum(count * mean + np.sqrt(count * variance) * NODES, 0)
    return Sums(
        np.repeat(np.arange(3 + len(count)), [1, len(prefill.seconds), len(pairs), *[len(NODES)] * len(count)]),
        np.concatenate([[0.0], prefill.seconds, pairs, more.reshape(-1)]),
        np.concatenate(
            [
                [1.0], prefill.probability, np.outer(few.probability, few.probability).reshape(-1),
                np.tile(WEIGHTS / WEIGHTS.sum(), len(count)),
            ]
        ),
    )  # fmt: skip


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
    whole = step_s + sums.seconds
    logs = sums.prefills * np.log(rate * whole) - rate * whole - log_factorials(MOST_PREFILLS)[sums.prefills]
    return np.asarray(np.bincount(sums.prefills, np.exp(logs) * step_s / whole * sums.probability), dtype=np.float64)


def served_sums(rate: float, sums: Sums, step_s: float) -> Sums:
    """Return the times of prefills between two steps, given how many they were: few came in them if they were few.

    Parameters
    ----------
    rate, sums, step_s
        As for `busy_period`.
    """
    whole = step_s + sums.seconds
    logs = (sums.prefills - 1) * np.log(whole) - rate * sums.seconds
    largest = np.full(MOST_PREFILLS, -np.inf)
    np.maximum.at(largest, sums.prefills, logs)
    likely = sums.probability * np.exp(logs - largest[sums.prefills])
    return sums._replace(probability=likely / np.bincount(sums.prefills, likely)[sums.prefills])


def begun_by_one(rate: float, sums: Sums) -> Floats:
    """Return the probabilities of the number of prefills that one request begins, itself included, from 0 on.

    Parameters
    ----------
    rate, sums
        As for `busy_period`.
    """
    count, seconds, probability = (values[1:] for values in sums)  # without that of none
    came = np.maximum(rate * seconds, np.finfo(float).tiny)
    logs = (count - 1) * np.log(came) - came - log_factorials(MOST_PREFILLS)[count - 1]
    return np.asarray(np.bincount(count, np.exp(logs) / count * probability), dtype=np.float64)


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
