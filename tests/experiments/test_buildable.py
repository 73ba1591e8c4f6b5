"""Which adder arrays the generator can build, and that a run says so."""

from itertools import count

import numpy as np
import pytest
import yaml

from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.machines.designs import design_names
from bitjoule.energy_models.system.platform.platforms import Platform, platforms
from bitjoule.experiments.names.buildable import held_k, unbuildable

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


@pytest.mark.parametrize("activation_bits", [1, 2, 4, 8])
@pytest.mark.parametrize("bits", [9, 10, 12, 13])
def test_sums_of_the_longest_row_that_is_held_fit_at_both_ends(bits, activation_bits):
    """An input of a bits is from -2 ** (a - 1) on, and its negative is added, too; of one bit it is 1 or -1."""
    array = changed(accumulators__bits=bits).arrays["adders"]
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    ends = np.array([-1, 1]) * 2 ** (activation_bits - 1)
    beyond = next(k for k in count(1) if k * ends.min() < least or k * ends.max() > most)
    assert held_k(array, activation_bits) == beyond - 1


def mac(weights, activations, *actions):
    return {"weights": weights, "activations": activations, "actions": list(actions)}


def test_an_array_some_of_whose_macs_multiply_is_not_the_generators():
    adds, multiplies = mac(["ternary"], ["int8"], "add int8"), mac(["int8"], ["int8"], "mul int8", "add int16")
    for macs in ([adds, multiplies], [multiplies, adds]):
        assert list(unbuildable(changed(columns=128, macs=macs))) == []


@pytest.mark.parametrize(("weights", "bits"), [(["binary"], 1), (["ternary"], 2), (["binary", "ternary"], 2)])
def test_a_tile_has_as_many_bits_a_weight_as_the_widest_weights_need(weights, bits):
    """Of 64 lanes and 16 columns; a weight a MAC."""
    macs = [mac([name], ["int8"], "add int8") for name in weights]
    (line,) = unbuildable(changed(macs=macs, weight_registers__load_bits_per_cycle=24))
    assert f"that a tile of {64 * 16 * bits} bits fills" in line


def test_accumulators_that_hold_no_input_are_told_with_their_bits():
    """The negative of an input of 8 bits can be 128, which 8 bits do not hold; that of INT4 is at most 8."""
    of_int4, of_int8 = mac(["ternary"], ["int4"], "add int4"), mac(["ternary"], ["int8"], "add int8")
    told = "arrays.adders.accumulators.bits: got 8; the generator builds more than the 8 bits of an input"
    for macs in ([of_int8], [of_int4, of_int8], [of_int8, of_int4]):
        assert list(unbuildable(changed(macs=macs, accumulators__bits=8))) == [told]
        assert list(unbuildable(changed(macs=macs, accumulators__bits=9))) == []
    assert list(unbuildable(changed(macs=[of_int4], accumulators__bits=8))) == []


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
