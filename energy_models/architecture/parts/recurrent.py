"""Mixers that keep a state of constant size in place of keys and values of every token.

Each multiplies inputs into a state and reads outputs from it: the gated delta rule (Qwen3-Next), retention (RetNet),
lightning attention (MiniMax), selective state spaces (`state_space`). A step of one token takes the recurrent form. A
step of several takes the chunked form: within a chunk tokens meet each other as in attention, and the state passes the
buffer once a chunk. What is done with the state is work of the vector unit, in its format; off-chip memory holds the
state between steps.

References
----------
Yang et al., "Gated Delta Networks", arXiv:2412.06464, section 3.3; Sun et al., "Retentive Network", arXiv:2307.08621,
section 2; MiniMax, "MiniMax-01: Scaling Foundation Models with Lightning Attention", arXiv:2501.08313, section 2.2.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field

from bitjoule.energy_models.architecture.block import At, Elementwise, Floats, Linear, Part
from bitjoule.energy_models.architecture.parts.transformer import Norm
from bitjoule.energy_models.inputs.validation import Strict

MOST = 10**7
Width = Field(ge=1, le=MOST)
RECURRENCE, CONVOLUTION = "state_update", "convolution"


class Recurrence:
    """What is done with states of `heads` heads, each `rows` x `columns`.

    Parameters
    ----------
    heads, rows, columns
        Of the state.
    macs
        Products with a whole state that a token takes, each rows x columns multiply-accumulates.
    in_chunk
        Multiply-accumulates of a token and head in a chunk of so many tokens, besides.
    chunk
        Tokens.
    """

    def __init__(
        self, heads: int, rows: int, columns: int, macs: int, in_chunk: Callable[[Floats], Floats], chunk: int
    ) -> None:
        self.heads, self.values, self.chunk = heads, heads * rows * columns, chunk
        self._macs, self._in_chunk = macs, in_chunk

    def _tokens(self, at: At) -> Floats:
        return at.rows / at.batch

    def macs(self, at: At) -> Floats:
        """Return the multiply-accumulates of all steps."""
        tokens = self._tokens(at)
        inside = self._in_chunk(np.minimum(tokens, self.chunk)) * (tokens > 1)
        return at.tokens * (self._macs * self.values + self.heads * inside)

    def passes(self, at: At) -> Floats:
        """Return the values of states that pass the buffer, and decay on the way: once a step, or once a chunk."""
        return np.asarray(at.batch * at.repeats * np.ceil(self._tokens(at) / self.chunk) * self.values)

    @property
    def work(self) -> list[Elementwise]:
        """As element-wise work."""
        return [
            Elementwise(RECURRENCE, "state_mac", self.macs),
            Elementwise(RECURRENCE, "state_pass", self.passes),
        ]


def part_of(
    hidden: int, norm: Norm | None, linears: tuple[Linear, ...], work: list[Elementwise], *, inner: int, projected: int,
    quantised: int, stored: int, state: int,
) -> Part:  # fmt: skip
    """Return a mixer with the norm before it, from what is its own.

    Parameters
    ----------
    hidden, norm
        Width of the residual stream; the norm, none where the input is another part's normed one.
    linears, work
        Its weight matrices, in the order they run; its element-wise work besides norm, quantisation and residual.
    inner, projected
        Values of a token that the linears after the first take, and that the first give.
    quantised
        Values of a token that a scheme scales to integers: inputs of the linears.
    stored, state
        Trainable values besides the linears' and the norm's; values that a sequence keeps.
    """
    before = [Elementwise("norm", norm.kind, lambda at: at.tokens * hidden)] if norm else []
    common = [
        *before,
        Elementwise("activation_quantisation", "quantisation", lambda at: at.tokens * quantised * at.quantises),
        Elementwise("residual", "residual", lambda at: at.tokens * hidden),
    ]
    return Part(
        matmuls=linears,
        elementwise=(*common, *work),
        stored=(("other", (norm.values(hidden) if norm else 0) + stored),),
        state=state,
        activations_read=lambda _: 2 * hidden + projected,
        residual_written=lambda _: hidden,
        inputs_written=lambda _: hidden + inner,
        live=2 * hidden + projected,
    )


class GatedDelta(Strict):
    """The gated delta rule: S = a S (I - b k k') + b v k', y = S q.

    Parameters
    ----------
    key_heads, value_heads, key_dim, value_dim
        Heads of queries and keys, and of values, each with a state; their widths.
    kernel
        Taps of the convolution over queries, keys and values.
    chunk
        Tokens of a chunk.
    """

    kind: Literal["gated_delta"] = "gated_delta"
    key_heads: int = Width
    value_heads: int = Width
    key_dim: int = Width
    value_dim: int = Width
    kernel: int = Field(default=4, ge=1, le=64)
    chunk: int = Field(default=64, ge=1, le=MOST)

    def part(self, hidden: int, norm: Norm) -> Part:
        """Return the mixer with the norm before it.

        Parameters
        ----------
        hidden
            Width of the residual stream.
        norm
            The norm.
        """
        keys, values = self.key_heads * self.key_dim, self.value_heads * self.value_dim
        channels, dk, dv = 2 * keys + values, self.key_dim, self.value_dim

        def in_chunk(tokens: Floats) -> Floats:  # three products of keys, two of values, a triangular system
            return np.asarray(tokens * (3 * dk + 2 * dv) / 2 + tokens**2 / 6)

        recurrence = Recurrence(self.value_heads, dk, dv, 3, in_chunk, self.chunk)
        linears = (
            Linear("in_proj", hidden, channels + values, False, 1),
            Linear("in_proj", hidden, 2 * self.value_heads, False, 1),
            Linear("out_proj", values, hidden, False, 1),
        )
        work = [
            Elementwise(CONVOLUTION, "convolution", lambda at: at.tokens * (channels * self.kernel)),
            Elementwise("activation_function", "silu", lambda at: at.tokens * (channels + values)),
            Elementwise("activation_function", "gate", lambda at: at.tokens * values),
            Elementwise("norm", "rmsnorm", lambda at: at.tokens * (values + 2 * keys)),
            *recurrence.work,
        ]
        return part_of(
            hidden, norm, linears, work, inner=values, projected=channels + values + 2 * self.value_heads,
            quantised=hidden + values, stored=channels * self.kernel + 2 * self.value_heads + dv,
            state=recurrence.values + channels * (self.kernel - 1),
        )  # fmt: skip


class Retention(Strict):
    """Multi-scale retention (RetNet): S = a S + k v', y = S q, with a decay that is fixed for each head.

    Parameters
    ----------
    heads, key_dim, value_dim
        Heads, each with a state; widths of its queries and keys, and of its values.
    chunk
        Tokens of a chunk.
    rotary, norm_gain
        Whether positions rotate queries and keys (RetNet; not in lightning attention); whether the norm of the outputs
        learns a factor for each value.
    """

    kind: Literal["retention"] = "retention"
    heads: int = Width
    key_dim: int = Width
    value_dim: int = Width
    chunk: int = Field(default=512, ge=1, le=MOST)
    rotary: bool = True
    norm_gain: bool = False

    def part(self, hidden: int, norm: Norm) -> Part:
        """Return the mixer with the norm before it.

        Parameters
        ----------
        hidden
            Width of the residual stream.
        norm
            The norm.
        """
        keys, values = self.heads * self.key_dim, self.heads * self.value_dim

        def in_chunk(tokens: Floats) -> Floats:
            return np.asarray(tokens * (self.key_dim + self.value_dim) / 2)

        recurrence = Recurrence(self.heads, self.key_dim, self.value_dim, 2, in_chunk, self.chunk)
        linears = (
            Linear("q_proj", hidden, keys, False, 1),
            Linear("in_proj", hidden, keys, False, 1),
            Linear("in_proj", hidden, 2 * values, False, 1),
            Linear("o_proj", values, hidden, False, 1),
        )
        work = [
            Elementwise("norm", "rmsnorm", lambda at: at.tokens * values),
            Elementwise("activation_function", "silu", lambda at: at.tokens * values),
            Elementwise("activation_function", "gate", lambda at: at.tokens * values),
            *recurrence.work,
        ]
        if self.rotary:
            work.insert(0, Elementwise("rotary", "rotary", lambda at: at.tokens * (2 * keys)))
        return part_of(
            hidden, norm, linears, work, inner=values, projected=2 * keys + 2 * values, quantised=hidden + values,
            stored=values * self.norm_gain, state=recurrence.values,
        )  # fmt: skip
