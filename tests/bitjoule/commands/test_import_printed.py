"""What ``bitjoule import`` prints, and what it takes of the files of other tools, options and all.

The values are those of the files of the readers' own tests, where each is worked out by hand.
"""

import csv
from pathlib import Path

import pytest
import yaml

from bitjoule.energy_models.inputs.yaml_core import write_yaml
from tests.bitjoule.commands.test_interchange import CONFIG
from tests.energy_models.interchange.test_accelforge import CHIP
from tests.energy_models.interchange.test_timeloop import ERT, NESTED
from tests.energy_models.interchange.test_zigzag import MAPPING, accelerator


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "chip.cfg": CONFIG, "layers.csv": "Layer,M,N,K,\nfc,64,128,256,\n", "timeloop.yaml": NESTED, "ert.yaml": ERT,
        "zigzag.yaml": write_yaml(accelerator(sizes=[32, 16])), "accelforge.yaml": CHIP, "mapping.yaml": MAPPING,
        "swapped.yaml": MAPPING.replace("K, 32", "C, 32").replace("C, 16", "K, 16"),
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    return tmp_path


def array_of(path="made.yaml"):
    """Return the array of the platform that was written."""
    (array,) = yaml.safe_load(Path(path).read_text())["arrays"].values()
    return array


@pytest.mark.parametrize(
    "words",
    [("chip.cfg",), ("chip.cfg", "--topology", "layers.csv"), ("timeloop.yaml",), ("accelforge.yaml",),
     ("zigzag.yaml",)],
)  # fmt: skip
def test_every_file_that_is_written_and_all_that_is_left_out_is_told(bitjoule, here, words):
    before = set(here.iterdir())
    status, out, err = bitjoule("import", *words, "-o", "made.yaml")
    made = {path.name for path in set(here.iterdir()) - before}
    assert status == 0
    assert made == {"made.yaml"} | ({"made_matmuls.yaml"} if "--topology" in words else set())
    assert out.splitlines() == [f"wrote {name}" for name in sorted(made)]
    noted = [line.removeprefix("# ") for line in Path("made.yaml").read_text().splitlines() if line.startswith("# ")]
    assert err.splitlines() == noted
    assert len(noted) > 1
    assert all(line.startswith("not carried over: ") for line in noted)
    if "--topology" in words:
        layers = yaml.safe_load(Path("made_matmuls.yaml").read_text())
        (row,) = csv.DictReader(Path("layers.csv").read_text().splitlines())
        assert layers["matmuls"] == [{key: int(row[key.upper()]) for key in "mkn"}]
        assert layers["schemes"] == ["int8"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("mapping", "sizes"), [("mapping.yaml", (16, 32)), ("swapped.yaml", (32, 16))])
def test_zigzags_mapping_is_read(bitjoule, mapping, sizes):
    status, _, err = bitjoule("import", "zigzag.yaml", "--mapping", mapping, "-o", "made.yaml")
    assert (status, "--mapping" in err) == (0, False)
    array = array_of()
    assert (array["lanes"], array["columns"]) == sizes


@pytest.mark.usefixtures("here")
def test_accelergys_energies_are_read(bitjoule):
    def energies():
        array = array_of()
        return array["macs"][0].get("energy_pj"), array["weight_registers"].get("read_pj_per_bit")

    assert bitjoule("import", "timeloop.yaml", "-o", "made.yaml")[0] == 0
    assert 0.3 not in energies()
    status, _, err = bitjoule("import", "timeloop.yaml", "--ert", "ert.yaml", "-o", "made.yaml")
    assert (status, "--ert" in err) == (0, False)
    assert energies() == (0.3, 0.05)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_operands_of_accelforge_are_as_wide_as_is_asked_for(bitjoule, bits):
    assert bitjoule("import", "accelforge.yaml", "--bits", bits, "-o", "made.yaml")[0] == 0
    (mac,) = array_of()["macs"]
    assert (mac["weights"], mac["activations"]) == ([f"int{bits}"], [f"int{bits}"])


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("file", "was", "before"),
    [("timeloop.yaml", "datawidth: 16", "datawidth: 8, "), ("zigzag.yaml", "name: tpu_like", "name: another\n")],
)
def test_of_a_key_that_stands_twice_the_last_counts_as_for_the_tool(bitjoule, file, was, before):
    made = []
    text = Path(file).read_text()
    assert text.count(was) == 1
    for twice in ("", before):
        Path(file).write_text(text.replace(was, twice + was))
        assert bitjoule("import", file, "-o", "made.yaml")[0] == 0
        made.append(yaml.safe_load(Path("made.yaml").read_text()))
    assert made[0] == made[1]
