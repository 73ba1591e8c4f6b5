"""The time to the first token where the batch is often full, from the Markov chain of the steady state.

The chain says how many requests are there at each step, and so who is ahead of one that comes: in a step, in a prefill,
or in idle time. Who finds room is prefilled after those ahead. Where k are ahead in a full batch, as many steps pass as
end k + 1 sequences, each of which ends with the same probability after every step. Times are those of many requests,
each drawn by itself from the steady state: unlike those that a simulation serves one after the other, they do not
depend on each other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.batching.admission import Admission
from bitjoule.energy_models.serving.batching.arrivals import Arrivals
from bitjoule.energy_models.serving.batching.queueing import Distribution, binomial

SEED = 2022
SAMPLES = 200_000
RARE = 1e-12
Counts = NDArray[np.int64]


class Cycle(NamedTuple):
    """How many requests come from one step to the next, on average, by what they meet.

    Parameters
    ----------
    in_steps
        In a step, by the requests that are there as it begins, from 1 on, shape (states,).
    in_prefills
        In the prefill of another, by the places of the batch and by the requests that wait as it begins, that one
        included, both from 0 on, shape (max_batch + 1, waiting + 1).
    idle
        When no request is there.
    """

    in_steps: Floats
    in_prefills: Floats
    idle: float

    @property
    def all(self) -> float:
        """All of them."""
        return float(self.in_steps.sum() + self.in_prefills.sum()) + self.idle


def cycle_of(arrivals: Arrivals, step_s: Floats, admission: Admission, steps: Floats) -> tuple[Cycle, float]:
    """Return what requests meet, and how many are prefilled from one step to the next, on average.

    Parameters
    ----------
    arrivals, step_s
        As for `steady_state`; new tokens are geometric.
    admission
        Who joins the batch.
    steps
        Probability of each number of requests at a step, from 1 on, shape (states,).
    """
    most, stays = arrivals.max_batch, 1 - 1 / arrivals.new_tokens
    begun = np.zeros((most + 1, admission.waiting + 1))  # prefills, by places and by those who wait
    for number in np.flatnonzero(steps > RARE).tolist():
        batch = min(number + 1, most)
        pool = steps[number] * admission.pool(number + 1 - batch, step_s[batch - 1])
        begun[most - batch :] += np.outer(binomial(batch, stays)[::-1], pool)
    empty = float(begun[most, 0])
    begun[most, 1] += empty
    begun[:, 0] = begun[0] = 0.0  # a step follows
    for places in range(most - 1, 0, -1):
        begun[places] += begun[places + 1] @ admission.after_one
        begun[places, 0] = 0.0
    in_steps = steps * step_s[np.minimum(np.arange(len(steps)), most - 1)]
    rate = arrivals.requests_per_s
    return Cycle(rate * in_steps, rate * admission.prefill.mean * begun, empty), float(begun.sum())


def first_token(arrivals: Arrivals, step_s: Floats, admission: Admission, steps: Floats) -> Distribution:
    """Return the distribution of the time from a request's arrival to its first token.

    Parameters
    ----------
    arrivals, step_s, admission, steps
        As for `cycle_of`.
    """
    cycle, _ = cycle_of(arrivals, step_s, admission, steps)
    most, rate, prefill = arrivals.max_batch, arrivals.requests_per_s, admission.prefill
    rng = np.random.default_rng(SEED)
    in_step, in_prefill = (
        round(SAMPLES * part / cycle.all) for part in (cycle.in_steps.sum(), cycle.in_prefills.sum())
    )
    # in a step: requests that are there, those who come in it before, and the places that are free after it
    there = _drawn(cycle.in_steps, in_step, rng) + 1
    batch = np.minimum(there, most)
    taken, passed = step_s[batch - 1], rng.random(in_step)
    ahead = there - batch + rng.poisson(rate * taken * passed)
    free = rng.binomial(batch, 1 / arrivals.new_tokens) + most - batch
    after_step = taken * (1 - passed) + _after(arrivals, step_s, prefill, ahead, free, rng)
    # in a prefill, the longer the likelier
    places, waiting = np.divmod(_drawn(cycle.in_prefills.reshape(-1), in_prefill, rng), cycle.in_prefills.shape[1])
    taken = prefill.seconds[_drawn(prefill.probability * prefill.seconds, in_prefill, rng)]
    passed = rng.random(in_prefill)
    ahead = waiting - 1 + rng.poisson(rate * taken * passed)
    after_prefill = taken * (1 - passed) + _after(arrivals, step_s, prefill, ahead, places - 1, rng)
    at_once = _prefills(prefill, np.ones(max(SAMPLES - in_step - in_prefill, 0), dtype=np.int64), rng)
    seconds = np.sort(np.concatenate([after_step, after_prefill, at_once]))
    return Distribution(seconds, np.full(len(seconds), 1 / len(seconds)))


def _after(
    arrivals: Arrivals, step_s: Floats, prefill: Distribution, ahead: Counts, free: Counts, rng: np.random.Generator
) -> Floats:
    """Return the times of requests with others ahead, from a moment at which places are free and a prefill begins.

    Where there is no place, a step of the full batch begins, with prefills of those who take the places after each.
    """
    seconds, full = _prefills(prefill, ahead + 1, rng), ahead >= free
    ends = ahead[full] - free[full] + 1
    tokens = ends + rng.negative_binomial(ends, 1 / arrivals.new_tokens)  # of the batch, until so many were the last
    seconds[full] += step_s[-1] * np.ceil(tokens / arrivals.max_batch)
    return seconds


def _prefills(prefill: Distribution, count: Counts, rng: np.random.Generator) -> Floats:
    """Return the times of several prefills each: of one as it is, of the others by their mean and variance."""
    one = prefill.seconds[_drawn(prefill.probability, len(count), rng)]
    mean = prefill.mean
    variance = float(prefill.probability @ (prefill.seconds - mean) ** 2)
    if variance <= RARE * mean**2:
        return np.asarray(one + (count - 1) * mean)
    return np.asarray(one + rng.gamma((count - 1) * mean**2 / variance, variance / mean))


def _drawn(weights: Floats, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return indices, each as often as its weight says, in a random order."""
    sums = np.cumsum(weights)
    at = np.searchsorted(sums, (np.arange(count) + 0.5) / max(count, 1) * sums[-1])
    return rng.permutation(np.minimum(at, len(weights) - 1))
