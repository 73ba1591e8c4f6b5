"""What a hardware run adds up, by hand: toggles of a window, and rows of calls of different sizes."""

from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.cycles import cycles
from bitjoule.sim.accelerator.rtl_engine import MeasuredMatmul, RtlEngine, summed
from bitjoule.sim.accelerator.saif import Toggles
from bitjoule.sim.accelerator.verilated import MatmulOutcome, PackedWeights
from bitjoule.sim.llm.engines import MatmulRecord, MatmulWeights
from bitjoule.sim.reference.matmul import integer_matmul
from bitjoule.sim.reference.quantisation import QuantisedWeights

CONFIG = AcceleratorConfig(lanes=8, columns=2, max_k=64, weight_bus_bits=32)
M, K, N = 40, 64, 20
NETS = {
    "top/column0/dot_product/level0_0_sum": 900, "top/column1/dot_product/level0_1_carry": 70,
    "top/column1/dot_product/level2_0": 8, "top/column0/dot_product/level0_0_a": 10_000, "top/level0_0_sum": 20_000,
}  # fmt: skip


class Hardware:
    """Computes in NumPy, takes the closed form's cycles and counts toggles that are known."""

    config = CONFIG

    def pack(self, weights):
        self.weights = weights
        return PackedWeights(CONFIG, *weights.shape, np.zeros((10, 8, 1, 4), np.uint8))

    def matmul(self, activations, packed):
        return MatmulOutcome(
            integer_matmul(activations, self.weights), cycles(CONFIG, len(activations), packed.k, packed.n)
        )

    def toggles(self, activations, packed, window, complete):  # noqa: ARG002
        return SimpleNamespace(toggles=Toggles(window.cycles, NETS))


@pytest.mark.parametrize("m", [1, M])
def test_toggles_of_a_window_are_scaled_to_the_trits_that_the_window_saw(monkeypatch, m):
    monkeypatch.setattr("bitjoule.sim.accelerator.rtl_engine.native_library", lambda *_: None)
    taken = cycles(CONFIG, m, K, N)
    assert (taken > 1000) == (m == M)  # only one of the two is longer than the window
    engine = RtlEngine(Hardware(), counts_toggles=True)
    codes = np.ones((K, N), np.int8)
    engine.matmul("x", np.ones((m, K), np.int8), MatmulWeights(QuantisedWeights(codes, np.ones(1, np.float32))))
    trits = m * K * N * min(1000, taken) / taken
    assert engine.last_toggles_per_trit == pytest.approx((900 + 70 + 8) / trits)


def test_the_groups_of_a_linear_are_one_row_of_all_its_in_features():
    def call(m, taken, zeros, new_token):
        return MeasuredMatmul(MatmulRecord(0, "ffn_up", m, 64, 20, zeros, 0.5, groups=2), taken, new_token)

    calls = [call(3, 50, 0.25, 0), call(3, 60, 0.5, 0), call(1, 7, 0.25, 1), call(1, 8, 0.5, 1), call(1, 7, 0.25, 2),
             call(1, 8, 0.5, 2)]  # fmt: skip
    prefill, decode = summed(calls, CONFIG)
    assert (prefill.tokens, prefill.k, prefill.n, prefill.cycles, prefill.groups) == (3, 128, 20, 110, 2)
    assert (decode.tokens, decode.cycles) == (2, 30)
    assert prefill.weight_zero_share == pytest.approx(0.375)
    assert prefill.utilisation == pytest.approx(3 * 128 * 20 / (110 * 8 * 2))
    assert prefill.result_bits == 2 * 3 * 10 * 2 * 16  # the sums of both groups


def test_a_row_weighs_its_calls_by_their_tokens():
    def call(m, taken, zeros, new_token, toggles):
        return MeasuredMatmul(MatmulRecord(3, "ffn_up", m, 64, 20, 0.25, zeros), taken, new_token, toggles)

    row, decode = summed([call(6, 100, 0.5, 0, 1.5), call(2, 20, 0.1, 0, 9.0), call(1, 7, 0.9, 1, 4.0)], CONFIG)
    assert (row.phase, row.layer, row.name, row.k, row.n) == ("prefill", 3, "ffn_up", 64, 20)
    assert (row.tokens, row.cycles) == (8, 120)
    assert row.activation_zero_share == pytest.approx((6 * 0.5 + 2 * 0.1) / 8)
    assert row.weight_zero_share == 0.25
    assert row.utilisation == pytest.approx(8 * 64 * 20 / (120 * 8 * 2))
    assert row.toggles_per_trit == 1.5  # of the first call
    # 8 tiles of K and 10 of N, each 8 x 2 trits of two bits; activations a byte; two sums of 16 bits a beat
    assert row.weight_bits == 8 * 80 * 32
    assert row.activation_bits == 8 * 80 * 8 * 8
    assert row.result_bits == 8 * 10 * 2 * 16
    assert (decode.phase, decode.tokens, decode.activation_zero_share) == ("decode", 1, 0.9)
