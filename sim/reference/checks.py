"""Checks of the NumPy layers' arguments, with the type or value that was expected."""

import operator
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
EPSILON = 1e-5  # the FAQ code's least mean|W| and max|x|; also the norms' default


def floats(name: str, values: ArrayLike) -> Float32s:
    """Return values as float32, in which they must be finite."""
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(f"{name} holds {array.dtype}, expected floats")
    with np.errstate(over="ignore"):  # becomes inf, refused below
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has values that are not finite in float32")
    return array


def tokens_of(x: ArrayLike) -> Float32s:
    """Return activations as float32, at least one feature each."""
    tokens = floats("x", x)
    if not tokens.ndim or not tokens.shape[-1]:
        raise ValueError(f"x has shape {tokens.shape}, expected (..., K) with at least one feature")
    return np.ascontiguousarray(tokens)


def grouped(values: NDArray[Any], groups: int) -> NDArray[Any]:
    """Return (..., groups, K / groups)."""
    size = values.shape[-1]
    check_groups(groups, size)
    return values.reshape(*values.shape[:-1], groups, size // groups)


def whole_number(name: str, value: int, lowest: int, highest: int) -> int:
    """Return a whole number within bounds."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected a whole number") from None
    if not lowest <= number <= highest:
        raise ValueError(f"{name} is {number}, expected {lowest} to {highest}")
    return number


def check_groups(groups: int, size: int) -> None:
    """Refuse groups that do not divide a dimension."""
    if size % whole_number("groups", groups, 1, max(size, 1)):
        raise ValueError(f"groups is {groups}, which does not divide {size}")


def check_choice(name: str, value: str, choices: object) -> None:
    """Refuse a name that is not one of a Literal's."""
    if value not in get_args(choices):
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(get_args(choices))}")


def check_array(name: str, values: NDArray[Any], dtype: type, shape: str, dimensions: int) -> None:
    """Refuse another type, dimension or an empty array."""
    if not isinstance(values, np.ndarray) or values.dtype != dtype:
        actual = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise TypeError(f"{name} holds {actual}, expected an array of {np.dtype(dtype)}")
    if values.ndim != dimensions or not values.size:
        raise ValueError(f"{name} has shape {values.shape}, expected {shape}, not empty")


def check_float16_matmul(x: NDArray[np.float16], w: NDArray[np.float16], lanes: int) -> None:
    """Refuse operands of an FP16 matmul that are no float16, or whose shapes do not fit, and no lanes."""
    for name, values in (("x", x), ("w", w)):
        if not isinstance(values, np.ndarray) or values.dtype != np.float16:
            raise TypeError(f"{name} holds {getattr(values, 'dtype', type(values).__name__)}, expected float16")
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[0]:
        raise ValueError(f"shapes {x.shape} and {w.shape} are not (M, K) and (K, N)")
    if lanes < 1:
        raise ValueError(f"lanes is {lanes}, expected at least 1")
