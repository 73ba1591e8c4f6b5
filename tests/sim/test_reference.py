"""The reference against exact fractions, 64-bit integers and closed forms."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from bitjoule.sim.reference import (
    QuantisedWeights,
    absmax,
    absmax_binary,
    absmean_ternary,
    bitlinear,
    bitlinear_quantised,
    integer_matmul,
    rms_norm,
    sign_binary,
    sub_ln,
)

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


# --- integer_matmul


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


# --- weights


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


# --- activations


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


# --- norms


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


# --- bitlinear


@st.composite
def layers(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Tokens, weights and groups that divide both of their sides."""
    groups = draw(st.integers(1, 3))
    m, k, n = draw(st.integers(1, 4)), groups * draw(st.integers(1, 4)), groups * draw(st.integers(1, 4))
    x = draw(arrays.arrays(np.float32, (m, k), elements=floats()))
    return x, draw(arrays.arrays(np.float32, (k, n), elements=floats())), groups


@settings(deadline=None)
@given(layers(), st.sampled_from(["ternary", "binary"]), st.integers(2, 8), st.sampled_from(PARTITIONS))
def test_bitlinear_equals_the_product_of_the_dequantised_floats(
    layer: tuple[NDArray[np.float32], NDArray[np.float32], int], kind: Any, bits: int, partition: Any
) -> None:
    x, w, groups = layer
    of_x = groups if partition == "in_features" else 1
    if kind == "ternary":
        activations, weights = absmax(rms_norm(x, groups=of_x), bits, of_x), absmean_ternary(w, groups, partition)
    else:
        activations, weights = absmax_binary(sub_ln(x, groups=of_x), bits, of_x), sign_binary(w, groups, partition)
    left, right = activations.dequantised().astype(np.float64), weights.dequantised().astype(np.float64)
    y = bitlinear(x, w, kind, bits, groups=groups, partition=partition)
    assert y.dtype == np.float32
    assert (np.abs(y - left @ right) <= 4 * FLOAT32_ULP * (np.abs(left) @ np.abs(right))).all()


@settings(deadline=None)
@given(layers(), st.sampled_from(["ternary", "binary"]))
def test_bitlinear_in_groups_of_out_features_equals_its_shards_side_by_side(
    layer: tuple[NDArray[np.float32], NDArray[np.float32], int], kind: Any
) -> None:
    x, w, groups = layer
    shards = [bitlinear(x, shard, kind) for shard in np.split(w, groups, axis=1)]
    np.testing.assert_array_equal(bitlinear(x, w, kind, groups=groups), np.hstack(shards))


@settings(deadline=None)
@given(layers(), st.sampled_from(["ternary", "binary"]))
def test_bitlinear_in_groups_of_in_features_equals_the_sum_of_its_shards(
    layer: tuple[NDArray[np.float32], NDArray[np.float32], int], kind: Any
) -> None:
    x, w, groups = layer
    pairs = zip(np.split(x, groups, axis=1), np.split(w, groups, axis=0), strict=True)
    shards = np.array([bitlinear(part, shard, kind) for part, shard in pairs], np.float64)
    y = bitlinear(x, w, kind, groups=groups, partition="in_features")
    assert (np.abs(y - shards.sum(axis=0)) <= 2 * FLOAT32_ULP * np.abs(shards).sum(axis=0)).all()


def test_bitlinear_by_hand() -> None:
    x = np.array([[127.0, -64.0, 1.0]], np.float32)
    w = np.array([[1.0, -1.0], [-1.0, 0.0], [0.0, 3.0]], np.float32)  # mean 1: trits [[1, −1], [−1, 0], [0, 1]]
    np.testing.assert_array_equal(bitlinear(x, w, norm="none"), [[127 + 64, -127 + 1]])


def test_bitlinear_runs_the_norm_of_its_kind_unless_told_otherwise() -> None:
    rng = np.random.default_rng(2)
    x, w = rng.normal(1, 3, (5, 16)), rng.normal(0, 1, (16, 8))
    gain = rng.uniform(0.5, 2, 16)
    for kind, norm, function in (("ternary", "rms_norm", rms_norm), ("binary", "sub_ln", sub_ln)):
        default = bitlinear(x, w, kind, gain=gain)
        np.testing.assert_array_equal(default, bitlinear(x, w, kind, norm=norm, gain=gain))
        np.testing.assert_array_equal(default, bitlinear(function(x, gain), w, kind, norm="none"))
    assert not np.array_equal(bitlinear(x, w, norm="rms_norm"), bitlinear(x, w, norm="sub_ln"))


def test_bitlinear_sends_every_integer_product_through_the_given_matmul() -> None:
    calls = []

    def hardware(x: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int64]:
        assert x.dtype == w.dtype == np.int8
        calls.append((x.shape, w.shape))
        return 2 * (x.astype(np.int64) @ w.astype(np.int64))

    rng = np.random.default_rng(3)
    x, w = rng.normal(0, 1, (5, 12)), rng.normal(0, 1, (12, 6))
    for partition, expected in (("out_features", [((5, 12), (12, 6))]), ("in_features", [((5, 4), (4, 6))] * 3)):
        calls.clear()
        y = bitlinear(x, w, groups=3, partition=partition, matmul=hardware)
        np.testing.assert_array_equal(y, 2 * bitlinear(x, w, groups=3, partition=partition))
        assert calls == expected


def test_weights_quantised_before_give_the_same_layer() -> None:
    rng = np.random.default_rng(4)
    x, w = rng.normal(0, 1, (5, 12)), rng.normal(0, 1, (12, 6))
    for kind, quantise in (("ternary", absmean_ternary), ("binary", sign_binary)):
        np.testing.assert_array_equal(bitlinear_quantised(x, quantise(w), 4), bitlinear(x, w, kind, 4))


# --- wrong input

ONES = np.ones((4, 6), np.float32)
TRITS = np.ones((4, 6), np.int8)
ONE = np.ones(1, np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("function", [absmean_ternary, sign_binary, absmax, absmax_binary, rms_norm, sub_ln])
def test_values_that_are_not_finite_in_float32_are_refused(function: Callable[..., Any], bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        function(np.array([[1.0, bad]]))


@pytest.mark.parametrize("function", [absmean_ternary, sign_binary, absmax, absmax_binary, rms_norm, sub_ln])
def test_integers_and_empty_arrays_are_refused_where_floats_are_due(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="expected floats"):
        function(TRITS)
    with pytest.raises(ValueError, match="shape"):
        function(np.ones((3, 0), np.float32))


@pytest.mark.parametrize("function", [absmean_ternary, sign_binary, absmax, absmax_binary, rms_norm, sub_ln])
@pytest.mark.parametrize(
    ("groups", "error"), [(0, ValueError), (-2, ValueError), (5, ValueError), (12, ValueError), (2.0, TypeError)]
)
def test_groups_that_do_not_divide_are_refused(
    function: Callable[..., Any], groups: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="groups"):
        function(ONES, groups=groups)


@pytest.mark.parametrize(("function", "lowest"), [(absmax, 1), (absmax_binary, 2)])
def test_bits_outside_their_range_are_refused(function: Callable[..., Any], lowest: int) -> None:
    for bits in (lowest - 1, 9, -1):
        with pytest.raises(ValueError, match=f"bits is {bits}, expected {lowest} to 8"):
            function(ONES, bits)
    with pytest.raises(TypeError, match="bits"):
        function(ONES, 8.0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"w": np.ones((6, 4), np.float32)}, ValueError, "x has shape"),  # the torch layout
        ({"x": np.ones((2, 3, 4), np.float32)}, ValueError, "x has shape"),
        ({"x": np.ones((2, 4), np.int8)}, TypeError, "x holds int8"),
        ({"kind": "quaternary"}, ValueError, "kind"),
        ({"norm": "batch_norm"}, ValueError, "norm"),
        ({"partition": "columns"}, ValueError, "partition"),
        ({"activation_bits": 9}, ValueError, "bits"),
        ({"activation_bits": 1, "kind": "binary"}, ValueError, "bits"),
        ({"gain": np.ones(3)}, ValueError, "gain has shape"),
        ({"gain": np.ones(4), "norm": "none"}, ValueError, "gain"),
        ({"groups": 4}, ValueError, "groups"),
        ({"matmul": lambda x, w: integer_matmul(x, w)[:1]}, ValueError, "matmul returned shape"),
        ({"matmul": lambda x, w: integer_matmul(x, w) * 1.0}, TypeError, "expected an array of integers"),
    ],
)
def test_a_wrong_layer_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    layer = {"x": np.ones((2, 4), np.float32), "w": ONES}
    with pytest.raises(error, match=message):
        bitlinear(**(layer | options))


@pytest.mark.parametrize("epsilon", [0.0, -1e-5, np.nan, np.inf])
def test_an_epsilon_that_is_not_positive_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        rms_norm(ONES, epsilon=epsilon)


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
