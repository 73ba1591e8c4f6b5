"""Whole linears of a model on the hardware: operands in its format, a command for each scale, every output compared."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.configurations import read_design
from bitjoule.sim.accelerator.linear.engine import Compared, RtlLinears
from bitjoule.sim.accelerator.linear.simulated import LinearOutcome, SimulatedLinear
from bitjoule.sim.accelerator.linear_cycles import linear_cycles
from bitjoule.sim.accelerator.rtl_engine import WINDOW_CYCLES
from bitjoule.sim.accelerator.saif import Toggles
from bitjoule.sim.bench.simulators import SimulatorError
from bitjoule.sim.llm.checkpoints.loading import open_model
from bitjoule.sim.llm.engines import EngineMismatchError, MatmulWeights, NumpyEngine
from bitjoule.sim.llm.linears import GroupedWeights, LinearLayer, Norm, OverflowInModelError, Run, UnfitLinearError
from bitjoule.sim.llm.synthetic import random_model
from bitjoule.sim.llm.trained import shipped_models
from bitjoule.sim.reference.bitlinear import absmean_ternary
from bitjoule.sim.reference.float_formats import rounded
from bitjoule.sim.reference.hardware_linear import hardware_bitlinear
from bitjoule.sim.reference.quantisation import QuantisedWeights

ARRAY = AcceleratorConfig(8, 4, 512, 32, tokens=3)
PLAIN, NORMED = LinearConfig(ARRAY, "fp16", 2), LinearConfig(ARRAY, "bf16", 4, "rms_norm")


class Hardware:
    """Computes in NumPy; may get a bit of the last output wrong, or take some cycles too many."""

    def __init__(self, config, wrong_bit=False, late=0):
        self.config, self.wrong_bit, self.late, self.commands = config, wrong_bit, late, []

    def pack(self, codes):
        class Packed:
            k, n = codes.shape
            trits = codes

        return Packed

    def linear(self, x, packed, scale, gain=None, epsilon=None):
        weights = QuantisedWeights(packed.trits, np.array([scale]))
        norm = {} if gain is None else {"gain": gain, "epsilon": float(epsilon)}
        y = hardware_bitlinear(x, weights, self.config.format, **norm, lanes=self.config.lanes)
        if self.wrong_bit:
            y[-1, -1] = (
                np.nextafter(y[-1, -1], np.inf, dtype=y.dtype) if self.config.format == "fp16" else 2 * y[-1, -1]
            )
        self.commands.append((len(x), packed.k, packed.n))
        known = linear_cycles(self.config, len(x), packed.k, packed.n)
        return LinearOutcome(y, (known or 1000) + self.late)


def operands(k=100, n=12, m=3, groups=1):
    random = np.random.default_rng(5)
    x = random.normal(0, 2, (m, k)).astype(np.float32)
    return x, MatmulWeights(absmean_ternary(random.normal(0, 1, (k, n)).astype(np.float32), groups))


def test_activations_are_rounded_to_the_format_and_weights_are_packed_once():
    x, weights = operands()
    engine = RtlLinears(Hardware(PLAIN))
    for _ in range(2):
        y, zeros = engine.linear("q_proj", x, weights, None, 0.0)
    expected = hardware_bitlinear(x.astype(np.float16), weights.quantised, "fp16")
    np.testing.assert_array_equal(y, expected.astype(np.float32))
    assert y.dtype == np.float32
    codes = np.rint(x.astype(np.float16).astype(np.float64) * 127 / np.abs(x.astype(np.float16)).max(1, keepdims=True))
    assert zeros == pytest.approx((codes == 0).mean(), abs=0.01)
    assert engine.last_cycles == linear_cycles(PLAIN, 3, 100, 12)
    assert len(weights.packed) == 1


def test_each_scale_of_the_weights_is_a_command():
    x, weights = operands(groups=3)
    hardware = Hardware(PLAIN)
    y, _ = RtlLinears(hardware, compares=True).linear("qkv", x, weights, None, 0.0)
    assert hardware.commands == [(3, 100, 4)] * 3
    for i, columns in enumerate(np.split(weights.codes, 3, axis=1)):
        part = QuantisedWeights(columns, weights.quantised.scale[i : i + 1])
        np.testing.assert_array_equal(y[:, 4 * i : 4 * i + 4], hardware_bitlinear(x.astype(np.float16), part, "fp16"))


def test_outputs_are_compared_with_both_references():
    """Both differences by their definitions, with float64's norm and quantisation."""
    x, weights = operands()
    gain = np.linspace(0.5, 2, 100).astype(np.float32)
    engine = RtlLinears(Hardware(NORMED), compares=True)
    y, _ = engine.linear("q_proj", x, weights, gain, 1e-5)
    assert engine.last_compared.outputs == 36
    assert 0 < engine.last_compared.bound_share <= 1

    own = x / np.sqrt(np.square(x.astype(np.float64)).mean(1, keepdims=True) + 1e-5) * gain
    largest = np.abs(own).max(1, keepdims=True)
    layer = np.rint(own * 127 / largest) @ weights.codes * largest / 127 * weights.quantised.scale
    difference = np.abs(y - layer).max() / np.abs(layer).max()
    assert engine.last_compared.float32_difference == pytest.approx(difference, rel=1e-3)
    joined = Compared(2, 0.5, 0.1).joined(Compared(3, 0.25, 0.2))
    assert joined == Compared(5, 0.5, 0.2)


def test_one_wrong_bit_is_refused_by_name():
    x, weights = operands()
    with pytest.raises(
        EngineMismatchError, match=r"^layers\.1\.q_proj: row 2 \(token\), column 11 \(output\): the hard"
    ):
        RtlLinears(Hardware(PLAIN, wrong_bit=True), compares=True).linear("layers.1.q_proj", x, weights, None, 0.0)


def test_hardware_that_takes_two_cycles_too_many_is_refused_by_name():
    x, weights = operands()
    expected = linear_cycles(PLAIN, 3, 100, 12)
    with pytest.raises(SimulatorError, match=f"q_proj: the hardware took {expected + 2} cycles, the closed form gives"):
        RtlLinears(Hardware(PLAIN, late=2)).linear("q_proj", x, weights, None, 0.0)


def test_values_beyond_the_format_are_told():
    x, weights = operands()
    engine = RtlLinears(Hardware(PLAIN))
    for values in (x * 1e5, x * 3e4):  # activations; outputs
        with pytest.raises(OverflowInModelError, match="q_proj: activations are not finite in fp16"):
            engine.linear("q_proj", values.astype(np.float32), weights, None, 0.0)


@pytest.mark.parametrize(
    ("config", "norm", "message"),
    [
        (NORMED, None, "has no RMSNorm right before it"),
        (NORMED, Norm(np.ones(100, np.float32), 1e-5, "layernorm"), "has no RMSNorm right before it"),
        (NORMED, Norm(np.ones(100, np.float32), 1e-30), "its norm has epsilon 1e-30; expected 8.67e-19 to 1.15e"),
        (PLAIN, "groups", "has scales for groups of in_features"),
        (PLAIN, "in_features", "has scales for groups of in_features"),
    ],
)
def test_linears_that_the_hardware_cannot_compute_are_refused_by_name(config, norm, message):
    x, weights = operands()
    if norm == "groups":
        weights, norm = GroupedWeights((weights,) * 2), None
    if norm == "in_features":
        weights, norm = MatmulWeights(absmean_ternary(np.ones((100, 12), np.float32), 2, "in_features")), None
    with pytest.raises(UnfitLinearError, match=rf"^layers\.2\.o_proj: {message}"):
        LinearLayer(2, "o_proj", weights, norm=norm)(x, Run(RtlLinears(Hardware(config))))


@pytest.mark.parametrize(("config", "places"), [(PLAIN, 0.03), (NORMED, 0.1)], ids=["norms in NumPy", "norms in it"])
def test_a_model_runs_its_norms_once_wherever_they_are(config, places):
    """Its logits are near those of float32; a norm left out or run twice would show."""
    model = open_model(shipped_models()["tiny-b158"], "tiny-b158", None).read(warn=pytest.fail)
    hardware = Hardware(config)
    seen, others = [], []
    whole = model.forward([40, 41, 42], RtlLinears(hardware, compares=True), observe=seen.append)
    floats = model.forward([40, 41, 42], NumpyEngine(), observe=others.append)
    assert np.abs(whole - floats).max() < places * np.abs(floats).max()
    assert len(hardware.commands) == len(seen) == 3 * 7
    assert [(one.layer, one.name, one.m) for one in seen[:7]] == [
        (0, name, 3) for name in ("q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down")
    ]
    shares = [[one.activation_zero_share for one in records] for records in (seen, others)]
    np.testing.assert_allclose(*shares, atol=0.03)


def test_gains_and_activations_before_the_norm_are_what_normed_hardware_gets():
    x, weights = operands()
    gain = np.linspace(0.5, 2, 100).astype(np.float32)
    engine = RtlLinears(Hardware(NORMED))
    y = LinearLayer(0, "q_proj", weights, np.ones(12, np.float32)).after(Norm(gain, 1e-3))(x, Run(engine))
    inside = [rounded(values.astype(np.float64), "bf16") for values in (x, gain)]
    expected = hardware_bitlinear(inside[0], weights.quantised, "bf16", gain=inside[1], epsilon=1e-3, lanes=4)
    np.testing.assert_array_equal(y, expected + np.float32(1))


@pytest.mark.dear
@pytest.mark.parametrize("name", ["bitlinear_64x5", "bitlinear_64x16"])
def test_a_layer_of_the_two_billion_parameter_shape_is_bit_exact(name):
    shape = presets()["bitnet-b1.58-2b-4t"].model_copy(update={"layers": 1, "vocabulary": 64})
    model = random_model(shape, 0.4, seed=3)
    seen = []
    with SimulatedLinear(read_design(name)) as hardware:
        engine = RtlLinears(hardware, compares=True, keeps_packed=False)
        cache = model.new_cache()
        for tokens in ([1, 2, 3], [4]):
            model.forward(tokens, engine, cache, lambda record: seen.append((record, engine.last_compared)))
    assert sum(record.k * record.n for record, _ in seen[:7]) * 30 == 2_084_044_800
    assert sum(compared.outputs for _, compared in seen) == sum(record.m * record.n for record, _ in seen)


def test_toggles_are_those_of_the_first_call_of_each_phase_by_unit(monkeypatch):
    """Of the adders per trit of the window's share of the cycles, of each unit's nets per cycle of the window."""
    monkeypatch.setattr("bitjoule.sim.accelerator.linear.engine.native_library", lambda *_: None)
    x, weights = operands()
    core = "TOP/bitjoule_bitlinear/core"
    nets = {
        f"{core}/array/column0/dot_product/level0_1_sum": 30,
        f"{core}/array/column0/dot_product/other": 2,
        f"{core}/quantiser/code": 5,
        f"{core}/rescaler/a/b": 7,
        f"{core}/between": 100,
    }
    hardware, asked = Hardware(PLAIN), []

    def toggles(*_, window):
        asked.append(window.cycles)
        return Toggles(window.cycles, nets)

    hardware.toggles = toggles
    engine = RtlLinears(hardware, counts_toggles=True)
    for engine.phase in ("prefill", "prefill", "decode"):
        engine.linear("q_proj", x, weights, None, 0.0)
    cycles = linear_cycles(PLAIN, 3, 100, 12)
    window = min(cycles, WINDOW_CYCLES)
    assert asked == [window] * 2
    assert engine.last_toggles_per_trit == pytest.approx(30 / (3 * 100 * 12 * window / cycles))
    expected = {"norm": 0, "loader": 0, "quantiser": 5, "array": 32, "rescaler": 7}
    assert engine.last_unit_toggles == pytest.approx({unit: count / window for unit, count in expected.items()})
