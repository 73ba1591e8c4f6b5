"""Linears of a float model that record their inputs, or quantise them."""

from dataclasses import dataclass, field

import numpy as np

from bitjoule.sim.llm.linears import LinearLayer, Run
from bitjoule.sim.post_training.grids import Floats
from bitjoule.sim.reference.checks import Float32s
from bitjoule.sim.reference.quantisation import absmax


@dataclass(frozen=True, eq=False)
class RecordedLinear(LinearLayer):
    """A linear that keeps its inputs.

    Parameters
    ----------
    inputs
        Gets the input of each call, (tokens, K), behind the norm.
    """

    inputs: list[Float32s] = field(default_factory=list)

    def __call__(self, x: Float32s, run: Run) -> Float32s:
        """Return the product; see `LinearLayer`."""
        self.inputs.append(x if self.norm is None else self.norm(x))
        return super().__call__(x, run)

    def recorded(self) -> Floats:
        """Return all inputs, (tokens, K)."""
        return np.concatenate(self.inputs).astype(np.float64)


@dataclass(frozen=True, eq=False)
class RoundedLinear(LinearLayer):
    """A float linear whose inputs are divided by a vector and rounded by token.

    Parameters
    ----------
    bits
        Of the inputs, 1 to 8; 0 leaves them floats.
    divisor
        Shape (K,), float32; the weights hold its product already.
    """

    bits: int = 0
    divisor: Float32s | None = None

    def __call__(self, x: Float32s, run: Run) -> Float32s:
        """Return the product; see `LinearLayer`."""
        x = x if self.norm is None else self.norm(x)
        x = x if self.divisor is None else x / self.divisor
        x = absmax(x, self.bits).dequantised() if self.bits else x
        return LinearLayer(self.layer, self.name, self.weights, self.bias)(x, run)
