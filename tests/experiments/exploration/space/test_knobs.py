"""Spaces of knobs: what each design assigns, against itertools and closed forms."""

import itertools

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from bitjoule.experiments.exploration.space import knobs as knobs_module
from bitjoule.experiments.exploration.space.knobs import KnobError, Values, settings, space_of

VALUES = TypeAdapter(dict[str, Values])


def space(**knobs):
    """Return a space; keys have double underscores for dots."""
    return space_of(VALUES.validate_python({key.replace("__", "."): values for key, values in knobs.items()}))


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ({"start": 2, "stop": 9, "step": 3}, [2, 5, 8]),
        ({"start": 2, "stop": 8, "step": 3}, [2, 5, 8]),
        ({"start": 64, "stop": 1024, "factor": 4}, [64, 256, 1024]),
        ({"start": 0.1, "stop": 0.4, "step": 0.1}, [0.1, 0.2, 0.3, 0.4]),
        ({"start": 1, "stop": 4, "factor": 1.5}, [1, 1.5, 2.25, 3.375]),
        ({"start": 3, "stop": 1e308, "factor": 1e200}, [3, int(3e200)]),
        ({"start": 5, "stop": 5, "step": 1}, [5]),
    ],
)
def test_a_range_has_both_ends_and_whole_numbers_stay_integers(written, numbers):
    values = [setting["k"] for setting in settings("k", VALUES.validate_python({"k": written})["k"])]
    assert values == numbers
    assert [type(value) for value in values] == [type(number) for number in numbers]


@pytest.mark.parametrize(
    "written",
    [
        {"start": 1, "stop": 4}, {"start": 1, "stop": 4, "step": 1, "factor": 2}, {"start": 4, "stop": 1, "step": 1},
        {"start": 0, "stop": 4, "factor": 2}, {"start": 1, "stop": 1e9, "step": 1}, {"start": 1, "stop": 4, "step": 0},
        {"start": 1, "stop": float("inf"), "factor": 2}, [], {"zip": {}}, {"zip": {"a": [1]}, "product": {"b": [1]}},
        {"other": {"a": [1]}}, 7, "all",
    ],
)  # fmt: skip
def test_what_is_no_range_list_or_group_is_refused(written):
    with pytest.raises(ValidationError):
        VALUES.validate_python({"k": written})


def test_designs_are_the_product_of_the_knobs_and_the_last_knob_is_the_fastest():
    made = space(
        a__x=[1, 2], b={"zip": {"a.y": [3, 4, 5], "a.z": ["p", "q", "r"]}}, c={"product": {"d": [0, 1], "e": [7, 8]}}
    )
    expected = [
        {"a.x": x, "a.y": y, "a.z": z, "d": d, "e": e}
        for x, (y, z), d, e in itertools.product([1, 2], zip([3, 4, 5], "pqr", strict=True), [0, 1], [7, 8])
    ]
    assert [made.assignment(number) for number in range(len(made))] == expected
    indices = made.indices(range(len(made)))
    assert [made.number(row) for row in indices] == list(range(24))
    assert made.shape == (2, 3, 4)


def test_a_group_in_a_group_varies_as_one_key():
    made = space(g={"zip": {"a": [1, 2, 3, 4], "p": {"product": {"b": [0, 1], "c": [5, 6]}}}})
    values = [tuple(made.assignment(i).values()) for i in range(4)]
    assert values == [(1, 0, 5), (2, 0, 6), (3, 1, 5), (4, 1, 6)]


def test_neighbours_are_a_step_away_in_one_knob_and_any_other_setting_of_a_knob_without_order():
    made = space(lanes=[8, 16, 32, 64], name=["x", "y", "z"], factor=[{"factor": 1}, {"factor": 2}, {"factor": 3}])
    own = made.number([1, 0, 0])
    near = {tuple(row) for row in made.indices(made.neighbours(own)).tolist()}
    assert near == {(0, 0, 0), (2, 0, 0), (1, 1, 0), (1, 2, 0), (1, 0, 1)}
    assert len(made.variations(own)) == 4 + 3 + 3
    for knob, setting, number in made.variations(own):
        differing = np.flatnonzero(made.indices([number])[0] != made.indices([own])[0])
        assert set(differing) <= {knob}
        assert made.indices([number])[0][knob] == setting


@pytest.mark.parametrize(
    ("knobs", "at", "wrong"),
    [
        ({"b": [1, 2], "a": [1, 2, 1]}, ("a",), "duplicate value 1"),
        ({"g": {"zip": {"a": [1, 2], "b": [1]}}}, ("g", "zip"), "lists of different lengths: a 2, b 1"),
        ({"g": {"zip": {"p": {"zip": {"b": [1, 2, 3], "c": [1]}}}}}, ("g", "zip", "p", "zip"),
         "lists of different lengths: b 3, c 1"),
        ({"g": {"zip": {"a": [1], "p": {"product": {"a": [2]}}}}}, ("g", "zip"), "duplicate key a"),
        ({"a": [1], "g": {"product": {"b": [2], "a": [3]}}}, ("a",), "duplicate key a"),
        ({"g": {"product": {str(i): list(range(10)) for i in range(5)}}}, ("g", "product"), "too many combinations"),
        ({str(i): list(range(1000)) for i in range(6)}, (), "1000000000000000000 designs"),
        ({"a": [{"factor": 2}, {"factor": 1e308}]}, ("a",), "got 1e+308"),
        ({"a": [{"factor": -1}]}, ("a",), "got -1"),
        ({"a": [{"factor": True}]}, ("a",), "got true"),
        ({"g": {"zip": {"a": [{"factor": "x"}]}}}, ("g", "zip", "a"), "got 'x'"),
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_numbered_is_refused_where_it_is(knobs, at, wrong):
    with pytest.raises(KnobError) as caught:
        space_of(VALUES.validate_python(knobs))
    assert (caught.value.at, caught.value.wrong) == (at, wrong)


def test_labels_have_sizes_with_binary_prefixes_and_name_values_that_are_always_equal_once():
    made = space(g={"zip": {"a.size_bytes": [65536, 3], "b.size_bytes": [65536, 1 << 20]}}, f=[{"factor": 2}], n=[None])
    assert [knob.label(0) for knob in made.knobs] == ["64 KiB, 64 KiB", "x2", "null"]
    assert made.knobs[0].label(1) == "3, 1 MiB"
    alike = space(g={"zip": {"a.size_bytes": [65536, 1 << 20], "b.size_bytes": [65536, 1 << 20]}})
    assert [alike.knobs[0].label(i) for i in range(2)] == ["64 KiB", "1 MiB"]


def test_the_digest_depends_on_every_setting():
    digests = {space(a=[1, 2]).digest, space(a=[1, 3]).digest, space(b=[1, 2]).digest, space(a=[2, 1]).digest}
    assert len(digests) == 4
    assert space(a=[1, 2]).digest in digests


@pytest.mark.parametrize(
    ("at", "beyond", "told"),
    [
        ({"start": 1, "stop": 4, "step": 1}, {"start": 1, "stop": 5, "step": 1}, "too many values; expected at most 4"),
        ({"start": 1, "stop": 8, "factor": 2}, {"start": 1, "stop": 16, "factor": 2}, "too many values; expected at m"),
        ([1, 2, 3, 4], [1, 2, 3, 4, 5], "5 values; expected at most 4"),
        ({"product": {"a.b": [1, 2], "a.c": [3, 4]}}, {"product": {"a.b": [1, 2], "a.c": [3, 4, 5]}},
         "too many combinations; expected at most 4"),
    ],
)  # fmt: skip
def test_as_many_settings_as_are_allowed_are_taken_and_one_more_is_not(monkeypatch, at, beyond, told):
    monkeypatch.setattr(knobs_module, "MAX_SETTINGS", 4)

    def space(values):
        return space_of(VALUES.validate_python({"platform.array": values}))

    assert len(space(at).knobs[0].settings) == 4
    with pytest.raises((ValidationError, KnobError)) as error:
        space(beyond)
    expected = getattr(error.value, "expected", "")
    assert told in f"{error.value}; expected {expected}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 << 30, "1 GiB"), (3 << 19, "1536 KiB"), (1500, "1500"), (1025, "1025"), (0, "0"), (1 << 10, "1 KiB"),
        (2.5, "2.5"), ({"factor": 0.5}, "x0.5"),
    ],
)  # fmt: skip
def test_only_a_multiple_of_a_binary_prefix_has_one(value, text):
    assert space(a__size_bytes=[value]).knobs[0].label(0) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"name": "mine", "weights": "int8"}, "mine"), ({"b": 1, "a": 2}, '{"a": 2, "b": 1}'), (True, "true"),
        (None, "null"), (0.1 + 0.2, "0.3"), (123456789.5, "123456789.5"),
        ({"factor": 2, "x": 1}, '{"factor": 2, "x": 1}'), (7, "7"),
    ],
)  # fmt: skip
def test_a_setting_is_written_by_its_name_or_as_it_stands(value, text):
    assert space(a=[value]).knobs[0].label(0) == text


@pytest.mark.parametrize(
    ("values", "ordered"),
    [
        ([1, 2, 4], True), ([4, 2, 1], True), ([1, 3, 2], False), ([False, True], False), (["a", "b"], False),
        ([{"factor": 3}, {"factor": 2}], True), ([1, None], False), ({"zip": {"p": ["x", "y"], "n": [2, 1]}}, True),
        ({"zip": {"p": ["x", "y"], "q": ["y", "x"]}}, False), ([1, 2.5, 2.5e3], True),
    ],
)  # fmt: skip
def test_settings_are_in_order_where_numbers_of_one_key_rise_or_fall(values, ordered):
    assert space(k=values).knobs[0].ordered is ordered
