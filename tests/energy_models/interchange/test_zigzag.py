"""ZigZag's accelerators: its example with 32 x 32 PEs is the shipped platform `tpu32`, which three tools agree on."""

from itertools import permutations

import pytest

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.inputs.yaml_core import write_yaml
from bitjoule.energy_models.interchange.platform import Imported
from bitjoule.energy_models.interchange.zigzag import read_zigzag
from bitjoule.energy_models.system.platform.platforms import Platform, platforms


def memory(size, read, write, operands, served, bits, kinds=("read", "write")):
    ports = [
        {"name": kind, "type": kind, "bandwidth_min": 8, "bandwidth_max": bits, "allocation": []} for kind in kinds
    ]
    return {
        "size": size,
        "r_cost": read,
        "w_cost": write,
        "operands": operands,
        "ports": ports,
        "served_dimensions": served,
    }


def accelerator(**changes):
    both = ["D1", "D2"]
    data = {
        "name": "tpu_like",
        "memories": {
            "rf_128B": memory(1024, 0.095, 0.095, ["I2"], [], 8),
            "rf_2B": memory(16, 0.021, 0.021, ["O"], [], 16),
            "sram_2MB": memory(2097152 * 8, 416.16, 378.4, ["I1", "O"], both, 2048),
            "dram": memory(10_000_000_000, 700, 750, ["I1", "I2", "O"], both, 64, ["read_write"]),
        },
        "operational_array": {
            "unit_energy": 0.04, "unit_area": 1, "dimensions": both, "sizes": [32, 32], "systolic_dimensions": both,
        },
    }  # fmt: skip
    data["operational_array"] |= changes
    return data


MAPPING = """
- name: default
  spatial_mapping: {D1: ["K, 32"], D2: ["C, 16"]}
  memory_operand_links: {O: O, W: I2, I: I1}
"""


def read(data, mapping=None):
    document = parse_document(write_yaml(data), "chip.yaml")
    return read_zigzag(document, None if mapping is None else parse_document(mapping, "mapping.yaml"))


def platform(imported):
    return validate(Platform, parse_document(write_yaml(imported.platform), "platform.yaml"))


def test_its_example_is_the_shipped_platform():
    ours, shipped = platform(Imported(read(accelerator()))), platforms()["tpu32"]
    assert ours.arrays == shipped.arrays
    assert ours.off_chip == shipped.off_chip
    assert ours.vector == shipped.vector
    assert ours.buffers["sram_2MB"] == shipped.buffers["shared"]
    assert ours.nodes["45nm"].clock_mhz == shipped.nodes["45nm"].clock_mhz


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_memory_is_as_wide_as_its_widest_port_wherever_that_stands(order):
    data = accelerator()
    memory = data["memories"]["sram_2MB"]
    ports = [
        {"name": f"port_{bits}", "type": kind, "bandwidth_min": 8, "bandwidth_max": bits, "allocation": []}
        for kind, bits in (("read", 2048), ("write", 1024), ("read_write", 64))
    ]
    memory["ports"] = [ports[place] for place in order]
    (level,) = (level for level in read(data).levels if level.name == "sram_2MB")
    assert (level.read_bits, level.write_bits) == (2048, 1024)
    assert level.read_pj_per_bit == memory["r_cost"] / 2048
    assert level.write_pj_per_bit == memory["w_cost"] / 1024


def test_the_mapping_says_what_the_dimensions_are():
    hardware = read(accelerator(sizes=[32, 16]), MAPPING)
    assert (hardware.columns, hardware.lanes) == (32, 16)
    swapped = read(accelerator(sizes=[32, 16]), MAPPING.replace("K, 32", "C, 32").replace("C, 16", "K, 16"))
    assert (swapped.columns, swapped.lanes) == (16, 32)


def test_of_several_layers_the_mapping_named_default_counts():
    other = MAPPING.replace("default", "conv").replace("K, 32", "C, 32").replace("C, 16", "K, 16")
    other = other.replace("W: I2, I: I1", "W: I1, I: I2")
    for text in (other + MAPPING, MAPPING + other):
        hardware = read(accelerator(sizes=[32, 16]), text)
        assert (hardware.columns, hardware.lanes) == (32, 16)
        assert next(level for level in hardware.levels if level.name == "rf_128B").holds == {"weights"}


def test_without_a_mapping_those_who_share_outputs_are_terms_of_a_sum_and_it_is_said():
    data = accelerator(sizes=[32, 16])
    data["memories"]["rf_2B"]["served_dimensions"] = ["D1"]
    hardware = read(data)
    assert (hardware.lanes, hardware.columns) == (32, 16)
    assert any("--mapping" in line for line in hardware.left_out)


def test_another_clock_moves_the_bandwidth_with_it():
    ours = Imported(read(accelerator()), clock_mhz=500).platform
    assert ours["off_chip"]["bandwidth_gb_per_s"] == 64 * 0.5 / 8
    assert ours["nodes"] == {"45nm": {"clock_mhz": 500}}


def test_a_register_of_inputs_is_paid_with_the_product():
    data = accelerator()
    data["memories"] = {"rf_I": memory(8, 0.016, 0.02, ["I1"], [], 8), **data["memories"]}
    imported = Imported(read(data))
    assert imported.platform["arrays"]["pes"]["macs"][0]["energy_pj"] == pytest.approx(0.04 + 0.016)
    assert any("rf_I" in line for line in imported.left_out)


def test_costs_that_cacti_computes_are_the_technologys():
    data = accelerator()
    data["memories"]["sram_2MB"]["auto_cost_extraction"] = True
    imported = Imported(read(data))
    assert imported.platform["buffers"]["sram_2MB"]["memory"] == "sram"
    assert any("CACTI" in line for line in imported.left_out)


def test_of_a_key_written_twice_the_last_counts_and_it_is_said():
    text = write_yaml(accelerator()).replace("  rf_2B:\n", "  rf_2B:\n    size: 99\n", 1)
    document = parse_document(text, "chip.yaml", last_wins=True)
    hardware = read_zigzag(document)
    assert next(level for level in hardware.levels if level.name == "rf_2B").size_bits == 16
    assert any("memories.rf_2B.size" in line for line in hardware.left_out)


@pytest.mark.parametrize(
    ("data", "mapping", "message"),
    [
        (accelerator(imc_type="analog"), None, "computes in memory; expected an array of multipliers"),
        (accelerator(sizes=[32]), None, "1 sizes of 2 dimensions; expected one for each"),
        (accelerator(dimensions=["A", "B", "C"], sizes=[2, 2, 2]), None, "3 dimensions without the mapping"),
        (accelerator(), MAPPING.replace("C, 16", "OX, 16"), "D2 is unrolled over OX; expected dimensions over outputs"),
        (accelerator(), MAPPING.replace("default", "conv"), "no entry named default"),
        (accelerator(unit_energy="dear"), None, "got 'dear'; expected a number that is not negative"),
        (accelerator(input_precision=[8, 16]), None, "got [8, 16]; expected one width for both operands"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(data, mapping, message):
    with pytest.raises(InputError) as raised:
        read(data, mapping)
    assert message in str(raised.value)
    assert str(raised.value).startswith(("chip.yaml:", "mapping.yaml:"))


def test_a_memory_that_never_reads_is_refused():
    data = accelerator()
    data["memories"]["rf_2B"]["ports"] = data["memories"]["rf_2B"]["ports"][1:]
    with pytest.raises(InputError, match=r"memories\.rf_2B\.ports: none reads, or none writes"):
        read(data)
