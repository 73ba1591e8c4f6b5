"""The alignment of FP16 activations and a column of scaled trits against NumPy, in Verilator."""

import re

import numpy as np
import pytest
from amaranth.hdl import Cat, Const

from bitjoule.rtl.arithmetic.alignment import ALIGNED_BITS, GUARD_BITS, SHARED_BITS, aligned
from bitjoule.rtl.arithmetic.scaled_column import ScaledColumn
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import accelerator_verilog
from bitjoule.sim.reference.float_matmul import canonical_bits
from bitjoule.sim.reference.scaled_matmul import scaled_dot
from tests.rtl.arithmetic.test_fused_product import simulated
from tests.rtl.claims import small
from tests.rtl.test_verilog import operators
from tests.sampling import sampled

RANDOM = np.random.default_rng(12)
EDGES = np.array([0, 1, 2, 0x3FF, 0x400, 0x401, 0x7FF, 0x3C00, 0x3FFF, 0x7BFF], np.uint16)
SPECIAL = np.array([0x7C00, 0x7C01, 0x7FFF], np.uint16)


def signed(values):
    return np.concatenate([values, values | 0x8000])


def packed(words, bits):
    return (words.astype(np.uint64) << bits * np.arange(len(words), dtype=np.uint64)[:, np.newaxis]).sum(axis=0)


@pytest.mark.slow
def test_two_activations_are_aligned_to_the_larger_with_halves_away_from_zero(tmp_path):
    """Every distance of exponents, and fractions whose cut bits are below, at and above one half."""
    fractions = np.array([0, 1, 0x1FF, 0x200, 0x201, 0x3FF])
    first, second, fraction = (
        part.ravel() for part in np.meshgrid(np.arange(31) << 10, np.arange(31) << 10, fractions, indexing="ij")
    )
    words = np.stack([first | fraction[::-1], second | fraction]) | RANDOM.integers(0, 2, (2, len(first))) << 15

    def logic(m, a, _):
        return aligned(m, [a[:16], a[16:32]])

    got = simulated(logic, packed(words, 16), 0 * first, tmp_path)
    exponents = np.maximum(words >> 10 & 31, 1)
    largest = exponents.max(axis=0)
    np.testing.assert_array_equal(got >> 2 * ALIGNED_BITS, largest)  # and nothing is special
    assert len(got) == 31 * 31 * 6
    for lane, values in enumerate(words.astype(np.uint16).view(np.float16).astype(np.float64)):
        steps = np.ldexp(np.abs(values), GUARD_BITS + 25 - largest)  # exact: a power of two
        integers = np.copysign(np.floor(steps + 0.5), values).astype(np.int64)
        field = got >> lane * ALIGNED_BITS & ((1 << ALIGNED_BITS) - 1)
        np.testing.assert_array_equal(field, integers & ((1 << ALIGNED_BITS) - 1))


@pytest.mark.slow
def test_an_infinite_or_nan_activation_is_told(tmp_path):
    words = np.stack([part.ravel() for part in np.meshgrid(*[signed(np.concatenate([EDGES, SPECIAL]))] * 2)])
    got = simulated(lambda m, a, _: aligned(m, [a[:16], a[16:32]]), packed(words, 16), 0 * words[0], tmp_path)
    np.testing.assert_array_equal(
        got >> (2 * ALIGNED_BITS + SHARED_BITS - 1) & 1, ~np.isfinite(words.view(np.float16)).all(axis=0)
    )


@pytest.mark.slow
@pytest.mark.parametrize("datapath", sampled(["carry_save", "carry_chain", "multiplexer"], 1, "scaled columns"))
def test_a_column_multiplies_by_scales_of_either_sign(datapath, tmp_path):
    """Streams hold scales as magnitudes; the column takes any FP16 number."""
    config = small(datapath=datapath, activation_bits=16, accumulation="fp32")
    count = 6000
    scales = np.concatenate(
        [np.repeat(signed(np.concatenate([EDGES, SPECIAL])), 100), RANDOM.integers(0, 1 << 16, count, dtype=np.uint16)]
    )
    count = len(scales)
    x = np.concatenate(
        [
            RANDOM.integers(0, 1 << 16, (2, count // 2), dtype=np.uint16),
            RANDOM.choice(signed(EDGES), (2, count - count // 2)),
        ],
        axis=1,
    )
    lines = RANDOM.integers(0, 2, (4, count))  # plus of both lanes, minus of both

    def logic(m, a, b):
        m.submodules.column = column = ScaledColumn(config)
        m.d.comb += [
            column.activations.eq(aligned(m, [a[:16], a[16:32]])),
            column.scale.eq(b[:16]),
            column.plus.eq(b[16:18]),
            column.minus.eq(b[18:20]),
        ]
        return Cat(column.total, Const(0, 32))

    got = simulated(logic, packed(x, 16), packed(lines, 1) << np.uint64(16) | scales, tmp_path)
    trits = (lines[:2] - lines[2:]).astype(np.int8)
    expected = [
        scaled_dot(x[np.newaxis, :, i].view(np.float16), trits[:, i : i + 1], scales[i : i + 1].view(np.float16))[0, 0]
        for i in range(count)
    ]
    found = got.astype(np.uint32).view(np.float32)
    np.testing.assert_array_equal(canonical_bits(found), canonical_bits(np.array(expected)))
    assert np.isfinite(found).sum() > count // 2


def test_the_verilog_shifts_by_no_variable():
    config = AcceleratorConfig(8, 2, 64, 64, activation_bits=16, tokens=2)
    assert not re.search("<<|>>", operators(accelerator_verilog(config)))
