"""The requests that come to a server with continuous batching."""

from typing import NamedTuple

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.lengths import Lengths


class Arrivals(NamedTuple):
    """The requests of a server.

    Parameters
    ----------
    requests_per_s
        Their rate; they come independently of each other.
    max_batch
        Sequences that are decoded together at the most.
    new_tokens
        Of a request, on average.
    lengths
        The distribution of new tokens, with this mean; none for a geometric one.
    """

    requests_per_s: float
    max_batch: int
    new_tokens: float
    lengths: Lengths | None = None


class Contexts(NamedTuple):
    """How the time of a step depends on the tokens in the caches of its sequences.

    Parameters
    ----------
    tokens, probability
        Of a sequence of a step, and how likely, shape (contexts,).
    step_s
        More time for each token more in any of the caches, of a step of 1 to `max_batch` sequences, shape (max_batch,).
    """

    tokens: Floats
    probability: Floats
    step_s: Floats
