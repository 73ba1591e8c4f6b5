r"""The product of FP16 activations and scaled trits as the hardware rounds it: activations are aligned, sums exact.

A weight is a trit times the scale, FP16, of its group of 128 along K and its column. With e the exponent of an
activation (of a subnormal number and of zero that of the least normal one, -14) and E the largest of a token in a tile,
each activation is rounded to a multiple of 2**(E - 23), halfway ones away from zero. The sum of trit times activation
is exact, and so is its product with the scale; that is rounded to FP32 once, to nearest even. So is its sum with the
sum so far, which starts as +0. A group is one tile or several, each of which is multiplied by the scale.

**Error bound.** An activation loses at most 2**(E - 24), and nothing if e >= E - 13 (a number of 11 bits that begins
no further below ends in the window). With s the scale, P the number of other activations whose trit is not zero, d the
dot product of a tile and d' the one returned::

    |d' - d| <= (1 + 2**-24) s P 2**(E - 24) + 2**-24 |d|

That is 2**-24 of the largest activation for each of those, and half a last place. The sums of tiles are FP32 additions,
with the usual bound of each.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.sim.reference.checks import check_float16_matmul

GROUP = 128
_FRACTION_BITS, _BIAS = 10, 15
_GUARD_BITS = 13
_LEAST = 2 * (_BIAS + _FRACTION_BITS) + _GUARD_BITS  # 2**-_LEAST times integers and the sum of both exponent fields


def scaled_matmul(
    x: NDArray[np.float16], trits: NDArray[np.int8], scales: NDArray[np.float16], lanes: int, group: int = GROUP
) -> NDArray[np.float32]:
    """Return the product as the array computes it, float32 of shape (M, N).

    Parameters
    ----------
    x
        float16, shape (M, K).
    trits
        int8, shape (K, N).
    scales
        float16, one row for each group of K that is begun, N columns.
    lanes
        Activations that are aligned together.
    group
        Weights along K that share a scale: a multiple of `lanes`.

    Raises
    ------
    TypeError
        Activations or scales are not float16.
    ValueError
        Shapes that do not fit, weights that are not trits, or lanes that do not divide a group.
    """
    weights = scaled_weights(trits, scales, group)
    check_float16_matmul(x, weights, lanes)
    if group % lanes:
        raise ValueError(f"lanes is {lanes}, which does not divide a group of {group}")
    total = np.zeros((x.shape[0], trits.shape[1]), np.float32)
    with np.errstate(all="ignore"):
        for first in range(0, x.shape[1], lanes):
            tile = slice(first, first + lanes)
            total = total + scaled_dot(x[:, tile], trits[tile], scales[first // group])
    return total


def scaled_dot(x: NDArray[np.float16], trits: NDArray[np.int8], scales: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return the scaled dot products of one tile, float32 of shape (M, N).

    They are NaN where an activation, whatever its trit, or the scale is infinite or NaN.

    Parameters
    ----------
    x
        float16, shape (M, lanes).
    trits
        int8, shape (lanes, N).
    scales
        float16, shape (N,).
    """
    magnitude, field = _magnitude_and_field(x)
    largest = field.max(axis=1, keepdims=True)
    doubled = (magnitude << (_GUARD_BITS + 1)) >> (largest - field)
    rounded = (doubled >> 1) + (doubled & 1)
    integers = np.where(np.signbit(x), -rounded, rounded)
    scale, scale_field = _magnitude_and_field(scales)
    exact = (integers @ trits.astype(np.int64)) * np.where(np.signbit(scales), -scale, scale)
    # At most 43 bits with up to 128 lanes: float64 holds it, and the conversion rounds it once.
    finite = np.ldexp(exact.astype(np.float64), largest + scale_field - _LEAST).astype(np.float32)
    special = ~np.isfinite(x).all(axis=1, keepdims=True) | ~np.isfinite(scales)
    dots: NDArray[np.float32] = np.where(special, np.float32(np.nan), finite)
    return dots


def scaled_weights(trits: NDArray[Any], scales: NDArray[np.float16], group: int = GROUP) -> NDArray[np.float16]:
    """Return trits times scales, exactly: float16 of shape (K, N). -1 times 0 is -0.

    Parameters
    ----------
    trits
        Integers, shape (K, N).
    scales
        float16, one row for each group of K that is begun, N columns.
    group
        Weights along K that share a scale.

    Raises
    ------
    TypeError
        Scales are not float16.
    ValueError
        Shapes that do not fit, weights that are not trits, or no positive group.
    """
    if not isinstance(scales, np.ndarray) or scales.dtype != np.float16:
        raise TypeError(f"scales holds {getattr(scales, 'dtype', type(scales).__name__)}, expected float16")
    if group < 1:
        raise ValueError(f"group is {group}, expected at least 1")
    if trits.ndim != 2 or scales.shape != (-(-trits.shape[0] // group), trits.shape[1]):
        raise ValueError(f"shapes {trits.shape} and {scales.shape} are not (K, N) and (ceil(K / {group}), N)")
    if trits.size and not np.isin(trits, (-1, 0, 1)).all():
        raise ValueError("a weight is not -1, 0 or +1")
    each = np.repeat(scales, group, axis=0)[: len(trits)]
    weights: NDArray[np.float16] = np.where(trits, np.where(trits < 0, -each, each), np.float16(0))
    return weights


def _magnitude_and_field(values: NDArray[np.float16]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the significand as an integer, and the exponent's field, at least one."""
    bits = np.ascontiguousarray(values).view(np.uint16).astype(np.int64)
    field, fraction = bits >> _FRACTION_BITS & 31, bits & 1023
    return np.where(field > 0, fraction | 1024, fraction), np.maximum(field, 1)
