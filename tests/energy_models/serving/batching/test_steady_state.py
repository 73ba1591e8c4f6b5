"""Continuous batching in its steady state, against a simulation of every event, and closed forms."""

from itertools import product

import numpy as np
import pytest

from bitjoule.energy_models.serving.batching.arrivals import Arrivals
from bitjoule.energy_models.serving.batching.idle_time import with_lengths
from bitjoule.energy_models.serving.batching.methods import found_state
from bitjoule.energy_models.serving.batching.queueing import Distribution, begun_by_one, busy_period, prefill_sums
from bitjoule.energy_models.serving.batching.simulation import Demand
from bitjoule.energy_models.serving.batching.steady_state import OverloadError, capacity, steady_state
from bitjoule.energy_models.serving.lengths import Lengths
from tests.energy_models.serving.batching.simulation import Server, simulate
from tests.sampling import sampled_marks

STEP_S = 0.018 + 0.0004 * np.arange(1, 65)  # of 1 to 64 sequences
STEP_J = np.stack([STEP_S * watts for watts in (100, 150, 200)])
REQUESTS = 12_000
EVERY = Server()


QUANTILES = (0.5, 0.9, 0.95, 0.99)


def drawn(lengths, seed, requests):
    """Return the lengths of all requests: each as often as it is likely, in a random order."""
    at = np.searchsorted(np.cumsum(lengths.probability), (np.arange(requests) + 0.5) / requests)
    tokens = np.round(lengths.tokens[np.minimum(at, len(lengths.tokens) - 1)]).astype(int)
    return np.random.default_rng(seed).permutation(tokens)


def both(server, rate, prompts, news, *, geometric=False, requests=REQUESTS):
    """Return the steady state of a server, and what a simulation of every event of it yields."""
    sizes = np.arange(1, server.most + 1)
    step_s = server.base_s + sizes * (server.sequence_s + server.cached_s * (prompts.mean + news.seen - 1))
    demand = Demand(prompts, server.prompt_s * prompts.tokens, news, np.full(server.most, server.cached_s))
    state, _ = found_state(
        Arrivals(rate, server.most, news.mean, None if geometric else news), step_s,
        np.stack([step_s * server.watts] * 3), np.full(3, server.prompt_s * prompts.mean * server.watts),
        np.full(3, server.idle_w), demand, QUANTILES,
    )  # fmt: skip
    return state, simulate(server, rate, drawn(prompts, 1, requests), drawn(news, 2, requests))


def compare(state, simulated):
    """Hold a steady state to the simulation: averages to 2 %, percentiles to 5 %."""
    assert state.mean_batch == pytest.approx(simulated.mean_batch, rel=0.02)
    assert state.energy_per_token_j[1] == pytest.approx(simulated.energy_per_token_j, rel=0.02)
    assert 1 - state.utilisation == pytest.approx(simulated.idle_share, abs=0.02)
    for share in QUANTILES:
        assert state.first_token_s.quantile(share) == pytest.approx(simulated.first_quantile(share), rel=0.05)
        assert state.token_s.quantile(share) == pytest.approx(simulated.gap_quantile(share), rel=0.05)


def uniform(mean_s, spread, points=8):
    """A uniform distribution of times as points of equal probability."""
    at = (np.arange(points) + 0.5) / points
    return Distribution(mean_s * (1 + spread * (2 * at - 1)), np.full(points, 1 / points))


def of_kind(kind, mean):
    """Return a distribution with a mean."""
    return {
        "fixed": Lengths.fixed(mean),
        "geometric": Lengths.geometric(mean),
        "uniform": Lengths.uniform(mean, 0.8),
        "lognormal": Lengths.lognormal(mean, 1.0),
        "list": Lengths.of([mean / 5, 4.2 * mean, mean / 5], [3, 2, 5]),
    }[kind]


SLOW_PREFILL = (0.3, 4000, 128)  # requests a second, prompt and new tokens: prefills of 20 steps, and often idle
SHORT = (1.0, 500, 128)
BUSY = (5.0, 400, 128)  # 21 sequences together
KINDS = ("fixed", "geometric", "uniform", "lognormal", "list")
QUICK = [(BUSY, "lognormal", "list"), (SLOW_PREFILL, "fixed", "fixed")]
EVERY_CASE = [(size, *kinds) for size in (SLOW_PREFILL, SHORT, BUSY) for kinds in product(("fixed", *KINDS[2:]), KINDS)]


@pytest.mark.parametrize(
    ("sizes", "prompts", "news"),
    [
        pytest.param(*EVERY_CASE[i], marks=() if EVERY_CASE[i] in QUICK else (pytest.mark.slow, *dear))
        for i, dear in enumerate(sampled_marks(EVERY_CASE, 5, "lengths of requests"))
    ],
)
def test_the_steady_state_is_that_of_a_simulation_of_every_event(sizes, prompts, news):
    rate, prompt, new = sizes
    state, simulated = both(EVERY, rate, of_kind(prompts, prompt), of_kind(news, new), geometric=news == "geometric")
    compare(state, simulated)
    target = simulated.first_quantile(0.9)
    assert state.first_token_s.within(target) == pytest.approx(0.9, abs=0.03)


def test_steps_that_take_longer_with_longer_caches_are_those_of_the_mean():
    """As on a machine that reads 2 us of keys and values for each token: a sequence takes 6 % of a step more."""
    server, prompts, news = Server(cached_s=2e-6), Lengths.uniform(500, 0.8), Lengths.uniform(128, 0.8)
    state, simulated = both(server, 1.0, prompts, news)
    compare(state, simulated)
    assert state.mean_batch == pytest.approx(simulated.mean_batch, rel=0.02)


# A batch of four that is often full: share of the capacity, prompt and new tokens; a prefill takes 0.4 ms a token
QUICK_FULL = [(0.45, "fixed", "geometric"), (0.5, "fixed", "uniform")]
FULL = [(load, *kinds) for load in (0.5, 0.65) for kinds in product(("fixed", "uniform"), KINDS)]


@pytest.mark.parametrize(
    ("load", "prompts", "news"),
    [
        *QUICK_FULL,
        *(
            pytest.param(*FULL[i], marks=(pytest.mark.slow, *dear))
            for i, dear in enumerate(sampled_marks(FULL, 1, "loads of a full batch"))
        ),
    ],
)
def test_a_batch_that_is_often_full_is_that_of_a_simulation_of_every_event(load, prompts, news):
    """With short requests: chance moves percentiles of 12,000 by more than 5 % where many wait."""
    quick = (load, prompts, news) in QUICK_FULL
    server, prompts, of_new = Server(most=4, prompt_s=4e-4), of_kind(prompts, 100), of_kind(news, 10)
    step_s = server.base_s + server.sequence_s * np.arange(1, 5)
    rate = load * capacity(Arrivals(1.0, 4, of_new.mean), step_s, server.prompt_s * prompts.mean)
    requests = 100_000 if quick else int(30_000 / (1 - load) ** 2)
    state, simulated = both(server, rate, prompts, of_new, geometric=news == "geometric", requests=requests)
    assert simulated.full_share > 0.08
    alike = news == "geometric" and len(prompts.tokens) == 1
    assert state.method == ("Markov chain" if alike else "simulation")
    compare(state, simulated)


def test_longer_caches_that_change_the_steps_a_lot_are_simulated():
    """Half of a step of one sequence is for the keys and values of its mean cache."""
    server, prompts, news = Server(cached_s=3e-5, most=8), Lengths.uniform(500, 0.8), Lengths.geometric(64)
    state, simulated = both(server, 0.2, prompts, news, geometric=True)
    assert state.method == "simulation"
    compare(state, simulated)


def test_lengths_that_are_said_to_be_geometric_change_nothing():
    step_s = STEP_S[:16]
    of = (step_s, np.stack([step_s] * 3), uniform(0.3, 0.5), np.ones(3), np.ones(3))
    plain = steady_state(Arrivals(0.4, 16, 40), *of)
    named = steady_state(Arrivals(0.4, 16, 40, Lengths.geometric(40)), *of)
    assert named.mean_batch == pytest.approx(plain.mean_batch, rel=1e-6)
    assert named.utilisation == pytest.approx(plain.utilisation, rel=1e-6)


@pytest.mark.parametrize(("base_s", "sequence_s"), [(0.018, 0.0), (0.009, 0.003), (0.003, 0.005)])
def test_lengths_change_the_idle_time_by_the_share_of_a_step_that_is_the_same_for_any_batch(base_s, sequence_s):
    """Where sequences share the server evenly nothing changes; where they do not, the longest of each group counts.

    Of lengths that are all the same it is any; of n geometric ones its mean is the sum of 1 - (1 - q^k)^n over k.
    """
    at_step, sizes = np.array([8, 6, 5, 4, 3, 2, 1, 1]) / 30, np.arange(1, 9)
    step_s, rate, tokens, prefill = base_s + sequence_s * sizes, 2.0, 16, Distribution.fixed(0.2)
    groups = begun_by_one(rate, prefill_sums(prefill))
    beyond = (1 - 1 / tokens) ** np.arange(2000)[:, None]  # probability of more than k tokens
    longest = (1 - (1 - beyond) ** np.arange(len(groups))).sum(axis=0) @ groups
    mean_s = base_s + sequence_s * (at_step @ sizes)
    decoding = 1 - rate * 0.2
    idle = decoding - rate * tokens / (at_step @ sizes) * mean_s
    weighted = with_lengths(Arrivals(rate, 8, tokens, Lengths.fixed(tokens)), prefill, at_step, step_s, idle)
    found = decoding - rate * tokens / (weighted @ sizes) * (weighted @ step_s)
    exponent = 1 - (1 - tokens / longest) * base_s / mean_s
    assert found == pytest.approx(decoding * (idle / decoding) ** exponent, rel=1e-3)
    assert found > 1.01 * idle


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
