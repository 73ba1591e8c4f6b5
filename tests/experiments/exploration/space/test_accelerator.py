"""The sizes that a configuration gives an array, against those of `bitjoule rtl platform`."""

import pytest

from bitjoule.energy_models.inputs.changes import ImpossibleError
from bitjoule.experiments.exploration.space.accelerator import KEYS, array_changes
from bitjoule.experiments.hardware.platform import NAME, platform_of
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration, shipped_configurations


@pytest.mark.parametrize("name", shipped_configurations())
def test_the_array_has_the_sizes_of_the_platform_of_the_configuration(name):
    config = read_configuration(name)
    array = platform_of(config, name)["arrays"][NAME]
    for key, change in array_changes(config, "a", {}).items():
        value = array
        for part in key.removeprefix("arrays.a.").split("."):
            value = value.get(part, 1)  # one instance
        assert change.value == value, key


def test_arrays_side_by_side_have_the_columns_and_the_buses_together():
    changes = array_changes(read_configuration("edge_64x16"), "a", {"instances": 3, "lanes": 32})
    values = {key.removeprefix("arrays.a."): change.value for key, change in changes.items()}
    assert values["lanes"] == 32
    assert values["columns"] == 48
    assert values["instances"] == 3
    assert values["weight_registers.load_bits_per_cycle"] == 3 * 512


@pytest.mark.parametrize("changes", [{"instances": 0}, {"instances": 1.5}, {"lanes": 3}, {"columns": 65}])
def test_what_cannot_be_built_is_refused(changes):
    with pytest.raises(ImpossibleError, match=f"accelerator.{next(iter(changes))}"):
        array_changes(read_configuration("edge_64x16"), "a", changes)


def test_every_key_but_the_instances_is_one_of_a_configuration():
    assert set(KEYS) - {"instances"} <= set(AcceleratorConfig.__dataclass_fields__)
