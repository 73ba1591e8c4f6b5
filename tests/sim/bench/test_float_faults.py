"""Faults put into the FP16 array that rounds every product and sum: the bench must find each of them."""

import pytest

from bitjoule.rtl import accelerator, operands
from bitjoule.rtl.arithmetic import float_column, floating_point
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import accelerator_verilog
from tests.sampling import sampled, seldom
from tests.sim.bench.faulty import failure, faulty

pytestmark = pytest.mark.slow

CONFIG = AcceleratorConfig(
    8, 1, 64, 128, weight_encoding="fp16", accumulation="fp16", datapath="rounding_tree", tokens=2, pipeline=1
)

# name: (module, what stands there, what the fault makes of it)
FAULTS = {
    "results are cut, not rounded": (floating_point, "up = guard & (sticky | significand[0])", "up = Const(0, 1)"),
    "a tie goes up": (floating_point, "up = guard & (sticky | significand[0])", "up = guard"),
    "what a shift loses is forgotten": (
        floating_point, "lost = lost | (count[i] & word[: 1 << i].any())", "lost = lost | Const(0, 1)"
    ),
    "a far operand comes back": (floating_point, "return word & ~far.replicate(len(word)),", "return word,"),
    "the smaller operand stays": (floating_point, "self.a[:-1] < self.b[:-1]", "self.a[:-1] > self.b[:-1]"),
    "opposite infinities are no NaN": (floating_point, "(y.exponent.all() & subtract)", "Const(0, 1)"),
    "x - x keeps a sign": (floating_point, "x.sign & ~(none & subtract)", "x.sign"),
    "a sum goes below the subnormals": (floating_point, "total | Cat(*stops)", "total | Const(0, len(total))"),
    "infinity times zero is infinity": (floating_point, "((a_infinite | b.special) & zero)", "Const(0, 1)"),
    "a product's sign is the weight's": (floating_point, "a_sign ^ b.sign", "b.sign"),
    "a product of two or more has the exponent of one": (
        floating_point, "Mux(top, constant + 1, constant)", "Const(constant)"
    ),
    "a subnormal operand is not normalised": (
        floating_point, "shifted_left(m, fraction, count)[:-1]", "fraction[:-1]"
    ),
    "too large a result is finite": (floating_point, "special | (overflow & ~zero)", "special"),
    "sums are made in another order": (
        float_column, "form, words[i], words[i + 1]", "form, words[i // 2], words[len(words) // 2 + i // 2]"
    ),
    "the last level's register is left out": (float_column, "places.get(level, 0)", "0"),
}  # fmt: skip


def with_fault(monkeypatch, module, there, fault):
    """Return the Verilog of the configuration with a fault in a module's source."""
    altered = faulty(module, there, fault)
    if module is float_column:
        monkeypatch.setattr(accelerator, "FloatColumn", altered.FloatColumn)
    else:
        for name in ("Adder", "Multiplier"):
            monkeypatch.setattr(float_column, name, getattr(altered, name))
        for name in ("multiplier", "normalised"):
            monkeypatch.setattr(operands, name, getattr(altered, name))
    return accelerator_verilog(CONFIG)


@pytest.mark.parametrize("fault", sampled(FAULTS, 1, "faults of the rounding tree"))
def test_the_bench_finds(fault, hardware, fast_build, monkeypatch):
    assert failure(hardware, CONFIG, fast_build, with_fault(monkeypatch, *FAULTS[fault])) is not None


@pytest.mark.parametrize("config", seldom([CONFIG], 8, "a rounding tree without a fault"), ids=["right"])
def test_the_bench_finds_nothing_where_nothing_is(config, hardware, fast_build):
    assert failure(hardware, config, fast_build, accelerator_verilog(config)) is None
