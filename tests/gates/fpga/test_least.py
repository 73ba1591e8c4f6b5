"""Lower bounds, against what synthesis made of the same arrays, and what is refused for them."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.gates.fpga.devices import find_device
from bitjoule.gates.fpga.families import FAMILIES
from bitjoule.gates.fpga.least import check_least, least_use
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration

ROOT = Path(__file__).parents[3]
FAMILY_NAMES = {"ECP5": "ecp5", "Gowin": "gowin", "iCE40": "ice40"}


def synthesised(file):
    """Yield family, datapath (none: as placed) and cells of each design of a table in benchmarks/."""
    designs = {}
    for row in csv.DictReader((ROOT / "benchmarks" / file).read_text().splitlines()):
        designs.setdefault(row["design"], {})[row["quantity"]] = float(row["value"])
    for design, cells in designs.items():
        family, datapath, *_ = design.replace("`", "").split(", ")
        yield FAMILY_NAMES[family], None if datapath == "as placed" else datapath, cells


@pytest.mark.parametrize(("file", "name"), [("fpga.csv", "tiny_8x4"), ("fpga_decode.csv", "decode_64x5")])
def test_no_bound_is_above_what_synthesis_takes(file, name):
    config = read_configuration(name)
    for key, datapath, cells in synthesised(file):
        family = FAMILIES[key]
        built = family.suited(config) if datapath is None else replace(config, datapath=datapath)
        least = least_use(built, family, 4)
        for what in ("LUTs", "flip-flops", "block RAM"):
            assert least[what] <= cells[what], (key, datapath, what)
        assert 4 * least["flip-flops"] >= cells["flip-flops"], "a bound that refuses nothing"


def test_the_bounds_of_a_small_array_counted_by_hand():
    """8 x 1: sums of 4 x 9, 2 x 10 and 11 bits, 11 of the accumulator; 16 select lines, an early beat of 8 bits."""
    config = AcceleratorConfig(8, 1, 4, 8, tokens=2, datapath="carry_chain", accumulators="memory")
    assert config.accumulator_bits == 11
    assert least_use(config, FAMILIES["ice40"], 4) == {
        "LUTs": 36 + 20 + 11 + 11, "flip-flops": 16 + 8 + 64, "block RAM": 1, "pins": 4,
    }  # fmt: skip
    words = AcceleratorConfig(8, 1, 4, 64, weight_encoding="int8")
    assert least_use(words, FAMILIES["ecp5"], 4)["flip-flops"] == 64 + 64
    assert least_use(words, FAMILIES["ecp5"], 4)["block RAM"] == 0


def test_the_bounds_of_sums_and_tables_in_each_place_counted_by_hand():
    """8 x 3 trits of one bus of 48 bits: 2 x 24 select lines, 64 bits of activations; sums of at most 512: 11 bits."""
    tables = (8 * 8 + 8 * 2 - 1) // 5  # of a column: all its inputs, five of which a table takes away
    held, sums, tokens = 48 + 64, 3 * 11, 300
    config = AcceleratorConfig(8, 3, 4, 48, tokens=tokens)
    expected = {
        ("ice40", "memory"): (held, 3 * 2),  # 33 bits of 16 that a block has, 300 tokens of its 256
        ("ice40", "registers"): (held + tokens * sums, 0),
        ("ecp5", "memory"): (held, 0),
        ("ecp5", "registers"): (held, 0),  # in LUT RAM
    }
    for (family, place), (flip_flops, block_ram) in expected.items():
        found = least_use(replace(config, accumulators=place), FAMILIES[family], 9)
        assert found == {"LUTs": 3 * tables, "flip-flops": flip_flops, "block RAM": block_ram, "pins": 9}
    signs = least_use(AcceleratorConfig(8, 3, 4, 24, weight_encoding="binary1"), FAMILIES["ecp5"], 9)
    assert signs["flip-flops"] == 24 + 64  # one line a sign
    one = least_use(replace(config, tokens=1), FAMILIES["ice40"], 9)
    assert (one["flip-flops"], one["block RAM"]) == (held, 0)


def test_what_decodes_in_block_ram_holds_no_lines_in_flip_flops():
    chains = {"datapath": "carry_chain", "chain_lanes": 4, "inverted_sums": "after"}
    config = AcceleratorConfig(16, 7, 32, 256, weight_encoding="ternary5", **chains)
    held = 2 * 7 * 16 + 16 * 8  # two lines a trit, eight bits an activation
    for stored in (0, 3, 16):
        found = least_use(replace(config, stored_decoders=stored), FAMILIES["ice40"], 9)
        assert (found["flip-flops"], found["block RAM"]) == (held - 2 * 7 * stored, 2 * stored)  # two bytes a lane


@pytest.mark.parametrize(("tokens", "blocks"), [(2, 1), (255, 1), (256, 1), (257, 2), (512, 2), (513, 3)])
@pytest.mark.parametrize(("columns", "wide"), [(1, 1), (16, 11), (17, 12)])  # sums of 11 bits, words of 16
def test_a_block_of_memory_holds_256_tokens_of_16_bits(tokens, blocks, columns, wide):
    config = AcceleratorConfig(8, columns, 4, 16 * columns, tokens=tokens, accumulators="memory")
    assert config.accumulator_bits == 11
    assert least_use(config, FAMILIES["ice40"], 4)["block RAM"] == blocks * wide


def test_what_cannot_fit_is_named_with_both_numbers():
    edge = FAMILIES["ice40"].suited(read_configuration("edge_64x16"))
    with pytest.raises(InputError) as error:
        check_least(edge, find_device("ice40-hx8k"), 4)
    wrong = "the design takes at least 10352 LUTs, and iCE40HX8K, ct256 has 7680; expected a larger device"
    assert wrong in str(error.value)
    check_least(FAMILIES["ice40"].suited(read_configuration("tiny_8x4")), find_device("ice40-hx8k"), 4)
    with pytest.raises(InputError, match=r"at least 207 pins, .* has 206; expected --wrapper uart"):
        check_least(read_configuration("tiny_8x4"), find_device("ice40-hx8k"), 207)
