"""Operations of a decoder whose gradients are written out: fewer passes over memory than composed ones take."""

from typing import Any

import torch
from torch import Tensor

from bitjoule.sim.training.config import ActivationValues
from bitjoule.sim.training.quantisers import EPSILON, LARGEST_CODE, largest_magnitude


class _NormThenRound(torch.autograd.Function):
    """RMSNorm with a gain, then rounding, whose gradient is taken for the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, epsilon: float, values: ActivationValues) -> Tensor:
        inverse = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_()  # (..., 1)
        inverse = inverse.div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, gain, inverse)
        scaled = x * gain
        if values == "fp16":
            return scaled.mul_(inverse)
        steps = LARGEST_CODE[values]  # the codes do not depend on the norm: it is in their scale alone
        largest = largest_magnitude(scaled).mul_(inverse).clamp_(min=EPSILON)
        return scaled.mul_(inverse * (steps / largest)).round_().mul_(largest.div_(steps))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, gain, inverse = ctx.saved_tensors
        gradient = gradients[0]
        products = (gradient * x).flatten(0, -2)
        of_gain = inverse.view(1, -1) @ products  # sums over tokens and features as matmuls: no pass of their own
        along = (products @ gain).view(inverse.shape).div_(-x.shape[-1]).mul_(inverse.square()).mul_(inverse)
        of_x = (gradient * gain).mul_(inverse).addcmul_(x, along)
        return of_x, of_gain.view(-1), None, None


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
        product = positive * up
        ctx.save_for_backward(positive, product)
        return positive * product

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        positive, product = ctx.saved_tensors
        width = product.shape[-1]
        result = torch.empty((*product.shape[:-1], 2 * width), dtype=product.dtype, device=product.device)
        none = product.new_zeros(())
        torch.addcmul(none, gradients[0], product, value=2, out=result[..., :width])
        torch.mul(gradients[0], positive, out=result[..., width:]).mul_(positive)
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
    def forward(ctx: Any, x: Tensor, turns: Tensor, heads: int) -> Tensor:
        ctx.save_for_backward(turns)
        ctx.heads = heads
        ctx.mark_dirty(x)
        return _turn(x, turns, heads)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (turns,) = ctx.saved_tensors
        return _turn(gradients[0].contiguous(), turns.conj().resolve_conj(), ctx.heads), None, None  # in place: its own


def _turn(x: Tensor, turns: Tensor, heads: int) -> Tensor:
    pairs = torch.view_as_complex(x[..., :heads, :].unflatten(-1, (-1, 2)))
    pairs.mul_(turns)
    return x


def rotated(x: Tensor, turns: Tensor, heads: int) -> Tensor:
    """Turn queries and keys to their positions, in place; the gradient is turned back.

    Parameters
    ----------
    x
        Queries, keys and values, shape (sequences, length, heads of all, head_dim), values 2 i and 2 i + 1 a pair.
    turns
        exp(i angle) of each position and pair: complex, shape (length, 1, head_dim / 2).
    heads
        Of queries and keys together, which come first.
    """
    result: Tensor = _Rotated.apply(x, turns, heads)
    return result
