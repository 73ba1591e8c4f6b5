import itertools

import numpy as np
import pytest

from bitjoule.rtl.config import DATAPATHS, INT8_MAX_K, AcceleratorConfig, ConfigError
from bitjoule.rtl.encodings import ENCODINGS

GOOD = {"lanes": 8, "columns": 4, "max_k": 64, "weight_bus_bits": 64}


@pytest.mark.parametrize(
    ("changed", "key", "expected"),
    [
        ({"lanes": 0}, "lanes", "from 8 to 256"),
        ({"lanes": 7}, "lanes", "from 8 to 256"),
        ({"lanes": 257}, "lanes", "from 8 to 256"),
        ({"lanes": 8.0}, "lanes", "a whole number"),
        ({"lanes": True}, "lanes", "a whole number"),
        ({"lanes": "8"}, "lanes", "a whole number"),
        ({"columns": 0}, "columns", "from 1 to 64"),
        ({"columns": 65}, "columns", "from 1 to 64"),
        ({"tokens": 0}, "tokens", "from 1 to 1024"),
        ({"activation_bits": 9}, "activation_bits", "from 1 to 8"),
        ({"activation_bits": 0}, "activation_bits", "from 1 to 8"),
        ({"max_k": 0}, "max_k", "from 1 to 1048576"),
        ({"pipeline": 5}, "pipeline", "from 0 to 4"),
        ({"pipeline": -1}, "pipeline", "from 0 to 4"),
        ({"weight_encoding": "ternary3"}, "weight_encoding", "binary1, ternary2, ternary5, int8, int4, int2, fp16"),
        ({"weight_encoding": []}, "weight_encoding", "binary1, ternary2, ternary5"),
        ({"datapath": "wallace"}, "datapath", "carry_save, carry_chain, multiplexer, lookup_table"),
        ({"datapath": "lookup_table", "lanes": 9, "weight_bus_bits": 72}, "lanes", "a multiple of 2 (table"),
        ({"datapath": "lookup_table", "table_lanes": 3}, "lanes", "a multiple of 3 (table_lanes) from 8 to 256"),
        ({"datapath": "lookup_table", "table_lanes": 1}, "table_lanes", "from 2 to 4"),
        ({"datapath": "lookup_table", "table_lanes": "2"}, "table_lanes", "a whole number from 2 to 4"),
        ({"table_lanes": 2}, "table_lanes", "datapath: lookup_table"),
        ({"chain_lanes": 2}, "chain_lanes", "1, or datapath: carry_chain"),
        ({"datapath": "carry_chain", "chain_lanes": 0}, "chain_lanes", "a whole number from 1 to 8"),
        ({"datapath": "carry_chain", "chain_lanes": 9}, "chain_lanes", "a whole number from 1 to 8"),
        ({"datapath": "carry_chain", "chain_lanes": None}, "chain_lanes", "a whole number from 1 to 8"),
        ({"inverted_sums": "behind"}, "inverted_sums", "one of none, before, after"),
        ({"inverted_sums": None}, "inverted_sums", "one of none, before, after"),
        ({"inverted_sums": "after"}, "inverted_sums", "none, or chain_lanes of 3 or more"),
        (
            {"datapath": "carry_chain", "chain_lanes": 2, "inverted_sums": "before"},
            "inverted_sums",
            "none, or chain_lanes of 3 or more",
        ),
        (
            {"datapath": "carry_chain", "chain_lanes": 3, "inverted_sums": "after", "accumulation": "fp32"},
            "inverted_sums",
            "none, or accumulation: exact",
        ),
        ({"stored_decoders": -1}, "stored_decoders", "a whole number from 0 to 256"),
        ({"stored_decoders": None}, "stored_decoders", "a whole number from 0 to 256"),
        (
            {"stored_decoders": 1},
            "stored_decoders",
            "0, or weight_encoding: ternary5 and inverted_sums: before or after",
        ),
        (
            {"stored_decoders": 1, "weight_encoding": "ternary5"},
            "stored_decoders",
            "0, or weight_encoding: ternary5 and inverted_sums: before or after",
        ),
        (
            {
                "stored_decoders": 9,
                "weight_encoding": "ternary5",
                "datapath": "carry_chain",
                "chain_lanes": 4,
                "inverted_sums": "after",
            },
            "stored_decoders",
            "at most one for each lane",
        ),
        ({"datapath": "lookup_table", "lanes": 300}, "lanes", "from 8 to 256"),
        (
            {"datapath": "lookup_table", "weight_encoding": "binary1", "lanes": 255, "weight_bus_bits": 1024},
            "lanes",
            "a multiple of 2 (table_lanes) from 8 to 256",
        ),
        ({"weight_encoding": "int2", "datapath": "lookup_table"}, "datapath", "weight_digits"),
        ({"weight_bus_bits": 24}, "weight_bus_bits", "64, 32, 16, 8"),
        ({"weight_bus_bits": 68}, "weight_bus_bits", "multiple of 8 from 64"),
        ({"weight_bus_bits": 0}, "weight_bus_bits", "64, 32, 16, 8"),
        ({"weight_bus_bits": None}, "weight_bus_bits", "64, 32, 16, 8"),
        ({"lanez": 8}, "lanez", "one of lanes, columns"),
        ({"accumulation": "int32"}, "accumulation", "exact"),
        ({"weight_encoding": "int8", "accumulation": "fp32"}, "accumulation", "int32"),
        ({"weight_encoding": "int8", "datapath": "activation_digits", "activation_bits": 4}, "activation_bits", "8"),
        ({"weight_encoding": "int8", "datapath": "multiplexer"}, "datapath", "one of weight_digits, activation_digits"),
        ({"weight_encoding": "int4", "datapath": "activation_digits"}, "datapath", "weight_digits"),
        ({"weight_encoding": "int2", "accumulation": "exact"}, "accumulation", "int32"),
        ({"weight_encoding": "ternary2", "datapath": "weight_digits"}, "datapath", "one of carry_save"),
        ({"weight_encoding": "int8", "max_k": 1 << 17}, "max_k", "from 1 to 131071"),
        ({"weight_encoding": "int8", "pipeline": 5}, "pipeline", "from 0 to 4"),
        ({"weight_encoding": "fp16", "accumulation": "int32"}, "accumulation", "one of fp32, fp16"),
        ({"weight_encoding": "fp16", "activation_bits": 8}, "activation_bits", "16"),
        ({"weight_encoding": "fp16", "pipeline": 5}, "pipeline", "from 0 to 4"),
        ({"weight_encoding": "fp16", "datapath": "rounding_tree", "pipeline": 10}, "pipeline", "from 0 to 9"),
        ({"weight_encoding": "fp16", "accumulation": "fp16"}, "accumulation", "fp32, or datapath: rounding_tree"),
        ({"activation_bits": 17}, "activation_bits", "from 1 to 8; 16 (FP16) with accumulation: fp32"),
        ({"activation_bits": 16, "accumulation": "exact"}, "activation_bits", "16 (FP16) with accumulation: fp32"),
        ({"activation_bits": 8, "accumulation": "fp32"}, "activation_bits", "16 (FP16), or accumulation: exact"),
        ({"activation_bits": 16.0, "accumulation": "fp32"}, "activation_bits", "16 (FP16), or accumulation: exact"),
        ({"accumulation": "fp16"}, "accumulation", "one of exact, fp32"),
        ({"activation_bits": 16, "lanes": 24}, "lanes", "one of 8, 16, 32, 64, 128: whole tiles fill a group of 128"),
        ({"activation_bits": 16, "lanes": 256}, "lanes", "one of 8, 16, 32, 64, 128"),
        ({"activation_bits": 16, "lanes": None}, "lanes", "one of 8, 16, 32, 64, 128"),
        ({"activation_bits": 16, "weight_bus_bits": 40}, "weight_bus_bits", "128, 64, 32, 16, 8"),
        ({"activation_bits": 16, "datapath": "fused"}, "datapath", "one of carry_save, carry_chain, multiplexer"),
        ({"activation_bits": 16, "pipeline": 5}, "pipeline", "from 0 to 4"),
        ({"weight_encoding": "int4", "activation_bits": 16}, "activation_bits", "from 1 to 8"),
        ({"accumulators": "memory"}, "accumulators", "registers, or tokens of 2 or more"),
        ({"accumulators": "sram", "tokens": 2}, "accumulators", "one of registers, memory"),
        ({"accumulators": None}, "accumulators", "one of registers, memory"),
        ({"weight_encoding": "fp16", "datapath": "carry_save"}, "datapath", "one of fused, rounding_tree"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_the_allowed_ones(changed, key, expected):
    with pytest.raises(ConfigError) as raised:
        AcceleratorConfig.from_mapping(GOOD | changed)
    (fault,) = raised.value.faults
    assert fault.key == key
    assert expected in fault.expected


def test_every_fault_is_reported_at_once():
    with pytest.raises(ConfigError) as raised:
        AcceleratorConfig.from_mapping({"lanes": 0, "columns": 99, "datapath": "x", "wrong": 1})
    assert {fault.key for fault in raised.value.faults} == {
        "lanes", "columns", "datapath", "wrong", "max_k", "weight_bus_bits",
    }  # fmt: skip


def test_a_missing_key_is_named_and_no_other_blamed():
    with pytest.raises(ConfigError) as raised:
        AcceleratorConfig.from_mapping({"columns": 3, "max_k": 64, "weight_bus_bits": 1000})
    assert [fault.key for fault in raised.value.faults] == ["lanes"]


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("max_k", [1, 2, 3, 64, 100, 4096, 6912, 1 << 20])
def test_accumulators_hold_every_sum_and_are_never_wider_than_needed(bits, max_k):
    config = AcceleratorConfig.from_mapping(GOOD | {"activation_bits": bits, "max_k": max_k})
    largest = max_k * (1 << (bits - 1))  # -2**(bits - 1) times -1, in every lane
    width = config.accumulator_bits
    assert -(1 << (width - 1)) <= -largest
    assert largest <= (1 << (width - 1)) - 1
    assert largest > (1 << (width - 2)) - 1
    assert config.result_bits in (8, 16, 32)
    assert config.result_bits >= width


def test_a_tile_fills_whole_beats_or_less_than_one():
    for encoding, columns, lanes in itertools.product(ENCODINGS, (1, 4, 5, 7, 16), (8, 9, 64)):
        for bus in range(8, 4096, 8):
            try:
                config = AcceleratorConfig(lanes, columns, 64, bus, weight_encoding=encoding)
            except ConfigError:
                continue
            assert config.tile_beats * bus >= config.tile_bits
            assert bus >= config.tile_bits or config.tile_beats * bus == config.tile_bits
            assert config.tile_bits >= np.ceil(lanes * columns * np.log2(2 if encoding == "binary1" else 3) / 8) * 8


@pytest.mark.parametrize(
    ("encoding", "accumulation", "activations", "sums"),
    [
        ("int8", None, 8, 32),
        ("fp16", None, 16, 32),
        ("fp16", "fp32", 16, 32),
        ("fp16", "fp16", 16, 16),
    ],
)
def test_numbers_that_are_multiplied_have_the_widths_of_their_formats(encoding, accumulation, activations, sums):
    given = {"weight_encoding": encoding} | ({"accumulation": accumulation} if accumulation else {})
    given |= {"datapath": "rounding_tree"} if accumulation == "fp16" else {}
    config = AcceleratorConfig.from_mapping(GOOD | given)
    assert (config.activation_bits, config.accumulator_bits, config.result_bits) == (activations, sums, sums)
    assert config.tile_bits == 8 * 4 * activations
    assert AcceleratorConfig.from_mapping(config.as_mapping()) == config


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("given", [{"activation_bits": 16}, {"accumulation": "fp32"}])
def test_trits_with_scales_take_fp16_activations_and_a_scale_a_column(encoding, given):
    config = AcceleratorConfig.from_mapping(GOOD | given | {"weight_encoding": encoding, "weight_bus_bits": 256})
    plain = AcceleratorConfig.from_mapping(GOOD | {"weight_encoding": encoding})
    assert (config.activation_bits, config.accumulation) == (16, "fp32")
    assert (config.accumulator_bits, config.result_bits) == (32, 32)
    assert config.tile_bits == plain.tile_bits + 4 * 16
    assert (config.scaled, config.floating_point, config.multiplies) == (True, True, False)
    assert (plain.scaled, plain.floating_point) == (False, False)
    assert AcceleratorConfig.from_mapping(config.as_mapping()) == config


def test_int32_holds_every_sum_of_the_largest_k_and_of_no_larger_one():
    largest = INT8_MAX_K[-1]
    assert largest * 128 * 128 <= np.iinfo(np.int32).max < (largest + 1) * 128 * 128


def test_a_configuration_survives_its_own_mapping():
    for datapath in DATAPATHS["ternary2"]:
        more = {"table_lanes": 4} if datapath == "lookup_table" else {}
        config = AcceleratorConfig.from_mapping(GOOD | {"datapath": datapath, "tokens": 3} | more)
        assert ("table_lanes" in config.as_mapping()) == (datapath == "lookup_table")
        assert AcceleratorConfig.from_mapping(config.as_mapping()) == config
    chains = AcceleratorConfig.from_mapping(GOOD | {"datapath": "carry_chain", "chain_lanes": 8})
    assert chains.as_mapping()["chain_lanes"] == chains.chain_lanes == 8
    assert AcceleratorConfig.from_mapping(chains.as_mapping()) == chains
    inverting = AcceleratorConfig.from_mapping(chains.as_mapping() | {"inverted_sums": "after"})
    assert (chains.inverts_sums, inverting.inverts_sums) == (False, True)
    assert AcceleratorConfig.from_mapping(inverting.as_mapping()) == inverting


INVERTING = {"weight_encoding": "ternary5", "datapath": "carry_chain", "chain_lanes": 4, "inverted_sums": "after"}
DECODERS = "0, or weight_encoding: ternary5 and inverted_sums: before or after"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"table_lanes": 0}, "table_lanes: got 0 with datapath 'carry_save'; expected datapath: lookup_table"),
        ({"datapath": "lookup_table", "accumulation": "fp32"}, "accumulation: got 'fp32' with datapath lookup_table; "
         "expected exact, or another datapath"),
        ({"weight_encoding": "fp16", "accumulation": "fp16"}, "accumulation: got 'fp16' with datapath fused; expected "
         "fp32, or datapath: rounding_tree"),
        (INVERTING | {"weight_encoding": "ternary2", "stored_decoders": 1}, "stored_decoders: got 1 with "
         f"weight_encoding 'ternary2'; expected {DECODERS}"),
        (INVERTING | {"inverted_sums": "none", "stored_decoders": 1}, "stored_decoders: got 1 with inverted_sums "
         f"'none'; expected {DECODERS}"),
        (INVERTING | {"stored_decoders": 9}, "stored_decoders: got 9 with 8 lanes; expected at most one for each lane"),
        (INVERTING | {"chain_lanes": 2}, "inverted_sums: got 'after' with chain_lanes 2; expected none, or chain_lanes "
         "of 3 or more"),
        ({"chain_lanes": 3}, "chain_lanes: got 3 with datapath 'carry_save'; expected 1, or datapath: carry_chain"),
        ({"accumulators": "memory"}, "accumulators: got 'memory' with tokens 1; expected registers, or tokens of 2 or "
         "more"),
        ({"tokens": 0, "weight_bus_bits": 7}, "tokens: got 0; expected a whole number from 1 to 1024; weight_bus_bits: "
         "got 7; expected whole bytes that a tile of 64 bits fills in whole beats (64, 32, 16, 8), or a multiple of 8 "
         "from 64 to 65536"),
        ({"lanes": 24, "columns": 1, "weight_bus_bits": 12}, "weight_bus_bits: got 12; expected whole bytes that a "
         "tile of 48 bits fills in whole beats (48, 24, 16, 8), or a multiple of 8 from 48 to 65536"),
        ({"lanes": 64, "columns": 16, "weight_bus_bits": 65544}, "weight_bus_bits: got 65544; expected whole bytes "
         "that a tile of 2048 bits fills in whole beats (2048, 1024, 512, 256, 128, 64, ...), or a multiple of 8 from "
         "2048 to 65536"),
    ],
)  # fmt: skip
def test_what_does_not_fit_another_value_is_told_with_both(changed, told):
    with pytest.raises(ConfigError) as raised:
        AcceleratorConfig.from_mapping(GOOD | changed)
    assert str(raised.value) == told


@pytest.mark.parametrize(
    "changed",
    [
        INVERTING | {"stored_decoders": 8, "weight_bus_bits": 64}, INVERTING | {"chain_lanes": 3},
        {"weight_bus_bits": 1 << 16}, {"accumulators": "memory", "tokens": 2},
        {"weight_encoding": "fp16", "datapath": "rounding_tree", "accumulation": "fp16", "pipeline": 9},
    ],
)  # fmt: skip
def test_the_last_value_that_fits_is_taken(changed):
    config = AcceleratorConfig.from_mapping(GOOD | changed)
    assert {key: getattr(config, key) for key in changed} == changed


def test_what_is_guessed_of_a_missing_key_is_blamed_for_nothing():
    for given in ({"weight_bus_bits": 40}, {"datapath": "lookup_table", "table_lanes": 3}):
        with pytest.raises(ConfigError) as raised:
            AcceleratorConfig.from_mapping({key: value for key, value in GOOD.items() if key != "lanes"} | given)
        assert str(raised.value) == "lanes: is missing; expected a whole number"


def test_streams_are_of_whole_bytes_and_results_of_whole_words():
    config = AcceleratorConfig(9, 3, 64, 56, activation_bits=3, pipeline=4)
    assert (config.activation_bus_bits, config.tile_bits, config.tile_beats) == (32, 56, 1)  # of 27 and 54 bits
    assert (config.accumulator_bits, config.result_bus_bits, config.latency_cycles) == (10, 3 * 16, 6)
    few = AcceleratorConfig(8, 3, 15, 128, activation_bits=4)  # -120 to 120: eight bits
    assert (few.accumulator_bits, few.result_bits, few.tile_beats) == (8, 8, 1)
