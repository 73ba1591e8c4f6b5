"""A decoder-only transformer in NumPy: prefill, token-by-token decode with a KV cache, sampling.

The integer matmuls of its BitNet linears go through an `Engine`; all else is float32 here. Blocks are requested one by
one: a model larger than its budget is never in memory as a whole. `bitjoule.sim.llm.checkpoints.loading` reads models,
`bitjoule.sim.llm.synthetic` makes random ones.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.sim.llm.engines import Engine, LinearEngine
from bitjoule.sim.llm.layers import DecoderLayer, LayerCache, NormedInput
from bitjoule.sim.llm.linears import LinearLayer, Norm, Observer, OverflowInModelError, Run, finite
from bitjoule.sim.llm.rope import rotary
from bitjoule.sim.reference.checks import Float32s

RESIDENT_TRITS = 2**28  # int8 codes that a model keeps: 256 MiB; of larger ones each block is made anew for each pass
_ROWS = 4096  # of a table at a time


class EmbeddingTable(Protocol):
    """An embedding matrix, (vocabulary, hidden), which need not be in memory."""

    @property
    def rows(self) -> int:
        """The vocabulary."""
        ...

    def block(self, start: int, stop: int) -> Float32s:
        """Return rows `start` to `stop`: float32, shape (stop − start, hidden).

        Parameters
        ----------
        start, stop
            The first row, and the one after the last.
        """
        ...


@dataclass(frozen=True, eq=False)
class ArrayTable:
    """A table in memory.

    Parameters
    ----------
    values
        float32, shape (vocabulary, hidden).
    """

    values: Float32s

    @property
    def rows(self) -> int:
        """The vocabulary."""
        return len(self.values)

    def block(self, start: int, stop: int) -> Float32s:
        """Return rows `start` to `stop`; see `EmbeddingTable.block`."""
        return self.values[start:stop]


class Blocks:
    """Makes the blocks of a model; keeps them if all their codes together are few enough.

    Parameters
    ----------
    make
        Makes the block of an index.
    shape
        The model's.
    resident
        How many weights of blocks may be kept; default: `RESIDENT_TRITS`.
    """

    def __init__(self, make: Callable[[int], DecoderLayer], shape: ModelShape, resident: int = RESIDENT_TRITS) -> None:
        self._make = make
        self._blocks: dict[int, DecoderLayer] = {}
        weights = shape.layers * sum(linear.in_features * linear.out_features for linear in shape.linears)
        self.resident = weights <= resident

    def __call__(self, index: int) -> DecoderLayer:
        """Return one block.

        Parameters
        ----------
        index
            0 to layers − 1.
        """
        if index in self._blocks:
            return self._blocks[index]
        block = self._make(index)
        if self.resident:
            self._blocks[index] = block
        return block


@dataclass(frozen=True, eq=False)
class Model:
    """A model that runs.

    Parameters
    ----------
    shape
        Dimensions.
    blocks
        Returns the block of an index.
    embedding
        Of the tokens.
    norm
        The last one, before the LM head.
    head
        The LM head: another table, a linear, or None for the embedding itself (tied).
    frequencies
        Of the rotary positions, float32, shape (head_dim / 2,); None with learned positions.
    positions
        Learned positions, if the model has them.
    """

    shape: ModelShape
    blocks: Callable[[int], DecoderLayer]
    embedding: EmbeddingTable
    norm: Norm
    head: EmbeddingTable | LinearLayer | None
    frequencies: Float32s | None
    positions: EmbeddingTable | None = None

    def new_cache(self) -> list[LayerCache]:
        """Return an empty KV cache, one part a block."""
        return [LayerCache(self.shape.kv_heads, self.shape.head_dim) for _ in range(self.shape.layers)]

    def forward(
        self,
        tokens: Sequence[int],
        engine: Engine | LinearEngine,
        cache: list[LayerCache] | None = None,
        observe: Observer | None = None,
        last_only: bool = False,
    ) -> Float32s:
        """Run tokens through the model and return their logits: float32, shape (T, vocabulary).

        Parameters
        ----------
        tokens
            T ≥ 1 ids, which follow those in the cache.
        engine
            Multiplies the integers, or computes whole linears.
        cache
            From `new_cache`; extended by these tokens. Default: a new one. Not to be used again after an error.
        observe
            Called with the `MatmulRecord` of each integer matmul right after it.
        last_only
            Return the logits of the last token alone: shape (1, vocabulary).

        Raises
        ------
        TypeError
            A token is no whole number.
        ValueError
            No tokens, an id outside the vocabulary, or more tokens than learned positions.
        OverflowInModelError
            Activations left the range of float32.
        """
        ids = checked_ids(self.shape, tokens)
        cache = self.new_cache() if cache is None else cache
        run = Run(engine, observe)
        start = cache[0].length
        hidden = np.concatenate([self.embedding.block(token, token + 1) for token in ids])
        turns = None
        if self.shape.learned_positions:
            if self.positions is None or start + len(ids) > self.positions.rows:
                raise ValueError(
                    f"{start + len(ids)} tokens exceed the model's {self.shape.learned_positions} positions"
                )
            hidden = hidden + self.positions.block(start, start + len(ids))
        elif self.frequencies is not None:
            turns = rotary(len(ids), start, self.frequencies)
        for index in range(self.shape.layers):
            # no name for the block: two would be in memory while the next is made
            hidden = self.blocks(index)(hidden, cache[index], turns, run)
        return self._logits(hidden[-1:] if last_only else hidden, run)

    def generate(
        self,
        prompt: Sequence[int],
        new_tokens: int,
        engine: Engine | LinearEngine,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[int] = (),
        observe: Observer | None = None,
    ) -> Iterator[int]:
        """Return an iterator over new tokens: the prompt in one pass, then token by token.

        Parameters
        ----------
        prompt
            At least one id.
        new_tokens
            How many at most; 0 runs nothing.
        engine
            Multiplies the integers, or computes whole linears.
        temperature
            0 takes the likeliest token (the first of equals); otherwise logits are divided by it and sampled.
        seed
            Of the sampling.
        stop
            Ids that end the text; they are not returned.
        observe
            As for `forward`.

        Raises
        ------
        TypeError
            A token or `new_tokens` is no whole number.
        ValueError
            As `forward`, or `new_tokens` or `temperature` is negative or not finite.
        OverflowInModelError
            While iterating: activations left the range of float32.
        """
        ids = checked_ids(self.shape, prompt)
        if operator.index(new_tokens) < 0:
            raise ValueError(f"new_tokens is {new_tokens}, expected 0 or more")
        if not 0 <= temperature < np.inf:
            raise ValueError(f"temperature is {temperature}, expected 0 or more")
        check_positions(self.shape, len(ids), new_tokens)
        return self._generate(ids, new_tokens, engine, temperature, seed, frozenset(stop), observe)

    def _generate(
        self,
        ids: list[int],
        new_tokens: int,
        engine: Engine | LinearEngine,
        temperature: float,
        seed: int,
        stop: frozenset[int],
        observe: Observer | None,
    ) -> Iterator[int]:
        rng = np.random.default_rng(seed)
        cache = self.new_cache()
        for _ in range(new_tokens):
            logits = self.forward(ids, engine, cache, observe, last_only=True)[0]
            token = sample(logits, temperature, rng)
            if token in stop:
                return
            yield token
            ids = [token]

    def _logits(self, hidden: Float32s, run: Run) -> Float32s:
        if isinstance(self.head, LinearLayer):
            return NormedInput(hidden, self.norm, "the final norm", run).through(self.head)
        hidden = self.norm(finite("the final norm", hidden))
        table = self.embedding if self.head is None else self.head
        logits = np.empty((len(hidden), table.rows), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, table.rows, _ROWS):
                stop = min(start + _ROWS, table.rows)
                logits[:, start:stop] = hidden @ table.block(start, stop).T
        return finite("lm_head", logits)


def checked_ids(shape: ModelShape, tokens: Sequence[int]) -> list[int]:
    """Return tokens as ids that a model of this shape can run.

    Parameters
    ----------
    shape
        The model's.
    tokens
        At least one whole number of the vocabulary.

    Raises
    ------
    TypeError
        A token is no whole number.
    ValueError
        No tokens, or an id outside the vocabulary.
    """
    ids = [operator.index(token) for token in tokens]
    if not ids:
        raise ValueError("no tokens, expected at least one")
    wrong = [token for token in ids if not 0 <= token < shape.vocabulary]
    if wrong:
        raise ValueError(f"token {wrong[0]} is outside the vocabulary, expected 0 to {shape.vocabulary - 1}")
    return ids


def check_positions(shape: ModelShape, prompt: int, new_tokens: int) -> None:
    """Refuse more tokens than learned positions, if the model has them.

    Parameters
    ----------
    shape
        The model's.
    prompt, new_tokens
        Tokens; the last new one is not run through the model.

    Raises
    ------
    ValueError
        They are too many.
    """
    if shape.learned_positions and prompt + new_tokens - 1 > shape.learned_positions:
        raise ValueError(f"{prompt} + {new_tokens} tokens exceed the model's {shape.learned_positions} positions")


def sample(logits: Float32s, temperature: float, rng: np.random.Generator) -> int:
    """Return a token's id.

    Parameters
    ----------
    logits
        float32, shape (vocabulary,).
    temperature
        0 takes the largest logit, the first of equals.
    rng
        Draws once if the temperature is not 0.
    """
    largest = int(np.argmax(logits))
    if temperature == 0:
        return largest
    with np.errstate(over="ignore", under="ignore"):
        weights = np.exp((logits.astype(np.float64) - logits[largest]) / temperature)
    bounds = np.cumsum(weights)
    return min(int(np.searchsorted(bounds, rng.random() * bounds[-1], side="right")), len(bounds) - 1)


__all__ = [
    "ArrayTable",
    "Blocks",
    "EmbeddingTable",
    "Model",
    "OverflowInModelError",
    "check_positions",
    "checked_ids",
    "sample",
]
