"""Faults put into the array of scaled trits with FP16 activations: the bench must find each of them."""

import pytest

from bitjoule.rtl import accelerator, weights
from bitjoule.rtl.arithmetic import alignment, scaled_column
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import accelerator_verilog
from tests.sampling import sampled
from tests.sim.bench.faulty import failure, faulty

pytestmark = pytest.mark.slow

CONFIG = AcceleratorConfig(8, 1, 64, 32, activation_bits=16, tokens=2, pipeline=4)

# name: (module, what stands there, what the fault makes of it)
FAULTS = {
    "a subnormal activation has the exponent below": (alignment, "[0] | ~number.exponent.any()", "[0]"),
    "every activation has a leading one": (
        alignment,
        "number.fraction, number.exponent.any())",
        "number.fraction, Const(1, 1))",
    ),
    "an activation is cut, not rounded": (alignment, "(shifted[0] ^ number.sign)", "number.sign"),
    "a negative half goes towards zero": (alignment, "(shifted[0] ^ number.sign)", "(shifted[0] | number.sign)"),
    "activations lose their sign": (alignment, "^ number.sign.replicate(ALIGNED_BITS)", "^ Const(0, ALIGNED_BITS)"),
    "a distance is one short": (alignment, "places, Const(1, 1))", "places, Const(0, 1))"),
    "an infinite activation is finite": (alignment, "(number.exponent.all() for", "(Const(0, 1) for"),
    "every scale has a leading one": (scaled_column, "Cat(scale.fraction, normal)", "Cat(scale.fraction, Const(1, 1))"),
    "a subnormal scale has the exponent below": (scaled_column, "[0] | ~normal", "[0]"),
    "an infinite scale is finite": (scaled_column, "token[-1] | scale.exponent.all()", "token[-1]"),
    "the columns forget infinite activations": (
        scaled_column,
        "token[-1] | scale.exponent.all()",
        "scale.exponent.all()",
    ),
    "the scale waits one register less": (
        scaled_column,
        '(total, *shared), _ = registered(m, "added", [total, *shared]',
        '(total, shared[0]), _ = registered(m, "added", [total, shared[0]]',
    ),
    "the exponent waits one register less": (scaled_column, "(scaled, exponent, nan), _", "(scaled, _, nan), _"),
    "a sum lacks its highest bit": (scaled_column, "+ (lanes - 1).bit_length()", "+ (lanes - 1).bit_length() - 1"),
    "a product lacks its highest bit": (scaled_column, "+ FP16.fraction_bits + 1])", "+ FP16.fraction_bits])"),
    "a unit is lost": (scaled_column, "offset], units[0])", "offset], Const(0, 1))"),
    "the lowest bit weighs twice as much": (
        scaled_column,
        "LOWEST = alignment.LOWEST +",
        "LOWEST = alignment.LOWEST - 1 +",
    ),
    "scales are read from the trits": (
        weights,
        "[config.scales_begin : config.scales_begin + len(held_scales)]",
        "[: len(held_scales)]",
    ),
}


def with_fault(monkeypatch, module, there, fault):
    """Return the Verilog of the configuration with a fault in a module's source."""
    altered = faulty(module, there, fault)
    place, name = {
        alignment: (alignment, "aligned"),
        scaled_column: (accelerator, "ScaledColumn"),
        weights: (accelerator, "WeightLoader"),
    }[module]
    monkeypatch.setattr(place, name, getattr(altered, name))
    return accelerator_verilog(CONFIG)


@pytest.mark.parametrize("fault", sampled(FAULTS, 3, "scaled faults"))
def test_the_bench_finds(fault, hardware, fast_build, monkeypatch):
    assert failure(hardware, CONFIG, fast_build, with_fault(monkeypatch, *FAULTS[fault])) is not None


def test_the_bench_finds_nothing_where_nothing_is(hardware, fast_build):
    assert failure(hardware, CONFIG, fast_build, accelerator_verilog(CONFIG)) is None
