"""Keys and pairs of sliding windows, against a count of every pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.architecture.block import At
from bitjoule.energy_models.architecture.parts.windows import attended, attended_blocks
from bitjoule.energy_models.architecture.phases import PHASES, Cases, causal


def at_steps(steps, batch=1.0, skips=True, windows=1.0):
    tokens = np.array([[steps.tokens]])
    one = np.ones((1, 1))
    queries = np.array([[steps.queries]]) if skips else tokens
    return At(
        batch * one, batch * tokens, np.array([[steps.context]]), queries, np.array([[steps.repeats]]),
        batch * tokens * steps.repeats, one, one, one, windows * one,
    )  # fmt: skip


def counted(before, tokens, repeats, window):
    """Return the keys met and the pairs of all steps, one by one."""
    met = pairs = 0
    for step in range(repeats):
        first = before + step * tokens
        keys = set()
        for token in range(first, first + tokens):
            own = range(max(0, token - window + 1), token + 1)
            keys |= set(own)
            pairs += len(own)
        met += len(keys)
    return met, pairs


@given(
    before=st.integers(0, 40), tokens=st.integers(1, 12), repeats=st.integers(1, 12), window=st.integers(1, 60),
    batch=st.integers(1, 3),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_steps_of_any_size_meet_the_keys_that_are_in_their_windows(before, tokens, repeats, window, batch):
    mean_before = before + tokens * (repeats - 1) / 2
    queries, context = attended(at_steps(causal(tokens, mean_before, repeats, 1), batch), window)
    met, pairs = counted(before, tokens, repeats, window)
    assert float(context[0, 0]) * repeats == pytest.approx(met, rel=1e-12)
    if tokens > 1:  # of one token, the mean of the products is not the product of the means
        assert float(queries[0, 0] * context[0, 0]) * repeats == pytest.approx(pairs, rel=1e-12)
    else:
        assert float(queries[0, 0]) == 1.0
        assert met == pairs


@given(before=st.integers(0, 40), repeats=st.integers(1, 12), chunk=st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_one_token_a_step_meets_those_of_its_chunk(before, repeats, chunk):
    queries, context = attended(at_steps(causal(1, before + (repeats - 1) / 2, repeats, 1)), chunk, chunked=True)
    expected = sum(position % chunk + 1 for position in range(before, before + repeats))
    assert float(queries[0, 0]) == 1.0
    assert float(context[0, 0]) * repeats == pytest.approx(expected, rel=1e-12)


@given(before=st.integers(0, 40), tokens=st.integers(2, 40), chunk=st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_a_step_of_several_tokens_meets_their_chunks_to_each_token(before, tokens, chunk):
    queries, context = attended(at_steps(causal(tokens, before, 1, 1)), chunk, chunked=True)
    pairs = sum(position % chunk + 1 for position in range(before, before + tokens))
    assert float(context[0, 0]) == before % chunk + tokens  # of the first token's chunk, and their own
    assert float(queries[0, 0] * context[0, 0]) == pytest.approx(pairs, rel=1e-12)
    every, all_keys = attended(at_steps(causal(tokens, before, 1, 1), windows=0.0), chunk, chunked=True)
    assert (float(every[0, 0]), float(all_keys[0, 0])) == (causal(tokens, before, 1, 1).queries, before + tokens)


@given(
    before=st.integers(0, 60), tokens=st.integers(1, 30), repeats=st.integers(1, 6), block=st.integers(1, 9),
    top=st.integers(1, 5),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_a_token_meets_its_own_block_up_to_itself_and_others_as_a_whole(before, tokens, repeats, block, top):
    positions = range(before, before + tokens * repeats)
    met = [min(position // block, top - 1) * block + position % block + 1 for position in positions]
    mean_before = before + tokens * (repeats - 1) / 2
    steps = causal(tokens, mean_before, repeats, 1)
    queries, context = attended_blocks(at_steps(steps), block, top)
    assert float(queries[0, 0] * context[0, 0]) * repeats == pytest.approx(sum(met), rel=1e-12)
    assert float(context[0, 0]) == pytest.approx(mean_before + tokens if tokens > 1 else sum(met) / repeats, rel=1e-12)
    for other in (at_steps(steps, windows=0.0), at_steps(steps, skips=False)):
        queries, context = attended_blocks(other, block, top)
        assert float(queries[0, 0]) == float(other.queries[0, 0])
    assert float(attended_blocks(at_steps(steps, windows=0.0), block, top)[1][0, 0]) == mean_before + tokens


def phases_of(prompt, new):
    zeros = np.zeros(1, dtype=np.intp)
    cases = Cases(zeros, zeros, *(np.array([float(value)]) for value in (1, prompt, new)))
    return [phase.steps(cases) for phase in PHASES]


@pytest.mark.parametrize(
    ("prompt", "new", "window", "prefill_pairs", "decode_keys"),
    [
        (10, 4, 100, 55, 11 + 12 + 13 + 14),  # the window is wider than all
        (10, 4, 12, 55, 11 + 12 + 12 + 12),  # decode crosses its width
        (10, 4, 3, 1 + 2 + 8 * 3, 4 * 3),
        (1, 5, 1, 1, 5),
    ],
)
def test_prefill_and_decode_by_hand(prompt, new, window, prefill_pairs, decode_keys):
    prefill, decode = (at_steps(type(steps)(*(float(value[0]) for value in steps))) for steps in phases_of(prompt, new))
    queries, context = attended(prefill, window)
    assert float(context[0, 0]) == prompt
    assert float(queries[0, 0] * context[0, 0]) == pytest.approx(prefill_pairs)
    queries, context = attended(decode, window)
    assert float(context[0, 0]) * new == pytest.approx(decode_keys)


def test_a_machine_that_takes_masked_pairs_too_and_the_papers_take_every_pair():
    steps = causal(8.0, 0.0, 1.0, 1.0)
    queries, context = attended(at_steps(steps, skips=False), 3)
    assert (float(queries[0, 0]), float(context[0, 0])) == (8, 8)
    decode = causal(1.0, 20.0, 1.0, 1.0)
    assert float(attended(at_steps(decode), 3)[1][0, 0]) == 3
    assert float(attended(at_steps(decode, windows=0.0), 3)[1][0, 0]) == 21
