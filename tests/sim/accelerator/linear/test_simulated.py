"""The compiled BitLinear: the outputs of its NumPy reference bit for bit, and the cycles of the closed form."""

import numpy as np
import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.verilog import linear_verilog
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.accelerator.linear import simulated
from bitjoule.sim.accelerator.linear.simulated import SimulatedLinear
from bitjoule.sim.accelerator.linear_cycles import linear_cycles
from bitjoule.sim.accelerator.native_machine import Window
from bitjoule.sim.accelerator.streams import weight_stream
from bitjoule.sim.accelerator.verilated import PackedWeights
from bitjoule.sim.bench.cases import Case
from bitjoule.sim.bench.linear_cases import EPSILON, KINDS, linear_operands
from bitjoule.sim.bench.simulators import SimulatorError
from bitjoule.sim.reference.hardware_linear import canonical, hardware_bitlinear
from tests.sampling import sampled

ARRAY = AcceleratorConfig(8, 4, 512, 32, tokens=3)
CONFIGS = {
    "norm": LinearConfig(ARRAY, "bf16", 4, "rms_norm"),
    "two beats of outputs": LinearConfig(ARRAY, "fp16", 2),
    "bytes of trits": LinearConfig(AcceleratorConfig(16, 5, 100, 128, weight_encoding="ternary5"), "fp32", 8),
}
SHAPES = ((1, 1, 1), (4, 9, 5), (3, 64, 4), (7, 100, 33), (2, 17, 9))


def command(hardware, shape, kind, seed):
    """The outcome of a command, and the outputs that NumPy gives."""
    config = hardware.config
    given = linear_operands(config, Case("", (MatmulShape(*shape),), seed=seed, activations=kind), 0)
    norm = (given.gain, np.float32(EPSILON)) if config.normed else ()
    outcome = hardware.linear(given.x, hardware.pack(given.weights.codes), given.weights.scale[0], *norm)
    bits = config.array.activation_bits
    return outcome, hardware_bitlinear(given.x, given.weights, config.format, bits, given.gain, EPSILON, config.lanes)


def wrong_outputs(hardware, kinds=KINDS):
    form, wrong = hardware.config.format, 0
    for seed, kind in enumerate(kinds):
        for shape in SHAPES:
            outcome, expected = command(hardware, shape, kind, seed)
            wrong += np.count_nonzero(canonical(outcome.outputs, form) != canonical(expected, form))
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(CONFIGS, 1, "compiled BitLinears"))
def test_fifty_bitlinears_of_every_kind_of_activations_are_bit_exact(name):
    with SimulatedLinear(CONFIGS[name]) as hardware:
        assert wrong_outputs(hardware) == 0
        if not hardware.config.normed:
            for shape in SHAPES:
                expected = linear_cycles(hardware.config, *shape)
                assert expected in (None, command(hardware, shape, "random", 1)[0].cycles)


@pytest.mark.slow
def test_a_fault_in_the_quantiser_is_seen_and_one_in_the_streams_is_told(monkeypatch):
    config = CONFIGS["two beats of outputs"]
    text = linear_verilog(config)
    wrong = text.replace("24'hfe0000", "24'hfc0000")  # the code of the largest magnitude
    assert wrong != text
    with SimulatedLinear(config, wrong) as hardware:
        assert wrong_outputs(hardware, ("ties", "random")) > 100
        monkeypatch.setattr(simulated._Task, "_patience", 0)
        with pytest.raises(SimulatorError, match="the simulated BitLinear did not finish its commands"):
            command(hardware, (1, 8, 4), "random", 0)
        monkeypatch.undo()
        monkeypatch.setattr(simulated, "linear_command", lambda *_: 0)
        with pytest.raises(SimulatorError, match="the BitLinear rejected a valid command"):
            command(hardware, (1, 8, 4), "random", 0)
        monkeypatch.undo()
        command(hardware, (1, 8, 4), "random", 0)  # after a run that was broken off


@pytest.mark.dear
def test_toggles_are_those_of_a_window():
    """Of a whole command: zeros toggle less than numbers; each unit is there."""
    config = CONFIGS["norm"]
    random = np.random.default_rng(3)
    codes = random.integers(-1, 2, (64, 16)).astype(np.int8)
    norm = np.ones(64, np.float32), np.float32(EPSILON)

    def toggles(hardware, x):
        found = hardware.toggles(x, hardware.pack(codes), np.float32(1), *norm, window=Window(cycles=2000))
        units = {unit: sum(n for net, n in found.nets.items() if f"/{unit}/" in net) for unit in
                 ("norm", "loader", "quantiser", "array", "rescaler")}  # fmt: skip
        assert found.cycles == 2000
        return units

    with SimulatedLinear(config) as hardware:
        zeros = toggles(hardware, np.zeros((3, 64), np.float32))
        numbers = toggles(hardware, np.float32(random.integers(-8, 9, (3, 64))))
    assert all(numbers[unit] > zeros[unit] > 0 for unit in numbers)


def task(config, x=None, k=16, gain=None, epsilon=None, packed_for=None):
    array = (packed_for or config).array
    codes = np.ones((k, 5), np.int8)
    tiles = weight_stream(array, codes).reshape(2, -1, array.tile_beats, array.weight_bus_bits // 8)
    x = np.zeros((2, k), np.float16) if x is None else x
    return simulated._Task(config, x, PackedWeights(array, k, 5, tiles), np.float32(1), gain, epsilon)


def test_operands_that_do_not_fit_are_refused():
    plain, normed = CONFIGS["two beats of outputs"], CONFIGS["norm"]
    task(plain)
    with pytest.raises(ValueError, match=r"x has shape \(2, 15\), expected \(M, 16\)"):
        task(plain, np.zeros((2, 15), np.float16))
    with pytest.raises(TypeError, match="values of fp16 are float32, expected an array of float16"):
        task(plain, np.zeros((2, 16), np.float32))
    with pytest.raises(ValueError, match="the hardware has no norm: expected no gain and epsilon"):
        task(plain, gain=np.ones(16, np.float16), epsilon=np.float32(1))
    with pytest.raises(ValueError, match="the hardware has an RMSNorm: expected both gain and epsilon"):
        task(normed, np.zeros((2, 16), np.float32))
    with pytest.raises(ValueError, match=r"a gain \(16,\)"):
        task(normed, np.zeros((2, 16), np.float32), gain=np.ones(15, np.float32), epsilon=np.float32(1))
    with pytest.raises(ValueError, match="packed for a different configuration"):
        task(plain, packed_for=LinearConfig(AcceleratorConfig(8, 4, 256, 32, tokens=3), "fp16", 2))
    with pytest.raises(ValueError, match="520"):
        task(plain, k=520)
