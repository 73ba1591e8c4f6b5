"""Continuous batching in its steady state: requests come at random and join the batch as they come.

Between two decode steps every request that has come is prefilled by itself, as long as the batch has room. With a
geometric number of new tokens the number of requests is a Markov chain from step to step (`chain.py`). The wait for
prefill is that of a queue with Poisson arrivals whose server takes vacations, the decode steps; where the batch is
often full, it follows from the chain (`full_batch.py`). Other distributions of the number of tokens with the same mean
change the share of idle time (`idle_time.py`) and little else as long as the batch has room: with processor sharing it
has no influence (Cohen, 1979). Where it is often full, requests are simulated one by one (`simulation.py`).
"""

from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.batching.arrivals import Arrivals, Contexts
from bitjoule.energy_models.serving.batching.chain import RARE, TAIL, beyond_share, chain_of, to_wait
from bitjoule.energy_models.serving.batching.full_batch import first_token
from bitjoule.energy_models.serving.batching.idle_time import idle_share, step_spread, with_lengths
from bitjoule.energy_models.serving.batching.queueing import Distribution, add_uniform

POINTS = 1 << 15  # of a distribution of times
OFTEN_FULL = 0.05  # share of the time in which the batch is full, beyond which the closed form of first tokens is off
CLOSED_FORM, CHAIN = "closed form", "Markov chain"


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
    method
        Of the times to the first token: a closed form, the Markov chain, or a simulation.
    beyond_share
        Share of the steps at which more requests wait than the chain has states for; zero of a simulation.
    """

    utilisation: float
    mean_batch: float
    waiting_share: float
    power_w: Floats
    energy_per_token_j: Floats
    first_token_s: Distribution
    token_s: Distribution
    step_spread: float
    method: str
    beyond_share: float


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
    most, prefill_s = arrivals.max_batch, prefill.mean
    limit = capacity(arrivals, step_s, prefill_s)
    if arrivals.requests_per_s >= limit:
        raise OverloadError(limit)
    chain = chain_of(arrivals, step_s, prefill, contexts, arrivals.requests_per_s / limit)
    at_step = np.zeros(most)  # probability of each size of a step
    np.add.at(at_step, np.minimum(np.arange(1, len(chain.steps) + 1), most) - 1, chain.steps)
    idle = idle_share(arrivals, prefill_s, at_step, step_s)
    if arrivals.lengths is not None:
        at_step = with_lengths(arrivals, prefill, at_step, step_s, idle)
        idle = idle_share(arrivals, prefill_s, at_step, step_s)
    decoding = _decoding(arrivals, prefill_s, at_step, step_s)
    mean_batch, power_w = average_power(arrivals, at_step, step_j, prefill_j, idle, idle_w)
    often_full = decoding[-1] > OFTEN_FULL and arrivals.lengths is None
    if often_full:
        first_token_s = first_token(arrivals, step_s, chain.admission, chain.steps)
    else:
        shares = np.concatenate([[idle / _left(arrivals, prefill_s)], decoding])
        first_token_s = _first_token(arrivals, prefill, step_s, shares, to_wait(arrivals, step_s, chain))
    return SteadyState(
        utilisation=1 - idle,
        mean_batch=mean_batch,
        waiting_share=float(decoding[-1]),
        power_w=power_w,
        energy_per_token_j=power_w / (arrivals.requests_per_s * arrivals.new_tokens),
        first_token_s=first_token_s,
        token_s=chain.between,
        step_spread=step_spread(mean_batch, step_s, contexts),
        method=CHAIN if often_full else CLOSED_FORM,
        beyond_share=beyond_share(chain),
    )


def average_power(
    arrivals: Arrivals, at_step: Floats, step_j: Floats, prefill_j: Floats, idle: float, idle_w: Floats
) -> tuple[float, Floats]:
    """Return the mean size of a step, and the watts at low, nominal and high prices, shape (3,).

    Parameters
    ----------
    arrivals, step_j, prefill_j, idle_w
        As for `steady_state`.
    at_step, idle
        Probability of each size of a step, from 1 on; share of the time without any request.
    """
    mean_batch = float(at_step @ np.arange(1, len(at_step) + 1))
    steps_per_s = arrivals.requests_per_s * arrivals.new_tokens / mean_batch
    return mean_batch, arrivals.requests_per_s * prefill_j + steps_per_s * (step_j @ at_step) + idle * idle_w


def _left(arrivals: Arrivals, prefill_s: float) -> float:
    """Return the share of the time that prefill leaves."""
    return 1 - arrivals.requests_per_s * prefill_s


def _decoding(arrivals: Arrivals, prefill_s: float, at_step: Floats, step_s: Floats) -> Floats:
    """Return the shares of the time without prefill in which steps of each size run, from 1 on."""
    tokens_per_step = float(at_step @ np.arange(1, len(at_step) + 1))
    steps_per_s = arrivals.requests_per_s * arrivals.new_tokens / tokens_per_step
    return np.asarray(steps_per_s * at_step * step_s / _left(arrivals, prefill_s))


def capacity(arrivals: Arrivals, step_s: Floats, prefill_s: float) -> float:
    """Return the rate of requests that a server can serve.

    Parameters
    ----------
    arrivals, step_s, prefill_s
        As for `steady_state`.
    """
    return float(1 / (prefill_s + arrivals.new_tokens * step_s[-1] / arrivals.max_batch))


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
