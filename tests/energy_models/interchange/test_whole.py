"""Whole platforms, key by key, of a machine in each tool's file, and all that is said of it.

No two numbers of a machine are equal; expected values follow by hand from the files.
"""

import dataclasses
import math

import pytest

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.yaml_core import write_yaml
from bitjoule.energy_models.interchange.accelforge import read_accelforge
from bitjoule.energy_models.interchange.levels import Hardware, Level
from bitjoule.energy_models.interchange.platform import Imported
from bitjoule.energy_models.interchange.scalesim import read_scalesim, read_topology
from bitjoule.energy_models.interchange.timeloop import read_ert, read_timeloop
from bitjoule.energy_models.interchange.zigzag import read_zigzag
from tests.energy_models.interchange import test_accelforge, test_scalesim, test_timeloop, test_zigzag

COLUMN = "assumption: one element-wise operation for each column a cycle"


def from_zigzag(_):
    data = test_zigzag.accelerator(sizes=[32, 16])
    return read_zigzag(parse_document(write_yaml(data), "chip.yaml"))


def from_timeloop(_):
    ert = read_ert(parse_document(test_timeloop.ERT, "ERT.yaml"))
    return read_timeloop(parse_document(test_timeloop.NESTED, "arch.yaml", last_wins=True), ert)


def from_accelforge(_):
    return read_accelforge(parse_document(test_accelforge.CHIP, "folder/chip.yaml", last_wins=True), 8)


def from_scalesim(tmp_path):
    (tmp_path / "small.cfg").write_text(test_scalesim.CONFIG.replace("= small", '= "tiny one"'))
    return read_scalesim(tmp_path / "small.cfg")


WHOLE = {
    "ZigZag": (
        from_zigzag,
        {
            "description": "tpu_like, read from a file of ZigZag",
            "arrays": {"pes": {
                "lanes": 16, "columns": 32,
                "macs": [{"weights": ["int8"], "activations": ["int8"], "energy_pj": 0.04}],
                # 1024 bits of 8; 0.095 pJ of 8 bits; from a memory that gives 64 bits
                "weight_registers": {"weights": 128, "read_pj_per_bit": 0.011875, "write_pj_per_bit": 0.011875,
                                     "load_bits_per_cycle": 64.0},
                "accumulators": {"per": "pe", "depth": 1, "bits": 16, "read_pj_per_bit": 0.0013125,
                                 "write_pj_per_bit": 0.0013125},
                "pipeline_cycles": 48,
            }},
            "vector": {"lanes": 32},
            "buffers": {"sram_2MB": {"holds": ["activations"], "size_bytes": 2097152, "width_bits": 2048,
                                     "read_pj": 416.16, "write_pj": 378.4}},
            "off_chip": {"read_pj_per_bit": 10.9375, "write_pj_per_bit": 11.71875, "bandwidth_gb_per_s": 8.0},
            "nodes": {"45nm": {"clock_mhz": 1000.0}},
        },
        {
            "arrays.pes.macs": 0, "arrays.pes.pipeline_cycles": 0, "arrays.pes.weight_registers": 0,
            "arrays.pes.accumulators": 0, "buffers.sram_2MB": 0, "off_chip": 0, "nodes": "assumption: its clock",
            "vector.lanes": COLUMN,
        },
        "tpu_like of ZigZag",
        [
            "which dimension is which is written in ZigZag's mapping (--mapping); assumed: D1 outputs, D2 terms of a "
            "sum",
            "the file counts cycles: a clock of 1000 MHz was assumed (--clock-mhz)",
            "element-wise operations: 32 a cycle were assumed",
        ],
    ),
    "Timeloop": (
        from_timeloop,
        {
            "description": "chip, read from a file of Timeloop",
            "arrays": {"pes": {
                "lanes": 3, "columns": 4,
                "macs": [{"weights": ["int16"], "activations": ["int16"], "energy_pj": 0.3}],
                "weight_registers": {"weights": 24, "read_pj_per_bit": 0.05, "write_pj_per_bit": 0.1,
                                     "load_bits_per_cycle": 64.0},
                "accumulators": {"per": "pe", "depth": 2, "bits": 32, "read_pj_per_bit": 0.1, "write_pj_per_bit": 0.2},
            }},
            "vector": {"lanes": 4},
            # no bandwidth: as wide as 4 columns of 64 bits
            "buffers": {"glb": {"holds": ["activations"], "size_bytes": 16384, "width_bits": 256, "read_pj": 51.2,
                                "write_pj": 76.8}},
            "off_chip": {"read_pj_per_bit": 8.0, "write_pj_per_bit": 10.0, "bandwidth_gb_per_s": 4.0},
            "nodes": {"45nm": {"clock_mhz": pytest.approx(500.0)}},
        },
        {
            "arrays.pes.macs": 0, "arrays.pes.weight_registers": 0, "arrays.pes.accumulators": 0, "buffers.glb": 0,
            "off_chip": 0, "nodes": 0, "vector.lanes": COLUMN,
        },
        "chip of Timeloop",
        [
            "meshX 4 counts outputs, 3 rows terms of a sum: Timeloop's mapping decides",
            "glb: no limit of its bandwidth in the file; 256 bits a cycle here",
            "element-wise operations: 4 a cycle were assumed",
        ],
    ),
    "AccelForge": (
        from_accelforge,
        {
            "description": "chip, read from a file of AccelForge",
            "arrays": {"pes": {
                "lanes": 6, "columns": 4,
                "macs": [{"weights": ["int8"], "activations": ["int8"], "energy_pj": 0.084}],
                "weight_registers": {"weights": 2, "load_bits_per_cycle": 8192.0},
                "accumulators": {"per": "column", "depth": 1, "bits": 32},
            }},
            "vector": {"lanes": 4},
            "buffers": {"Shared": {"holds": ["activations", "weights"], "size_bytes": 65536, "width_bits": 8192,
                                   "read_pj": 2048.0, "write_pj": 4096.0}},
            "off_chip": {"read_pj_per_bit": 7.0, "write_pj_per_bit": 8.0, "bandwidth_gb_per_s": 38.4},
            "nodes": {"45nm": {"clock_mhz": 500.0, "leakage_w": pytest.approx(0.002024, rel=1e-12)}},
        },
        {
            "arrays.pes.macs": 0, "arrays.pes.weight_registers": 0, "buffers.Shared": 0, "off_chip": 0, "nodes": 0,
            "arrays.pes.accumulators": "assumption: an accumulator for each column", "vector.lanes": COLUMN,
        },
        "chip of AccelForge",
        [
            "no memory of outputs in the PEs: one accumulator a column was assumed, at no energy",
            "element-wise operations: 4 a cycle were assumed",
        ],
    ),
    "SCALE-Sim": (
        from_scalesim,
        {
            "description": "tiny one, read from a file of SCALE-Sim",
            "arrays": {"pes": {
                "lanes": 32, "columns": 16,
                "macs": [{"weights": ["int8"], "activations": ["int8"], "actions": ["mul int8", "add int32"]}],
                # as wide as 16 columns of 64 bits, which no file limits
                "weight_registers": {"load_bits_per_cycle": 1024.0},
                "accumulators": {"per": "column", "depth": 1, "bits": 32},
                "pipeline_cycles": 46,
            }},
            "vector": {"lanes": 16},
            "buffers": {
                "ifmap_sram": {"holds": ["activations"], "size_bytes": 81920, "width_bits": 1024, "memory": "sram"},
                "filter_sram": {"holds": ["weights"], "size_bytes": 32768, "width_bits": 1024, "memory": "sram"},
            },
            "off_chip": {"memory": "lpddr4", "bandwidth_gb_per_s": 10.0},
            "nodes": {"45nm": {"clock_mhz": 1000.0}},
        },
        {
            "arrays.pes.macs": "assumption: a multiplication and an addition of the technology",
            "arrays.pes.pipeline_cycles": 0, "buffers.ifmap_sram": 0, "buffers.filter_sram": 0,
            "arrays.pes.weight_registers": "assumption: a register for each PE",
            "arrays.pes.accumulators": "assumption: an accumulator for each column",
            "off_chip.memory": "assumption: LPDDR4", "nodes": "assumption: its clock", "vector.lanes": COLUMN,
        },
        "tiny one of SCALE-Sim",
        [
            "energies: SCALE-Sim has none; all are the technology's",
            "words of 8 bits were assumed",
            "the file counts cycles: a clock of 1000 MHz was assumed (--clock-mhz)",
            "ofmap_sram: outputs; one buffer here holds inputs and outputs: ifmap_sram, as large as both",
            "ifmap_sram: no limit of its bandwidth in the file; 1024 bits a cycle here",
            "ifmap_sram: no energy in the file, taken from the technology's SRAM of its size",
            "filter_sram: no limit of its bandwidth in the file; 1024 bits a cycle here",
            "filter_sram: no energy in the file, taken from the technology's SRAM of its size",
            "energy of a multiply-accumulate: not in the file, taken from the technology",
            "no memory of weights in the PEs: one register each was assumed, at no energy",
            "no memory of outputs in the PEs: one accumulator a column was assumed, at no energy",
            "interface: no energy in the file; LPDDR4 was assumed",
            "element-wise operations: 16 a cycle were assumed",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("tool", WHOLE)
def test_a_platform_is_whole_and_what_was_left_out_is_said(tmp_path, tool):
    read, expected, named, name, told = WHOLE[tool]
    imported = Imported(read(tmp_path))
    found = dict(imported.platform)
    texts = found.pop("sources")
    for key, value in expected.items():
        assert found[key] == value, key
    assert set(found) == set(expected)
    of_array = {"arrays.pes.lanes": name, "arrays.pes.columns": name}
    assert texts == of_array | {key: text or name for key, text in named.items()}
    assert sorted(imported.left_out) == sorted(told)


OUTER = Level("dram", frozenset({"weights", "inputs", "outputs"}), math.inf, False, False, 5.0, 6.0, 96.0, 80.0, 0.25)
CHIP = Level("sram", frozenset({"weights", "inputs", "outputs"}), 8008.0, False, False, 0.3, 0.4, 120.5, 120.5, 0.5)
WEIGHTS = Level("wreg", frozenset({"weights"}), 36.0, True, False, 0.01, 0.02, 8.0, 8.0, 0.125)
SUMS = Level("acc", frozenset({"outputs"}), 70.0, True, True, 0.03, 0.04, 8.0, 8.0)
INPUTS = Level("ireg", frozenset({"inputs"}), 8.0, True, False, 0.05, 0.06, 8.0, 8.0)
MACHINE = Hardware("T", "m", 7, 3, 0.9, 8, (OUTER, CHIP, WEIGHTS, SUMS, INPUTS), 250.0, 9, 2.0, ("as read",))


def parts(**changes):
    imported = Imported(dataclasses.replace(MACHINE, **changes))
    return imported.platform, imported.left_out


def test_a_machine_with_everything():
    platform, told = parts()
    assert platform["arrays"]["pes"] == {
        "lanes": 7, "columns": 3,
        "macs": [{"weights": ["int8"], "activations": ["int8"], "energy_pj": pytest.approx(0.9 + 8 * 0.05)}],
        "weight_registers": {"weights": 4, "read_pj_per_bit": 0.01, "write_pj_per_bit": 0.02,
                             "load_bits_per_cycle": 120.0},
        "accumulators": {"per": "column", "depth": 4, "bits": 16, "read_pj_per_bit": 0.03, "write_pj_per_bit": 0.04},
        "pipeline_cycles": 9,
    }  # fmt: skip
    assert platform["buffers"] == {"sram": {
        "holds": ["activations", "weights"], "size_bytes": 1001, "width_bits": 120, "read_pj": 36.0, "write_pj": 48.0,
    }}  # fmt: skip
    # 80 bits a cycle of 4 ns
    assert platform["off_chip"] == {"read_pj_per_bit": 5.0, "write_pj_per_bit": 6.0, "bandwidth_gb_per_s": 2.5}
    assert platform["nodes"] == {"45nm": {"clock_mhz": 250.0, "leakage_w": 0.25 + 0.5 + 0.125 + 2.0}}
    assert told == [
        "as read",
        "ireg: inputs in the PEs, which platforms have no key for; a read of it was added to the energy of a "
        "multiply-accumulate, writing it was not",
        "dram: reads and writes differ in width; the smaller is taken",
        "element-wise operations: 3 a cycle were assumed",
    ]


LARGER = dataclasses.replace(CHIP, name="big", size_bits=9000.0, read_bits=64.0, write_bits=32.0, read_pj_per_bit=0.7)
OUTPUTS = dataclasses.replace(LARGER, name="out", holds=frozenset({"outputs"}))
ONLY_WEIGHTS = dataclasses.replace(CHIP, name="w", holds=frozenset({"weights"}))
ONLY_INPUTS = dataclasses.replace(CHIP, name="i", holds=frozenset({"inputs"}))


@pytest.mark.parametrize(
    ("levels", "key", "expected", "note"),
    [
        ((OUTER, CHIP, LARGER), "buffers", {"big": (["activations", "weights"], 1125, 32)},
         "sram: a second memory of weights on the chip; big is the buffer"),
        ((OUTER, LARGER, CHIP), "buffers", {"big": (["activations", "weights"], 1125, 32)},
         "big: reads and writes differ in width; the smaller, 32 bits a cycle, is taken"),
        ((OUTER, ONLY_WEIGHTS, OUTPUTS), "buffers", {"w": (["weights"], 1001, 120), "out": (["activations"], 1125, 32)},
         "out: reads and writes differ in width; the smaller, 32 bits a cycle, is taken"),
        ((OUTER, ONLY_INPUTS, OUTPUTS), "buffers", {"i": (["activations"], 2126, 32)},
         "out: its energies differ from those of i, which are taken for both"),
        ((OUTER, ONLY_INPUTS, OUTPUTS), "buffers", {"i": (["activations"], 2126, 32)},
         "out: outputs; one buffer here holds inputs and outputs: i, as large as both"),
        # one step: 7 inputs of 8 bits and 3 sums of 64, and as wide as the sums
        ((OUTER, ONLY_WEIGHTS), "buffers", {"w": (["weights"], 1001, 120), "buffer": (["activations"], 31, 192)},
         "no memory on the chip holds inputs or outputs: a buffer of one step was assumed, at no energy"),
        ((OUTER, dataclasses.replace(CHIP, size_bits=math.inf)), "buffers",
         {"sram": (["activations", "weights"], 1 << 37, 120)},
         "sram: without a limit in the file; 1.09951e+12 bits here"),
        ((dataclasses.replace(OUTER, read_bits=None, write_bits=math.inf), CHIP), "off_chip", 7 * 3 * 8 * 0.25 / 8,
         "dram: no limit of its bandwidth in the file; a weight for each PE a cycle here"),
        ((dataclasses.replace(OUTER, write_pj_per_bit=None), CHIP), "off_chip", 2.5,
         "dram: no energy in the file; LPDDR4 was assumed"),
        ((OUTER, CHIP, dataclasses.replace(WEIGHTS, name="far"), WEIGHTS), "weight_registers", 4,
         "far: a second memory of weights in the PEs; wreg is the array's weight registers"),
        ((OUTER, CHIP, dataclasses.replace(WEIGHTS, size_bits=7.0)), "weight_registers", 1, ""),
        ((OUTER, CHIP, dataclasses.replace(WEIGHTS, write_pj_per_bit=None)), "weight_registers", 4,
         "wreg: no energy in the file; it costs nothing here"),
        ((OUTER, CHIP, dataclasses.replace(SUMS, size_bits=15.0)), "accumulators", ("column", 1, 16),
         "acc: 15 bits cannot hold a product; 16 bits were assumed"),
        ((OUTER, CHIP, dataclasses.replace(SUMS, shared_by_lanes=False, size_bits=48.0)), "accumulators", ("pe", 3, 16),
         ""),
        ((OUTER, CHIP, dataclasses.replace(INPUTS, read_pj_per_bit=None)), "macs", 0.9,
         "ireg: inputs in the PEs, which platforms have no key for"),
    ],
)  # fmt: skip
def test_a_machine_with_other_memories(levels, key, expected, note):
    platform, told = parts(levels=levels)
    array = platform["arrays"]["pes"]
    if key == "buffers":
        found = {name: tuple(each[k] for k in ("holds", "size_bytes", "width_bits")) for name, each in
                 platform["buffers"].items()}  # fmt: skip
    elif key == "off_chip":
        found = platform["off_chip"]["bandwidth_gb_per_s"]
        assert ("memory" in platform["off_chip"]) == ("LPDDR4" in note)
    elif key == "macs":
        found = array["macs"][0]["energy_pj"]
    elif key == "weight_registers":
        found = array[key]["weights"]
    else:
        found = tuple(array[key][k] for k in ("per", "depth", "bits"))
    assert found == expected
    assert not note or note in told


def test_the_path_of_weights_is_that_of_the_memory_that_holds_them():
    """The buffer of weights, else the outermost memory, else all registers at once."""
    for levels, bits in (
        ((OUTER, ONLY_WEIGHTS, OUTPUTS), 120.0),
        ((OUTER, ONLY_INPUTS, OUTPUTS), 96.0),
        ((dataclasses.replace(OUTER, read_bits=math.inf), ONLY_INPUTS), 7 * 3 * 8.0),
    ):
        platform, told = parts(levels=levels)
        assert platform["arrays"]["pes"]["weight_registers"]["load_bits_per_cycle"] == bits
        unlimited = "the path of weights has no limit in the file: all registers load in one cycle here"
        assert (unlimited in told) == (bits == 7 * 3 * 8)


@pytest.mark.parametrize(("bits", "wide", "sum_bits"), [(1, "int16", 2), (4, "int32", 8), (16, "int32", 32)])
def test_operands_of_a_width_are_added_up_wider(bits, wide, sum_bits):
    platform, _ = parts(operand_bits=bits, mac_pj=None)
    assert platform["arrays"]["pes"]["macs"][0]["actions"] == [f"mul int{bits}", f"add {wide}"]
    assert platform["arrays"]["pes"]["accumulators"]["bits"] == sum_bits


ZIGZAG = write_yaml(test_zigzag.accelerator())
REFUSED = [
    # reader, text, change, the whole message
    (read_zigzag, ZIGZAG, ("sizes:\n  - 32\n  - 32", "sizes:\n  - 32\n  - x"),
     "operational_array.sizes[1]: got 'x'; expected a number that is not negative, or arithmetic with numbers, "
     "e.g. 1024*64*8"),
    (read_zigzag, ZIGZAG, ("    - O\n", "    - O3\n"),
     "memories.rf_2B.operands: got 'O3'; expected operands of I1, I2, O"),
    (read_zigzag, ZIGZAG.replace("sizes", "input_precision: [8, x]\n  sizes"), ("", ""),
     "operational_array.input_precision[1]: got 'x'; expected a number that is not negative, or arithmetic with "
     "numbers, e.g. 1024*64*8"),
    (read_zigzag, ZIGZAG.replace("sizes", "input_precision: [7, 7]\n  sizes"), ("", ""),
     "operational_array.input_precision: got [7, 7]; expected one width for both operands, of 1, 2, 3, 4, 8, 16, 32"),
    (read_zigzag, ZIGZAG, ("type: read_write", "type: reads"),
     "memories.dram.ports[0].type: got 'reads'; expected one of read, write, read_write"),
    (read_timeloop, test_timeloop.NESTED, ("datawidth: 16, meshX", "datawidth: 17, meshX"),
     "architecture.subtree[0].subtree[0].local[2]: operands of 17 bits; expected one of 1, 2, 3, 4, 8, 16, 32"),
    (read_timeloop, test_timeloop.NESTED, ("PE[0..11]", "PE[11..0]"),
     "architecture.subtree[0].subtree[0].name: got 'PE[11..0]'; expected a count that does not fall"),
    (read_timeloop, test_timeloop.NESTED, ("bypass: [Weights]", "bypass: [Filters]"),
     "architecture_constraints.targets[1].bypass: got ['filters']; expected data spaces Weights, Inputs, Outputs"),
    (read_timeloop, test_timeloop.NESTED, ("{depth: 24, width: 16}", "{depth: 24}"),
     "architecture.subtree[0].subtree[0].local[0].attributes: spad has no width; expected width (or memory_width): "
     "bits of an access"),
    (read_timeloop, test_timeloop.NESTED, ("class: intmac", "class: storage"),
     "architecture: no component multiplies; expected a component of class intmac, fpmac or compute"),
    (read_accelforge, test_accelforge.CHIP, ("reuse: input", "reuse: weight"),
     "arch.nodes[2].spatial[0]: 4 copies that share weight; expected copies that share the input (columns) or the "
     "output (lanes)"),
    (read_accelforge, test_accelforge.CHIP, ("name: compute", "name: add"),
     "arch.nodes: no node computes on three operands; expected a node with an action named compute"),
    (read_accelforge, test_accelforge.CHIP, ("energy: 0.084e-12", "energy: dear"),
     "arch.nodes[4].actions[0].energy: got 'dear'; expected a number that is not negative, or arithmetic with numbers, "
     "e.g. 1024*64*8"),
    (read_accelforge, test_accelforge.CHIP, ("energy: 0.5e-12", "energy: -1"),
     "arch.nodes[1].actions[1].energy: got -1; expected a number that is not negative, or arithmetic with numbers, "
     "e.g. 1024*64*8"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "text", "change", "message"), REFUSED)
def test_what_is_refused_is_told_whole_at_the_line_of_the_key(read, text, change, message):
    changed = text.replace(*change, 1) if change[0] else text
    assert change[0] in text
    with pytest.raises(InputError) as raised:
        read(parse_document(changed, "chip.yaml", last_wins=True))
    place, _, told = str(raised.value).partition(": ")
    assert told == message
    line = changed.splitlines()[int(place.removeprefix("chip.yaml:")) - 1]
    key = message.split(": ")[0].split(".")[-1]  # an entry of a list has no key of its own
    assert key.split("[")[0] in line or ("]" in key and line.lstrip().startswith("- "))


def test_the_line_of_a_wrong_topology_is_told(tmp_path):
    path = tmp_path / "layers.csv"
    path.write_text("L,H,W,R,S,C,F,s,\na,5,5,3,3,1,1,1,\n\nb,2,5,3,3,1,1,1,\n")
    with pytest.raises(InputError) as raised:
        read_topology(path)
    assert str(raised.value) == f"{path}:4: b: a filter larger than its map; expected a smaller filter"
