"""First tokens of a full batch: every request is met once, and a batch of one is a queue with known waits."""

from math import exp, factorial

import numpy as np
import pytest

from bitjoule.energy_models.serving.batching.admission import MOST_ROOM
from bitjoule.energy_models.serving.batching.arrivals import Arrivals
from bitjoule.energy_models.serving.batching.chain import beyond_share, chain_of
from bitjoule.energy_models.serving.batching.full_batch import cycle_of, first_token
from bitjoule.energy_models.serving.batching.queueing import Distribution

PREFILLS = {"fixed": Distribution.fixed(0.1), "two": Distribution(np.array([0.05, 0.3]), np.array([0.8, 0.2]))}


def chain_at(load, most, new_tokens, step_s, prefill):
    """Return requests at a load, and their chain."""
    rate = load / (prefill.mean + new_tokens * step_s[-1] / most)
    arrivals = Arrivals(rate, most, new_tokens)
    return arrivals, chain_of(arrivals, step_s, prefill, None, load)


@pytest.mark.parametrize("prefill", PREFILLS.values(), ids=PREFILLS)
@pytest.mark.parametrize(("load", "most", "new_tokens"), [(0.3, 1, 5), (0.8, 4, 20), (0.85, 16, 3), (0.5, 60, 30)])
def test_as_many_requests_come_as_are_prefilled_and_as_end(load, most, new_tokens, prefill):
    step_s = 0.02 + 0.001 * np.arange(1, most + 1)
    arrivals, chain = chain_at(load, most, new_tokens, step_s, prefill)
    cycle, prefilled = cycle_of(arrivals, step_s, chain.admission, chain.steps)
    sizes = np.minimum(np.arange(1, len(chain.steps) + 1), most)
    exact = 1e-6 if most < MOST_ROOM else 5e-3  # a busy period has sums of many prefills by their variance
    assert cycle.all == pytest.approx(prefilled, rel=exact)
    assert chain.steps @ sizes / new_tokens == pytest.approx(prefilled, rel=exact)


@pytest.mark.parametrize("prefill", PREFILLS.values(), ids=PREFILLS)
def test_a_batch_of_one_waits_as_pollaczek_and_khinchine_say(prefill):
    step_s, new_tokens = np.array([0.02]), 12
    arrivals, chain = chain_at(0.8, 1, new_tokens, step_s, prefill)
    # a request is served for its prefill and a geometric number of steps, whose variance is N (N - 1)
    service = prefill.mean + new_tokens * step_s[0]
    square = service**2 + prefill.probability @ (prefill.seconds - prefill.mean) ** 2
    square += new_tokens * (new_tokens - 1) * step_s[0] ** 2
    waits = arrivals.requests_per_s * square / 2 / (1 - arrivals.requests_per_s * service)
    found = first_token(arrivals, step_s, chain.admission, chain.steps)
    assert found.mean == pytest.approx(waits + prefill.mean, rel=0.01)


def waits_within(seconds, rate, service):
    """Return the probability of a wait in the queue M/D/1 (Erlang, 1909)."""
    terms = range(int(seconds / service) + 1)
    of = [rate * (k * service - seconds) for k in terms]
    return (1 - rate * service) * sum(x**k / factorial(k) * exp(-x) for k, x in zip(terms, of, strict=True))


def test_requests_of_one_token_wait_as_in_a_queue_of_fixed_services():
    step_s, prefill = np.array([0.04]), Distribution.fixed(0.1)
    arrivals, chain = chain_at(0.7, 1, 1, step_s, prefill)
    found = first_token(arrivals, step_s, chain.admission, chain.steps)
    for wait in (0.05, 0.1, 0.2, 0.4, 0.7):
        expected = waits_within(wait, arrivals.requests_per_s, 0.14)
        assert found.within(wait + 0.1) == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize(("load", "almost_none"), [(0.5, True), (0.9, True), (0.98, False), (0.995, False)])
def test_more_wait_than_the_chain_has_as_in_a_queue_of_fixed_services(load, almost_none):
    """The probabilities of long queues M/D/1 fall by x = exp(load (x - 1)) from one to the next."""
    _, chain = chain_at(load, 1, 1, np.array([0.04]), Distribution.fixed(0.1))
    factor = 1 + 3 * (1 - load)
    for _ in range(50):  # Newton
        value, slope = exp(load * (factor - 1)) - factor, load * exp(load * (factor - 1)) - 1
        factor -= value / slope
    expected = 0.0 if almost_none else factor**-chain.admission.waiting
    assert beyond_share(chain) == pytest.approx(expected, rel=0.5, abs=1e-9)
