"""FP16, BF16 and FP32 numbers as bits and back, and values rounded to them once.

NumPy has no BF16: its values are kept as float32, which holds them all.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bitjoule.sim.reference.checks import Float64s, check_choice

FloatFormat = Literal["fp16", "bf16", "fp32"]
Bits = NDArray[np.unsignedinteger[Any]]
_TYPES: dict[str, type[np.floating[Any]]] = {"fp16": np.float16, "bf16": np.float32, "fp32": np.float32}
_BF16_LEAST_EXPONENT, _BF16_FRACTION_BITS = -126, 7


def value_type(form: FloatFormat) -> np.dtype[Any]:
    """Return the NumPy type that holds a format's values: float16, or float32 also for BF16.

    Parameters
    ----------
    form
        The format.

    Raises
    ------
    ValueError
        There is no such format.
    """
    check_choice("form", form, FloatFormat)
    return np.dtype(_TYPES[form])


def rounded(values: Float64s, form: FloatFormat) -> NDArray[np.floating[Any]]:
    """Return values rounded to a format once, to nearest even; what is too large becomes infinite.

    Parameters
    ----------
    values
        float64, any shape.
    form
        The format.

    Raises
    ------
    ValueError
        There is no such format.
    """
    dtype = value_type(form)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if form == "bf16":
            _, exponent = np.frexp(values)
            last = np.ldexp(1.0, np.maximum(exponent - 1, _BF16_LEAST_EXPONENT) - _BF16_FRACTION_BITS)
            values = np.where(np.isfinite(values), np.rint(values / last) * last, values)
        return values.astype(dtype)


def to_bits(values: NDArray[np.floating[Any]], form: FloatFormat) -> Bits:
    """Return the bits of values: uint16 or uint32, any shape.

    Parameters
    ----------
    values
        Of `value_type`.
    form
        The format.

    Raises
    ------
    TypeError
        `values` is not of that type.
    ValueError
        There is no such format, or a value is none of it.
    """
    dtype = value_type(form)
    if not isinstance(values, np.ndarray) or values.dtype != dtype:
        actual = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise TypeError(f"values of {form} are {actual}, expected an array of {dtype}")
    bits = np.ascontiguousarray(values).view(f"u{dtype.itemsize}")
    if form != "bf16":
        return bits
    nan = np.isnan(values)
    if ((bits & 0xFFFF) * ~nan).any():
        raise ValueError("a value is no BF16 number: round it first")
    return (np.where(nan, bits | 1 << 22, bits) >> 16).astype(np.uint16)


def from_bits(bits: Bits, form: FloatFormat) -> NDArray[np.floating[Any]]:
    """Return the values of bits.

    Parameters
    ----------
    bits
        uint16 or uint32, any shape.
    form
        The format.

    Raises
    ------
    ValueError
        There is no such format.
    """
    dtype = value_type(form)
    wide = bits.astype(np.uint32) << 16 if form == "bf16" else bits.astype(f"u{dtype.itemsize}")
    return np.ascontiguousarray(wide).view(dtype)
