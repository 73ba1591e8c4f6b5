"""The hardware against its specification, proved for all inputs; a claim that does not hold raises `RefutedError`."""

from typing import Any

import pytest

from bitjoule.rtl.config import DATAPATHS
from bitjoule.rtl.encodings import ENCODINGS
from tests.rtl.claims import (
    alignment_of,
    decoder,
    decoder_of_signs,
    dot,
    integer_column,
    integer_dot,
    one_column,
    small,
)
from tests.rtl.streams import Streams
from tests.sampling import one_of_each, sampled

# What whole accelerators of the kinds are proved with.
INTEGERS = {"datapath": "weight_digits", "weight_bus_bits": 8}
FLOATS = {
    "weight_encoding": "fp16",
    "datapath": "fused",
    "activation_bits": 16,
    "accumulation": "fp32",
    "weight_bus_bits": 32,
}
SCALED = {"activation_bits": 16, "accumulation": "fp32", "weight_bus_bits": 24}
ACCELERATORS: dict[str, dict[str, Any]] = {
    "smallest": {},
    "carry_chain": {"pipeline": 2, "datapath": "carry_chain", "lanes": 3},
    "narrow_bus": {"weight_bus_bits": 4},
    "binary": {"weight_bus_bits": 2, "lanes": 3, "columns": 2, "weight_encoding": "binary1", "pipeline": 1},
    "ternary5": {"weight_bus_bits": 16, "columns": 5, "weight_encoding": "ternary5", "pipeline": 2},
    "tokens": {"tokens": 2},
    "tokens_narrow_bus": {"tokens": 2, "weight_bus_bits": 4, "pipeline": 2},
    "multiplexer": {"tokens": 3, "weight_bus_bits": 2, "lanes": 3, "pipeline": 1, "datapath": "multiplexer"},
    "tokens_ternary5": {"tokens": 2, "weight_bus_bits": 8, "columns": 5, "weight_encoding": "ternary5"},
    "lookup_table": {"tokens": 2, "lanes": 4, "pipeline": 1, "datapath": "lookup_table"},
    "memory": {"tokens": 2, "accumulators": "memory"},
    "memory_narrow_bus": {"tokens": 3, "accumulators": "memory", "weight_bus_bits": 4, "pipeline": 2},
    "int2": INTEGERS | {"weight_encoding": "int2", "weight_bus_bits": 4},
    "int4": INTEGERS | {"weight_encoding": "int4", "lanes": 1, "tokens": 2},
    "int8": INTEGERS | {"weight_encoding": "int8", "lanes": 1},
    "int8_activation_digits": INTEGERS
    | {"weight_encoding": "int8", "lanes": 1, "tokens": 2, "datapath": "activation_digits"},
    "fp16_fused": FLOATS | {"tokens": 2, "pipeline": 1},
    "fp16_rounding_tree": FLOATS
    | {"datapath": "rounding_tree", "weight_bus_bits": 16, "columns": 2, "lanes": 1, "pipeline": 2},
    "scaled": SCALED | {"tokens": 2, "pipeline": 1},
    "chains": {"pipeline": 2, "datapath": "carry_chain", "chain_lanes": 2, "lanes": 3},
    "inverted_sums": {
        "tokens": 2,
        "datapath": "carry_chain",
        "chain_lanes": 3,
        "inverted_sums": "before",
        "lanes": 3,
        "pipeline": 1,
    },
    "stored_decoders": {
        "datapath": "carry_chain",
        "chain_lanes": 3,
        "inverted_sums": "after",
        "lanes": 3,
        "columns": 2,
        "weight_encoding": "ternary5",
        "weight_bus_bits": 24,
        "stored_decoders": 2,
    },
}
NUMBERS = tuple(ACCELERATORS)[12:-3]  # of weights that are numbers or have scales


@pytest.mark.parametrize("name", ENCODINGS)
def test_decoder_equals_the_table_of_the_encoding(name: str) -> None:
    """For every code word."""
    assert decoder(name).check()


def test_decoder_of_signs_equals_the_table_of_the_encoding() -> None:
    """For every code word; the sign of a zero is free."""
    assert decoder_of_signs().check()


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_aligned_activations_are_the_nearest_multiples_of_one_power_of_two(lanes: int) -> None:
    """For every FP16 number in every lane; combinational."""
    assert alignment_of(lanes).check()


@pytest.mark.parametrize(
    ("datapath", "lanes", "bits"),
    [
        ("carry_save", 8, 1),
        ("carry_save", 6, 3),
        ("carry_save", 3, 8),
        ("carry_chain", 8, 1),
        ("carry_chain", 5, 3),
        ("carry_chain", 5, 8),
        ("multiplexer", 8, 1),
        ("multiplexer", 8, 3),
        ("multiplexer", 8, 8),
        ("lookup_table", 8, 1),
        ("lookup_table", 6, 3),
        ("lookup_table", 4, 8),
        *sampled(
            [("carry_save", 8, 2), ("carry_save", 7, 3), ("carry_save", 4, 8), ("carry_chain", 8, 3)],
            1,
            "larger dot products that are proved",
        ),
    ],
)
def test_dot_product_equals_its_specification(datapath: str, lanes: int, bits: int) -> None:
    """For every trit, both names of zero, and every activation; combinational."""
    assert dot(small(datapath=datapath, lanes=lanes, activation_bits=bits)).check()


@pytest.mark.parametrize(
    ("datapath", "pipeline"),
    one_of_each(
        [[(datapath, pipeline) for pipeline in (1, 2, 4)] for datapath in DATAPATHS["ternary2"]],
        "pipelines that are proved",
    ),
)
def test_dot_product_equals_its_specification_some_cycles_later(datapath: str, pipeline: int) -> None:
    """In every cycle, by induction."""
    lanes = 6 if datapath == "lookup_table" else 5
    assert dot(small(datapath=datapath, lanes=lanes, activation_bits=2, pipeline=pipeline)).prove(pipeline + 1)


CHAINS = [(8, 1, 8), (5, 3, 4), (7, 3, 3), (5, 8, 2)]  # lanes, bits, lanes of a chain


@pytest.mark.parametrize(("lanes", "bits", "chain"), sampled(CHAINS, 2, "chains that are proved"))
def test_dot_product_of_chains_equals_its_specification(lanes: int, bits: int, chain: int) -> None:
    """For every trit, both names of zero, and every activation; combinational."""
    config = small(datapath="carry_chain", lanes=lanes, activation_bits=bits, chain_lanes=chain)
    assert dot(config).check()
    assert one_column(small(**vars(config) | {"max_k": 4 * lanes})).check()


INVERTING = [(8, 1, 8), (5, 3, 5), (7, 3, 3), (3, 8, 3), (4, 3, 4), (8, 2, 4)]  # lanes, bits, lanes of a chain
LEFT_INVERTED = INVERTING[-1:]


@pytest.mark.parametrize("inversion", ["before", "after"])
@pytest.mark.parametrize(
    ("lanes", "bits", "chain"), sampled(INVERTING, 2, "chains that invert sums and are proved", LEFT_INVERTED)
)
def test_dot_product_of_inverted_sums_equals_its_specification(
    lanes: int, bits: int, chain: int, inversion: str
) -> None:
    """For every trit, both names of zero, and every activation; combinational."""
    chains = {"datapath": "carry_chain", "chain_lanes": chain, "inverted_sums": inversion}
    config = small(**chains, lanes=lanes, activation_bits=bits)
    assert dot(config).check()
    assert one_column(small(**vars(config) | {"max_k": 4 * lanes})).check()


@pytest.mark.parametrize("pipeline", [1, 3])
def test_dot_product_of_chains_equals_its_specification_some_cycles_later(pipeline: int) -> None:
    """In every cycle, by induction; the last level of the tree lies behind the first register."""
    config = {"datapath": "carry_chain", "lanes": 5, "activation_bits": 2, "chain_lanes": 2}
    assert dot(small(**config, pipeline=pipeline)).prove(pipeline + 1)


def test_dot_product_of_a_chain_whose_sum_is_left_inverted_equals_its_specification_some_cycles_later() -> None:
    """In every cycle, by induction; a register brings the sign to the adder that inverts the sum back."""
    config = {"datapath": "carry_chain", "lanes": 6, "activation_bits": 2, "chain_lanes": 4, "inverted_sums": "before"}
    assert dot(small(**config, pipeline=1)).prove(2)


TILES = (1, 4)
COLUMNS = [
    ("carry_save", 8, 1),
    ("carry_save", 5, 3),
    ("carry_save", 3, 8),
    ("carry_chain", 8, 1),
    ("carry_chain", 5, 3),
    ("carry_chain", 4, 8),
    ("multiplexer", 8, 1),
    ("multiplexer", 8, 3),
    ("multiplexer", 4, 8),
    ("lookup_table", 8, 1),
    ("lookup_table", 6, 3),
    ("lookup_table", 4, 8),
]


@pytest.mark.parametrize(
    ("datapath", "lanes", "bits", "tiles"),
    one_of_each([[(*case, tiles) for tiles in TILES] for case in COLUMNS], "tiles of columns that are proved"),
)
def test_column_adds_the_dot_product_to_the_sum(datapath: str, lanes: int, bits: int, tiles: int) -> None:
    """Modulo the accumulator's width, for every sum so far; combinational."""
    assert one_column(small(datapath=datapath, lanes=lanes, activation_bits=bits, max_k=tiles * lanes)).check()


@pytest.mark.parametrize(
    ("encoding", "datapath", "lanes", "bits"),
    one_of_each(
        [
            [("int2", "weight_digits", 4, 3), ("int2", "weight_digits", 2, 8)],
            [("int4", "weight_digits", 2, 4), ("int8", "weight_digits", 1, 5)],
            [("int8", "activation_digits", 2, 2), ("int8", "activation_digits", 1, 5)],
        ],
        "integer dot products that are proved",
    ),
)
def test_integer_dot_product_equals_its_specification(encoding: str, datapath: str, lanes: int, bits: int) -> None:
    """For every weight and every activation; combinational."""
    assert integer_dot(small(weight_encoding=encoding, datapath=datapath, lanes=lanes, activation_bits=bits)).check()


@pytest.mark.parametrize("pipeline", [1, 2])
def test_integer_dot_product_equals_its_specification_some_cycles_later(pipeline: int) -> None:
    """In every cycle, by induction."""
    config = small(weight_encoding="int4", datapath="weight_digits", lanes=2, activation_bits=2, pipeline=pipeline)
    assert integer_dot(config).prove(pipeline + 1)


INTEGER_COLUMNS = [
    ("int2", "weight_digits", 2, 8),
    ("int4", "weight_digits", 1, 4),
    ("int8", "weight_digits", 1, 4),
    ("int8", "activation_digits", 1, 4),
]


@pytest.mark.parametrize(
    ("encoding", "datapath", "lanes", "bits", "tiles"),
    one_of_each([[(*case, tiles) for tiles in TILES] for case in INTEGER_COLUMNS], "tiles of integer columns"),
)
def test_column_adds_the_integer_dot_product(encoding: str, datapath: str, lanes: int, bits: int, tiles: int) -> None:
    """Modulo the accumulator's width, for every sum so far; combinational."""
    sizes = {"lanes": lanes, "activation_bits": bits, "max_k": tiles * lanes}
    assert integer_column(small(weight_encoding=encoding, datapath=datapath, **sizes)).check()


@pytest.mark.parametrize(
    "name", sampled(ACCELERATORS, 1, "accelerators that are proved", always=["smallest", "memory"])
)
@pytest.mark.slow
def test_accelerator_takes_delivers_and_sums_as_its_model(name: str) -> None:
    """In every cycle, for commands of any size, any inputs, stalls and resets, by induction.

    Nothing is assumed, not even that inputs keep to AXI4-Stream's rule. Sums are exact: the model's wrap as the
    hardware's do, and the accumulators are wide enough for `max_k`. That the claims are not empty is shown by runs in
    which what they speak of happens.
    """
    config = small(**ACCELERATORS[name])
    assert Streams(config).prove(config.pipeline + 2)
    assert Streams(config).reach(24)
