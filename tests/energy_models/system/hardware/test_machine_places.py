"""Which of two places a machine takes a clock, a price or a width from, and the key that says so."""

from dataclasses import replace

import pytest

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.off_chip import OffChip
from bitjoule.energy_models.system.platform.platforms import Node, StorePrices, platforms
from bitjoule.energy_models.system.platform.regulator import Regulator
from bitjoule.energy_models.system.work.steps import MatmulKind

OWN = replace(technologies()["7nm"], name="own")
KEY = "platforms/mine.yaml:"


def machine(scheme="bitnet-b1.58", technology=OWN, **changes):
    found = platforms()["ternary-edge"].model_copy(update=changes)
    return Machine(schemes()[scheme], found, technology, "mine")


def test_a_technology_of_its_own_goes_before_its_node():
    nodes = {"7nm": Node(clock_mhz=100, leakage_w=1.0), "own": Node(clock_mhz=300, leakage_w=2.0)}
    assert machine(nodes=nodes).clock_mhz == 300
    assert machine(nodes=dict(reversed(nodes.items()))).clock_mhz == 300
    assert machine(nodes={"7nm": nodes["7nm"]}).clock_mhz == 100


@pytest.mark.parametrize(("watts", "place"), [(1.0, "7nm"), (2.0, "own")])
def test_leakage_is_the_nodes_where_both_have_one_value(watts, place):
    nodes = {"7nm": Node(clock_mhz=100, leakage_w=1.0), "own": Node(clock_mhz=300, leakage_w=watts)}
    found = machine(nodes=nodes)
    assert found.cycle_pj.nominal_pj == pytest.approx(watts * 1e6 / 300)
    assert found.cycle_key == f"{KEY}nodes.{place}.leakage_w@300MHz"


@pytest.mark.parametrize(("own", "pj", "place"), [(0.0, 0.0, "nodes.7nm.accumulators"), (None, 0.7, "arrays.adders")])
def test_a_register_that_costs_nothing_at_a_node_costs_nothing(own, pj, place):
    arrays = platforms()["ternary-edge"].arrays
    sums = arrays["adders"].accumulators.model_copy(update={"read_pj_per_bit": 0.7})
    arrays = {**arrays, "adders": arrays["adders"].model_copy(update={"accumulators": sums})}
    nodes = {"7nm": Node(clock_mhz=100, accumulators=StorePrices(read_pj_per_bit=own))}
    price, key = machine(arrays=arrays, nodes=nodes).register_price("adders", "accumulators", "read")
    assert price == (pj, pj, pj)
    assert key.startswith(f"{KEY}{place}")
    assert key.endswith("read_pj_per_bit")


def test_a_loss_hangs_on_the_efficiency_of_the_regulator():
    found = machine(regulator=Regulator(efficiency=0.8)).regulator
    assert found.key == f"{KEY}regulator.efficiency"
    assert found.price == pytest.approx((0.25, 0.25, 0.25))


@pytest.mark.parametrize(
    ("scheme", "sums", "input_bits"),
    [("bitnet-b1.58", 8, 8), ("bitnet-b1.58", 23, 8), ("bitnet-g128", 23, 8 + 16 / 128)],
)
def test_the_smallest_tile_is_a_row_of_inputs_and_one_of_sums_or_outputs_whichever_are_wider(scheme, sums, input_bits):
    array = platforms()["ternary-edge"].arrays["adders"]
    own = array.model_copy(update={"accumulators": array.accumulators.model_copy(update={"bits": sums})})
    found = machine(scheme, arrays={**platforms()["ternary-edge"].arrays, "adders": own})
    assert found.formats(MatmulKind.LINEAR).outputs == "fp16"
    expected = array.lanes * input_bits + array.columns * max(sums, 16)
    assert found.least_bits(MatmulKind.LINEAR) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("way", ["read", "write"])
def test_bits_to_and_from_a_device_have_keys_of_their_own(way):
    device = next(name for name, each in drams().items() if each.lockstep == 1)
    found = machine(off_chip=OffChip(device=device, bandwidth_gb_per_s=drams()[device].gb_per_s))
    price, key = found.access(f"off_chip_{way}", "activations")
    assert key == f"drams.yaml:{device}:core_{way}"
    core, _ = found.dram.core(way)
    assert price.nominal_pj > core.nominal_pj
