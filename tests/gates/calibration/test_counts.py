"""What is counted in a cycle of an array, and what is given per multiply-accumulate, by hand."""

import dataclasses

import pytest

from bitjoule.gates.calibration.calibration import fitted_configs, measured_mac
from bitjoule.gates.calibration.measurement import Measurement
from bitjoule.gates.calibration.terms import counts
from bitjoule.rtl.config import AcceleratorConfig

LANES, COLUMNS = 16, 4
ONE = AcceleratorConfig(lanes=LANES, columns=COLUMNS, max_k=256, weight_bus_bits=128)
HELD = dataclasses.replace(ONE, tokens=8)
MACS = LANES * COLUMNS


def measured(config: AcceleratorConfig, zero_share: float) -> Measurement:
    """A measurement of some area, leakage and energy; no two figures of it are equal."""
    macs = config.lanes * config.columns
    return Measurement(
        config.as_mapping(), "", config.tokens > 1, zero_share, settled_fj=100.0 * macs, total_fj=200.0 * macs,
        wire_settled_fj=60.0 * macs, wire_fj=80.0 * macs, clock_fj=20.0 * macs, error_fj=0.0, leakage_nw=3.0 * macs,
        area_um2=5.0 * macs, cells=9, period_ns=0.75,
    )  # fmt: skip


def test_a_tile_that_serves_several_tokens_is_loaded_for_a_share_of_each():
    expected = {"nonzero": 0.75 * MACS, "zero": 0.25 * MACS, "column": COLUMNS, "lane": LANES, "cycle": 1.0}
    expected["fanout"] = MACS * 2  # four columns are two doublings of one
    assert counts(measured(ONE, 0.25)) == pytest.approx({**expected, "load": MACS, "stored": 0.0})
    assert counts(measured(HELD, 0.25)) == pytest.approx({**expected, "load": MACS / 8, "stored": COLUMNS * 8})


def test_area_and_leakage_are_given_for_each_mac_and_the_band_by_its_ends():
    found = measured_mac(ONE, [measured(size, share) for size in fitted_configs(ONE) for share in (0.2, 0.5)])
    assert (found.area_um2, found.leakage_nw, found.period_ns) == (5.0, 3.0, 0.75)
    assert (found.lanes, found.columns) == (LANES, COLUMNS)
    nonzero = found.nonzero_pj
    assert nonzero.low / nonzero.nominal == pytest.approx(100 / (200 + 80), rel=1e-5)
    assert nonzero.high / nonzero.nominal == pytest.approx((200 + 2 * 80 + 20) / (200 + 80), rel=1e-5)
