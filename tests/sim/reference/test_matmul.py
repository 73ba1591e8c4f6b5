"""The integer product against 64-bit integers, at the bounds of exactness."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bitjoule.sim.reference.matmul import integer_matmul


@settings(deadline=None)
@given(st.data())
def test_integer_matmul_equals_the_product_in_64_bit_integers(data: st.DataObject) -> None:
    m, k, n = (data.draw(st.integers(0, 7)) for _ in range(3))
    dtypes = st.sampled_from([np.int8, np.uint8, np.int16, np.int32, np.int64])
    elements = st.integers(0, 127) | st.integers(-128, 127)
    x, w = (data.draw(arrays.arrays(np.int64, shape, elements=elements)) for shape in ((m, k), (k, n)))
    x_type, w_type = (
        np.int8 if (a < 0).any() and t is np.uint8 else t for a, t in ((x, data.draw(dtypes)), (w, data.draw(dtypes)))
    )
    product = integer_matmul(x.astype(x_type), w.astype(w_type))
    assert product.dtype == np.int32
    np.testing.assert_array_equal(product, x @ w)


@pytest.mark.parametrize(
    ("k", "a", "b", "dtype"),
    [
        (2**17, -128, -1, np.int8),  # 2^24: the last bound that float32 holds
        (2**8, -(2**8), 2**8, np.int16),
        (97, 257, 673, np.int16),  # 2^24 + 1, which float32 cannot hold
        (97, 257, -673, np.int16),
        (132105, 127, 1, np.int8),  # 2^24 + 119
        (2560, -128, -128, np.int8),
        (2**20 + 1, 16, -1, np.int8),  # more rows than a block has values
        (2**16 - 1, 2**8, 127, np.int16),  # 2^31 − 2^24 − 2^15 + 2^8
    ],
)
def test_integer_matmul_is_exact_at_the_bounds_of_float32(k: int, a: int, b: int, dtype: type) -> None:
    x, w = np.full((2, k), a, dtype), np.full((k, 3), b, dtype)
    np.testing.assert_array_equal(integer_matmul(x, w), np.full((2, 3), k * a * b))


def test_integer_matmul_is_exact_at_the_bound_of_float64() -> None:
    x, w = np.array([[2**30, 2**30 - 1]]), np.array([[2**22], [-(2**22)]])  # K max|x| max|w| = 2^53
    assert integer_matmul(x, w).item() == 2**22


def test_integer_matmul_refuses_what_may_exceed_float64() -> None:
    x, w = np.array([[2**30, 2**30 + 1]]), np.array([[2**22], [-(2**22)]])
    with pytest.raises(ValueError, match="exceeds 2\\^53"):
        integer_matmul(x, w)


@pytest.mark.parametrize("extreme", [-(2**31), 2**31 - 1])
def test_integer_matmul_fills_int32_and_no_more(extreme: int) -> None:
    one = np.ones((1, 1), np.int8)
    assert integer_matmul(np.array([[extreme]]), one).item() == extreme
    with pytest.raises(ValueError, match="int32"):
        integer_matmul(np.array([[extreme + (1 if extreme > 0 else -1)]]), one)


@pytest.mark.parametrize("n", [255, 256, 257, 600])
@pytest.mark.parametrize("order", ["C", "F"])
def test_integer_matmul_does_not_depend_on_blocks_or_layout(n: int, order: Any) -> None:
    rng = np.random.default_rng(n)
    x = rng.integers(-128, 128, (3, 4096), np.int8)  # 4096 rows: 256 columns a block
    w = rng.integers(-1, 2, (4096, n), np.int8)
    np.testing.assert_array_equal(
        integer_matmul(x, np.asarray(w, order=order)), x.astype(np.int64) @ w.astype(np.int64)
    )


@pytest.mark.parametrize(
    ("x", "w", "error"),
    [
        (np.ones((2, 3), np.float32), np.ones((3, 2), np.int8), TypeError),
        (np.ones((2, 3), np.int8), np.ones((3, 2)), TypeError),
        (np.ones((2, 3), bool), np.ones((3, 2), np.int8), TypeError),
        ([[1]], np.ones((1, 1), np.int8), TypeError),
        (np.ones((2, 3), np.int8), np.ones((2, 3), np.int8), ValueError),
        (np.ones(3, np.int8), np.ones((3, 2), np.int8), ValueError),
        (np.ones((1, 2, 3), np.int8), np.ones((3, 2), np.int8), ValueError),
    ],
)
def test_integer_matmul_refuses_other_types_and_shapes(x: Any, w: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        integer_matmul(x, w)
