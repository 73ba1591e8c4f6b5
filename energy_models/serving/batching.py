"""Continuous batching in its steady state: requests come at random and join the batch as they come.

Between two decode steps every request that has come is prefilled by itself, as long as the batch has room. With a
geometric number of new tokens, each of the b sequences of a step ends with it with the probability 1/N, and the number
of requests is a Markov chain from step to step: those who stay, and those who were prefilled meanwhile. The latter are
a busy period that those begin who came in a step (their number by the ballot theorem). The wait
for prefill is that of a queue with Poisson arrivals whose server takes vacations, the decode steps. Other distributions
of the number of tokens with the same mean change little: with processor sharing it has no influence (Cohen, 1979).
"""

from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.queueing import (
    Distribution,
    Sums,
    add_uniform,
    begun_by_one,
    binomial,
    busy_period,
    poisson,
    prefill_sums,
)

TAIL = 1e-9  # probability that is left out
RARE = 1e-6  # probability of a time that is counted as the longest
MOST = 1000  # requests that wait, at most
POINTS = 1 << 14  # of a distribution of times


class Arrivals(NamedTuple):
    """The requests of a server.

    Parameters
    ----------
    requests_per_s
        Their rate; they come independently of each other.
    max_batch
        Sequences that are decoded together at the most.
    new_tokens
        Of a request, on average.
    """

    requests_per_s: float
    max_batch: int
    new_tokens: float


class SteadyState(NamedTuple):
    """A server in its steady state.

    Parameters
    ----------
    utilisation
        Share of the time in which it works.
    mean_batch
        Sequences of a decode step, on average over the steps.
    waiting_share
        Share of the time in which the batch is full.
    power_w
        At low, nominal and high prices, shape (3,).
    energy_per_token_j
        Of a generated token, prefill and idle time included, shape (3,).
    first_token_s
        From a request's arrival to its first token.
    token_s
        Between two tokens of a sequence.
    """

    utilisation: float
    mean_batch: float
    waiting_share: float
    power_w: Floats
    energy_per_token_j: Floats
    first_token_s: Distribution
    token_s: Distribution


class OverloadError(ValueError):
    """More requests come than the server can serve; `capacity` is the rate that it can."""

    def __init__(self, capacity: float) -> None:
        super().__init__(f"at most {capacity:.4g} requests a second can be served")
        self.capacity = capacity


def steady_state(
    arrivals: Arrivals, step_s: Floats, step_j: Floats, prefill: Distribution, prefill_j: Floats, idle_w: Floats
) -> SteadyState:
    """Return the steady state of a server.

    Parameters
    ----------
    arrivals
        Its requests.
    step_s, step_j
        Time and energy of a decode step of 1 to `max_batch` sequences, shape (max_batch,) and (3, max_batch).
    prefill, prefill_j
        Times of the prefill of one request; its energy on average, shape (3,).
    idle_w
        Power without any request, shape (3,).

    Raises
    ------
    OverloadError
        Requests come faster than they can be served.
    """
    rate, most = arrivals.requests_per_s, arrivals.max_batch
    prefill_s = prefill.mean
    chain = _chain(arrivals, step_s, prefill)
    batches = np.arange(1, most + 1)
    at_step = np.zeros(most)  # probability of each size of a step
    np.add.at(at_step, np.minimum(np.arange(1, len(chain.steps) + 1), most) - 1, chain.steps)
    step_time_s = float(at_step @ step_s)
    tokens_per_step = float(at_step @ batches)
    # each request takes a prefill and its tokens; what is left of the time is idle
    steps_per_s = rate * arrivals.new_tokens / tokens_per_step
    idle = max(1 - rate * prefill_s - steps_per_s * step_time_s, 0.0)
    power_w = rate * prefill_j + steps_per_s * (step_j @ at_step) + idle * idle_w
    decoding = np.concatenate(
        [[idle / (1 - rate * prefill_s)], steps_per_s * at_step * step_s / (1 - rate * prefill_s)]
    )
    waiting = chain.steps[most - 1 :] * step_s[-1] * steps_per_s
    return SteadyState(
        utilisation=1 - idle,
        mean_batch=tokens_per_step,
        waiting_share=float(waiting.sum()),
        power_w=power_w,
        energy_per_token_j=power_w / (rate * arrivals.new_tokens),
        first_token_s=_first_token(arrivals, prefill, step_s, decoding, waiting),
        token_s=chain.between,
    )


def capacity(arrivals: Arrivals, step_s: Floats, prefill_s: float) -> float:
    """Return the rate of requests that a server can serve.

    Parameters
    ----------
    arrivals, step_s, prefill_s
        As for `steady_state`.
    """
    return float(1 / (prefill_s + arrivals.new_tokens * step_s[-1] / arrivals.max_batch))


class _Chain(NamedTuple):
    """The Markov chain: probability of each number of requests at a step, from 1 on; times between tokens."""

    steps: Floats
    between: Distribution


def _chain(arrivals: Arrivals, step_s: Floats, prefill: Distribution) -> _Chain:
    rate, most, stays = arrivals.requests_per_s, arrivals.max_batch, 1 - 1 / arrivals.new_tokens
    prefill_s, sums = prefill.mean, prefill_sums(prefill)
    limit = capacity(arrivals, step_s, prefill_s)
    if rate >= limit:
        raise OverloadError(limit)
    states = most + min(MOST, 8 * most)  # the last ones stand for more
    moves = np.zeros((states, states))
    after: list[tuple[int, Floats, Floats]] = []  # of each state: waiting, staying, prefilled
    came = begun_by_one(rate, sums)  # by the first after an idle time, itself included
    for number in range(1, states + 1):
        batch = min(number, most)
        waiting = number - batch
        staying = binomial(batch, stays)
        joined = busy_period(rate, sums, step_s[batch - 1])
        if waiting:  # as many are prefilled as end, on average; the others go on waiting
            prefills = min(waiting, batch / arrivals.new_tokens)
            joined = np.concatenate([np.zeros(waiting), poisson(rate * (step_s[-1] + prefills * prefill_s))])
        row = np.convolve(staying, joined)
        empty = row[0]
        row[0] = 0.0
        row[: len(came)] += empty * came[: len(row)]
        moves[number - 1] = _folded(row[1:], states)
        after.append((waiting, staying, joined))
    steps = _stationary(moves)
    return _Chain(steps, _between(steps, after, step_s, sums, most))


def _folded(row: Floats, states: int) -> Floats:
    """Return probabilities with those beyond the last state added to it."""
    inside = np.zeros(states)
    inside[: min(len(row), states)] = row[:states]
    inside[-1] += row[states:].sum()
    return np.asarray(inside / inside.sum())


def _stationary(moves: Floats) -> Floats:
    """Return the stationary distribution of a chain."""
    system = moves.T - np.eye(len(moves))
    system[-1] = 1.0
    found = np.linalg.solve(system, np.eye(1, len(moves), len(moves) - 1)[0])
    return np.asarray(np.maximum(found, 0) / np.maximum(found, 0).sum())


def _between(
    steps: Floats, after: list[tuple[int, Floats, Floats]], step_s: Floats, sums: Sums, most: int
) -> Distribution:
    """Return the distribution of the time between two tokens of a sequence: the prefills before a step, and the step.

    A sequence that was just prefilled waits for the prefills behind its own alone.
    """
    weights = np.zeros((most + 1, most + 1))  # of prefills that a token waits for, and the size of the step
    for probability, (waiting, staying, joined) in zip(steps, after, strict=True):
        if probability < TAIL:
            continue
        for stay in np.flatnonzero(staying > TAIL).tolist():
            room = most - stay
            for count in np.flatnonzero(joined[: room + 1 + waiting] > TAIL).tolist():
                prefilled = min(count, room)
                weight = probability * staying[stay] * joined[count]
                size = stay + prefilled
                weights[prefilled, size] += weight * stay
                weights[:prefilled, size] += weight
    waited, larger = np.nonzero(weights[:, 1:])
    seconds = (sums.seconds[waited] + step_s[larger][:, None]).reshape(-1)
    order = np.argsort(seconds, kind="stable")
    found = (weights[:, 1:][waited, larger][:, None] * sums.probability[waited]).reshape(-1)[order]
    return Distribution(seconds[order], found / found.sum())


def _first_token(
    arrivals: Arrivals, prefill: Distribution, step_s: Floats, decoding: Floats, busy: Floats
) -> Distribution:
    """Return the distribution of the time to the first token: room in the batch, the step, prefills before, its own."""
    rate, most, mean = arrivals.requests_per_s, arrivals.max_batch, prefill.mean
    load, longest = rate * mean, float(prefill.seconds.max())
    waits_s = (np.arange(len(busy)) + 1) * step_s[-1] * arrivals.new_tokens / most / (1 - load)
    likely = np.cumsum(busy[::-1])[::-1] > RARE
    end = step_s.max() + longest * (3 + 40 / max(1 - load, 1e-3)) + float((waits_s * likely).max(initial=0.0))
    width = end / POINTS
    residual, met, own, room = np.zeros((4, POINTS))
    residual[0] = decoding[0]
    for step, share in zip(step_s, decoding[1:], strict=True):  # of the step in progress
        if share > TAIL:
            add_uniform(residual, step / width, share)
    for seconds, probability in zip(*prefill, strict=True):
        add_uniform(met, seconds / width, probability * seconds / mean)  # what is left of a prefill in progress
        np.add.at(own, int(seconds / width), probability)
    room[0] = 1 - busy.sum()
    np.add.at(room, np.minimum((waits_s / width).astype(np.intp), POINTS - 1), busy)
    steps, rest, prefills, slots = (np.fft.rfft(values, 2 * POINTS) for values in (residual, met, own, room))
    # those who wait before: a geometric number of such rests (Pollaczek and Khinchine)
    waited = np.fft.irfft(steps * slots * prefills * (1 - load) / (1 - load * rest), 2 * POINTS)[:POINTS]
    waited = np.maximum(waited, 0.0)
    return Distribution((np.arange(POINTS) + 0.5) * width, waited / waited.sum())
