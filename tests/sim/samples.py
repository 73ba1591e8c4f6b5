"""What the tests of the reference share: operands, and exact arithmetic beside them."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from bitjoule.sim.reference.quantisation import absmean_ternary, sign_binary

BITS = range(1, 9)


QUANTISE_WEIGHTS = (absmean_ternary, sign_binary)


PARTITIONS = ("in_features", "out_features")


FLOAT32_ULP = 2.0**-23


def floats(largest: float = 1e3, least: float = 1e-3) -> st.SearchStrategy[float]:
    """Zero, or float32 values well above the clamp at 1e-5."""
    largest, least = float(np.float32(largest)), float(np.float32(least))
    return st.just(0.0) | st.floats(least, largest, width=32) | st.floats(-largest, -least, width=32)


def matrices(
    rows: int = 6, columns: int = 6, elements: st.SearchStrategy[float] | None = None
) -> st.SearchStrategy[Any]:
    shapes = st.tuples(st.integers(1, rows), st.integers(1, columns))
    return arrays.arrays(np.float32, shapes, elements=elements if elements is not None else floats())


@st.composite
def grouped(draw: st.DrawFn) -> tuple[NDArray[np.float32], int]:
    """A matrix whose both sides a number of groups divides."""
    groups = draw(st.integers(1, 4))
    shape = tuple(groups * draw(st.integers(1, 3)) for _ in range(2))
    return draw(arrays.arrays(np.float32, shape, elements=floats())), groups


def fractions(values: NDArray[Any]) -> list[Fraction]:
    return [Fraction(float(value)) for value in values.ravel()]


def agrees_unless_at_a_tie(code: int, exact: Fraction, lowest: int, highest: int) -> bool:
    """Whether a code is the exact value rounded half to even; float32 may go either way next to a tie."""
    near_tie = abs(abs(exact) % 1 - Fraction(1, 2)) <= abs(exact) * Fraction(2 * FLOAT32_ULP)
    allowed = {round(exact), math.floor(exact), math.ceil(exact)} if near_tie else {round(exact)}
    return code in {min(max(value, lowest), highest) for value in allowed}


ONES = np.ones((4, 6), np.float32)


TRITS = np.ones((4, 6), np.int8)


ONE = np.ones(1, np.float32)
