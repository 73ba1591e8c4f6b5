"""A block no two of whose sizes and norms are equal, against sums that are written out in float64."""

import math
from typing import Any

import numpy as np
import pytest

from bitjoule.sim.llm.engines import NumpyEngine
from bitjoule.sim.llm.layers import DecoderLayer, LayerCache
from bitjoule.sim.llm.linears import LinearLayer, Norm, OverflowInModelError, Run
from bitjoule.sim.llm.rope import Rope, rotary

HIDDEN, HEADS, KV_HEADS, WIDTH, FFN, TOKENS, WINDOW = 10, 6, 3, 4, 14, 7, 3
SIZES = {
    "q_proj": (HIDDEN, HEADS * WIDTH), "k_proj": (HIDDEN, KV_HEADS * WIDTH), "v_proj": (HIDDEN, KV_HEADS * WIDTH),
    "o_proj": (HEADS * WIDTH, HIDDEN), "ffn_gate": (HIDDEN, FFN), "ffn_up": (HIDDEN, FFN), "ffn_down": (FFN, HIDDEN),
}  # fmt: skip
NORMS = {
    "attention": HIDDEN, "ffn": HIDDEN, "attention_sub": HEADS * WIDTH, "ffn_sub": FFN, "attention_post": HIDDEN,
    "ffn_post": HIDDEN, "query": WIDTH, "key": WIDTH,
}  # fmt: skip
FREQUENCIES = Rope(50.0).frequencies(WIDTH)


def made(activation: str, left_out: set[str]) -> tuple[DecoderLayer, dict[str, Any], dict[str, Any]]:
    """A block of random weights and gains without some of its parts, and these weights and gains."""
    rng = np.random.default_rng(4)
    weights = {name: rng.normal(0, 0.4, size).astype(np.float32) for name, size in SIZES.items()}
    gains = {place: rng.uniform(0.3, 3, width).astype(np.float32) for place, width in NORMS.items()}
    linears = {name: LinearLayer(3, name, w) for name, w in weights.items() if name not in left_out}
    norms = {place: Norm(gain, 0.01) for place, gain in gains.items() if place not in left_out}
    return DecoderLayer(linears, norms, HEADS, KV_HEADS, WIDTH, activation, WINDOW), weights, gains


def by_hand(x: Any, weights: Any, gains: Any, function: Any, left_out: set[str]) -> Any:
    """The block's output, token by token and head by head."""

    def normed(place: str, row: Any) -> Any:
        return row if place in left_out else row / math.sqrt(np.mean(row**2) + 0.01) * gains[place]

    def turned(row: Any, position: int) -> Any:
        pairs = row[: WIDTH // 2] + 1j * row[WIDTH // 2 :]
        pairs = pairs * np.exp(1j * position * 50.0 ** -(np.arange(WIDTH // 2) / (WIDTH // 2)))
        return np.concatenate([pairs.real, pairs.imag])

    rows, keys, values = [], [], []
    for position, token in enumerate(x.astype(float)):
        row = normed("attention", token)
        queries, key, value = (
            (row @ weights[name]).reshape(-1, WIDTH).astype(float) for name in ("q_proj", "k_proj", "v_proj")
        )
        keys.append([turned(normed("key", head), position) for head in key])
        values.append(value)
        mixed = []
        for head, query in enumerate(queries):
            shared = head * KV_HEADS // HEADS
            seen = range(max(0, position - WINDOW + 1), position + 1)
            query = turned(normed("query", query), position)
            scores = np.exp([query @ keys[at][shared] / math.sqrt(WIDTH) for at in seen])
            mixed.append(sum(score * values[at][shared] for score, at in zip(scores, seen, strict=True)) / scores.sum())
        token = token + normed("attention_post", normed("attention_sub", np.concatenate(mixed)) @ weights["o_proj"])
        row = normed("ffn", token)
        inner = row @ weights["ffn_up"]
        inner = function(inner) if "ffn_gate" in left_out else function(row @ weights["ffn_gate"]) * inner
        rows.append(token + normed("ffn_post", normed("ffn_sub", inner) @ weights["ffn_down"]))
    return np.array(rows)


@pytest.mark.parametrize(
    ("activation", "function", "left_out"),
    [
        ("relu2", lambda x: np.maximum(x, 0) ** 2, set()),
        ("silu", lambda x: x / (1 + np.exp(-x)), {"attention_sub", "ffn_post", "key"}),
        ("relu", lambda x: np.maximum(x, 0), {"ffn_gate", "ffn_sub", "attention_post", "query"}),
    ],
)
def test_a_block_is_what_is_written_out(activation: str, function: Any, left_out: set[str]) -> None:
    block, weights, gains = made(activation, left_out)
    x = np.random.default_rng(5).normal(size=(TOKENS, HIDDEN)).astype(np.float32)
    expected = by_hand(x, weights, gains, function, left_out)
    for parts in ([TOKENS], [4, 1, 2]):
        cache, run, found = LayerCache(KV_HEADS, WIDTH), Run(NumpyEngine()), []
        for count in parts:
            turns = rotary(count, cache.length, FREQUENCIES)
            found.append(block(x[cache.length : cache.length + count], cache, turns, run))
        np.testing.assert_allclose(np.concatenate(found), expected, rtol=2e-4, atol=2e-5)


def test_what_is_not_finite_is_told_of_the_norm_that_gets_it() -> None:
    block, _, _ = made("relu", set())
    x = np.full((1, HIDDEN), np.inf, np.float32)
    with pytest.raises(OverflowInModelError, match=r"^norm of attention: activations are not finite in float32$"):
        block(x, LayerCache(KV_HEADS, WIDTH), None, Run(NumpyEngine()))
