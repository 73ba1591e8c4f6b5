"""The parts of a block against closed forms: the FFN's functions, norms by kind, scales of random weights."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.sim.llm.engines import (
    CheckEngine,
    EngineMismatchError,
    LinearEngine,
    MatmulRecord,
    MatmulWeights,
    NumpyEngine,
)
from bitjoule.sim.llm.layers import NormedInput, activate, attend
from bitjoule.sim.llm.linears import LinearLayer, Norm, OverflowInModelError, Run, UnfitLinearError
from bitjoule.sim.llm.synthetic import RandomTable, random_model
from bitjoule.sim.reference.quantisation import QuantisedWeights

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


@pytest.mark.parametrize("head", [None, LinearLayer(-1, "lm_head", np.ones((16, 8), np.float32))])
def test_what_leaves_the_range_before_the_head_is_told_of_the_final_norm(head: LinearLayer | None) -> None:
    style = {"layers": 1, "hidden": 16, "heads": 2, "kv_heads": 2, "head_dim": 8, "ffn": 24, "vocabulary": 8}
    model = random_model(presets()["bitnet-b1.58-3b"].model_copy(update=style))
    blocks: Any = lambda _: lambda hidden, *_: hidden * np.float32(np.inf)  # noqa: E731
    beyond = replace(model, blocks=blocks, head=head)
    with np.errstate(invalid="ignore"), pytest.raises(OverflowInModelError) as error:
        beyond.forward([1], NumpyEngine())
    assert (error.value.part, error.value.form) == ("the final norm", "float32")


class Normed(LinearEngine):
    """Keeps what it is given: inputs and gain; returns the inputs' sums."""

    normed = True

    def __init__(self) -> None:
        self.given: list[Any] = []

    def linear(self, name: str, x: Any, weights: MatmulWeights, gain: Any, epsilon: float) -> tuple[Any, float]:
        self.given.append((name, x, gain, epsilon))
        return np.repeat(x.sum(axis=1, keepdims=True), weights.codes.shape[1], axis=1), 0.25


def test_a_linear_with_a_norm_of_its_own_keeps_it_behind_the_blocks_norm() -> None:
    first, own = Norm(np.full(6, 2.0, np.float32), 1e-3), Norm(np.full(6, 3.0, np.float32), 1e-2)
    weights = MatmulWeights(QuantisedWeights(np.ones((6, 4), np.int8), np.ones(1, np.float32)))
    x, bias = np.arange(1, 13, dtype=np.float32).reshape(2, 6), np.array([0, 1, 2, 3], np.float32)
    engine, seen = Normed(), list[MatmulRecord]()
    for norm in (own, None):
        linear = LinearLayer(0, "q_proj", weights, bias, norm)
        y = NormedInput(x, first, "norm of attention", Run(engine, seen.append)).through(linear)
        np.testing.assert_array_equal(y - y[:, :1], np.tile(bias, (2, 1)))
    normed = x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-3) * 2
    for (name, inputs, gain, epsilon), expected, norm in zip(engine.given, (normed, x), (own, first), strict=True):
        assert (name, epsilon) == ("layers.0.q_proj", norm.epsilon)
        np.testing.assert_allclose(inputs, expected, rtol=1e-6)
        np.testing.assert_array_equal(gain, norm.gain)
    assert seen == 2 * [MatmulRecord(0, "q_proj", 2, 6, 4, 0.0, 0.25)]


def test_an_engine_of_linears_gets_what_it_can_take_and_the_rest_is_refused() -> None:
    x, engine = np.arange(1, 13, dtype=np.float32).reshape(2, 6), Normed()
    scales = QuantisedWeights(np.ones((6, 4), np.int8), np.ones(2, np.float32), partition="out_features")
    norm = Norm(np.full(6, 3.0, np.float32), 1e-2)
    linear = LinearLayer(0, "q_proj", MatmulWeights(scales), norm=norm)
    linear(x, Run(engine))
    np.testing.assert_array_equal(engine.given[0][1], x)
    engine.normed = False
    linear(x, Run(engine))
    np.testing.assert_allclose(engine.given[1][1], norm(x), rtol=1e-6)
    assert engine.given[1][2:] == (None, 0.0)
    np.testing.assert_allclose(LinearLayer(0, "q_proj", np.eye(6, dtype=np.float32), norm=norm)(x, Run(NumpyEngine())),
                               norm(x), rtol=1e-6)  # fmt: skip
    engine.normed = True
    for other in (Norm(norm.gain, 1e-2, "layernorm"), None):
        with pytest.raises(
            UnfitLinearError, match=r"^layers.0.q_proj: has no RMSNorm right before it, .*`norm: none`$"
        ):
            replace(linear, norm=other)(x, Run(engine))
    along = QuantisedWeights(np.ones((6, 4), np.int8), np.ones(2, np.float32), partition="in_features")
    with pytest.raises(UnfitLinearError, match="has scales for groups of in_features; expected one scale for all"):
        replace(linear, weights=MatmulWeights(along))(x, Run(engine))
    assert len(engine.given) == 2


class Wrong:
    """Multiplies, and adds what it is made with."""

    def __init__(self, added: Any) -> None:
        self.added = np.asarray(added, np.int32)

    def matmul(self, name: str, activations: Any, weights: MatmulWeights) -> Any:
        return NumpyEngine().matmul(name, activations, weights) + self.added


def test_two_engines_that_differ_are_told_with_the_first_element_and_how_many() -> None:
    weights = MatmulWeights(QuantisedWeights(np.ones((3, 4), np.int8), np.ones(1, np.float32)))
    x = np.array([[1, 2, 3], [4, 5, 6]], np.int8)  # sums: 6 and 15
    different = Wrong([[0, 0, 0, 7], [8, 0, 9, 0]])
    for engines, told in (
        ((NumpyEngine(), different), "NumpyEngine has 6, Wrong has 13"),
        ((different, NumpyEngine()), "Wrong has 13, NumpyEngine has 6"),
    ):
        expected = rf"^q: row 0 \(token\), column 3 \(output\): {told}; 3 of 8 elements differ$"
        with pytest.raises(EngineMismatchError, match=expected):
            CheckEngine(*engines).matmul("q", x, weights)
    wide = Wrong(np.zeros((3, 2, 4)))
    with pytest.raises(EngineMismatchError, match=r"^q: NumpyEngine returned shape \(2, 4\), Wrong shape \(3, 2, 4\)$"):
        CheckEngine(NumpyEngine(), wide).matmul("q", x, weights)
    assert CheckEngine(NumpyEngine(), Wrong(0)).matmul("q", x, weights).tolist() == [[6] * 4, [15] * 4]
