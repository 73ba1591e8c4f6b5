"""What a family makes of an array."""

from dataclasses import replace

import pytest

from bitjoule.gates.fpga.families import FAMILIES
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration, shipped_configurations


@pytest.mark.parametrize(
    ("family", "name", "accumulators"),
    [
        ("ice40", "tiny_8x4", "memory"),
        ("ice40", "decode_64x5", "registers"),  # of one token
        ("ecp5", "tiny_8x4", "registers"),
        ("gowin", "edge_64x16", "registers"),
    ],
)
def test_a_suited_array_differs_in_how_it_adds_and_where_sums_are_kept(family, name, accumulators):
    config = read_configuration(name)
    suited = FAMILIES[family].suited(config)
    assert suited == replace(config, datapath="carry_chain", accumulators=accumulators)


def test_a_look_up_table_and_sums_in_memory_are_read_from_the_configuration():
    """What the array does not need any more goes, what its owner chose stays."""
    config = AcceleratorConfig(
        9,
        2,
        32,
        24,
        tokens=4,
        weight_encoding="ternary5",
        datapath="lookup_table",
        table_lanes=3,
        accumulators="memory",
    )
    suited = FAMILIES["ecp5"].suited(config)
    assert (suited.datapath, suited.table_lanes, suited.accumulators) == ("carry_chain", None, "memory")


@pytest.mark.parametrize("name", ["int8_8x4", "fp16_8x4"])
def test_an_array_that_multiplies_stays_as_it_is(name):
    config = read_configuration(name)
    assert all(family.suited(config) == config for family in FAMILIES.values())


def test_every_array_of_trits_that_ships_suits_every_family():
    """Among them those with scales and FP16 activations."""
    for name in shipped_configurations():
        config = read_configuration(name)
        for family in FAMILIES.values():
            suited = family.suited(config)
            assert (suited.lanes, suited.columns, suited.tokens) == (config.lanes, config.columns, config.tokens)
