"""Continuous batching request by request: a simulation, for loads and lengths that the closed forms do not cover.

Nothing happens between two ends of sequences but arrivals: steps are taken together until a sequence ends or, where the
batch has room, the next request comes. The random numbers are the same in every run, and so is the result.
"""

from array import array
from collections.abc import Iterator
from functools import lru_cache
from heapq import heappop, heappush
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.batching.arrivals import Arrivals
from bitjoule.energy_models.serving.batching.queueing import Distribution
from bitjoule.energy_models.serving.lengths import Lengths

SEED = 2022
FEWEST, MOST = 50_000, 1_000_000  # requests
ERROR = 0.015  # of percentiles, for which as many requests are served as it takes
WARM_UP = 0.05  # share of them that comes before
BLOCK = 1 << 14  # requests that are drawn from arrays at a time
PARTS = 20  # of the run, which differ by chance
POINTS, ALL_POINTS = 16, 1 << 20  # of steps that take longer from one to the next: of some, of all together
FLAT = 0.005  # share by which they do and count as equal
LAST = (inf, 0.0, 0, 0)  # after all requests


class Demand(NamedTuple):
    """What the requests ask for.

    Parameters
    ----------
    prompts, prefill_s
        Tokens of prompts, and how long their prefill takes, shape (lengths,).
    news
        New tokens.
    cached_s
        More time for each token more in any of the caches, of a step of 1 to `max_batch` sequences, shape (max_batch,).
    """

    prompts: Lengths
    prefill_s: Floats
    news: Lengths
    cached_s: Floats


class Simulated(NamedTuple):
    """What happened.

    Parameters
    ----------
    requests
        How many were served.
    first_token_s, token_s
        From arrival to first token, of requests; between two tokens of a sequence, of tokens.
    error
        Largest relative standard error of the percentiles that were asked for.
    at_step
        Share of steps of each size, from 1 on, shape (max_batch,).
    full_share, idle_share
        Share of the time without prefill in which the batch was full; share of all time without any request.
    """

    requests: int
    first_token_s: Distribution
    token_s: Distribution
    error: float
    at_step: Floats
    full_share: float
    idle_share: float


class _Gaps(NamedTuple):
    """Times between tokens: of the first of several steps, by which they grow to the last, and tokens; (runs,)."""

    seconds: Floats
    growth_s: Floats
    tokens: Floats


def simulate(arrivals: Arrivals, step_s: Floats, demand: Demand, quantiles: tuple[float, ...]) -> Simulated:
    """Return what happens to as many requests as make percentiles certain, or to `MOST`.

    Parameters
    ----------
    arrivals, step_s
        As for `bitjoule.energy_models.serving.batching.steady_state.steady_state`.
    demand
        Of the requests.
    quantiles
        Shares whose percentiles are asked for.
    """
    arrays = (*demand.prompts, demand.prefill_s, *demand.news, demand.cached_s, step_s)
    given = tuple(np.asarray(each, dtype=np.float64).tobytes() for each in arrays)
    first = _simulated(FEWEST, arrivals.requests_per_s, quantiles, given)
    needed = int(FEWEST * (first.error / ERROR) ** 2)
    return first if needed <= FEWEST else _simulated(min(needed, MOST), arrivals.requests_per_s, quantiles, given)


@lru_cache(maxsize=16)
def _simulated(count: int, rate: float, quantiles: tuple[float, ...], given: tuple[bytes, ...]) -> Simulated:
    """Return the simulation of arrays as bytes: several cases may have the same."""
    tokens, likely, prefill_s, news, news_likely, cached_s, step_s = (np.frombuffer(each) for each in given)
    warm = int(WARM_UP * count)
    rng = np.random.default_rng(SEED)
    between_s = rng.exponential(1, count + warm)
    come_s = np.cumsum(between_s / between_s.mean() / rate)  # as many a second as said
    kinds = _drawn(likely, count + warm, rng)
    requests = (come_s, prefill_s[kinds], _whole(tokens[kinds], rng),
                _whole(news[_drawn(news_likely, count + warm, rng)], rng))  # fmt: skip
    mean = float(tokens @ likely) + Lengths(news, news_likely).seen - 1
    first_s, begins, gaps, taken = _serve(requests, step_s, cached_s, mean, warm)
    points = int(np.clip(ALL_POINTS // (_grows(gaps).sum() + 1), 1, POINTS))
    first, token = _sorted(first_s, np.ones(len(first_s))), _sorted(*_spread(gaps, points))
    edges = np.linspace(0, len(first_s), PARTS + 1).astype(int)
    own = [(first_s[a:b], np.ones(b - a)) for a, b in pairwise(edges)]
    edges = np.append(begins[edges[:-1]], len(gaps.seconds))
    between = [_spread(_Gaps(*(each[a:b] for each in gaps)), points) for a, b in pairwise(edges)]
    errors = [_error(whole, each, share) for whole, each in ((first, own), (token, between)) for share in quantiles]
    steps, seconds = taken.T
    return Simulated(
        len(first_s), first, token, max(errors), steps[1:] / steps.sum(), float(seconds[-1] / seconds.sum()),
        float(seconds[0] / (come_s[-1] - come_s[warm])),
    )  # fmt: skip


def _drawn(probability: Floats, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return indices, each as often as it is likely, in a random order."""
    at = np.searchsorted(np.cumsum(probability), (np.arange(count) + 0.5) / count)
    return rng.permutation(np.minimum(at, len(probability) - 1))


def _whole(tokens: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return whole numbers of tokens, at least 1, with the same mean."""
    return np.maximum(np.floor(tokens + rng.random(len(tokens))), 1).astype(np.int64)


def _in_turn(arrays: tuple[NDArray[Any], ...]) -> Iterator[tuple[float, float, int, int]]:
    """Yield the values of arrays together, as Python's numbers."""
    for start in range(0, len(arrays[0]), BLOCK):
        yield from zip(*(each[start : start + BLOCK].tolist() for each in arrays), strict=True)


def _serve(
    requests: tuple[NDArray[Any], ...], by_size_s: Floats, cached_s: Floats, mean: float, warm: int
) -> tuple[Floats, NDArray[np.intp], _Gaps, Floats]:
    """Serve the requests, and return what happened to those after the first `warm`.

    Parameters
    ----------
    requests
        When they come, how long their prefill takes, prompt and new tokens, shape (requests,) each.
    by_size_s, cached_s, mean
        Times of steps by their size, where caches have this mean; more for each token more.
    warm
        How many come before.

    Returns
    -------
    tuple
        Times to the first token; how many gaps there were when each was prefilled; the gaps; and steps and seconds of
        each size, idle time first, shape (max_batch + 1, 2).
    """
    most, coming = len(by_size_s), _in_turn(requests)
    base_s = [0.0, *(by_size_s - cached_s * mean * np.arange(1, most + 1)).tolist()]
    more_s = [0.0, *cached_s.tolist()]
    first, gaps, growth = array("d"), array("d"), array("d")
    begins, tokens = array("q"), array("q")
    steps, seconds = [0] * (most + 1), [0.0] * (most + 1)
    ends: list[tuple[int, int]] = []  # a heap: the step after which a sequence ends, and the tokens that it frees
    clock = last = 0.0
    step = batch = cached = 0  # steps so far; sequences, and tokens in their caches
    come, prefill, prompt, made = next(coming)
    while True:
        stayed, joined = batch, []
        while come <= clock and batch < most:
            clock += prefill
            first.append(clock - come)
            begins.append(len(gaps))
            joined.append(clock)
            heappush(ends, (step + made, prompt + made))
            batch += 1
            cached += prompt
            come, prefill, prompt, made = next(coming, LAST)
            if len(first) == warm:
                steps, seconds = [0] * (most + 1), [0.0] * (most + 1)
        if come == inf:
            break
        if not batch:
            seconds[0] += come - clock
            clock = come
            continue
        one_s = base_s[batch] + more_s[batch] * cached
        more = more_s[batch] * batch  # of each step to the next
        run = ends[0][0] - step
        if batch < most:  # until the next request
            wait, half = come - clock, one_s - more / 2
            run = min(run, int(2 * wait / (half + (half * half + 2 * more * wait) ** 0.5)) + 1)
        if stayed:
            gaps.append(clock + one_s - last)
            growth.append(0.0)
            tokens.append(stayed)
        for begun in joined:
            gaps.append(clock + one_s - begun)
            growth.append(0.0)
            tokens.append(1)
        if run > 1:
            gaps.append(one_s + more)
            growth.append(more * (run - 2))
            tokens.append(batch * (run - 1))
        took = one_s * run + more * run * (run - 1) / 2
        steps[batch] += run
        seconds[batch] += took
        clock += took
        last = clock
        step += run
        cached += run * batch
        while ends and ends[0][0] == step:
            cached -= heappop(ends)[1]
            batch -= 1
    start = begins[warm]
    own = _Gaps(*(np.array(each[start:], dtype=np.float64) for each in (gaps, growth, tokens)))
    return np.array(first[warm:]), np.array(begins[warm:]) - start, own, np.stack([steps, seconds], axis=1)


def _grows(gaps: _Gaps) -> NDArray[np.bool_]:
    """Return which steps take longer from one to the next."""
    return np.asarray(gaps.growth_s > FLAT * gaps.seconds)


def _spread(gaps: _Gaps, points: int) -> tuple[Floats, Floats]:
    """Return the times between tokens and their weights: several for steps that take longer from one to the next."""
    grows = _grows(gaps)
    shares = (np.arange(points) + 0.5) / points
    flat = gaps.seconds[~grows] + gaps.growth_s[~grows] / 2
    steep = np.multiply.outer(shares, gaps.growth_s[grows]) + gaps.seconds[grows]
    weights = np.tile(gaps.tokens[grows] / points, points)
    return np.concatenate([flat, steep.reshape(-1)]), np.concatenate([gaps.tokens[~grows], weights])


def _sorted(seconds: Floats, weights: Floats) -> Distribution:
    """Return the distribution of times with weights."""
    order = np.argsort(seconds, kind="stable")
    return Distribution(seconds[order], weights[order] / weights.sum())


def _error(whole: Distribution, parts: list[tuple[Floats, Floats]], share: float) -> float:
    """Return the relative standard error of a percentile, from the shares of parts of a run that do not exceed it."""
    at = whole.quantile(share)
    own = [weights[seconds <= at].sum() / weights.sum() for seconds, weights in parts]
    error = float(np.std(own, ddof=1) / np.sqrt(len(own)))
    low, high = (whole.quantile(min(max(share + end, 0.0), 1.0)) for end in (-error, error))
    return (high - low) / 2 / at
