"""A gated short convolution in place of attention (LFM2): a few taps over each channel, between two gates.

References
----------
Liquid AI, "LFM2 Technical Report", arXiv:2511.23404, section 2.
"""

from typing import Literal

from pydantic import Field

from bitjoule.energy_models.architecture.block import Elementwise, Linear, Part
from bitjoule.energy_models.architecture.parts.recurrent import CONVOLUTION, part_of
from bitjoule.energy_models.architecture.parts.transformer import Norm
from bitjoule.energy_models.inputs.validation import Strict


class ShortConvolution(Strict):
    """A gated short convolution.

    Parameters
    ----------
    kernel
        Taps.
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
            Elementwise("activation_function", "gate", lambda at: at.tokens * 2 * hidden),
            Elementwise(CONVOLUTION, "convolution", lambda at: at.tokens * (hidden * self.kernel)),
        ]
        return part_of(
            hidden, norm, linears, work, inner=hidden, projected=3 * hidden, quantised=2 * hidden,
            stored=hidden * (self.kernel + self.bias), state=hidden * (self.kernel - 1),
        )  # fmt: skip
