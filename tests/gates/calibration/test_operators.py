"""What an operator's measurement tells of its wires, and the BF16 results that it is compared with."""

import numpy as np

from bitjoule.gates.calibration.measurement import Effort
from bitjoule.gates.calibration.operators import measure_operator, rounded_to_bf16


def test_wires_take_less_for_changes_that_settle_than_for_all_with_glitches(freepdk45):
    """An adder's carries ripple: its outputs glitch, and every change that settles is one of all changes."""
    found = measure_operator("add", "int8", freepdk45, Effort(cycles=8))
    assert 0 < found.wire_settled_fj < found.wire_fj
    assert 0 < found.settled_fj < found.total_fj


def test_bf16_keeps_eight_digits_to_nearest_even():
    ties = np.array([257, 259, 511, -257, -259, 2**-120 * 257, 0, -0.0], dtype=np.float32)
    values = np.concatenate([ties, np.random.default_rng(0).standard_normal(10_000).astype(np.float32)])
    digits, exponents = np.frexp(values.astype(np.float64))
    expected = np.ldexp(np.rint(digits * 256) / 256, exponents)
    np.testing.assert_array_equal(rounded_to_bf16(values).view(np.uint32), expected.astype(np.float32).view(np.uint32))
    assert rounded_to_bf16(ties)[:3].tolist() == [256, 260, 512]
