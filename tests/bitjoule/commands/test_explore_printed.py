"""What ``bitjoule explore`` prints of several explorations and of hardware, and how a build that fails ends."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from bitjoule.commands import explore as command
from bitjoule.experiments.exploration.building import build as building
from tests.bitjoule.commands.hardware.test_build_design import FEW, KNOBS
from tests.experiments.exploration.cases import document


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Return the files of two explorations, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    for name, columns in (("one", [8, 16]), ("two", [16, 32, 64])):
        made = document(name=name, explore__knobs={"platform.arrays.adders.columns": columns})
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(made))
    return ["two.yaml", "one.yaml"]


def test_each_exploration_is_run_and_printed_in_its_turn(bitjoule, files, tmp_path):
    status, out, err = bitjoule("explore", *files, "--no-plots", "--jobs", 1, "--out", "out")
    assert (status, err) == (0, "")
    second = out.index("one\n\n")
    for name, part in (("two", out[:second]), ("one", out[second:])):
        assert part.startswith(f"{name}\n\nbest of ")
        assert part.rstrip().endswith(f"\n\nTables in out/{name}/")
        assert part.count("Tables in ") == 1
    designs = {name: len(pd.read_csv(tmp_path / "out" / name / "designs.csv")) for name in ("one", "two")}
    assert designs == {"one": 2, "two": 3}


def test_the_datasheet_and_the_folder_of_built_hardware_follow_the_summary(bitjoule, files, tmp_path, monkeypatch):
    asked = []

    def build(work, result, text, library, options, words):
        asked.append((work.experiment.name, result.experiment.name, text, library, options.cases, words))
        folder = tmp_path / f"hardware-{result.experiment.name}"
        folder.mkdir()
        (folder / "datasheet.md").write_text(f"# Sheet of {result.experiment.name}\n")
        return folder

    monkeypatch.setattr(command, "checked_library", lambda files: f"library of {files}")
    monkeypatch.setattr(command, "build", build)
    words = ["explore", *files, "--no-plots", "--jobs", "1", "--out", "out", "--build", "best", "--cases", "7"]
    status, out, err = bitjoule(*words)
    assert (status, err) == (0, "")
    library = "library of ['freepdk45']"
    assert asked == [(name, name, "best", library, 7, ["explore", *words[1:]]) for name in ("two", "one")]
    for name in ("two", "one"):
        told = f"Tables in out/{name}/\nSheet of {name}\nHardware in {tmp_path}/hardware-{name}/\n"
        assert told in re.sub(r"\n+", "\n", out)


CASE = {"name": "zero, then minus", "seed": 77}


@pytest.mark.parametrize(
    ("failure", "fault", "told"),
    [
        ({"case": CASE, "got": 19}, None, "design 2: mismatch in case 'zero, then minus': {'case': {'name': 'zero, "),
        (None, RuntimeError("Yosys failed"), "design 2 cannot be synthesised: Yosys failed"),
    ],
)
def test_hardware_that_is_wrong_or_cannot_be_made_is_told_and_none_is_left(
    bitjoule, tmp_path, monkeypatch, failure, fault, told
):
    """The exploration before it stays."""
    asked = []

    def synthesise(*_):
        raise fault

    def verify(accelerator, cases):
        asked.append((accelerator.config.columns, cases))
        return [], SimpleNamespace(failure=failure)

    monkeypatch.setattr(command, "checked_library", lambda _: "library")
    monkeypatch.setattr(building, "verify", verify)
    monkeypatch.setattr(building, "synthesise", synthesise)
    made = document(
        technology="45nm-measured", accelerator={"config": FEW, "array": "adders"}, explore__knobs=KNOBS,
    )  # fmt: skip
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(made))
    options = ("--no-plots", "--jobs", 1, "--out", tmp_path / "out", "--build", 2, "--cases", 5)
    status, _, err = bitjoule("explore", tmp_path / "few.yaml", *options)
    assert (status, len(asked)) == (1, 1)
    assert asked[0][1] == 5
    designs = pd.read_csv(tmp_path / "out" / "small" / "designs.csv").set_index("design")
    assert asked[0][0] == designs.loc[2, "accelerator.columns"]
    assert err.splitlines()[-1].startswith(f"bitjoule: {told}")
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name[0] != "."] == ["small"]
