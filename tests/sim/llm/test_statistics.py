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
