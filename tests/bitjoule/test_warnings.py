"""Whatever a run warns of is on standard error, in its summary and in its manifest."""

import json
from dataclasses import fields

import pytest

from bitjoule import run, writing
from bitjoule.commands.progress import ProgressLine
from bitjoule.execution import read, run_all
from bitjoule.experiments.hardware.tables import HardwareResult
from bitjoule.experiments.netlists.run import GatesResult
from bitjoule.experiments.output import checkpoints
from bitjoule.kinds.kind import Silent
from bitjoule.kinds.prices import PricesResult
from bitjoule.kinds.serving import ServingResult
from bitjoule.reports.figures.markdown import with_warnings
from tests.bitjoule import packages
from tests.bitjoule.test_kinds import DICE, ENTRY, MINE

TEXT = """\
name: NAME
accounting: system
models: [bitnet-1.3b]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: chip, by_scheme: {fp16: ./chip.yaml, bitnet-b1.58: ./chip.yaml}}]
workload: {prompt_tokens: 3}
"""
# bitnet-1.3b has 1.24 G parameters, two bytes each in FP16
SAYS = "platform chip: bitnet-1.3b in fp16 needs 2.4"
LINES = ["thrown twice", "a die of 20 sides"]


def written(tmp_path, name, capacity_bytes):
    chip = f"like: ternary-edge\noff_chip: {{capacity_bytes: {capacity_bytes}}}\n"
    (tmp_path / "chip.yaml").write_text(chip)
    path = tmp_path / f"{name}.yaml"
    path.write_text(TEXT.replace("NAME", name))
    return path


def listed(folder):
    """Return the warnings of a summary and of a manifest."""
    summary = (folder / "summary.md").read_text()
    section = summary.partition("## Warnings\n\n")[2].partition("\n\n")[0]
    lines = [line.removeprefix("- ") for line in section.splitlines()]
    return lines, json.loads((folder / "manifest.json").read_text())["warnings"]


@pytest.mark.parametrize("capacity_bytes", [2 * 10**9, 10**12])
def test_a_warning_is_in_the_summary_before_its_other_sections_and_in_the_manifest(bitjoule, tmp_path, capacity_bytes):
    path = written(tmp_path, "one", capacity_bytes)
    status, out, err = bitjoule("run", path, "--no-plots", "--out", tmp_path / "out")
    assert status == 0
    shown = [line.removeprefix("bitjoule: ") for line in err.splitlines()]
    assert [line.startswith(SAYS) for line in shown] == [True] * (capacity_bytes < 10**10)
    assert listed(tmp_path / "out" / "one") == (shown, shown)
    assert ("Warnings" in out.splitlines()) == bool(shown)
    summary = (tmp_path / "out" / "one" / "summary.md").read_text()
    sections = [line for line in summary.splitlines() if line.startswith("## ")]
    assert (sections[0] == "## Warnings") == bool(shown)
    assert ("## Warnings" in sections) == bool(shown)


@pytest.mark.parametrize("out", [None, "out"])
def test_python_gets_them_as_an_attribute_of_the_result(tmp_path, out):
    folder = out and tmp_path / out
    result = run(written(tmp_path, "one", 2 * 10**9), out=folder, plots=False)
    assert [line.startswith(SAYS) for line in result.warnings] == [True]
    assert run(written(tmp_path, "one", 10**12)).warnings == ()
    if out:
        assert listed(folder / "one") == ([*result.warnings], [*result.warnings])


@pytest.mark.parametrize("result", [HardwareResult, GatesResult, PricesResult, ServingResult])
def test_results_of_every_kind_have_them(result):
    assert [field.default for field in fields(result) if field.name == "warnings"] == [()]


def test_a_kind_of_another_package_need_not_list_what_it_warns_of(tmp_path):
    warns = "\n".join(f'    progress.warn("{line}")' for line in [*LINES, LINES[0]])
    module = DICE.replace("    progress(1, 1, ", f"{warns}\n    progress(1, 1, ")
    packages.install(tmp_path, "dice-kinds", ENTRY, {"dice.py": module, "mine.yaml": MINE})
    ran = packages.bitjoule(tmp_path, "run", "mine.yaml", "--out", "out", "--no-plots")
    assert ran.returncode == 0
    assert ran.stderr.splitlines() == [f"bitjoule: {line}" for line in LINES]  # each once
    assert listed(tmp_path / "out" / "mine") == (LINES, LINES)


def test_the_section_stands_before_the_first_other_one_or_at_the_end():
    assert with_warnings("# a\n\nb\n\n## c\n\nd\n", ["x", "y"]) == "# a\n\nb\n\n## Warnings\n\n- x\n- y\n\n## c\n\nd\n"
    assert with_warnings("# a\n\nb\n", ["x"]) == "# a\n\nb\n\n## Warnings\n\n- x\n"
    assert with_warnings("# a\n", []) == "# a\n"


def test_serving_experiments_say_what_does_not_fit_in_a_platform():
    wide = {"name": "wide", "like": "ternary-edge", "arrays": {"adders": {"lanes": 128}}}
    found = run({
        "name": "served", "serving": {"ways": [{"name": "plain"}]}, "models": ["bitnet-125m"],
        "schemes": ["bitnet-b1.58"], "technologies": ["7nm"], "platforms": [wide],
        "workload": {"prompt_tokens": 8, "new_tokens": 2},
    })  # fmt: skip
    keys = [line.removeprefix("platform wide: ").split(":")[0] for line in found.warnings]
    assert keys == ["arrays.adders.weight_registers.load_bits_per_cycle", "arrays.float"]


class Heard(Silent):
    """Keeps the warnings."""

    def __init__(self):
        self.lines = []

    def warn(self, text):
        self.lines.append(text)


@pytest.mark.parametrize("address", [None, "tcp://far:8786"])
def test_kinds_that_no_cluster_runs_say_so_where_one_is_asked_for(tmp_path, address):
    """Of an energy experiment the parts run there; the tables of the other are made here."""
    energy = {"name": "mine", "accounting": "mac", "matmuls": [{"m": 1, "k": 8, "n": 8}], "schemes": ["fp16"],
              "technologies": ["7nm"]}  # fmt: skip
    heard = Heard()
    for experiment in (energy, {"name": "dear", "compare": [["45nm", "7nm"]]}):
        task = read(experiment)
        with writing._opened_store(task, tmp_path, writing.Writing(tmp_path, [], scheduler=address), heard):
            pass
    told = ["--scheduler: dear is of a kind that does not run in parts (prices); it runs here"]
    assert heard.lines == ([] if address is None else told)


def test_experiments_that_run_in_other_processes_warn_too_each_before_its_summary(tmp_path):
    tasks = [read(str(written(tmp_path, name, 2 * 10**9))) for name in ("one", "two")]
    heard = Heard()
    for text in run_all(tasks, writing.Writing(tmp_path / "out", ["x"], plots=False, jobs=2, whole=False), heard):
        heard.lines.append(text)
    first, one, second, two = heard.lines
    assert first == second
    assert first.startswith(SAYS)
    assert (one.startswith("one: "), two.startswith("two: ")) == (True, True)
    for name in ("one", "two"):
        assert listed(tmp_path / "out" / name) == ([first], [first])


class Told(Silent):
    """Keeps the steps."""

    def __init__(self):
        self.steps = []

    def __call__(self, done, steps, step):
        self.steps.append((done, steps, step))


@pytest.mark.parametrize(("total", "told"), [(1, []), (2, [(1, 2, "parts of one"), (2, 2, "")])])
def test_parts_of_a_run_are_told_by_its_name_until_all_are_written(tmp_path, total, told):
    heard = Told()
    task = read(str(written(tmp_path, "one", 10**12)))
    with writing._opened_store(task, tmp_path, writing.Writing(tmp_path, []), heard) as store:
        for done in range(1, total + 1):
            store.progress(done, total)
    assert heard.steps == told


def test_parts_that_are_kept_are_those_of_the_same_experiment_and_files(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(checkpoints, "run_digest", lambda *of: asked.append(of) or "digest")
    task = read(str(written(tmp_path, "one", 10**12)))
    for form in ("csv", "parquet"):
        with writing._opened_store(task, tmp_path, writing.Writing(tmp_path, [], results=form), Silent()):
            pass
    ((document, inputs),) = asked  # only parts of Parquet are kept
    assert document["name"] == "one"
    assert [name for name in inputs if "chip.yaml" in name]


LARGE = [f"platform m{i}: opt in fp16 needs {i} GB; its memory holds 2 GB" for i in range(14)]
OTHER = "technology t: its price of dram is not that of lpddr4"


def test_of_many_that_say_the_same_the_first_ten_are_listed():
    text = with_warnings("# a\n", [*LARGE[:12], OTHER, *LARGE[12:]])
    assert text.splitlines()[4:] == [
        *(f"- {line}" for line in LARGE[:10]), "- 4 more like the last; all are in manifest.json", f"- {OTHER}",
    ]  # fmt: skip
    assert with_warnings("# a\n", LARGE[:10]).splitlines()[4:] == [f"- {line}" for line in LARGE[:10]]


def test_of_many_that_say_the_same_the_first_ten_are_printed(capsys):
    progress = ProgressLine()
    for line in (*LARGE[:12], OTHER, *LARGE[12:]):
        progress.warn(line)
    assert capsys.readouterr().err.splitlines() == [
        *(f"bitjoule: {line}" for line in LARGE[:10]), f"bitjoule: more like this in manifest.json: {LARGE[10]}",
        f"bitjoule: {OTHER}",
    ]  # fmt: skip
