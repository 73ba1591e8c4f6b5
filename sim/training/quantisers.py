"""Weights and activations in the formats of a training, with the straight-through estimator.

The forward pass is that of inference on codes; the backward pass takes every rounding for the identity. Bengio et al.,
"Estimating or Propagating Gradients Through Stochastic Neurons", arXiv:1308.3432. Formats: Wang et al., "BitNet",
arXiv:2310.11453 (``binary``, groups); Ma et al., "The Era of 1-bit LLMs", arXiv:2402.17764 (``ternary``, activations).
"""

from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from bitjoule.sim.training.config import ActivationValues, WeightValues

EPSILON = 1e-5  # as in bitjoule.sim.reference.checks
LARGEST_CODE = {"int8": 127, "int4": 7}  # symmetric: −128 and −8 are not used


class Blocks(NamedTuple):
    """How a weight matrix is divided into blocks with a scale each.

    Parameters
    ----------
    rows, columns
        Blocks along out_features and along in_features.
    """

    rows: int = 1
    columns: int = 1

    @classmethod
    def of(
        cls, values: WeightValues, shape: tuple[int, int], group_size: int | None = None, shards: int = 1,
        divided: str = "out_features",
    ) -> Self:  # fmt: skip
        """Return the blocks of a matrix.

        Parameters
        ----------
        values
            Integers have a scale for each row, ternary and binary weights one for the matrix.
        shape
            (out_features, in_features).
        group_size
            Weights of a row that share a scale; a row that is shorter has one.
        shards
            Parts with a scale of their own.
        divided
            What they divide: ``out_features`` or ``in_features``.
        """
        rows, columns = shape
        if group_size:
            return cls(rows, columns // min(group_size, columns))
        if values in LARGEST_CODE:
            return cls(rows, shards if divided == "in_features" else 1)
        return cls(1, shards) if divided == "in_features" else cls(shards, 1)


def quantised_weights(weight: Tensor, values: WeightValues, blocks: Blocks) -> tuple[Tensor, Tensor]:
    """Return codes, and the scales that they are to be multiplied with.

    Parameters
    ----------
    weight
        Floats, shape (..., out_features, in_features): every matrix is quantised for itself.
    values
        ``ternary``: clip(round(W / mean|W|), −1, 1) times mean|W|. ``binary``: sign(W − mean W), sign(0) = −1, times
        mean|W|. ``int8`` and ``int4``: round(W Q / max|W|) times max|W| / Q, Q = 127 and 7. All of a block.
    blocks
        Of each matrix.

    Returns
    -------
    tuple of Tensor
        Codes, floats of the shape of `weight`; scales, shape (..., rows, 1, columns, 1) of the blocks, for codes in
        the shape (..., rows, out_features / rows, columns, in_features / columns).
    """
    *stack, rows, columns = weight.shape
    view = weight.reshape(*stack, blocks.rows, rows // blocks.rows, blocks.columns, columns // blocks.columns)
    if values in LARGEST_CODE:
        scale = view.abs().amax((-3, -1), keepdim=True).clamp_(min=EPSILON).div_(LARGEST_CODE[values])
        return (view / scale).round_().view(weight.shape), scale
    scale = view.abs().mean((-3, -1), keepdim=True).clamp_(min=EPSILON)
    if values == "binary":
        codes = torch.where(view > view.mean((-3, -1), keepdim=True), 1.0, -1.0)
    else:
        codes = (view * scale.reciprocal()).round_().clamp_(-1, 1)
    return codes.view(weight.shape), scale


def dequantised(codes: Tensor, scale: Tensor) -> Tensor:
    """Return codes times their scales, shape of `codes`.

    Parameters
    ----------
    codes, scale
        From `quantised_weights`.
    """
    rows, columns = scale.shape[-4], scale.shape[-2]
    *stack, n, k = codes.shape
    return (codes.view(*stack, rows, n // rows, columns, k // columns) * scale).view(codes.shape)


class _Weight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, values: WeightValues, blocks: Blocks) -> Tensor:  # noqa: ARG004
        return dequantised(*quantised_weights(weight, values, blocks))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # noqa: ARG004
        return gradients[0], None, None


def straight_through(weight: Tensor, values: WeightValues, blocks: Blocks) -> Tensor:
    """Return weights as inference has them, whose gradient goes to the latent ones unchanged.

    Parameters
    ----------
    weight
        Latent floats, shape (..., out_features, in_features).
    values, blocks
        As for `quantised_weights`; ``fp16`` weights are `weight` itself.
    """
    if values == "fp16":
        return weight
    result: Tensor = _Weight.apply(weight, values, blocks)
    return result


def rounded_activations(x: Tensor, values: ActivationValues, shards: int = 1) -> Tensor:
    """Return activations rounded to codes, times their scale: round(Q x / max|x|) max|x| / Q by token.

    Parameters
    ----------
    x
        Floats, shape (..., in_features).
    values
        ``int8`` has Q = 127, ``int4`` Q = 7; ``fp16`` activations are `x` itself.
    shards
        Parts of a token's features with a max|x| of their own.
    """
    if values == "fp16":
        return x
    view = x if shards == 1 else x.unflatten(-1, (shards, -1))
    scale = LARGEST_CODE[values] / largest_magnitude(view).clamp_(min=EPSILON)
    rounded = (view * scale).round_().div_(scale)  # |x| scale is Q at most, so there is nothing to clip
    return rounded if shards == 1 else rounded.flatten(-2)


def largest_magnitude(x: Tensor) -> Tensor:
    """Return max|x| over the last dimension, which becomes 1; without a tensor of all |x|.

    Parameters
    ----------
    x
        Floats.
    """
    return torch.maximum(x.amax(-1, keepdim=True), x.amin(-1, keepdim=True).neg_())


class _Activations(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: ActivationValues, shards: int) -> Tensor:  # noqa: ARG004
        return rounded_activations(x, values, shards)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # noqa: ARG004
        return gradients[0], None, None


def rounded(x: Tensor, values: ActivationValues, shards: int = 1) -> Tensor:
    """Return activations as `rounded_activations`, with straight-through gradients.

    Parameters
    ----------
    x, values, shards
        As for `rounded_activations`.
    """
    if values == "fp16":
        return x
    result: Tensor = _Activations.apply(x, values, shards)
    return result


class QuantisedLinear(nn.Module):
    """A linear layer without bias that trains through the quantisation of its weights and inputs.

    Parameters
    ----------
    in_features, out_features
        As of ``nn.Linear``; ``weight`` (out_features, in_features) is latent.
    values, activations
        Formats of the weights and of the inputs.
    group_size
        As for `Blocks.of`.
    shards, divided
        BitNet's group quantisation over so many parts of the out_features or in_features. Parts of the in_features
        have a scale of their own for the activations, too: what a part needs, it has, and no statistics are exchanged.
    """

    def __init__(
        self, in_features: int, out_features: int, values: WeightValues, activations: ActivationValues = "int8",
        group_size: int | None = None, shards: int = 1, divided: str = "out_features",
    ) -> None:  # fmt: skip
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        nn.init.normal_(self.weight, std=in_features**-0.5)
        self.values, self.activations = values, activations
        self.blocks = Blocks.of(values, (out_features, in_features), group_size, shards, divided)
        self.input_shards = shards if divided == "in_features" else 1

    def forward(self, x: Tensor) -> Tensor:
        """Return the product of the rounded activations (..., in_features) and weights: (..., out_features)."""
        weight = straight_through(self.weight, self.values, self.blocks)
        return nn.functional.linear(rounded(x, self.activations, self.input_shards), weight)
