r"""The product of FP16 matrices as the fused array rounds it: a tile's products are aligned once and added exactly.

With e the exponent of a number (of a subnormal one and of zero that of the least normal one, -14) and E the largest sum
of two exponents in a tile, each exact product is rounded to a multiple of 2**(E - 23), halves upwards. Their sum is
exact, and rounded to FP32 once, to nearest even. So is its sum with the sum so far, which starts as +0.

**Error bound.** A product loses at most 2**(E - 24), and nothing if it is a multiple of 2**(E - 23). With d the dot
product of a tile of L lanes and d' the one returned::

    |d' - d| <= (1 + 2**-24) L 2**(E - 24) + 2**-24 |d|

As |x w| >= 2**E for the lane of E, unless that has a subnormal number or zero: L 2**-24 of the largest product and half
a last place. The sums of tiles are FP32 additions, with the usual bound of each.
"""

import numpy as np
from numpy.typing import NDArray

from bitjoule.sim.reference.checks import check_float16_matmul

_FRACTION_BITS, _BIAS = 10, 15
_GUARD_BITS = 3
_LEAST = 2 * (_BIAS + _FRACTION_BITS) + _GUARD_BITS  # 2**-_LEAST times a product's integers and exponent fields
_FARTHEST = 31  # a product shifted this far rounds to zero, whatever it is


def fused_matmul(x: NDArray[np.float16], w: NDArray[np.float16], lanes: int) -> NDArray[np.float32]:
    """Return the product of FP16 matrices as the fused array computes it, float32 of shape (M, N).

    Parameters
    ----------
    x
        float16, shape (M, K).
    w
        float16, shape (K, N).
    lanes
        Products that are aligned together.

    Raises
    ------
    TypeError
        An operand is not an array of float16.
    ValueError
        Shapes that do not fit, or no lanes.
    """
    check_float16_matmul(x, w, lanes)
    total = np.zeros((x.shape[0], w.shape[1]), np.float32)
    with np.errstate(all="ignore"):
        for first in range(0, x.shape[1], lanes):
            tile = slice(first, first + lanes)
            total = total + fused_dot(x[:, tile], w[tile])
    return total


def fused_dot(x: NDArray[np.float16], w: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return the dot products of one tile, float32 of shape (M, N).

    Parameters
    ----------
    x
        float16, shape (M, lanes).
    w
        float16, shape (lanes, N).
    """
    x_integer, x_exponent = _integer_and_exponent(x[:, :, np.newaxis])
    w_integer, w_exponent = _integer_and_exponent(w[np.newaxis])
    exponent = x_exponent + w_exponent
    largest = exponent.max(axis=1, keepdims=True)
    shift = np.minimum(largest - exponent, _FARTHEST)
    doubled = (x_integer * w_integer << (_GUARD_BITS + 1)) >> shift
    exact = ((doubled >> 1) + (doubled & 1)).sum(axis=1)
    # Fewer than 53 bits: float64 holds it, and the conversion rounds it once.
    finite = np.ldexp(exact.astype(np.float64), largest[:, 0] - _LEAST).astype(np.float32)
    with np.errstate(all="ignore"):
        special = ~np.isfinite(x[:, :, np.newaxis]) | ~np.isfinite(w[np.newaxis])
        # Infinities and NaN decide alone, and finite products change nothing about them.
        decided = np.where(special, x[:, :, np.newaxis].astype(np.float32) * w[np.newaxis], np.float32(0)).sum(axis=1)
    dots: NDArray[np.float32] = np.where(special.any(axis=1), decided, finite)
    return dots


def _integer_and_exponent(values: NDArray[np.float16]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the significand as a signed integer, and the exponent's field, at least one."""
    bits = np.ascontiguousarray(values).view(np.uint16).astype(np.int64)
    field, fraction = bits >> _FRACTION_BITS & 31, bits & 1023
    magnitude = np.where(field > 0, fraction | 1024, fraction)
    return np.where(bits >> 15, -magnitude, magnitude), np.maximum(field, 1)
