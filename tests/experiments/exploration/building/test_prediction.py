"""What is predicted of one accelerator: closed forms of the technology's file, and the figures of the exploration."""

import pytest

from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.experiments.exploration.building.configuration import accelerator_of
from bitjoule.experiments.exploration.building.prediction import predicted, technology_at, zero_share
from bitjoule.experiments.exploration.evaluation import UM2_PER_MM2, evaluate
from tests.energy_models.clocks import MET_MHZ
from tests.experiments.exploration.cases import resolved

KNOBS = {"accelerator.instances": [1, 2]}


@pytest.fixture(scope="module")
def work():
    """Return an exploration of two accelerators side by side at most, priced by netlists."""
    array = {"config": "edge_64x16", "array": "adders"}
    return resolved(technology="45nm-measured", accelerator=array, explore__knobs=KNOBS)


def test_area_clock_and_leakage_are_those_of_the_measured_mac(work):
    found = accelerator_of(work.base, work.space, 1)
    said = predicted(found, found.design.technology)
    mac = technologies()["45nm-measured"].mac("ternary", "int8", None)
    assert said.mac == mac
    assert said.array.area_um2 == pytest.approx(64 * 16 * mac.area_um2)
    assert said.array.leakage_w.nominal_pj == pytest.approx(64 * 16 * mac.leakage_nw * 1e-9)
    assert said.clock_mhz == pytest.approx(1e3 / mac.period_ns)
    assert said.chip_mhz == pytest.approx(MET_MHZ["45nm"])


def test_the_energy_of_a_mac_has_its_share_of_a_weight_and_of_an_accumulator(work):
    found = accelerator_of(work.base, work.space, 0)
    said = predicted(found, found.design.technology)
    technology = technologies()["45nm-measured"]
    mac = technology.mac("ternary", "int8", None)
    assert said.mac_pj == pytest.approx(mac.price(64, 16, technology.zero_share))
    assert said.load_pj.nominal_pj == pytest.approx(mac.load_pj.nominal / 64)  # a tile serves 64 tokens
    assert said.store_pj.nominal_pj == pytest.approx(2 * 23 * 0.0119 / 64)  # 64 lanes share a sum
    parts = zip(said.mac_pj, said.load_pj, said.store_pj, strict=True)
    assert said.energy_pj == pytest.approx(tuple(map(sum, parts)))


def test_a_second_accelerator_adds_its_predicted_area_to_the_chip(work):
    area_mm2 = evaluate(work.base, work.space, [0, 1]).amounts.area_mm2[:, 0]
    found = accelerator_of(work.base, work.space, 0)
    said = predicted(found, found.design.technology)
    assert (area_mm2[1] - area_mm2[0]) * UM2_PER_MM2 == pytest.approx(said.array.area_um2 + said.store.area_um2)


def test_at_the_published_prices_of_a_node_a_mac_is_an_addition():
    work = resolved(technology="45nm", explore__knobs={"platform.arrays.adders.columns": [8, 16]})
    found = accelerator_of(work.base, work.space, 0)
    said = predicted(found, found.design.technology)
    assert said.mac_pj.nominal_pj == pytest.approx(technologies()["45nm"].price("add", "int8").nominal_pj)
    assert said.load_pj.nominal_pj == pytest.approx(2 * 0.0013 / 64)  # two bits of a register
    assert zero_share(found, found.design.technology, 0.25) == 0.25


def test_prices_are_those_of_the_node_of_the_library(work):
    found = accelerator_of(work.base, work.space, 0)
    assert technology_at(found, None) is found.design.technology
    assert technology_at(found, 45.0) is found.design.technology
    assert technology_at(found, 7.0).name == "7nm-measured"
    assert zero_share(found, technology_at(found, 7.0), 0.25) == technologies()["7nm-measured"].zero_share
    with pytest.raises(UnpricedError, match="no technology of netlists at 28 nm"):
        technology_at(found, 28.0)
