"""The NumPy reference of BitNet's layers, with which every simulated and every real result is compared.

**Weights are (in_features, out_features) = (K, N)**, as in ``Matmul(m, k, n)``: ``x (M, K) @ w (K, N) = y (M, N)``. A
torch ``nn.Linear`` keeps the transpose, (N, K): pass ``linear.weight.T``. The parts of a layer are in
`quantisation`, `norms` and `matmul`, and are exported here too.

References
----------
.. [1] Wang et al., "BitNet: Scaling 1-bit Transformers for Large Language Models", arXiv:2310.11453, section 2.1.
.. [2] Ma et al., "The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits", arXiv:2402.17764, section 2.
.. [3] Microsoft, "The Era of 1-bit LLMs: Training Tips, Code and FAQ", 2024.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from bitjoule.sim.reference.checks import Float32s, Float64s, check_choice, floats
from bitjoule.sim.reference.matmul import IntegerMatmul, check_integers, integer_matmul
from bitjoule.sim.reference.norms import rms_norm, sub_ln
from bitjoule.sim.reference.quantisation import (
    Kind,
    Partition,
    QuantisedActivations,
    QuantisedWeights,
    absmax,
    absmax_binary,
    absmean_ternary,
    sign_binary,
)

__all__ = [
    "QuantisedActivations",
    "QuantisedWeights",
    "absmax",
    "absmax_binary",
    "absmean_ternary",
    "bitlinear",
    "bitlinear_quantised",
    "grouped_bitlinear",
    "integer_matmul",
    "rms_norm",
    "sign_binary",
    "sub_ln",
]

Norm = Literal["default", "rms_norm", "sub_ln", "none"]


def bitlinear(
    x: ArrayLike,
    w: ArrayLike,
    kind: Kind = "ternary",
    activation_bits: int = 8,
    norm: Norm = "default",
    gain: ArrayLike | None = None,
    groups: int = 1,
    partition: Partition = "out_features",
    matmul: IntegerMatmul = integer_matmul,
) -> Float32s:
    """Run a BitLinear layer from float weights: norm, quantise, integer matmul, rescale. No bias.

    Parameters
    ----------
    x
        Floats, shape (M, K): one token a row.
    w
        Floats, shape (K, N) = (in_features, out_features): the transpose of torch's ``nn.Linear.weight``.
    kind
        ``ternary``: `absmean_ternary` (b1.58); ``binary``: `sign_binary` (BitNet).
    activation_bits, norm, gain, matmul
        As for `bitlinear_quantised`.
    groups, partition
        As for `absmean_ternary`.

    Returns
    -------
    y
        float32, shape (M, N).

    Raises
    ------
    TypeError
        `x`, `w` or `gain` is not floats, or a whole number is none.
    ValueError
        Shapes that do not fit, values that are not finite, an unknown name, bits out of range, or groups that
        do not divide.
    """
    check_choice("kind", kind, Kind)
    quantise = absmean_ternary if kind == "ternary" else sign_binary
    return bitlinear_quantised(x, quantise(w, groups, partition), activation_bits, norm, gain, matmul)


def bitlinear_quantised(
    x: ArrayLike,
    weights: QuantisedWeights,
    activation_bits: int = 8,
    norm: Norm = "default",
    gain: ArrayLike | None = None,
    matmul: IntegerMatmul = integer_matmul,
) -> Float32s:
    """Run a BitLinear layer from quantised weights: y = codes(norm(x)) @ codes(W), times both scales.

    Wang et al. 2023, section 2.1; Ma et al. 2024, section 2. Groups that divide the out_features share the activations
    and lie side by side in y. Groups that divide the in_features have their own norm and activation scale, too; their
    outputs are added up.

    Parameters
    ----------
    x
        Floats, shape (M, K): one token a row.
    weights
        Shape (K, N). Ternary weights take activations by `absmax`, binary ones by `absmax_binary`.
    activation_bits
        1 to 8; 2 to 8 with binary weights.
    norm
        ``default``: `rms_norm` before ternary and `sub_ln` before binary weights. ``none`` if a norm outside the layer
        has run already.
    gain
        Of the norm; floats, shape (K,).
    matmul
        What multiplies int8 codes (M, K) by int8 codes (K, N), integers out: put hardware in here. It is called once,
        or once a group of in_features.

    Returns
    -------
    y
        float32, shape (M, N), from the integer product in float64.

    Raises
    ------
    TypeError
        `x` or `gain` is not floats, `activation_bits` is no whole number, or `matmul` returned no integers.
    ValueError
        Shapes that do not fit, values that are not finite, an unknown name, bits out of range, or a gain
        without a norm.
    """
    tokens = floats("x", x)
    k, n = weights.codes.shape
    if tokens.ndim != 2 or tokens.shape[1] != k:
        raise ValueError(f"x has shape {tokens.shape}; weights of shape (K, N) = {(k, n)} need (M, {k})")
    groups = weights.groups if weights.partition == "in_features" else 1
    normed = _apply_norm(tokens, norm, weights.kind, gain, groups)
    quantise = absmax if weights.kind == "ternary" else absmax_binary
    activations = quantise(normed, activation_bits, groups)
    y = np.zeros((len(tokens), n))
    for group, (rows, weight_scale) in enumerate(_row_shards(weights)):
        product = matmul(activations.codes[:, rows], weights.codes[rows])
        check_integers("the product", product)
        if product.shape != y.shape:
            raise ValueError(f"matmul returned shape {product.shape}, expected {y.shape}")
        y += product * (activations.scale[:, group : group + 1] * weight_scale)
    return y.astype(np.float32)


def grouped_bitlinear(
    x: ArrayLike, groups: Sequence[QuantisedWeights], matmuls: Sequence[IntegerMatmul], activation_bits: int = 8
) -> Float32s:
    """Run a BitLinear layer without a norm whose weights have scales for groups of in_features, too.

    Unlike `bitlinear_quantised` with groups that divide the in_features, all groups share the activations' codes and
    scale: y = s(x) (Σ codes(x)[g] @ codes(W)[g] s(W)[g]), so that an integer product is needed for each group.

    Parameters
    ----------
    x
        Floats, shape (M, K): one token a row.
    groups
        Weights of shape (K / G, N) each, in the order of the in_features, with scales of their outputs; one kind.
    matmuls
        For each group: what multiplies its int8 codes.
    activation_bits
        As for `bitlinear_quantised`.

    Returns
    -------
    y
        float32, shape (M, N), from the integer products in float64.

    Raises
    ------
    TypeError
        As `bitlinear_quantised`.
    ValueError
        As `bitlinear_quantised`, or a group's scales divide its in_features.
    """
    if len(groups) == 1:
        return bitlinear_quantised(x, groups[0], activation_bits, norm="none", matmul=matmuls[0])
    tokens = floats("x", x)
    k, n = sum(group.codes.shape[0] for group in groups), groups[0].codes.shape[1]
    if tokens.ndim != 2 or tokens.shape[1] != k:
        raise ValueError(f"x has shape {tokens.shape}; weights of shape (K, N) = {(k, n)} need (M, {k})")
    activations = (absmax if groups[0].kind == "ternary" else absmax_binary)(tokens, activation_bits)
    y = np.zeros((len(tokens), n))
    start = 0
    for group, matmul in zip(groups, matmuls, strict=True):
        stop = start + group.codes.shape[0]
        if group.partition != "out_features":
            raise ValueError("scales of a group divide its in_features, expected its out_features")
        product = matmul(np.ascontiguousarray(activations.codes[:, start:stop]), group.codes)
        check_integers("the product", product)
        y += product * np.repeat(group.scale.astype(np.float64), n // group.groups)
        start = stop
    return (y * activations.scale).astype(np.float32)


def _row_shards(weights: QuantisedWeights) -> Iterator[tuple[slice, Float64s]]:
    """Yield the rows of each group of in_features and their scale, which broadcasts over (M, N)."""
    k, n = weights.codes.shape
    scale = weights.scale.astype(np.float64)
    if weights.partition == "out_features":
        yield slice(0, k), np.repeat(scale, n // weights.groups)
        return
    size = k // weights.groups
    for group in range(weights.groups):
        yield slice(group * size, (group + 1) * size), scale[group : group + 1]


def _apply_norm(x: Float32s, norm: Norm, kind: Kind, gain: ArrayLike | None, groups: int) -> Float32s:
    check_choice("norm", norm, Norm)
    if norm == "none":
        if gain is not None:
            raise ValueError("gain belongs to a norm, and norm is 'none'")
        return x
    centred = norm == "sub_ln" or (norm == "default" and kind == "binary")
    return (sub_ln if centred else rms_norm)(x, gain, groups)
