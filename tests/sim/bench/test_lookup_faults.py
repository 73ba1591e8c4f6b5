"""Faults put into the look-up tables: the bench must find each of them."""

import pytest

from bitjoule.rtl import operands
from bitjoule.rtl.arithmetic import dot_product, lookup_table
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import accelerator_verilog
from tests.sampling import sampled
from tests.sim.bench.faulty import failure, faulty

pytestmark = pytest.mark.slow

CONFIG = AcceleratorConfig(8, 2, 64, 16, tokens=2, datapath="lookup_table")

# name: (what stands there, what the fault makes of it)
FAULTS = {
    "a difference is a sum": ("a - b if negative else a + b", "a + b"),
    "a sum is one bit too narrow": ("(sum(map(abs, trits)) - 1).bit_length()", "0"),
    "the first trit decides the sign of an entry": ("max(place for", "min(place for"),
    "the first lane decides the sign": ("Mux(set_, sign, negative) if", "negative if"),
    "the last lane decides the sign, also if it is zero": ("Mux(set_, sign, negative) if", "sign if"),
    "equal and opposite trits pick the same entry": (
        "(minus[place] ^ minus[top]) if trit < 0 else", "~(minus[place] ^ minus[top]) if trit < 0 else"
    ),
    "a zero picks as other trits do": ("if trit else ~nonzero[place]", "if trit else nonzero[0] | ~nonzero[0]"),
    "entries are read a bit too far": ("first += width", "first += width + 1"),
    "entries do not extend their sign": ("Cat(value, value[-1].replicate(bits - width))", "value"),
    "no entry is inverted": ("chosen ^ negative.replicate(bits)", "chosen"),
    "rows keep their sign": ("Cat(signed[:-1], ~signed[-1])", "signed"),
    "no one is owed": ("return row, negative", "return row, negative & ~negative"),
}  # fmt: skip


def with_fault(monkeypatch, there, fault):
    """Return the Verilog of the configuration with a fault in the look-up tables' source."""
    altered = faulty(lookup_table, there, fault)
    for user in (operands, dot_product):
        monkeypatch.setattr(user, "lookup_table", altered)
    return accelerator_verilog(CONFIG)


@pytest.mark.parametrize("fault", sampled(FAULTS, 2, "lookup faults"))
def test_the_bench_finds(fault, hardware, fast_build, monkeypatch):
    assert failure(hardware, CONFIG, fast_build, with_fault(monkeypatch, *FAULTS[fault])) is not None


def test_the_bench_finds_nothing_where_nothing_is(hardware, fast_build):
    assert failure(hardware, CONFIG, fast_build, accelerator_verilog(CONFIG)) is None
