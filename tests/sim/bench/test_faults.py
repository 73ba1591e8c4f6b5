"""Faults put into the Verilog by hand: the bench must find each of them."""

import re

import pytest

from bitjoule.rtl.verilog import accelerator_verilog
from bitjoule.sim.accelerator.configurations import read_configuration
from tests.sampling import sampled
from tests.sim.bench.faulty import failure

pytestmark = pytest.mark.slow

CONFIG = read_configuration("tiny_8x4")  # lanes 8, columns 4, tokens 4, max_k 64, two beats a tile

# name: (module, what stands there, what the fault makes of it)
FAULTS = {
    "a lane's sign is wrong": ("column0.dot_product", r"plus\[3\] \? (~?)", r"minus[3] ? \1"),
    "a lane does not pay its one": ("column0.dot_product", r"= ~ plus\[5\]", "= 1'h0"),
    "a compressor loses a carry": ("column0.dot_product", r"(level2_1_sum = )\S+ +\^", r"\1"),
    "the offset is one too high": ("column0", r"units\[0\], units\[1\] \}", "1'h1, units[1] }"),
    "the accumulator is one bit too narrow": (
        "column0", r"(assign total = )\S+ \[14:0\]", r"\1{ _total[13], _total[13:0] }"
    ),
    "sums go on where they should begin": ("accumulators", r"assign previous = .* : kept", "assign previous = kept"),
    "sums begin anew in every tile": ("accumulators", r"assign previous = .* : kept", "assign previous = 60'h0"),
    "all tokens share one sum": ("accumulators", r"assign kept = storage\[token\]", "assign kept = storage[0]"),
    "the tail of K is a tile short": ("sequencer", r"last_k = k_left <= 4'h8", "last_k = k_left <= 4'h9"),
    "K that fills its tiles gets one more": ("sequencer", r"last_k = k_left <= 4'h8", "last_k = k_left < 4'h8"),
    "the tail of N is dropped": ("sequencer", r"last_n = n_left <= 3'h4", "last_n = n_left <= 3'h5"),
    "M that fills its block gets one more": ("sequencer", r"last_m = m_left <= 3'h4", "last_m = m_left < 3'h4"),
    "K one too large is accepted": ("sequencer", r"> 7'h40", "> 7'h41"),
    "N = 0 is accepted": ("sequencer", r"= ! command__payload\[63:40\]", "= 1'h0"),
    "commands are taken while one runs": ("sequencer", r"(command__ready = )[^;]*", r"\g<1>1'h1"),
    "a bubble stands between matmuls": ("sequencer", r"(command__ready = \S+ ) \| done", r"\1"),
    "a matmul waits one cycle too long for room": ("core", r"reserved != 2'h3", "reserved != 2'h2"),
    "results are begun without room": ("core", r"assign room = [^;]*", "assign room = 1'h1"),
    "a tile is used before it is complete": ("loader", r"assign complete = [^;]*", "assign complete = beats__valid"),
    "the last beat of a tile is dropped": ("loader", r"assign beats__ready = [^;]*", "assign beats__ready = 1'h1"),
    "the weights' ready is stuck at 0": ("loader", r"assign beats__ready = [^;]*", "assign beats__ready = 1'h0"),
    "a reset leaves half a tile": ("loader", r"if \(rst\)", "if (1'h0)"),
    "a reset leaves the running matmul": ("sequencer", r"(active;.*?)if \(rst\)", r"\1if (1'h0)"),
    "results leave without ready": ("queue", r"= r_rdy & r_en", "= r_rdy"),
    "the activations' ready is stuck at 1": (
        "", r"(\.activations__ready\()s_axis_activations_tready", r"\1"
    ),
    "the end of a matmul is not marked": ("", r"(tlast = )results__payload\[61\]", r"\g<1>1'h0"),
    "errors are not marked": ("", r"(tuser = )results__payload\[60\]", r"\g<1>1'h0"),
    "a sum is not sign-extended": ("", r"results__payload\[59\], ", "1'h0, "),
}  # fmt: skip


def with_fault(verilog, module, there, fault):
    """Return the Verilog with the fault; fail if it changes nothing."""
    parts = re.split(r"(?=^module )", verilog, flags=re.MULTILINE)
    name = f"core.{module}" if module and not module.startswith("core") else module
    (index,) = (i for i, part in enumerate(parts) if re.match(rf"module \\?bitjoule_accelerator\.?{name} ?\(", part))
    changed = re.sub(there, fault, parts[index], flags=re.DOTALL)
    if "_total[" in changed:
        inner = re.search(there, parts[index]).group(0).split()[-2]
        changed = changed.replace("_total[", f"{inner} [")
    if "s_axis_activations_tready" in there:
        changed = changed.replace("endmodule", "  assign s_axis_activations_tready = 1'h1;\nendmodule")
    assert changed != parts[index], f"{module} holds no {there}"
    parts[index] = changed
    return "".join(parts)


@pytest.fixture(scope="module")
def right():
    """Return the Verilog without a fault."""
    return accelerator_verilog(CONFIG)


@pytest.mark.parametrize("fault", sampled(FAULTS, 5, "faults in Icarus"))
def test_the_bench_finds(fault, hardware, right, fast_build):
    """The bench is the same in both simulators: here in the one that builds faster."""
    assert failure(hardware, CONFIG, fast_build, with_fault(right, *FAULTS[fault])) is not None


@pytest.mark.parametrize("fault", sampled(FAULTS, 1, "faults in Verilator"))
def test_the_bench_finds_in_verilator(fault, hardware, right):
    assert failure(hardware, CONFIG, "verilator", with_fault(right, *FAULTS[fault])) is not None


def test_the_bench_finds_nothing_where_nothing_is(hardware, right, fast_build):
    assert failure(hardware, CONFIG, fast_build, right) is None
