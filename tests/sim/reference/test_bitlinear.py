"""Whole layers against the product of dequantised floats, their shards, and one by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from bitjoule.sim.reference.bitlinear import bitlinear, bitlinear_quantised
from bitjoule.sim.reference.matmul import integer_matmul
from bitjoule.sim.reference.norms import rms_norm, sub_ln
from bitjoule.sim.reference.quantisation import absmax, absmax_binary, absmean_ternary, sign_binary
from tests.sim.samples import FLOAT32_ULP, ONES, PARTITIONS, floats


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
