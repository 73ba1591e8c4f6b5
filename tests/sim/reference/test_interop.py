"""The reference against the BitNet layers that transformers runs.

transformers keeps weights as (out_features, in_features), the reference as (in_features, out_features).
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from bitjoule.sim.reference.bitlinear import absmax, absmean_ternary, bitlinear, bitlinear_quantised, rms_norm

pytestmark = pytest.mark.slow  # the imports take seconds

Float32s = NDArray[np.float32]


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def bitnet(torch: Any) -> Iterator[Any]:
    """transformers' layers, run as written: compiling them needs a C++ compiler."""
    with warnings.catch_warnings():
        # the layers are under torch.compile, whose import still uses torch.jit
        warnings.filterwarnings("ignore", "`torch.jit.script", DeprecationWarning)
        module = pytest.importorskip("transformers.integrations.bitnet")
    with torch.compiler.set_stance("force_eager"), torch.no_grad():
        yield module


def finite(largest: float = float(np.float32(1e37))) -> st.SearchStrategy[float]:
    """Floats of every size, whole numbers and halves, which make ties."""
    return st.floats(-largest, largest, width=32) | st.integers(-512, 512).map(lambda value: value / 2)


def tokens(rng: np.random.Generator, count: int, features: int) -> Float32s:
    """Tokens with no value, normed or not, next to a tie: torch's float32 sums end in other bits than ours."""
    x = rng.normal(0, 2, (4 * count, features)).astype(np.float32)
    clear = np.ones(len(x), bool)
    for values in (x, rms_norm(x)):
        exact = 127 * values / np.abs(values).max(axis=1, keepdims=True)
        clear &= (np.abs(np.abs(exact) % 1 - 0.5) > 1e-3).all(axis=1)
    assert clear.sum() >= count
    return x[clear][:count]


def weights(rng: np.random.Generator, in_features: int, out_features: int) -> Float32s:
    """Weights none of which is next to a tie, for the same reason."""
    w = rng.normal(0, 0.02, (in_features, out_features)).astype(np.float32)
    half = np.abs(w).mean() / 2
    return np.where(np.abs(np.abs(w) / half - 1) < 1e-4, np.float32(0), w)  # moves the mean by less than that


def assert_close(actual: Any, expected: Float32s) -> None:
    """Compare with the largest value of each token: what cancels is as inexact as its terms."""
    assert actual.numpy().dtype == expected.dtype == np.float32
    difference = np.abs(actual.numpy() - expected)
    assert (difference <= 1e-5 * np.abs(expected).max(axis=-1, keepdims=True)).all()


@settings(deadline=None)
@given(x=arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=finite()))
@pytest.mark.parametrize("bits", range(2, 9))  # with one bit transformers' scale, and so every code, is 0
def test_activation_codes_equal_those_of_bitlinear_bit_for_bit(torch: Any, bitnet: Any, bits: int, x: Float32s) -> None:
    codes, reciprocal = bitnet.BitLinear(4, 4, bias=False).activation_quant(torch.from_numpy(x), num_bits=bits)
    quantised = absmax(x, bits)
    np.testing.assert_array_equal(quantised.codes, codes.numpy())
    np.testing.assert_allclose(quantised.scale, 1 / reciprocal.numpy().astype(np.float64), rtol=1e-6)


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_activation_codes_equal_those_of_bitlinear_at_ties(torch: Any, bitnet: Any, bits: int) -> None:
    q = 2 ** (bits - 1) - 1
    largest = np.arange(1, 1000)[:, np.newaxis]
    x = np.hstack([largest, largest * (np.arange(-q, q) + 0.5) / q]).astype(np.float32)
    codes, _ = bitnet.BitLinear(4, 4, bias=False).activation_quant(torch.from_numpy(x), num_bits=bits)
    np.testing.assert_array_equal(absmax(x, bits).codes, codes.numpy())


@settings(deadline=None)
@given(x=arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=finite(1e6)))
def test_dequantised_activations_equal_those_of_training(torch: Any, bitnet: Any, x: Float32s) -> None:
    np.testing.assert_allclose(absmax(x).dequantised(), bitnet.ActQuant.apply(torch.from_numpy(x)).numpy(), rtol=1e-6)


@settings(deadline=None)
@given(w=arrays.arrays(np.int16, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(-512, 512)))
def test_trits_equal_those_of_training_at_ties_too(torch: Any, bitnet: Any, w: NDArray[np.int16]) -> None:
    exact = w.astype(np.float32) / 256  # float32 sums of these are exact in any order
    quantised = absmean_ternary(exact)
    trained = bitnet.WeightQuant.apply(torch.from_numpy(exact.T.copy())).numpy().T
    np.testing.assert_array_equal(quantised.codes, np.sign(trained))
    np.testing.assert_allclose(quantised.dequantised(), trained, rtol=1e-6)


def test_trits_of_a_real_size_equal_those_of_training_away_from_ties(torch: Any, bitnet: Any) -> None:
    w = np.random.default_rng(0).normal(0, 0.02, (2560, 640)).astype(np.float32)
    quantised = absmean_ternary(w)
    trained = bitnet.WeightQuant.apply(torch.from_numpy(w.T.copy())).numpy().T
    differ = quantised.codes != np.sign(trained)
    # torch sums in float32: its mean may differ in the last bits, and so what lies next to half of it
    np.testing.assert_allclose(np.abs(w[differ]), quantised.scale[0] / 2, rtol=1e-5)
    np.testing.assert_allclose(np.abs(trained).max(), quantised.scale[0], rtol=1e-5)
    assert differ.mean() < 1e-4


@pytest.mark.parametrize("out_features", [1, 3, 4, 9, 64])
def test_packed_trits_come_back(torch: Any, bitnet: Any, out_features: int) -> None:
    codes = absmean_ternary(np.random.default_rng(out_features).normal(0, 1, (24, out_features))).codes
    assert set(np.unique(codes)) == {-1, 0, 1}
    packed = bitnet.pack_weights(torch.from_numpy(codes.T.copy()))  # writes into what it is given: adds 1
    assert packed.shape == (-(-out_features // 4), 24)
    rows = bitnet.unpack_weights(packed, torch.int8).numpy()  # padded to a multiple of 4 rows
    np.testing.assert_array_equal(rows[:out_features].T, codes)


@pytest.mark.parametrize("normed", [False, True])
def test_a_packed_bitlinear_gives_the_same_outputs(torch: Any, bitnet: Any, normed: bool) -> None:
    # float32: in float16 its scale 127 / max|x| is inf for tokens below 127 / 65504, and every code of theirs 127
    rng = np.random.default_rng(1)
    x, w = tokens(rng, 7, 256), absmean_ternary(weights(rng, 256, 64))
    layer = bitnet.BitLinear(256, 64, bias=False, dtype=torch.float32, use_rms_norm=normed, rms_norm_eps=1e-5)
    layer.weight = bitnet.pack_weights(torch.from_numpy(w.codes.T.copy()))
    layer.weight_scale = torch.from_numpy(1 / w.scale)  # this class divides by it, AutoBitLinear multiplies
    norm = "rms_norm" if normed else "none"
    assert_close(layer(torch.from_numpy(x)), bitlinear_quantised(x, w, norm=norm))


@pytest.mark.parametrize("online", [False, True])
def test_an_unpacked_bitlinear_gives_the_same_outputs(torch: Any, bitnet: Any, online: bool) -> None:
    rng = np.random.default_rng(2)
    x, w = tokens(rng, 7, 256), weights(rng, 256, 64)
    layer = bitnet.AutoBitLinear(
        256, 64, bias=False, dtype=torch.float32, online_quant=online, use_rms_norm=True, rms_norm_eps=1e-5
    )
    if online:
        layer.weight.copy_(torch.from_numpy(w.T.copy()))
    else:
        quantised = absmean_ternary(w)
        layer.weight.copy_(torch.from_numpy(quantised.codes.T.copy()))
        layer.weight_scale = torch.from_numpy(quantised.scale)
    assert_close(layer(torch.from_numpy(x)), bitlinear(x, w))


def test_the_norm_equals_that_of_llama_with_its_gain(torch: Any, bitnet: Any) -> None:
    rng = np.random.default_rng(3)
    x, gain = rng.normal(0, 2, (7, 256)).astype(np.float32), rng.uniform(0.5, 2, 256).astype(np.float32)
    norm = bitnet.BitLinear(256, 4, bias=False, use_rms_norm=True, rms_norm_eps=1e-5).rms_norm
    norm.weight.copy_(torch.from_numpy(gain))
    np.testing.assert_allclose(rms_norm(x, gain, epsilon=1e-5), norm(torch.from_numpy(x)).numpy(), rtol=1e-6)
