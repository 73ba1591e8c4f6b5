"""What ``run`` prints for programs is what it wrote."""

import io
import json

import pandas as pd
import pytest

from bitjoule.commands.experiments import report


@pytest.fixture
def run(bitjoule, tmp_path):
    def once(*options):
        names = ("bitnet_table1", "b158_mac_energy")
        status, out, err = bitjoule("run", *names, "--no-plots", "--jobs", 1, "--out", tmp_path, *options)
        assert (status, err) == (0, "")
        return out

    return once


def test_json_holds_headline_files_and_rows(run, tmp_path):
    first, second = json.loads(run("--json"))
    assert (first["name"], second["name"]) == ("bitnet_table1", "b158_mac_energy")
    assert first["headline"].startswith("34 of 36 published values agree")
    assert first["folder"] == str(tmp_path / "bitnet_table1")
    assert first["files"] == sorted(path.name for path in (tmp_path / "bitnet_table1").iterdir())
    assert first["warnings"] == []
    table = pd.read_csv(tmp_path / "bitnet_table1" / "summary.csv")
    assert [row["energy_j"] for row in first["summary"]] == pytest.approx(list(table.energy_j), rel=1e-14)
    assert first["summary"][0]["latency_s"] is None


def test_csv_is_the_summary_table_of_each(run, tmp_path):
    first, second = (pd.read_csv(io.StringIO(part)) for part in run("--tables", "csv").split("\n\n"))
    for name, part in (("bitnet_table1", first), ("b158_mac_energy", second)):
        pd.testing.assert_frame_equal(part, pd.read_csv(tmp_path / name / "summary.csv"))


def test_markdown_is_the_summary(run, tmp_path):
    out = run("--tables", "markdown")
    for name in ("bitnet_table1", "b158_mac_energy"):
        assert (tmp_path / name / "summary.md").read_text().split("\n## ")[0].strip() in out


def test_quiet_prints_nothing(run, tmp_path):
    assert run("--quiet") == ""
    assert (tmp_path / "bitnet_table1" / "summary.csv").exists()


def test_each_run_that_has_ended_is_counted_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    report(["one", "", "three"], 3, "markdown")
    out, err = capsys.readouterr()
    assert (out, err) == ("one\n\nthree\n\n", "[1/3]\n[2/3]\n[3/3]\n")
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    report(["one"], 1, "markdown")
    assert capsys.readouterr() == ("one\n\n", "")


def test_quiet_and_json_exclude_each_other(bitjoule):
    assert bitjoule("run", "bitnet_table1", "--quiet", "--json")[0] == 2
