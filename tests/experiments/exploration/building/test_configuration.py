"""The accelerator of a design: the configuration that a platform's array was made of, or that builds it."""

from itertools import product

import pytest
import yaml

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.inheritance import completed
from bitjoule.energy_models.inputs.yaml_core import write_yaml
from bitjoule.energy_models.system.platform.platforms import PLATFORM, Platform, platforms, read_platform
from bitjoule.experiments.exploration.building.configuration import (
    UnbuildableError,
    _other_formats,
    accelerator_of,
    configuration_of,
    platform_file,
)
from bitjoule.experiments.hardware.platform import NAME, platform_of
from bitjoule.sim.accelerator.configurations import read_configuration, shipped_configurations
from tests.experiments.exploration.cases import resolved

INTEGERS = ("int8", "int4", "int3", "int2", "int1")
EDGE = {"config": "edge_64x16", "array": "adders"}


def accelerator(number, **changes):
    """Return the accelerator of a design."""
    work = resolved(**changes)
    return accelerator_of(work.base, work.space, number)


def refused(number, **changes):
    """Return what is wrong with a design, by key."""
    with pytest.raises(UnbuildableError) as error:
        accelerator(number, **changes)
    return {fault.key: (fault.wrong, fault.expected) for fault in error.value.faults}


def platform(config, tmp_path):
    """Return the platform that `bitjoule rtl platform` writes of a configuration."""
    document = parse_document(write_yaml(platform_of(config, "it")), "it.yaml")
    data = completed(PLATFORM, document, (), tmp_path).data
    return Platform.model_validate(data)


@pytest.mark.parametrize("name", shipped_configurations())
def test_the_platform_of_a_configuration_gives_the_configuration_back(name, tmp_path):
    config = read_configuration(name)
    array = platform(config, tmp_path).arrays[NAME]
    macs = array.macs[0]
    found = configuration_of(array, macs, (macs.weights[0], macs.activations[0]), config.weight_encoding, {})
    ours, theirs = found.as_mapping(), config.as_mapping()
    # What the array of a platform does not say: how it is built inside, and the largest K of a multiplier.
    inside = {"datapath", "table_lanes", "max_k"}
    assert {key: ours[key] for key in ours.keys() - inside} == {key: theirs[key] for key in theirs.keys() - inside}
    assert found.accumulator_bits == config.accumulator_bits
    assert found.max_k >= config.max_k


def test_knobs_of_the_accelerator_and_of_the_platform_reach_the_configuration():
    found = accelerator(
        3, accelerator=EDGE,
        explore__knobs={"accelerator.instances": [1, 2], "platform.arrays.adders.accumulators.depth": [32, 128]},
    )  # fmt: skip
    edge = read_configuration("edge_64x16").as_mapping()
    assert found.config.as_mapping() == edge | {"tokens": 128}
    assert (found.array, found.instances) == ("adders", 2)


def test_without_a_configuration_the_array_that_runs_the_linears_is_built_for_the_largest_k_that_it_holds():
    found = accelerator(0, explore__knobs={"platform.arrays.adders.lanes": [32, 64]})
    edge = read_configuration("edge_64x16").as_mapping()
    assert found.config.as_mapping() == edge | {"lanes": 32, "max_k": (2**22 - 1) // 2**7}
    assert found.config.accumulator_bits == 23


@pytest.mark.parametrize(("key", "value", "named", "told"), [
    ("lanes", 4, "lanes", ("got 4", "a whole number from 8 to 256")),
    ("columns", 96, "columns", ("got 96", "a whole number from 1 to 64")),
    ("accumulators.depth", 2048, "accumulators.depth", ("got 2048", "a whole number from 1 to 1024")),
    ("accumulators.per", "pe", "accumulators.per", ("got pe", "one accumulator per column")),
    ("weight_registers.weights", 2, "weight_registers.weights", ("got 2", "one weight per PE")),
    ("pipeline_cycles", 1, "pipeline_cycles", ("got 1", "2 more than a whole number from 0 to 4")),
    ("pipeline_cycles", 9, "pipeline_cycles", ("got 9", "2 more than a whole number from 0 to 4")),
])  # fmt: skip
def test_what_the_generator_cannot_build_is_named_with_what_it_can(key, value, named, told):
    found = refused(1, explore__knobs={f"platform.arrays.adders.{key}": [value - 1 if value == 1 else 64, value]
                                       if key != "accumulators.per" else ["column", "pe"]})  # fmt: skip
    assert found == {f"platform.arrays.adders.{named}": told}


def test_accumulators_that_are_narrower_than_the_configuration_needs_are_refused():
    found = refused(0, accelerator=EDGE, explore__knobs={"platform.arrays.adders.accumulators.bits": [20, 23]})
    assert found == {"platform.arrays.adders.accumulators.bits": ("got 20", "at least 23, for max_k 16384")}


def test_accumulators_that_hold_no_input_are_told_with_their_own_bits():
    """One input of 8 bits, whose negative can be 128, needs 9."""
    found = refused(0, explore__knobs={"platform.arrays.adders.accumulators.bits": [8, 23]})
    assert found == {"platform.arrays.adders.accumulators.bits": ("got 8", "at least 9, for max_k 1")}


def test_an_array_of_other_formats_than_its_configuration_is_refused():
    found = refused(0, scheme="int8", platform="int8-edge", accelerator={**EDGE, "array": "int8"},
                    explore__knobs={"accelerator.instances": [1, 2]})  # fmt: skip
    ((key, (wrong, expected)),) = found.items()
    assert key == "platform.arrays.int8.macs"
    assert wrong == "computes int8 x int8"
    assert "ternary x int8" in expected


@pytest.mark.parametrize(("config", "pairs"), [
    ("edge_64x16", product(("ternary", "binary"), INTEGERS)),
    ("binary_64x16", product(("binary",), INTEGERS)),
    ("int8_8x4", product(("int8",), INTEGERS)),
])  # fmt: skip
def test_a_configuration_computes_its_weights_with_all_integers_that_are_no_wider(config, pairs):
    found = read_configuration(config)
    pairs = list(pairs)
    for pair in pairs:
        assert list(_other_formats(found, pair)) == []
    (fault,) = _other_formats(found, ("fp16", "fp16"))
    told = fault.expected.removesuffix(", as its configuration does").split(", ")
    assert set(told) == {" x ".join(pair) for pair in pairs}


def test_the_file_of_a_platform_holds_the_design_and_says_what_the_exploration_chose(tmp_path):
    knobs = {"platform.buffers.*.size_bytes": [524288, 1048576], "platform.off_chip.bandwidth_gb_per_s": [12.8, 25.6]}
    work = resolved(accelerator=EDGE, explore__knobs=knobs)
    found = accelerator_of(work.base, work.space, 3)
    path = tmp_path / "platform.yaml"
    path.write_text(yaml.safe_dump(platform_file(work.base, found, "small", 3)))
    read, before = read_platform(path), platforms()["ternary-edge"]
    drop = {"description", "sources"}
    assert read.model_dump(exclude=drop) == found.design.platform.model_dump(exclude=drop)
    chosen = {key for key, text in read.sources.items() if text == "design 3 of exploration small"}
    assert chosen == {"off_chip.bandwidth_gb_per_s", "buffers.weights.size_bytes", "buffers.activations.size_bytes"}
    kept = read.sources.keys() - chosen
    assert {key: read.sources[key] for key in kept} == {key: before.sources[key] for key in kept}
