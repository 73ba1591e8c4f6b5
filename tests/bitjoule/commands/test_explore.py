"""``bitjoule explore`` on the command line: it resumes after SIGKILL, and its bytes depend on nothing but its input."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest
import yaml

from bitjoule.cli import main
from tests.experiments.exploration.cases import document

TABLES = ("summary", "designs", "pareto", "cases", "knobs", "sensitivity")


@pytest.fixture
def searched(tmp_path):
    """Return a file whose exploration searches half of 36 designs in batches of 4."""
    path = tmp_path / "small.yaml"
    contents = document(explore__budget=18, explore__batch=4, explore__constraints=["area_mm2 <= 0.2"])
    contents["explore"]["knobs"]["workload.batch"] = [1, 2]
    path.write_text(yaml.safe_dump(contents))
    return path


def tables(folder):
    """Return the bytes of an exploration's tables and of its summary."""
    return {name: (folder / "small" / name).read_bytes() for name in (*(f"{t}.csv" for t in TABLES), "summary.md")}


def explore(path, out, *options):
    """Explore in this process."""
    return main(["explore", str(path), "--out", str(out), "--no-plots", "--jobs", "1", *options])


def test_tables_fit_the_window_or_are_printed_as_asked(searched, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert explore(searched, tmp_path) == 0
    out, _ = capsys.readouterr()
    tables = [part.splitlines() for part in out.split("\n\n") if "─" in part]
    assert max(len(line) for table in tables for line in table) <= 60
    assert not [line for line in out.splitlines() if line.startswith("|")]
    assert explore(searched, tmp_path, "--tables", "markdown") == 0
    markdown = (tmp_path / "small" / "summary.md").read_text()
    assert set(re.findall(r"^#.*", markdown, re.MULTILINE)) <= set(capsys.readouterr().out.splitlines())
    assert explore(searched, tmp_path, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["headline"] in markdown
    summary = (tmp_path / "small" / "summary.csv").read_text()
    assert list(found["summary"][0]) == summary.partition("\n")[0].split(",")
    assert explore(searched, tmp_path, "--tables", "csv") == 0
    assert capsys.readouterr().out.partition("\n")[0] == summary.partition("\n")[0]
    assert explore(searched, tmp_path, "--quiet") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_exploration_goes_on_where_it_was_and_ends_with_the_same_bytes(searched, tmp_path, capsys, after):
    command = [sys.executable, "-m", "bitjoule", "explore", searched, "--out", tmp_path / "killed", "--no-plots"]
    process = subprocess.Popen([*command, "--jobs", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kept = tmp_path / "killed" / ".small.exploring"
    until = time.monotonic() + 120
    while len(list(kept.glob("batch-*.npz"))) < after:
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < until
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    batches = {path.name: path.stat().st_mtime_ns for path in kept.glob("batch-*.npz")}
    assert not (tmp_path / "killed" / "small").exists()
    assert explore(searched, tmp_path / "killed") == 0
    assert f"small: continuing after {len(batches)} batches" in capsys.readouterr().err
    assert not kept.exists()
    assert explore(searched, tmp_path / "whole") == 0
    assert tables(tmp_path / "killed") == tables(tmp_path / "whole")


def test_batches_of_a_killed_exploration_are_not_written_again(searched, tmp_path, monkeypatch):
    from bitjoule.experiments.exploration.journal import Journal

    written, write = [], Journal.write

    def stops(self, batch, values):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(batch)
        write(self, batch, values)

    monkeypatch.setattr(Journal, "write", stops)
    assert explore(searched, tmp_path) == 130
    assert written == [0, 1]

    def notes(self, batch, values):
        written.append(batch)
        write(self, batch, values)

    monkeypatch.setattr(Journal, "write", notes)
    assert explore(searched, tmp_path) == 0
    assert written == sorted(set(written))


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_number_of_processes_or_on_the_command(searched, tmp_path):
    assert explore(searched, tmp_path / "one") == 0
    assert explore(searched, tmp_path / "two", "--jobs", "2") == 0
    assert main(["run", str(searched), "--out", str(tmp_path / "run"), "--no-plots"]) == 0
    assert tables(tmp_path / "one") == tables(tmp_path / "two") == tables(tmp_path / "run")


def test_the_written_experiment_gives_the_same_bytes(searched, tmp_path):
    assert explore(searched, tmp_path / "one") == 0
    assert explore(tmp_path / "one" / "small" / "experiment.yaml", tmp_path / "again") == 0
    assert tables(tmp_path / "one") == tables(tmp_path / "again")


@pytest.mark.parametrize(
    ("options", "plots", "address"),
    [(["--no-plots"], False, None), ([], True, None), (["--scheduler", "far:8786"], True, "tcp://far:8786")],
)
def test_what_is_asked_for_reaches_the_run(searched, tmp_path, monkeypatch, options, plots, address):
    asked = []

    def stops(task, writing, _):
        asked.append((task.ready.work, writing))
        raise KeyboardInterrupt

    monkeypatch.setattr("bitjoule.writing.run_and_write", stops)
    assert main(["explore", str(searched), "--out", str(tmp_path), "--jobs", "3", *options]) == 130
    ((work, writing),) = asked
    assert (work.jobs, work.scheduler, work.folder) == (3, address, tmp_path / ".small.exploring")
    assert (writing.out, writing.plots, writing.jobs, writing.command[:2]) == (
        tmp_path,
        plots,
        3,
        ["bitjoule", "explore"],
    )


@pytest.mark.slow
def test_the_plots_are_drawn_in_both_themes(searched, tmp_path):
    contents = yaml.safe_load(searched.read_text())
    searched.write_text(yaml.safe_dump({**contents, "plots": [{"kind": "pareto"}, {"kind": "knobs"}]}))
    assert main(["explore", str(searched), "--out", str(tmp_path / "drawn"), "--jobs", "1"]) == 0
    assert explore(searched, tmp_path / "bare") == 0
    drawn, bare = ({path.name for path in (tmp_path / out / "small").iterdir()} for out in ("drawn", "bare"))
    pictures = {
        f"{name}{theme}.{end}" for name in ("pareto", "knobs") for theme in ("", "_dark") for end in ("png", "svg")
    }
    assert drawn - bare == pictures


def test_an_experiment_of_another_kind_is_refused(tmp_path, capsys):
    assert main(["explore", "bitnet_table1", "--out", str(tmp_path)]) == 2
    assert "is not an exploration; expected a file with the key `explore`" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_exploration_that_another_process_explores_is_refused(searched, tmp_path, capsys):
    from bitjoule.sim.locks import acquire, release

    lock = acquire(tmp_path / ".small.exploring.lock")
    assert explore(searched, tmp_path) == 2
    release(lock)
    assert "is being explored by another process" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_reported(searched, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert explore(searched, tmp_path / "file" / "out") == 2
    assert "cannot be written" in capsys.readouterr().err
