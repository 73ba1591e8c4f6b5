"""Distributions of the prompt and new tokens of requests."""

from statistics import NormalDist
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from bitjoule.energy_models.architecture.phases import Floats

BODY = np.arange(180) / 200  # ends of slices of a continuous distribution
TAIL = np.geomspace(0.1, 2e-5, 120)  # and what is beyond those in its tail
PROMPTS, STEPS = 24, 12  # slices of the prompt and of the new tokens behind, for caches
NORMAL = NormalDist()


class Lengths(NamedTuple):
    """A distribution of numbers of tokens.

    Parameters
    ----------
    tokens, probability
        Its values, ascending, and their probabilities, shape (lengths,).
    """

    tokens: Floats
    probability: Floats

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self.tokens @ self.probability)

    @property
    def mean_square(self) -> float:
        """The mean of the squares."""
        return float(self.tokens**2 @ self.probability)

    @property
    def seen(self) -> float:
        """Mean number of tokens that a sequence has behind it, the one that is made included: E[N (N + 1)] / 2 E[N].

        Of all tokens alike; long sequences have more of them.
        """
        return (self.mean_square / self.mean + 1) / 2

    def seen_by_steps(self, points: int) -> Self:
        """Return how many new tokens the sequences of a step have behind them, slices of equal probability.

        Parameters
        ----------
        points
            How many slices.
        """
        lasting = 1 - np.concatenate([[0.0], np.cumsum(self.probability)[:-1]])  # have a token beyond the one before
        share = np.concatenate([[0.0], np.cumsum(lasting * np.diff(self.tokens, prepend=0.0)) / self.mean])
        at = np.interp((np.arange(points) + 0.5) / points, share, np.concatenate([[0.0], self.tokens]))
        return type(self)(at, np.full(points, 1 / points))

    @classmethod
    def of(cls, tokens: ArrayLike, weights: ArrayLike) -> Self:
        """Return the distribution of a list of lengths.

        Parameters
        ----------
        tokens, weights
            Lengths in any order, and how often each occurs.
        """
        values, at = np.unique(np.asarray(tokens, dtype=np.float64), return_inverse=True)
        summed = np.bincount(at.reshape(-1), np.asarray(weights, dtype=np.float64))
        return cls(values[summed > 0], summed[summed > 0] / summed.sum())

    @classmethod
    def fixed(cls, tokens: float) -> Self:
        """Return the distribution of a length that is always the same.

        Parameters
        ----------
        tokens
            The length.
        """
        return cls(np.array([float(tokens)]), np.ones(1))

    @classmethod
    def geometric(cls, mean: float) -> Self:
        """Return the lengths of sequences each of whose tokens is the last with the same probability.

        Parameters
        ----------
        mean
            At least 1.
        """
        ends = 1 / mean
        most = int(np.ceil(np.log(1e-12) / np.log1p(-ends))) if mean > 1 else 1
        tokens = np.arange(1, most + 1, dtype=np.float64)
        return cls.of(tokens, ends * np.exp((tokens - 1) * np.log1p(-ends)) if mean > 1 else np.ones(1))

    @classmethod
    def uniform(cls, mean: float, share: float) -> Self:
        """Return the uniform distribution of whole lengths around a mean.

        Parameters
        ----------
        mean, share
            The mean, and by which share of it lengths are less or more at the most.
        """
        reach = np.floor(min(mean * share, mean - 1) + 1e-9)
        tokens = np.arange(mean - reach, mean + reach + 1)
        return cls(tokens, np.full(len(tokens), 1 / len(tokens)))

    @classmethod
    def lognormal(cls, mean: float, sigma: float) -> Self:
        """Return a lognormal distribution: the means of slices of equal probability, thinner in its tail.

        Parameters
        ----------
        mean, sigma
            The mean, and the standard deviation of the logarithm.
        """
        ends = np.concatenate([BODY, 1 - TAIL, [1.0]])
        below = np.array([0.0, *(NORMAL.cdf(NORMAL.inv_cdf(end) - sigma) for end in ends[1:-1]), 1.0])
        share = np.diff(ends)
        return cls.of(np.maximum(mean * np.diff(below) / share, 1.0), share)

    def coarse(self, points: int) -> Self:
        """Return the means of about so many slices of equal probability; itself if it has no more lengths.

        Parameters
        ----------
        points
            How many; at least 2.
        """
        if len(self.tokens) <= points:
            return self
        slices = np.minimum((np.cumsum(self.probability) - self.probability / 2) * points, points - 1).astype(int)
        share = np.asarray(np.bincount(slices, self.probability), dtype=np.float64)
        used = share > 0
        return type(self)(np.bincount(slices, self.probability * self.tokens)[used] / share[used], share[used])

    def longest_of(self, together: Floats) -> float:
        """Return the mean of the longest of several requests that come together.

        Parameters
        ----------
        together
            Probabilities of how many come, from 0 on.
        """
        ended = np.concatenate([[0.0], np.cumsum(self.probability)[:-1]])
        all_ended = np.polynomial.polynomial.polyval(ended, together)
        return float((together.sum() - all_ended) @ np.diff(self.tokens, prepend=0.0))


def contexts_of(prompts: Lengths, news: Lengths) -> Lengths:
    """Return the tokens in the cache of a sequence of a step, before it.

    Parameters
    ----------
    prompts, news
        Prompt and new tokens of requests, independent of each other.
    """
    first, behind = prompts.coarse(PROMPTS), news.seen_by_steps(STEPS)
    tokens = np.add.outer(first.tokens, np.maximum(behind.tokens - 0.5, 0.0))
    return Lengths.of(tokens.reshape(-1), np.outer(first.probability, behind.probability).reshape(-1))
