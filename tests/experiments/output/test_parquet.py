"""Tables as Parquet and as a workbook, their parts, and SQL on them."""

import errno
import os

import numpy as np
import pandas as pd
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.energy import parts as energy_parts
from bitjoule.experiments.energy.tables import sums
from bitjoule.experiments.output import formats, store
from bitjoule.experiments.output.formats import PARQUET_FROM_CASES, chosen_format
from bitjoule.experiments.output.parquet import PartWriter
from bitjoule.experiments.output.query import query, tables_of
from bitjoule.experiments.output.spreadsheet import MAX_ROWS, check_rows, write_workbook

pq = pytest.importorskip("pyarrow.parquet")
SWEEP = """\
name: sweep
accounting: system
models: [bitnet-125m]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}]
workload: {prompt_tokens: {start: 1, stop: 5, step: 1}, new_tokens: [0, 2]}
baseline: {scheme: fp16}
"""
CASES = 20


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Return the path of an experiment that takes five parts."""
    monkeypatch.setattr(sums, "BLOCK_CASES", 8)  # a block of the system accounting is a quarter of it
    monkeypatch.setattr(energy_parts, "BLOCKS_PER_PART", 2)
    monkeypatch.setattr(energy_parts, "SMALL", 1)
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP)
    return path


def written(bitjoule, sweep, out, *options):
    status, _, err = bitjoule("run", sweep, "--no-plots", "--jobs", "1", "--out", out, *options)
    assert status == 0, err
    return out / "sweep"


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_pandas_reads_the_parts_of_each_table_as_the_csv(tmp_path, sweep, bitjoule):
    of_csv = written(bitjoule, sweep, tmp_path / "csv")
    of_parquet = written(bitjoule, sweep, tmp_path / "parquet", "--results", "parquet")
    assert len(list((of_parquet / "results.parquet").iterdir())) == CASES / 4
    names = sorted(path.stem for path in of_csv.glob("*.csv"))
    assert names == sorted(path.stem for path in of_parquet.glob("*.parquet")) == sorted(tables_of(of_parquet))
    for name in names:
        expected = pd.read_csv(of_csv / f"{name}.csv", keep_default_na=False, na_values={"latency_s": [""]})
        table = pd.read_parquet(of_parquet / f"{name}.parquet")
        assert list(table.columns) == list(expected.columns)
        for column in expected:
            ours = (
                table[column].to_numpy() if table[column].dtype != "category" else table[column].astype(str).to_numpy()
            )
            np.testing.assert_array_equal(ours, expected[column].to_numpy(), err_msg=f"{name}.{column}")


def test_a_run_is_replaced_and_a_file_among_its_parts_is_not_deleted(tmp_path, sweep, bitjoule):
    folder = written(bitjoule, sweep, tmp_path, "--results", "parquet")
    first = files(folder)
    second = files(written(bitjoule, sweep, tmp_path, "--results", "parquet"))
    assert first == second
    (folder / "results.parquet" / "notes.txt").write_text("mine")
    status, _, err = bitjoule("run", sweep, "--no-plots", "--out", tmp_path, "--results", "parquet")
    assert status == 2
    assert "holds 'results.parquet/notes.txt', which no run wrote" in err


def test_a_full_disk_keeps_the_parts_and_the_same_command_goes_on(tmp_path, sweep, bitjoule, monkeypatch):
    whole = files(written(bitjoule, sweep, tmp_path / "whole", "--results", "parquet"))
    fsync, left = os.fsync, [7]  # a part of this run is three files: two of the five parts are complete

    def full(handle):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(store.os, "fsync", full)
    command = ("run", sweep, "--no-plots", "--jobs", "1", "--results", "parquet", "--out", tmp_path / "out")
    status, _, err = bitjoule(*command)
    assert status == 2
    assert "cannot be written: No space left on device; 2 of 5 parts are kept; expected room for the rest" in err
    assert not (tmp_path / "out" / "sweep").exists()
    monkeypatch.setattr(store.os, "fsync", fsync)
    ran = []
    render = store.render
    monkeypatch.setattr(store, "render", lambda work, span, kind: ran.append(span) or render(work, span, kind))
    assert bitjoule(*command)[0] == 0
    assert ran == [(8, 12), (12, 16), (16, 20)]
    resumed = files(tmp_path / "out" / "sweep")
    for result in (whole, resumed):
        del result["manifest.json"]  # it names the command, with its --out
    assert resumed == whole
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["sweep"]


def test_parts_of_another_experiment_are_not_taken_up(tmp_path, sweep, bitjoule, monkeypatch):
    monkeypatch.setattr(store.Store, "finish", lambda _: (_ for _ in ()).throw(RuntimeError("killed")))
    command = ("run", sweep, "--no-plots", "--jobs", "1", "--results", "parquet", "--out", tmp_path / "out")
    assert bitjoule(*command)[0] == 1
    monkeypatch.undo()
    sweep.write_text(SWEEP.replace("stop: 5", "stop: 6"))
    assert bitjoule(*command)[0] == 0
    folder = tmp_path / "out" / "sweep"
    assert set(pd.read_parquet(folder / "results.parquet")["prompt_tokens"]) == set(range(1, 7))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["sweep"]


def test_many_cases_are_parquet_unless_the_user_or_the_installation_says_otherwise(monkeypatch):
    assert chosen_format(None, PARQUET_FROM_CASES - 1) == "csv"
    assert chosen_format(None, PARQUET_FROM_CASES) == "parquet"
    assert chosen_format("csv", PARQUET_FROM_CASES) == "csv"
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda _: None)
    assert chosen_format(None, PARQUET_FROM_CASES) == "csv"
    with pytest.raises(InputError) as error:
        chosen_format("xlsx", 1)
    expected = "--results:1: xlsx: needs the package openpyxl, which is not installed; expected "
    assert str(error.value) == f"{expected}pip install 'bitjoule[explore]'"


@pytest.mark.parametrize(
    ("kind", "package", "extra"),
    [("parquet", "pyarrow", "explore"), ("xlsx", "openpyxl", "explore"), ("query", "duckdb", "explore"),
     ("cluster", "distributed", "cluster")],
)  # fmt: skip
def test_a_package_that_is_missing_is_named_with_what_brings_it(monkeypatch, kind, package, extra):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None if name == package else object())
    formats.needs("csv", "--option")
    with pytest.raises(InputError) as error:
        formats.needs(kind, "--option")
    wrong = f"--option:1: {kind}: needs the package {package}, which is not installed"
    assert str(error.value) == f"{wrong}; expected pip install 'bitjoule[{extra}]'"
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: object() if name == package else None)
    formats.needs(kind, "--option")


def test_tables_of_any_name_are_views_and_hidden_ones_are_none(tmp_path):
    pytest.importorskip("duckdb")
    inner = tmp_path / "it's"
    for folder in (tmp_path, inner, tmp_path / ".hidden"):
        folder.mkdir(exist_ok=True)
        for name in ('a "b', ".secret"):
            (folder / f"{name}.csv").write_text(f"n,text\n1,{folder.name}\n" + "2,\n" * 30_000 + "2.5,x\n")
    assert sorted(tables_of(tmp_path)) == ['a "b', "it's.a \"b"]
    found = query(tmp_path, 'SELECT sum(n) AS n, min(text) AS least FROM "it\'s.a ""b"')
    assert found.to_dict("records") == [{"n": 60003.5, "least": "it's"}]  # a number far down decides the type, too


def test_a_workbook_has_a_sheet_for_each_table_and_the_same_bytes(tmp_path, sweep, bitjoule):
    pytest.importorskip("openpyxl")
    first, second = (written(bitjoule, sweep, tmp_path / name, "--results", "xlsx") for name in ("a", "b"))
    assert (first / "tables.xlsx").read_bytes() == (second / "tables.xlsx").read_bytes()
    of_csv = written(bitjoule, sweep, tmp_path / "csv")
    sheets = pd.read_excel(first / "tables.xlsx", sheet_name=None, keep_default_na=False)
    assert sorted(sheets) == sorted(path.stem for path in of_csv.glob("*.csv"))
    expected = pd.read_csv(of_csv / "results.csv", keep_default_na=False)
    # openpyxl writes 16 digits, of which some numbers need 17
    np.testing.assert_allclose(sheets["results"]["energy_pj"], expected["energy_pj"], rtol=5e-16)
    assert sheets["results"]["price"].tolist() == expected["price"].tolist()


def test_text_that_begins_like_a_formula_stays_text(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    write_workbook({"t": pd.DataFrame({"note": ["=1+1", None], "x_j": [float("nan"), 0.1]})}, tmp_path / "t.xlsx")
    rows = list(openpyxl.load_workbook(tmp_path / "t.xlsx")["t"].iter_rows())
    assert [[cell.value for cell in row] for row in rows] == [["note", "x_j"], ["=1+1", None], [None, 0.1]]
    assert rows[1][0].data_type == "s"


def test_a_table_longer_than_a_sheet_is_refused():
    check_rows("results", MAX_ROWS - 1)
    with pytest.raises(InputError, match=r"the table results has more rows \(1048576\) than a sheet of a workbook"):
        check_rows("results", MAX_ROWS)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_sql_sums_what_pandas_sums(tmp_path, sweep, bitjoule, kind):
    pytest.importorskip("duckdb")
    folder = written(bitjoule, sweep, tmp_path, "--results", kind)
    sql = "SELECT scheme, sum(energy_pj) / 1e12 AS energy_j FROM results GROUP BY scheme ORDER BY scheme"
    found = query(folder, sql)
    summary = query(folder, "SELECT * FROM summary WHERE phase <> 'request'")
    expected = summary.groupby(summary["scheme"].astype(str))["energy_j"].sum()
    assert found["scheme"].tolist() == ["bitnet-b1.58", "fp16"]
    np.testing.assert_allclose(found["energy_j"], expected[found["scheme"]], rtol=1e-12)
    assert query(tmp_path, 'SELECT count(*) AS n FROM "sweep.summary"')["n"][0] == len(query(folder, "FROM summary"))


@pytest.mark.parametrize("values", [("inf", "9.5", "10.25"), ("-inf", "9.5"), ("inf", "inf"), ("", "inf")])
def test_a_column_that_begins_with_an_infinite_number_is_numbers_in_sql(tmp_path, values):
    pytest.importorskip("duckdb")
    (tmp_path / "summary.csv").write_text("scheme,payback_tokens\n" + "".join(f"s,{value}\n" for value in values))
    table = query(tmp_path, "SELECT min(payback_tokens) AS least, max(payback_tokens) AS most FROM summary")
    numbers = [float(value) for value in values if value]
    assert table.to_dict("list") == {"least": [min(numbers)], "most": [max(numbers)]}


def test_names_that_look_like_dates_and_times_are_text_in_sql(tmp_path):
    pytest.importorskip("duckdb")
    (tmp_path / "runs.csv").write_text("run,start\n2024-02-03,10:30:00\n2024-02-04,11:00:00\n")
    found = query(tmp_path, "SELECT * FROM runs").values.tolist()
    assert found == [["2024-02-03", "10:30:00"], ["2024-02-04", "11:00:00"]]


@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("SELECT * FROM result", "Catalog Error: Table with name result does not exist! (did you mean 'results'?)"),
        ("SELECT * FROM read_csv('/etc/hostname')", "file system operations are disabled by configuration"),
        ("COPY summary TO 'x.csv'", "got COPY; expected one SELECT"),
        ("SELECT 1; SELECT 2", "got SELECT, SELECT; expected one SELECT"),
        ("", "got nothing; expected one SELECT"),
        ("SELECT nothing FROM summary", "Binder Error"),
    ],
)
def test_a_query_that_is_no_select_of_the_tables_is_refused(tmp_path, sweep, bitjoule, sql, wrong):
    pytest.importorskip("duckdb")
    folder = written(bitjoule, sweep, tmp_path)
    status, out, err = bitjoule("query", folder, sql)
    assert (status, out) == (2, "")
    assert wrong in err


def test_a_folder_without_tables_is_refused(tmp_path, bitjoule):
    assert bitjoule("query", tmp_path / "none", "SELECT 1")[2].startswith(f"{tmp_path / 'none'}:1: file: is not a dir")
    assert "contains no table" in bitjoule("query", tmp_path, "SELECT 1")[2]


def test_a_query_is_printed_as_a_table_or_as_csv(tmp_path, sweep, bitjoule):
    pytest.importorskip("duckdb")
    folder = written(bitjoule, sweep, tmp_path)
    sql = "SELECT count(*) AS cases FROM summary WHERE phase = 'prefill'"
    assert bitjoule("query", folder, sql)[1].split() == ["cases", "-------", str(CASES)]
    assert bitjoule("query", "--csv", folder, sql)[1] == f"cases\n{CASES}\n"
    assert bitjoule("query", folder)[1].split() == sorted(tables_of(folder))


@pytest.mark.parametrize("first", [0, 1])
def test_values_may_be_missing_in_the_first_piece_of_a_part_or_in_a_later_one(tmp_path, first):
    """pandas' own tables are what is read; where nothing is missing, the file says that all values are there."""
    whole = pd.DataFrame({"text": pd.Categorical(["a", "b"]), "number": [1, 2], "share": [0.5, np.nan]})
    missing = whole.assign(text=pd.Categorical([None, "b"], categories=["a", "b"]))
    for name, pieces in (("whole", [whole, whole]), ("missing", [whole, missing][:: 1 - 2 * first])):
        writer = PartWriter()
        for piece in pieces:
            writer.write(piece)
        (tmp_path / name).write_bytes(writer.finish())
        read = pd.read_parquet(tmp_path / name)
        pd.testing.assert_frame_equal(read, pd.concat(pieces, ignore_index=True), check_dtype=False)
        stored = pq.ParquetFile(tmp_path / name)
        assert stored.num_row_groups == 2
        assert stored.schema_arrow.field("text").nullable == (name == "missing")


def test_numbers_of_a_later_piece_are_of_the_type_of_the_first(tmp_path):
    pieces = [pd.DataFrame({"x_j": [0.5, 2.0], "n": [1, 2]}), pd.DataFrame({"x_j": [3, 4], "n": [5, 6]})]
    writer = PartWriter()
    for piece in pieces:
        writer.write(piece)
    (tmp_path / "part").write_bytes(writer.finish())
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "part"), pd.concat(pieces, ignore_index=True))


def test_a_time_in_a_cell_of_a_workbook_stays_and_that_of_saving_is_none(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    write_workbook({"t": pd.DataFrame({"note": ["at 2026-11-30T10:49:03Z"]})}, tmp_path / "t.xlsx")
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert book["t"]["A2"].value == "at 2026-11-30T10:49:03Z"
    assert {book.properties.created.isoformat(), book.properties.modified.isoformat()} == {"1980-01-01T00:00:00"}


@pytest.mark.parametrize(
    ("kind", "total", "kept"), [("csv", 5, False), ("xlsx", 5, False), ("parquet", 1, False), ("parquet", 5, True)]
)
def test_parts_are_said_to_be_kept_where_they_are(tmp_path, kind, total, kept):
    into = store.Store(tmp_path / "none", tmp_path / "target", kind)
    into.done, into.total = 2, total
    with pytest.raises(InputError) as error, into._reported():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    wrong = "cannot be written: No space left on device" + "; 2 of 5 parts are kept" * kept
    expected = "room for the rest; the same command then goes on from there" if kept else "a folder that can be written"
    assert str(error.value) == f"{tmp_path / 'target'}:1: file: {wrong}; expected {expected}"
