"""Whole models quantised after their training."""

from dataclasses import replace

import numpy as np
import pytest

from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.engines import NumpyEngine
from bitjoule.sim.llm.trained import shipped_models
from bitjoule.sim.post_training.evaluate import mean_loss, windows
from bitjoule.sim.post_training.grids import round_to_nearest
from bitjoule.sim.post_training.methods import METHODS, divisors
from bitjoule.sim.post_training.quantise import quantise
from bitjoule.sim.training.texts import named_text

CONTEXT = 128
ORDER = ["gptq-w4", "gptq-w3", "gptq-w2", "absmean-ternary", "sign-mean"]


@pytest.fixture(scope="module")
def model():
    return load_model(shipped_models()["tiny-fp16"]).model


@pytest.fixture(scope="module")
def texts():
    corpus = named_text("prose")
    return windows(corpus.train, CONTEXT, 3), windows(corpus.held_out, CONTEXT, 4)


@pytest.fixture(scope="module")
def losses(model, texts):
    calibration, held_out = texts
    names = (*ORDER, "absmax-w8a8")
    after = {name: mean_loss(quantise(model, METHODS[name], calibration)[0], held_out) for name in names}
    return {"float": mean_loss(model, held_out), **after}


def test_windows_predict_each_byte_once():
    text = bytes(range(50))
    parts = windows(text, 8)
    assert [byte for part in parts for byte in part[1:]] == list(range(1, 49))
    assert [len(part) for part in parts] == [9] * 6
    assert len(windows(text, 8, most=3)) == 3


def test_the_loss_is_the_mean_surprise(model):
    part = list(b"Return the sum")
    expected = []
    for end in range(1, len(part)):
        logits = model.forward(part[:end], NumpyEngine(), last_only=True)[0].astype(float)
        expected.append(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[part[end]])
    assert mean_loss(model, [part]) == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_order_of_losses_is_that_of_the_bits(losses):
    """As BitNet's Table 3 has it (arXiv:2310.11453): 8 bits cost nothing, 2 and 1 bits after training collapse."""
    assert sorted(ORDER, key=losses.__getitem__) == ORDER
    assert abs(losses["absmax-w8a8"] - losses["float"]) < 0.01
    assert losses["absmean-ternary"] > losses["float"] + 1


def test_trained_trits_beat_trits_after_training(losses, texts):
    trained = load_model(shipped_models()["tiny-b158"]).model
    assert mean_loss(trained, texts[1]) < losses["gptq-w2"] < losses["absmean-ternary"]


def test_no_matrix_is_nearer_than_its_levels_allow(model, texts):
    for name in ("absmax-w4a4", "gptq-w2", "absmean-ternary", "sign-mean", "smoothquant-w4a4"):
        _, rounded = quantise(model, METHODS[name], texts[0][:1])
        assert len(rounded) == 7 * model.shape.layers
        assert sum(matrix.weights.size for matrix in rounded) == 442_368
        assert all(0 < matrix.least_error <= matrix.error for matrix in rounded[::5])


def test_activations_are_rounded_where_the_method_says(model, texts):
    method = replace(METHODS["absmax-w8a8"], round=lambda weights, inputs, random: weights)  # noqa: ARG005
    part = texts[1][0]
    by_bits = {}
    for bits in (0, 2, 8):
        quantised, _ = quantise(model, replace(method, activation_bits=bits), texts[0][:1])
        by_bits[bits] = mean_loss(quantised, [part])
    assert by_bits[0] == pytest.approx(mean_loss(model, [part]), rel=1e-6)
    assert abs(by_bits[8] - by_bits[0]) < 0.02 < by_bits[2] - by_bits[0]


def test_blocks_are_calibrated_on_what_quantised_blocks_give(model, texts):
    """The inputs of the last block's queries are those of a model whose earlier blocks are rounded."""
    seen = []
    method = replace(
        METHODS["sign-mean"], activation_bits=0,
        round=lambda weights, inputs, random: seen.append(inputs) or round_to_nearest(weights, 1),  # noqa: ARG005
    )  # fmt: skip
    quantised, _ = quantise(model, method, texts[0][:1])
    again = []
    replay = replace(
        method, round=lambda weights, inputs, random: again.append(inputs) or weights,  # noqa: ARG005
    )  # fmt: skip
    quantise(quantised, replay, texts[0][:1])
    np.testing.assert_allclose(again[-7], seen[-7], rtol=1e-4, atol=1e-5)


def test_smoothing_is_one_for_the_linears_of_an_input():
    weights = {
        name: np.random.default_rng(i).normal(size=(4, 3)) for i, name in enumerate(("q_proj", "k_proj", "o_proj"))
    }
    inputs = {name: np.arange(8.0).reshape(2, 4) for name in weights}
    found = divisors(weights, inputs)
    assert set(found) == {"q_proj", "k_proj"}
    np.testing.assert_array_equal(found["q_proj"], found["k_proj"])


def test_a_quantised_model_is_refused(texts):
    with pytest.raises(TypeError, match=r"layers\.0\.q_proj holds quantised weights, expected floats"):
        quantise(load_model(shipped_models()["tiny-b158"]).model, METHODS["gptq-w4"], texts[0][:1])


def test_weights_of_any_precision_are_quantised_as_they_are(model):
    """The model that ships holds what half precision can hold; others hold more."""
    fine = replace(model, blocks=lambda index: with_digits(model.blocks(index)))
    _, rounded = quantise(fine, METHODS["absmax-w8a8"], [list(b"Return the sum")])
    wanted = {linear.full_name: linear.weights for i in range(model.shape.layers)
              for linear in with_digits(model.blocks(i)).linears.values()}  # fmt: skip
    assert {each.linear for each in rounded} == set(wanted)
    for each in rounded:
        np.testing.assert_array_equal(each.weights, wanted[each.linear])
        assert not np.array_equal(each.weights, each.weights.astype(np.float16))


def with_digits(block):
    """Return a block whose weights have more digits than half precision."""
    linears = {name: replace(each, weights=each.weights.astype(np.float32) * np.float32(1 + 2.0**-15))
               for name, each in block.linears.items()}  # fmt: skip
    return replace(block, linears=linears)
