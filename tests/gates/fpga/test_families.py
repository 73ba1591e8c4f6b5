"""What a family makes of an array."""

from dataclasses import replace

import pytest

from bitjoule.gates.fpga.devices import devices
from bitjoule.gates.fpga.families import FAMILIES
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration, shipped_configurations


@pytest.mark.parametrize(
    ("family", "name", "accumulators", "chain", "inverted", "stored"),
    [
        ("ice40", "tiny_8x4", "memory", 5, "after", 0),
        ("ice40", "decode_64x5", "registers", 5, "after", 30),  # of one token
        ("ecp5", "decode_64x5", "registers", 4, "none", 0),
        ("gowin", "decode_64x5", "registers", 4, "before", 0),
        ("ecp5", "tiny_8x4", "registers", 4, "none", 0),
        ("gowin", "edge_64x16", "registers", 4, "before", 0),
        ("ecp5", "ternary_fp16_8x4", "registers", 1, "none", 0),  # scaled
        ("gowin", "ternary_fp16_8x4", "registers", 1, "none", 0),
    ],
)
def test_a_suited_array_differs_in_how_it_adds_and_where_sums_and_decoders_are(
    family, name, accumulators, chain, inverted, stored
):
    config = read_configuration(name)
    suited = FAMILIES[family].suited(config)
    assert suited == replace(
        config,
        datapath="carry_chain",
        accumulators=accumulators,
        chain_lanes=chain,
        inverted_sums=inverted,
        stored_decoders=stored,
    )


@pytest.mark.parametrize(
    ("lanes", "columns", "tokens", "stored"),
    [(8, 5, 1, 8), (64, 6, 1, 15), (64, 64, 1, 2), (64, 5, 2, 22), (64, 5, 257, 14)],
)
def test_decoders_take_the_block_ram_that_sums_leave(lanes, columns, tokens, stored):
    """Of 30 blocks: one for each five columns of a lane; sums of 23 bits in five columns take eight for 256 tokens."""
    bus = 8 * lanes * -(-columns // 5)
    config = AcceleratorConfig(lanes, columns, 16384, bus, tokens=tokens, weight_encoding="ternary5")
    assert config.accumulator_bits == 23
    suited = FAMILIES["ice40"].suited(config)
    assert suited.stored_decoders == stored
    assert FAMILIES["ecp5"].suited(suited).stored_decoders == 0


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


CELLS = {  # of a netlist, numbers of which no sum of some equals that of others; and what they count for
    "ecp5": (
        {"LUT4": 3, "CCU2C": 50, "TRELLIS_DPR16X4": 700, "TRELLIS_FF": 11, "DP16KD": 20, "PDPW16KD": 400, "L6MUX21": 9},
        {"LUTs": 3 + 2 * 50 + 4 * 700, "flip-flops": 11, "block RAM": 420},
    ),
    "ice40": (
        {"SB_LUT4": 3, "SB_CARRY": 50, "SB_DFF": 700, "SB_DFFESR": 11, "SB_RAM40_4K": 20, "SB_RAM40_4KNR": 400},
        {"LUTs": 3, "flip-flops": 711, "block RAM": 420},
    ),
    "gowin": (
        {"LUT1": 3, "LUT4": 50, "ALU": 700, "RAM16SDP4": 11, "DFF": 20, "DFFRE": 400, "SDPX9B": 6000, "DPB": 1,
         "DPX9B": 2, "MUX2_LUT5": 9},
        {"LUTs": 753 + 4 * 11, "flip-flops": 420, "block RAM": 6003},
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_cells_count_for_the_tables_that_they_take(family):
    cells, counted = CELLS[family]
    assert FAMILIES[family].count(cells) == counted


@pytest.mark.parametrize("name", devices())
def test_nextpnr_is_told_which_device_it_is(name):
    device = devices()[name]
    told = {
        "ecp5": [device.option, "--package", device.package, "--speed", device.speed, "--lpf-allow-unconstrained"],
        "ice40": [device.option, "--package", device.package, "--pcf-allow-unconstrained", "--router", "router2"],
        "gowin": ["--device", device.part, "-o", f"family={device.option}", "-o", "cst=pins.cst"],
    }
    assert FAMILIES[device.family].arguments(device) == told[device.family]
    assert "" not in told[device.family]
