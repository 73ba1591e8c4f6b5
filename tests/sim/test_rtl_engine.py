"""The hardware as a model's engine: the same products, the cycles of the closed form, and what is added up."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.models import presets
from bitjoule.sim.configurations import read_configuration, shipped_configurations
from bitjoule.sim.cycles import cycles
from bitjoule.sim.engines import CheckEngine, MatmulRecord, MatmulWeights, NumpyEngine
from bitjoule.sim.matmul import integer_matmul
from bitjoule.sim.quantisation import absmean_ternary
from bitjoule.sim.rtl_engine import PACKED, Measured, RtlEngine, streams, summed
from bitjoule.sim.simulators import SimulatorError
from bitjoule.sim.streams import activation_stream, result_beats, weight_stream
from bitjoule.sim.synthetic import random_model
from bitjoule.sim.verilated import Outcome, PackedWeights, Verilated

CONFIG = read_configuration("simulate_64x16")


class Hardware:
    """Computes in NumPy and takes some cycles too many."""

    config = CONFIG

    def __init__(self, late):
        self.late, self.packs = late, 0

    def pack(self, weights):
        self.packs += 1
        k, n = weights.shape
        self.weights = weights
        return PackedWeights(CONFIG, k, n, np.zeros((-(-n // 16), -(-k // 64), 1, 256), np.uint8))

    def matmul(self, activations, packed):
        taken = cycles(CONFIG, activations.shape[0], packed.k, packed.n) + self.late
        return Outcome(integer_matmul(activations, self.weights), taken)


def operands(k=100, n=40, m=3):
    rng = np.random.default_rng(5)
    activations = rng.integers(-127, 128, (m, k), dtype=np.int8)
    return activations, MatmulWeights(absmean_ternary(rng.normal(size=(k, n)).astype(np.float32)))


def test_weights_are_packed_once_and_cycles_are_remembered():
    hardware = Hardware(late=0)
    engine = RtlEngine(hardware)
    activations, weights = operands()
    for _ in range(2):
        np.testing.assert_array_equal(
            engine.matmul("q_proj", activations, weights), activations @ weights.codes.astype(int)
        )
    assert hardware.packs == 1
    assert isinstance(weights.packed[PACKED], PackedWeights)
    assert engine.last_cycles == cycles(CONFIG, 3, 100, 40)


def test_hardware_that_takes_a_cycle_too_many_is_refused_by_name():
    activations, weights = operands()
    with pytest.raises(SimulatorError, match=r"layers\.1\.q_proj: the hardware took \d+ cycles, its closed form \d+"):
        RtlEngine(Hardware(late=1)).matmul("layers.1.q_proj", activations, weights)


def test_rows_add_up_the_calls_of_a_layer_and_phase():
    def measured(layer, m, taken, zeros, new_token):
        return Measured(MatmulRecord(layer, "q_proj", m, 64, 16, 0.5, zeros), taken, new_token)

    calls = [measured(0, 4, 10, 0.5, 0), measured(0, 1, 4, 0.2, 1), measured(0, 1, 4, 0.6, 2), measured(1, 4, 9, 0, 0)]
    rows = summed(calls, CONFIG)
    assert [(row.phase, row.layer, row.tokens, row.cycles) for row in rows] == [
        ("prefill", 0, 4, 10), ("decode", 0, 2, 8), ("prefill", 1, 4, 9),
    ]  # fmt: skip
    assert rows[0].utilisation == pytest.approx(4 * 1024 / (10 * 1024))
    assert rows[1].activation_zero_share == pytest.approx(0.4)
    assert [row.weight_bits for row in rows] == [4 * 2048, 2 * 2048, 4 * 2048]  # one token a tile


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(shipped_configurations())), st.integers(1, 130), st.integers(1, 64), st.integers(1, 70))
def test_streams_are_as_long_as_the_beats_that_carry_a_matmul(name, m, k, n):
    config = read_configuration(name)
    counted = streams(config, m, k, n)
    assert counted.weight_bits == 8 * weight_stream(config, np.ones((k, n), np.int8), m).size
    assert counted.activation_bits == 8 * activation_stream(config, np.zeros((m, k), np.int8), n).size
    assert counted.result_bits == result_beats(config, m, n) * config.result_bus_bits


@pytest.mark.slow
def test_a_layer_of_the_two_billion_parameter_shape_is_bit_exact():
    shape = presets()["bitnet-b1.58-2b-4t"].model_copy(update={"layers": 1, "vocabulary": 64})
    model = random_model(shape, 0.4, seed=3)
    seen: list[SimpleNamespace] = []
    with Verilated(CONFIG) as hardware:
        engine = RtlEngine(hardware, keeps_packed=False)

        def observe(record):
            seen.append(SimpleNamespace(record=record, cycles=engine.last_cycles))

        checked = CheckEngine(engine, NumpyEngine())
        cache = model.new_cache()
        model.forward([1, 2, 3], checked, cache, observe)
        model.forward([4], checked, cache, observe)
    assert [one.record.name for one in seen[:7]] == [
        "q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down",
    ]  # fmt: skip
    assert sum(one.record.k * one.record.n for one in seen[:7]) * 30 == 2_084_044_800
    for one in seen:
        assert one.cycles == cycles(CONFIG, one.record.m, one.record.k, one.record.n)


@pytest.mark.slow
def test_toggles_per_trit_follow_what_the_adders_see():
    """Zeros through the trees change nothing; equal tokens change less than different ones."""
    config = read_configuration("tiny_8x4")
    rng = np.random.default_rng(1)
    activations = rng.integers(-127, 128, (4, 64), dtype=np.int8)
    signs = absmean_ternary(rng.choice([-1.0, 1.0], (64, 32)).astype(np.float32))
    nothing = absmean_ternary(np.zeros((64, 32), np.float32))
    with Verilated(config, workers=1) as hardware:

        def toggles(x, quantised):
            engine = RtlEngine(hardware, counts_toggles=True)
            engine.matmul("x", x, MatmulWeights(quantised))
            return engine.last_toggles_per_trit

        assert toggles(activations, nothing) < 0.1 * toggles(activations, signs)
        assert toggles(np.repeat(activations[:1], 4, axis=0), signs) < toggles(activations, signs)
        assert np.isnan(RtlEngine(hardware).last_toggles_per_trit)
