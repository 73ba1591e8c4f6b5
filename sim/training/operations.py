"""Operations of a decoder whose gradients are written out: fewer passes over memory than composed ones take."""

from typing import Any

import torch
from torch import Tensor

from bitjoule.sim.training.config import ActivationValues
from bitjoule.sim.training.quantisers import rounded_activations


class _NormThenRound(torch.autograd.Function):
    """RMSNorm with a gain, then rounding, whose gradient is taken for the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, epsilon: float, values: ActivationValues) -> Tensor:
        inverse = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_()  # (..., 1)
        inverse = inverse.div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, gain, inverse)
        return rounded_activations((x * inverse).mul_(gain), values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, gain, inverse = ctx.saved_tensors
        normed, gradient = x * inverse, gradients[0]
        of_gain = (gradient * normed).flatten(0, -2).sum(0)
        scaled = gradient * gain
        along = (scaled * normed).mean(dim=-1, keepdim=True)
        return scaled.addcmul_(normed, along, value=-1).mul_(inverse), of_gain, None, None


def norm_then_round(x: Tensor, gain: Tensor, epsilon: float, values: ActivationValues) -> Tensor:
    """Return x / sqrt(mean(x²) + epsilon) times the gain, as rounded inputs of linears.

    Parameters
    ----------
    x, gain
        Shapes (..., features) and (features,).
    epsilon
        Of the norm.
    values
        As for `bitjoule.sim.training.quantisers.rounded_activations`.
    """
    result: Tensor = _NormThenRound.apply(x, gain, epsilon, values)
    return result


class _Relu2Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        gate, up = both.chunk(2, dim=-1)
        positive = gate.relu()
        ctx.save_for_backward(positive, up)
        return positive.square().mul_(up)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        positive, up = ctx.saved_tensors
        scaled = gradients[0] * positive
        result = torch.empty((*up.shape[:-1], 2 * up.shape[-1]), dtype=up.dtype, device=up.device)
        of_gate, of_up = result.chunk(2, dim=-1)
        torch.mul(scaled, up, out=of_gate).mul_(2)
        torch.mul(scaled, positive, out=of_up)
        return result


def relu2_gated(both: Tensor) -> Tensor:
    """Return relu(gate)² up.

    Parameters
    ----------
    both
        Gate and up, one after the other: shape (..., 2 ffn). The result has (..., ffn).
    """
    result: Tensor = _Relu2Gated.apply(both)
    return result


class _Rotated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        ctx.save_for_backward(cosine, sine)
        return _turn(x, cosine, sine)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        cosine, sine = ctx.saved_tensors
        return _turn(gradients[0], cosine, -sine), None, None


def _turn(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    result = torch.empty_like(x)
    to_first, to_second = result.chunk(2, dim=-1)
    torch.mul(first, cosine, out=to_first).addcmul_(second, sine, value=-1)
    torch.mul(second, cosine, out=to_second).addcmul_(first, sine)
    return result


def rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Return queries or keys turned to their positions; the gradient is turned back.

    Parameters
    ----------
    x
        Shape (..., head_dim), value i of the first half paired with value i of the second, as Hugging Face has it.
    cosine, sine
        Of each position and pair, of a shape that broadcasts to (..., head_dim / 2).
    """
    result: Tensor = _Rotated.apply(x, cosine, sine)
    return result
