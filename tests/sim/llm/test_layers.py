"""The parts of a block against closed forms: the FFN's functions, norms by kind, scales of random weights."""

import math

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.sim.llm.engines import NumpyEngine
from bitjoule.sim.llm.layers import activate, attend
from bitjoule.sim.llm.linears import Norm
from bitjoule.sim.llm.synthetic import RandomTable, random_model

X = np.array([-3.0, -0.5, 0.0, 0.25, 1.0, 4.0], np.float32)
CLOSED = {
    "relu": lambda x: max(x, 0.0),
    "relu2": lambda x: max(x, 0.0) ** 2,
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
}


@pytest.mark.parametrize("kind", CLOSED)
def test_functions_are_their_closed_forms(kind: str) -> None:
    # gelu is its tanh form, which is within 5e-4 of the exact one (Hendrycks and Gimpel 2016)
    expected = [CLOSED[kind](float(x)) for x in X]
    np.testing.assert_allclose(activate(kind, X), expected, atol=5e-4 if kind == "gelu" else 1e-6)


def test_a_layer_norm_takes_the_mean_off_and_an_rms_norm_does_not() -> None:
    x = np.array([[1.0, 3.0, 8.0]], np.float32)
    gain = np.array([1.0, 2.0, 0.5], np.float32)
    expected = x / np.sqrt(np.mean(x**2) + 0.1) * gain
    np.testing.assert_allclose(Norm(gain, 0.1)(x), expected, rtol=1e-6)
    expected = (x - x.mean()) / np.sqrt(x.var() + 0.1) * gain
    np.testing.assert_allclose(Norm(gain, 0.1, "layernorm")(x), expected, rtol=1e-6)


def test_scores_are_divided_by_the_root_of_the_heads_width() -> None:
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(2, 3, 16)).astype(np.float32) for _ in range(3))
    scores = q.astype(float) @ k.transpose(0, 2, 1) / math.sqrt(16)
    scores[:, np.triu(np.ones((3, 3), bool), 1)] = -np.inf
    weights = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    expected = (weights @ v).transpose(1, 0, 2).reshape(3, -1)
    np.testing.assert_allclose(attend(q, k, v), expected, rtol=1e-5, atol=1e-6)


def test_random_rows_have_about_unit_variance() -> None:
    every = np.arange(-128, 128, dtype=np.int8)[:, np.newaxis]
    assert RandomTable(every).block(0, 256).std() == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize("zero_share", [0.0, 0.75])
def test_random_linears_keep_the_variance_whatever_their_zeros(zero_share: float) -> None:
    shape = presets()["bitnet-b1.58-3b"].model_copy(update={"layers": 1, "vocabulary": 8})
    weights = random_model(shape, zero_share, seed=1).blocks(0).linears["ffn_down"].weights
    codes, scale = weights.quantised.codes, float(weights.quantised.scale[0])  # type: ignore[union-attr]
    assert len(codes) * np.mean(np.square(codes[:, :64], dtype=float)) * scale**2 == pytest.approx(1.0, rel=0.02)


def test_learned_positions_go_on_where_the_cache_ends() -> None:
    style = {"layers": 1, "hidden": 16, "heads": 2, "kv_heads": 2, "head_dim": 8, "ffn": 24, "vocabulary": 8}
    shape = presets()["opt-125m"].model_copy(update={**style, "learned_positions": 6})
    model, engine = random_model(shape, seed=2), NumpyEngine()
    cache = model.new_cache()
    parts = [model.forward([token], engine, cache) for token in (1, 2, 3, 3)]
    np.testing.assert_allclose(np.concatenate(parts), model.forward([1, 2, 3, 3], engine), atol=1e-4)
    model.forward([4, 5], engine, cache)  # the last two of six
    with pytest.raises(ValueError, match=r"^7 tokens exceed the model's 6 positions$"):
        model.forward([6], engine, cache)
