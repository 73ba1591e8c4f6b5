"""The JSON beside the Verilog is enough to use it: operands packed by it alone are the beats that the bench sends.

What packs and unpacks here reads the description and nothing else of a configuration.
"""

import json
import random

import pytest

from bitjoule.rtl import packing
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.verilog import linear_description
from bitjoule.rtl.verilog import description, description_text
from bitjoule.sim.accelerator.configurations import read_design, shipped_configurations, shipped_linears

ARRAYS = {name: read_design(name) for name in sorted(shipped_configurations())}
LINEARS = {name: read_design(name) for name in sorted(shipped_linears())}
FP16_ONE = 0x3C00


def told_of(config):
    """Return a description as a program reads it."""
    return json.loads(description_text(config))


def width(told, port):
    return next(each["bits"] for each in told["ports"] if each["name"] == port)


def packed_tile(told, rows, scales):
    """Return the beats of a tile of trits or words, by lanes, by the description."""
    weights = told["packing"]["weights"]
    bits, trits = weights["code_word_bits"], weights["code_word_trits"]
    codes = {}
    for code, word in weights["code"].items():
        codes.setdefault(tuple(word), int(code))
    tile = 0
    for lane, row in enumerate(rows):
        at = lane * weights["bits_per_lane"]
        for i in range(0, len(row), trits):
            word = tuple(row[i : i + trits])
            if codes:
                code = next(code for known, code in codes.items() if known[: len(word)] == word)
                if len(word) < trits:  # the last word is padded
                    code = codes[(*word, *[0] * (trits - len(word)))]
            else:
                code = word[0] % (1 << bits)
            tile |= code << at
            at += bits
    for column, scale in enumerate(scales):
        tile |= scale << (weights["scales"]["first_bit"] + column * weights["scales"]["bits_per_column"])
    assert tile < 1 << weights["tile_bits"]
    beat_bits = width(told, "s_axis_weights_tdata")
    beats = [tile >> (i * beat_bits) & ((1 << beat_bits) - 1) for i in range(weights["beats_per_tile"])]
    assert beat_bits * (weights["beats_per_tile"] - 1) < weights["tile_bits"] <= beat_bits * weights["beats_per_tile"]
    return beats


@pytest.mark.parametrize("name", ARRAYS)
def test_weights_packed_by_the_description_are_the_beats_of_the_bench(name):
    config, draw = ARRAYS[name], random.Random(name)
    told = told_of(config)
    encoding, lanes, columns = config.encoding, config.lanes, config.columns
    scales = []
    if encoding.decoded:
        trits = [-1, 0, 1] if encoding.zero else [-1, 1]
        rows = [[draw.choice(trits) for _ in range(columns)] for _ in range(lanes)]
        given = rows
        if config.scaled:
            rows[0] = [1] * columns  # each column has a scale
            scales = [FP16_ONE + column for column in range(columns)]
            given = [
                [
                    0 if trit == 0 else scale | (0x8000 if trit < 0 else 0)
                    for trit, scale in zip(row, scales, strict=True)
                ]
                for row in rows
            ]
    else:
        low = 0 if encoding.name == "fp16" else -(1 << (encoding.bits - 1))
        rows = given = [[low + draw.randrange(1 << encoding.bits) for _ in range(columns)] for _ in range(lanes)]
    assert packed_tile(told, rows, scales) == packing.weight_beats(config, given)


@pytest.mark.parametrize("name", ARRAYS)
def test_activations_commands_and_results_are_where_the_description_says(name):
    config, draw = ARRAYS[name], random.Random(name)
    told = told_of(config)
    bits = told["packing"]["activations"]["bits_per_lane"]
    values = [draw.randrange(1 << bits) for _ in range(config.lanes)]
    beat = sum(value << (lane * bits) for lane, value in enumerate(values))
    assert packing.activation_beat(config, values) == beat
    assert width(told, "s_axis_activations_tdata") == -(-config.lanes * bits // 8) * 8
    sizes = {"m": 3, "k": 20, "n": 5}
    fields = told["packing"]["command"]
    assert packing.command_beat(**sizes) == sum(sizes[key] << fields[key][0] for key in sizes)
    assert max(last for _, last in fields.values()) == width(told, "s_axis_command_tdata") - 1
    spans = sorted(fields.values())
    assert [first for first, _ in spans] == [0, *(last + 1 for _, last in spans[:-1])]
    bits = told["packing"]["results"]["bits_per_column"]
    sums = [draw.randrange(1 << bits) for _ in range(config.columns)]
    beat = sum(value << (column * bits) for column, value in enumerate(sums))
    signed = [value - (1 << bits) if value >> (bits - 1) and not config.floating_point else value for value in sums]
    assert packing.result_sums(config, beat) == signed
    assert width(told, "m_axis_results_tdata") == -(-config.columns * bits // 8) * 8
    if not config.floating_point:
        one = 1 << (config.activation_bits - 1)  # the largest magnitude of a term
        largest = config.max_k * one * (1 << (config.encoding.bits - 1) if config.multiplies else 1)
        needed = largest.bit_length() + 1
        assert needed <= told["packing"]["results"]["accumulator_bits"] == (32 if config.multiplies else needed)
        assert told["packing"]["results"]["accumulator_bits"] <= bits


@pytest.mark.parametrize("name", ARRAYS)
def test_the_order_of_a_stream_is_that_of_the_bench(name):
    """The loops that the description names, outermost first, give the tiles in the order of the streams."""
    config = ARRAYS[name]
    told = told_of(config)["packing"]
    m, k, n = 2 * config.tokens + 1, 2 * config.lanes, 2 * config.columns
    counts = {"block of tokens of M": range(0, m, config.tokens), "tile of N": range(0, n, config.columns),
              "tile of K": range(0, k, config.lanes)}  # fmt: skip
    outer = told["weights"]["order"][:3]
    assert set(outer) == set(counts)
    assert told["weights"]["order"][3:] == ["beat", "lane", "column"]
    assert told["activations"]["order"] == [*outer, "token", "lane"]
    assert told["results"]["order"] == [*(loop for loop in outer if loop != "tile of K"), "token", "column"]
    loops = [{}]
    for loop in outer:
        loops = [{**each, loop: at} for each in loops for at in counts[loop]]
    found = [(tile.m, tile.n, tile.k) for tile in packing.tiles(config, m, k, n)]
    assert found == [(each["block of tokens of M"], each["tile of N"], each["tile of K"]) for each in loops]


@pytest.mark.parametrize("name", {**ARRAYS, **LINEARS})
def test_a_description_says_which_configuration_it_is_of(name):
    config = {**ARRAYS, **LINEARS}[name]
    told = linear_description(config) if isinstance(config, LinearConfig) else description(config)
    assert told["configuration"] == config.as_mapping()
    array = config.array if isinstance(config, LinearConfig) else config
    assert told["packing"]["weights"]["encoding"] == array.weight_encoding
    assert [port["name"] for port in told["ports"]][:2] == ["clk", "rst"]
    assert {port["direction"] for port in told["ports"] if port["name"].startswith("s_axis") and
            not port["name"].endswith("tready")} == {"in"}  # fmt: skip
    assert all(port["direction"] == "out" for port in told["ports"] if port["name"] == "m_axis_results_tdata")


@pytest.mark.parametrize("name", LINEARS)
def test_a_whole_bitlinear_has_lanes_of_floats(name):
    config = LINEARS[name]
    told = linear_description(config)
    floats = told["packing"]["results"]
    bits = {"fp16": 16, "bf16": 16, "fp32": 32}[config.format]
    assert (floats["format"], floats["bits_per_lane"], floats["lanes"]) == (config.format, bits, config.lanes)
    assert floats["beats_per_tile"] == -(-config.array.columns // config.lanes)
    for port in ("m_axis_results_tdata", "s_axis_activations_tdata"):
        assert width(told, port) == config.lanes * bits
    assert ("gains" in told["packing"]) == ("s_axis_gains_tdata" in {port["name"] for port in told["ports"]})
    fields = sorted(told["packing"]["command"].values())
    assert [first for first, _ in fields] == [0, *(last + 1 for _, last in fields[:-1])]
    assert fields[-1][1] == width(told, "s_axis_command_tdata") - 1
    one = 1 << (config.array.activation_bits - 1)
    assert told["code_of_largest_magnitude"] == (one - 1 if config.array.encoding.zero else one)


def test_lists_of_numbers_stand_on_one_line_and_nothing_else_changes():
    config = ARRAYS["tiny_8x4"]
    text = description_text(config)
    assert json.loads(text) == json.loads(json.dumps(description(config)))
    assert '"m": [0, 15],' in text
    assert text.endswith("}\n")
