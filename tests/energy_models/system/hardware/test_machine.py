"""Machines: which array runs what, what a bit costs, and cycles that are the accelerator's."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.amounts import Band
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.arrays import first_array
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.mapping import Tiles, replay
from bitjoule.energy_models.system.mappings.search import search
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.platforms import StorePrices, platforms
from bitjoule.energy_models.system.work.steps import KINDS, STEPS, MatmulKind
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import cycles
from tests.energy_models.clocks import MET_MHZ

UNBOUNDED = 1e18


def machine(scheme="bitnet-b1.58", platform="ternary-edge", technology="45nm", **changes):
    found = platforms()[platform].model_copy(update=changes)
    return Machine(schemes()[scheme], found, technologies()[technology], platform)


def line(found, kind, operand, action):
    return next(v for step, v in found.lines(kind).items() if (step.operand, step.action) == (operand, action))


@pytest.mark.parametrize(
    ("scheme", "platform", "kind", "formats"),
    [
        ("bitnet-b1.58", "ternary-edge", MatmulKind.LINEAR, ("ternary", "int8")),
        ("bitnet-b1.58", "ternary-edge", MatmulKind.SCORES, ("fp16", "fp16")),
        ("bitnet-b1.58", "ternary-edge", MatmulKind.HEAD, ("fp16", "fp16")),
        ("bitnet-b1.58-binary-attention", "ternary-edge", MatmulKind.VALUES, ("binary", "int8")),
        ("int8", "int8-edge", MatmulKind.LINEAR, ("int8", "int8")),
        ("w4a16", "fp16-edge", MatmulKind.LINEAR, ("int4", "fp16")),
    ],
)
def test_a_matmul_has_the_formats_of_its_scheme_and_an_array_that_computes_them(scheme, platform, kind, formats):
    found = machine(scheme, platform)
    wanted = found.formats(kind)
    assert (wanted.weights, wanted.activations) == formats
    assert found.array(kind)[0].macs_for(*formats) is not None


def test_adders_need_no_multiplication_and_an_int8_product_is_added_at_its_width():
    assert line(machine(), MatmulKind.LINEAR, "weights", "mul").factor == 0
    assert line(machine(), MatmulKind.LINEAR, "partial_sums", "add").format == "int8"
    found = machine("int8", "int8-edge", accumulate="paper")
    assert line(found, MatmulKind.LINEAR, "weights", "mul").format == "int8"
    assert line(found, MatmulKind.LINEAR, "partial_sums", "add").format == "int16"


@pytest.mark.parametrize("technology", ["45nm", "7nm"])
@pytest.mark.parametrize(
    ("scheme", "platform", "kind", "paper", "fp32", "accumulator"),
    [
        ("fp16", "fp16-edge", MatmulKind.LINEAR, "fp16", "fp32", "fp32"),
        ("int8", "int8-edge", MatmulKind.LINEAR, "int16", "int16", "int32"),
        ("int8", "int8-edge", MatmulKind.SCORES, "fp16", "fp32", "fp32"),
        ("bitnet-b1.58", "ternary-edge", MatmulKind.SCORES, "fp16", "fp32", "fp32"),
        ("bitnet-b1.58", "ternary-edge", MatmulKind.LINEAR, "int8", "int8", "int8"),
    ],
)
def test_products_are_added_at_the_width_of_the_accumulators_where_asked(
    technology, scheme, platform, kind, paper, fp32, accumulator
):
    """Prices: TPUv4i Table 2, pJ of an addition; an INT16's is theirs, log-log between INT8 and INT32."""
    table = {"45nm": {"fp16": 0.4, "fp32": 0.9, "int8": 0.03, "int32": 0.1},
             "7nm": {"fp16": 0.16, "fp32": 0.38, "int8": 0.007, "int32": 0.03}}[technology]  # fmt: skip
    table["int16"] = math.sqrt(table["int8"] * table["int32"])
    for rule, name in (("paper", paper), ("fp32", fp32), ("accumulator", accumulator)):
        found = machine(scheme, platform, technology, accumulate=rule)
        added = line(found, kind, "partial_sums", "add")
        assert (added.format, added.factor) == (name, 1)
        assert added.price.nominal_pj == pytest.approx(table[name], rel=1e-6)


def test_narrow_accumulators_imply_no_wide_additions():
    arrays = platforms()["int8-edge"].arrays
    narrow = arrays["int8"].accumulators.model_copy(update={"bits": 24})
    changed = {**arrays, "int8": arrays["int8"].model_copy(update={"accumulators": narrow})}
    found = machine("int8", "int8-edge", accumulate="accumulator", arrays=changed)
    assert line(found, MatmulKind.LINEAR, "partial_sums", "add").format == "int16"


def test_a_measured_mac_of_that_width_is_taken():
    for rule, sums in (("paper", "fp16"), ("accumulator", "fp32")):
        found = machine("fp16", "fp16-edge", "7nm-measured", accumulate=rule)
        array, _ = found.array(MatmulKind.LINEAR)
        netlist = technologies()["7nm-measured"].mac("fp16", "fp16", sums)
        price = netlist.price(array.lanes, array.columns, 0.0)
        assert line(found, MatmulKind.LINEAR, "weights", "mac").price == price


@pytest.mark.parametrize(
    ("scheme", "times"), [("bitnet-b1.58", 0), ("bitnet-b1.58-5in8", 4 / 5), ("bitnet-b1.58-3in5", 1 / 3)]
)
def test_unpacking_costs_what_the_packing_needs(scheme, times):
    assert line(machine(scheme), MatmulKind.LINEAR, "unpacking", "add").factor == pytest.approx(times)


def test_int4_weights_are_scaled_on_their_way_to_a_floating_point_array():
    found = line(machine("w4a16", "fp16-edge"), MatmulKind.LINEAR, "unpacking", "mul")
    assert (found.factor, found.format) == (1, "fp16")


@pytest.mark.parametrize(("technology", "anchors"), [("45nm", (10, 20, 100)), ("7nm", (7.5, 8.5, 14))])
def test_a_buffers_price_is_the_tables_at_its_sizes_and_log_log_between(technology, anchors):
    """Anchors: TPUv4i Table 2, pJ for 64 bits of 8 KiB, 32 KiB and 1 MiB."""
    sizes = (8192, 32768, 1 << 20)

    def price_pj(size, banks=1):
        buffers = platforms()["ternary-edge"].buffers
        held = buffers["activations"].model_copy(update={"size_bytes": size, "banks": banks})
        found = machine(technology=technology, buffers={**buffers, "activations": held})
        return found.access("buffer_read", "activations")[0].nominal_pj * 64

    for size, anchor in zip(sizes, anchors, strict=True):
        assert price_pj(size) == pytest.approx(anchor)
        assert price_pj(4 * size, 4) == pytest.approx(anchor)
    between = math.isqrt(sizes[0] * sizes[1])
    assert price_pj(between) == pytest.approx(math.sqrt(anchors[0] * anchors[1]))
    between = sizes[1] * (sizes[2] / sizes[1]) ** 0.25
    assert price_pj(int(between)) == pytest.approx(anchors[1] * (anchors[2] / anchors[1]) ** 0.25, rel=1e-4)


def test_a_node_may_price_registers_of_its_own():
    """What it does not give is the array's; the other node is as it was."""
    none = {"accumulators": None, "weight_registers": None}
    nodes = {name: node.model_copy(update=none) for name, node in platforms()["ternary-edge"].nodes.items()}
    own = nodes["7nm"].model_copy(
        update={"accumulators": StorePrices(read_pj_per_bit=Band(low=0.001, nominal=0.002, high=0.004)),
                "weight_registers": StorePrices(write_pj_per_bit=0.5)}
    )  # fmt: skip
    changed = {"nodes": {**nodes, "7nm": own}}
    before, after, elsewhere = (
        machine(technology=node, **keys)
        for node, keys in (("7nm", {"nodes": nodes}), ("7nm", changed), ("45nm", changed))
    )
    for kind in (MatmulKind.LINEAR, MatmulKind.SCORES):
        read = line(after, kind, "partial_sums", "register_read")
        assert read.price == (0.001, 0.002, 0.004)
        assert read.key == "platforms/ternary-edge.yaml:nodes.7nm.accumulators.read_pj_per_bit"
        written = line(after, kind, "weights", "register_write")
        assert written.price == (0.5, 0.5, 0.5)
        assert written.key == "platforms/ternary-edge.yaml:nodes.7nm.weight_registers.write_pj_per_bit"
        for action in ("register_read", "register_write"):
            assert line(elsewhere, kind, "partial_sums", action) == line(before, kind, "partial_sums", action)
        assert line(after, kind, "partial_sums", "register_write") == line(
            before, kind, "partial_sums", "register_write"
        )


def test_leakage_of_a_cycle_is_watts_over_the_clock():
    node = platforms()["ternary-edge"].nodes["45nm"].model_copy(update={"leakage_w": 0.07})
    found = machine(nodes={"45nm": node})
    assert found.cycle_pj.nominal_pj == pytest.approx(0.07 / (MET_MHZ["45nm"] * 1e6) * 1e12)


def test_bandwidth_in_bits_a_cycle():
    assert machine().off_chip_bits == pytest.approx(12.8e9 * 8 / (MET_MHZ["45nm"] * 1e6))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 1000), st.integers(1, 200))
def test_cycles_of_ternary_edge_are_those_of_the_accelerator(m, k, n):
    """On unbounded memories. The closed form counts filling and draining to the cycle, the mapping rounds them up.

    The accelerator holds one tile ahead, so that a last block of fewer tokens than a load takes cycles waits for it;
    the mapping takes loads to be spread over the whole matmul.
    """
    config = read_configuration("edge_64x16")
    problem = machine().problem(MatmulKind.STANDALONE, m, k, n, resident=False, reserved_bits=0)
    problem = problem._replace(off_chip_bits=UNBOUNDED, width_bits=(UNBOUNDED, UNBOUNDED))
    blocks = (-(-k // config.lanes), -(-n // config.columns))
    as_built = replay(problem, Tiles(m, *blocks, min(m, config.tokens), 1, 1, 0, 1))  # tokens, then K, then N
    rest = m % config.tokens
    waits = max(0, config.tile_beats - rest) if rest and m > config.tokens else 0
    exact = cycles(config, m, k, n) - waits * math.prod(blocks)
    assert -waits <= as_built.traffic.cycles - exact <= 2 * config.tile_beats
    assert as_built.traffic.sum_spills == 0


def test_the_best_mapping_of_a_prefill_on_ternary_edge_keeps_the_array_busy():
    problem = machine().problem(MatmulKind.STANDALONE, 512, 2560, 6912, resident=False, reserved_bits=0)
    found = search(problem)
    busy = 512 * 2560 * 6912 / (64 * 16)
    assert busy <= found.traffic.compute_cycles <= 1.01 * busy


def test_what_no_array_computes_is_told_with_what_is_computed():
    with pytest.raises(UnpricedError, match="no array of platform tpu32 computes fp16 x fp16, the LM head") as error:
        machine("int8", "tpu32").array(MatmulKind.HEAD)
    begins = "int8 x int8; or a line in `macs` of one of its arrays; or an array that takes fp16 x fp16: "
    assert error.value.args[1].startswith(begins)
    assert "fp16 of fp16-" in error.value.args[1].removeprefix(begins)


ROLES = {
    MatmulKind.LINEAR: "linears", MatmulKind.HEAD: "LM head", MatmulKind.FULL_PRECISION: "first and last layers",
    MatmulKind.ADAPTER_UP: "low-rank adapters", MatmulKind.SCORES: "attention", MatmulKind.ROUTER: "router",
}  # fmt: skip


@pytest.mark.parametrize("kind", ROLES, ids=ROLES.values())
def test_formats_without_an_array_are_told_as_weights_by_activations_and_so_are_those_with_one(kind):
    """Of the platform's arrays none takes INT2 weights; no pair of formats is the same the other way round."""
    arrays = {
        "one": [(("ternary", "binary"), ("int8", "int4"))],
        "two": [(("int4",), ("fp16",)), (("ternary",), ("int8",))],
    }
    plain = platforms()["ternary-edge"]
    array = plain.arrays["adders"]
    platform = plain.model_copy(
        update={
            "arrays": {
                name: array.model_copy(
                    update={
                        "macs": [
                            array.macs[0].model_copy(update={"weights": list(w), "activations": list(a)})
                            for w, a in macs
                        ]
                    }
                )
                for name, macs in arrays.items()
            }
        }
    )
    required = replace(machine().formats(kind), weights="int2", activations="fp16")
    with pytest.raises(UnpricedError) as error:
        first_array(platform, "own", required, kind.role)
    wrong, expected = error.value.args[:2]
    assert wrong == f"no array of platform own computes int2 x fp16, the {ROLES[kind]} of the scheme"
    computed = "ternary x int8, ternary x int4, binary x int8, binary x int4, int4 x fp16"  # each pair once
    assert expected.startswith(
        f"{computed}; or a line in `macs` of one of its arrays; or an array that takes int2 x fp16"
    )
    reverse = replace(machine().formats(kind), weights="int4", activations="fp16")
    assert first_array(platform, "own", reverse, kind.role)[0] is platform.arrays["two"]
    both = replace(machine().formats(kind), weights="ternary", activations="int8")
    assert first_array(platform, "own", both, kind.role)[0] is platform.arrays["one"]


def test_a_platform_without_a_clock_at_a_node_says_which_it_has():
    with pytest.raises(UnpricedError, match=r"no clock at 7nm \(nodes: 45nm\)"):
        _ = machine(technology="7nm", nodes={"45nm": platforms()["ternary-edge"].nodes["45nm"]}).node


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not MatmulKind.ROUTER])
def test_every_step_that_counts_has_a_price_and_a_row_it_hangs_on(kind):
    for step, found in machine().lines(kind).items():
        assert step in STEPS
        if found.factor and found.key:
            assert 0 < found.price.low_pj <= found.price.nominal_pj <= found.price.high_pj
