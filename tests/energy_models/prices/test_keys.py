"""Which prices hang on one row: of one technology, of all, and at any operating point."""

import pytest

from bitjoule.energy_models.prices.keys import shared_row

KEYS = {  # whether the price of a key is another one at another technology
    "memories.csv:7nm:sram:65536": True, "memories.csv:lpddr4": False, "operations.csv:7nm:add:int8": False,
    "platforms/a.yaml:nodes.7nm.leakage_w@500.5MHz": True, "platforms/a.yaml:buffers.x.wire_mm@7nm": True,
    "platforms/a.yaml:nodes.7nm.accumulators.read_pj_per_bit": True, "platforms/a.yaml:static.dram@250MHz": False,
    "platforms/a.yaml:arrays.x.accumulators.read_pj_per_bit": False, "platforms/a.yaml:off_chip.read_pj_per_bit": False,
    "platforms/a.yaml:regulator.efficiency": False, "drams.yaml:ddr4-2400:read:2048": False,
    "drams.yaml:ddr4-2400:phy.read_pj_per_bit": False, "technologies/t.yaml:sram:65536": False,
    "technologies/t.yaml:dram:lpddr4": False, "technologies/t.yaml:mac:m:64x16:zeros": False,
}  # fmt: skip


@pytest.mark.parametrize(("key", "apart"), KEYS.items())
def test_what_is_given_for_each_technology_moves_with_those_of_its_own_alone(key, apart):
    assert (shared_row(key, "7nm") != shared_row(key, "45nm")) == apart


@pytest.mark.parametrize("key", KEYS)
def test_a_price_at_an_operating_point_moves_with_the_one_at_the_nominal_point(key):
    assert shared_row(f"{key}*0.49", "7nm") == shared_row(key, "7nm") == shared_row(f"{key}*1.2", "7nm")


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("technologies/t.yaml:sram:65536", "technologies/t.yaml:sram:131072", True),
        (
            "platforms/a.yaml:nodes.7nm.accumulators.read_pj_per_bit",
            "platforms/b.yaml:nodes.7nm.accumulators.write_pj_per_bit",
            True,
        ),
        (
            "platforms/a.yaml:nodes.7nm.accumulators.read_pj_per_bit",
            "platforms/a.yaml:nodes.7nm.weight_registers.read_pj_per_bit",
            False,
        ),
        ("platforms/a.yaml:nodes.7nm.accumulators.read_pj_per_bit", "platforms/a.yaml:nodes.7nm.leakage_w@9MHz", False),
        ("technologies/t.yaml:sram:65536", "technologies/u.yaml:sram:65536", False),
        ("technologies/t.yaml:dram:lpddr4", "technologies/t.yaml:dram:hbm2", False),
        ("technologies/t.yaml:mac:m:64x16", "technologies/t.yaml:mac:m:32x8:zeros", True),
        ("technologies/t.yaml:mac:m:64x16", "technologies/u.yaml:mac:m:64x16", False),
        ("platforms/a.yaml:buffers.x.wire_mm@7nm", "platforms/b.yaml:buffers.y.wire_mm@7nm", True),
        ("platforms/a.yaml:static.dram@250MHz", "platforms/b.yaml:static.dram@500MHz", True),
        ("platforms/a.yaml:static.dram@250MHz", "platforms/a.yaml:static.board@250MHz", False),
        ("drams.yaml:ddr4-2400:phy.read_pj_per_bit", "drams.yaml:ddr4-2400:pins.read_pj_per_bit", False),
        ("drams.yaml:ddr4-2400:phy.read_pj_per_bit", "drams.yaml:ddr4-2400:read:2048", False),
        ("drams.yaml:ddr4-2400:read:2048", "drams.yaml:ddr4-2400:busy:2@1200MHz", True),
        ("drams.yaml:ddr4-2400:activate", "drams.yaml:lpddr4-3200:activate", False),
    ],
)
def test_prices_of_one_row_move_together_and_those_of_others_do_not(one, other, together):
    assert (shared_row(one, "7nm") == shared_row(other, "7nm")) == together
