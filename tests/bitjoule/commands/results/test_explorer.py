"""``bitjoule explorer`` as a user runs it."""

import base64
import json
import re
import shutil

import numpy as np
import pytest

from bitjoule.commands.entries.new import template
from bitjoule.execution import read
from bitjoule.reports.page import explorer as page


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_a_result_and_its_experiment_have_the_same_page_but_for_the_command(bitjoule, run_edge, tmp_path):
    stored, ran = tmp_path / "stored.html", tmp_path / "ran.html"
    status, out, error = bitjoule("explorer", run_edge(), "-o", stored)
    assert (status, error) == (0, "")
    assert out.startswith(f"{stored}: edge (4 cases, 0.")
    assert bitjoule("explorer", run_edge() / "experiment.yaml", "-o", ran)[0] == 0
    assert data_of(stored) == data_of(ran)
    energy = np.frombuffer(base64.b64decode(data_of(ran)["sums"]["energy_j"]), dtype="<f8")
    assert energy.size == 8
    assert (energy > 0).all()
    assert f"<code>bitjoule explorer {run_edge() / 'experiment.yaml'} -o {ran}</code>" in ran.read_text()
    assert "Two formats on edge devices &lt;b&gt;&amp; more&lt;/b&gt;" in ran.read_text()


def test_what_a_machine_holds_is_known_as_long_as_the_experiment_can_be_read(bitjoule, run_edge, tmp_path):
    small = {"off_chip": {"capacity_bytes": 12345678}}
    platform = json.dumps([{"name": "edge", "like": "fp16-edge", **small}])
    command = ("run", run_edge() / "experiment.yaml", "--set", f"platforms={platform}", "--out", tmp_path, "--no-plots")
    assert bitjoule(*command, "--jobs", 1, "--quiet")[0] == 0
    _, out, _ = bitjoule("explorer", tmp_path / "edge", "-o", tmp_path / "x.html")
    assert "\n2 warnings of one kind are in the page, first: platform edge: " in out
    assert data_of(tmp_path / "x.html")["capacities"] == [[12345678, 12345678]]
    text = (tmp_path / "edge" / "experiment.yaml").read_text()
    (tmp_path / "edge" / "experiment.yaml").write_text(text.replace("bitnet-125m", "gone/config.json"))
    assert bitjoule("explorer", tmp_path / "edge", "-o", tmp_path / "y.html")[0] == 0
    assert data_of(tmp_path / "y.html")["capacities"] == [[None, None]]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("nothing", "nothing:1: file: unknown experiment 'nothing'"),
        ("small", "small has no whole requests on a machine; expected the result of an energy experiment with "),
        ("bitnet_table1", "has no whole requests on a machine; expected an energy experiment with `accounting: "),
        ("measured_machines", "has no whole requests on a machine; expected an energy experiment"),
        ("results", "contains no manifest.json; expected an output directory of `bitjoule run`"),
    ],
)  # fmt: skip
def test_what_is_no_sweep_on_a_machine_is_reported(bitjoule, small, tmp_path, monkeypatch, sweep, message):
    monkeypatch.chdir(tmp_path)
    if sweep in ("small", "results"):
        (tmp_path / "small.yaml").write_text(small)
        assert bitjoule("run", "small.yaml", "--no-plots", "--jobs", 1, "--quiet", "--out", ".")[0] == 0
        (tmp_path / "results").mkdir()
    status, out, error = bitjoule("explorer", sweep)
    assert (status, out) == (2, "")
    assert message in error
    assert not (tmp_path / "explorer.html").exists()
    shutil.rmtree(tmp_path / "results", ignore_errors=True)


def test_a_sweep_that_fits_no_page_is_refused(bitjoule, run_edge, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_BYTES", 400_000)
    status, _, error = bitjoule("explorer", run_edge(), "-o", tmp_path / "x.html")
    assert status == 2
    assert "4 cases take 0.4 MB; expected a sweep that fits 0.4 MB; sweep over fewer values" in error
    assert not (tmp_path / "x.html").exists()


def test_the_sweep_that_ships_is_valid_and_each_format_has_a_machine_everywhere():
    resolved = read(str(template("explorer"))).ready.work
    assert len(resolved.models) * len(resolved.schemes) * len(resolved.platforms) == 216
    assert all(set(machines) == set(resolved.schemes) for machines in resolved.platforms.values())


@pytest.mark.parametrize("table", ["summary", "components"])
def test_a_table_that_was_cut_to_its_header_is_named(bitjoule, run_edge, tmp_path, table):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    path = folder / f"{table}.csv"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    status, _, err = bitjoule("explorer", folder, "-o", tmp_path / "x.html")
    assert status == 2
    assert f"{table}.csv:1: file: has no rows; expected a table as a run writes it" in err
    assert not (tmp_path / "x.html").exists()
