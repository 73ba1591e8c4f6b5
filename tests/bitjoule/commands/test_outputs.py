"""What ``run`` prints for programs is what it wrote."""

import csv
import io
import json

import pandas as pd
import pytest

from bitjoule.commands.experiments import report
from tests.bitjoule.test_warnings import written


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
    for found in (first, second):  # the third paragraph of a summary, in one line and without the name
        assert f"{found['headline']}." == (tmp_path / found["name"] / "summary.md").read_text().split("\n\n")[2]
    assert first["folder"] == str(tmp_path / "bitnet_table1")
    assert first["files"] == sorted(path.name for path in (tmp_path / "bitnet_table1").iterdir())
    assert first["warnings"] == []
    table = pd.read_csv(tmp_path / "bitnet_table1" / "summary.csv")
    assert [row["energy_j"] for row in first["summary"]] == pytest.approx(list(table.energy_j), rel=1e-14)
    assert first["summary"][0]["latency_s"] is None


ODD = """\
name: odd
accounting: mac
matmuls: [{m: 3, k: 5, n: 7}]
schemes: [{name: "nan", weights: fp16, activations: fp16, attention: fp16}]
technologies: [45nm]
"""


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx"])
def test_rows_are_printed_in_whichever_format_they_are_written(bitjoule, tmp_path, form):
    """By hand: 105 products of 1.1 pJ and sums of 0.4 pJ; a scheme may be called like a missing value."""
    (tmp_path / "odd.yaml").write_text(ODD)
    words = ("run", tmp_path / "odd.yaml", "--no-plots", "--results", form, "--out", tmp_path / form)
    status, out, err = bitjoule(*words, "--json")
    assert (status, err) == (0, "")
    ((row,),) = ([row for row in run["summary"] if row["technology"] == "45nm"] for run in json.loads(out))
    assert (row["scheme"], row["phase"]) == ("nan", "prefill")
    assert row["energy_j"] == pytest.approx(105 * 1.5e-12)
    status, out, err = bitjoule(*words, "--tables", "csv")
    assert (status, err) == (0, "")
    (shown,) = csv.DictReader(io.StringIO(out))
    assert shown["scheme"] == "nan"
    assert float(shown["energy_j"]) == pytest.approx(105 * 1.5e-12)


def test_warnings_of_each_run_are_beside_its_rows(bitjoule, tmp_path):
    files = []
    for name, capacity_bytes in (("one", 2 * 10**9), ("two", 10**12)):
        (tmp_path / name).mkdir()
        files.append(written(tmp_path / name, name, capacity_bytes))
    status, out, err = bitjoule("run", *files, "--json", "--no-plots", "--jobs", 1, "--out", tmp_path / "out")
    assert status == 0
    first, second = json.loads(out)
    assert [f"bitjoule: {line}" for line in first["warnings"]] == err.splitlines()
    assert (len(first["warnings"]), second["warnings"]) == (1, [])
    assert (first["name"], second["name"]) == ("one", "two")


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
