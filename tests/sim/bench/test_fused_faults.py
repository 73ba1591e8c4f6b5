"""Faults put into the fused FP16 column: the bench must find each of them."""

import pytest

from bitjoule.rtl import accelerator
from bitjoule.rtl.arithmetic import fused_column, fused_product
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import accelerator_verilog
from tests.sampling import sampled
from tests.sim.bench.faulty import failure, faulty

pytestmark = pytest.mark.slow

CONFIG = AcceleratorConfig(8, 1, 64, 128, weight_encoding="fp16", tokens=2, pipeline=2)

# name: (module, what stands there, what the fault makes of it)
FAULTS = {
    "a product's sign is the activation's": (fused_product, "digit.negative ^ weight.sign", "digit.negative"),
    "a subnormal number has the exponent below": (fused_product, "[0] | ~number.exponent.any()", "[0]"),
    "infinity times zero is infinity": (fused_product, "infinite & weight_zero", "infinite & nan"),
    "minus infinity is plus infinity, too": (fused_product, "any_infinite & ~sign", "any_infinite"),
    "a product is cut, not rounded": (fused_product, "word[1:], word[0]", "word[1:], Const(0, 1)"),
    "a negative product is shifted as a positive one": (fused_product, "word[-1].replicate(min(", "Const(0, min("),
    "far products come back": (fused_product, "found[DISTANCE_BITS:].any()", "Const(0, 1)"),
    "the largest exponent is put together of several": (fused_product, "one | (candidate & ~bits[0])", "candidate"),
    "rows keep their sign": (fused_column, "Cat(word[:-1], ~word[-1])", "word"),
    "a unit is lost": (fused_column, "units[0])", "Const(0, 1))"),
    "a negative tie goes to the odd number": (fused_column, "rest.all() & kept[0]", "rest.all() & ~kept[0]"),
    "a positive tie goes up": (fused_column, "guard & (rest.any() | kept[0])", "guard"),
    "zeros are shifted in behind a negative sum": (fused_column, "count, sign)", "count)"),
    "a sum of zero has an exponent": (fused_column, " & magnitude.any().replicate(FP32.exponent_bits)", ""),
    "opposite infinities are no NaN": (fused_column, "nan | (plus & minus)", "nan"),
    "the exponent waits one register less": (fused_column, "(exponent, special, total), _", "(_, special, total), _"),
}  # fmt: skip


def with_fault(monkeypatch, module, there, fault):
    """Return the Verilog of the configuration with a fault in a module's source."""
    altered = faulty(module, there, fault)
    if module is fused_column:
        monkeypatch.setattr(accelerator, "FusedColumn", altered.FusedColumn)
    else:
        for name in ("Product", "aligned", "distance", "largest"):
            monkeypatch.setattr(fused_column, name, getattr(altered, name))
        monkeypatch.setattr(fused_product, "fused_activation", altered.fused_activation)
    return accelerator_verilog(CONFIG)


@pytest.mark.parametrize("fault", sampled(FAULTS, 3, "fused faults"))
def test_the_bench_finds(fault, hardware, fast_build, monkeypatch):
    assert failure(hardware, CONFIG, fast_build, with_fault(monkeypatch, *FAULTS[fault])) is not None


def test_the_bench_finds_nothing_where_nothing_is(hardware, fast_build):
    assert failure(hardware, CONFIG, fast_build, accelerator_verilog(CONFIG)) is None
