"""The hardware against NumPy, in Verilator and in Icarus."""

import numpy as np
import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration, shipped_configurations
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.cases import STREAMS, Case, directed_cases, random_cases
from bitjoule.sim.reference.bitlinear import bitlinear
from tests.sampling import drawing_seed, sampled, seldom

pytestmark = pytest.mark.slow

MATMULS = 100  # random ones of each configuration

SHIPPED = tuple(shipped_configurations())
CONFIGURATIONS = {
    **{name: read_configuration(name) for name in SHIPPED},
    "no_pipeline": AcceleratorConfig(8, 4, 100, 64, tokens=2, pipeline=0),
    "deep_pipeline": AcceleratorConfig(32, 3, 200, 96, tokens=5, pipeline=4),
    "odd_lanes": AcceleratorConfig(11, 2, 60, 48, tokens=3, activation_bits=5),
    "one_column_decode": AcceleratorConfig(16, 1, 100, 32, activation_bits=8),
    "five_trits_tail": AcceleratorConfig(8, 7, 40, 64, tokens=5, weight_encoding="ternary5", activation_bits=3),
    "binary_decode": AcceleratorConfig(16, 8, 64, 128, weight_encoding="binary1", activation_bits=4),
    "one_bit_activations": AcceleratorConfig(24, 4, 72, 24, tokens=1, activation_bits=1),
    "wide_bus": AcceleratorConfig(8, 2, 33, 256, tokens=4, activation_bits=2),
    "carry_chain": AcceleratorConfig(12, 3, 64, 24, tokens=2, datapath="carry_chain", pipeline=2, activation_bits=4),
    "multiplexer": AcceleratorConfig(9, 4, 64, 72, tokens=7, datapath="multiplexer", activation_bits=8),
    "lookup_decode": AcceleratorConfig(64, 2, 300, 256, datapath="lookup_table", pipeline=0),
    "lookup_five_trits": AcceleratorConfig(
        10, 3, 60, 40, tokens=3, weight_encoding="ternary5", datapath="lookup_table", pipeline=2, activation_bits=5
    ),
    "lookup_binary": AcceleratorConfig(10, 5, 96, 56, weight_encoding="binary1", datapath="lookup_table"),
    "lookup_binary_of_four": AcceleratorConfig(
        12, 3, 64, 40, tokens=2, weight_encoding="binary1", datapath="lookup_table", table_lanes=4, activation_bits=7
    ),
    "lookup_of_three": AcceleratorConfig(9, 2, 50, 40, tokens=3, datapath="lookup_table", table_lanes=3),
    "lookup_one_bit_activations": AcceleratorConfig(
        16, 1, 11, 16, tokens=4, weight_encoding="binary1", datapath="lookup_table", pipeline=4, activation_bits=1
    ),
    "max_k_below_lanes": AcceleratorConfig(16, 4, 5, 128, tokens=2, activation_bits=8),
    "int8_decode": AcceleratorConfig(11, 3, 40, 264, weight_encoding="int8", pipeline=3),
    "int8_odd_lanes": AcceleratorConfig(9, 2, 50, 144, tokens=3, weight_encoding="int8", pipeline=2),
    "int8_largest_k": AcceleratorConfig(64, 1, 131071, 512, weight_encoding="int8", pipeline=0),
    "int8_activation_digits": AcceleratorConfig(
        11, 3, 40, 264, tokens=2, weight_encoding="int8", datapath="activation_digits", pipeline=2
    ),
    "int4_decode": AcceleratorConfig(12, 3, 60, 144, weight_encoding="int4", pipeline=2),
    "int4_four_bit_activations": AcceleratorConfig(9, 2, 40, 72, tokens=3, weight_encoding="int4", activation_bits=4),
    "int2_tokens": AcceleratorConfig(8, 5, 64, 16, tokens=4, weight_encoding="int2", pipeline=0),
    "int2_odd_lanes": AcceleratorConfig(11, 3, 70, 72, tokens=3, weight_encoding="int2", pipeline=2),
    "int2_one_bit_activations": AcceleratorConfig(16, 1, 64, 32, weight_encoding="int2", activation_bits=1),
    "fp16_fused_decode": AcceleratorConfig(9, 2, 50, 288, weight_encoding="fp16", pipeline=0),
    "fp16_fused_tokens": AcceleratorConfig(33, 1, 99, 264, weight_encoding="fp16", tokens=3, pipeline=2),
    "fp16_fused_deepest_pipeline": AcceleratorConfig(16, 1, 64, 256, weight_encoding="fp16", tokens=2, pipeline=4),
    "fp16_decode": AcceleratorConfig(9, 2, 50, 288, weight_encoding="fp16", pipeline=0, datapath="rounding_tree"),
    "fp16_fp16_tokens": AcceleratorConfig(
        11, 1, 64, 88, weight_encoding="fp16", accumulation="fp16", tokens=3, pipeline=2, datapath="rounding_tree"
    ),
    "fp16_deepest_pipeline": AcceleratorConfig(
        8, 1, 40, 256, weight_encoding="fp16", tokens=2, pipeline=9, datapath="rounding_tree"
    ),
    "scaled_decode": AcceleratorConfig(16, 2, 400, 96, activation_bits=16, pipeline=0),
    "scaled_binary_group_a_tile": AcceleratorConfig(
        128, 1, 300, 144, tokens=2, activation_bits=16, weight_encoding="binary1", pipeline=4
    ),
    "scaled_five_trits_tail": AcceleratorConfig(
        8, 7, 300, 240, tokens=3, activation_bits=16, weight_encoding="ternary5", pipeline=1
    ),
    "scaled_carry_chain": AcceleratorConfig(
        32, 1, 200, 40, tokens=2, activation_bits=16, datapath="carry_chain", pipeline=2
    ),
    "scaled_multiplexer": AcceleratorConfig(
        8, 3, 150, 32, tokens=2, activation_bits=16, datapath="multiplexer", pipeline=4
    ),
    "many_beats": AcceleratorConfig(16, 8, 64, 8, tokens=3),
    "with_chains": AcceleratorConfig(
        13, 3, 60, 80, tokens=3, datapath="carry_chain", chain_lanes=4, pipeline=3, activation_bits=7
    ),
    "with_sums_inverted_before": AcceleratorConfig(
        13,
        5,
        60,
        104,
        tokens=3,
        datapath="carry_chain",
        chain_lanes=5,
        inverted_sums="before",
        weight_encoding="ternary5",
        activation_bits=7,
    ),
    "with_sums_inverted_after": AcceleratorConfig(
        13, 3, 60, 80, tokens=3, datapath="carry_chain", chain_lanes=5, inverted_sums="after", accumulators="memory"
    ),
    "with_stored_decoders_in_decode": AcceleratorConfig(
        11,
        7,
        60,
        176,
        datapath="carry_chain",
        chain_lanes=4,
        inverted_sums="after",
        weight_encoding="ternary5",
        stored_decoders=5,
    ),
    "with_stored_decoders_of_tokens": AcceleratorConfig(
        9,
        5,
        60,
        24,
        tokens=3,
        datapath="carry_chain",
        chain_lanes=3,
        inverted_sums="before",
        weight_encoding="ternary5",
        stored_decoders=9,
        activation_bits=5,
    ),
    "with_signs_and_sums_inverted": AcceleratorConfig(
        11, 1, 60, 16, datapath="carry_chain", chain_lanes=3, inverted_sums="after", weight_encoding="binary1"
    ),
}


def passes(hardware, cases):
    report = hardware.verify(cases)
    assert report.failure is None, report.failure
    assert report.cases == len(cases)
    return report


@pytest.mark.parametrize("name", sampled(CONFIGURATIONS, 2, "configurations of the bench", always=["tiny_8x4"]))
def test_corners_and_random_matmuls_are_bit_exact_with_the_cycles_of_the_closed_form(name, hardware):
    config = CONFIGURATIONS[name]
    random = random_cases(config, matmuls=MATMULS, seed=sorted(CONFIGURATIONS).index(name))
    report = passes(hardware(config), [*directed_cases(config), *random])
    assert sum(len(case.shapes) for case in random) == MATMULS
    assert report.matmuls > MATMULS
    assert report.exact_cycles >= 60


@pytest.mark.parametrize("stream", STREAMS)
def test_stalls_take_the_same_cycles_whatever_ran_before(stream, hardware):
    shapes = (MatmulShape(2, 8, 4), MatmulShape(2, 20, 8))
    cases = [
        case
        for seed in range(100)
        for case in (
            Case(f"before {seed}", (MatmulShape(1, 1, 4),), seed=seed, stalls={stream: 0.9}),
            Case(f"after {seed}", shapes, seed=seed, stalls={stream: "1010"}),
        )
    ]
    assert passes(hardware(CONFIGURATIONS["tiny_8x4"]), cases).exact_cycles == 100


@pytest.mark.parametrize("name", ["tiny_8x4", "five_trits_tail"])
def test_a_second_simulator_agrees(name, hardware, icarus):
    config = CONFIGURATIONS[name]
    report = passes(hardware(config, icarus), [*directed_cases(config), *random_cases(config, matmuls=40, seed=99)])
    assert report.matmuls >= 40
    assert report.exact_cycles >= 60


REAL = [
    f"{name} {m}x{k}x{n}"
    for name in ("edge_64x16", "decode_64x5") for m in (1, 4) for k, n in ((2560, 6912), (6912, 2560))
]  # fmt: skip


@pytest.mark.parametrize("case", sampled(REAL, drawing_seed("layers of real shapes") % 2, "real shapes"))
def test_layers_of_real_shapes_are_those_of_bitlinear(case, hardware):
    name, shape = case.split()
    m, k, n = map(int, shape.split("x"))
    random = np.random.default_rng(m + k)
    x = random.normal(size=(m, k)).astype(np.float32)
    w = random.normal(scale=0.02, size=(k, n)).astype(np.float32)
    array = hardware(CONFIGURATIONS[name])
    np.testing.assert_array_equal(bitlinear(x, w, matmul=array.matmul), bitlinear(x, w))


@pytest.mark.parametrize("name", seldom(["binary_64x16"], 3, "binary layers"))
def test_a_binary_layer_is_that_of_bitlinear(name, hardware):
    random = np.random.default_rng(5)
    x, w = random.normal(size=(3, 2560)).astype(np.float32), random.normal(size=(2560, 100)).astype(np.float32)
    array = hardware(CONFIGURATIONS[name])
    np.testing.assert_array_equal(bitlinear(x, w, kind="binary", matmul=array.matmul), bitlinear(x, w, kind="binary"))


def test_a_build_runs_again_and_gives_the_same(hardware):
    config = CONFIGURATIONS["tiny_8x4"]
    cases = random_cases(config, matmuls=20, seed=3)
    first, second = (passes(hardware(config), cases) for _ in range(2))
    assert first.cycles == second.cycles


def test_prefill_of_a_whole_layer_takes_the_cycles_of_the_closed_form(hardware):
    config = CONFIGURATIONS["edge_64x16"]
    assert passes(hardware(config), [Case("prefill", (MatmulShape(64, 1024, 1024),))]).exact_cycles == 1
