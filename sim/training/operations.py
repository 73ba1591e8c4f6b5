"""Operations of a decoder whose gradients are written out: fewer passes over memory than composed ones take."""

from typing import Any

import torch
from torch import Tensor

from bitjoule.sim.training.config import ActivationValues
from bitjoule.sim.training.quantisers import EPSILON, LARGEST_CODE, largest_magnitude

LOSS_ROWS = 256  # of logits at a time: 256 KiB of 256 classes


class _NormThenRound(torch.autograd.Function):
    """RMSNorm with a gain, then rounding, whose gradient is taken for the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, epsilon: float, values: ActivationValues) -> Tensor:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)  # (..., 1)
        inverse = norm.square_().mul_(1 / x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, gain, inverse)
        scaled = x * gain
        if values == "fp16":
            return scaled.mul_(inverse)
        # The codes do not depend on the norm: it is in their step alone
        step = largest_magnitude(scaled).mul_(inverse).clamp_(min=EPSILON).mul_(1 / LARGEST_CODE[values])
        return scaled.mul_(inverse / step).round_().mul_(step)

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


class _Turned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, turns: Tensor, heads: int, of_keys: int) -> Any:
        ctx.save_for_backward(turns)
        ctx.turned = heads + of_keys
        queries_keys = _turn(x[:, :, : ctx.turned].contiguous(), turns)
        parts = (*queries_keys.split((heads, of_keys), 2), x[:, :, ctx.turned :])
        return tuple(part.transpose(1, 2) for part in parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (turns,) = ctx.saved_tensors
        together = torch.cat([gradient.transpose(1, 2) for gradient in gradients], 2)
        _turn(together[:, :, : ctx.turned], turns.conj().resolve_conj())
        return together, None, None, None


def _turn(x: Tensor, turns: Tensor) -> Tensor:
    torch.view_as_complex(x.unflatten(-1, (-1, 2))).mul_(turns)
    return x


def turned(x: Tensor, turns: Tensor, heads: int, of_keys: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries and keys turned to their positions, and values; (sequences, heads of each, length, head_dim).

    Parameters
    ----------
    x
        Queries, keys and values, shape (sequences, length, heads of all, head_dim), values 2 i and 2 i + 1 a pair.
    turns
        exp(i angle) of each position and pair: complex, shape (length, 1, head_dim / 2).
    heads, of_keys
        Heads of queries, and of keys, which values have too.
    """
    result: tuple[Tensor, Tensor, Tensor] = _Turned.apply(x, turns, heads, of_keys)
    return result


class _LinearLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, targets: Tensor) -> Tensor:
        rows = x.flatten(0, -2)
        wanted = targets.reshape(-1, 1)
        of_rows, of_matrix = torch.empty_like(rows), torch.zeros_like(matrix)
        loss = torch.zeros((), dtype=torch.float64, device=x.device)
        at_once = LOSS_ROWS if x.device.type == "cpu" else len(rows)
        for part, at, out in zip(*(each.split(at_once) for each in (rows, wanted, of_rows)), strict=True):
            log_shares = torch.log_softmax(part @ matrix.T, -1)
            loss -= log_shares.gather(1, at).sum(dtype=torch.float64)
            of_logits = log_shares.exp_().scatter_add_(1, at, log_shares.new_full((1, 1), -1.0).expand_as(at))
            torch.mm(of_logits, matrix, out=out)
            of_matrix.addmm_(of_logits.T, part)
        ctx.save_for_backward(of_rows.view(x.shape), of_matrix)
        ctx.count = len(rows)
        return (loss / len(rows)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        of_x, of_matrix = ctx.saved_tensors
        share = gradients[0] / ctx.count
        return of_x * share, of_matrix * share, None


def linear_loss(x: Tensor, matrix: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross entropy, in nats, of logits that are x times a matrix.

    Gradients are made in the forward pass, of a few rows at a time, so that logits never leave the processor's cache:
    Hsu et al., "Liger Kernel", arXiv:2410.10989, section 3.2.

    Parameters
    ----------
    x
        Shape (..., features).
    matrix
        Shape (classes, features).
    targets
        The right class of each row, int64, shape (...).
    """
    result: Tensor = _LinearLoss.apply(x, matrix, targets)
    return result
