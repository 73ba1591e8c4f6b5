"""Scalars as YAML 1.2's core schema reads them, and merge keys: the specifications' examples, and refusals."""

import math
from pathlib import Path

import pytest
import yaml

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.yaml_core import write_marked, write_yaml
from bitjoule.energy_models.system.platform.platforms import read_platform

ROOT = Path(__file__).parents[3]
PACKAGES = ("benchmarks", "bitjoule", "energy_models", "experiments", "gates", "reports", "rtl", "sim")

# Example 10.9 of https://yaml.org/spec/1.2.2/
CORE = """\
A null: null
Also a null: # Empty
Not a null: ""
Booleans: [ true, True, false, FALSE ]
Integers: [ 0, 0o7, 0x3A, -19 ]
Floats: [ 0., -0.0, .5, +12e03, -2E+05 ]
Also floats: [ .inf, -.Inf, +.INF ]
"""
# The example of https://yaml.org/type/merge.html: all maps of the second part are equal.
MERGES = """\
shared:
  - &CENTER { x: 1, y: 2 }
  - &LEFT { x: 0, y: 2 }
  - &BIG { r: 10 }
  - &SMALL { r: 1 }
same:
  - { x: 1, y: 2, r: 10, label: center/big }
  - { <<: *CENTER, r: 10, label: center/big }
  - { <<: [ *CENTER, *BIG ], label: center/big }
  - { <<: [ *BIG, *LEFT, *SMALL ], x: 1, label: center/big }
"""


def data(text):
    return parse_document(text, "f").data


def refusal(text):
    with pytest.raises(InputError) as error:
        parse_document(text, "f")
    (problem,) = error.value.problems
    return str(problem)


def test_the_core_schema_of_the_specification():
    expected = {
        "A null": None, "Also a null": None, "Not a null": "",
        "Booleans": [True, True, False, False],
        "Integers": [0, 7, 58, -19],
        "Floats": [0.0, -0.0, 0.5, 12000.0, -200000.0],
        "Also floats": [math.inf, -math.inf, math.inf],
    }  # fmt: skip
    found = data(CORE)
    assert found == expected
    assert [type(value) for value in found["Floats"]] == [float] * 5
    assert [type(value) for value in found["Integers"]] == [int] * 4
    assert math.isnan(data("a: .NaN\n")["a"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4e0", 4.0), ("1e-3", 0.001), ("45e-1", 4.5), ("1E6", 1e6), ("1.", 1.0), ("+.5", 0.5),
        ("010", 10), ("08", 8), ("-010", -10), ("0o10", 8), ("0x1f", 31),
        ("1_000", "1_000"), ("1_0.5", "1_0.5"), ("2:08", "2:08"), ("1:30.5", "1:30.5"), ("0b11", "0b11"),
        ("-0o7", "-0o7"), ("-0x1f", "-0x1f"), ("+.nan", "+.nan"), ("1e", "1e"), (".", "."), ("=", "="),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("Off", "Off"), ("y", "y"), ("tRue", "tRue"), ("nUll", "nUll"),
        ("2024-01-31", "2024-01-31"), ("'4e0'", "4e0"), ("!!int 010", 10), ("!!float 1", 1.0), ("!!str 4e0", "4e0"),
    ],
)  # fmt: skip
def test_scalars_that_yaml_1_1_or_its_readers_take_for_something_else(text, value):
    found = data(f"a: {text}\n")["a"]
    assert found == value
    assert type(found) is type(value)


def test_merged_mappings_of_the_specification_are_equal():
    same = data(MERGES)["same"]
    assert same == [{"x": 1, "y": 2, "r": 10, "label": "center/big"}] * 4


def test_merged_values_keep_their_line_and_own_keys_have_precedence_wherever_they_stand():
    document = parse_document("a: &a\n  x: 1\n  in: {y: 2}\nb:\n  x: 3\n  <<: *a\nc:\n  <<: *a\n  x: 4\n", "f")
    assert document.data["b"] == {"x": 3, "in": {"y": 2}}
    assert document.data["c"] == {"x": 4, "in": {"y": 2}}
    assert [document.line(("b", "x")), document.line(("b", "in")), document.line(("b", "in", "y"))] == [5, 3, 3]
    assert [document.line(("c", "x")), document.line(("c",))] == [9, 7]


def test_a_merge_of_a_merge_and_a_quoted_key():
    chain = "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3}\n"
    assert data(chain)["c"] == {"x": 1, "y": 2, "z": 3}
    assert data("a: {'<<': 1}\n") == {"a": {"<<": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a {x: 1}\nb:\n  <<: *a\n  x: 1\n  x: 2\n", "f:5: b.x: duplicate key, first on line 4; expected each key "
         "once"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n", "f:4: b.<<: duplicate key, first on line 3; expected each key once"),
        ("a: {<<: 4}\n", "f:1: a.<<: '4' cannot be merged; expected an alias of a mapping, or a list of such"),
        ("a: {<<: [[1]]}\n", "f:1: a.<<: a list cannot be merged; expected an alias of a mapping, or a list of such"),
        ("a: &a\n  x: {<<: *a}\n", "f:2: a.x.<<: an alias contains itself; expected an alias of something else"),
    ],
)  # fmt: skip
def test_wrong_merges_are_refused(text, message):
    assert refusal(text) == message


def test_merges_that_stand_for_many_values_are_refused_at_once():
    lines = ["a0: &a0 {" + ", ".join(f"k{i}: 1" for i in range(400)) + "}"]
    lines += [f"a{i}: &a{i} {{<<: *a{i - 1}}}" for i in range(1, 400)]
    message = refusal("\n".join(lines) + "\n")
    assert message.endswith("expands to more than 100000 values; expected fewer anchors and aliases")


@pytest.mark.parametrize("value", ["4e0", "1e3", "0o10", "010", "2:08", "yes", "null", "~", "<<", "1_000", ".5", "x"])
def test_text_is_written_so_that_both_versions_of_yaml_read_it_as_text(value):
    written = write_yaml({value: value})
    assert data(written) == {value: value}
    assert yaml.safe_load(written) == {value: value}


@pytest.mark.parametrize("value", [1e-5, 1e22, 0.1, 10, -3, None, True, math.inf, 123456789.25])
def test_numbers_are_written_so_that_both_versions_of_yaml_read_them_as_numbers(value):
    written = write_yaml({"a": value})
    assert data(written) == {"a": value}
    assert yaml.safe_load(written) == {"a": value}


def test_nothing_else_reads_or_writes_yaml():
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert len(files) > 100
    users = {path.name for path in files if "import yaml" in path.read_text(encoding="utf-8")}
    assert users == {"documents.py", "yaml_core.py"}


def test_a_platform_with_exponents_and_merged_buffers(tmp_path):
    exponents = "like: ternary-edge\noff_chip: {memory: null, read_pj_per_bit: 4e0, write_pj_per_bit: 45e-1}\n"
    (tmp_path / "exponents.yaml").write_text(exponents)
    off_chip = read_platform(tmp_path / "exponents.yaml").off_chip
    assert (off_chip.read_pj_per_bit, off_chip.write_pj_per_bit) == (4.0, 4.5)
    merges = "like: ternary-edge\nbuffers:\n"
    merges += "  weights: &buffer {size_bytes: 524288, memory: null, banks: null, read_pj: 10, write_pj: 10}\n"
    merges += "  activations: {<<: *buffer, size_bytes: 262144}\n"
    (tmp_path / "merges.yaml").write_text(merges)
    buffers = read_platform(tmp_path / "merges.yaml").buffers
    found = [(buffers[name].size_bytes, buffers[name].read_pj, buffers[name].write_pj) for name in buffers]
    assert found == [(524288, 10.0, 10.0), (262144, 10.0, 10.0)]
    (tmp_path / "wrong.yaml").write_text("like: ternary-edge\noff_chip:\n  memory: null\n  read_pj_per_bit: 2:08\n")
    with pytest.raises(InputError, match=r"wrong\.yaml:4: off_chip\.read_pj_per_bit: got '2:08'; expected a valid n"):
        read_platform(tmp_path / "wrong.yaml")


MARKED = {
    "title": "a " * 60 + "b",
    "empty": {},
    "parts": {"x": {"n": 1, "m": 2}, "y": {"n": 3, "m": "#4"}},
    "list": [{"n": 1}, {"n": 2}],
    "names": ["p", "q"],
}


def test_without_marks_it_is_the_yaml():
    assert yaml.safe_load(write_marked(MARKED, {})) == MARKED
    assert " # " not in write_marked(MARKED, {})


def test_what_has_one_mark_is_marked_once_and_the_rest_value_by_value():
    marks = {("parts", "x", "n"): "from a", ("parts", "x", "m"): "from a", ("parts", "y", "m"): "from b"}
    marks |= {("title",): "from c", ("empty",): "default", ("list", 1, "n"): "from d"}
    marks |= {("names", 0): "from e", ("names", 1): "from e"}
    text = write_marked(MARKED, marks, 60)
    assert yaml.safe_load(text) == MARKED
    commented = [line.strip() for line in text.splitlines() if "  # " in line]
    assert commented[0].endswith("b  # from c")  # the last line of a folded text
    assert commented[1:] == [
        "empty: {}  # default", "x:  # from a", "m: '#4'  # from b", "- n: 2  # from d", "names:  # from e",
    ]  # fmt: skip
