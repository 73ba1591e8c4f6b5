"""The arithmetic of the hardware's BitLinear against the reference in float64, and against transformers."""

import warnings

import numpy as np
import pytest

from bitjoule.sim.reference.bitlinear import absmean_ternary, bitlinear_quantised, rms_norm, sign_binary
from bitjoule.sim.reference.float_formats import from_bits, rounded, to_bits
from bitjoule.sim.reference.hardware_linear import canonical, hardware_bitlinear, rescaled
from bitjoule.sim.reference.hardware_norm import hardware_rms_norm
from bitjoule.sim.reference.quantisation import QuantisedWeights

PLACES = {"fp16": 11, "bf16": 8, "fp32": 24}
LEAST = {"fp16": 2.0**-24, "bf16": 2.0**-133, "fp32": 2.0**-149}  # subnormal
FORMATS = sorted(PLACES)


def bound(form, values, arithmetic=2.0**-22):
    return (2.0 ** -PLACES[form] + arithmetic) * np.abs(values.astype(np.float64)) + LEAST[form] / 2


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("quantise", [absmean_ternary, sign_binary])
def test_outputs_lie_within_a_rounding_of_those_of_the_reference(form, quantise):
    random = np.random.default_rng(0)
    for spread in (1e-6, 0.02, 1.0, 30.0):  # the first gives subnormal FP16 outputs
        x = rounded(random.normal(0, spread, (20, 96)), form)
        weights = quantise(random.normal(0, 0.02, (96, 40)).astype(np.float32))
        expected = bitlinear_quantised(x, weights, norm="none")
        got = hardware_bitlinear(x, weights, form)
        assert (np.abs(got.astype(np.float64) - expected) <= bound(form, expected)).all()
        assert len(np.unique(got)) > 10


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_outputs_lie_within_the_stated_bound_of_those_of_transformers(form):
    """Its layer in float32, with activations that the format holds: the codes are the same, the scales divide."""
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script", DeprecationWarning)
        bitnet = pytest.importorskip("transformers.integrations.bitnet")
    random = np.random.default_rng(1)
    x = rounded(random.normal(0, 2, (64, 512)), form)
    weights = absmean_ternary(random.normal(0, 0.02, (512, 128)).astype(np.float32))
    layer = bitnet.BitLinear(512, 128, bias=False, dtype=torch.float32)
    layer.weight = bitnet.pack_weights(torch.from_numpy(weights.codes.T.copy()))
    layer.weight_scale = torch.from_numpy(1 / weights.scale)
    with torch.compiler.set_stance("force_eager"), torch.no_grad():
        expected = layer(torch.from_numpy(x.astype(np.float32))).numpy()
    got = hardware_bitlinear(x, weights, form)
    assert (np.abs(got.astype(np.float64) - expected) <= bound(form, expected, 2.0**-21)).all()


@pytest.mark.parametrize("form", FORMATS)
def test_the_norm_lies_within_its_roundings_of_that_in_float64(form):
    random = np.random.default_rng(2)
    x = rounded(random.normal(0, 2, (20, 300)) * 2.0 ** random.integers(-6, 6, (20, 1)), form)
    gain = rounded(random.normal(1, 0.5, 300), form)
    expected = rms_norm(x, gain).astype(np.float64)
    for lanes in (1, 4, 64):
        got = hardware_rms_norm(x, gain, form, lanes=lanes).astype(np.float64)
        # Two roundings to the format, of which the first may be subnormal; sums of 300 squares in float32.
        allowed = (2 * 2.0 ** -PLACES[form] + 300 * 2.0**-24) * np.abs(expected) + LEAST[form] * (1 + np.abs(gain))
        assert (np.abs(got - expected) <= allowed).all()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["fp16", "bf16"])
def test_the_norm_rounds_where_that_of_transformers_does(form):
    """Of half-precision models, values differ by at most one last place, where float32 sums ended in other bits."""
    torch = pytest.importorskip("torch")
    llama = pytest.importorskip("transformers.models.llama.modeling_llama")
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}[form]
    random = np.random.default_rng(3)
    x, gain = rounded(random.normal(0, 2, (30, 256)), form), rounded(random.normal(1, 0.5, 256), form)
    norm = llama.LlamaRMSNorm(256, eps=1e-5)
    norm.weight.data = torch.from_numpy(gain.astype(np.float32)).to(dtype)
    with torch.no_grad():
        expected = norm(torch.from_numpy(x.astype(np.float32)).to(dtype)).float().numpy()
    got = hardware_rms_norm(x, gain, form, lanes=4).astype(np.float32)
    assert (got != expected).mean() < 0.01
    np.testing.assert_allclose(got, expected, rtol=3 * 2.0 ** -PLACES[form])


@pytest.mark.parametrize("form", FORMATS)
def test_a_token_that_is_not_finite_spoils_itself_alone(form):
    x = rounded(np.ones((4, 8)), form)
    x[1, 3], x[2, 5] = np.inf, np.nan
    weights = absmean_ternary(np.eye(8, dtype=np.float32))
    y = hardware_bitlinear(x, weights, form)
    assert np.isnan(y[1:3]).all()
    assert np.isfinite(y[[0, 3]]).all()
    normed = hardware_bitlinear(x, weights, form, gain=rounded(np.ones(8), form))
    assert np.isnan(normed[1:3]).all()
    assert np.isfinite(normed[[0, 3]]).all()


def test_zeros_stay_zero_and_the_least_step_is_that_of_the_clamp():
    weights = absmean_ternary(np.ones((8, 2), np.float32))
    assert not hardware_bitlinear(np.zeros((1, 8), np.float16), weights).any()
    x = np.zeros((1, 8), np.float32)
    x[0, 0] = 1e-6  # a tenth of the clamp: code 13
    y = hardware_bitlinear(x, weights, "fp32")
    np.testing.assert_allclose(y, 13 * 1e-5 / 127, rtol=1e-6)


@pytest.mark.parametrize("form", FORMATS)
def test_bits_come_back(form):
    bits = np.random.default_rng(4).integers(0, 1 << (32 if form == "fp32" else 16), 5000)
    values = from_bits(bits.astype(np.uint32), form)
    kept = ~np.isnan(values)
    np.testing.assert_array_equal(to_bits(values, form)[kept], bits[kept])
    assert (to_bits(values, form)[~kept] != 0).all()
    np.testing.assert_array_equal(rounded(values[kept].astype(np.float64), form), values[kept])


def test_bf16_is_rounded_to_nearest_even_as_torch_does():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(5)
    values = random.integers(0, 1 << 32, 20000).astype(np.uint32).view(np.float32)
    ties = (random.integers(0, 1 << 16, 2000).astype(np.uint32) << 16 | 0x8000).view(np.float32)
    both = np.concatenate([values, ties])
    both = both[~np.isnan(both)]
    expected = torch.from_numpy(both).to(torch.bfloat16).float().numpy()
    np.testing.assert_array_equal(rounded(both.astype(np.float64), "bf16"), expected)


def test_wrong_input_is_refused():
    weights = absmean_ternary(np.ones((8, 2), np.float32))
    with pytest.raises(TypeError, match="values of fp16 are float32, expected an array of float16"):
        hardware_bitlinear(np.ones((1, 8), np.float32), weights)
    with pytest.raises(ValueError, match=r"x has shape \(1, 7\); weights of shape \(8, 2\) need \(M, 8\)"):
        hardware_bitlinear(np.ones((1, 7), np.float16), weights)
    several = QuantisedWeights(weights.codes, np.ones(2, np.float32))
    with pytest.raises(ValueError, match="weights have 2 scales; the hardware takes one a command"):
        hardware_bitlinear(np.ones((1, 8), np.float16), several)
    with pytest.raises(ValueError, match="form is 'fp8', expected one of fp16, bf16, fp32"):
        rounded(np.ones(2), "fp8")
    with pytest.raises(ValueError, match="a value is no BF16 number"):
        to_bits(np.array([1.0001], np.float32), "bf16")
    with pytest.raises(ValueError, match="gain has shape"):
        hardware_rms_norm(np.ones((1, 8), np.float16), np.ones(7, np.float16), "fp16")
    with pytest.raises(ValueError, match="epsilon is 0"):
        hardware_rms_norm(np.ones((1, 8), np.float16), np.ones(8, np.float16), "fp16", 0.0)
    with pytest.raises(ValueError, match="a product has more than 29 bits"):
        rescaled(np.array([[1 << 29]]), np.ones((1, 1), np.float32), np.float32(1), "fp16")


def test_there_is_one_nan():
    values = np.array([np.nan, -np.nan, 1.0], np.float16)
    assert canonical(values, "fp16").tolist() == [0x7E00, 0x7E00, 0x3C00]
