"""Area and clock of arrays that have several MACs, MACs that were not measured, or accumulators in each PE."""

from dataclasses import replace

import pytest

from bitjoule.energy_models.prices.silicon import silicon_rows
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.silicon import clocks_mhz, macs_of, silicon
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.platforms import platforms

MEASURED = technologies()["7nm-measured"]
EDGE = platforms()["ternary-edge"]
ADDERS = EDGE.arrays["adders"]
OWN_PRICE = ADDERS.macs[0].model_copy(update={"actions": None, "energy_pj": 0.1})


def chip(**changes):
    """Return the edge device with changes of its adders."""
    return EDGE.model_copy(update={"arrays": {**EDGE.arrays, "adders": ADDERS.model_copy(update=changes)}})


def with_macs(change):
    """Return the technology with each MAC as changed."""
    return replace(MEASURED, macs=tuple(mac.model_copy(update=change(mac)) for mac in MEASURED.macs))


def test_an_array_is_as_large_as_its_largest_mac_wherever_that_is_listed_and_whatever_it_leaks():
    areas = [mac.area_um2 for mac in macs_of("adders", ADDERS, MEASURED)]
    assert len(set(areas)) > 1
    inverse = with_macs(lambda mac: {"leakage_nw": 1 / mac.area_um2})
    for macs in (ADDERS.macs, ADDERS.macs[::-1]):
        for technology in (MEASURED, inverse):
            found = silicon(chip(macs=macs), technology)["adders"]
            assert found.area_um2 == pytest.approx(ADDERS.lanes * ADDERS.columns * max(areas))


def test_accumulators_of_each_pe_are_as_many_as_pes():
    sums = ADDERS.accumulators
    each = chip(accumulators=sums.model_copy(update={"per": "pe"}))
    more = silicon(each, MEASURED)["sram"].area_um2 - silicon(EDGE, MEASURED)["sram"].area_um2
    bits = sums.depth * sums.bits * ADDERS.columns * (ADDERS.lanes - 1)
    assert more == pytest.approx(bits * silicon_rows()["sram_area", 7.0].value)


def test_an_array_with_a_mac_that_was_not_timed_has_no_clock():
    assert set(clocks_mhz(EDGE, MEASURED)) == set(EDGE.arrays)
    first = next(macs_of("adders", ADDERS, MEASURED))
    untimed = with_macs(lambda mac: {"period_ns": None if mac is first else mac.period_ns})
    assert set(clocks_mhz(EDGE, untimed)) == set(EDGE.arrays) - {"adders"}


def test_macs_with_a_price_of_their_own_are_left_out_until_no_other_is_there():
    both = ADDERS.model_copy(update={"macs": [OWN_PRICE, *ADDERS.macs]})
    assert list(macs_of("adders", both, MEASURED)) == list(macs_of("adders", ADDERS, MEASURED))
    with pytest.raises(UnpricedError) as error:
        list(macs_of("adders", ADDERS.model_copy(update={"macs": [OWN_PRICE]}), MEASURED))
    assert error.value.args == (f"{MEASURED.name} has no MAC of array adders (energy_pj)", "leakage_w in W")
