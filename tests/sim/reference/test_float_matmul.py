import math
from fractions import Fraction

import numpy as np
import pytest

from bitjoule.sim.reference.float_matmul import canonical_bits, float_matmul, tree_sum


def nearest(value, dtype):
    """Return the float nearest to a fraction, ties to even: the two neighbours of a first guess are looked at, too."""
    guess = dtype(float(value))
    around = [np.nextafter(guess, dtype(-np.inf)), guess, np.nextafter(guess, dtype(np.inf))]
    width = guess.dtype.itemsize
    return min(
        (near for near in around if np.isfinite(near)),
        key=lambda near: (abs(Fraction(float(near)) - value), int(near.view(f"u{width}")) & 1),
    )


def in_order(x, w, lanes, dtype):
    """Return one element by exact fractions, rounded once after each operation, in the documented order."""
    total = Fraction(0)
    for first in range(0, len(x), lanes):
        terms = [
            Fraction(float(nearest(Fraction(float(a)) * Fraction(float(b)), dtype)))
            for a, b in zip(x[first : first + lanes], w[first : first + lanes], strict=True)
        ]
        terms += [Fraction(0)] * (lanes - len(terms))
        while len(terms) > 1:
            pairs = zip(terms[::2], terms[1::2], strict=False)
            sums = [Fraction(float(nearest(a + b, dtype))) for a, b in pairs]
            terms = sums + terms[2 * len(sums) :]
        total = Fraction(float(nearest(total + terms[0], dtype)))
    return float(total)


@pytest.mark.parametrize("accumulation", ["fp32", "fp16"])
@pytest.mark.parametrize("lanes", [1, 2, 5, 8])
def test_every_operation_is_rounded_once_in_the_stated_order(lanes, accumulation):
    dtype = np.dtype({"fp32": "f4", "fp16": "f2"}[accumulation]).type
    random = np.random.default_rng(lanes)
    x = (random.normal(size=(3, 21)) * 2.0 ** random.integers(-9, 4, (3, 21))).astype(np.float16)
    w = random.normal(size=(21, 2)).astype(np.float16)
    got = float_matmul(x, w, lanes, accumulation)
    assert got.dtype == dtype
    for row, column in np.ndindex(got.shape):
        assert float(got[row, column]) == in_order(x[row], w[:, column], lanes, dtype)


def test_neighbours_are_added_first():
    big = np.float32(2.0**24)
    assert tree_sum(np.array([big, 1, -big, 0], np.float32)) == 0  # (2^24 + 1) - 2^24: the one is lost
    assert tree_sum(np.array([big, -big, 1, 0], np.float32)) == 1
    assert tree_sum(np.array([1, 1, big], np.float32)) == big + 2  # the last one waits


def test_the_lanes_decide_the_order():
    x = np.array([[2048, 1, 1]], np.float16)
    w = np.ones((3, 1), np.float16)
    assert float_matmul(x, w, 1, "fp16") == 2048  # each 1 is half a last place, and ties to even
    assert float_matmul(x[:, ::-1], w, 2, "fp16") == 2050


@pytest.mark.parametrize("accumulation", ["fp32", "fp16"])
def test_padding_and_zeros_of_either_sign_leave_plus_zero(accumulation):
    x, w = np.full((1, 3), -0.0, np.float16), np.ones((3, 1), np.float16)
    (result,) = float_matmul(x, w, 8, accumulation).ravel()
    assert result == 0
    assert math.copysign(1, result) == 1


@pytest.mark.parametrize("accumulation", ["fp32", "fp16"])
def test_infinities_and_nan_spread(accumulation):
    w = np.ones((2, 1), np.float16)
    x = np.array([[np.inf, 1], [np.inf, -np.inf], [-np.inf, 1], [np.nan, 1], [0, 1]], np.float16)
    np.testing.assert_array_equal(float_matmul(x, w, 2, accumulation).ravel(), [np.inf, np.nan, -np.inf, np.nan, 1])
    assert np.isnan(float_matmul(x[:1], np.array([[0], [1]], np.float16), 2, accumulation)).all()


def test_the_largest_product_overflows_fp16_only():
    x = np.array([[65504]], np.float16)
    assert float_matmul(x, x, 8, "fp16") == np.inf
    assert float_matmul(x, x, 8, "fp32") == 65504.0**2


def test_a_nan_has_one_pattern():
    given = np.array([0x7E00, 0xFE00, 0x7C01, 0xFFFF, 0xFC00], np.uint16).view(np.float16)
    assert canonical_bits(given).tolist() == [0x7E00] * 4 + [0xFC00]
    assert canonical_bits(-np.array([np.nan], np.float32)).tolist() == [0x7FC00000]


@pytest.mark.parametrize(
    ("x", "w", "lanes", "accumulation", "error", "told"),
    [
        (np.ones((1, 2), np.float32), np.ones((2, 1), np.float16), 8, "fp32", TypeError, "x holds float32"),
        (np.ones((1, 2), np.float16), [[1.0]], 8, "fp32", TypeError, "w holds list"),
        (np.ones((1, 2), np.float16), np.ones((3, 1), np.float16), 8, "fp32", ValueError, "not \\(M, K\\)"),
        (
            np.ones((1, 2), np.float16),
            np.ones((2, 1), np.float16),
            0,
            "fp32",
            ValueError,
            "lanes is 0, expected at least 1",
        ),
        (np.ones((1, 2), np.float16), np.ones((2, 1), np.float16), 8, "fp64", ValueError, "expected fp32 or fp16"),
    ],
)
def test_wrong_operands_are_refused(x, w, lanes, accumulation, error, told):
    with pytest.raises(error, match=told):
        float_matmul(x, w, lanes, accumulation)
