"""Attention within a sliding window: keys that a step's tokens meet, and how many of its queries meet them."""

import numpy as np

from bitjoule.energy_models.architecture.block import At, Floats


def attended(at: At, window: int, *, causal: bool = True, chunked: bool = False) -> tuple[Floats, Floats]:
    """Return the queries of a sequence in a step and the keys that they meet, the mean over the steps.

    A token attends to the last `window` tokens, its own included. A step of t tokens after b in the cache meets
    min(b + t, window + t - 1) keys, and its i-th token min(b + i, window) of them. The tokens of each step join those
    in the cache, so that b grows by t from step to step; both sums over the steps are exact.

    Parameters
    ----------
    at
        Where the closed form is taken.
    window
        Tokens; 0 for all.
    causal
        Whether they are a token's own and those before it; otherwise its own is in the middle of them, or the first of
        the two in the middle, and a step's tokens meet those of the same step alone.
    chunked
        Whether a token meets those of its own chunk of so many tokens instead, and before it (Llama 4).

    Returns
    -------
    queries, context : numpy.ndarray
        Shape (cases, phases) each. Their product is the pairs of a query and a key in a mean step: those that no mask
        hides, or all of them where the machine does not leave out what a mask hides.
    """
    if not causal:
        return _both_sides(at, window)
    if not window:
        return at.queries, at.context
    tokens, steps = at.rows / at.batch, np.maximum(at.repeats, 1)
    first = at.context - tokens * (steps - 1) / 2  # keys of the first step
    if chunked:
        return _in_chunks(at, window, first - tokens, tokens, steps)
    met = _bounded_sum(first, tokens, steps, window + tokens - 1) / steps
    seen = _bounded_sum(first - tokens + 1, 1.0, tokens * steps, window) / steps
    met = np.where(at.windows > 0, met, at.context)
    every = at.queries >= tokens  # a machine that does not leave out what a mask hides, or one token in a step
    return np.where(every | (at.windows == 0), at.queries, seen / np.maximum(met, 1)), met


def attended_blocks(at: At, block: int, top: int) -> tuple[Floats, Floats]:
    """Return the queries of a sequence in a step and the keys that they meet, where each chooses blocks of keys.

    A token meets `top` blocks of `block` keys, its own among them, of which it meets those up to itself; all keys while
    there are no more blocks. Tokens of one step choose for themselves: together they may meet every key.

    Parameters
    ----------
    at
        Where the closed form is taken.
    block, top
        Keys of a block; blocks that a token meets.

    Returns
    -------
    queries, context : numpy.ndarray
        As of `attended`.
    """
    tokens, steps = at.rows / at.batch, np.maximum(at.repeats, 1)
    before = at.context - tokens * (steps - 1) / 2 - tokens
    everything = top * block

    def pairs(count: Floats) -> Floats:  # of the first tokens
        few, more = np.minimum(count, everything), np.maximum(count - everything, 0)
        return np.asarray(few * (few + 1) / 2 + more * (top - 1) * block + _own_chunk(more, block))

    seen = (pairs(before + tokens * steps) - pairs(before)) / steps
    met = np.where((tokens > 1) | (at.windows == 0), at.context, seen)
    every = (at.queries >= tokens) | (at.windows == 0)
    return np.where(every, at.queries, seen / np.maximum(met, 1)), met


def _own_chunk(count: Floats, chunk: int) -> Floats:
    """Return the pairs of the first tokens, each with those of its chunk up to itself."""
    whole, rest = np.divmod(count, chunk)
    return np.asarray(whole * chunk * (chunk + 1) / 2 + rest * (rest + 1) / 2)


def _in_chunks(at: At, chunk: int, before: Floats, tokens: Floats, steps: Floats) -> tuple[Floats, Floats]:
    seen = (_own_chunk(before + tokens * steps, chunk) - _own_chunk(before, chunk)) / steps
    one = tokens <= 1
    met = np.where(one | (at.windows == 0), seen, before % chunk + tokens)  # only the first step of several tokens
    met = np.where(at.windows > 0, met, at.context)
    every = (at.queries >= tokens) | (at.windows == 0)
    return np.where(every, at.queries, seen / np.maximum(met, 1)), met


def _both_sides(at: At, window: int) -> tuple[Floats, Floats]:
    tokens = at.rows / at.batch
    if not window:
        return tokens, at.context
    before, after = (
        _bounded_sum(np.zeros_like(tokens), 1.0, tokens, side) for side in (window // 2, (window - 1) // 2)
    )
    seen = (tokens + before + after) / np.maximum(at.context, 1)
    every = (at.queries >= tokens) | (at.windows == 0)
    return np.where(every, tokens, seen), at.context


def _bounded_sum(first: Floats, growth: Floats | float, count: Floats, bound: Floats | float) -> Floats:
    """Return the sum of min(first + i growth, bound) over i from 0 to count - 1."""
    below = np.clip(np.floor((bound - first) / np.maximum(growth, 1)) + 1, 0, count)
    return np.asarray(below * first + growth * below * (below - 1) / 2 + (count - below) * bound)
