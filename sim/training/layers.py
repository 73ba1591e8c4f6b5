"""Linear layers that train through their quantisation, with the straight-through estimator.

The forward pass is that of inference on integers: `absmean_ternary`, `sign_binary` and `absmax` of
`bitjoule.sim.reference.quantisation`, here on torch's tensors; the backward pass takes every rounding for the identity.
Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", arXiv:1308.3432.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

EPSILON = 1e-5  # as in bitjoule.sim.reference.checks
Weights = Literal["ternary", "binary", "float"]


def quantised_weights(weight: Tensor, kind: Weights) -> tuple[Tensor, Tensor]:
    """Return codes -1, 0, +1 and the scale, of one element, that they are to be multiplied with.

    Parameters
    ----------
    weight
        Floats, of any shape.
    kind
        ``ternary``: clip(round(W / mean|W|), −1, 1); ``binary``: sign(W − mean W), sign(0) = −1. The scale of both is
        mean|W|.
    """
    scale = weight.abs().mean().clamp(min=EPSILON)
    if kind == "binary":
        return torch.where(weight > weight.mean(), 1.0, -1.0), scale
    return (weight * (1.0 / scale)).round().clamp(-1, 1), scale


class _Weight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, kind: Weights) -> Tensor:  # noqa: ARG004
        codes, scale = quantised_weights(weight, kind)
        return codes * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # noqa: ARG004
        return gradients[0], None


class _Activations(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        scale = 127 / x.abs().amax(dim=-1, keepdim=True).clamp(min=EPSILON)
        return (x * scale).round_().div_(scale)  # |x| scale is 127 at most, so there is nothing to clip

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # noqa: ARG004
        return gradients[0]


class BitLinear(nn.Linear):
    """A linear layer without bias, with weights of one scale and activations of eight bits.

    Parameters
    ----------
    in_features, out_features
        As of ``nn.Linear``, whose ``weight``, (out_features, in_features), is what is trained.
    kind
        ``ternary`` or ``binary``.
    """

    def __init__(self, in_features: int, out_features: int, kind: Weights) -> None:
        super().__init__(in_features, out_features, bias=False)
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Return the product of the quantised activations and weights; in training, with straight-through gradients."""
        activations: Tensor = _Activations.apply(x)
        if self.training:
            weight: Tensor = _Weight.apply(self.weight, self.kind)
            return nn.functional.linear(activations, weight)
        codes, scale = quantised_weights(self.weight, self.kind)  # inference scales last: here the same bits come out
        return nn.functional.linear(activations, codes) * scale
