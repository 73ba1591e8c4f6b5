"""The product of FP16 activations and scaled trits against exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest

from bitjoule.sim.reference.scaled_matmul import GROUP, scaled_dot, scaled_matmul, scaled_weights
from tests.sim.reference.test_float_matmul import nearest
from tests.sim.reference.test_fused_matmul import exponent, fractions, operands

WINDOW = 23  # the place of the window's lowest bit below the largest exponent


def step_of(x):
    return Fraction(2) ** (max(map(exponent, x)) - WINDOW)


def dot_as_documented(x, trits, scale):
    step = step_of(x)
    rounded = [math.copysign(1, value) * math.floor(abs(value) / step + Fraction(1, 2)) * step for value in x]
    total = sum(Fraction(value) * int(trit) for value, trit in zip(rounded, trits, strict=True))
    return Fraction(float(nearest(scale * total, np.float32)))


def layer(seed, k, n, group=GROUP):
    random = np.random.default_rng(seed)
    trits = random.integers(-1, 2, (k, n)).astype(np.int8)
    return trits, operands(seed, (-(-k // group), n), 6)


@pytest.mark.parametrize("spread", [2, 12, 24])
@pytest.mark.parametrize("lanes", [1, 8, 64, 128])
def test_activations_are_rounded_to_the_window_and_each_sum_once(lanes, spread):
    x = operands(lanes, (2, 300), spread)
    trits, scales = layer(spread, 300, 2)
    got = scaled_matmul(x, trits, scales, lanes)
    assert got.dtype == np.float32
    for row, column in np.ndindex(got.shape):
        total = Fraction(0)
        for first in range(0, x.shape[1], lanes):
            scale = Fraction(float(scales[first // GROUP, column]))
            dot = dot_as_documented(
                fractions(x[row, first : first + lanes]), trits[first : first + lanes, column], scale
            )
            total = Fraction(float(nearest(total + dot, np.float32)))
        assert Fraction(float(got[row, column])) == total


@pytest.mark.parametrize("spread", [2, 8, 16, 24])
@pytest.mark.parametrize("lanes", [8, 64, 128])
def test_the_error_of_a_dot_product_is_within_the_stated_bound(lanes, spread):
    x, (trits, scales) = operands(lanes, (30, lanes), spread), layer(spread, lanes, 4)
    got = scaled_dot(x, trits, scales[0])
    worst = Fraction(0)
    for row, column in np.ndindex(got.shape):
        values, scale = fractions(x[row]), Fraction(float(scales[0, column]))
        exact = scale * sum(value * int(trit) for value, trit in zip(values, trits[:, column], strict=True))
        bound = (1 + Fraction(1, 1 << 24)) * abs(scale) * lanes * step_of(values) / 2 + abs(exact) / (1 << 24)
        error = abs(Fraction(float(got[row, column])) - exact)
        assert error <= bound
        worst = max(worst, error / bound) if bound else worst
    assert worst > 0


@pytest.mark.parametrize("sign", [1, -1])
def test_the_bound_is_reached(sign):
    """Halves of the window's lowest bit, all rounded away from zero; the large activations cancel."""
    x = sign * np.array([[1, 1, *[2.0**-24] * 14]], np.float16)
    trits = np.array([1, -1] + [1] * 14, np.int8)[:, np.newaxis]
    scale = np.array([1.5], np.float16)
    got = float(scaled_dot(x, trits, scale)[0, 0])
    assert abs(got) - 1.5 * 14 * 2.0**-24 == 1.5 * 14 * 2.0**-24


def test_activations_at_most_13_places_below_the_largest_lose_nothing():
    random = np.random.default_rng(3)
    x = random.choice([-1, 1], (5, 256)) * random.uniform(1, 2, (5, 256)) * 2.0 ** random.integers(-13, 1, (5, 256))
    x = x.astype(np.float16)
    x[:, 0] = 1  # 24 bits hold each tile's sum only if it is small
    trits, scales = np.zeros((256, 3), np.int8), np.full((2, 3), 2.0**-7, np.float16)
    trits[[7, 200]] = [[1, -1, 1], [-1, -1, 1]]
    exact = x.astype(np.float64) @ trits / 128
    np.testing.assert_array_equal(scaled_matmul(x, trits, scales, 128), exact.astype(np.float32))


def test_every_group_has_its_own_scale():
    trits = np.ones((300, 2), np.int8)
    scales = np.array([[1, 2], [16, -32], [256, 512]], np.float16)
    expected = 128 * (scales[0] + scales[1]).astype(np.float32) + 44 * scales[2].astype(np.float32)
    for lanes in (8, 128):
        assert scaled_matmul(np.ones((1, 300), np.float16), trits, scales, lanes).tolist() == [expected.tolist()]


def test_sums_of_integers_are_exact():
    random = np.random.default_rng(5)
    x = random.integers(-100, 101, (4, 512)).astype(np.float16)
    trits = random.integers(-1, 2, (512, 6)).astype(np.int8)
    scales = 2.0 ** random.integers(-3, 4, (4, 6)).astype(np.float16)
    weights = scaled_weights(trits, scales).astype(np.float64)
    np.testing.assert_array_equal(scaled_matmul(x, trits, scales, 32), x.astype(np.float64) @ weights)


def test_the_least_and_the_largest_operands_are_neither_lost_nor_infinite():
    trits = np.ones((128, 1), np.int8)
    for value in (2.0**-24, 65504.0):
        x, scales = np.full((1, 128), value, np.float16), np.full((1, 1), value, np.float16)
        assert scaled_matmul(x, trits, scales, 128) == 128 * value * value


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_zeros_of_either_sign_leave_plus_zero(zero):
    x = np.full((1, 8), zero, np.float16)
    for scale in (1, -1, 0):
        (result,) = scaled_matmul(x, -np.ones((8, 1), np.int8), np.full((1, 1), scale, np.float16), 8).ravel()
        assert math.copysign(1, result) == 1
        assert result == 0


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_makes_nan(bad):
    x, trits, scales = np.ones((2, 256), np.float16), np.zeros((256, 2), np.int8), np.ones((2, 2), np.float16)
    x[1, 3] = bad
    assert np.isnan(scaled_matmul(x, trits, scales, 64)).tolist() == [[False] * 2, [True] * 2]
    x[1, 3], scales[1, 0] = 1, bad
    assert np.isnan(scaled_matmul(x, trits, scales, 64)).tolist() == [[True, False]] * 2


X, TRITS, SCALES = np.ones((1, 130), np.float16), np.ones((130, 2), np.int8), np.ones((2, 2), np.float16)


@pytest.mark.parametrize(
    ("x", "trits", "scales", "lanes", "error", "told"),
    [
        (X.astype(np.float32), TRITS, SCALES, 8, TypeError, "x holds float32"),
        (X, TRITS, SCALES.astype(np.float32), 8, TypeError, "scales holds float32"),
        (X[:, :128], TRITS, SCALES, 8, ValueError, "not \\(M, K\\)"),
        (X, TRITS, SCALES[:1], 8, ValueError, "\\(130, 2\\) and \\(1, 2\\) are not \\(K, N\\)"),
        (X, 2 * TRITS, SCALES, 8, ValueError, "not -1, 0 or \\+1"),
        (X, TRITS, SCALES, 0, ValueError, "lanes is 0, expected at least 1"),
        (X, TRITS, SCALES, 24, ValueError, "lanes is 24, which does not divide a group of 128"),
    ],
)
def test_wrong_operands_are_refused(x, trits, scales, lanes, error, told):
    with pytest.raises(error, match=told):
        scaled_matmul(x, trits, scales, lanes)
