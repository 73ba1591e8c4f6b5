"""What a part of a model states: closed forms over arrays of cases, from which everything else is counted.

A model is blocks with repeat counts; a block is a list of parts. Of each part the papers' and the system accounting,
parameter counts, memory and columns are derived: nothing else lists what a model consists of.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.system.work.steps import MatmulKind

Floats = NDArray[np.float64]


class At(NamedTuple):
    """Where a closed form is taken: every phase of some cases, shape (cases, phases), or (cases, 1) where marked.

    Parameters
    ----------
    batch
        Sequences, (cases, 1).
    rows
        Tokens of one step, of all sequences; of a model of images, whole images.
    context, queries
        Keys that each sequence attends to, and queries that meet all of them.
    repeats
        Steps.
    tokens
        Of all steps and sequences.
    outputs
        Rows of one step that the LM head takes, of all sequences.
    quantises, quantises_queries
        1 where the linears' inputs, and where queries and probabilities, are scaled to integers, (cases, 1).
    windows
        1 where attention keeps to its windows; the papers take every pair, (cases, 1).
    """

    batch: Floats
    rows: Floats
    context: Floats
    queries: Floats
    repeats: Floats
    tokens: Floats
    outputs: Floats
    quantises: Floats
    quantises_queries: Floats
    windows: Floats


Form = Callable[[At], Floats | float]


class Linear(NamedTuple):
    """One weight matrix: out_features x in_features, used `uses` times a token.

    Parameters
    ----------
    component
        In the long table.
    in_features, out_features, bias
        Its size; whether its outputs get a bias.
    uses
        How many of `copies` a token uses.
    kind
        Formats of its operands, and where they are.
    copies
        Stored matrices of this size, experts; tokens spread evenly over them.
    stored_as
        The scheme's entry that gives its storage; empty where another part stores it.
    rows
        Rows of the matmul for each token: positions of a feature map, which share the weights.
    inputs
        Values that these rows are made of, of all copies, where rows overlap as those of a convolution do; 0 where each
        has its own.
    """

    component: str
    in_features: int
    out_features: int
    bias: bool
    uses: int
    kind: MatmulKind = MatmulKind.LINEAR
    copies: int = 1
    stored_as: str = "weights"
    rows: int = 1
    inputs: int = 0

    @property
    def taken(self) -> int:
        """Values of a token that its matmuls take: `in_features` of each row, in each matrix used."""
        return self.rows * self.in_features * self.uses


class MatmulSizes(NamedTuple):
    """Sizes of a matmul and how often it is run in all steps, each shape (cases, phases)."""

    m: Floats
    k: Floats
    n: Floats
    times: Floats


class Product(NamedTuple):
    """A matmul of activations with cached keys or values.

    Parameters
    ----------
    component, kind
        As for `Linear`.
    sizes
        Its sizes.
    over_context
        Whether its sum runs over the context. The papers count a product of head_dim terms for each pair either way.
    """

    component: str
    kind: MatmulKind
    sizes: Callable[[At], MatmulSizes]
    over_context: bool


class Elementwise(NamedTuple):
    """Element-wise work: `elements` of a function of data/functions.yaml.

    With `of_queries` its results are written in the format of queries and probabilities.
    """

    component: str
    function: str
    elements: Form
    of_queries: bool = False


def nothing(at: At) -> float:  # noqa: ARG001 (a closed form)
    """Return zero, the closed form of what a part does not do."""
    return 0.0


@dataclass(frozen=True)
class Part:
    """One part of a block.

    Parameters
    ----------
    matmuls
        In the order they run.
    elementwise
        The rest of its work.
    stored
        Values besides the matmuls' own, by what stores them: ``other`` for norms and positions, ``embedding``.
    one_cache
        Whether its keys and values are the same cached vectors.
    cached, window, keeps
        Keys and values that each token adds to the KV cache; tokens that stay there, 0 for all; whether they stay once
        the part has run.
    state
        Values that each sequence keeps, however many tokens it has: read and written in each step.
    embedded
        Values of table rows read from off-chip memory for each token.
    activations_read, residual_written, inputs_written
        Values that cross the chip's edge for each token if activations do not stay on chip: residual stream and outputs
        read for norms and activation functions, residual stream written, inputs of the next linears written.
    live, alone
        Values for each token that must be stored at the same time; whether they stay on chip or not apart from those
        of other parts. Parts with a residual stream share one buffer for the whole pass; each layer of feature maps has
        its own.
    """

    matmuls: tuple[Linear | Product, ...] = ()
    elementwise: tuple[Elementwise, ...] = ()
    stored: tuple[tuple[str, int], ...] = ()
    cached: int = 0
    window: int = 0
    keeps: bool = True
    state: int = 0
    embedded: int = 0
    activations_read: Form = nothing
    residual_written: Form = nothing
    inputs_written: Form = nothing
    live: int = 0
    alone: bool = False
    one_cache: bool = False


class Block(NamedTuple):
    """Parts that run one after the other, `repeats` times in a model.

    Parameters
    ----------
    parts, repeats
        The parts, and how often they run.
    layers
        Numbers of the layers that it stands for, as ``0-4,6``; empty for what is no layer.
    """

    parts: tuple[Part, ...]
    repeats: int = 1
    layers: str = ""


class Described(Protocol):
    """What counting needs of a model; `ModelShape` and `Matmul` provide it."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The model."""


def all_matmuls(blocks: Sequence[Block]) -> Iterator[tuple[Linear | Product, int]]:
    """Yield every matmul of a model and how often its block is repeated.

    Parameters
    ----------
    blocks
        The model.
    """
    for block in blocks:
        for part in block.parts:
            for matmul in part.matmuls:
                yield matmul, block.repeats


def stored_values(blocks: Sequence[Block]) -> dict[str, int]:
    """Return the values that a model stores: ``weights``, ``embedding``, ``lm_head``, ``adapters`` and ``other``.

    Parameters
    ----------
    blocks
        The model. A tied LM head is its embedding: it is stored once, and counted as ``embedding``.
    """
    values = {"weights": 0, "embedding": 0, "lm_head": 0, "adapters": 0, "other": 0}
    for matmul, repeats in all_matmuls(blocks):
        if isinstance(matmul, Linear):
            copies = repeats * matmul.copies
            if matmul.stored_as:
                values[matmul.stored_as] += copies * matmul.in_features * matmul.out_features
            values["other"] += copies * matmul.out_features * matmul.bias
    for block in blocks:
        for part in block.parts:
            for name, count in part.stored:
                values[name] += block.repeats * count
    return values
