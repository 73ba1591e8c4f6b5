"""The operators against NumPy, in Verilator."""

import re
from itertools import product

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.operators import FLOATS, FORMATS, INTEGERS, OPERATIONS, operator, operator_verilog
from bitjoule.sim.bench.cocotb_build import build, run
from tests.rtl.test_verilog import operators
from tests.sampling import drawing_seed, sampled

PAIRS, FEW = 1 << 17, 1 << 13  # random pairs of operands beside the corners
PARALLEL = {PAIRS: 16, FEW: 2}  # copies of an operator: fewer steps of the simulator, but longer compilation


class Parallel(wiring.Component):
    """Copies of an operator side by side: a simulator then needs fewer steps."""

    def __init__(self, operation, name, copies):
        self.operators = [operator(operation, name) for _ in range(copies)]
        one = self.operators[0]
        widths = {port: len(getattr(one, port)) * copies for port in "aby"}
        # The simulator shows the ports of streams only.
        super().__init__({"s_axis_a": In(widths["a"]), "s_axis_b": In(widths["b"]), "m_axis_y": Out(widths["y"])})

    def elaborate(self, _):
        m = Module()
        for i, one in enumerate(self.operators):
            m.submodules[f"operator{i}"] = one
            for port in ("s_axis_a", "s_axis_b"):
                inside = getattr(one, port[-1])
                m.d.comb += inside.eq(getattr(self, port).word_select(i, len(inside)))
            m.d.comb += self.m_axis_y.word_select(i, len(one.y)).eq(one.y)
        return m


def corners(form):
    """Return the bits of numbers at and beside every boundary of a format, of both signs."""
    fraction, ones = form.fraction_bits, (1 << form.exponent_bits) - 1
    exponents = {0, 1, 2, 3, form.bias - fraction - 1, form.bias - 1, form.bias, form.bias + 1, form.bias + fraction,
                 form.bias + fraction + 1, ones // 2 + 3, ones - 2, ones - 1, ones}  # fmt: skip
    top = (1 << fraction) - 1
    fractions = {0, 1, 2, 3, top, top - 1, top // 2, top // 2 + 1, top // 2 + 2, top // 3}
    magnitudes = [e << fraction | f for e, f in product(sorted(exponents), sorted(fractions)) if 0 <= e <= ones]
    return np.array([sign << (form.bits - 1) | value for sign in (0, 1) for value in magnitudes], np.uint64)


def float_pairs(form, seed, pairs):
    """Return corners against each other, any bits, and numbers of near exponents or near magnitudes."""
    random = np.random.default_rng(seed)
    edges = corners(form)
    a, b = (part.ravel() for part in np.meshgrid(edges, edges))
    any_a, any_b = random.integers(0, 1 << form.bits, (2, pairs), dtype=np.uint64)
    near_a = random.integers(0, 1 << form.bits, pairs, dtype=np.uint64)
    shift = random.integers(0, form.fraction_bits + 5, pairs).astype(np.uint64) << np.uint64(form.fraction_bits)
    near_b = ((near_a ^ random.integers(0, 1 << form.fraction_bits, pairs, dtype=np.uint64)) - shift) % np.uint64(
        1 << form.bits
    )
    near_b ^= random.integers(0, 2, pairs).astype(np.uint64) << np.uint64(form.bits - 1)
    short = np.uint64(
        (1 << form.bits) - (1 << (form.fraction_bits // 2))
    )  # sums and products halfway between two numbers
    # Products around the least normal: exponents that add up to about the bias.
    low_a, low_b = random.integers(0, 1 << form.bits, (2, pairs), dtype=np.uint64)
    mask = np.uint64((1 << form.fraction_bits) - 1 | 1 << (form.bits - 1))
    exponent = random.integers(0, form.bias + 3, pairs)
    other = np.clip(form.bias - exponent + random.integers(-form.fraction_bits - 3, 4, pairs), 0, 2 * form.bias)
    low_a = low_a & mask | exponent.astype(np.uint64) << np.uint64(form.fraction_bits)
    low_b = low_b & mask | other.astype(np.uint64) << np.uint64(form.fraction_bits)
    return (
        np.concatenate([a, any_a, near_a, near_a & short, low_a]),
        np.concatenate([b, any_b, near_b, near_b & short, low_b]),
    )


def simulated(operation, name, a, b, y_type, folder, copies):
    padding = -len(a) % copies
    rows = [np.pad(values, (0, padding)).reshape(-1, copies) for values in (a, b)]
    np.savez(folder / "operands.npz", a=rows[0], b=rows[1])
    source = folder / "parallel.v"
    source.write_text(verilog.convert(Parallel(operation, name, copies), name="parallel", emit_src=False))
    built = build(source, "parallel", folder / "build")
    run(built, "parallel", folder / "run", "tests.rtl.operators_bench", {"BITJOULE_FOLDER": str(folder)})
    return np.frombuffer((folder / "results.bin").read_bytes(), y_type)[: len(a)]


def bfloat(values):
    """Return float64 values as bits of bfloat16, which NumPy lacks: multiples of the last place, ties to even.

    A float64 holds every product of two, and has more than twice the places that make rounding a sum twice harmless.
    """
    _, exponent = np.frexp(values)
    last = np.ldexp(1.0, np.maximum(exponent - 1, -126) - 7)
    rounded = np.where(np.isfinite(values), np.rint(values / last) * last, values)
    return (rounded.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def canonical(bits, values, name):
    """Return bits, but where the value is NaN those of the quiet one without sign and payload."""
    form = FLOATS[name]
    quiet = ((1 << form.exponent_bits) - 1) << form.fraction_bits | 1 << (form.fraction_bits - 1)
    return np.where(np.isnan(values), quiet, bits).astype(f"u{form.bits // 8}")


def as_floats(bits, name):
    """Return the values of bits: exact in the type that NumPy computes in."""
    form = FLOATS[name]
    if name == "bf16":
        return (bits.astype(np.uint32) << 16).view(np.float32)
    return bits.astype(f"u{form.bits // 8}").view(f"f{form.bits // 8}")


HOW_MANY = pytest.mark.parametrize("pairs", [FEW, pytest.param(PAIRS, marks=pytest.mark.dear)])


@pytest.mark.slow
@HOW_MANY
@pytest.mark.parametrize(("operation", "name"), sampled([*product(OPERATIONS, FLOATS)], 3, "float operators"))
def test_float_operators_round_as_numpy_does(operation, name, pairs, tmp_path):
    a, b = float_pairs(FLOATS[name], 7 if pairs == PAIRS else drawing_seed("floats"), pairs)
    x, y = as_floats(a, name), as_floats(b, name)
    with np.errstate(all="ignore"):
        if name == "bf16":
            x, y = x.astype(np.float64), y.astype(np.float64)
        exact = x + y if operation == "add" else x * y
        bits = bfloat(exact) if name == "bf16" else exact.view(f"u{exact.itemsize}")
    expected = canonical(bits, exact, name)
    a, b = a.astype(expected.dtype), b.astype(expected.dtype)
    got = simulated(operation, name, a, b, expected.dtype, tmp_path, PARALLEL[pairs])
    wrong = np.flatnonzero(got != expected)
    assert not len(wrong), [f"{a[i]:x} {b[i]:x}: expected {expected[i]:x}, got {got[i]:x}" for i in wrong[:5]]


@pytest.mark.slow
@HOW_MANY
@pytest.mark.parametrize(("operation", "name"), sampled([*product(OPERATIONS, INTEGERS)], 3, "integer operators"))
def test_integer_operators_are_exact(operation, name, pairs, tmp_path):
    """A product has twice the bits; a sum wraps."""
    bits = INTEGERS[name]
    random = np.random.default_rng(3 if pairs == PAIRS else drawing_seed("integers"))
    edges = np.array([0, 1, -1, 2, -2, (1 << (bits - 1)) - 1, -(1 << (bits - 1)), 1 - (1 << (bits - 1))])
    a, b = (part.ravel() for part in np.meshgrid(edges, edges))
    if bits == 8:
        any_a, any_b = (part.ravel() for part in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)))
    else:
        any_a, any_b = random.integers(-(1 << (bits - 1)), 1 << (bits - 1), (2, pairs))
    a, b = np.concatenate([a, any_a]), np.concatenate([b, any_b])
    y_type = np.dtype(f"i{bits // 8 * (1 if operation == 'add' else 2)}")
    expected = (a + b if operation == "add" else a * b).astype(y_type)
    got = simulated(
        operation, name, a.astype(f"i{bits // 8}"), b.astype(f"i{bits // 8}"), y_type, tmp_path, PARALLEL[pairs]
    )
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operator_is_one_verilog_top_without_a_multiplication(operation, name):
    text = operator_verilog(operation, name)
    assert f"module {operation}_{name}(" in text
    assert "*" not in operators(text)
    assert not re.search(r"posedge", text)


@pytest.mark.parametrize(("operation", "name"), [("div", "int8"), ("add", "fp8")])
def test_an_unknown_operator_is_refused_with_the_known_ones(operation, name):
    with pytest.raises(ValueError, match="expected one of"):
        operator_verilog(operation, name)
