"""A request as a list of phases, each some steps of a number of tokens at a context.

Prefill takes the whole prompt of all sequences in one step; its LM head runs for each sequence's last token. Decode
takes one token a sequence in each of `new_tokens` steps and attends to all before it: sizes that grow with the context
are those of the mean step, prompt + (new + 1) / 2, times the steps; sums over the steps are exact.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

PREFILL, DECODE = "prefill", "decode"


class Cases(NamedTuple):
    """What to count, one entry a case: indices into the models and schemes, and the workload.

    Parameters
    ----------
    model, scheme
        Indices.
    batch, prompt_tokens, new_tokens
        Of a request. Of a single step, the sequences and the tokens of each.
    before, outputs
        Of a single step: tokens of each sequence in the KV cache, and those that the LM head runs for.
    """

    model: Indices
    scheme: Indices
    batch: Floats
    prompt_tokens: Floats
    new_tokens: Floats
    before: Floats | float = 0.0
    outputs: Floats | float = 1.0


class Steps(NamedTuple):
    """The steps of phases: shape (cases,) of one phase, (cases, phases) of all.

    Parameters
    ----------
    tokens
        Of each sequence in one step; 0 where the phase does not happen.
    context
        Keys that a step's tokens attend to, its own included; the mean over the steps.
    queries
        Queries that meet all of them, in effect, where what the causal mask hides is left out.
    repeats
        Steps.
    outputs
        Tokens of each sequence that the LM head runs for in one step.
    """

    tokens: Floats
    context: Floats
    queries: Floats
    repeats: Floats
    outputs: Floats


class Phase(NamedTuple):
    """One phase of a request.

    Parameters
    ----------
    name
        In the long table.
    steps
        Its steps, for arrays of cases.
    """

    name: str
    steps: Callable[[Cases], Steps]


def causal(tokens: Floats, before: Floats, repeats: Floats, outputs: Floats) -> Steps:
    """Return steps whose tokens attend to all before them, and to each other as the causal mask allows.

    Parameters
    ----------
    tokens
        Of each sequence in one step.
    before
        Tokens in the KV cache as a step begins; the mean over the steps.
    repeats, outputs
        As for `Steps`.
    """
    context = before + tokens
    # token i of a step meets before + i keys: together tokens * (before + (tokens + 1) / 2) pairs
    queries = tokens * (before + (tokens + 1) / 2) / np.maximum(context, 1)
    return Steps(tokens, context, queries, repeats, outputs)


def _prefill(cases: Cases) -> Steps:
    prompt = cases.prompt_tokens
    happens = (prompt > 0).astype(np.float64)
    return Steps(prompt, prompt, (prompt + 1) / 2 * happens, np.ones_like(prompt), happens)


def _decode(cases: Cases) -> Steps:
    new_tokens = cases.new_tokens
    happens = (new_tokens > 0).astype(np.float64)
    return Steps(happens, cases.prompt_tokens + (new_tokens + 1) / 2, happens, new_tokens, happens)


def _step(cases: Cases) -> Steps:
    ones = np.ones_like(cases.prompt_tokens)
    return causal(cases.prompt_tokens, cases.before * ones, ones, cases.outputs * ones)


STEP = Phase("step", _step)
PHASES = (Phase(PREFILL, _prefill), Phase(DECODE, _decode))
PHASE_NAMES = tuple(phase.name for phase in PHASES)


def all_steps(phases: Sequence[Phase], cases: Cases) -> Steps:
    """Return the steps of all phases, shape (cases, phases).

    Parameters
    ----------
    phases
        In the order they happen.
    cases
        Arrays of shape (cases,).
    """
    return Steps(*(np.stack(values, axis=1) for values in zip(*(p.steps(cases) for p in phases), strict=True)))
