"""A gated linear recurrence in place of attention (HGRN, the MLGRU of MatMul-free LM): one value of state a channel.

What is done with the state is element-wise at any number of tokens; it has no chunked form.

References
----------
Qin et al., "Hierarchically Gated Recurrent Neural Network for Sequence Modeling", arXiv:2311.04823, section 3; Zhu et
al., "Scalable MatMul-free Language Modeling", arXiv:2406.02528, section 3.3.
"""

from typing import Literal

import numpy as np

from bitjoule.energy_models.architecture.block import Elementwise, Linear, Part
from bitjoule.energy_models.architecture.parts.recurrent import Recurrence, Width, part_of
from bitjoule.energy_models.architecture.parts.transformer import Norm
from bitjoule.energy_models.inputs.validation import Strict


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
        return part_of(
            hidden, norm, linears, work, inner=inner, projected=3 * inner,
            quantised=hidden * (3 if self.linear_norm else 1) + inner,
            stored=norm.values(projection_norms + inner) + inner * self.lower_bound, state=recurrence.values,
        )  # fmt: skip
