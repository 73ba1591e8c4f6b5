"""A simulation of every event of a server with continuous batching, to which its steady state is held."""

import heapq
from collections import deque
from typing import NamedTuple

import numpy as np


class Server(NamedTuple):
    """What a server takes: for each step of b sequences with c tokens in their caches, and each prefill of p tokens.

    Parameters
    ----------
    base_s, sequence_s, cached_s
        Of a step, of each sequence, of each token in a cache.
    prompt_s
        Of each token of a prompt.
    watts, idle_w
        While it works, and while it waits.
    most
        Sequences of a step.
    """

    base_s: float = 0.018
    sequence_s: float = 0.0004
    cached_s: float = 0.0
    prompt_s: float = 0.05 / 500
    watts: float = 150.0
    idle_w: float = 20.0
    most: int = 64


class Simulated(NamedTuple):
    """What happened: times and their weights, averages, energy of a generated token."""

    first_s: np.ndarray
    gaps_s: np.ndarray
    gap_tokens: np.ndarray
    mean_batch: float
    full_share: float
    idle_share: float
    energy_per_token_j: float

    def first_quantile(self, share):
        """Return the time to the first token that a share of requests do not exceed."""
        return float(np.quantile(self.first_s, share))

    def gap_quantile(self, share):
        """Return the time between two tokens that a share of the tokens do not exceed."""
        order = np.argsort(self.gaps_s)
        at = np.searchsorted(np.cumsum(self.gap_tokens[order]), share * self.gap_tokens.sum())
        return float(self.gaps_s[order][at])


def simulate(server, rate, prompts, news):
    """Serve requests that come as a Poisson process, one after the other, until the last has all its tokens.

    Parameters
    ----------
    server, rate
        What it takes; requests a second.
    prompts, news
        Prompt and new tokens of each request.
    """
    rng = np.random.default_rng(7)
    count = len(prompts)
    between = rng.exponential(1, count)
    come = np.cumsum(between / between.mean() / rate).tolist()  # as many a second as said
    prompts, news = prompts.tolist(), news.tolist()
    clock = idle = full = busy = energy = 0.0
    ahead = step = batch = cached = 0
    waiting, ends = deque(), []  # a heap of the step after which a sequence ends, and the tokens that it frees
    first, gaps, tokens, sizes, last = [], [], [], [], 0.0
    while len(first) < count or batch:
        while ahead < count and come[ahead] <= clock:
            waiting.append(ahead)
            ahead += 1
        if not batch and not waiting:
            idle += come[ahead] - clock
            clock = come[ahead]
            continue
        stayed, joined = batch, []
        while waiting and batch < server.most:
            request = waiting.popleft()
            took = server.prompt_s * prompts[request]
            clock, energy = clock + took, energy + took * server.watts
            first.append(clock - come[request])
            joined.append(clock)
            heapq.heappush(ends, (step + news[request], prompts[request] + news[request]))
            batch, cached = batch + 1, cached + prompts[request]
            while ahead < count and come[ahead] <= clock:
                waiting.append(ahead)
                ahead += 1
        took = server.base_s + server.sequence_s * batch + server.cached_s * cached
        clock, energy, busy = clock + took, energy + took * server.watts, busy + took
        full += took * (batch == server.most)
        sizes.append(batch)
        gaps += [clock - last, *(clock - begun for begun in joined)]
        tokens += [stayed] + [1] * len(joined)
        last, step, cached = clock, step + 1, cached + batch
        while ends and ends[0][0] == step:
            cached -= heapq.heappop(ends)[1]
            batch -= 1
    generated = sum(news)
    return Simulated(
        np.array(first), np.array(gaps), np.array(tokens), float(np.mean(sizes)), full / busy,
        idle / clock, (energy + idle * server.idle_w) / generated,
    )  # fmt: skip
