"""The hardware as a model's engine: the same products, the cycles of the closed form, and what is added up."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vcdvcd import VCDVCD

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator import native_machine
from bitjoule.sim.accelerator.configurations import read_configuration, shipped_configurations
from bitjoule.sim.accelerator.cycles import cycles
from bitjoule.sim.accelerator.rtl_engine import PACKED, WINDOW_CYCLES, MeasuredMatmul, RtlEngine, streams, summed
from bitjoule.sim.accelerator.streams import activation_stream, result_beats, weight_stream
from bitjoule.sim.accelerator.verilated import MatmulOutcome, PackedWeights, Verilated
from bitjoule.sim.bench.simulators import SimulatorError
from bitjoule.sim.llm.engines import CheckEngine, MatmulRecord, MatmulWeights, NumpyEngine
from bitjoule.sim.llm.synthetic import random_model
from bitjoule.sim.reference.matmul import integer_matmul
from bitjoule.sim.reference.quantisation import absmean_ternary
from tests.sampling import one_of_each

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
        return MatmulOutcome(integer_matmul(activations, self.weights), taken)


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


def test_hardware_that_takes_two_cycles_too_many_is_refused_by_name():
    activations, weights = operands()
    expected = cycles(CONFIG, 3, 100, 40)
    with pytest.raises(SimulatorError) as error:
        RtlEngine(Hardware(late=2)).matmul("layers.1.q_proj", activations, weights)
    assert str(error.value) == (
        f"layers.1.q_proj: the hardware took {expected + 2} cycles, the closed form gives {expected}"
    )


def test_rows_add_up_the_calls_of_a_layer_and_phase():
    def measured(layer, m, taken, zeros, new_token):
        return MeasuredMatmul(MatmulRecord(layer, "q_proj", m, 64, 16, 0.5, zeros), taken, new_token)

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
    kind = np.float16 if config.floating_point else np.int8
    assert counted.weight_bits == 8 * weight_stream(config, np.ones((k, n), kind), m).size
    assert counted.activation_bits == 8 * activation_stream(config, np.zeros((m, k), kind), n).size
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


def lanes_of(wave, cycle, column):
    """The trits and activations that a column of eight lanes has at the end of a cycle."""
    name = f"column{column}.dot_product."
    bits = {
        port: int(next(wave[one] for one in wave.signals if f".{name}{port}[" in one)[2 * cycle + 1], 2)
        for port in ("plus", "minus", "activations")
    }
    lanes = range(8)
    trits = [(bits["plus"] >> lane & 1) - (bits["minus"] >> lane & 1) for lane in lanes]
    return trits, [(bits["activations"] >> 8 * lane & 255) for lane in lanes]


def compressors(trits, activations):
    """The sums and carries of 3:2 compressors, in the order of docs/hardware.md: widest words first."""
    words = [({1: ~x, -1: x, 0: 0}[trit] & 255 ^ 127, 8) for trit, x in zip(trits, activations, strict=True)]
    units = [int(trit != 1) for trit in trits]
    limit = (8 * 255 + 8).bit_length()
    seen = []
    while len(words) > 2:
        words.sort(key=lambda word: -word[1])
        following = []
        for i in range(0, len(words) - 2, 3):
            (a, wide), (b, middle), (c, _) = words[i : i + 3]
            carry = ((a & b | a & c | b & c) & (1 << middle) - 1) << 1 | (units.pop(0) if units else 0)
            seen += [a ^ b ^ c, carry]
            following += [(value & (1 << limit) - 1, min(width, limit)) for value, width in
                          ((a ^ b ^ c, wide), (carry, middle + 1))]  # fmt: skip
        words = following + words[len(words) - len(words) % 3 :]
    return seen


def pairwise_sums(trits, activations):
    """The sums of a binary tree, each in as many bits as it may need."""
    words = [trit * (x - (x >> 7 << 8)) for trit, x in zip(trits, activations, strict=True)]
    seen, bits = [], 9
    while len(words) > 1:
        bits += 1
        words = [a + b for a, b in zip(words[::2], words[1::2], strict=True)]
        seen += [word & (1 << bits) - 1 for word in words]
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("datapath", "outputs"), one_of_each([[("multiplexer", pairwise_sums), ("carry_save", compressors)]], "toggles")
)
def test_toggles_per_trit_are_those_of_the_adders_outputs_each_once(tmp_path, datapath, outputs):
    """From what the columns are given in each cycle, NumPy knows what their adders put out."""
    config = AcceleratorConfig(8, 2, 64, 32, tokens=2, datapath=datapath)
    rng = np.random.default_rng(7)
    activations = rng.integers(-127, 128, (3, 40), dtype=np.int8)
    weights = MatmulWeights(absmean_ternary(rng.normal(size=(40, 6)).astype(np.float32)))
    with Verilated(config, workers=1) as hardware:
        engine = RtlEngine(hardware, counts_toggles=True)
        engine.matmul("x", activations, weights)
        hardware.waveform(tmp_path / "a.vcd", activations, weights.codes)
    taken = cycles(config, 3, 40, 6)
    wave = VCDVCD(str(tmp_path / "a.vcd"))
    changed = 0
    for column in range(2):
        seen = [outputs(*lanes_of(wave, cycle, column)) for cycle in range(taken)]
        changed += sum(
            (a ^ b).bit_count() for before, after in pairwise(seen) for a, b in zip(before, after, strict=True)
        )
    assert changed > 1000
    assert engine.last_toggles_per_trit == pytest.approx(changed / (3 * 40 * 6), rel=1e-12)


@pytest.mark.slow
def test_toggles_are_counted_in_each_phase_and_no_further_than_the_window(monkeypatch):
    """A prompt of one token is not taken for a new token, and a long matmul is not run to its end again."""
    config = read_configuration("tiny_8x4")
    rng = np.random.default_rng(1)
    signs = MatmulWeights(absmean_ternary(rng.choice([-1.0, 1.0], (64, 400)).astype(np.float32)))
    run = []
    with Verilated(config, workers=1) as hardware:
        engine = RtlEngine(hardware, counts_toggles=True)
        monkeypatch.setattr(
            native_machine.NativeMachine, "run",
            lambda self, tasks, stop, until=None, run_=native_machine.NativeMachine.run: run.append(until)
            or run_(self, tasks, stop, until),
        )  # fmt: skip
        found = {}
        for phase, activations in (("prefill", np.zeros((1, 64), np.int8)), ("decode", np.full((1, 64), 99, np.int8))):
            engine.phase = phase
            engine.matmul("x", activations, signs)
            found[phase] = engine.last_toggles_per_trit
    assert cycles(config, 1, 64, 400) > WINDOW_CYCLES
    assert run == [None, WINDOW_CYCLES] * 2
    assert found["prefill"] != found["decode"]


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
