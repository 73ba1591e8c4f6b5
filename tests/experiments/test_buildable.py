"""Which adder arrays the generator can build, and that a run says so."""

import pytest
import yaml

from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.machines.designs import design_names
from bitjoule.energy_models.system.platform.platforms import Platform, platforms
from bitjoule.experiments.names.buildable import unbuildable

EDGE = yaml.safe_load((DATA / "platforms" / "ternary-edge.yaml").read_text())


def changed(**keys):
    """Return the array of the edge device with keys changed; a key of a store as ``store__key``."""
    array = {**EDGE["arrays"]["adders"], "accumulators": {**EDGE["arrays"]["adders"]["accumulators"]},
             "weight_registers": {**EDGE["arrays"]["adders"]["weight_registers"]}}  # fmt: skip
    for key, value in keys.items():
        store, _, inside = key.partition("__")
        (array[store] if inside else array)[inside or store] = value
    return Platform.model_validate({**EDGE, "arrays": {**EDGE["arrays"], "adders": array}})


@pytest.mark.parametrize("name", sorted(set(platforms()) - set(design_names())))
def test_every_shipped_adder_array_of_ours_can_be_built(name):
    assert list(unbuildable(platforms()[name])) == []


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"lanes": 4}, "lanes: got 4; the generator builds a whole number from 8 to 256"),
        ({"columns": 128}, "columns: got 128; the generator builds a whole number from 1 to 64"),
        ({"columns": 260, "instances": 2, "weight_registers__load_bits_per_cycle": 1024},
         "columns (each of 2): got 130; the generator builds a whole number from 1 to 64"),
        ({"accumulators__depth": 2048},
         "accumulators.depth: got 2048; the generator builds a whole number from 1 to 1024"),
        ({"accumulators__per": "pe"}, "accumulators.per: got pe; the generator builds one accumulator per column"),
        ({"weight_registers__weights": 2}, "weight_registers.weights: got 2; the generator builds one weight per PE"),
        ({"weight_registers__load_bits_per_cycle": 24},
         "weight_registers.load_bits_per_cycle: got 24; the generator builds whole bytes that a tile of 2048 bits "
         "fills in whole beats (2048, 1024, 512, 256, 128, 64, ...), or a multiple of 8 from 2048 to 65536"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_named_with_what_can(keys, line):
    assert list(unbuildable(changed(**keys))) == [f"arrays.adders.{line}"]


def test_arrays_side_by_side_are_built_one_by_one():
    assert list(unbuildable(changed(columns=256, instances=4, weight_registers__load_bits_per_cycle=2048))) == []


def test_an_array_of_unequal_parts_is_refused():
    with pytest.raises(ValueError, match="16 columns in 3 instances"):
        changed(instances=3)


def test_a_run_warns_of_an_array_that_cannot_be_built(bitjoule, tmp_path):
    sources = "sources: {arrays.adders: as before, arrays.float: as before}\n"
    (tmp_path / "wide.yaml").write_text("like: ternary-edge\narrays: {adders: {columns: 128}}\n" + sources)
    text = "name: wide\naccounting: system\nmodels: [bitnet-b1.58-700m]\nschemes: [bitnet-b1.58]\n"
    (tmp_path / "x.yaml").write_text(text + "technologies: [7nm]\nplatforms: [wide.yaml, ternary-edge]\n")
    status, _, stderr = bitjoule("run", tmp_path / "x.yaml", "--out", tmp_path)
    assert status == 0
    wrong = "arrays.adders.columns: got 128; the generator builds a whole number from 1 to 64"
    assert stderr == f"bitjoule: platform wide: {wrong}\n"
