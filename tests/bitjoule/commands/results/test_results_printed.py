"""What ``report``, ``compare`` and ``explorer`` say of results, line by line, and what reaches their pages.

Counts, sizes and hashes are taken again from the files that were read and written.
"""

import csv
import hashlib
import json
import re
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from bitjoule.commands.results import explorer as explorer_command
from bitjoule.commands.results import stored
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import sources
from bitjoule.experiments.results import assumed, folders, prices
from bitjoule.reports import prices as of_prices
from bitjoule.reports.page import explorer as explorer_page
from bitjoule.reports.page import page

NODE = ("--set", "name=edge_45", "--set", "technologies=[45nm]", "--no-plots")


def table(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize(
    ("conditions", "cases"),
    [([], 12), (["scheme=fp16"], 6), (["scheme=fp16", "phase=decode"], 2), (["prompt_tokens=64"], 6)],
)
def test_only_the_cases_of_all_conditions_are_compared(bitjoule, run_edge, tmp_path, conditions, cases):
    """Two schemes, two prompts and three phases."""
    first, second, target = run_edge(), run_edge(*NODE), tmp_path / "why"
    where = [word for condition in conditions for word in ("--where", condition)]
    status, out, err = bitjoule("compare", first, second, *where, "-o", target)
    assert (status, err) == (0, "")
    assert out.splitlines()[:3] == ["edge and edge_45", "", f"First: {first}; second: {second}."]
    assert (
        f"Cases and phases in both: {cases}; the technology 7nm of the first is compared with 45nm of the second."
        in out
    )
    totals = [row for row in table(target / "totals.csv") if row["quantity"] == "energy_j"]
    assert len(totals) == cases
    asked = dict(condition.split("=") for condition in conditions)
    assert all(row[key] == value for row in totals for key, value in asked.items())


def test_a_terminal_shows_the_first_rows_of_a_comparison_and_its_file_all(bitjoule, run_edge, tmp_path):
    first, second, target = run_edge(), run_edge(*NODE), tmp_path / "why"
    status, out, _ = bitjoule("compare", first, second, "-o", target)
    assert status == 0
    rows = {name: len(table(target / f"{name}.csv")) for name in ("contributions", "prices")}
    assert min(rows.values()) > 12
    for name, count in rows.items():
        assert f"The first 12 of {count} rows; all are in {name}.csv." in out
    text = (target / "comparison.md").read_text()
    assert "The first " not in text
    assert text.count("\n|") > out.count("\n") / 2
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["input"] == {
        str(path / "manifest.json"): hashlib.sha256((path / "manifest.json").read_bytes()).hexdigest()
        for path in (first, second)
    }
    assert manifest["command"] == ["bitjoule", "compare", str(first), str(second), "-o", str(target)]
    columns = {path.stem: path.read_text().splitlines()[0] for path in target.glob("*.csv")}
    assert {name for name, header in columns.items() if "first_count" in header} == {"contributions"}
    assert {name for name, header in columns.items() if "quantity" in header} == {"totals"}
    assert set(columns) == {"contributions", "totals", "prices", "inputs"}


@pytest.mark.parametrize("size", [4_999, 5_001, 1_234_567])
@pytest.mark.parametrize("command", ["report", "explorer"])
def test_the_size_of_a_page_is_that_of_its_file(bitjoule, run_edge, tmp_path, monkeypatch, command, size):
    module = page if command == "report" else explorer_page
    monkeypatch.setattr(module, command, lambda *_: "é" + "x" * (size - 2))
    target = tmp_path / "x.html"
    out = bitjoule(command, run_edge(), "-o", target)[1]
    assert target.stat().st_size == size
    told = {4_999: "0.00", 5_001: "0.01", 1_234_567: "1.23"}[size]
    inner = f"edge ({told} MB)" if command == "report" else f"edge (4 cases, {told} MB)"
    assert out == f"{target}: {inner}; open it in a browser\n"


@pytest.mark.parametrize("command", ["report", "explorer"])
def test_a_page_has_the_name_of_its_command_unless_another_is_asked_for(
    bitjoule, run_edge, tmp_path, monkeypatch, command
):
    """Either ending of HTML will do, and the page is told where it lies."""
    monkeypatch.chdir(tmp_path)
    given = []
    module = page if command == "report" else explorer_page
    monkeypatch.setattr(module, command, lambda *words: given.append(words[-1]) or "<html>")
    names = [f"{command}.html", "mine.htm"]
    for words in ((), ("-o", "mine.htm")):
        status, _, err = bitjoule(command, run_edge(), *words)
        assert (status, err) == (0, "")
    assert given == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_results_are_named_in_the_order_in_which_they_are_given(bitjoule, run_edge, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "report", lambda *_: "<html>")
    for results, names in (((), "edge_45, edge"), ((run_edge(),), "edge, edge_45")):
        out = bitjoule("report", *results, run_edge(*NODE), run_edge(), "-o", tmp_path / "x.html")[1]
        assert f"x.html: {names} (" in out


def test_of_a_result_and_itself_there_is_nothing_to_draw(bitjoule, run_edge, tmp_path):
    status, out, err = bitjoule("compare", run_edge(), run_edge(), "-o", tmp_path / "why")
    assert (status, err) == (0, "")
    assert not list((tmp_path / "why").glob("waterfall*"))
    assert "waterfall" not in out


def test_spaces_around_a_condition_are_none_of_it_and_a_wrong_one_is_told_as_written(bitjoule, run_edge):
    words = ("compare", run_edge(), run_edge(*NODE), "--where")
    assert "Cases and phases in both: 6;" in bitjoule(*words, " scheme = fp16 ")[1]
    for wrong in ("=fp16", " =fp16", "fp16"):
        status, _, err = bitjoule(*words, wrong)
        assert status == 2
        assert f"argument --where: got {wrong!r}; expected KEY=VALUE, e.g. scheme=fp16" in err


PAID = pd.DataFrame({"source": ["wang2023bitnet;jouppi2021ten", prices.OWN, "a talk"]})
OF_TECHNOLOGIES = pd.DataFrame({"source": ["horowitz2014computing", "assumption"]})
ASSUMED = pd.DataFrame({"source": ["keckler2011gpus", "assumption", "jouppi2021ten"]})


@pytest.mark.parametrize(
    ("paid", "keys"),
    [
        (PAID, ["wang2023bitnet", "jouppi2021ten", "a talk", "keckler2011gpus"]),
        (PAID[:0], ["horowitz2014computing", "keckler2011gpus", "jouppi2021ten"]),
    ],
)
def test_a_page_cites_what_is_paid_and_assumed_and_technologies_where_nothing_is_paid(
    run_edge, monkeypatch, paid, keys
):
    monkeypatch.setattr(prices, "paid_prices", lambda _: paid)
    monkeypatch.setattr(prices, "technology_prices", lambda _: OF_TECHNOLOGIES)
    monkeypatch.setattr(assumed, "assumed", lambda _: ASSUMED)
    contents = stored._contents(folders.open_result(run_edge()))
    assert contents.references == [f"[{key}] {sources()[key]}" if key in sources() else key for key in keys]
    assert len(contents.technology_prices) == (0 if len(paid) else 2)
    assert (contents.kind, len(contents.prices), len(contents.assumptions)) == ("energy", len(paid), 3)
    assert contents.scheme_kinds["fp16"] == "float"
    assert contents.scheme_kinds["bitnet-b1.58"] == "ternary"


def test_a_page_leads_with_the_sentence_of_the_file_and_else_with_that_of_the_tables(bitjoule, tmp_path, monkeypatch):
    assert bitjoule("run", "measured_vs_table", "--no-plots", "--jobs", 1, "--out", tmp_path)[0] == 0
    found = folders.open_result(tmp_path / "measured_vs_table")
    told = []
    monkeypatch.setattr(of_prices, "headline", lambda summary: told.append(len(summary)) or "As computed")
    for text in ("Said in the file.", ""):
        page_of = replace(found, summary_text=f"# {found.name}\n\n{found.description}\n\n{text}\n")
        assert stored._contents(page_of).lead == (text or "As computed.")
    assert told == [len(table(tmp_path / "measured_vs_table" / "summary.csv"))]


def explored(bitjoule, monkeypatch, *words):
    """Return what is shown of a sweep, and what is printed."""
    given = []
    monkeypatch.setattr(explorer_page, "explorer", lambda shown, *_: given.append(shown) or "<html>")
    status, out, err = bitjoule("explorer", *words)
    assert (status, err) == (0, "")
    return given[0], out


def test_a_sweep_is_shown_with_its_own_command_warnings_and_baseline(bitjoule, run_edge, tmp_path, monkeypatch):
    platform = json.dumps([{"name": "edge", "like": "fp16-edge", "off_chip": {"capacity_bytes": 12345678}}])
    command = ["run", str(run_edge() / "experiment.yaml"), "--set", f"platforms={platform}", "--set",
               "baseline.scheme=bitnet-b1.58", "--out", str(tmp_path), "--no-plots", "--quiet"]  # fmt: skip
    assert bitjoule(*command)[0] == 0
    folder, target = tmp_path / "edge", tmp_path / "x.html"
    warnings = json.loads((folder / "manifest.json").read_text())["warnings"]
    assert len(warnings) == 2
    shown, out = explored(bitjoule, monkeypatch, folder, "-o", target)
    assert (shown.name, shown.command, shown.baseline) == ("edge", " ".join(["bitjoule", *command]), "bitnet-b1.58")
    assert (shown.warnings, shown.experiment) == (warnings, (folder / "experiment.yaml").read_text())
    assert out.splitlines()[1:] == [f"2 warnings of one kind are in the page, first: {warnings[0]}"]
    ran, again = explored(bitjoule, monkeypatch, folder / "experiment.yaml", "-o", target)
    words = ["bitjoule", "explorer", str(folder / "experiment.yaml"), "-o", str(target)]
    assert (ran.command, ran.warnings, ran.baseline) == (" ".join(words), warnings, "bitnet-b1.58")
    assert (again, ran.capacities_bytes) == (out, shown.capacities_bytes)
    assert re.fullmatch(r"Two formats on edge devices .*", shown.description)


def test_a_result_without_its_table_of_components_is_no_sweep(run_edge, tmp_path):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    (folder / "components.csv").unlink()
    with pytest.raises(InputError, match=r"edge:1: file: edge has no whole requests on a machine; expected"):
        explorer_command._stored(folders.open_result(folder))
