"""Continuous batching in its steady state: requests come at random and join the batch as they come.

Between two decode steps every request that has come is prefilled by itself, as long as the batch has room. With a
geometric number of new tokens, each of the b sequences of a step ends with it with the probability 1/N, and the number
of requests is a Markov chain from step to step: those who stay, and those who were prefilled meanwhile. The latter are
a busy period that those begin who came in a step (their number by the ballot theorem). The wait
for prefill is that of a queue with Poisson arrivals whose server takes vacations, the decode steps. Other distributions
of the number of tokens with the same mean change the share of idle time (`idle_time.py`) and little else: with
processor sharing it has no influence (Cohen, 1979).
"""

from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.admission import MOST_ROOM, Admission, still_to_wait
from bitjoule.energy_models.serving.arrivals import Arrivals, Contexts
from bitjoule.energy_models.serving.idle_time import idle_share, step_spread, with_lengths
from bitjoule.energy_models.serving.queueing import (
    Distribution,
    Sums,
    add_uniform,
    begun_by_one,
    binomial,
    busy_period,
    prefill_sums,
    served_sums,
    sums_of,
)

TAIL = 1e-9  # probability that is left out
RARE = 1e-6  # probability of a time that is counted as the longest
WAITING = 6  # requests that wait, at most, for each sequence of the batch
POINTS = 1 << 15  # of a distribution of times


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
    step_spread
        Standard deviation of the time of a step by what its sequences have in their caches, over its mean; of a step of
        the mean size.
    """

    utilisation: float
    mean_batch: float
    waiting_share: float
    power_w: Floats
    energy_per_token_j: Floats
    first_token_s: Distribution
    token_s: Distribution
    step_spread: float


class OverloadError(ValueError):
    """More requests come than the server can serve; `capacity` is the rate that it can."""

    def __init__(self, capacity: float) -> None:
        super().__init__(f"at most {capacity:.4g} requests a second can be served")
        self.capacity = capacity


def steady_state(
    arrivals: Arrivals,
    step_s: Floats,
    step_j: Floats,
    prefill: Distribution,
    prefill_j: Floats,
    idle_w: Floats,
    contexts: Contexts | None = None,
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
    contexts
        Of sequences whose caches differ; times and energies of steps are those of the mean.

    Raises
    ------
    OverloadError
        Requests come faster than they can be served.
    """
    rate, most = arrivals.requests_per_s, arrivals.max_batch
    prefill_s = prefill.mean
    chain = _chain(arrivals, step_s, prefill, contexts)
    batches = np.arange(1, most + 1)
    at_step = np.zeros(most)  # probability of each size of a step
    np.add.at(at_step, np.minimum(np.arange(1, len(chain.steps) + 1), most) - 1, chain.steps)
    idle = idle_share(arrivals, prefill_s, at_step, step_s)
    if arrivals.lengths is not None:
        at_step = with_lengths(arrivals, prefill, at_step, step_s, idle)
        idle = idle_share(arrivals, prefill_s, at_step, step_s)
    tokens_per_step = float(at_step @ batches)
    steps_per_s = rate * arrivals.new_tokens / tokens_per_step
    power_w = rate * prefill_j + steps_per_s * (step_j @ at_step) + idle * idle_w
    decoding = np.concatenate(
        [[idle / (1 - rate * prefill_s)], steps_per_s * at_step * step_s / (1 - rate * prefill_s)]
    )
    return SteadyState(
        utilisation=1 - idle,
        mean_batch=tokens_per_step,
        waiting_share=float(at_step[-1] * step_s[-1] * steps_per_s / (1 - rate * prefill_s)),
        power_w=power_w,
        energy_per_token_j=power_w / (rate * arrivals.new_tokens),
        first_token_s=_first_token(arrivals, prefill, step_s, decoding, chain.to_wait),
        token_s=chain.between,
        step_spread=step_spread(tokens_per_step, step_s, contexts),
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
    """The Markov chain.

    Parameters
    ----------
    steps
        Probability of each number of requests at a step, from 1 on.
    between
        Times between tokens.
    to_wait
        Probabilities of how many requests must end before one that comes finds room, from 0 on.
    """

    steps: Floats
    between: Distribution
    to_wait: Floats


class _After(NamedTuple):
    """A state: those who wait; probabilities of those who stay, and of prefills if there is room for all."""

    waiting: int
    staying: Floats
    joined: Floats


def _chain(arrivals: Arrivals, step_s: Floats, prefill: Distribution, contexts: Contexts | None) -> _Chain:
    rate, most, stays = arrivals.requests_per_s, arrivals.max_batch, 1 - 1 / arrivals.new_tokens
    prefill_s, sums = prefill.mean, prefill_sums(prefill)
    limit = capacity(arrivals, step_s, prefill_s)
    if rate >= limit:
        raise OverloadError(limit)
    admission = Admission(rate, prefill, WAITING * most)
    states = most + admission.waiting  # the last one stands for more
    moves = np.zeros((states, states))
    after: list[_After] = []
    came = begun_by_one(rate, sums)  # by the first after an idle time, itself included
    for number in range(1, states + 1):
        batch = min(number, most)
        state = _After(number - batch, binomial(batch, stays), busy_period(rate, sums, step_s[batch - 1]))
        if most - batch >= MOST_ROOM:  # always enough
            row = np.convolve(state.staying, state.joined)
        else:
            row, pool = np.zeros(states + 1 + admission.waiting), admission.pool(state.waiting, step_s[batch - 1])
            for stay in np.flatnonzero(state.staying > TAIL).tolist():
                total = admission.total(pool, most - stay)
                row[stay : stay + len(total)] += state.staying[stay] * total
        empty = row[0]
        row[0] = 0.0
        row[: len(came)] += empty * came[: len(row)]
        moves[number - 1] = _folded(row[1:], states)
        after.append(state)
    steps = _stationary(moves)
    to_wait = np.zeros(admission.waiting + 1)
    for probability, state in zip(steps, after, strict=True):
        if probability > TAIL:
            batch = len(state.staying) - 1
            room = np.concatenate([np.zeros(most - batch), state.staying[::-1]])
            found = still_to_wait(state.waiting, rate * step_s[batch - 1], room, len(to_wait))
            to_wait += probability * step_s[batch - 1] * found
    prefills = served_sums(rate, sums, _mean_step_s(steps, step_s))
    return _Chain(steps, _between(steps, after, step_s, prefills, contexts), to_wait / to_wait.sum())


def _mean_step_s(steps: Floats, step_s: Floats) -> float:
    """Return the mean time of a step."""
    return float(steps @ step_s[np.minimum(np.arange(len(steps)), len(step_s) - 1)])


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


def _between(steps: Floats, after: list[_After], step_s: Floats, sums: Sums, contexts: Contexts | None) -> Distribution:
    """Return the distribution of the time between two tokens of a sequence: the prefills before a step, and the step.

    A sequence that was just prefilled waits for the prefills behind its own alone.
    """
    most = len(step_s)
    weights = np.zeros((most + 1, most + 1))  # of prefills that a token waits for, and the size of the step
    for probability, (waiting, staying, joined) in zip(steps, after, strict=True):
        if probability < TAIL:
            continue
        for stay in np.flatnonzero(staying > TAIL).tolist():
            room = most - stay
            prefills = np.zeros(room + 1)  # as many as come, or as there is room for
            if waiting < room:
                inside = joined[: room - waiting]
                prefills[waiting : waiting + len(inside)] = inside
            prefills[room] += max(1 - prefills.sum(), 0.0)
            for prefilled in np.flatnonzero(prefills > TAIL).tolist():
                weight = probability * staying[stay] * prefills[prefilled]
                weights[prefilled, stay + prefilled] += weight * stay
                weights[:prefilled, stay + prefilled] += weight
    within = sums.prefills <= most
    counts, waits, likely = sums.prefills[within], sums.seconds[within], sums.probability[within]
    totals = None if contexts is None else sums_of(Distribution(contexts.tokens, contexts.probability), most + 1)
    seconds, found = [], []
    for size in np.flatnonzero(weights[:, 1:].any(axis=0)).tolist():  # less one
        of_step, probability = step_s[size : size + 1], np.ones(1)
        if contexts is not None and totals is not None:
            own = totals.prefills == size + 1
            more = totals.seconds[own] - (size + 1) * (contexts.tokens @ contexts.probability)
            of_step = np.maximum(of_step + more * contexts.step_s[size], 0)
            probability = totals.probability[own]
        weight = likely * weights[counts, size + 1]
        some = weight > weight.max() * RARE
        seconds.append(np.add.outer(waits[some], of_step).reshape(-1))
        found.append(np.outer(weight[some], probability).reshape(-1))
    times, shares = np.concatenate(seconds), np.concatenate(found)
    order = np.argsort(times, kind="stable")
    return Distribution(times[order], shares[order] / shares.sum())


def _first_token(
    arrivals: Arrivals, prefill: Distribution, step_s: Floats, decoding: Floats, to_wait: Floats
) -> Distribution:
    """Return the distribution of the time to the first token: the step, prefills before or room, its own prefill.

    Where the batch has room, those who wait before are a geometric number of rests of prefills (Pollaczek and
    Khinchine); where it is full, as many requests must end as are ahead, each after an exponential time.
    """
    rate, most, mean = arrivals.requests_per_s, arrivals.max_batch, prefill.mean
    load, longest = rate * mean, float(prefill.seconds.max())
    rest_s = float(prefill.probability @ prefill.seconds**2) / (2 * mean)  # of a prefill in progress, on average
    each_s = step_s[-1] * arrivals.new_tokens / most + mean  # between two that end
    likely = np.flatnonzero(np.cumsum(to_wait[::-1])[::-1] > RARE).max(initial=0)
    end = step_s.max() + 3 * longest + 80 * rest_s / max(1 - load, 1e-3) + each_s * (likely + 6 * np.sqrt(likely))
    width = end / POINTS
    residual, met, own = np.zeros((3, POINTS))
    residual[0] = decoding[0]
    for step, share in zip(step_s, decoding[1:], strict=True):  # of the step in progress
        if share > TAIL:
            add_uniform(residual, step / width, share)
    for seconds, probability in zip(*prefill, strict=True):
        add_uniform(met, seconds / width, probability * seconds / mean)  # what is left of a prefill in progress
        np.add.at(own, int(seconds / width), probability)
    ends = np.exp(-np.arange(POINTS) * width / each_s) * -np.expm1(-width / each_s)
    steps, rest, prefills, one = (np.fft.rfft(values, 2 * POINTS) for values in (residual, met, own, ends))
    full = np.zeros_like(one)
    for probability in to_wait[:0:-1].tolist():
        full = (full + probability) * one
    waits = to_wait[0] * (1 - load) / (1 - load * rest) + full
    waited = np.maximum(np.fft.irfft(steps * prefills * waits, 2 * POINTS)[:POINTS], 0.0)
    return Distribution((np.arange(POINTS) + 0.5) * width, waited / waited.sum())
