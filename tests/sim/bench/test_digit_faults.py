"""Faults put into integer arrays, whose weights or activations are recoded into digits: the bench must find each."""

import pytest

from bitjoule.rtl import operands
from bitjoule.rtl.arithmetic import column, dot_product, multiplication
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import accelerator_verilog
from tests.rtl.claims import integer_dot, small
from tests.rtl.formal import RefutedError
from tests.sampling import sampled
from tests.sim.bench.faulty import failure, faulty

pytestmark = pytest.mark.slow

CONFIGS = {
    "INT4": AcceleratorConfig(8, 2, 64, 32, tokens=2, weight_encoding="int4", activation_bits=4),
    "INT2": AcceleratorConfig(8, 2, 64, 16, tokens=2, weight_encoding="int2", activation_bits=4),
    "INT8": AcceleratorConfig(8, 1, 64, 32, tokens=2, weight_encoding="int8", activation_bits=3),
    "INT8, activations recoded": AcceleratorConfig(
        8, 1, 64, 32, tokens=2, weight_encoding="int8", datapath="activation_digits"
    ),
}

# name: (module, what stands there, what the fault makes of it)
FAULTS = {
    "the lowest digit takes a bit that is not there for 1": (
        multiplication,
        "Cat(Const(0, 1), word, top",
        "Cat(Const(1, 1), word, top",
    ),
    "a digit of 0 is -0 with a row inverted": (multiplication, "high & ~(low & middle)", "high | (low & middle)"),
    "one is two": (multiplication, "one = low ^ middle", "one = low & middle"),
    "two is also chosen with one": (multiplication, "(high ^ middle) & ~one", "high ^ middle"),
    "digits come the highest first": (
        multiplication,
        "range(0, len(recoded), DIGIT_BITS)",
        "range(len(recoded) - DIGIT_BITS, -1, -DIGIT_BITS)",
    ),
    "twice is once": (multiplication, "Mux(digit.two, twice, 0)", "Mux(digit.two, once, 0)"),
    "no row is inverted": (multiplication, "chosen ^ digit.negative.replicate(len(once))", "chosen"),
    "rows keep their sign": (multiplication, "Cat(bits[:-1], ~bits[-1])", "bits"),
    "a row's one is owed to the next digit": (
        multiplication,
        "Cat(Const(0, 2 * i - 2), owed, Const(0, 1))",
        "Cat(Const(0, 2 * i - 1), owed)",
    ),
    "the last row owes nothing": (multiplication, "Cat(Const(0, last), owed) if last else owed", "Const(0, 1)"),
    "every row owes what the first does": (
        multiplication,
        "        owed = digit.negative\n",
        "        owed = multiplier[0].negative\n",
    ),
    "the offset leaves out the digits above the lowest": (
        dot_product,
        "(row_bits + 2 * i) for i in",
        "row_bits for i in",
    ),
    "a lane takes its neighbour's weight": (
        dot_product,
        "self.weights.word_select(lane, ",
        "self.weights.word_select(lane ^ 1, ",
    ),
}


# Of INT2 weights, which are one digit, these change nothing; a test proves it.
OF_SEVERAL_DIGITS = {
    "a digit of 0 is -0 with a row inverted",
    "digits come the highest first",
    "a row's one is owed to the next digit",
    "every row owes what the first does",
    "the offset leaves out the digits above the lowest",
}
CASES = {
    f"{kind}: {fault}": (kind, fault)
    for kind in CONFIGS
    for fault in FAULTS
    if kind != "INT2" or fault not in OF_SEVERAL_DIGITS
}


def with_fault(monkeypatch, config, module, there, fault):
    """Return the Verilog of a configuration with a fault in a module's source."""
    altered = faulty(module, there, fault)
    if module is dot_product:
        monkeypatch.setattr(column, "IntegerDotProduct", altered.IntegerDotProduct)
    else:
        for name in ("booth_rows", "digits", "recode"):
            monkeypatch.setattr(dot_product, name, getattr(altered, name))
        monkeypatch.setattr(operands, "recode", altered.recode)
    return accelerator_verilog(config)


@pytest.mark.parametrize("case", sampled(CASES, 3, "faults of digits"))
def test_the_bench_finds(case, hardware, fast_build, monkeypatch):
    kind, fault = CASES[case]
    config = CONFIGS[kind]
    assert failure(hardware, config, fast_build, with_fault(monkeypatch, config, *FAULTS[fault])) is not None


@pytest.mark.parametrize("fault", sampled(sorted(OF_SEVERAL_DIGITS), 1, "faults of several digits"))
def test_a_fault_of_several_digits_changes_nothing_where_there_is_one(fault, monkeypatch):
    """Proved for every weight and activation; where there are two digits, the same fault is refuted."""
    sizes = {"datapath": "weight_digits", "lanes": 2, "activation_bits": 3}
    with_fault(monkeypatch, CONFIGS["INT2"], *FAULTS[fault])
    assert integer_dot(small(weight_encoding="int2", **sizes)).check()
    with pytest.raises(RefutedError):
        integer_dot(small(weight_encoding="int4", **sizes)).check()


@pytest.mark.parametrize("kind", sampled(CONFIGS, 1, "integer arrays without a fault"))
def test_the_bench_finds_nothing_where_nothing_is(kind, hardware, fast_build):
    config = CONFIGS[kind]
    assert failure(hardware, config, fast_build, accelerator_verilog(config)) is None
