"""The exact product of integer matrices, at the speed of BLAS: the heart of every BitNet layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int8]
Integers = NDArray[np.integer[Any]]
IntegerMatmul = Callable[[Codes, Codes], Integers]
_FLOAT32_EXACT = 2**24  # every integer up to here is a float32
_FLOAT64_EXACT = 2**53
_INT32 = np.iinfo(np.int32)
_BLOCK_VALUES = 2**20  # weights turned to floats at a time: 4 MiB of float32 stay in the cache until they are used


def integer_matmul(x: Integers, w: Integers) -> NDArray[np.int32]:
    """Return the exact product of integer matrices: int32, shape (M, N).

    By way of floats, because NumPy multiplies integers without BLAS, many times slower. They are exact here: no partial
    sum, in whatever order and however fused, exceeds K max|x| max|w|, and every integer up to 2^24 is a float32, up to
    2^53 a float64.

    Parameters
    ----------
    x
        Any integer type, shape (M, K).
    w
        Any integer type, shape (K, N).

    Raises
    ------
    TypeError
        An operand is not integers (booleans are not).
    ValueError
        Shapes that do not fit, a product outside int32, or operands that could exceed 2^53 on the way.
    """
    check_integers("x", x)
    check_integers("w", w)
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[0]:
        raise ValueError(f"shapes {x.shape} and {w.shape} are not (M, K) and (K, N)")
    bound = x.shape[1] * largest_magnitude(x) * largest_magnitude(w)
    if bound > _FLOAT64_EXACT:
        raise ValueError(f"K max|x| max|w| = {bound} exceeds 2^53: the product may not be exact")
    dtype = np.float32 if bound <= _FLOAT32_EXACT else np.float64
    x_floats = x.astype(dtype)
    result = np.empty((x.shape[0], w.shape[1]), np.int32)
    columns = max(_BLOCK_VALUES // max(w.shape[0], 1), 1)
    for start in range(0, w.shape[1], columns):
        block = slice(start, start + columns)
        product = x_floats @ w[:, block].astype(dtype)
        if bound > _INT32.max and not _INT32.min <= product.min() <= product.max() <= _INT32.max:
            raise ValueError("the product does not fit int32")
        result[:, block] = product
    return result


def largest_magnitude(values: Integers) -> int:
    """Return the greatest magnitude, as Python's integer."""
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))  # Python's: −(−128) does not fit int8


def check_integers(name: str, values: Integers) -> None:
    """Refuse anything but an array of integers."""
    if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.integer):
        actual = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise TypeError(f"{name} holds {actual}, expected an array of integers")
