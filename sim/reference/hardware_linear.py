"""The BitLinear that `bitjoule.rtl.linear` builds, in NumPy, bit for bit: the same roundings in the same places.

Activations come and outputs go in FP16, BF16 or FP32. The codes are those of `absmax` (ternary weights) or
`absmax_binary` (±1): every operation in float32, rounded to nearest even. The integer product is exact. It is
multiplied by the product of both scales, which is rounded to float32, and rounded once to the format.

A token with a value that is infinite or not a number has only NaN in its outputs.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.sim.reference.float_formats import FloatFormat, rounded, to_bits, value_type
from bitjoule.sim.reference.matmul import IntegerMatmul, integer_matmul
from bitjoule.sim.reference.quantisation import QuantisedActivations, QuantisedWeights, absmax, absmax_binary

Floats = NDArray[np.floating[Any]]
EXACT_SUM_BITS = 29  # times a float32's 24 bits: 53, those of a float64


def hardware_bitlinear(
    x: Floats,
    weights: QuantisedWeights,
    form: FloatFormat = "fp16",
    activation_bits: int = 8,
    gain: Floats | None = None,
    epsilon: float = 1e-5,
    lanes: int = 1,
    matmul: IntegerMatmul = integer_matmul,
) -> Floats:
    """Return the outputs of the whole BitLinear as the hardware computes them.

    Against `bitjoule.sim.reference.bitlinear.bitlinear_quantised` without a norm, an output y differs by at most the
    format's last place: |difference| <= (2^-p + 2^-22) |y| + s, with p bits of significand (11, 8, 24) and s half the
    least subnormal number.

    Parameters
    ----------
    x
        Activations (M, K), of `bitjoule.sim.reference.float_formats.value_type`.
    weights
        Codes (K, N) with one scale.
    form
        Format of activations, gains and outputs.
    activation_bits
        2 to 8.
    gain
        With it, an RMSNorm runs first, `hardware_rms_norm`; (K,), of the same type as `x`.
    epsilon, lanes
        As for `hardware_rms_norm`.
    matmul
        What multiplies the codes.

    Returns
    -------
    array
        (M, N), of the same type as `x`.

    Raises
    ------
    TypeError
        `x` is not of the format's type.
    ValueError
        Shapes that do not fit, weights with several scales, or an unknown format.
    """
    to_bits(x, form)
    k = weights.codes.shape[0]
    if x.ndim != 2 or x.shape[1] != k:
        raise ValueError(f"x has shape {x.shape}; weights of shape {weights.codes.shape} need (M, {k})")
    if weights.groups != 1:
        raise ValueError(f"weights have {weights.groups} scales; the hardware takes one a command")
    if gain is not None:
        from bitjoule.sim.reference.hardware_norm import hardware_rms_norm

        x = hardware_rms_norm(x, gain, form, epsilon, lanes)
    finite = np.isfinite(x).all(axis=1, keepdims=True)
    activations = hardware_codes(np.where(finite, x, x.dtype.type(0)), weights.kind, activation_bits)
    product = matmul(activations.codes, weights.codes)
    scale = np.where(finite, activations.scale, np.float32(np.nan))
    return rescaled(product, scale, weights.scale[0], form)


def hardware_codes(x: Floats, kind: str, activation_bits: int = 8) -> QuantisedActivations:
    """Return the codes and scales of finite activations: those of the reference, bit for bit.

    Parameters
    ----------
    x
        Finite activations (M, K).
    kind
        Of the weights, ``ternary`` or ``binary``.
    activation_bits
        2 to 8.
    """
    return (absmax if kind == "ternary" else absmax_binary)(x, activation_bits)


def rescaled(
    product: NDArray[np.integer[Any]], scale: NDArray[np.float32], weight_scale: np.float32, form: FloatFormat
) -> Floats:
    """Return integer products times both scales: the scales' product is rounded to float32, the result to the format.

    Parameters
    ----------
    product
        (M, N), fewer than `EXACT_SUM_BITS` bits of magnitude.
    scale
        float32, of each token: (M, 1).
    weight_scale
        float32.
    form
        Format of the outputs.

    Raises
    ------
    ValueError
        A product is too large, or there is no such format.
    """
    if product.size and int(np.abs(product.astype(np.int64)).max()) >> EXACT_SUM_BITS:
        raise ValueError(f"a product has more than {EXACT_SUM_BITS} bits")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        factor = np.asarray(scale, np.float32) * np.float32(weight_scale)
        exact = product.astype(np.float64) * factor.astype(np.float64)
    return rounded(exact, form)


def canonical(values: Floats, form: FloatFormat) -> NDArray[np.unsignedinteger[Any]]:
    """Return the bits of outputs, those of NaN as the hardware writes them: quiet, without sign and payload.

    Parameters
    ----------
    values
        Of the format's type.
    form
        The format.
    """
    bits = to_bits(values, form)
    quiet = to_bits(np.full(1, np.nan, value_type(form)), form)[0]
    return np.where(np.isnan(values), quiet, bits)
