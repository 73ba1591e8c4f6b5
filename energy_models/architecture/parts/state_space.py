"""Selective state spaces: Mamba and Mamba-2.

References
----------
Dao and Gu, "Transformers are SSMs", arXiv:2405.21060, section 6; Gu and Dao, "Mamba", arXiv:2312.00752, section 3.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from bitjoule.energy_models.architecture.block import Elementwise, Floats, Linear, Part
from bitjoule.energy_models.architecture.parts.recurrent import (
    CONVOLUTION,
    MOST,
    RECURRENCE,
    Recurrence,
    Width,
    part_of,
)
from bitjoule.energy_models.architecture.parts.transformer import Norm
from bitjoule.energy_models.inputs.validation import Strict


class Mamba2(Strict):
    """A selective state space whose decay is one number a head (Mamba-2).

    Parameters
    ----------
    heads, head_dim, groups, state
        Heads, each with a state of head_dim x state; groups that share inputs and outputs of the state.
    kernel
        Taps of the convolution.
    bias, conv_bias, output_bias
        Whether projections, and the convolution, have biases; whether the output projection has one (default: `bias`).
    chunk
        Tokens of a chunk.
    gated_norm
        Whether a norm stands before the output projection.
    """

    kind: Literal["mamba2"] = "mamba2"
    heads: int = Width
    head_dim: int = Width
    groups: int = Field(default=1, ge=1, le=MOST)
    state: int = Width
    kernel: int = Field(default=4, ge=1, le=64)
    bias: bool = False
    conv_bias: bool = True
    output_bias: bool | Literal["as_bias"] = "as_bias"
    chunk: int = Field(default=256, ge=1, le=MOST)
    gated_norm: bool = True

    def part(self, hidden: int, norm: Norm | None) -> Part:
        """Return the mixer with the norm before it.

        Parameters
        ----------
        hidden
            Width of the residual stream.
        norm
            The norm; none where the input is another part's normed one.
        """
        inner = self.heads * self.head_dim
        channels = inner + 2 * self.groups * self.state
        projected = inner + channels + self.heads
        output_bias = self.bias if self.output_bias == "as_bias" else self.output_bias

        def in_chunk(tokens: Floats) -> Floats:
            return np.asarray(tokens * (self.head_dim + self.state * self.groups / self.heads) / 2)

        recurrence = Recurrence(self.heads, self.head_dim, self.state, 2, in_chunk, self.chunk)
        linears = (
            Linear("in_proj", hidden, projected, self.bias, 1),
            Linear("out_proj", inner, hidden, output_bias, 1),
        )
        work = [
            Elementwise(CONVOLUTION, "convolution", lambda at: at.tokens * (channels * self.kernel)),
            Elementwise("activation_function", "silu", lambda at: at.tokens * (channels + inner)),
            Elementwise("activation_function", "gate", lambda at: at.tokens * inner),
            Elementwise("norm", "rmsnorm", lambda at: at.tokens * (inner * self.gated_norm)),
            *recurrence.work,
        ]
        return part_of(
            hidden, norm, linears, work, inner=inner, projected=projected, quantised=hidden + inner,
            stored=channels * (self.kernel + self.conv_bias) + 3 * self.heads + inner * self.gated_norm,
            state=recurrence.values + channels * (self.kernel - 1),
        )  # fmt: skip


class Mamba(Strict):
    """A selective state space whose decay is its own for each value of the state (Mamba).

    Parameters
    ----------
    inner, state, rank
        Channels; values of the state of each; width between the two projections of the step size.
    kernel
        Taps of the convolution.
    bias, conv_bias
        Whether projections, and the convolution, have biases.
    selection_norms
        Whether step sizes, inputs and outputs of the state are normed: with gains (Jamba), or without (`plain`,
        Falcon Mamba).
    """

    kind: Literal["mamba"] = "mamba"
    inner: int = Width
    state: int = Width
    rank: int = Width
    kernel: int = Field(default=4, ge=1, le=64)
    bias: bool = False
    conv_bias: bool = True
    selection_norms: bool | Literal["plain"] = False

    def part(self, hidden: int, norm: Norm) -> Part:
        """Return the mixer with the norm before it.

        Parameters
        ----------
        hidden
            Width of the residual stream.
        norm
            The norm.
        """
        inner, selected = self.inner, self.rank + 2 * self.state
        recurrence = Recurrence(inner, self.state, 1, 3, np.zeros_like, 1)
        linears = (
            Linear("in_proj", hidden, 2 * inner, self.bias, 1),
            Linear("x_proj", inner, selected, False, 1),
            Linear("dt_proj", self.rank, inner, True, 1),
            Linear("out_proj", inner, hidden, self.bias, 1),
        )
        work = [
            Elementwise(CONVOLUTION, "convolution", lambda at: at.tokens * (inner * self.kernel)),
            Elementwise("activation_function", "silu", lambda at: at.tokens * (2 * inner)),
            Elementwise("activation_function", "gate", lambda at: at.tokens * inner),
            Elementwise(RECURRENCE, "exponential", lambda at: at.tokens * (inner * self.state)),
            *recurrence.work,
        ]
        if self.selection_norms:
            work.append(Elementwise("norm", "rmsnorm", lambda at: at.tokens * selected))
        return part_of(
            hidden, norm, linears, work, inner=2 * inner + self.rank, projected=2 * inner + selected,
            quantised=hidden + 2 * inner + self.rank,
            stored=inner * (self.kernel + self.conv_bias) + inner * self.state + inner
            + selected * (self.selection_norms is True),
            state=recurrence.values + inner * (self.kernel - 1),
        )  # fmt: skip
