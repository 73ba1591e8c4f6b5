"""AccelForge's architectures; expected values follow by hand from the file: joules of a bit, bits a second."""

import pytest

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.interchange.accelforge import is_accelforge, read_accelforge
from bitjoule.energy_models.interchange.platform import Imported

CHIP = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    leak_power: 0
    actions:
    - {name: read, energy: 7e-12, throughput: 8 * 38.4e9}
    - {name: write, energy: 8e-12, throughput: 8 * 38.4e9}
    tensors: {keep: ~Intermediates, may_keep: All}
  - !Memory
    name: Shared
    size: 1024*64*8  # 64 kB
    leak_power: 0.002
    actions:
    - {name: read, energy: 0.25e-12, throughput: 512e9 * 8}
    - {name: write, energy: 0.5e-12, throughput: 512e9 * 8}
    tensors: {keep: All}
  - !Container
    name: Elements
    spatial:
    - {name: columns, fanout: 4, reuse: input, min_usage: 1}
    - {name: lanes, fanout: 6, reuse: output, min_usage: 1}
  - !Memory
    name: Register
    size: 2 * weight.bits_per_value if weight else 1
    component_class: Dummy
    tensors: {keep: weight}
  - !Compute
    name: MAC
    leak_power: 1e-6
    actions:
    - {name: compute, energy: 0.084e-12, throughput: 0.5e9}
"""


def read(text=CHIP, bits=8):
    document = parse_document(text, "chip.yaml", last_wins=True)
    assert is_accelforge(document)
    return read_accelforge(document, bits)


def test_every_value_is_what_the_file_says():
    platform = Imported(read()).platform
    array = platform["arrays"]["pes"]
    assert (array["lanes"], array["columns"]) == (6, 4)
    assert array["macs"] == [{"weights": ["int8"], "activations": ["int8"], "energy_pj": 0.084}]
    assert array["weight_registers"] == {"weights": 2, "load_bits_per_cycle": 512e9 * 8 / 0.5e9}
    assert platform["buffers"] == {
        "Shared": {
            "holds": ["activations", "weights"], "size_bytes": 65536, "width_bits": 8192,
            "read_pj": 2048.0, "write_pj": 4096.0,
        }
    }  # fmt: skip
    assert platform["off_chip"] == {"read_pj_per_bit": 7.0, "write_pj_per_bit": 8.0, "bandwidth_gb_per_s": 38.4}
    assert platform["nodes"]["45nm"] == {"clock_mhz": 500.0, "leakage_w": pytest.approx(0.002 + 24e-6)}


def test_copies_of_arrays_have_their_memories_together():
    text = CHIP.replace(
        "    name: Shared\n", "    name: Shared\n    spatial: [{name: Z, fanout: 3, may_reuse: Nothing}]\n"
    )
    hardware = read(text)
    assert (hardware.lanes, hardware.columns) == (6, 12)
    shared = hardware.levels[1]
    assert not shared.inside
    assert shared.size_bits == 3 * 65536 * 8
    assert shared.read_bits == 3 * 8192


def test_wider_operands_take_more_of_a_register():
    assert Imported(read(bits=16)).platform["arrays"]["pes"]["weight_registers"]["weights"] == 2
    assert Imported(read(bits=16)).platform["arrays"]["pes"]["macs"][0]["weights"] == ["int16"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reuse: input", "reuse: weight", "4 copies that share weight; expected copies that share the input (columns)"),
        ("{keep: weight}", "{keep: Wieght}", "got 'Wieght'; expected sets of weight, input, output"),
        ("fanout: 4", "fanout: __import__('os')", "expected a number that is not negative, or arithmetic"),
        (
            "8 * 38.4e9}\n    - {name: write, energy: 8e-12",
            "-1}\n    - {name: write, energy: 8e-12",
            "got -1; expected",
        ),
        ("name: compute", "name: add", "no node computes on three operands"),
        ("  - !Container\n    name: Elements", "  - !Container\n    nodes: []", "expected a node with a name"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(old, new, message):
    with pytest.raises(InputError) as raised:
        read(CHIP.replace(old, new, 1))
    assert message in str(raised.value)
    assert str(raised.value).startswith("chip.yaml:")


def test_what_leaks_is_what_the_file_says():
    silent = "\n".join(line for line in CHIP.splitlines() if "leak_power" not in line)
    assert Imported(read(silent)).platform["nodes"]["45nm"] == {"clock_mhz": 500.0}


def test_a_memory_in_the_elements_leaks_in_each_of_them():
    leaking = CHIP.replace("component_class: Dummy\n", "component_class: Dummy\n    leak_power: 3e-6\n")
    node = Imported(read(leaking)).platform["nodes"]["45nm"]
    assert node["leakage_w"] == pytest.approx(0.002 + 6 * 4 * (1e-6 + 3e-6), rel=1e-12)
