"""MACs of measured technologies, by the size of the array, against what a run pays."""

import pytest

from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.paid_macs import paid_macs
from bitjoule.experiments.energy.runner import run

TEXT = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [fp16, int8, w4a8, bitnet-b1.58]
technologies: [7nm-measured]
platforms:
- {name: edge, by_scheme: {fp16: fp16-edge, int8: int8-edge, w4a8: int4-edge, bitnet-b1.58: ternary-edge}}
workload: {prompt_tokens: 30}
"""
MACHINES = {"fp16": "fp16-edge", "int8": "int8-edge", "w4a8": "int4-edge", "bitnet-b1.58": "ternary-edge"}


def test_the_price_of_each_mac_is_the_one_that_a_run_pays(resolved):
    long = run(resolved(TEXT)).results
    paid = long[(long["component"] == "q_proj") & (long["action"] == "mac")]
    assert list(paid["scheme"]) == list(MACHINES)
    rows = paid_macs(technologies()["7nm-measured"])
    for row in paid.to_dict("records"):
        place, _, size = row["price"].removesuffix(":zeros").rpartition(":")
        name = place.partition(":mac:")[2]
        (shown,) = [shown for shown in rows if shown.mac.name == name and f"{shown.lanes}x{shown.columns}" == size]
        assert MACHINES[row["scheme"]] in shown.payers
        assert shown.price.nominal_pj == pytest.approx(row["energy_pj"] / row["count"])
        assert shown.price.high_pj == pytest.approx(row["energy_high_pj"] / row["count"])


def test_each_mac_is_shown_in_the_size_of_the_technology_whoever_pays_it():
    technology = technologies()["45nm-measured"]
    own = [row for row in paid_macs(technology) if (row.lanes, row.columns) == (technology.lanes, technology.columns)]
    assert [row.mac for row in own] == list(technology.macs)
    mac, zeros = technology.macs[0], technology.zero_share
    assert mac.weights == "ternary"
    nominal = {
        key: getattr(mac, f"{key}_pj").nominal for key in ("nonzero", "zero", "column", "lane", "cycle", "fanout")
    }
    by_hand = (1 - zeros) * nominal["nonzero"] + zeros * nominal["zero"] + nominal["column"] / 64 + nominal["lane"] / 16
    by_hand += nominal["cycle"] / 1024 + 4 * nominal["fanout"]  # 16 columns are four doublings
    assert own[0].price.nominal_pj == pytest.approx(by_hand)
    assert own[0].zero_share == zeros
    assert {row.zero_share for row in own if row.mac.weights != "ternary"} == {0.0}


def test_tables_of_operations_have_no_macs():
    assert paid_macs(technologies()["45nm"]) == []
