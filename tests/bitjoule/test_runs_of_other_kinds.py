"""`bitjoule run` and `check` of experiments on netlists and of prices: what is printed and what is written."""

import json

import pandas as pd
import pytest
import yaml

from bitjoule.commands.progress import ProgressLine
from bitjoule.execution import read
from bitjoule.experiments.measured import tables
from bitjoule.experiments.netlists import run as measuring
from bitjoule.kinds import kinds
from bitjoule.kinds.kind import Silent
from tests.experiments import measured_by_hand as measured
from tests.experiments.technology_files import write_technology

GATES = """\
name: mine
gates:
  arrays:
    - {name: ternary, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 128}}
    - {name: narrow, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 128, activation_bits: 4}}
  stimuli: ["uniform,zeros:0", "uniform,zeros:0.5"]
plots: [{kind: energy_vs_zeros}, {kind: parts}, {kind: energy_vs_bits}]
"""
PICTURES = {f"{kind}{theme}.{end}" for kind in ("energy_vs_zeros", "parts", "energy_vs_bits") for theme in ("", "_dark")
            for end in ("png", "svg")}  # fmt: skip
TABLES = {"results.csv", "summary.csv", "summary.md", "experiment.yaml", "manifest.json"}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Return an experiment on netlists whose measurements are made up by a closed form."""
    monkeypatch.setattr(measuring, "measure", measured.made_up)
    (tmp_path / "mine.yaml").write_text(GATES)
    return tmp_path / "mine.yaml"


def test_a_run_on_netlists_prints_its_summary_and_writes_its_folder(tmp_path, bitjoule, mine):
    status, out, err = bitjoule("run", mine, "--out", tmp_path / "results", "--tables", "markdown")
    assert (status, err) == (0, "")
    folder = tmp_path / "results" / "mine"
    assert {path.name for path in folder.iterdir()} == TABLES | PICTURES
    assert out.startswith((folder / "summary.md").read_text())
    assert f"Tables in {folder}/; pictures: energy_vs_bits.png, energy_vs_zeros.png, parts.png" in out
    summary = pd.read_csv(folder / "summary.csv")
    assert summary["energy_fj"].tolist() == pytest.approx([100, 62.5, 50, 31.25])
    results = pd.read_csv(folder / "results.csv")
    assert results["energy_fj"].sum() == pytest.approx(summary["energy_fj"].sum())


def test_the_manifest_names_the_library_with_its_hash_the_command_and_the_seed(tmp_path, bitjoule, mine):
    bitjoule("run", mine, "--out", tmp_path / "results", "--no-plots", "--set", "gates.effort.seed=7")
    manifest = json.loads((tmp_path / "results" / "mine" / "manifest.json").read_text())
    assert set(manifest["input"]) == {"mine.yaml", "stdcells.lib"}
    assert all(len(sha256) == 64 for sha256 in manifest["input"].values())
    assert manifest["seeds"] == {"operands": 7}
    assert manifest["command"][:3] == ["bitjoule", "run", str(mine)]
    assert set(manifest["outputs"]) == TABLES - {"manifest.json"}


def test_the_experiment_written_out_gives_the_same_bytes(tmp_path, bitjoule, mine):
    bitjoule("run", mine, "--out", tmp_path / "first")
    written = tmp_path / "first" / "mine" / "experiment.yaml"
    assert yaml.safe_load(written.read_text())["gates"]["libraries"] == ["freepdk45"]
    bitjoule("run", written, "--out", tmp_path / "second")
    for path in (tmp_path / "first" / "mine").iterdir():
        if path.name != "manifest.json":
            assert path.read_bytes() == (tmp_path / "second" / "mine" / path.name).read_bytes(), path.name


def test_a_second_run_replaces_the_first_and_a_failing_one_leaves_it(tmp_path, bitjoule, mine, monkeypatch):
    bitjoule("run", mine, "--out", tmp_path / "results")
    bitjoule("run", mine, "--out", tmp_path / "results", "--no-plots")
    folder = tmp_path / "results" / "mine"
    assert {path.name for path in folder.iterdir()} == TABLES
    before = (folder / "manifest.json").read_bytes()

    def broken(*_):
        raise RuntimeError("Yosys failed")

    monkeypatch.setattr(measuring, "measure", broken)
    assert bitjoule("run", mine, "--out", tmp_path / "results")[0] == 1
    assert (folder / "manifest.json").read_bytes() == before
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["mine"]


def test_without_the_packages_of_synthesis_the_command_says_how_to_get_them(tmp_path, bitjoule, mine, monkeypatch):
    def missing(*_):
        raise ModuleNotFoundError("No module named 'pyosys'", name="pyosys")

    monkeypatch.setattr(measuring, "measure", missing)
    status, out, err = bitjoule("run", mine, "--out", tmp_path / "results")
    assert (status, out) == (1, "")
    assert err == "bitjoule: pyosys is not installed: pip install 'bitjoule[gates]'\n"


def test_energy_experiments_and_others_run_side_by_side(tmp_path, bitjoule, mine, small):
    (tmp_path / "small.yaml").write_text(small)
    status, _, _ = bitjoule("run", tmp_path / "small.yaml", mine, "--out", tmp_path / "results", "--no-plots")
    assert status == 0
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"small", "mine"}
    assert bitjoule("run", mine, mine)[0] == 2


def test_check_says_how_many_measurements_there_are(bitjoule, mine):
    assert bitjoule("check", mine) == (0, f"{mine}: ok, 4 simulations of netlists\n", "")
    assert bitjoule("check", mine, "--set", "gates.stimuli=[worst]")[1].endswith("ok, 2 simulations of netlists\n")


def test_shipped_experiments_on_netlists_are_listed_and_shown(bitjoule):
    listed = bitjoule("list", "experiments")[1]
    for name in ("sparsity", "array_activation_bits", "datapath", "baseline_arrays"):
        assert any(line.split()[:2] == [name, "netlists"] for line in listed.splitlines()), name
        assert bitjoule("show", "experiment", name)[1].startswith(f"name: {name}\n")


def test_prices_are_compared_with_a_file_of_ones_own(tmp_path, bitjoule):
    write_technology(tmp_path / "made.yaml")
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ncompare: [[45nm, 7nm]]\n")
    assert bitjoule("check", path)[1] == f"{path}: ok, 1 pair of technologies\n"
    change = f"compare=[[45nm, {tmp_path / 'made.yaml'}]]"
    status, out, err = bitjoule("run", path, "--set", change, "--out", tmp_path / "out", "--tables", "markdown")
    assert (status, err) == (0, "")
    folder = tmp_path / "out" / "mine"
    pictures = {f"ratios{theme}.{end}" for theme in ("", "_dark") for end in ("png", "svg")}
    assert {path.name for path in folder.iterdir()} == (TABLES - {"results.csv"}) | pictures
    assert out.startswith((folder / "summary.md").read_text())
    again = tmp_path / "again"
    bitjoule("run", folder / "experiment.yaml", "--out", again)
    assert (again / "mine" / "summary.csv").read_bytes() == (folder / "summary.csv").read_bytes()


def test_predictions_of_measured_machines_come_with_their_errors_and_gains_have_none(monkeypatch):
    """Medians of magnitudes: of 0.2; of 0.3 and 0.4; of all three."""
    same = {"quantity": "tokens_per_s", "speed": "predicted", "other_way": "", "other_error": None}
    points = pd.DataFrame(
        [{"machine": machine, "error": error, **same} for machine, error in (("a", -0.2), ("b", 0.3), ("b", -0.4))]
    )
    monkeypatch.setattr(tables, "point_table", lambda _: (points, []))
    monkeypatch.setattr(tables, "gain_table", lambda _: (points, []))

    def run(experiment):
        task = read(experiment)
        return kinds()[task.kind].kind.run(task.ready, Silent())

    of_points = run({"name": "x", "measured": {"use": "hold"}}).tables
    assert set(of_points) == {"summary", "errors"}
    (errors,) = of_points["errors"]
    assert errors.set_index("machine")["median"].to_dict() == pytest.approx({"a": 0.2, "b": 0.35, "all": 0.3})
    low_bit = {"model": "llama-3.2-1b", "machines": ["h100"], "formats": ["fp16", "w4-k"]}
    assert set(run({"name": "x", "measured": {"low_bit": low_bit}}).tables) == {"summary"}


@pytest.mark.parametrize(
    ("done", "steps", "shown"),
    [(0, 4, "0/4 12 s next"), (1, 4, "1/4 12 s, 36 s left next"), (3, 4, "3/4 12 s, 4 s left next"),
     (4, 4, "4/4 12 s next"), (1, 1, "1/1 12 s next")],
)  # fmt: skip
def test_the_time_that_is_left_is_that_of_the_steps_to_come(capsys, monkeypatch, done, steps, shown):
    """As long as those that are done took, each; nothing is known before the first, nothing is left after the last."""
    clock = iter([100.0, 112.0, 112.0])
    monkeypatch.setattr("bitjoule.commands.progress.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    line = ProgressLine()
    line(done, steps, "next")
    assert capsys.readouterr().err == f"\r{shown:<78}"
    line(done, steps, "")
    assert capsys.readouterr().err.endswith("\n")


def test_progress_is_a_line_on_a_terminal_and_nothing_elsewhere(capsys, monkeypatch):
    ProgressLine()(0, 2, "first")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    show = ProgressLine()
    show(1, 2, "x" * 200)
    show(2, 2, "")
    shown = capsys.readouterr().err
    assert shown.startswith("\r1/2 0 s, 0 s left xxx")
    assert shown.count("\n") == 1
    assert max(map(len, shown.replace("\n", "\r").split("\r"))) == 78
