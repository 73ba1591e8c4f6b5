"""Gain of ternary over FP16 weights on two processors, as bitnet.cpp measured it."""

import pytest

from bitjoule.energy_models.machines.predict import Lengths, named, price
from bitjoule.energy_models.machines.rows import read_rows
from bitjoule.energy_models.system.platform.platforms import platforms

SPEEDS = {}
for row in read_rows()[1]:
    if row.cells["source"].startswith("bitnet.cpp report"):
        name = named(row)
        (speed,), _ = price([name], platforms()[name.platform], name.platform, Lengths())
        kind = "fp16" if row.cells["weights"] == "fp16" else "ternary"
        SPEEDS[name.platform, row.cells["model"], kind] = (speed, row.tokens_per_s)
CASES = list(dict.fromkeys(key[:2] for key in SPEEDS))
LARGE = [("m2-ultra", "BitNet-3.8B"), ("m2-ultra", "BitNet-13B")]  # predicted too slow with ternary weights


def gain(case, of):
    return SPEEDS[*case, "ternary"][of] / SPEEDS[*case, "fp16"][of]


@pytest.mark.parametrize("case", [case for case in CASES if case not in LARGE])
def test_the_gain_is_within_20_percent_of_the_measured_one(case):
    assert gain(case, 0) == pytest.approx(gain(case, 1), rel=0.2)


@pytest.mark.parametrize("case", LARGE)
def test_larger_models_gain_more_than_is_predicted(case):
    """docs/measured-machines.md says so: the fitted rows are of small ones, whose matrices unpack more slowly."""
    assert 1 < gain(case, 0) < 0.8 * gain(case, 1)


@pytest.mark.parametrize("key", [key for key in SPEEDS if key[0] == "i7-13700h"])
def test_each_row_of_the_laptop_is_nearer_than_by_hand(key):
    """38 W, 44 GB/s, 144 MACs/ns and 10 us a matmul meet them within 16 %."""
    predicted, measured = SPEEDS[key]
    assert predicted == pytest.approx(measured, rel=0.16)
