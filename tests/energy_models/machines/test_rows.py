"""The reader of measurements, and the shipped rows against themselves."""

import re

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.machines.rows import NEEDED, read_rows

HEADER = ",".join(NEEDED)


def read(tmp_path, *lines, header=HEADER):
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return read_rows(path)


def test_the_shipped_rows_have_a_source_each_and_watts_in_their_note_where_it_gives_any():
    _, rows = read_rows()
    assert all(row.cells["source"] and row.cells["quality"] in "ABC" for row in rows)
    stated = 0
    for row in rows:
        watts = re.search(r"(?<![\d.])([\d.]+) W(?! idle)", row.cells["note"].split("idle")[0])
        if watts and row.tokens_per_s and row.j_per_token and row.use in ("fit", "hold"):
            stated += 1  # the board KV260's own speed, watts and joules differ by 3 %
            assert row.tokens_per_s * row.j_per_token == pytest.approx(float(watts[1]), rel=0.035), row.line
    assert stated > 50


def test_what_a_row_does_not_print_is_none_and_a_generated_length_is_read_from_its_context():
    rows = read_rows()[1]
    generated = [row for row in rows if row.cells["context"] == "tg128"]
    assert generated
    assert all((row.prompt_tokens, row.new_tokens) == (None, 128) for row in generated)
    assert any(row.j_per_token is None for row in rows)


def test_columns_beyond_the_needed_ones_are_kept(tmp_path):
    columns, (row,) = read(tmp_path, "a,b,c,d,1,2,3,e,decode,mine", header=HEADER + ",own")
    assert columns[-1] == "own"
    assert (row.cells["own"], row.tokens_per_s, row.use) == ("mine", 2.0, "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,b,c,d,1,-2,3,e,decode", "2: tokens_per_s: got '-2'; expected a positive number, or nothing"),
        ("a,b,c,d,1,fast,3,e,decode", "2: tokens_per_s: got 'fast'; expected a positive number, or nothing"),
        ("a,b,c,d,1,2,0,e,decode", "2: j_per_token: got '0'; expected a positive number, or nothing"),
        ("a,b,c,d,1,2,inf,e,decode", "2: j_per_token: got 'inf'; expected a positive number, or nothing"),
        ("a,b,c,d,0.5,2,3,e,decode", "2: batch: got '0.5'; expected at least 1, or nothing"),
        ("a,b,c,d,1,2,3,e,training", "2: phase: got 'training'; expected one of decode, prefill, request"),
        ("a,b,c", "2: row: 3 cells; expected 9 cells"),
        ("a,b,c,d,1e300,2,3,e,decode", "2: batch: got '1e300'; expected at most 1000000000"),
        ("a,b,c,d,1,1e300,3,e,decode", "2: tokens_per_s: got '1e300'; expected at most 1000000000000"),
        ("a,b,c,d,1,5e-324,3,e,decode", "2: tokens_per_s: got '5e-324'; expected at least 1e-12"),
        ("a,b,c,d,1,2,1e-13,e,decode", "2: j_per_token: got '1e-13'; expected at least 1e-12"),
        (f'a,"{"b" * 140_000}', "2: row: field larger than field limit (131072); expected lines of a CSV file"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, line, message):
    with pytest.raises(InputError) as raised:
        read(tmp_path, line)
    assert str(raised.value) == f"{tmp_path / 'rows.csv'}:{message}"


def test_a_missing_column_or_file_is_named(tmp_path):
    with pytest.raises(InputError, match="1: header: no column batch; expected device"):
        read(tmp_path, header=HEADER.replace(",batch", ""))
    with pytest.raises(InputError, match="No such file or directory; expected a CSV file of measurements"):
        read_rows(tmp_path / "none.csv")


@pytest.mark.parametrize(("column", "least"), [("batch", "1"), ("new_tokens", "1"), ("prompt_tokens", "0")])
def test_numbers_are_taken_from_the_least_on_and_what_is_empty_is_none(tmp_path, column, least):
    names = [*NEEDED, "prompt_tokens", "new_tokens", "context"]
    cells = dict(zip(names, ["a", "b", "c", "d", "2", "3", "4", "e", "decode", "5", "6", ""], strict=True))
    for text, value in ((least, float(least)), ("", 1.0 if column == "batch" else None)):
        _, (row,) = read(tmp_path, ",".join((cells | {column: text}).values()), header=",".join(names))
        assert getattr(row, column) == value
    below = str(float(least) - 0.5)
    with pytest.raises(InputError, match=f"2: {column}: got '{below}'; expected "):
        read(tmp_path, ",".join((cells | {column: below}).values()), header=",".join(names))


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [("prompt_tokens", "16777217", "at most 16777216"), ("new_tokens", "1e18", "at most 16777216"),
     ("context", "tg0", "1 to 16777216 generated tokens"),
     ("context", "gen 99999999999999999999", "1 to 16777216 generated tokens")],
)  # fmt: skip
def test_lengths_that_no_mapping_is_searched_for_are_refused(tmp_path, column, cell, expected):
    with pytest.raises(InputError, match=f"2: {column}: got '{cell}'; expected {expected}"):
        read(tmp_path, f"a,b,c,d,1,2,3,e,decode,{cell}", header=f"{HEADER},{column}")


@pytest.mark.parametrize(
    ("context", "given", "tokens"),
    [("tg64", "", 64), ("gen 200", "", 200), ("tg64", "9", 9), ("pp512", "", None), ("tg64 pp512", "", None),
     ("a tg64", "", None), ("", "", None)],
)  # fmt: skip
def test_generated_tokens_are_those_of_the_column_or_else_of_the_context_alone(tmp_path, context, given, tokens):
    header = ",".join([*NEEDED, "context", "new_tokens"])
    _, (row,) = read(tmp_path, f"a,b,c,d,1,2,3,e,decode,{context},{given}", header=header)
    assert row.new_tokens == tokens
