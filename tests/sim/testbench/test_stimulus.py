"""The beats that a testbench sends and expects, and their text."""

import re
from importlib.resources import files

import numpy as np
import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.packing import command_beat, matmul_activation_beats, matmul_results, matmul_weight_beats
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles_of
from bitjoule.sim.bench.cases import FLOATS, Case, operands
from bitjoule.sim.testbench.folder import testbench_files as files_of
from bitjoule.sim.testbench.stimulus import cases_of, result_stream, stimulus_of

CONFIG = AcceleratorConfig(8, 3, 40, 16, tokens=2, activation_bits=5)


def numbers(text):
    return [int(line, 16) for line in text.split()]


@pytest.mark.parametrize("shape", [(1, 3), (2, 4), (5, 7), (4, 1)])
def test_the_beats_of_a_product_are_read_back_as_it(shape):
    product = np.random.default_rng(sum(shape)).integers(-600, 600, shape)
    beats, masks = result_stream(CONFIG, product)
    words = [int.from_bytes(row.tobytes(), "little") for row in beats]
    assert matmul_results(CONFIG, words, *shape) == product.tolist()
    # A column is defined in as many beats as there are tokens.
    assert (np.unpackbits(masks).sum()) == product.size * CONFIG.result_bits
    assert (beats & ~masks == 0).all()


def test_a_nan_is_expected_as_the_hardware_writes_it():
    config = read_configuration("fp16_fp16_8x4")
    beats, _ = result_stream(config, np.array([[-np.nan, 1.0]], np.float16))
    assert beats[0, :4].tobytes().hex() == "007e003c"


def test_the_files_hold_the_streams_of_every_command_in_order():
    cases = [Case("two", (MatmulShape(3, 9, 4), MatmulShape(1, 0, 4), MatmulShape(1, 8, 1)), seed=5)]
    texts = files_of(CONFIG, "", stimulus_of(CONFIG, cases), "mine")
    weights, activations, products = [], [], []
    for i in (0, 2):
        x, w = operands(CONFIG, cases[0], i)
        weights += matmul_weight_beats(CONFIG, len(x), w.tolist())
        activations += matmul_activation_beats(CONFIG, x.tolist(), w.shape[1])
        products.append(x.astype(np.int64) @ w)
    assert numbers(texts["commands.hex"]) == [command_beat(*shape) for shape in cases[0].shapes]
    assert numbers(texts["weights.hex"]) == weights
    assert numbers(texts["activations.hex"]) == activations
    results = numbers(texts["results.hex"])
    bits = CONFIG.result_bus_bits
    ones = (1 << CONFIG.result_bits) - 1
    # Two tiles of N for three tokens in blocks of two, the malformed command, and one result.
    assert [word >> 2 * bits for word in results] == [0] * 5 + [1, 3, 1]
    whole, first = ones | ones << CONFIG.result_bits | ones << 2 * CONFIG.result_bits, ones
    masks = [word >> bits & ((1 << bits) - 1) for word in results]
    assert masks == [whole, whole, first, first, whole, first, 0, first]
    sums = [word & ((1 << bits) - 1) for word in results]
    assert matmul_results(CONFIG, sums[:6], 3, 4) == products[0].tolist()
    assert matmul_results(CONFIG, sums[7:], 1, 1) == products[1].tolist()
    # Behind a malformed command no cycle is compared.
    assert numbers(texts["cycles.hex"]) == [*cycles_of(CONFIG, cases[0].shapes[:1]), 0, 0]
    parameters = {name: int(value) for name, value in re.findall(r"^localparam (\w+) = (\d+);$", texts["parameters.vh"],
                                                                 re.MULTILINE)}  # fmt: skip
    # One command, the first, takes longest; 1000 cycles and 300 for each of its own are waited.
    patience = 1000 + 300 * max(cycles_of(CONFIG, [shape])[0] for shape in cases[0].shapes[::2])
    lines = {
        f"{name.upper()}_BEATS": len(numbers(texts[f"{name}s.hex"])) for name in ("weight", "activation", "result")
    }
    assert parameters == {
        "COMMAND_BITS": 64, "WEIGHT_BITS": 16, "ACTIVATION_BITS": CONFIG.activation_bus_bits, "RESULT_BITS": bits,
        "COMMANDS": 3, "PATIENCE": patience, **lines,
    }  # fmt: skip
    told = {"TITLE": "mine", "MALFORMED": "1", **{name: str(value) for name, value in parameters.items()}}
    template = (files("bitjoule.sim.testbench") / "files" / "README.md.in").read_text()
    assert texts["README.md"] == re.sub("@([A-Z_]+)@", lambda match: told[match[1]], template)


def test_cases_are_those_of_the_seed_with_corners_malformed_commands_and_what_is_asked():
    asked = MatmulShape(4, 40, 9)
    cases = cases_of(CONFIG, 30, 7, [asked])
    assert cases == cases_of(CONFIG, 30, 7, [asked])
    assert cases != cases_of(CONFIG, 30, 8, [asked])
    shapes = [shape for case in cases for shape in case.shapes]
    assert asked in shapes
    stimulus = stimulus_of(CONFIG, cases)
    assert stimulus.malformed.sum() == 4
    assert len(stimulus.commands) == len(shapes) >= 30 + 9 + 8
    # All that are not malformed, but for those among the malformed ones, have cycles to compare.
    assert (stimulus.cycles > 0).sum() == len(shapes) - 8
    assert stimulus.last.sum() == len(shapes)


@pytest.mark.parametrize("name", ["tiny_8x4", "decode_64x5", "fp16_fp16_8x4"])
def test_the_cases_of_a_testbench_reach_each_end_of_what_a_configuration_takes(name):
    """Tails of M, K and N; a K of as many tiles as are written out; all extremes; each way to be malformed once."""
    config = read_configuration(name)
    lanes, columns, tokens, k = config.lanes, config.columns, config.tokens, config.max_k
    cases = {case.name: case for case in cases_of(config, 0, 3)}
    assert list(cases)[-1] == "malformed"
    wide = (1, min(k, 2 * lanes), 3 * columns)
    assert [tuple(shape) for shape in cases["tails"].shapes] == [
        (1, 1, 1), (tokens + 1, min(k, lanes + 1), columns + 1), wide, (min(2, tokens), min(k, 3 * lanes), columns),
        (1, 1, 1),
    ]  # fmt: skip
    assert [tuple(shape) for shape in cases["malformed"].shapes] == [
        (1, 0, 1), wide, (0, k, 1), wide, (1, k, 0), wide, (1, k + 1, 1), wide,
    ]  # fmt: skip
    assert [tuple(shape) for shape in cases["largest K"].shapes] == [(min(2, tokens), min(k, 512 * lanes), columns + 1)]
    extremes = {
        (case.activations, case.weights): case.shapes for case in cases.values() if case.name.startswith("all ")
    }
    long = {(1, min(k, 64 * lanes), 1)}
    assert {pair: {tuple(shape) for shape in shapes} for pair, shapes in extremes.items()} == {
        ("minimum", "plus"): long, ("minimum", "minus"): long, ("maximum", "minus"): long,
        ("alternating", "alternating"): long,
    }  # fmt: skip
    floats = {case.activations: case.shapes for case in cases.values() if case.name.endswith(" floats")}
    assert set(floats) == (set(FLOATS) if config.floating_point else set())
    assert {tuple(shape) for shapes in floats.values() for shape in shapes} <= {
        (min(2, tokens), min(k, 4 * lanes), columns + 1)
    }
    seeds = [case.seed for case in cases.values() if case.name in ("tails", "malformed", "largest K")]
    assert sorted(seeds) == [3, 4, 5]
