"""Codes and scales against exact fractions and closed forms."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from bitjoule.sim.reference.quantisation import QuantisedWeights, absmax, absmax_binary, absmean_ternary, sign_binary
from tests.sim.samples import (
    BITS,
    FLOAT32_ULP,
    ONE,
    ONES,
    PARTITIONS,
    QUANTISE_WEIGHTS,
    TRITS,
    agrees_unless_at_a_tie,
    floats,
    fractions,
    grouped,
    matrices,
)


def test_ternary_ties_go_to_the_even_trit_and_large_values_are_clipped() -> None:
    quantised = absmean_ternary(np.array([[0.5, -0.5, 1.5, -1.5], [0.75, -0.75, 0.25, -2.25]], np.float32))
    assert quantised.scale.tolist() == [1.0]
    assert quantised.codes.tolist() == [[0, 0, 1, -1], [1, -1, 0, -1]]


@settings(deadline=None)
@given(matrices())
def test_trits_are_the_exact_quotients_rounded_and_clipped(w: NDArray[np.float32]) -> None:
    quantised = absmean_ternary(w)
    exact = fractions(w)
    mean = max(sum(abs(value) for value in exact) / len(exact), Fraction(1, 10**5))
    assert quantised.scale[0] == pytest.approx(float(mean), rel=FLOAT32_ULP)
    assert quantised.codes.dtype == np.int8
    for code, value in zip(quantised.codes.ravel().tolist(), exact, strict=True):
        assert agrees_unless_at_a_tie(code, value / mean, -1, 1)


@settings(deadline=None)
@given(matrices())
def test_a_trit_is_off_by_half_a_scale_or_by_what_was_clipped(w: NDArray[np.float32]) -> None:
    quantised = absmean_ternary(w)
    scale = float(quantised.scale[0])
    error = np.abs(w.astype(np.float64) - quantised.dequantised())
    assert (error <= np.maximum(scale / 2, np.abs(w) - scale) * (1 + 1e-6)).all()


@settings(deadline=None)
@given(matrices(), st.sampled_from(QUANTISE_WEIGHTS), st.integers(-6, 40))
def test_weight_codes_do_not_change_with_the_scale_of_the_weights(
    w: NDArray[np.float32], quantise: Callable[..., QuantisedWeights], exponent: int
) -> None:
    if np.abs(w).mean() < 1e-3:
        w = w + np.float32(1)  # above the clamp after scaling, too
    factor = np.float32(2.0**exponent)
    before, after = quantise(w), quantise(w * factor)
    np.testing.assert_array_equal(after.codes, before.codes)
    np.testing.assert_array_equal(after.scale, before.scale * factor)


@settings(deadline=None)
@given(matrices())
def test_trits_change_sign_with_the_weights(w: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(absmean_ternary(-w).codes, -absmean_ternary(w).codes)


def test_ternary_weights_below_the_clamp_are_measured_against_it() -> None:
    quantised = absmean_ternary(np.array([[4e-6, -4e-6], [8e-6, -8e-6]], np.float32))  # mean 6e-6
    assert quantised.scale[0] == np.float32(1e-5)
    assert quantised.codes.tolist() == [[0, 0], [1, -1]]


def test_the_binary_sign_of_zero_is_minus_one() -> None:
    assert sign_binary(np.array([[1.0, 2.0, 3.0]], np.float32)).codes.tolist() == [[-1, -1, 1]]
    assert sign_binary(np.array([[-2.0, 0.0], [2.0, 0.0]], np.float32)).codes.tolist() == [[-1, -1], [1, -1]]


@settings(deadline=None)
@given(floats(1e30, 1e-30), st.integers(1, 50), st.integers(1, 50))
def test_the_binary_codes_of_a_constant_matrix_are_minus_one(value: float, k: int, n: int) -> None:
    quantised = sign_binary(np.full((k, n), value, np.float32))
    assert (quantised.codes == -1).all()
    assert quantised.scale[0] == abs(np.float32(value))


@settings(deadline=None)
@given(arrays.arrays(np.int16, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(-999, 999)))
def test_binary_codes_tell_which_weights_exceed_the_mean(w: NDArray[np.int16]) -> None:
    quantised = sign_binary(w.astype(np.float32))
    integers = w.astype(np.int64)
    np.testing.assert_array_equal(quantised.codes, np.where(integers * w.size > integers.sum(), 1, -1))
    assert quantised.codes.dtype == np.int8
    assert quantised.scale[0] == np.float32(np.abs(integers).sum() / w.size)


@settings(deadline=None)
@given(grouped(), st.sampled_from(QUANTISE_WEIGHTS), st.sampled_from(PARTITIONS))
def test_grouped_weights_equal_the_shards_quantised_separately(
    w_groups: tuple[NDArray[np.float32], int], quantise: Callable[..., QuantisedWeights], partition: str
) -> None:
    w, groups = w_groups
    axis = PARTITIONS.index(partition)
    quantised = quantise(w, groups, partition)
    shards = [quantise(shard) for shard in np.split(w, groups, axis)]
    np.testing.assert_array_equal(quantised.codes, np.concatenate([shard.codes for shard in shards], axis))
    np.testing.assert_array_equal(quantised.scale, [shard.scale[0] for shard in shards])
    np.testing.assert_array_equal(
        quantised.dequantised(), np.concatenate([shard.dequantised() for shard in shards], axis)
    )


@pytest.mark.parametrize("quantise", QUANTISE_WEIGHTS)
def test_weight_codes_do_not_depend_on_layout_or_float_type(quantise: Callable[..., QuantisedWeights]) -> None:
    w = np.random.default_rng(1).normal(0, 0.02, (96, 80)).astype(np.float16)
    expected = quantise(w)
    for same in (np.asfortranarray(w), w.astype(np.float64), w.astype(np.float32).T.copy().T):
        np.testing.assert_array_equal(quantise(same).codes, expected.codes)
        np.testing.assert_array_equal(quantise(same).scale, expected.scale)


def test_binary_codes_do_not_depend_on_layout_where_sums_do() -> None:
    w = np.array([[2.0**60, 1.0], [-(2.0**60), 0.125]], np.float32)  # the 1 is lost if it is added to 2^60
    np.testing.assert_array_equal(sign_binary(np.asfortranarray(w)).codes, sign_binary(w).codes)


@settings(deadline=None)
@given(matrices(elements=floats()), st.sampled_from(BITS))
def test_absmax_codes_are_the_exact_quotients_rounded_and_clipped(x: NDArray[np.float32], bits: int) -> None:
    quantised = absmax(x, bits)
    q = max(2 ** (bits - 1) - 1, 1)
    assert quantised.codes.dtype == np.int8
    for token, codes, scale in zip(x, quantised.codes, quantised.scale, strict=True):
        largest = max(Fraction(float(np.abs(token).max())), Fraction(1, 10**5))
        assert scale[0] == pytest.approx(float(largest / q), rel=2 * FLOAT32_ULP)
        for code, value in zip(codes.tolist(), fractions(token), strict=True):
            assert agrees_unless_at_a_tie(code, q * value / largest, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@pytest.mark.parametrize("bits", range(2, 9))
def test_absmax_leaves_whole_numbers_within_its_range_as_they_are(bits: int) -> None:
    q = 2 ** (bits - 1) - 1
    x = np.arange(-q, q + 1, dtype=np.float32)[np.newaxis]
    quantised = absmax(x, bits)
    np.testing.assert_array_equal(quantised.codes, x)
    assert quantised.scale.tolist() == [[1.0]]


def test_activations_half_way_between_codes_go_to_the_even_one() -> None:
    assert absmax(np.array([[1.0, 0.5, -0.5]], np.float32), bits=2).codes.tolist() == [[1, 0, 0]]
    halves = np.array([[128.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5]], np.float32)
    assert absmax_binary(halves).codes.tolist() == [[127, 0, 2, 2, 0, -2, -2]]


def test_one_bit_keeps_the_large_negative_values_as_minus_one_and_nothing_else() -> None:
    x = np.array([[-2.0, -1.5, -1.0, -0.5, 0.0, 1.0, 2.0]], np.float32)  # −0.5 of the largest is a tie: to 0
    quantised = absmax(x, bits=1)
    assert quantised.codes.tolist() == [[-1, -1, 0, 0, 0, 0, 0]]
    assert quantised.scale.tolist() == [[2.0]]


@settings(deadline=None)
@given(matrices(), st.sampled_from(BITS[1:]))
def test_an_absmax_code_is_off_by_at_most_half_a_scale(x: NDArray[np.float32], bits: int) -> None:
    quantised = absmax(x, bits)
    error = np.abs(x.astype(np.float64) - quantised.codes * quantised.scale.astype(np.float64))
    assert (error <= quantised.scale / 2 * (1 + 1e-4)).all()  # 127 units of 2^-23 at a tie


@settings(deadline=None)
@given(matrices(), st.sampled_from([absmax, absmax_binary]), st.integers(2, 8), st.integers(-3, 40))
def test_activation_codes_do_not_change_with_the_scale_of_a_token(
    x: NDArray[np.float32], quantise: Callable[..., Any], bits: int, exponent: int
) -> None:
    x = np.column_stack([x, np.ones(len(x), np.float32)])  # above the clamp
    factor = np.float32(2.0**exponent)
    before, after = quantise(x, bits), quantise(x * factor, bits)
    np.testing.assert_array_equal(after.codes, before.codes)
    np.testing.assert_array_equal(after.scale, before.scale * factor)


@pytest.mark.parametrize("quantise", [absmax, absmax_binary])
def test_a_token_below_the_clamp_is_measured_against_it(quantise: Callable[..., Any]) -> None:
    quantised = quantise(np.array([[0.0, 0.0], [5e-6, 0.0]], np.float32))
    q = 127 if quantise is absmax else 128
    assert quantised.codes.tolist() == [[0, 0], [64, 0]]  # 63.5 and 64
    assert quantised.scale == pytest.approx(np.full((2, 1), 1e-5 / q), rel=1e-6)


@settings(deadline=None)
@given(arrays.arrays(np.float32, (2, 3, 4), elements=floats()), st.sampled_from([absmax, absmax_binary]))
def test_a_token_is_quantised_without_regard_to_the_others(
    x: NDArray[np.float32], quantise: Callable[..., Any]
) -> None:
    quantised = quantise(x)
    assert quantised.codes.shape == x.shape
    assert quantised.scale.shape == (2, 3, 1)
    for place in np.ndindex(2, 3):
        alone = quantise(x[place])
        np.testing.assert_array_equal(quantised.codes[place], alone.codes)
        np.testing.assert_array_equal(quantised.scale[place], alone.scale)


@settings(deadline=None)
@given(grouped(), st.sampled_from([absmax, absmax_binary]), st.integers(2, 8), st.booleans())
def test_grouped_activations_equal_the_shards_quantised_separately(
    x_groups: tuple[NDArray[np.float32], int], quantise: Callable[..., Any], bits: int, shifted: bool
) -> None:
    x, groups = x_groups
    options = {"shifted": shifted} if quantise is absmax_binary else {}
    quantised = quantise(x, bits, groups, **options)
    shards = [quantise(shard, bits, **options) for shard in np.split(x, groups, axis=1)]
    for name in ("codes", "scale", "offset"):
        np.testing.assert_array_equal(getattr(quantised, name), np.hstack([getattr(shard, name) for shard in shards]))
    np.testing.assert_array_equal(quantised.dequantised(), np.hstack([shard.dequantised() for shard in shards]))


@pytest.mark.parametrize("bits", range(2, 9))
def test_binary_activations_stay_below_q_so_that_they_fit_their_bits(bits: int) -> None:
    q = 2 ** (bits - 1)
    x = np.arange(-q, q + 1, dtype=np.float32)[np.newaxis]
    quantised = absmax_binary(x, bits)
    np.testing.assert_array_equal(quantised.codes, np.clip(x, 1 - q, q - 1))
    assert quantised.scale.tolist() == [[1.0]]


@pytest.mark.parametrize("bits", range(2, 9))
def test_shifted_activations_start_at_zero_and_stay_below_q(bits: int) -> None:
    q = 2 ** (bits - 1)
    above = np.arange(0, q + 1, dtype=np.float32)[np.newaxis]
    quantised = absmax_binary(above - 5, bits, shifted=True)
    np.testing.assert_array_equal(quantised.codes, np.minimum(above, q - 1))
    assert quantised.scale.tolist() == [[1.0]]
    assert quantised.offset.tolist() == [[-5.0]]


@settings(deadline=None)
@given(matrices(), st.integers(2, 8), st.booleans())
def test_a_binary_activation_is_off_by_at_most_a_scale(x: NDArray[np.float32], bits: int, shifted: bool) -> None:
    quantised = absmax_binary(x, bits, shifted=shifted)
    error = np.abs(x - quantised.dequantised().astype(np.float64))
    assert (error <= quantised.scale * (1 + 1e-4) + 1e3 * FLOAT32_ULP).all()


@pytest.mark.parametrize(("function", "lowest"), [(absmax, 1), (absmax_binary, 2)])
def test_bits_outside_their_range_are_refused(function: Callable[..., Any], lowest: int) -> None:
    for bits in (lowest - 1, 9, -1):
        with pytest.raises(ValueError, match=f"bits is {bits}, expected {lowest} to 8"):
            function(ONES, bits)
    with pytest.raises(TypeError, match="bits"):
        function(ONES, 8.0)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"codes": TRITS.astype(np.int32)}, TypeError),
        ({"scale": np.ones(1)}, TypeError),
        ({"codes": TRITS[0]}, ValueError),
        ({"scale": np.float32([[1]])}, ValueError),
        ({"scale": np.float32([])}, ValueError),
        ({"scale": np.float32([np.nan])}, ValueError),
        ({"scale": np.float32([-1])}, ValueError),
        ({"scale": np.ones(4, np.float32)}, ValueError),  # 4 groups of 6 out_features
        ({"codes": TRITS * 2}, ValueError),
        ({"codes": TRITS * np.int8(-128)}, ValueError),
        ({"codes": TRITS * 0, "kind": "binary"}, ValueError),
        ({"kind": "float"}, ValueError),
        ({"partition": "rows"}, ValueError),
    ],
)
def test_codes_that_are_no_weights_are_refused(fields: dict[str, Any], error: type[Exception]) -> None:
    good = {"codes": TRITS, "scale": ONE}
    QuantisedWeights(**good)
    with pytest.raises(error):
        QuantisedWeights(**(good | fields))
