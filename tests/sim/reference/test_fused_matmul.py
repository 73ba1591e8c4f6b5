"""The fused FP16 product against exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest

from bitjoule.sim.reference.fused_matmul import fused_dot, fused_matmul
from tests.sim.reference.test_float_matmul import nearest

GUARD = 23  # the place of the window's lowest bit below the largest exponent


def exponent(value):
    return -14 if abs(value) < Fraction(1, 1 << 14) else math.floor(math.log2(abs(value)))


def fractions(values):
    return [Fraction(float(value)) for value in values]


def window(x, w):
    """Return the weight of the window's lowest bit."""
    return Fraction(2) ** (max(exponent(a) + exponent(b) for a, b in zip(x, w, strict=True)) - GUARD)


def dot_as_documented(x, w):
    step = window(x, w)
    rounded = [math.floor(a * b / step + Fraction(1, 2)) * step for a, b in zip(x, w, strict=True)]
    return Fraction(float(nearest(sum(rounded), np.float32)))


def operands(seed, shape, spread):
    """Return Gaussian numbers of very different magnitudes, subnormal ones and zeros among them."""
    random = np.random.default_rng(seed)
    values = random.normal(size=shape) * 2.0 ** random.integers(-spread, spread // 2, shape)
    return np.where(random.random(shape) < 0.1, 0, values).astype(np.float16)


@pytest.mark.parametrize("spread", [2, 12, 24])
@pytest.mark.parametrize("lanes", [1, 2, 5, 8, 32])
def test_products_are_rounded_to_the_window_and_each_sum_once(lanes, spread):
    x, w = operands(lanes, (3, 37), spread), operands(spread, (37, 2), spread)
    got = fused_matmul(x, w, lanes)
    assert got.dtype == np.float32
    for row, column in np.ndindex(got.shape):
        total = Fraction(0)
        for first in range(0, x.shape[1], lanes):
            tile = slice(first, first + lanes)
            dot = dot_as_documented(fractions(x[row, tile]), fractions(w[tile, column]))
            total = Fraction(float(nearest(total + dot, np.float32)))
        assert Fraction(float(got[row, column])) == total


@pytest.mark.parametrize("spread", [2, 8, 16, 24])
@pytest.mark.parametrize("lanes", [2, 16, 64])
def test_the_error_of_a_dot_product_is_within_the_stated_bound(lanes, spread):
    x, w = operands(lanes, (30, lanes), spread), operands(spread, (lanes, 4), spread)
    got = fused_dot(x, w)
    worst = Fraction(0)
    for row, column in np.ndindex(got.shape):
        a, b = fractions(x[row]), fractions(w[:, column])
        exact = sum(u * v for u, v in zip(a, b, strict=True))
        bound = (1 + Fraction(1, 1 << 24)) * lanes * window(a, b) / 2 + abs(exact) / (1 << 24)
        error = abs(Fraction(float(got[row, column])) - exact)
        assert error <= bound
        worst = max(worst, error / bound)
    assert worst > 0


def test_the_bound_is_reached():
    """Halves of the window's lowest bit, all rounded upwards; the sum is small, so that FP32 holds it."""
    x = np.array([[1, -1, *[2.0**-12] * 14]], np.float16)
    w = np.array([1, 1, *[2.0**-12] * 14], np.float16)[:, np.newaxis]
    exact, got = 14 * Fraction(1, 1 << 24), Fraction(float(fused_dot(x, w)[0, 0]))
    assert got - exact == 14 * Fraction(1, 1 << 24)
    assert fused_dot(-x, w) == 0  # and here as far: from below


def test_sums_of_products_that_fit_the_window_are_exact():
    random = np.random.default_rng(3)
    x, w = (random.integers(-31, 32, shape).astype(np.float16) for shape in ((7, 300), (300, 5)))
    np.testing.assert_array_equal(fused_matmul(x, w, 16), x.astype(np.int64) @ w.astype(np.int64))


def test_products_far_below_the_largest_are_lost_and_its_own_bits_are_not():
    x = np.array([[65504, 2.0**-24]], np.float16)
    w = np.array([[65504], [1]], np.float16)
    assert fused_dot(x, w) == 65504.0**2
    assert fused_dot(x[:, 1:], w[1:]) == 2.0**-24
    assert fused_dot(x[:, 1:], w[1:] * np.float16(2.0**-24)) == 2.0**-48


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zeros_of_either_sign_leave_plus_zero(zero):
    (result,) = fused_matmul(np.full((1, 3), zero, np.float16), -np.ones((3, 1), np.float16), 8).ravel()
    assert result == 0
    assert math.copysign(1, result) == 1


def test_infinities_and_nan_spread():
    w = np.ones((2, 1), np.float16)
    x = np.array([[np.inf, 1], [np.inf, -np.inf], [-np.inf, 1], [np.nan, 1], [np.inf, np.nan], [0, 1]], np.float16)
    expected = [np.inf, np.nan, -np.inf, np.nan, np.nan, 1]
    np.testing.assert_array_equal(fused_matmul(x, w, 2).ravel(), expected)
    np.testing.assert_array_equal(fused_matmul(w.T, x.T, 2).ravel(), expected)
    assert np.isnan(fused_matmul(x[:1], np.array([[0], [1]], np.float16), 2)).all()
    assert np.isnan(fused_matmul(x[1:2], w, 1)).all()  # infinities that meet in the sum


@pytest.mark.parametrize(
    ("x", "lanes", "error", "told"),
    [
        (np.ones((1, 2), np.float32), 8, TypeError, "x holds float32"),
        (np.ones((1, 3), np.float16), 8, ValueError, "not \\(M, K\\)"),
        (np.ones((1, 2), np.float16), 0, ValueError, "lanes is 0, expected at least 1"),
    ],
)
def test_wrong_operands_are_refused(x, lanes, error, told):
    with pytest.raises(error, match=told):
        fused_matmul(x, np.ones((2, 1), np.float16), lanes)
