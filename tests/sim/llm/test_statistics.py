"""Statistics of weights and activations, against bits that are written out one by one."""

import math
from itertools import chain, pairwise

import numpy as np
import pytest

from bitjoule.rtl.encodings import ENCODINGS
from bitjoule.sim.llm.engines import MatmulWeights
from bitjoule.sim.llm.linears import GroupedWeights, LinearLayer, Run
from bitjoule.sim.llm.statistics import Statistics, StatisticsEngine, encoded, entropy_bits, on_bus
from bitjoule.sim.reference.quantisation import QuantisedWeights


def rate(transfers):
    """Return the toggle rate of transfers, each a text of 0 and 1."""
    changes = [a != b for before, after in pairwise(transfers) for a, b in zip(before, after, strict=True)]
    return sum(changes) / len(changes)


def texts(words, word_bits, bus_bits):
    """Return whole transfers of words, the first word in the lowest bits."""
    bits = "".join(f"{word:0{word_bits}b}"[::-1] for word in words)
    return [bits[at : at + bus_bits] for at in range(0, len(bits) - bus_bits + 1, bus_bits)]


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("bus_bits", [8, 32])
def test_weights_toggle_as_their_code_words_do_row_after_row(name, bus_bits):
    encoding = ENCODINGS[name]
    choices = [-1, 0, 1] if encoding.zero else [-1, 1]
    codes = np.random.default_rng(1).choice(choices, size=(40, 12)).astype(np.int8)  # (K, N)
    statistics = Statistics()
    statistics.count_weights(codes, bus_bits)
    flat = [int(code) for column in codes.T for code in column]
    words = [encoding.encoded[tuple(flat[at : at + encoding.trits])] for at in range(0, len(flat), encoding.trits)]
    assert statistics.row()[f"toggle_rate_{name}"] == pytest.approx(
        rate(texts(words, encoding.bits, bus_bits)), rel=1e-12
    )


def test_signs_have_no_rate_where_zeros_cannot_be_encoded():
    statistics = Statistics()
    statistics.count_weights(np.array([[0, 1], [-1, 1]] * 40, np.int8))
    row = statistics.row()
    assert math.isnan(row["toggle_rate_binary1"])
    assert row["weights"] == 160
    assert row["weight_zero_share"] == row["weight_negative_share"] == 0.25
    assert row["weight_entropy_bits"] == pytest.approx(1.5)  # a half, a quarter, a quarter


def test_activations_toggle_on_the_bus_and_in_a_lane():
    codes = np.array([[1, -1, 0, 3], [1, 0, 0, -3], [-128, 127, 5, 5]], np.int8)
    statistics = Statistics()
    statistics.count_weights(np.ones((4, 1), np.int8))
    statistics.count_activations(codes, bus_bits=16)
    row = statistics.row()
    unsigned = (codes.astype(int) & 255).tolist()
    assert row["activation_toggle_rate"] == rate(texts(chain.from_iterable(unsigned), 8, 16))
    assert row["lane_toggle_rate"] == rate(["".join(f"{code:08b}" for code in token) for token in unsigned])
    assert row["activation_zero_share"] == 3 / 12
    assert row["activation_mean"] == pytest.approx(codes.mean())
    assert row["activation_deviation"] == pytest.approx(codes.astype(float).std())
    assert row["activation_largest"] == 128
    assert row["tokens"] == 3


def test_entropy_is_that_of_the_definition():
    assert entropy_bits(np.array([7, 0, 0])) == 0.0
    assert entropy_bits(np.array([1, 1, 1])) == pytest.approx(math.log2(3))


def test_what_does_not_fill_a_byte_or_a_transfer_is_left_out():
    assert encoded([1, 1, 1, 1, -1], "ternary2").tolist() == [0b01010101]
    assert on_bus(np.arange(5, dtype=np.uint8), 16).tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_first_weight_has_the_lowest_bits_of_a_byte(name):
    encoding = ENCODINGS[name]
    count = 8 // encoding.bits * encoding.trits
    codes = np.random.default_rng(6).choice([-1, 0, 1] if encoding.zero else [-1, 1], size=3 * count + 1).tolist()
    words = [encoding.encoded[tuple(codes[at : at + encoding.trits])] for at in range(0, 3 * count, encoding.trits)]
    expected = [int(text[::-1], 2) for text in texts(words, encoding.bits, encoding.bits * (8 // encoding.bits))]
    assert encoded(codes, name).tolist() == expected


@pytest.mark.parametrize("bus_bits", [8, 24])
def test_an_engine_counts_on_a_bus_of_its_width_token_after_token(bus_bits):
    random = np.random.default_rng(8)
    codes = random.choice([-1, 0, 1], size=(10, 6), p=[0.1, 0.6, 0.3]).astype(np.int8)
    linear = LinearLayer(0, "q_proj", MatmulWeights(QuantisedWeights(codes, np.ones(1, np.float32))))
    engine, x = StatisticsEngine(bus_bits), random.normal(size=(7, 10)).astype(np.float32)
    linear(x, Run(engine, engine.observe))
    row = engine.linears["layers.0.q_proj"].row()
    largest = np.abs(x).max(axis=1, keepdims=True)
    unsigned = (np.clip(np.rint(x * (127 / largest)), -128, 127).astype(int) & 255).ravel().tolist()
    assert row["activation_toggle_rate"] == pytest.approx(rate(texts(unsigned, 8, bus_bits)), rel=1e-12)
    words = [ENCODINGS["ternary2"].encoded[int(code),] for code in codes.T.ravel()]
    assert row["toggle_rate_ternary2"] == pytest.approx(rate(texts(words, 2, bus_bits)), rel=1e-12)


def test_a_lane_goes_on_from_the_last_token_of_its_own_group():
    random = np.random.default_rng(3)
    groups = [
        MatmulWeights(QuantisedWeights(random.choice([-1, 0, 1], size=(8, 6)).astype(np.int8), np.ones(1, np.float32)))
        for _ in range(2)
    ]
    linear, engine = LinearLayer(0, "q_proj", GroupedWeights(tuple(groups))), StatisticsEngine()
    seen = []
    for tokens in (3, 1, 1):
        x = random.normal(size=(tokens, 16)).astype(np.float32)
        largest = np.abs(x).max(axis=1, keepdims=True)
        seen.append(np.clip(np.rint(x * (127 / largest)), -128, 127).astype(int))
        linear(x, Run(engine, engine.observe))
    codes = np.vstack(seen) & 255
    expected = rate(["".join(f"{code:08b}" for code in token) for token in codes])
    (statistics,) = engine.linears.values()
    assert statistics.row()["lane_toggle_rate"] == pytest.approx(expected)
    assert statistics.row()["weights"] == 2 * 8 * 6  # each group once, however many tokens came
    assert list(engine.by_kind()) == ["q_proj", "all"]


def test_shares_are_of_their_own_sign_and_entropies_of_what_came():
    statistics = Statistics()
    statistics.count_weights(np.repeat(np.array([-1, 0, 1], np.int8), (1, 2, 5)).reshape(4, 2))
    statistics.count_activations(np.array([[-3, -3, -3, 9, 0, 0]], np.int8))
    row = statistics.row()
    assert (row["weight_negative_share"], row["weight_zero_share"]) == (1 / 8, 2 / 8)
    shares = (1 / 8, 2 / 8, 5 / 8)
    assert row["weight_entropy_bits"] == pytest.approx(-sum(share * math.log2(share) for share in shares))
    assert (row["activation_zero_share"], row["activation_mean"], row["activation_largest"]) == (1 / 3, 0, 9)
    assert row["activation_entropy_bits"] == pytest.approx(0.5 + math.log2(3) / 3 + math.log2(6) / 6)
    assert row["activation_deviation"] == pytest.approx(math.sqrt((3 * 9 + 81) / 6))


def test_linears_of_one_name_are_counted_together_and_all_of_them_last():
    """Counts add up; a rate is that of all changes over all chances, not a mean of rates."""
    random, engine = np.random.default_rng(5), StatisticsEngine()
    counted = {}
    for layer, name, k, m in ((0, "q_proj", 8, 5), (0, "ffn_up", 16, 3), (1, "q_proj", 24, 2)):
        codes = random.choice([-1, 0, 1], size=(k, 4), p=[0.1, 0.2, 0.7]).astype(np.int8)
        x = random.integers(-9, 10, (m, k)).astype(np.int8)
        counted[f"layers.{layer}.{name}"] = one = Statistics()
        one.count_weights(codes, bus_bits=8)
        one.count_activations(x, bus_bits=8)
        engine.linears[f"layers.{layer}.{name}"] = one
    kinds = engine.by_kind()
    assert list(kinds) == ["q_proj", "ffn_up", "all"]
    for kind, members in (("q_proj", [0, 2]), ("ffn_up", [1]), ("all", [0, 1, 2])):
        parts = [list(counted.values())[at] for at in members]
        found = kinds[kind]
        assert found.tokens == sum(part.tokens for part in parts)
        np.testing.assert_array_equal(found.weights, sum(part.weights for part in parts))
        np.testing.assert_array_equal(found.activations, sum(part.activations for part in parts))
        for lines in ("read", "held"):
            changed, chances = (
                sum(getattr(getattr(part, lines), of) for part in parts) for of in ("changed", "chances")
            )
            assert getattr(found, lines).rate == changed / chances
        for encoding in ("ternary2", "ternary5"):
            changed, chances = (
                sum(getattr(part.stored[encoding], of) for part in parts) for of in ("changed", "chances")
            )
            assert found.stored[encoding].rate == changed / chances
    again = engine.by_kind()
    assert {kind: made.row()["tokens"] for kind, made in again.items()} == {"q_proj": 7, "ffn_up": 3, "all": 10}
