"""The lanes of the fused dot product and its shifters against NumPy, in Verilator."""

import re

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.hdl import Cat, Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import shifted_left, shifted_right
from bitjoule.rtl.arithmetic.full_adders import chained, reduced
from bitjoule.rtl.arithmetic.fused_product import (
    ALIGNED_BITS,
    DISTANCE_BITS,
    PRODUCT_BITS,
    Product,
    aligned,
    distance,
    fused_activation,
    largest,
)
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import accelerator_verilog
from bitjoule.sim.bench.cocotb_build import build, run
from tests.rtl.test_verilog import operators

RANDOM = np.random.default_rng(11)


class Combinational(wiring.Component):
    """Logic between two inputs of 64 bits and an output of 64: the simulator shows the ports of streams only."""

    def __init__(self, logic):
        self._logic = logic
        super().__init__({"s_axis_a": In(64), "s_axis_b": In(64), "m_axis_y": Out(64)})

    def elaborate(self, _):
        m = Module()
        m.d.comb += self.m_axis_y.eq(self._logic(m, self.s_axis_a, self.s_axis_b))
        return m


def simulated(logic, a, b, folder):
    np.savez(folder / "operands.npz", a=a.astype(np.uint64), b=b.astype(np.uint64))
    source = folder / "logic.v"
    source.write_text(verilog.convert(Combinational(logic), name="logic", emit_src=False))
    built = build(source, "logic", folder / "build")
    run(built, "logic", folder / "run", "tests.rtl.operators_bench", {"BITJOULE_FOLDER": str(folder)})
    return np.frombuffer((folder / "results.bin").read_bytes(), np.uint64).astype(np.int64)


@pytest.mark.slow
def test_two_shifters_in_a_row_shift_by_both_distances(tmp_path):
    """Verilator 5.48 makes one shift of two by variables, by the sum of both cut to the width of one."""
    word = np.tile(RANDOM.integers(0, 1 << 32, 16), 1024)
    first, second = (np.repeat(shift.ravel(), 16) for shift in np.meshgrid(np.arange(32), np.arange(32)))

    def logic(m, a, b):
        once, _ = shifted_right(m, a[:32], b[:5])
        return shifted_right(m, once, b[8:13])[0]

    got = simulated(logic, word, first | second << 8, tmp_path)
    np.testing.assert_array_equal(got, word >> first >> second)


@pytest.mark.slow
def test_a_product_is_shifted_right_with_its_sign_and_left_with_a_fill(tmp_path):
    word = np.tile(RANDOM.integers(-(1 << 22), 1 << 22, 8), 1024)
    first, second = (np.repeat(shift.ravel(), 8) for shift in np.meshgrid(np.arange(32), np.arange(32)))

    def logic(m, a, b):
        kept, lost = aligned(m, "lane", a[:PRODUCT_BITS], b[:DISTANCE_BITS])
        return shifted_left(m, Cat(lost, kept), b[8 : 8 + DISTANCE_BITS], kept[-1])

    got = simulated(logic, word, first | second << 8, tmp_path)
    expected = (word << 4 >> first << second) | np.where(word < 0, (1 << second) - 1, 0)
    np.testing.assert_array_equal(got, expected & ((1 << (ALIGNED_BITS + 1)) - 1))


def test_the_verilog_shifts_by_no_variable():
    config = AcceleratorConfig(8, 2, 64, 256, weight_encoding="fp16", tokens=2)
    assert not re.search("<<|>>", operators(accelerator_verilog(config)))


@pytest.mark.slow
def test_products_are_exact_and_told_from_special_ones(tmp_path):
    edges = np.array([0, 1, 2, 0x3FF, 0x400, 0x401, 0x7FF, 0x3C00, 0x3FFF, 0x7BFF, 0x7C00, 0x7C01, 0x7FFF], np.uint16)
    edges = np.concatenate([edges, edges | 0x8000])
    pairs = np.stack([part.ravel() for part in np.meshgrid(edges, edges)])
    x, w = np.concatenate([pairs, RANDOM.integers(0, 1 << 16, (2, 6000), dtype=np.uint16)], axis=1)

    def logic(m, a, b):
        m.submodules.product = product = Product()
        m.d.comb += [product.activation.eq(fused_activation(a[:16])), product.weight.eq(b[:16])]
        special = Cat(product.nan, product.plus, product.minus)
        return Cat(product.significand, Const(0, 32 - PRODUCT_BITS), product.exponent, Const(0, 2), special)

    got = simulated(logic, x, w, tmp_path)
    values = [part.view(np.float16) for part in (x, w)]
    with np.errstate(all="ignore"):
        exact = values[0].astype(np.float64) * values[1].astype(np.float64)
    special = (np.isnan(exact) & 1) + 2 * np.isposinf(exact) + 4 * np.isneginf(exact)
    found = got >> 40 & 7
    np.testing.assert_array_equal(np.where(found & 1, 1, found), special)
    finite = special == 0
    significand = ((got & ((1 << PRODUCT_BITS) - 1)) ^ (1 << (PRODUCT_BITS - 1))) - (1 << (PRODUCT_BITS - 1))
    exponent = got >> 32 & 63
    np.testing.assert_array_equal(np.ldexp(significand.astype(float), exponent - 50)[finite], exact[finite] + 0.0)
    fields = [np.maximum(part.astype(np.int64) >> 10 & 31, 1) for part in (x, w)]
    np.testing.assert_array_equal(exponent, fields[0] + fields[1])


@pytest.mark.slow
def test_the_largest_exponent_and_the_distances_to_it(tmp_path):
    count, bits = 6, 6
    exponents = RANDOM.integers(0, 1 << bits, (4000, count))
    exponents[:1000] = 30 + exponents[:1000] % 3

    def logic(m, a, _):
        words = [a.word_select(i, bits) for i in range(count)]
        top = largest(m, words)
        return Cat(top, *(distance(m, f"distance{i}", top, word) for i, word in enumerate(words)))

    packed = (exponents << bits * np.arange(count)).sum(axis=1)
    got = simulated(logic, packed, np.zeros(len(packed)), tmp_path)
    expected = exponents.max(axis=1)
    np.testing.assert_array_equal(got & 63, expected)
    for i in range(count):
        shift = np.minimum(expected - exponents[:, i], 31)
        np.testing.assert_array_equal(got >> (bits + DISTANCE_BITS * i) & 31, shift)


@pytest.mark.slow
def test_bits_of_any_weights_are_added(tmp_path):
    """Twelve words of three to five bits, shifted by 0 to 11, and a constant."""
    widths = [3 + i % 3 for i in range(12)]
    starts = [sum(widths[:i]) for i in range(len(widths) + 1)]
    a = RANDOM.integers(0, 1 << starts[-1], 5000)

    def logic(m, word, _):
        places = [[] for _ in range(20)]
        for i, width in enumerate(widths):
            for place in range(width):
                places[i + place].append(word[starts[i] + place])
        places[3].append(Const(1, 1))
        return chained(m, "sum", reduced(m, "level", places), Const(1, 1))

    words = [
        (a >> start & ((1 << width) - 1)) << i for i, (start, width) in enumerate(zip(starts, widths, strict=False))
    ]
    np.testing.assert_array_equal(simulated(logic, a, 0 * a, tmp_path), sum(words) + 9)
