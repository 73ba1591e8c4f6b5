"""Access prices against the tables they come from."""

import pytest

from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.energy_models.prices.memories import memories

# TPUv4i Table 2 and Horowitz 2014, in pJ for 64 bits, at 45 and 7 nm
SRAM = {8 * 1024: (10, 7.5), 32 * 1024: (20, 8.5), 1024 * 1024: (100, 14)}


@pytest.mark.parametrize("capacity_bytes", SRAM)
@pytest.mark.parametrize(("node_nm", "column"), [(45, 0), (7, 1)])
def test_sram_prices_are_the_printed_ones(capacity_bytes, node_nm, column):
    (row,) = [m for m in memories() if m.capacity_bytes == capacity_bytes and m.node_nm == node_nm]
    assert row.energy.nominal_pj == SRAM[capacity_bytes][column]
    assert row.access_bits == 64


@pytest.mark.parametrize(
    ("name", "low_pj", "high_pj"),
    [("ddr", 1300, 2600), ("hbm2", 3.9 * 64, 13.1 * 64), ("lpddr4", 8, 1300 / 64), ("gddr6", 350, 480)],
)
def test_the_band_of_a_memory_spans_the_sources_that_disagree(name, low_pj, high_pj):
    (row,) = [m for m in memories() if m.name == name]
    assert (row.energy.low_pj, row.energy.high_pj) == pytest.approx((low_pj, high_pj))
    assert row.energy.low_pj <= row.energy.nominal_pj <= row.energy.high_pj


def test_every_price_cites_a_source_and_a_place():
    for row in memories():
        assert row.where
        assert all(key in sources() for key in keys(row.source))
