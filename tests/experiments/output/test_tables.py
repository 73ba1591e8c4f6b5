"""CSV: what is written reads back as it was."""

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.output import tables
from bitjoule.experiments.output.tables import write_csv


def read(path):
    with path.open(newline="") as handle:
        return list(csv.reader(handle))


def test_every_float_reads_back_exactly(tmp_path):
    values = np.random.default_rng(0).lognormal(0, 30, 1000)
    frame = pd.DataFrame({"a_pj": values, "b_pj": values, "c_pj": values + 1})
    write_csv([frame], tmp_path / "t.csv")
    header, *rows = read(tmp_path / "t.csv")
    assert header == list(frame.columns)
    np.testing.assert_array_equal(np.array(rows, dtype=float), frame.to_numpy())


def test_missing_values_are_empty_and_text_is_quoted_where_it_must_be(tmp_path):
    frame = pd.DataFrame({"note": ['a,"b"', "", "x"], "x_j": [1.0, float("nan"), 0.1], "n": [1, 2, 3]})
    write_csv([frame], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == 'note,x_j,n\n"a,""b""",1.0,1\n,,2\nx,0.1,3\n'


CELL = {
    "name": st.sampled_from(["fp16", 'a "b"', "c, d", "µ"]),
    "number": st.sampled_from([0.0, 1.0, 2.0, 0.1, 1e-300, float("nan")]) | st.floats(allow_infinity=False),
    "whole": st.integers(-3, 3),
    "flag": st.booleans(),
}


@settings(max_examples=40)
@given(st.data())
def test_any_table_is_written_as_pandas_writes_it(tmp_path_factory, data):
    """Columns repeat, equal each other and miss values: what is formatted once serves only where it is the same."""
    kinds = data.draw(st.lists(st.sampled_from(list(CELL)), min_size=2, max_size=5))
    rows = data.draw(st.integers(1, 8))
    columns = {}
    for i, kind in enumerate(kinds):
        one = data.draw(st.lists(CELL[kind], min_size=rows, max_size=rows))
        twin = data.draw(st.booleans()) and i > 0 and kinds[i - 1] == kind
        columns[f"{kind}_{i}"] = columns[f"{kind}_{i - 1}"] if twin else sorted(one, key=repr)
    frame = pd.DataFrame(columns)
    for name in frame.columns:
        if name.startswith("name") and data.draw(st.booleans()):
            frame[name] = frame[name].astype("category")
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    write_csv([frame[: rows // 2], frame[rows // 2 :]], path)
    assert path.read_bytes().decode() == frame.to_csv(index=False, lineterminator="\n")


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7])
def test_rows_that_repeat_are_written_as_often_as_they_stand(tmp_path, rows):
    write_csv([pd.DataFrame({"a": ["x"] * rows, "b": [1] * rows})], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "a,b\n" + "x,1\n" * rows


def test_counts_are_whole_numbers(tmp_path):
    write_csv([pd.DataFrame({"count": [1.0, 2.0**52, 2.0**60]})], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "count\n1\n4503599627370496\n1152921504606846976\n"


def test_a_result_reads_back_as_it_was(tmp_path, resolved):
    result = run(resolved())
    for name, frame in {"results": result.results, "summary": result.summary}.items():
        write_csv([frame], tmp_path / "t.csv")
        header, *rows = read(tmp_path / "t.csv")
        assert header == list(frame.columns), name
        for column, cells in zip(header, zip(*rows, strict=True), strict=True):
            written = frame[column]
            if written.dtype == "category":
                assert list(cells) == written.tolist()
            else:
                np.testing.assert_array_equal([float(cell or "nan") for cell in cells], written.to_numpy(float))


def test_line_ends_and_missing_categories_survive_reading_back(tmp_path):
    names = pd.Categorical.from_codes([0, -1, 1], ["two\nlines", "a\rb"])
    frame = pd.DataFrame({"name": names, "text": ["x\r\ny", "", "plain"]})
    write_csv([frame], tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [["two\nlines", "x\r\ny"], ["", ""], ["a\rb", "plain"]]


@pytest.mark.parametrize("rows", [1, 3, 4, 8])
def test_a_long_table_is_written_in_blocks_as_it_is_written_whole(tmp_path, monkeypatch, rows):
    frame = pd.DataFrame({"name": ["x", "x", "y", "y", "y", "y", "x", "z"], "number": range(8), "x_j": 0.5})[:rows]
    monkeypatch.setattr(tables, "BLOCK_ROWS", 3)
    blocks = [len(block) for block in tables.row_blocks([frame, frame[:2]])]
    assert blocks == {1: [1, 1], 3: [3, 2], 4: [3, 1, 2], 8: [3, 3, 2, 2]}[rows]
    write_csv([frame, frame[:2]], tmp_path / "t.csv")
    whole = pd.concat([frame, frame[:2]])
    assert (tmp_path / "t.csv").read_text() == whole.to_csv(index=False, lineterminator="\n")
