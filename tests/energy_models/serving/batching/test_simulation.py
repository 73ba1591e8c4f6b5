"""The simulation of requests one by one: queues with known waits, how sure it is, and the same result each time."""

import numpy as np
import pytest

from bitjoule.energy_models.serving.batching import simulation
from bitjoule.energy_models.serving.batching.arrivals import Arrivals
from bitjoule.energy_models.serving.batching.simulation import Demand, simulate
from bitjoule.energy_models.serving.lengths import Lengths

QUANTILES = (0.5, 0.95)


def demand_of(prompts, news, most, cached_s=0.0):
    return Demand(prompts, 1e-3 * prompts.tokens, news, np.full(most, cached_s))


@pytest.mark.parametrize("news", [Lengths.fixed(12), Lengths.uniform(12, 0.8), Lengths.of([2, 30], [9, 1])])
def test_a_batch_of_one_waits_as_pollaczek_and_khinchine_say(news):
    prompts, step_s = Lengths.of([50, 300], [4, 1]), np.array([0.02])
    service = 1e-3 * prompts.mean + news.mean * step_s[0]
    square = service**2 + 1e-6 * (prompts.mean_square - prompts.mean**2)
    square += step_s[0] ** 2 * (news.mean_square - news.mean**2)
    rate = 0.6 / service
    found = simulate(Arrivals(rate, 1, news.mean, news), step_s, demand_of(prompts, news, 1), QUANTILES)
    waits = rate * square / 2 / (1 - 0.6)
    assert found.first_token_s.mean == pytest.approx(waits + 1e-3 * prompts.mean, rel=0.02)
    assert found.idle_share == pytest.approx(0.4, abs=0.005)
    assert found.at_step == pytest.approx([1.0])


def test_a_lonely_request_has_the_steps_of_its_own_cache():
    """Requests that come rarely: 10 prompt tokens and 40 new ones, each of which is in the cache of the next step."""
    prompts, news, most = Lengths.fixed(10), Lengths.fixed(40), 3
    mean = 10 + news.seen - 1
    found = simulate(Arrivals(1e-6, most, 40, news), np.array([0.5, 0.6, 0.7]), demand_of(prompts, news, most, 0.01),
                     QUANTILES)  # fmt: skip
    own_s = 0.5 + 0.01 * (10 + np.arange(40) - mean)
    assert found.first_token_s.quantile(0.99) == pytest.approx(0.01, rel=1e-3)  # of a clock at 10^10 s
    assert found.token_s.mean == pytest.approx(own_s.mean(), rel=1e-3)
    for share in (0.1, 0.5, 0.9):
        assert found.token_s.quantile(share) == pytest.approx(np.quantile(own_s, share), rel=0.03)


def test_all_steps_of_a_full_batch_are_counted():
    """Two at a time, 30 tokens each, at 0.6 of what can be served: time goes to prefill, steps and waiting."""
    prompts, news, step_s = Lengths.fixed(100), Lengths.fixed(30), np.array([0.02, 0.03])
    rate = 0.6 / (0.1 + 30 * 0.03 / 2)
    found = simulate(Arrivals(rate, 2, 30, news), step_s, demand_of(prompts, news, 2), QUANTILES)
    steps_per_s = rate * 30 / (found.at_step @ [1, 2])
    assert rate * 0.1 + steps_per_s * (found.at_step @ step_s) + found.idle_share == pytest.approx(1, abs=0.005)
    assert found.full_share == pytest.approx(steps_per_s * found.at_step[1] * 0.03 / (1 - rate * 0.1), rel=0.01)


def test_the_error_is_that_of_other_random_numbers(monkeypatch):
    monkeypatch.setattr(simulation, "FEWEST", 8000)
    monkeypatch.setattr(simulation, "MOST", 8000)
    news = Lengths.uniform(20, 0.5)
    of = (Arrivals(3.0, 2, 20, news), np.array([0.02, 0.022]), demand_of(Lengths.fixed(20), news, 2), (0.95,))
    results = []
    for seed in range(12):
        monkeypatch.setattr(simulation, "SEED", seed)
        simulation._simulated.cache_clear()
        results.append(simulate(*of))
    assert results[-1] is simulate(*of)
    simulation._simulated.cache_clear()
    assert np.array_equal(simulate(*of).first_token_s.seconds, results[-1].first_token_s.seconds)
    ends = np.array([result.first_token_s.quantile(0.95) for result in results])
    errors = np.array([result.error for result in results])
    assert 0.4 < ends.std(ddof=1) / ends.mean() / errors.mean() < 1.5  # arrivals and lengths differ by chance alone
    simulation._simulated.cache_clear()


def test_as_many_requests_are_simulated_as_the_error_takes(monkeypatch):
    monkeypatch.setattr(simulation, "FEWEST", 2000)
    monkeypatch.setattr(simulation, "MOST", 30_000)
    news, step_s = Lengths.uniform(20, 0.5), np.array([0.02, 0.022])
    rarely, often = (
        simulate(Arrivals(rate, 2, 20, news), step_s, demand_of(Lengths.fixed(20), news, 2), (0.95,))
        for rate in (0.01, 4.0)
    )
    assert (rarely.requests, often.requests) == (2000, 30_000)
    assert rarely.error < simulation.ERROR < often.error
