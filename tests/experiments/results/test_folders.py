"""Output directories, read again."""

import csv
import json
import shutil

import pandas as pd
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.results.folders import naming_changed, open_result, open_results


def cells_of(path):
    with path.open(newline="") as handle:
        return list(csv.reader(handle))


def test_cells_are_those_of_the_csv_file_in_every_format(run_edge):
    as_csv, as_parquet = open_result(run_edge()), open_result(run_edge("--results", "parquet"))
    header, *rows = cells_of(as_csv.path / "summary.csv")
    for result in (as_csv, as_parquet):
        table = result.stored("summary", 1000)
        assert [*table.columns] == header
        assert [*table.rows] == rows
        assert table.total == len(rows) == 12
    pd.testing.assert_frame_equal(
        as_csv.frame("summary", ["model", "energy_j"]), as_parquet.frame("summary", ["model", "energy_j"]),
        check_dtype=False, check_categorical=False,
    )  # fmt: skip


def test_a_workbook_has_the_same_numbers_to_the_digits_that_it_keeps(run_edge):
    book, plain = open_result(run_edge("--results", "xlsx", "--no-plots")), open_result(run_edge())
    assert set(book.files) == set(plain.files)
    columns = ["scheme", "phase", "prompt_tokens", "energy_j"]
    pd.testing.assert_frame_equal(
        book.frame("summary")[columns], plain.frame("summary")[columns], rtol=1e-14, check_dtype=False
    )
    assert book.stored("summary", 1).total == 12


def test_columns_are_known_without_the_rows(run_edge):
    for words in ((), ("--results", "parquet")):
        result = open_result(run_edge(*words))
        assert result.columns("summary") == [*result.stored("summary", 0).columns]
        assert result.columns("nothing") == []
        assert result.stored("summary", 0).total == 12


def test_only_as_many_rows_are_read_as_are_asked_for_and_all_are_counted(run_edge):
    table = open_result(run_edge()).stored("results", 3)
    assert len(table.rows) == 3
    assert table.total == len(cells_of(run_edge() / "results.csv")) - 1


def test_a_directory_of_several_results_is_all_of_them_and_each_counts_once(run_edge, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(run_edge(), tmp_path / name)
    (tmp_path / "why").mkdir()
    shutil.copy(run_edge() / "manifest.json", tmp_path / "why")  # as a comparison has it
    shutil.copytree(run_edge(), tmp_path / ".kept")  # of a run that is not done
    for asked in ([tmp_path], [tmp_path, tmp_path / "two"], [tmp_path / "one", tmp_path]):
        assert [result.path.name for result in open_results(asked)] == ["one", "two"]


def test_every_directory_that_is_no_result_is_told_and_the_link_to_one_is_that_one(run_edge, tmp_path):
    (tmp_path / "link").symlink_to(run_edge())
    assert len(open_results([run_edge(), tmp_path / "link"])) == 1
    with pytest.raises(InputError) as raised:
        open_results([tmp_path / "no", run_edge(), tmp_path / "nor"])
    assert [line.partition(":")[0] for line in str(raised.value).splitlines()] == [
        str(tmp_path / "no"), str(tmp_path / "nor"),
    ]  # fmt: skip


def test_a_table_of_its_own_is_read_in_place_of_a_sheet_of_its_name(run_edge, tmp_path):
    folder = shutil.copytree(run_edge("--results", "xlsx", "--no-plots"), tmp_path / "edge")
    (folder / "memory.csv").write_text("a,b\n1,nan\n")
    result = open_result(folder)
    assert result.columns("memory") == ["a", "b"]
    assert result.frame("memory").to_numpy().tolist() == [[1, "nan"]]  # a name, not a missing value
    assert result.files["summary"].suffix == ".xlsx"


def test_pictures_of_one_kind_are_in_the_order_of_their_numbers(run_edge, tmp_path):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    for number in (10, 2):
        shutil.copy(folder / "components.svg", folder / f"components_{number}.svg")
    names = [path.name for path in open_result(folder).pictures]
    assert names == ["components.svg", "components_2.svg", "components_10.svg"]


def test_files_that_changed_since_the_run_are_named(run_edge, tmp_path):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    assert open_result(folder).changed_outputs() == []
    (folder / "summary.csv").write_text((folder / "summary.csv").read_text() + "\n")
    (folder / "memory.csv").unlink()
    assert open_result(folder).changed_outputs() == ["memory.csv", "summary.csv"]


@pytest.mark.parametrize(("key", "value"), [("command", None), ("seeds", None), ("seeds", []), ("warnings", "none")])
def test_a_manifest_with_a_section_of_another_type_is_refused(run_edge, tmp_path, key, value):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(InputError, match="is not a manifest of bitjoule; expected the manifest that a run wrote"):
        open_result(folder)


def test_changed_files_are_blamed_for_a_failure_and_unchanged_ones_are_not(run_edge, tmp_path):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    results = [open_result(run_edge()), open_result(folder)]
    with pytest.raises(KeyError), naming_changed(results):
        raise KeyError
    (folder / "memory.csv").write_text("x")
    with pytest.raises(InputError) as error, naming_changed(results):
        raise KeyError
    assert [problem.file for problem in error.value.problems] == [f"{folder}/memory.csv"]
    with pytest.raises(RuntimeError), naming_changed(results):
        raise RuntimeError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "edge:1: file: does not exist; expected an output directory of"),
        (lambda folder: (folder / "manifest.json").unlink(), "edge:1: file: contains no manifest.json; expected an"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json:1: file: is not valid JSON"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json:1: file: is not a manifest of"),
        (lambda folder: (folder / "experiment.yaml").write_text("- 1"), "experiment.yaml:1: file: is not a mapping"),
        (lambda folder: (folder / "summary.md").unlink(), "summary.md:1: file: does not exist"),
    ],
)
def test_what_is_no_result_is_said_to_be_none(run_edge, tmp_path, make, message):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    make(folder)
    with pytest.raises(InputError) as raised:
        open_results([folder])
    assert message in str(raised.value)


def test_a_table_that_is_missing_or_broken_is_named(run_edge, tmp_path):
    folder = shutil.copytree(run_edge(), tmp_path / "edge")
    result = open_result(folder)
    with pytest.raises(InputError, match=r"contains no table 'sumary' \(did you mean 'summary'\?\); expected one of"):
        result.frame("sumary")
    (folder / "memory.csv").write_text("")
    with pytest.raises(InputError, match=r"memory.csv:1: file: cannot be read as a table"):
        result.frame("memory")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert "bitjoule" in manifest["versions"]  # what tells a manifest of ours from others
