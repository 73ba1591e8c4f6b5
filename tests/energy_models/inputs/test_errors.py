"""The words of messages."""

import pickle

from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices, suggestion


def test_brief_is_one_printable_line_of_bounded_length():
    assert brief("a\nb") == r"'a\nb'"
    assert len(brief("x" * 500)) == 60
    assert brief("\x1b[31m").isprintable()
    assert brief(10**6000) == "a very large int"


def test_choices_are_cut_and_counted():
    assert choices(["a", "b"]) == "one of a, b"
    assert choices(map(str, range(20)), limit=2) == "one of 0, 1, ... (20 in all)"


def test_a_near_name_is_suggested_whatever_its_case_and_a_far_one_is_not():
    assert suggestion("BitNet-7b", ["bitnet-70b", "llama-7b"]) == " (did you mean 'bitnet-70b'?)"
    assert suggestion("zzz", ["bitnet-70b"]) == ""
    assert suggestion(7, ["7"]) == ""


def test_an_error_crosses_a_process_boundary_whole():
    error = InputError([Problem("f", 1, "k", "is wrong", "right"), Problem("f", 2, "l", "is\nwrong", "right")])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
    assert again.problems == error.problems
    assert str(again) == "f:1: k: is wrong; expected right\nf:2: l: is\\nwrong; expected right"
