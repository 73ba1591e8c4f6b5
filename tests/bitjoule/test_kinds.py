"""A kind of experiment is one module and one entry point: nothing of ours is changed to add one."""

import json
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.kinds import BUILT_IN, GROUP, kind_of, kinds
from bitjoule.kinds.kind import NAMES
from tests.bitjoule import packages

ROOT = Path(__file__).parents[2]
ENTRY = "[bitjoule.kinds]\ndice = dice\n"
DICE = '''\
"""Sums of dice, to show what a kind is."""
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.experiments.files import ExperimentFile
from bitjoule.kinds.kind import Outcome, Ready

KEY = "dice"


class DiceExperiment(ExperimentFile):
    """Dice that are thrown."""

    dice: list[int]

    @property
    def size(self):
        return f"{len(self.dice)} dice"


def schema():
    return DiceExperiment


def resolve(document):
    experiment = validate(DiceExperiment, document)
    return Ready(experiment, experiment.dice)


def run(ready, progress):
    import pandas as pd

    progress.say("thrown\\n")
    progress(1, 1, "")
    table = pd.DataFrame({"sides": ready.work, "mean": [(1 + sides) / 2 for sides in ready.work]})

    class Result:
        summary = table

    written = ready.experiment.model_dump(mode="json")
    return Outcome(Result, {"summary": [table]}, written, {"rules": "0" * 64}, {"throw": 6}, {"dice": "1.0"}, "Thrown.")


def summary(outcome, max_rows):
    return f"# {len(outcome.result.summary)} dice, at most {max_rows} rows\\n"


def pictures(outcome):
    def draw(theme):
        from matplotlib.figure import Figure

        figure = Figure()
        figure.subplots().plot(outcome.result.summary["mean"], color=theme.text)
        return figure

    return {"means": draw}
'''
MINE = "name: mine\ndescription: throws\ndice: [6, 20]\n"


@pytest.fixture
def dice(tmp_path):
    """Return a folder with a package that adds a kind, and an experiment of that kind."""
    packages.install(tmp_path, "dice-kinds", ENTRY, {"dice.py": DICE, "mine.yaml": MINE})
    return tmp_path


def test_the_entry_points_that_pyproject_declares_are_the_kinds_that_are_known_without_it():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert declared[GROUP] == BUILT_IN
    assert list(kinds())[: len(BUILT_IN)] == list(BUILT_IN)
    for name, found in kinds().items():
        assert all(hasattr(found.kind, attribute) for attribute in NAMES), name


KEYS = {
    "designs": "designs", "exploration": "explore", "hardware": "rtl", "measured": "measured", "netlists": "gates",
    "prices": "compare", "quality": "quality", "serving": "serving", "training": "training",
}  # fmt: skip


def test_a_file_is_of_the_kind_whose_key_it_has_and_of_the_first_in_the_list_if_it_has_two():
    assert {name: found.kind.KEY for name, found in kinds().items() if found.kind.KEY} == KEYS
    assert kind_of(parse_document("name: rtl\nmodels: [gates]\n", "x.yaml")) == "energy"
    for first, key in KEYS.items():
        for second, other in KEYS.items():
            expected = min(first, second)  # the list is in alphabetical order
            assert kind_of(parse_document(f"{key}: 1\n" + f"{other}: 2\n" * (key != other), "x.yaml")) == expected


def test_of_a_file_with_the_keys_of_two_kinds_the_key_of_the_other_is_refused(tmp_path, bitjoule):
    path = tmp_path / "two.yaml"
    path.write_text("name: two\nrtl: {}\ndesigns: [vitallm]\n")
    status, _, err = bitjoule("check", path)
    assert status == 2
    assert f"{path}:2: rtl: unknown key" in err


def test_a_kind_of_another_package_is_checked_run_and_written(dice):
    checks = [["check", "mine.yaml"], ["check", "mine.yaml", "--set", "dice=many"]]
    right, wrong = packages.several(dice, checks)
    assert right == (0, "mine.yaml: ok, 2 dice\n", "")
    assert (wrong.returncode, wrong.stderr) == (2, "--set dice=many:1: dice: got 'many'; expected a valid list\n")
    ran = packages.bitjoule(dice, "run", "mine.yaml", "--out", "out")
    files = "Tables in out/mine/; pictures: means.png (also _dark and .svg)"
    shown = f"thrown\n2 dice, at most 40 rows\n\nThrown.\n{files}\n\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, shown, "")
    folder = dice / "out" / "mine"
    assert pd.read_csv(folder / "summary.csv").to_dict("list") == {"sides": [6, 20], "mean": [3.5, 10.5]}
    assert (folder / "summary.md").read_text() == "# 2 dice, at most 200 rows\n"
    assert yaml.safe_load((folder / "experiment.yaml").read_text()) == yaml.safe_load(MINE)
    pictures = {f"means{theme}.{end}" for theme in ("", "_dark") for end in ("png", "svg")}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["outputs"]) == {"summary.csv", "summary.md", "experiment.yaml", *pictures}
    assert (manifest["input"], manifest["seeds"]) == ({"rules": "0" * 64}, {"throw": 6})
    assert manifest["versions"]["dice"] == "1.0"
    assert manifest["command"] == ["bitjoule", "run", "mine.yaml", "--out", "out"]


def test_it_runs_beside_energy_experiments_which_still_run_in_parallel(dice):
    names = ["mine.yaml", "bitnet_table1", "b158_mac_energy"]
    ran = packages.bitjoule(dice, "run", *names, "--out", "out", "--no-plots", "--jobs", "2")
    assert ran.returncode == 0, ran.stderr
    assert {path.name for path in (dice / "out").iterdir()} == {"mine", "bitnet_table1", "b158_mac_energy"}


def test_the_schema_knows_it(dice):
    schema = Draft202012Validator(json.loads(packages.bitjoule(dice, "schema").stdout))
    assert schema.is_valid(yaml.safe_load(MINE))
    assert not schema.is_valid({"name": "mine", "dice": ["six"]})
    assert schema.is_valid(
        yaml.safe_load((ROOT / "experiments" / "shipped" / "energy" / "bitnet_table1.yaml").read_text())
    )


def test_python_runs_it_from_a_file_and_from_a_mapping_and_changes_values(dice):
    code = (
        "import bitjoule\n"
        "print(bitjoule.run('mine.yaml').summary['mean'].tolist())\n"
        "print(bitjoule.run({'name': 'x', 'dice': (4,)}).summary['mean'].tolist())\n"
        "print(bitjoule.run('mine.yaml', {'dice': [8]}).summary['mean'].tolist())\n"
    )
    ran = packages.python(dice, "-c", code)
    assert (ran.stdout, ran.stderr) == ("[3.5, 10.5]\n[2.5]\n[4.5]\n", "")


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("def summary", "def summarised", "dice has no summary; expected a module with KEY, schema, resolve, run, "
         "summary, pictures"),
        ("import validate", "import validated", "importing dice fails (ImportError: cannot import name 'validated'"),
        ('KEY = "dice"', 'KEY = "gates"', "its KEY 'gates' is already used by netlists; expected a unique KEY"),
        ("(1 + sides) / 2", "1 / (sides - sides)", "fails with ZeroDivisionError: division by zero; expected a run, or "
         "InputError"),
    ],
)  # fmt: skip
def test_a_plug_in_with_a_fault_is_named_and_nothing_is_left_behind(tmp_path, was, becomes, says):
    assert was in DICE
    files = {"dice.py": DICE.replace(was, becomes), "mine.yaml": MINE}
    packages.install(tmp_path, "dice-kinds", ENTRY, files)
    ran = packages.bitjoule(tmp_path, "run", "mine.yaml", "--out", "out")
    assert (ran.returncode, ran.stdout.removeprefix("thrown\n")) == (1, "")
    assert ran.stderr.startswith(f"bitjoule: dice-kinds: entry point 'dice' of bitjoule.kinds: {says}")
    assert ran.stderr.count("\n") == 1
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_two_packages_cannot_add_the_same_name_and_nobody_adds_one_of_ours(dice):
    packages.install(dice, "energetic", "[bitjoule.kinds]\nenergy = dice\n", {})
    ran = packages.bitjoule(dice, "check", "mine.yaml")
    taken = "the name is already used by "
    says = f"bitjoule: energetic: entry point 'energy' of bitjoule.kinds: {taken}bitjoule; expected a unique name\n"
    assert (ran.returncode, ran.stderr) == (1, says)
    (dice / "energetic-1.0.dist-info" / "entry_points.txt").write_text("[bitjoule.kinds]\ndice = energetic\n")
    ran = packages.bitjoule(dice, "check", "mine.yaml")
    assert ran.returncode == 1
    assert "entry point 'dice' of bitjoule.kinds" in ran.stderr
    assert taken in ran.stderr
