"""Quoted prices as a CSV file."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.prices.quoted import read_quoted
from bitjoule.energy_models.prices.technology import measured_technology
from bitjoule.energy_models.system.platform.accesses import macro_price, off_chip_price
from bitjoule.energy_models.system.platform.platforms import OffChip

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
    assert err == (
        f"{tmp_path}/mine.yaml:3: schemes[0]: my5nm has no price for mul int8, which int8 needs; expected "
        "a row mul,int8 in the prices of my5nm, or one of the formats fp16, int8\n"
    )


MEMORIES = """\
operation,format,energy_pj,low,high,source,capacity_bytes,access_bits
add,int8,0.005,0.004,0.007,a slide,,
add,fp16,0.1,,,a talk,,
mul,fp16,0.2,,,a talk,,
add,fp32,0.3,,,a talk,,
sram,,6.4,3.2,12.8,a compiler,65536,64
sram,,25.6,,,a compiler,262144,64
dram,lpddr4,2,1,4,a data sheet,,
dram,,64,,,a guess,,8
"""


def test_memories_have_rows_of_their_own(tmp_path):
    """A bit of 64 KiB costs 6.4 / 64 pJ and one of 256 KiB four times that: log-log, one of 128 KiB twice that."""
    technology = measured_technology("my7nm", read_quoted(written(tmp_path, MEMORIES, "my7nm.csv")))
    assert macro_price("sram", 65536, technology) == pytest.approx((0.05, 0.1, 0.2))
    assert macro_price("sram", 131072, technology) == pytest.approx((math.sqrt(0.05 * 0.4), 0.2, math.sqrt(0.2 * 0.4)))
    named, other, own = (
        OffChip(memory="lpddr4", bandwidth_gb_per_s=1.0),
        OffChip(memory="hbm2", bandwidth_gb_per_s=1.0),
        OffChip(read_pj_per_bit=3.0, write_pj_per_bit=5.0, bandwidth_gb_per_s=1.0),
    )
    assert off_chip_price(named, True, "x", technology) == ((1, 2, 4), "technologies/my7nm.yaml:dram:lpddr4")
    assert off_chip_price(other, False, "x", technology) == ((8, 8, 8), "technologies/my7nm.yaml:dram")
    assert off_chip_price(own, False, "x", technology) == ((5, 5, 5), "x")


def test_an_sram_without_a_size_is_that_of_every_bank(tmp_path):
    text = "operation,format,energy_pj,access_bits\nadd,int8,0.005,\nsram,,6.4,64\n"
    technology = measured_technology("my7nm", read_quoted(written(tmp_path, text, "my7nm.csv")))
    for bank_bytes in (1, 131072, 1 << 30):
        assert macro_price("sram", bank_bytes, technology) == pytest.approx((0.1, 0.1, 0.1))
    assert off_chip_price(OffChip(memory="lpddr4", bandwidth_gb_per_s=1.0), True, "x", technology)[1] == (
        "memories.csv:lpddr4"
    )


SYSTEM = """\
name: mine
accounting: system
matmuls: [{m: 4, k: 64, n: 64}]
schemes: [bitnet-b1.58]
technologies: [my7nm.csv]
platforms: [ternary-edge]
"""


def test_a_platform_pays_the_prices_of_the_table(bitjoule, tmp_path):
    written(tmp_path, MEMORIES, "my7nm.csv")
    (tmp_path / "mine.yaml").write_text(SYSTEM + "sensitivity: true\n")
    assert bitjoule("run", tmp_path / "mine.yaml", "--out", tmp_path / "out", "--no-plots")[::2] == (0, "")
    rows = pd.read_csv(tmp_path / "out" / "mine" / "results.csv")
    for action, pj, price in (
        ("off_chip_read", 2.0, "technologies/my7nm.yaml:dram:lpddr4"),
        ("buffer_read", 0.2, "technologies/my7nm.yaml:sram:131072"),
    ):
        moved = rows[rows["action"] == action]
        assert len(moved)
        assert moved["energy_pj"].to_numpy() == pytest.approx(pj * moved["count"].to_numpy())
        assert set(moved["price"]) == {price}
    causes = set(pd.read_csv(tmp_path / "out" / "mine" / "sensitivity.csv")["cause"])
    assert {"technologies/my7nm.yaml:sram", "technologies/my7nm.yaml:dram:lpddr4"} <= causes
    copy = tmp_path / "out" / "mine" / "experiment.yaml"
    (tmp_path / "my7nm.csv").unlink()
    assert bitjoule("run", copy, "--out", tmp_path / "again", "--no-plots")[0] == 0
    files = [tmp_path / folder / "mine" / "results.csv" for folder in ("out", "again")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_banks_may_have_sizes_for_which_only_the_table_has_a_price(bitjoule, tmp_path):
    written(tmp_path, MEMORIES.replace("65536,64", "64,64"), "my7nm.csv")
    banks = "{name: small, like: ternary-edge, buffers: {activations: {banks: 2048}}}"
    for technology, status in (("my7nm.csv", 0), ("7nm", 2)):
        text = SYSTEM.replace("my7nm.csv", technology).replace("[ternary-edge]", f"[{banks}]")
        (tmp_path / "mine.yaml").write_text(text)
        assert bitjoule("check", tmp_path / "mine.yaml")[0] == status


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ("add,int8,0.005,0.004,0.007,a slide,,\n", "my7nm has no price for add int8, which platform ternary-edge needs "
         "(bitnet-b1.58); expected a row add,int8 in the prices of my7nm, or one of the formats fp16, fp32"),
        ("sram,,25.6,,,a compiler,262144,64\n", "my7nm has no price for sram of 131072 bytes per bank (bitnet-b1.58); "
         "expected a row sram with capacity_bytes >= 131072 in the prices of my7nm, or 65536 bytes per bank: "
         "change banks, or give read_pj and write_pj"),
    ],
)  # fmt: skip
def test_a_row_that_a_platform_lacks_is_named(bitjoule, tmp_path, without, message):
    written(tmp_path, MEMORIES.replace(without, ""), "my7nm.csv")
    (tmp_path / "mine.yaml").write_text(SYSTEM)
    status, _, err = bitjoule("check", tmp_path / "mine.yaml")
    assert (status, err) == (2, f"{tmp_path}/mine.yaml:6: platforms[0]: {message}\n")


def test_rows_that_a_derived_price_lacks_are_those_that_it_is_derived_from(bitjoule, tmp_path):
    """INT4 lies between INT8 and INT32, a product of two widths between both."""
    text = SYSTEM.replace("bitnet-b1.58", "w4a8").replace("ternary-edge", "int4-edge")
    (tmp_path / "mine.yaml").write_text(text)
    wrong = "has no price for mul int4xint8, which platform int4-edge needs (w4a8); expected a row"
    table = MEMORIES
    for lacking, row in (
        ("mul,int8 and mul,int32", "mul,int8,0.07,,,a slide,,\n"),
        ("mul,int32", "mul,int32,1.4,,,a slide,,\n"),
    ):
        written(tmp_path, table, "my7nm.csv")
        assert f"{wrong} {lacking} in the prices of my7nm, or" in bitjoule("check", tmp_path / "mine.yaml")[2]
        table += row
    written(tmp_path, table + "add,int16,0.01,,,a slide,,\nadd,int32,0.03,,,a slide,,\n", "my7nm.csv")
    assert bitjoule("check", tmp_path / "mine.yaml")[0] == 0


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
        TABLE.replace("0.004", "0.006"),
        "2: energy_pj: 0.005 is outside 0.006 to 0.007; expected low <= energy_pj <= high",
    ),
    "a row twice": (f"{TABLE}{ROW}\n", "5: operation: duplicate add int8; expected one row"),
    "an unknown operation": (
        TABLE.replace("mul,", "div,"), "4: operation: got 'div'; expected one of add, mul, sram, dram",
    ),
    "an unknown format": (TABLE.replace("int8", "int9"), "2: format: unknown format 'int9'; expected one of "),
    "too few cells": (TABLE + "mul,int8,3\n", "5: row: 3 cells; expected 6 cells"),
    "no rows": (TABLE.splitlines()[0], "1: rows: no prices; expected a row for each operation and format"),
    "an empty file": ("", "1: header: no column operation, format, energy_pj in ''; expected operation,format,"),
    "Latin-1": (
        TABLE.replace("slide", "é").encode("latin-1"),
        f"1: file: is not valid UTF-8 (byte {TABLE.index('slide')}); ",
    ),
    "a format of an SRAM": (
        MEMORIES.replace("sram,,6.4", "sram,int8,6.4"),
        "6: format: format 'int8' of sram; expected an empty cell; the size is capacity_bytes",
    ),
    "a size of an operation": (
        MEMORIES.replace("a slide,,", "a slide,64,"), "2: capacity_bytes: capacity_bytes of add; expected only of ",
    ),
    "a size of a DRAM": (
        MEMORIES.replace("data sheet,,", "data sheet,64,"),
        "8: capacity_bytes: capacity_bytes of dram; expected only of sram",
    ),
    "half a byte": (MEMORIES.replace("65536", "0.5"), "6: capacity_bytes: got '0.5'; expected a whole number"),
    "an unknown memory": (MEMORIES.replace("lpddr4", "lpddr9"), "8: format: unknown memory 'lpddr9'"),
    "a memory twice": (
        MEMORIES.replace("262144", "65536"), "7: operation: duplicate sram 65536; expected one row",
    ),
    "all sizes and one": (
        MEMORIES.replace("262144", ""),
        "1: rows: a price for all sizes beside prices of sizes; expected one of the two",
    ),
    "a huge size": (
        MEMORIES.replace("262144", "1e15"),
        f"7: capacity_bytes: got {10**15}; expected less than or equal to ",
    ),
    "a node as long as a hand": (
        "operation,format,energy_pj,node_nm\nadd,int8,1,1e8\n",
        "1: node_nm: got 100000000.0; expected less than or equal to ",
    ),
    "a free access": (MEMORIES.replace("2,1,4", "1e99,,"), "8: energy_pj: got 1e+99; expected less than or equal to "),
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


def test_everything_wrong_is_told_at_once(tmp_path):
    text = TABLE.replace("0.005", "cheap").replace("mul,fp16", "div,fp16") + "add,fp16,0.1,,,again\nmul,fp32,1\n"
    path = written(tmp_path, text, "prices.csv")
    with pytest.raises(InputError) as refused:
        read_quoted(path)
    told = [(problem.line, problem.key) for problem in refused.value.problems]
    assert told == [(1, "node_nm"), (2, "energy_pj"), (4, "operation"), (5, "operation"), (6, "row")]


def test_a_quotation_mark_that_is_not_closed_is_told_with_its_line(tmp_path):
    path = written(tmp_path, f'{TABLE}add,int4,1,,,"{"a" * 200_000}\n')
    with pytest.raises(InputError) as refused:
        read_quoted(path)
    assert str(refused.value).startswith(f"{path}:5: row: field larger than field limit")


def test_the_table_that_the_docs_show_is_a_technology(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "prices.md").read_text(encoding="utf-8")
    name = re.search(r"`technologies: \[(\S+)\]`", page)
    shown = re.search(r"```csv\n(operation.*?)```", page, re.DOTALL)
    assert name
    assert shown
    technology = measured_technology("mine", read_quoted(written(tmp_path, shown[1], name[1])))
    assert (technology.node_nm, technology.price("add", "int8").nominal_pj) == (5, 0.005)
