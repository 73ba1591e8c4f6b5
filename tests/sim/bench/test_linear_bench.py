"""Whole BitLinears against their NumPy reference, in Verilator and in Icarus."""

import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.verilog import linear_verilog
from bitjoule.sim.accelerator.configurations import read_design, shipped_linears
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.cases import Case
from bitjoule.sim.bench.linear_cases import directed_linear_cases, random_linear_cases
from bitjoule.sim.bench.verification import Hardware
from tests.sampling import sampled

pytestmark = pytest.mark.slow

CONFIGURATIONS = {
    **{name: read_design(name) for name in shipped_linears()},
    "two_beats_of_outputs": LinearConfig(AcceleratorConfig(8, 4, 100, 32, tokens=3), "fp16", 2),
    "bf16_norm": LinearConfig(AcceleratorConfig(8, 4, 100, 32, tokens=3), "bf16", 4, "rms_norm"),
    "fp32_decode": LinearConfig(AcceleratorConfig(16, 5, 100, 128, weight_encoding="ternary5"), "fp32", 8),
    "binary": LinearConfig(
        AcceleratorConfig(12, 3, 64, 40, tokens=2, weight_encoding="binary1", activation_bits=5), "bf16", 3
    ),
    "one_lane": LinearConfig(
        AcceleratorConfig(8, 2, 40, 32, tokens=2, datapath="carry_chain", pipeline=0), "fp16", 1, "rms_norm"
    ),
    "short_codes": LinearConfig(AcceleratorConfig(8, 3, 60, 48, activation_bits=2, pipeline=2), "fp16", 8),
}
SMALL = sorted(set(CONFIGURATIONS) - {"bitlinear_64x16", "bitlinear_64x5"})


def passes(hardware, cases):
    report = hardware.verify(cases)
    assert report.failure is None, report.failure
    assert report.cases == len(cases)
    return report


@pytest.mark.parametrize("name", sampled(SMALL, 1, "configurations of the linear bench"))
def test_corners_and_random_bitlinears_are_bit_exact(name, hardware):
    config = CONFIGURATIONS[name]
    random = random_linear_cases(config, matmuls=100, seed=SMALL.index(name), steps=200)
    report = passes(hardware(config), [*directed_linear_cases(config), *random])
    assert report.matmuls >= 200
    if not config.normed:
        assert report.exact_cycles >= 20


def test_a_second_simulator_agrees(hardware, icarus):
    config = CONFIGURATIONS["two_beats_of_outputs"]
    report = passes(hardware(config, icarus), random_linear_cases(config, matmuls=30, seed=99, steps=100))
    assert report.matmuls >= 30


LAYERS = [
    f"{name} {m}x{k}x{n}"
    for name, m in (("bitlinear_64x16", 3), ("bitlinear_64x5", 1))
    for k, n in ((2560, 2560), (2560, 640), (2560, 6912), (6912, 2560))
]


@pytest.mark.dear
@pytest.mark.parametrize("layer", LAYERS)
def test_layers_of_2b4t_are_bit_exact(layer, hardware):
    name, shape = layer.split()
    case = Case(layer, (MatmulShape(*map(int, shape.split("x"))),))
    assert passes(hardware(CONFIGURATIONS[name]), [case]).matmuls == 1  # every output and NumPy's are the same bits


FAULTS = {  # what is looked for in the Verilog, and what it becomes
    "another clamp of the largest magnitude": ("31'h3727c5ac", "31'h3737c5ac"),
    "another code of the largest magnitude": ("24'hfe0000", "24'hfc0000"),
    "half of the reciprocal": ("25'h0800000", "25'h0400000"),
}


@pytest.mark.parametrize("fault", sampled(FAULTS, 1, "faults of the linear bench"))
def test_a_fault_in_the_verilog_is_seen(fault, fast_build, tmp_path):
    config = CONFIGURATIONS["two_beats_of_outputs"]
    text = linear_verilog(config)
    wrong = text.replace(*FAULTS[fault])
    assert wrong != text
    cases = [Case(kind, (MatmulShape(3, 17, 5),), seed=1, activations=kind) for kind in ("tiny", "ties", "random")]
    assert Hardware(config, tmp_path, fast_build, verilog=wrong).verify(cases).failure
