"""Norms against their formulas in exact sums."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitjoule.sim.reference.norms import rms_norm, sub_ln
from tests.sim.samples import ONES, fractions, grouped, matrices


@settings(deadline=None)
@given(matrices(), st.booleans())
def test_norms_equal_their_formula_in_exact_sums(x: NDArray[np.float32], centred: bool) -> None:
    normed = (sub_ln if centred else rms_norm)(x, epsilon=1e-3)
    assert normed.dtype == np.float32
    for token, result in zip(x, normed, strict=True):
        values = fractions(token)
        mean = sum(values) / len(values) if centred else Fraction(0)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        root = math.sqrt(variance + Fraction(1, 1000))
        np.testing.assert_allclose(result, [float(v - mean) / root for v in values], rtol=1e-6, atol=1e-12)


@settings(deadline=None)
@given(grouped(), st.sampled_from([rms_norm, sub_ln]))
def test_grouped_norms_equal_the_shards_normed_separately(
    x_groups: tuple[NDArray[np.float32], int], norm: Callable[..., NDArray[np.float32]]
) -> None:
    x, groups = x_groups
    gain = np.linspace(0.5, 2, x.shape[1], dtype=np.float32)
    shards = zip(np.split(x, groups, axis=1), np.split(gain, groups), strict=True)
    np.testing.assert_array_equal(norm(x, gain, groups), np.hstack([norm(shard, part) for shard, part in shards]))


def test_a_gain_multiplies_each_feature() -> None:
    x, gain = np.array([[3.0, -4.0]], np.float32), np.array([2.0, 0.5], np.float32)
    np.testing.assert_allclose(rms_norm(x, gain), [[6 / math.sqrt(12.5), -2 / math.sqrt(12.5)]], rtol=1e-5)
    np.testing.assert_allclose(sub_ln(x, gain), [[2, -0.5]], rtol=1e-5)  # mean −0.5, deviation 3.5


def test_norms_stand_the_largest_floats() -> None:
    x = np.array([[3e38, -3e38]], np.float32)  # their squares are no float32
    assert rms_norm(x).tolist() == sub_ln(x).tolist() == [[1, -1]]


def test_norms_do_not_depend_on_layout_where_sums_do() -> None:
    x = np.ones((2, 16), np.float32)
    x[:, 0], x[:, 8] = 2.0**60, -(2.0**60)
    np.testing.assert_array_equal(sub_ln(np.asfortranarray(x)), sub_ln(x))


@pytest.mark.parametrize("epsilon", [0.0, -1e-5, np.nan, np.inf])
def test_an_epsilon_that_is_not_positive_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        rms_norm(ONES, epsilon=epsilon)
