"""Continuous batching in its steady state, against a simulation of every event, and closed forms."""

from collections import deque

import numpy as np
import pytest

from bitjoule.energy_models.serving.batching import Arrivals, OverloadError, capacity, steady_state
from bitjoule.energy_models.serving.queueing import Distribution, begun_by_one, busy_period, prefill_sums

STEP_S = 0.018 + 0.0004 * np.arange(1, 65)  # of 1 to 64 sequences
STEP_J = np.stack([STEP_S * watts for watts in (100, 150, 200)])
REQUESTS = 12_000


def simulate(arrivals, prefill_s, seed, geometric=True, spread=0.0):
    """Run every event of a server: times to the first token, between tokens, sizes of the steps, idle time, end."""
    rng = np.random.default_rng(seed)
    come = np.cumsum(rng.exponential(1 / arrivals.requests_per_s, REQUESTS))
    new = np.full(REQUESTS, arrivals.new_tokens)
    if geometric:
        new = rng.geometric(1 / arrivals.new_tokens, REQUESTS)
    prefills_s = prefill_s * (1 + spread * rng.uniform(-1, 1, REQUESTS))
    clock, idle, ahead = 0.0, 0.0, 0
    waiting, left, last = deque(), {}, {}
    first, between, sizes = [], [], []
    while len(first) < REQUESTS or left:
        while ahead < REQUESTS and come[ahead] <= clock:
            waiting.append(ahead)
            ahead += 1
        if not left and not waiting:
            idle += come[ahead] - clock
            clock = come[ahead]
            continue
        while waiting and len(left) < arrivals.max_batch:
            request = waiting.popleft()
            clock += prefills_s[request]
            first.append(clock - come[request])
            left[request], last[request] = new[request], clock
            while ahead < REQUESTS and come[ahead] <= clock:
                waiting.append(ahead)
                ahead += 1
        sizes.append(len(left))
        clock += STEP_S[len(left) - 1]
        for request in list(left):
            between.append(clock - last[request])
            last[request] = clock
            left[request] -= 1
            if not left[request]:
                del left[request]
    return np.array(first), np.array(between), np.array(sizes), idle, clock


def uniform(mean_s, spread, points=8):
    """A uniform distribution of times as points of equal probability."""
    at = (np.arange(points) + 0.5) / points
    return Distribution(mean_s * (1 + spread * (2 * at - 1)), np.full(points, 1 / points))


@pytest.mark.parametrize(
    ("rate", "prefill_s", "spread"), [(1.0, 0.05, 0), (3.0, 0.05, 0.8), (5.0, 0.04, 0), (0.3, 0.4, 0.5)]
)
def test_the_steady_state_is_that_of_a_simulation_of_every_event(rate, prefill_s, spread):
    arrivals = Arrivals(rate, max_batch=64, new_tokens=128)
    idle_w, prefill_j = np.array([10.0, 20.0, 30.0]), prefill_s * np.array([200.0, 250.0, 300.0])
    state = steady_state(arrivals, STEP_S, STEP_J, uniform(prefill_s, spread), prefill_j, idle_w)
    first, between, sizes, idle, end = simulate(arrivals, prefill_s, seed=1, spread=spread)
    energy_j = (STEP_J[1][sizes - 1].sum() + REQUESTS * prefill_s * 250 + idle * 20) / (REQUESTS * 128)
    assert state.mean_batch == pytest.approx(sizes.mean(), rel=0.02)
    assert state.energy_per_token_j[1] == pytest.approx(energy_j, rel=0.02)
    assert state.power_w[1] == pytest.approx(energy_j * REQUESTS * 128 / end, rel=0.02)
    assert 1 - state.utilisation == pytest.approx(idle / end, abs=0.02)
    assert state.first_token_s.mean == pytest.approx(first.mean(), rel=0.02)
    assert state.token_s.mean == pytest.approx(between.mean(), rel=0.02)
    for share in (0.5, 0.9, 0.95, 0.99):
        assert state.first_token_s.quantile(share) == pytest.approx(np.quantile(first, share), rel=0.05)
        assert state.token_s.quantile(share) == pytest.approx(np.quantile(between, share), rel=0.05)
    target = float(np.quantile(first, 0.9))
    assert state.first_token_s.within(target) == pytest.approx(0.9, abs=0.03)


def test_a_batch_that_is_often_full_has_the_size_and_the_energy_of_the_simulation():
    arrivals = Arrivals(0.9, max_batch=4, new_tokens=128)  # of at most 1.2 a second
    state = steady_state(
        arrivals, STEP_S[:4], STEP_J[:, :4], Distribution.fixed(0.2), np.full(3, 50.0), np.full(3, 20.0)
    )
    first, _, sizes, idle, _ = simulate(arrivals, 0.2, seed=1)
    assert np.average(sizes == 4, weights=STEP_S[sizes - 1]) > 0.4
    energy_j = (STEP_J[1][sizes - 1].sum() + REQUESTS * 50 + idle * 20) / (REQUESTS * 128)
    assert state.mean_batch == pytest.approx(sizes.mean(), rel=0.02)
    assert state.energy_per_token_j[1] == pytest.approx(energy_j, rel=0.02)
    assert state.first_token_s.quantile(0.95) == pytest.approx(np.quantile(first, 0.95), rel=0.2)


def test_requests_of_equal_length_behind_long_prefills_are_the_worst_case():
    arrivals = Arrivals(0.3, max_batch=64, new_tokens=128)
    state = steady_state(arrivals, STEP_S, STEP_J, Distribution.fixed(0.5), np.ones(3), np.ones(3))
    _, _, sizes, _, _ = simulate(arrivals, 0.5, seed=1, geometric=False)
    assert 1 < sizes.mean() / state.mean_batch < 1.06  # as docs/serving.md says


def test_a_server_that_is_hardly_used_decodes_one_sequence_at_a_time():
    state = steady_state(
        Arrivals(1e-6, 8, 100), STEP_S[:8], STEP_J[:, :8], Distribution.fixed(0.05), np.ones(3), np.full(3, 7.0)
    )
    assert state.mean_batch == pytest.approx(1, rel=1e-3)
    assert state.power_w[1] == pytest.approx(7, rel=1e-3)
    assert state.first_token_s.mean == pytest.approx(0.05, rel=0.01)
    assert state.token_s.mean == pytest.approx(STEP_S[0], rel=1e-3)
    # of a request: a prefill of 1 J, 100 steps of one sequence, and the idle time of a million seconds
    assert state.energy_per_token_j[1] == pytest.approx((1 + 100 * STEP_J[1, 0] + 7e6) / 100, rel=1e-4)


def test_more_requests_than_can_be_served_are_refused():
    arrivals = Arrivals(20.0, 64, 128)
    limit = capacity(arrivals, STEP_S, 0.05)
    assert limit == pytest.approx(1 / (0.05 + 128 * STEP_S[-1] / 64), rel=1e-12)
    with pytest.raises(OverloadError, match=f"at most {limit:.4g} requests a second"):
        steady_state(arrivals, STEP_S, STEP_J, Distribution.fixed(0.05), np.ones(3), np.ones(3))


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_a_busy_period_serves_as_many_as_its_closed_form_says(spread):
    # begun by those who come in a time s it serves rate s / (1 - rate T) on average, begun by one 1 / (1 - rate T)
    sums = prefill_sums(uniform(0.1, spread))
    served, by_one = busy_period(3.0, sums, step_s=0.5), begun_by_one(3.0, sums)
    for probability, mean in ((served, 3 * 0.5 / (1 - 0.3)), (by_one, 1 / (1 - 0.3))):
        assert probability.sum() == pytest.approx(1, rel=1e-5)
        assert probability @ np.arange(len(probability)) == pytest.approx(mean, rel=1e-5)
    assert served[0] == pytest.approx(np.exp(-1.5), rel=1e-12)  # nobody comes in the step
    alone = (np.exp(-3 * uniform(0.1, spread).seconds)).mean()  # nobody comes in the prefill
    assert by_one[1] == pytest.approx(alone, rel=1e-12)
