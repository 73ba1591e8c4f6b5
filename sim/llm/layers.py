"""The parts of a transformer block in NumPy: linears, norms, attention with a cache, FFN. Floats are float32.

One sequence at a time: activations have shape (T, features), T new tokens.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bitjoule.sim.llm.linears import LinearLayer, Norm, Run, finite
from bitjoule.sim.reference.checks import Float32s


def activate(kind: str, x: Float32s) -> Float32s:
    """Return the FFN's function of `x`: float32, shape of `x`.

    Parameters
    ----------
    kind
        ``relu``, ``relu2``, ``silu`` or ``gelu`` (its tanh form).
    x
        float32.
    """
    with np.errstate(over="ignore", under="ignore"):  # exp(88) and beyond: the quotient is 0, as it should be
        if kind == "silu":
            divisor: Float32s = np.exp(-x) + 1
            return x / divisor
        if kind == "gelu":
            bend: Float32s = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
            return 0.5 * x * (1 + bend)
        positive: Float32s = np.maximum(x, 0)
        return positive * positive if kind == "relu2" else positive


class LayerCache:
    """The keys and values of one block, for every token so far; grows by doubling.

    Parameters
    ----------
    kv_heads, head_dim
        Of the model.
    """

    def __init__(self, kv_heads: int, head_dim: int) -> None:
        self.length = 0
        self._buffer = np.empty((2, kv_heads, 0, head_dim), np.float32)

    def append(self, keys: Float32s, values: Float32s) -> tuple[Float32s, Float32s]:
        """Add tokens and return all keys and values, each of shape (kv_heads, tokens so far, head_dim).

        Parameters
        ----------
        keys, values
            float32, shape (kv_heads, T, head_dim).
        """
        end = self.length + keys.shape[1]
        if end > self._buffer.shape[2]:
            grown = np.empty((*self._buffer.shape[:2], max(end, 2 * self.length), self._buffer.shape[3]), np.float32)
            grown[:, :, : self.length] = self._buffer[:, :, : self.length]
            self._buffer = grown
        self._buffer[0, :, self.length : end] = keys
        self._buffer[1, :, self.length : end] = values
        self.length = end
        return self._buffer[0, :, :end], self._buffer[1, :, :end]


def rotate(x: Float32s, cosines: Float32s, sines: Float32s) -> Float32s:
    """Return heads turned by their position's angles: shape (heads, T, head_dim) as `x`.

    Parameters
    ----------
    x
        float32, shape (heads, T, head_dim); the pair of feature i is i + head_dim / 2.
    cosines, sines
        From `bitjoule.sim.llm.rope.rotary`.
    """
    half = x.shape[-1] // 2
    turned: Float32s = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
    turned *= sines
    turned += x * cosines
    return turned


def attend(queries: Float32s, keys: Float32s, values: Float32s, window: int = 0) -> Float32s:
    """Return causal attention's output: float32, shape (T, heads * head_dim).

    Parameters
    ----------
    queries
        float32, shape (heads, T, head_dim): the last T of S tokens.
    keys, values
        float32, shape (kv_heads, S, head_dim); kv_heads divides heads, neighbours share one.
    window
        Tokens that a query attends to, its own included; 0 for all before it.
    """
    heads, new, head_dim = queries.shape
    if window:
        keys, values = (part[:, -(window + new - 1) :] for part in (keys, values))
    seen = keys.shape[1]
    shared = queries.reshape(len(keys), -1, head_dim)  # (kv_heads, heads / kv_heads * T, head_dim)
    scores = shared @ keys.transpose(0, 2, 1) * head_dim**-0.5
    scores = scores.reshape(heads, new, seen)
    if new > 1:
        scores[:, np.triu(np.ones((new, seen), bool), seen - new + 1)] = -np.inf
        if window:
            scores[:, np.tril(np.ones((new, seen), bool), seen - new - window)] = -np.inf
    scores -= scores.max(axis=-1, keepdims=True)
    with np.errstate(under="ignore"):
        np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = scores.reshape(len(keys), -1, seen) @ values
    return np.ascontiguousarray(mixed.reshape(heads, new, head_dim).transpose(1, 0, 2)).reshape(new, -1)


@dataclass(eq=False)
class NormedInput:
    """Activations before a norm, and the linears behind it; the norm runs once, or in the linears themselves.

    Parameters
    ----------
    x
        float32, shape (T, features).
    norm
        The norm, if there is one.
    part
        The norm's name, for messages.
    run
        The pass.
    """

    x: Float32s
    norm: Norm | None
    part: str
    run: Run

    def through(self, linear: LinearLayer) -> Float32s:
        """Return the linear's outputs: float32, shape (T, N).

        Parameters
        ----------
        linear
            If it has a norm of its own, that is the one before its quantisation.
        """
        if self.norm is not None and self.run.norms_in_linears and linear.norm is None:
            return linear.after(self.norm)(self.x, self.run)
        return linear(self._normed, self.run)

    @cached_property
    def _normed(self) -> Float32s:
        return self.x if self.norm is None else self.norm(finite(self.part, self.x))


@dataclass(frozen=True, eq=False)
class DecoderLayer:
    """One transformer block.

    Parameters
    ----------
    linears
        By name, as `MatmulRecord` has them; ``ffn_gate`` only if gated.
    norms
        By place: ``attention`` and ``ffn`` before their halves, and, if the model has them, ``attention_sub`` before
        the output and ``ffn_sub`` before the down projection, ``attention_post`` and ``ffn_post`` after the halves,
        ``query`` and ``key`` on the heads.
    heads, kv_heads, head_dim
        Of the model.
    activation
        As for `activate`.
    window
        As for `attend`.
    """

    linears: dict[str, LinearLayer]
    norms: dict[str, Norm] = field(repr=False)
    heads: int
    kv_heads: int
    head_dim: int
    activation: str
    window: int = 0

    def __call__(self, x: Float32s, cache: LayerCache, turns: tuple[Float32s, Float32s] | None, run: Run) -> Float32s:
        """Return the residual stream after this block: float32, shape (T, hidden) as `x`.

        Parameters
        ----------
        x
            The residual stream.
        cache
            Of this block; is extended.
        turns
            From `bitjoule.sim.llm.rope.rotary`; None if positions are learned.
        run
            The pass.

        Raises
        ------
        OverflowInModelError
            Activations left the range of float32.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # the next linear refuses it by name
            x = x + self._post("attention", self._attention(self._before("attention", x, run), cache, turns, run))
            return x + self._post("ffn", self._ffn(self._before("ffn", x, run), run))

    def _norm(self, place: str, x: Float32s) -> Float32s:
        return self.norms[place](finite(f"norm of {place}", x)) if place in self.norms else x

    def _before(self, place: str, x: Float32s, run: Run) -> NormedInput:
        return NormedInput(x, self.norms.get(place), f"norm of {place}", run)

    def _post(self, half: str, x: Float32s) -> Float32s:
        return self._norm(f"{half}_post", x)

    def _heads(self, name: str, count: int, x: NormedInput) -> Float32s:
        return x.through(self.linears[name]).reshape(len(x.x), count, self.head_dim).transpose(1, 0, 2)

    def _attention(
        self, x: NormedInput, cache: LayerCache, turns: tuple[Float32s, Float32s] | None, run: Run
    ) -> Float32s:
        queries = self._norm("query", self._heads("q_proj", self.heads, x))
        keys = self._norm("key", self._heads("k_proj", self.kv_heads, x))
        values = self._heads("v_proj", self.kv_heads, x)
        if turns is not None:
            queries, keys = rotate(queries, *turns), rotate(keys, *turns)
        mixed = attend(queries, *cache.append(keys, values), self.window)
        return self._before("attention_sub", mixed, run).through(self.linears["o_proj"])

    def _ffn(self, x: NormedInput, run: Run) -> Float32s:
        inner = x.through(self.linears["ffn_gate" if "ffn_gate" in self.linears else "ffn_up"])
        inner = activate(self.activation, inner)
        if "ffn_gate" in self.linears:
            inner = inner * x.through(self.linears["ffn_up"])
        return self._before("ffn_sub", inner, run).through(self.linears["ffn_down"])
