"""``bitjoule report`` and ``bitjoule compare`` as a user runs them."""

import csv
import json
import shutil

import pytest

NODE = ("--set", "name=edge_45", "--set", "technologies=[45nm]", "--no-plots")


@pytest.mark.parametrize(
    ("experiment", "lead"),
    [
        ("measured_vs_table", "45nm-measured takes "), ("published_accelerators", " printed numbers within "),
        ("low_bit_on_gpus", "narrow weights gain "), ("parallelism", "per generated token "),
        ("b158_mac_energy", "1 of 1 published values agree"),
    ],
)  # fmt: skip
def test_results_of_every_kind_have_a_page_and_a_sentence(bitjoule, tmp_path, experiment, lead):
    assert bitjoule("run", experiment, "--no-plots", "--jobs", 1, "--out", tmp_path / "results")[0] == 0
    status, out, error = bitjoule("report", tmp_path / "results", "-o", tmp_path / "x.html")
    assert (status, error) == (0, "")
    assert f"{tmp_path / 'x.html'}: {experiment} (" in out
    text = (tmp_path / "x.html").read_text()
    assert lead in text.partition('<p class="lead">')[2].partition("</p>")[0]


@pytest.mark.parametrize(
    "experiment", ["measured_vs_table", "published_accelerators", "low_bit_on_gpus", "parallelism", "b158_mac_energy"]
)
def test_tables_that_were_cut_to_their_headers_have_a_page(bitjoule, tmp_path, experiment):
    """Whose sentence cannot be said, and is left out."""
    assert bitjoule("run", experiment, "--no-plots", "--jobs", 1, "--out", tmp_path / "results")[0] == 0
    folder = tmp_path / "results" / experiment
    for path in folder.glob("*.csv"):
        path.write_text(path.read_text().splitlines()[0] + "\n")
    (folder / "summary.md").write_text(f"# {experiment}\n")
    status, out, error = bitjoule("report", folder, "-o", tmp_path / "x.html")
    assert (status, error) == (0, "")
    assert f"{experiment} (" in out


def test_a_table_that_is_no_csv_is_told_with_its_line(bitjoule, run_edge, tmp_path):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    table = folder / "summary.csv"
    header, row, *_ = table.read_text().splitlines()
    table.write_text(f"{header}\n{row}\n{'x' * (csv.field_size_limit() + 1)}{',' * header.count(',')}\n")
    status, _, error = bitjoule("report", folder, "-o", tmp_path / "x.html")
    assert status == 2
    assert (
        error
        == f"{table}:3: row: field larger than field limit ({csv.field_size_limit()}); expected lines of a CSV file\n"
    )
    assert not (tmp_path / "x.html").exists()


def test_several_results_are_one_page_with_a_list_of_them(bitjoule, run_edge, tmp_path):
    status, out, _ = bitjoule("report", run_edge(), run_edge(*NODE), run_edge(), "-o", tmp_path / "x.html")
    assert status == 0
    assert "edge, edge_45 (" in out
    text = (tmp_path / "x.html").read_text()
    assert "<h1>2 results</h1>" in text
    assert '<a href="#r1">edge_45</a>' in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "x.txt"], "x.txt:1: file: is not a .html file; expected a name that ends in .html"),
        (["-o", "no/x.html"], "no/x.html:1: file: directory does not exist; expected a file in an existing directory"),
        (
            ["nothing", "-o", "x.html"],
            "nothing:1: file: does not exist; expected an output directory of `bitjoule run`",
        ),
    ],
)
def test_a_page_that_cannot_be_written_is_reported_and_nothing_is_left(
    bitjoule, run_edge, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    status, _, error = bitjoule("report", run_edge(), *words)
    assert (status, error.strip()) == (2, message)
    assert list(tmp_path.iterdir()) == []


def test_a_comparison_is_printed_and_written(bitjoule, run_edge, tmp_path):
    target = tmp_path / "why"
    for _ in range(2):  # the second replaces the first
        status, out, error = bitjoule("compare", run_edge(), run_edge(*NODE), "-o", target)
        assert (status, error) == (0, "")
    assert "the technology 7nm of the first is compared with 45nm of the second" in out
    assert f"Tables in {target}/; pictures: waterfall.png" in out
    names = {path.name for path in target.iterdir()}
    assert {"inputs.csv", "prices.csv", "totals.csv", "contributions.csv", "comparison.md", "waterfall.svg"} <= names
    with (target / "contributions.csv").open() as handle:
        sums = sum(float(row["difference_j"]) for row in csv.DictReader(handle))
    with (target / "totals.csv").open() as handle:
        changes = [float(row["difference"]) for row in csv.DictReader(handle) if row["quantity"] == "energy_j"]
    assert any(sums == pytest.approx(change) for change in changes)
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["command"][:2] == ["bitjoule", "compare"]
    assert len(manifest["input"]) == 2


def test_a_directory_of_other_files_is_not_replaced(bitjoule, run_edge, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    status, _, error = bitjoule("compare", run_edge(), run_edge(), "-o", tmp_path)
    assert status == 2
    assert "holds 'mine.txt', which no run wrote" in error


def test_results_of_two_kinds_are_not_compared(bitjoule, run_edge, tmp_path):
    assert bitjoule("run", "measured_vs_table", "--no-plots", "--jobs", 1, "--out", tmp_path)[0] == 0
    status, _, error = bitjoule("compare", run_edge(), tmp_path / "measured_vs_table")
    assert status == 2
    assert f"is of the kind prices, and {run_edge()} of the kind energy; expected two results of one kind" in error


def test_a_condition_has_a_key_and_a_value(bitjoule, run_edge):
    status, _, error = bitjoule("compare", run_edge(), run_edge(), "--where", "fp16")
    assert status == 2
    assert "argument --where: got 'fp16'; expected KEY=VALUE, e.g. scheme=fp16" in error


def test_a_result_without_its_summary_is_reported(bitjoule, run_edge, tmp_path):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    (folder / "summary.csv").unlink()
    status, _, error = bitjoule("compare", run_edge(), folder)
    assert status == 2
    assert f"{folder}:1: file: contains no table 'summary'" in error
    assert "expected one of bands, components, memory, results" in error


def cut(path):
    """Leave the first half of a file."""
    text = path.read_bytes()
    path.write_bytes(text[: len(text) // 2])


@pytest.mark.parametrize(
    ("command", "table", "change"),
    [
        ("report", "components", lambda path: path.write_bytes(bytes(range(256)))),
        ("report", "components", cut),
        ("explorer", "memory", cut),
    ],
)
def test_a_table_that_was_changed_after_the_run_is_named(bitjoule, run_edge, tmp_path, command, table, change):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    change(folder / f"{table}.csv")
    status, out, err = bitjoule(command, folder, "-o", tmp_path / "x.html")
    assert (status, out) == (2, "")
    told = "cannot be used: it was changed after the run; expected the file as the run wrote it"
    assert err == f"{folder}/{table}.csv:1: file: {told}, of which manifest.json has the SHA-256\n"
    assert not (tmp_path / "x.html").exists()
