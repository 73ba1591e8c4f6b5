"""How often a server with continuous batching is idle, and what the lengths of requests change in that."""

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.batching.arrivals import Arrivals, Contexts
from bitjoule.energy_models.serving.batching.queueing import Distribution, begun_by_one, prefill_sums
from bitjoule.energy_models.serving.lengths import Lengths

BISECTIONS = 60
MOST_WEIGHT = 0.5  # of the logarithm, for each sequence more
TINY = 1e-300


def step_spread(batch: float, step_s: Floats, contexts: Contexts | None) -> float:
    """Return the standard deviation of the time of a step that caches make, over its mean.

    Parameters
    ----------
    batch, step_s, contexts
        Mean size of a step, times of steps by their size, and the caches.
    """
    if contexts is None:
        return 0.0
    mean = contexts.tokens @ contexts.probability
    deviation = np.sqrt(contexts.probability @ (contexts.tokens - mean) ** 2)
    at = min(round(batch), len(step_s)) - 1
    return float(abs(contexts.step_s[at]) * np.sqrt(batch) * deviation / step_s[at])


def idle_share(arrivals: Arrivals, prefill_s: float, at_step: Floats, step_s: Floats) -> float:
    """Return the share of the time that is idle: what is left of it after each request's prefill and tokens.

    Parameters
    ----------
    arrivals, prefill_s
        Requests, and the mean time of a prefill.
    at_step, step_s
        Probability and time of each size of a step, from 1 on.
    """
    tokens_per_step = float(at_step @ np.arange(1, len(at_step) + 1))
    steps_per_s = arrivals.requests_per_s * arrivals.new_tokens / tokens_per_step
    return max(1 - arrivals.requests_per_s * prefill_s - steps_per_s * float(at_step @ step_s), 0.0)


def with_lengths(arrivals: Arrivals, prefill: Distribution, at_step: Floats, step_s: Floats, idle: float) -> Floats:
    """Return the probabilities of the sizes of a step for lengths that are not geometric.

    Seen from the decode steps, the requests of a busy period of prefills come together. A batch without limit is then
    empty with the probability exp(-rate of groups x mean of the longest of a group): groups that are still there are a
    Poisson number. The exponent of the geometric lengths is scaled by the mean of the longest with these, as far as the
    time of a step does not grow with its sequences: a server that they share evenly is idle whatever their lengths.
    Sizes are weighted with a power until what is left of the time is as idle.

    Parameters
    ----------
    arrivals, prefill
        Requests, and times of their prefill.
    at_step, step_s
        Probability of each size of a step for geometric lengths, and its time.
    idle
        Share of the time that is idle with these.
    """
    rate, lengths = arrivals.requests_per_s, arrivals.lengths
    together = begun_by_one(rate, prefill_sums(prefill))
    decoding = 1 - rate * prefill.mean
    empty = idle / decoding
    if lengths is None or not 0 < empty < 1:
        return at_step
    ratio = lengths.longest_of(together) / Lengths.geometric(arrivals.new_tokens).longest_of(together)
    sizes = np.arange(1, len(at_step) + 1)
    mean_s = at_step @ step_s
    shared = (step_s[-1] - step_s[0]) / max(len(step_s) - 1, 1) * (at_step @ sizes) / mean_s
    aim = decoding * empty ** (1 + (ratio - 1) * max(1 - shared, 0.0))
    low, high = -MOST_WEIGHT, MOST_WEIGHT  # a larger batch leaves more time
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        logs = np.log(np.maximum(at_step, TINY)) + middle * sizes
        weighted = np.exp(logs - logs.max())
        weighted /= weighted.sum()
        low, high = (middle, high) if idle_share(arrivals, prefill.mean, weighted, step_s) < aim else (low, middle)
    return np.asarray(weighted)
