"""Mixers whose state is one value, or a few, for each channel.

A gated short convolution (LFM2) keeps the inputs of its taps. A gated linear recurrence (HGRN, the MLGRU of MatMul-free
LM) keeps one value a channel, so that the work with it is element-wise at any number of tokens.

References
----------
Amini et al., "LFM2 Technical Report", arXiv:2511.23404; Qin et al., "Hierarchically Gated Recurrent Neural Network",
arXiv:2311.04823; Zhu et al., "Scalable MatMul-free Language Modeling", arXiv:2406.02528, section 3.3.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from bitjoule.energy_models.architecture.block import Elementwise, Linear, Part
from bitjoule.energy_models.architecture.recurrent import CONVOLUTION, Recurrence, Width, mixer_part
from bitjoule.energy_models.architecture.transformer import Norm
from bitjoule.energy_models.inputs.validation import Strict


class ShortConvolution(Strict):
    """A convolution between two gates: y = C * conv(B * x), with B, C and x from one projection.

    Parameters
    ----------
    kernel
        Taps of the convolution.
    bias
        Whether projections and convolution have biases.
    """

    kind: Literal["short_convolution"] = "short_convolution"
    kernel: int = Field(default=3, ge=1, le=64)
    bias: bool = False

    def part(self, hidden: int, norm: Norm) -> Part:
        """Return the mixer with the norm before it.

        Parameters
        ----------
        hidden
            Width of the residual stream.
        norm
            The norm.
        """
        linears = (
            Linear("in_proj", hidden, 3 * hidden, self.bias, 1),
            Linear("out_proj", hidden, hidden, self.bias, 1),
        )
        work = [
            Elementwise(CONVOLUTION, "convolution", lambda at: at.tokens * (hidden * self.kernel)),
            Elementwise("activation_function", "gate", lambda at: at.tokens * (2 * hidden)),
        ]
        return mixer_part(
            hidden, norm, linears, work, inner=hidden, projected=3 * hidden, quantised=2 * hidden,
            stored=hidden * (self.kernel + self.bias), state=hidden * (self.kernel - 1),
        )  # fmt: skip


class Hgrn(Strict):
    """A gated linear recurrence: h = f * h + (1 - f) * silu(i), y = norm(h) * silu(g).

    Parameters
    ----------
    inner
        Channels, each with one value of state.
    lower_bound
        Whether each channel learns the least value of its forget gate f.
    linear_norm
        Whether each projection has a norm of its own, after that before the mixer.
    """

    kind: Literal["hgrn"] = "hgrn"
    inner: int = Width
    lower_bound: bool = True
    linear_norm: bool = False

    def part(self, hidden: int, norm: Norm) -> Part:
        """Return the mixer with the norm before it.

        Parameters
        ----------
        hidden
            Width of the residual stream.
        norm
            The norm.
        """
        inner, projection_norms = self.inner, (3 * hidden + self.inner) * self.linear_norm
        recurrence = Recurrence(inner, 1, 1, 1, np.zeros_like, 1)
        linears = (
            *(Linear("in_proj", hidden, inner, False, 1) for _ in ("input", "forget gate", "output gate")),
            Linear("out_proj", inner, hidden, False, 1),
        )
        work = [
            Elementwise("norm", norm.kind, lambda at: at.tokens * (projection_norms + inner)),
            Elementwise("activation_function", "sigmoid", lambda at: at.tokens * inner),
            Elementwise("activation_function", "silu", lambda at: at.tokens * (2 * inner)),
            # 1 - f on the input, the lower bound on f, the gate on the output
            Elementwise("activation_function", "gate", lambda at: at.tokens * ((2 + self.lower_bound) * inner)),
            *recurrence.work,
        ]
        return mixer_part(
            hidden, norm, linears, work, inner=inner, projected=3 * inner,
            quantised=hidden * (3 if self.linear_norm else 1) + inner,
            stored=norm.values(projection_norms + inner) + inner * self.lower_bound, state=recurrence.values,
        )  # fmt: skip
