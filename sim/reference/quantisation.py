"""Weights as trits or signs, activations as small integers, as BitNet and BitNet b1.58 quantise them.

**Weights are (in_features, out_features) = (K, N)**, as in ``Matmul(m, k, n)``: ``x (M, K) @ w (K, N) = y (M, N)``. A
torch ``nn.Linear`` keeps the transpose, (N, K): pass ``linear.weight.T``.

**Codes times scale give back what was quantised**, of weights and activations alike. Some implementations keep the
reciprocal, 127 / max|x|, and divide by it.

Floats come in as any NumPy floating type, are taken as float32 and leave as float32. Codes are int8, integer products
int32. Sums over floats run in float64, so that the order of the terms does not show in a mean; the codes themselves are
found with the float32 operations of Microsoft's published code [3]_, to agree with it at ties. Rounding is to nearest,
half to even.

A group is one shard of a matrix or of a token's features, with statistics of its own: a model-parallel shard quantises
without asking the others ([1]_, "Model parallelism with Group Quantization and Normalization").

References
----------
.. [1] Wang et al., "BitNet: Scaling 1-bit Transformers for Large Language Models", arXiv:2310.11453, section 2.1.
.. [2] Ma et al., "The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits", arXiv:2402.17764, section 2.
.. [3] Microsoft, "The Era of 1-bit LLMs: Training Tips, Code and FAQ", 2024.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from bitjoule.sim.reference.checks import (
    EPSILON,
    Float32s,
    check_array,
    check_choice,
    check_groups,
    floats,
    grouped,
    tokens_of,
    whole_number,
)
from bitjoule.sim.reference.matmul import Codes, largest_magnitude

ShardQuantiser = Callable[[Float32s], tuple[Codes, np.float32]]
Kind = Literal["ternary", "binary"]
Partition = Literal["in_features", "out_features"]


@dataclass(frozen=True, eq=False)
class QuantisedWeights:
    """A weight matrix as int8 codes; construction checks it, so codes from a checkpoint may be put in by hand.

    Parameters
    ----------
    codes
        int8, shape (K, N) = (in_features, out_features): trits, or ±1 for binary.
    scale
        float32, shape (groups,): mean|W| of each group. Codes times scale approximate the weights.
    kind
        ``ternary`` or ``binary``.
    partition
        The dimension that the groups divide, evenly and in order.

    Raises
    ------
    TypeError
        `codes` is not int8 or `scale` not float32.
    ValueError
        Wrong shapes, codes other than the kind's, a scale that is negative or not finite, groups that do not divide.
    """

    codes: Codes
    scale: Float32s
    kind: Kind = "ternary"
    partition: Partition = "out_features"

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, Kind)
        check_choice("partition", self.partition, Partition)
        check_array("codes", self.codes, np.int8, "(K, N)", 2)
        check_array("scale", self.scale, np.float32, "(groups,)", 1)
        if largest_magnitude(self.codes) > 1 or (self.kind == "binary" and not self.codes.all()):
            allowed = "-1 and 1" if self.kind == "binary" else "-1, 0 and 1"
            raise ValueError(f"codes of {self.kind} weights are {allowed}")
        if not (np.isfinite(self.scale).all() and (self.scale >= 0).all()):
            raise ValueError("scale must be finite and not negative")
        check_groups(self.groups, self.codes.shape[_axis(self.partition)])

    @property
    def groups(self) -> int:
        """How many shards have a scale of their own."""
        return len(self.scale)

    def dequantised(self) -> Float32s:
        """Return codes times scale: float32, shape (K, N)."""
        size = self.codes.shape[_axis(self.partition)] // self.groups
        scale = np.repeat(self.scale, size)
        return self.codes * (scale if self.partition == "out_features" else scale[:, np.newaxis])


@dataclass(frozen=True, eq=False)
class QuantisedActivations:
    """Activations as integer codes, a scale for each token and group.

    Parameters
    ----------
    codes
        int8, shape (..., K).
    scale
        float32, shape (..., groups): codes times scale, plus `offset`, approximate the activations.
    offset
        float32, shape (..., groups): what was subtracted before quantising; zeros unless the inputs were shifted.
    """

    codes: Codes
    scale: Float32s
    offset: Float32s

    @property
    def groups(self) -> int:
        """How many shards of a token have a scale of their own."""
        return int(self.scale.shape[-1])

    def dequantised(self) -> Float32s:
        """Return codes times scale plus offset: float32, shape (..., K)."""
        values = grouped(self.codes, self.groups) * self.scale[..., np.newaxis] + self.offset[..., np.newaxis]
        return values.reshape(self.codes.shape)


def absmean_ternary(w: ArrayLike, groups: int = 1, partition: Partition = "out_features") -> QuantisedWeights:
    """Quantise weights to trits: clip(round(W / mean|W|), −1, 1).

    Ma et al. 2024, eq. 1–3, as the FAQ code has it: mean|W| is clamped at 1e-5 where the paper adds ε, and W is
    multiplied by the float32 reciprocal.

    Parameters
    ----------
    w
        Floats, shape (K, N) = (in_features, out_features).
    groups
        Shards with a scale of their own.
    partition
        The dimension that they divide.

    Raises
    ------
    TypeError
        `w` is not floats, or `groups` no whole number.
    ValueError
        `w` is not two-dimensional, empty or not finite in float32, or `groups` does not divide.
    """
    return _quantise_shards(w, groups, partition, "ternary", _ternary_shard)


def sign_binary(w: ArrayLike, groups: int = 1, partition: Partition = "out_features") -> QuantisedWeights:
    """Quantise weights to ±1: sign(W − mean W) with sign(0) = −1, and scale β = mean|W|.

    Wang et al. 2023, eq. 1–3, section 2.1 for β. The codes of a constant matrix are all −1.

    Parameters
    ----------
    w
        Floats, shape (K, N) = (in_features, out_features).
    groups
        Shards with a mean and a scale of their own.
    partition
        The dimension that they divide.

    Raises
    ------
    TypeError
        `w` is not floats, or `groups` no whole number.
    ValueError
        `w` is not two-dimensional, empty or not finite in float32, or `groups` does not divide.
    """
    return _quantise_shards(w, groups, partition, "binary", _binary_shard)


def absmax(x: ArrayLike, bits: int = 8, groups: int = 1) -> QuantisedActivations:
    """Quantise activations by token as b1.58 does: clip(round(Q x / max|x|), −2^(bits−1), 2^(bits−1) − 1).

    Q = 2^(bits−1) − 1, 127 for 8 bits. One bit of two's complement holds −1 and 0: there Q is 1 and what is positive
    becomes 0. max|x| is clamped at 1e-5. Ma et al. 2024, section 2, and the FAQ code.

    Parameters
    ----------
    x
        Floats, shape (..., K): one token a row.
    bits
        1 to 8.
    groups
        Shards of a token's features with a scale of their own.

    Raises
    ------
    TypeError
        `x` is not floats, or `bits` or `groups` no whole number.
    ValueError
        `x` has no feature or is not finite in float32, `bits` is not 1 to 8, or `groups` does not divide.
    """
    bits = whole_number("bits", bits, 1, 8)
    top = 2 ** (bits - 1) - 1
    return _quantise_tokens(x, groups, steps=max(top, 1), lowest=-(2 ** (bits - 1)), highest=top, shifted=False)


def absmax_binary(x: ArrayLike, bits: int = 8, groups: int = 1, shifted: bool = False) -> QuantisedActivations:
    """Quantise activations by token as the binary BitNet does: clip(x Q / γ, −Q + ε, Q − ε).

    Q = 2^(bits−1), γ = max|x|, clamped at 1e-5. Wang et al. 2023, eq. 4–6.

    The paper's codes are real numbers; adders need integers. They are rounded here, and ε, which keeps Q itself from
    overflowing `bits` bits, becomes a clip of the rounded codes to |code| ≤ Q − 1. So one bit has no code but 0 and
    is refused.

    Parameters
    ----------
    x
        Floats, shape (..., K): one token a row.
    bits
        2 to 8.
    groups
        Shards of a token's features with statistics of their own.
    shifted
        For the input of a non-linear function (eq. 6): subtract each token's least value first, the `offset`. γ is
        taken after that: of the values as they were, it would not bound them to the range [0, Q] that eq. 6 is for.

    Raises
    ------
    TypeError
        `x` is not floats, or `bits` or `groups` no whole number.
    ValueError
        `x` has no feature or is not finite in float32, `bits` is not 2 to 8, or `groups` does not divide.
    """
    steps = 2 ** (whole_number("bits", bits, 2, 8) - 1)
    return _quantise_tokens(x, groups, steps=steps, lowest=1 - steps, highest=steps - 1, shifted=shifted)


def _quantise_shards(
    w: ArrayLike,
    groups: int,
    partition: Partition,
    kind: Kind,
    quantise: ShardQuantiser,
) -> QuantisedWeights:
    """Quantise each shard as if it stood alone."""
    check_choice("partition", partition, Partition)
    weights = floats("w", w)
    if weights.ndim != 2 or not weights.size:
        raise ValueError(f"w has shape {weights.shape}, expected (K, N), not empty")
    axis = _axis(partition)
    check_groups(groups, weights.shape[axis])
    shards = [quantise(np.ascontiguousarray(shard)) for shard in np.split(weights, groups, axis)]
    codes = shards[0][0] if groups == 1 else np.concatenate([codes for codes, _ in shards], axis)
    return QuantisedWeights(codes, np.array([scale for _, scale in shards], np.float32), kind, partition)


def _ternary_shard(w: Float32s) -> tuple[Codes, np.float32]:
    scale = np.maximum(_absmean(w), np.float32(EPSILON))
    values = w * (np.float32(1) / scale)
    np.rint(values, out=values)
    np.clip(values, -1, 1, out=values)
    return values.astype(np.int8), scale


def _binary_shard(w: Float32s) -> tuple[Codes, np.float32]:
    above = w > w.mean(dtype=np.float64)
    codes = above.astype(np.int8)
    codes *= 2
    codes -= 1
    return codes, _absmean(w)


def _absmean(w: Float32s) -> np.float32:
    return np.float32(np.abs(w).mean(dtype=np.float64))


def _quantise_tokens(
    x: ArrayLike, groups: int, steps: int, lowest: int, highest: int, shifted: bool
) -> QuantisedActivations:
    """Quantise so that the greatest magnitude of a token is `steps` before the clip."""
    tokens = tokens_of(x)
    values = grouped(tokens, groups)
    offset = np.zeros((*values.shape[:-1], 1), np.float32)
    if shifted:
        offset = values.min(axis=-1, keepdims=True)
        values = floats("x minus its minimum", values.astype(np.float64) - offset)
    largest = np.maximum(np.abs(values).max(axis=-1, keepdims=True), np.float32(EPSILON))
    # the published code's 127 / max|x| is, to torch, the reciprocal times 127: one rounding more, which ties show
    codes = np.rint(values * (np.float32(1) / largest * np.float32(steps)))
    np.clip(codes, lowest, highest, out=codes)
    scale = largest / np.float32(steps)
    return QuantisedActivations(codes.astype(np.int8).reshape(tokens.shape), scale[..., 0], offset[..., 0])


def _axis(partition: Partition) -> int:
    return 0 if partition == "in_features" else 1
