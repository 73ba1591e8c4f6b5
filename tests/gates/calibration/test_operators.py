"""What an operator's measurement tells of its wires, and the BF16 results that it is compared with."""

from dataclasses import replace

import numpy as np
import pytest

from bitjoule.gates.calibration import operators
from bitjoule.gates.calibration.measurement import Effort
from bitjoule.gates.calibration.operators import OperatorMeasurement, measure_operator, operands, rounded_to_bf16
from bitjoule.gates.constants import constant
from tests.gates.cache_names import namer, two_libraries


def test_wires_take_less_for_changes_that_settle_than_for_all_with_glitches(freepdk45):
    """An adder's carries ripple: its outputs glitch, and every change that settles is one of all changes."""
    found = measure_operator("add", "int8", freepdk45, Effort(cycles=8))
    assert 0 < found.wire_settled_fj < found.wire_fj
    assert 0 < found.settled_fj < found.total_fj


def test_a_band_goes_from_pins_without_glitches_to_longer_wires():
    found = OperatorMeasurement(
        settled_fj=2.0, total_fj=3.0, wire_settled_fj=5.0, wire_fj=7.0, error_fj=11.0, area_um2=13.0, leakage_nw=17.0,
        delay_ns=19.0, cells=23,
    )  # fmt: skip
    assert found.band_fj == (2.0, 3.0 + 7.0, 3.0 + constant("high-wire-length") * 7.0)


def test_bf16_keeps_eight_digits_to_nearest_even():
    ties = np.array([257, 259, 511, -257, -259, 2**-120 * 257, 0, -0.0], dtype=np.float32)
    values = np.concatenate([ties, np.random.default_rng(0).standard_normal(10_000).astype(np.float32)])
    digits, exponents = np.frexp(values.astype(np.float64))
    expected = np.ldexp(np.rint(digits * 256) / 256, exponents)
    np.testing.assert_array_equal(rounded_to_bf16(values).view(np.uint32), expected.astype(np.float32).view(np.uint32))
    assert rounded_to_bf16(ties)[:3].tolist() == [256, 260, 512]


def test_whatever_decides_a_measurement_is_in_its_name_in_the_cache(monkeypatch, tmp_path):
    name = namer(monkeypatch, operators, measure_operator)
    library, other = two_libraries(tmp_path)
    effort = Effort()
    asked = [
        ("add", "int8", library, effort),
        ("mul", "int8", library, effort),
        ("add", "int16", library, effort),
        ("add", "int8", other, effort),
        ("add", "int8", library, replace(effort, cycles=effort.cycles + 1)),
        ("add", "int8", library, replace(effort, words=effort.words + 1)),
        ("add", "int8", library, replace(effort, seed=effort.seed + 1)),
    ]
    names = [name(*arguments) for arguments in asked]
    assert len(set(names)) == len(names)
    assert name(*asked[0]) == names[0]


@pytest.mark.parametrize("number_format", ["int8", "int16"])
def test_integer_operands_are_all_that_the_format_holds(number_format):
    found = operands(number_format, 1 << 20, np.random.default_rng(0))
    assert len(np.unique(found)) == 1 << int(number_format.removeprefix("int"))
