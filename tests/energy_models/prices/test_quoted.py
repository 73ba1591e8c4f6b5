"""Quoted prices as a CSV file."""

import re
from pathlib import Path

import pandas as pd
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.prices.quoted import read_quoted
from bitjoule.energy_models.prices.technology import measured_technology

TABLE = """\
operation,format,energy_pj,low,high,source
add,int8,0.005,0.004,0.007,a slide
add,fp16,0.1,,,a talk
mul,fp16,0.2,,,a talk
"""


def written(tmp_path, text, name="my5nm.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_row_is_a_price_with_its_band_source_and_line(tmp_path):
    technology = measured_technology("my5nm", read_quoted(written(tmp_path, TABLE)))
    assert technology.node_nm == 5
    assert technology.price("add", "int8") == (0.004, 0.005, 0.007)
    assert technology.price("mul", "fp16") == (0.2, 0.2, 0.2)
    row = technology.rows["mul", "fp16"]
    assert (row.source, row.where) == ("a talk", "line 4")


@pytest.mark.parametrize(
    "text",
    [
        TABLE.replace("low,high", "energy_low_pj,energy_high_pj"),
        "\ufeff" + TABLE.replace("\n", "\r\n"),
        "source,node_nm,format,operation,high,low,energy_pj\na,5,int8,add,0.007,0.004,0.005\n\n",
    ],
    ids=["long names", "Windows", "another order"],
)
def test_order_names_and_line_ends_do_not_matter(tmp_path, text):
    technology = measured_technology("x", read_quoted(written(tmp_path, text)))
    assert technology.node_nm == 5
    assert technology.price("add", "int8") == (0.004, 0.005, 0.007)


def test_a_node_column_goes_before_the_name_of_the_file(tmp_path):
    text = "operation,format,energy_pj,node_nm\nadd,int8,1,22\n"
    assert read_quoted(written(tmp_path, text, "mine45nm.csv")).node_nm == 22


def test_an_experiment_takes_the_file_and_its_copy_needs_it_no_more(bitjoule, tmp_path):
    """One MAC: (0.2 + 0.1) pJ in FP16 over 0.005 pJ of an addition of INT8."""
    path = written(tmp_path, TABLE)
    (tmp_path / "mine.yaml").write_text(
        "name: mine\naccounting: mac\nmatmuls: [{m: 1, k: 1, n: 1}]\nschemes: [fp16, bitnet-b1.58]\n"
        "technologies: [./my5nm.csv]\nbaseline: {scheme: fp16}\n"
    )
    assert bitjoule("run", tmp_path / "mine.yaml", "--out", tmp_path / "out", "--no-plots")[::2] == (0, "")
    summary = pd.read_csv(tmp_path / "out" / "mine" / "summary.csv").set_index("scheme")
    assert summary.loc["bitnet-b1.58", "ratio_to_baseline"] == pytest.approx(60)
    assert summary["technology"].tolist() == ["my5nm"] * 2
    path.unlink()
    copy = tmp_path / "out" / "mine" / "experiment.yaml"
    assert bitjoule("run", copy, "--out", tmp_path / "again", "--no-plots")[0] == 0
    files = [tmp_path / folder / "mine" / "results.csv" for folder in ("out", "again")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_price_that_the_table_lacks_is_named(bitjoule, tmp_path):
    written(tmp_path, TABLE)
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nmodels: [bitnet-125m]\nschemes: [int8]\ntechnologies: [my5nm.csv]\n"
    )
    status, _, err = bitjoule("run", tmp_path / "mine.yaml", "--out", tmp_path / "out")
    assert status == 2
    assert err.startswith(f"{tmp_path}/mine.yaml:3: schemes[0]: my5nm has no price for mul int8, which int8 needs")


ROW = "add,int8,0.005,0.004,0.007,a slide"
WRONG = {
    "a missing column": (
        TABLE.replace("energy_pj", "energy"),
        "1: header: no column energy_pj in 'operation,format,energy,low,high,source'; "
        "expected operation,format,energy_pj,low,high,source",
    ),
    "semicolons": (
        TABLE.replace(",", ";"),
        "1: header: no column operation, format, energy_pj in 'operation;format;energy_pj;low;high;source'; "
        "expected operation,format,energy_pj,low,high,source",
    ),
    "an unknown column": (TABLE.replace("source", "author"), "1: header: unknown column 'author'; expected one of "),
    "a column twice": (TABLE.replace("high", "low"), "1: header: duplicate column 'low'; expected one of "),
    "a negative price": (
        TABLE.replace("0.005", "-0.005"), "2: energy_pj: got '-0.005'; expected a positive number",
    ),
    "no number": (TABLE.replace("0.1,", "cheap,"), "3: energy_pj: got 'cheap'; expected a positive number"),
    "a band beside its price": (
        TABLE.replace("0.004", "0.006"), "2: energy_pj: outside low..high; expected low <= energy_pj <= high",
    ),
    "a row twice": (f"{TABLE}{ROW}\n", "5: operation: duplicate add int8; expected one row"),
    "an unknown operation": (TABLE.replace("mul,", "div,"), "4: operation: got 'div'; expected one of add, mul"),
    "an unknown format": (TABLE.replace("int8", "int9"), "2: format: unknown format 'int9'; expected one of "),
    "too few cells": (TABLE + "mul,int8,3\n", "5: row: 3 cells; expected 6 cells"),
    "no rows": (TABLE.splitlines()[0], "1: rows: no prices; expected a row for each operation and format"),
    "an empty file": ("", "1: header: no column operation, format, energy_pj in ''; expected operation,format,"),
    "Latin-1": (TABLE.replace("slide", "é").encode("latin-1"), "1: file: 'utf-8' codec can't decode byte 0xe9 "),
    "two nodes": (
        "operation,format,energy_pj,node_nm\nadd,int8,1,22\nadd,fp16,1,7\n",
        "3: node_nm: got 7; expected 22 in each row",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tables_are_refused_with_file_and_line(tmp_path, name):
    text, message = WRONG[name]
    path = written(tmp_path, text)
    with pytest.raises(InputError) as refused:
        read_quoted(path)
    assert str(refused.value).startswith(f"{path}:{message}")


def test_a_file_whose_name_says_no_node_needs_a_column(tmp_path):
    path = written(tmp_path, TABLE, "prices.csv")
    with pytest.raises(InputError) as refused:
        read_quoted(path)
    assert str(refused.value) == (
        f"{path}:1: node_nm: the file's name says no node; expected a column node_nm, or a name such as my5nm.csv"
    )


def test_the_table_that_the_docs_show_is_a_technology(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "accounting.md").read_text(encoding="utf-8")
    name = re.search(r"`technologies: \[(\S+)\]`", page)
    shown = re.search(r"```csv\n(operation.*?)```", page, re.DOTALL)
    assert name
    assert shown
    technology = measured_technology("mine", read_quoted(written(tmp_path, shown[1], name[1])))
    assert (technology.node_nm, technology.price("add", "int8").nominal_pj) == (5, 0.005)
