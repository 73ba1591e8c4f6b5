"""The platform of a configuration: every kind of array, in an edge device whose clock and leakage follow."""

import pytest

from bitjoule.energy_models.system.platform.platforms import read_platform
from bitjoule.experiments.hardware.platform import macs_of
from bitjoule.rtl.config import AcceleratorConfig


def config(**keys):
    return AcceleratorConfig.from_mapping({"lanes": 8, "columns": 4, "max_k": 256, "weight_bus_bits": 64, **keys})


def written(macs):
    return [(each["weights"], each["activations"], each["actions"]) for each in macs]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"activation_bits": 4},
            [
                (["ternary", "binary"], ["int4"], ["add int4"]), (["ternary", "binary"], ["int3"], ["add int3"]),
                (["ternary", "binary"], ["int2"], ["add int2"]), (["ternary", "binary"], ["int1"], ["add int1"]),
            ],
        ),
        (
            {"weight_encoding": "binary1", "activation_bits": 1, "weight_bus_bits": 32},
            [(["binary"], ["int1"], ["add int1"])],
        ),
        ({"activation_bits": 16, "weight_bus_bits": 128}, [(["ternary", "binary"], ["fp16"], ["add fp16"])]),
        ({"weight_encoding": "fp16", "weight_bus_bits": 512}, [(["fp16"], ["fp16"], ["mul fp16", "add fp32"])]),
        (
            {"weight_encoding": "fp16", "weight_bus_bits": 512, "datapath": "rounding_tree", "accumulation": "fp16"},
            [(["fp16"], ["fp16"], ["mul fp16", "add fp16"])],
        ),
        (
            {"weight_encoding": "int2", "activation_bits": 2},
            [(["int2"], ["int2"], ["mul int2", "add int16"]), (["int2"], ["int1"], ["mul int2xint1", "add int16"])],
        ),
    ],
)  # fmt: skip
def test_macs_are_those_that_the_array_computes(keys, expected):
    assert written(macs_of(config(**keys))) == expected


@pytest.mark.parametrize(
    "name",
    ["edge_64x16", "binary_64x16", "decode_64x5", "lookup_8x4", "int2_8x4", "int8_8x4", "fp16_8x4", "ternary_fp16_8x4"],
)
def test_the_written_file_is_a_platform_with_the_configured_array(bitjoule, tmp_path, name):
    from bitjoule.sim.accelerator.configurations import read_configuration

    assert bitjoule("rtl", "platform", name, "-o", tmp_path / "chip.yaml")[0] == 0
    wanted, found = read_configuration(name), read_platform(tmp_path / "chip.yaml")
    first, array = next(iter(found.arrays.items()))
    assert first == "accelerator"  # matmuls run on the first array that computes their formats
    assert (array.lanes, array.columns) == (wanted.lanes, wanted.columns)
    assert array.accumulators.depth == wanted.tokens
    assert array.accumulators.bits == wanted.accumulator_bits
    assert array.weight_registers.load_bits_per_cycle == wanted.weight_bus_bits
    assert found.unscaled == ()
    assert {node.clock_mhz for node in found.nodes.values()} == {"from_configuration"}


def test_the_shipped_configuration_takes_the_energy_of_the_shipped_platform(bitjoule, tmp_path):
    """At the same clock they are one machine: `ternary-edge` has the array of `edge_64x16`."""
    assert bitjoule("rtl", "platform", "edge_64x16", "-o", tmp_path / "chip.yaml")[0] == 0
    (tmp_path / "both.yaml").write_text(
        "name: both\naccounting: system\nmodels: [bitnet-125m]\nschemes: [bitnet-b1.58]\ntechnologies: [45nm]\n"
        "platforms: [{name: mine, like: ./chip.yaml, nodes: {45nm: {clock_mhz: 500}, 7nm: null}}, "
        "{name: shipped, like: ternary-edge, nodes: {45nm: {clock_mhz: 500}}}]\n"
        "workload: {prompt_tokens: 64, new_tokens: 4}\n"
    )
    assert bitjoule("run", tmp_path / "both.yaml", "--no-plots", "--out", tmp_path / "out")[0] == 0
    rows = (tmp_path / "out" / "both" / "summary.csv").read_text().splitlines()
    columns = rows[0].split(",")
    energies = {}
    for row in (dict(zip(columns, line.split(","), strict=True)) for line in rows[1:]):
        energies.setdefault(row["phase"], []).append(float(row["energy_j"]))
    assert energies
    for mine, shipped in energies.values():
        assert mine == pytest.approx(shipped, rel=1e-12)


def test_another_datapath_is_said(bitjoule, tmp_path):
    status, _, err = bitjoule("rtl", "platform", "lookup_8x4", "-o", tmp_path / "chip.yaml")
    assert (status, err) == (0, "datapath lookup_table: technologies of netlists price it as carry_save\n")


def test_accumulators_in_memory_are_said(bitjoule, tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("lanes: 8\ncolumns: 4\ntokens: 4\nmax_k: 64\nweight_bus_bits: 32\naccumulators: memory\n")
    status, _, err = bitjoule("rtl", "platform", config, "-o", tmp_path / "chip.yaml")
    assert (status, err) == (0, "accumulators memory: technologies of netlists price them as registers\n")


def test_a_target_that_is_no_yaml_is_refused(bitjoule, tmp_path):
    status, _, err = bitjoule("rtl", "platform", "tiny_8x4", "-o", tmp_path / "chip.txt")
    assert status == 2
    assert "expected a name that ends in .yaml" in err
    assert not (tmp_path / "chip.txt").exists()
