"""Timeloop's architectures, nested and written out, with and without Accelergy's energies."""

import pytest

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.interchange.platform import Imported
from bitjoule.energy_models.interchange.timeloop import is_timeloop, read_ert, read_timeloop

NESTED = """
architecture:
  version: 0.3
  subtree:
  - name: chip
    attributes: {global_cycle_seconds: 2e-9}
    local:
    - {name: DRAM, class: DRAM, attributes: {width: 64, word-bits: 16, read_bandwidth: 4, write_bandwidth: 4}}
    - {name: glb, class: smartbuffer_SRAM, attributes: {memory_depth: 1024, memory_width: 128, word-bits: 16}}
    subtree:
    - name: PE[0..11]
      local:
      - {name: spad, class: storage, attributes: {depth: 24, width: 16}}
      - {name: sums, class: storage, attributes: {depth: 2, width: 32}}
      - {name: mac, class: intmac, attributes: {datawidth: 16, meshX: 4}}
architecture_constraints:
  targets:
  - {target: DRAM, type: bypass, bypass: []}
  - {target: glb, type: bypass, keep: [Inputs, Outputs], bypass: [Weights]}
  - {target: spad, type: bypass, keep: [Weights], bypass: [Inputs, Outputs]}
  - {target: sums, type: bypass, keep: [Outputs], bypass: [Inputs, Weights]}
  - {target: spad, type: temporal, permutation: NPQ}
"""
ERT = """
ERT:
  version: 0.3
  tables:
  - {name: "chip.DRAM", actions: [{name: read, energy: 512}, {name: write, energy: 640}]}
  - {name: "chip.glb", actions: [{name: read, energy: 25.6}, {name: write, energy: 38.4}]}
  - {name: "chip.PE[0..11].spad", actions: [{name: read, energy: 0.8}, {name: write, energy: 1.6}]}
  - {name: "chip.PE[0..11].sums", actions: [{name: read, energy: 3.2}, {name: write, energy: 6.4}]}
  - {name: "chip.PE[0..11].mac", actions: [{name: compute, energy: 0.3}, {name: leak, energy: 0.1}]}
"""


def read(text=NESTED, ert=ERT):
    document = parse_document(text, "arch.yaml", last_wins=True)
    assert is_timeloop(document)
    return read_timeloop(document, None if ert is None else read_ert(parse_document(ert, "ERT.yaml")))


def test_every_value_is_what_the_files_say():
    platform = Imported(read()).platform
    assert platform["arrays"]["pes"] == {
        "lanes": 3,
        "columns": 4,
        "macs": [{"weights": ["int16"], "activations": ["int16"], "energy_pj": 0.3}],
        "weight_registers": {
            "weights": 24, "read_pj_per_bit": 0.05, "write_pj_per_bit": 0.1, "load_bits_per_cycle": 64.0,
        },
        "accumulators": {"per": "pe", "depth": 2, "bits": 32, "read_pj_per_bit": 0.1, "write_pj_per_bit": 0.2},
    }  # fmt: skip
    glb = platform["buffers"]["glb"]
    assert glb["holds"] == ["activations"]
    assert glb["size_bytes"] == 1024 * 128 / 8
    assert (glb["read_pj"] / glb["width_bits"], glb["write_pj"] / glb["width_bits"]) == pytest.approx((0.2, 0.3))
    assert platform["off_chip"] == {"read_pj_per_bit": 8.0, "write_pj_per_bit": 10.0, "bandwidth_gb_per_s": 4.0}
    assert platform["nodes"] == {"45nm": {"clock_mhz": pytest.approx(500)}}


@pytest.mark.parametrize(
    ("attributes", "operands"),
    [
        ("datawidth: 8, ", "int8"),
        ("multiplier_width: 4, ", "int4"),
        ("datawidth: 8, multiplier_width: 4, ", "int8"),
        ("", "int16"),  # Timeloop's own default
    ],
)
def test_the_width_of_operands_is_the_macs(attributes, operands):
    macs = Imported(read(NESTED.replace("datawidth: 16, ", attributes))).platform["arrays"]["pes"]["macs"]
    assert [(each["weights"], each["activations"]) for each in macs] == [([operands], [operands])]


def test_a_clock_of_ones_own_stands_in_place_of_the_files():
    """The file's bandwidth is 8 B in a cycle of 2 ns."""
    platform = Imported(read(), clock_mhz=250).platform
    assert platform["nodes"] == {"45nm": {"clock_mhz": 250}}
    assert platform["off_chip"]["bandwidth_gb_per_s"] == pytest.approx(8 * 0.25)
    assert platform["sources"]["nodes"] == "assumption: its clock"
    assert Imported(read()).platform["sources"]["nodes"].endswith(" of Timeloop")


def test_written_out_by_timeloop_it_is_the_same():
    flat = NESTED.replace("    subtree:\n    - name: PE[0..11]\n      local:\n", "").replace(
        "      - {name: ", "    - {name: "
    )
    for name in ("spad", "sums", "mac"):
        flat = flat.replace(f"{{name: {name}, class", f"{{name: '{name}[1..12]', class")
    assert Imported(read(flat)).platform == Imported(read()).platform


def test_without_energies_those_of_the_technology_stand_and_it_is_said():
    imported = Imported(read(ert=None))
    assert imported.platform["arrays"]["pes"]["macs"][0]["actions"] == ["mul int16", "add int32"]
    assert imported.platform["off_chip"]["memory"] == "lpddr4"
    assert imported.platform["buffers"]["glb"]["memory"] == "sram"
    assert any("--ert" in line for line in imported.left_out)


def test_a_memory_that_the_table_of_energies_lacks_is_named_and_has_the_technologys_price():
    whole = Imported(read())
    lacking = Imported(read(ert="\n".join(line for line in ERT.splitlines() if "chip.glb" not in line)))
    assert [line for line in lacking.left_out if line not in whole.left_out] == [
        "glb: not in the table of energies",
        "glb: no energy in the file, taken from the technology's SRAM of its size",
    ]
    assert lacking.platform["buffers"]["glb"]["memory"] == "sram"
    assert lacking.platform["off_chip"] == whole.platform["off_chip"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("class: intmac", "class: storage", "no component multiplies"),
        ("meshX: 4", "meshX: 5", "12 in rows of 5; expected a meshX that divides their number"),
        ("PE[0..11]", "PE[0-11]", "got 'PE[0-11]'; expected a name, or one with a count: PE[0..255]"),
        ("{depth: 24, width: 16}", "{depth: 24}", "spad has no width"),
        ("bypass: [Weights]", "bypass: [Filters]", "expected data spaces Weights, Inputs, Outputs"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(old, new, message):
    with pytest.raises(InputError) as raised:
        read(NESTED.replace(old, new, 1))
    assert message in str(raised.value)
    assert str(raised.value).startswith("arch.yaml:")
