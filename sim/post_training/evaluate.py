"""The loss of a model on a text of bytes."""

from collections.abc import Sequence

import numpy as np

from bitjoule.sim.llm.engines import NumpyEngine
from bitjoule.sim.llm.model import Model


def windows(text: bytes, context: int, most: int | None = None) -> list[list[int]]:
    """Return a text cut into windows of `context` + 1 tokens that share their ends, without a shorter rest.

    Parameters
    ----------
    text
        Its bytes are the tokens.
    context
        Tokens that are predicted in a window.
    most
        How many windows, spread evenly over the text; default: all.
    """
    starts = range(0, len(text) - context, context)
    if most is not None and most < len(starts):
        starts = starts[:: len(starts) // most][:most]
    return [list(text[start : start + context + 1]) for start in starts]


def mean_loss(model: Model, parts: Sequence[Sequence[int]]) -> float:
    """Return the mean cross entropy, in nats a token, of every token but the first of each window.

    Parameters
    ----------
    model
        A model.
    parts
        Windows of tokens, of equal length.
    """
    losses = []
    for part in parts:
        logits = model.forward(part[:-1], NumpyEngine()).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        right = logits[np.arange(len(logits)), part[1:]]
        losses.append(float(np.mean(np.log(np.exp(logits).sum(axis=1)) - right)))
    return float(np.mean(losses))
