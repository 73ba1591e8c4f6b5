"""The words of messages."""

import math
import pickle

import pytest
import yaml

from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices, reason, spelling, suggestion
from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.interchange.scalesim import read_topology
from bitjoule.rtl.faults import brief as rtl_brief
from bitjoule.rtl.faults import one_of
from bitjoule.sim.quality.tables import histories
from bitjoule.sim.training.ladder import Table


def test_brief_is_one_printable_line_of_bounded_length():
    assert brief("a\nb") == r"'a\nb'"
    assert len(brief("x" * 500)) == 60
    assert brief("\x1b[31m").isprintable()
    assert brief(10**6000) == "a very large int"


@pytest.mark.parametrize("shown", [brief, rtl_brief])
@pytest.mark.parametrize(
    "value",
    [None, True, False, 1, -2.5, math.inf, -math.inf, "x", "null", [], {}, [None, [True]], {"a": {"b": None}}],
)
def test_a_value_is_shown_as_yaml_writes_it(value, shown):
    text = shown(value)
    assert yaml.safe_load(text) == value
    assert not {"None", "True", "False"} & set(text.replace(",", " ").split())
    assert shown(math.nan) == ".nan"


def test_choices_are_cut_and_counted():
    assert choices(["a", "b"]) == "one of a, b"
    assert choices(map(str, range(20)), limit=2) == "one of 0, 1, ... (20 in all)"
    assert choices(["a"]) == "a"


def test_names_of_a_configuration_are_one_of_several_or_one_alone():
    assert one_of([1, 2]) == "one of 1, 2"
    assert one_of(("a",)) == "a"


@pytest.mark.parametrize("limit", [None, 1, 2, 12])
def test_names_are_cut_only_where_there_are_more_than_are_listed(limit):
    listed, given = limit or 12, {} if limit is None else {"limit": limit}  # twelve unless told otherwise
    for count in (listed - 1, listed, listed + 1):
        names = [f"n{i}" for i in range(count)]
        more = f", ... ({count} in all)" if count > listed else ""
        assert choices(iter(names), **given) == "one of " * (count > 1) + ", ".join(names[:listed]) + more


@pytest.mark.parametrize("limit", [7, 20, 60])
def test_a_text_is_cut_only_where_it_is_longer_than_it_may_be(limit):
    for length in (limit - 1, limit, limit + 1):
        text = "x" * (length - 2)  # and two quotes
        assert brief(text, limit) == (repr(text) if length <= limit else repr(text)[: limit - 3] + "...")


def test_a_near_name_is_suggested_whatever_its_case_and_a_far_one_is_not():
    assert suggestion("BitNet-7b", ["bitnet-70b", "llama-7b"]) == " (did you mean 'bitnet-70b'?)"
    assert suggestion("zzz", ["bitnet-70b"]) == ""
    assert suggestion(7, ["7"]) == ""


def test_of_near_names_one_with_the_same_numbers_comes_first():
    assert suggestion("int4x", ["int8x8", "int4xx"]) == " (did you mean 'int4xx'?)"
    assert suggestion("b1.58", ["bitnet-b1.58-kv8", "bitnet-b1.58"]) == " (did you mean 'bitnet-b1.58'?)"
    assert suggestion("bitnet-b158", ["bitnet-b1.58-kv8", "bitnet-b1.58"]) == " (did you mean 'bitnet-b1.58'?)"


@pytest.mark.parametrize(
    ("word", "hint"),
    [("int4", ""), ("w8a4", ""), ("fp61", "fp16"), ("w4a61", "w4a16"), ("FP-16", "fp16"), ("w3a16", "")],
)
def test_where_other_numbers_are_other_things_no_hint_points_at_them(word, hint):
    known = ["fp16", "int8", "w4a8", "w4a16"]
    assert suggestion(word, known, same_numbers=True) == (f" (did you mean {hint!r}?)" if hint else "")


def test_a_spelling_has_the_same_letters_and_digits():
    assert spelling("Phi-3", ["phi", "phi3"]) == " (did you mean 'phi3'?)"
    assert spelling("gpt-oss", ["gpt_oss"]) == " (did you mean 'gpt_oss'?)"
    assert spelling("gemma3n", ["gemma3"]) == spelling("lama", ["llama"]) == spelling(None, ["none"]) == ""


def test_an_error_crosses_a_process_boundary_whole():
    error = InputError([Problem("f", 1, "k", "is wrong", "right"), Problem("f", 2, "l", "is\nwrong", "right")])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
    assert again.problems == error.problems
    assert str(again) == "f:1: k: is wrong; expected right\nf:2: l: is\\nwrong; expected right"


@pytest.mark.parametrize(
    "read",
    [
        lambda path: list(read_facts(path, ("a", "b"))),
        read_topology,
        histories,
        lambda path: list(Table(path).rows()),
    ],
    ids=["facts", "topology", "quality", "ladder"],
)
def test_a_csv_file_that_cannot_be_taken_apart_is_wrong_input(tmp_path, read):
    path = tmp_path / "t.csv"
    path.write_text(f'a,b\n1,"{"x" * 140_000}\n')  # a quotation mark that is not closed
    with pytest.raises(InputError, match=r"t\.csv:2: row: field larger than field limit \(131072\); expected lines of"):
        read(path)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/a/b"), "cannot be read: Permission denied"),
        (OSError("read length must be non-negative"), "cannot be read: read length must be non-negative"),
        (ValueError("embedded null byte"), "cannot be read: embedded null byte"),
        (UnicodeDecodeError("utf-8", b"ab\xff", 2, 3, "invalid start byte"), "is not valid UTF-8 (byte 2)"),
    ],
)
def test_why_a_file_was_not_read_is_said_without_the_systems_number(error, said):
    assert reason(error) == said
