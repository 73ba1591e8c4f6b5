r"""The product of FP16 matrices as a rounding tree computes it: every sum in a stated order, one rounding each.

The lanes' products are added in a binary tree: neighbours, level by level, a last one without a neighbour as it is.
The tree's sum is then added to the sum so far, which starts as +0::

    p0   p1   p2   p3   p4       lanes 5
     \ + /     \ + /    |
      s0        s1      p4
        \__ + __/       |
             s2         p4
              \__ + ____/        sum so far + that

With ``fp32`` a product is exact, and sums are rounded to FP32; with ``fp16`` both are rounded to FP16. Rounding is to
nearest even, subnormals are kept. A K that fills no whole tile is padded with +0 times +0; as sums start as +0, no
result is ever -0, and padding changes none.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitjoule.sim.reference.checks import check_float16_matmul

Accumulation = Literal["fp32", "fp16"]
Floats = NDArray[np.floating[Any]]


def float_matmul(
    x: NDArray[np.float16], w: NDArray[np.float16], lanes: int, accumulation: str = "fp32"
) -> NDArray[Any]:
    """Return the product of FP16 matrices in the hardware's order of additions: float32 or float16, shape (M, N).

    Parameters
    ----------
    x
        float16, shape (M, K).
    w
        float16, shape (K, N).
    lanes
        Products that are added in one tree.
    accumulation
        ``fp32`` or ``fp16``.

    Raises
    ------
    TypeError
        An operand is not an array of float16.
    ValueError
        Shapes that do not fit, no lanes, or an unknown accumulation.
    """
    check_float16_matmul(x, w, lanes)
    if accumulation not in ("fp32", "fp16"):
        raise ValueError(f"accumulation is {accumulation!r}, expected fp32 or fp16")
    dtype = np.float32 if accumulation == "fp32" else np.float16
    total = np.zeros((x.shape[0], w.shape[1]), dtype)
    with np.errstate(all="ignore"):
        for first in range(0, x.shape[1], lanes):
            tile = slice(first, first + lanes)
            products = x[:, tile, np.newaxis].astype(dtype) * w[np.newaxis, tile].astype(dtype)
            missing = lanes - products.shape[1]
            total = total + tree_sum(np.pad(products, ((0, 0), (0, missing), (0, 0))).swapaxes(0, 1))
    return total


def tree_sum(terms: Floats) -> Floats:
    """Return the sum over the first axis: neighbours, level by level, a last one without a neighbour as it is.

    Parameters
    ----------
    terms
        At least one.
    """
    while len(terms) > 1:
        pairs = terms[:-1:2] + terms[1::2]
        terms = np.concatenate([pairs, terms[-1:]]) if len(terms) % 2 else pairs
    total: Floats = terms[0]
    return total


def canonical_bits(values: Floats) -> NDArray[np.unsignedinteger[Any]]:
    """Return the bits of floats, of each NaN those of the one that the hardware gives: positive, quiet, no payload.

    Parameters
    ----------
    values
        float16 or float32.
    """
    bits: NDArray[np.unsignedinteger[Any]] = np.where(np.isnan(values), np.array(np.nan, values.dtype), values).view(
        f"u{values.dtype.itemsize}"
    )
    return bits
