"""YAML with lines: what is read, and what is refused with which line."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bitjoule.energy_models.inputs import documents
from bitjoule.energy_models.inputs.documents import MAX_FILE_BYTES, dotted, parse_document, read_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.json_documents import read_json
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.yaml_core import CoreLoader, fast_loader

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(f'*{a}' for _ in range(10))}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def only_problem(error: pytest.ExceptionInfo[InputError]) -> str:
    (problem,) = error.value.problems
    return str(problem)


def test_data_and_lines_of_nested_values():
    document = parse_document("a: 1\nb:\n  c: [x, 2.5]\n  d: true\n", "f.yaml")
    assert document.data == {"a": 1, "b": {"c": ["x", 2.5], "d": True}}
    assert document.line(("b", "c")) == 3
    assert document.line(("b", "d")) == 4
    assert document.line(("b", "nowhere")) == 2  # the nearest enclosing value


@pytest.mark.parametrize("without", [False, True], ids=["libyaml", "without libyaml"])
def test_shipped_files_are_read_the_same_by_either_loader(monkeypatch, without):
    fast_loader.cache_clear()
    documents._kept.cache_clear()
    if without:
        monkeypatch.setattr(yaml, "__with_libyaml__", False)
    paths = sorted(DATA.rglob("*.yaml"))[:: 20 if without else 1]
    assert paths
    assert fast_loader() is not CoreLoader or without or not yaml.__with_libyaml__
    for path in paths:
        by_users, shipped = (parse_document(path.read_text(), path.name, shipped=value) for value in (False, True))
        assert repr(shipped) == repr(by_users), path  # with the order of keys; nan is not equal to itself
        assert replace(read_document(path), file=path.name, path=None) == by_users
    fast_loader.cache_clear()
    documents._kept.cache_clear()


def test_who_changes_what_was_read_changes_nothing_for_the_next():
    text = "a: 1\nb: {c: [x, {d: 2}]}\nbase: &base {e: 3}\nother: {<<: *base, e: 4}\n"
    first, again = parse_document(text, "f.yaml"), parse_document(text, "f.yaml")
    assert first == again
    first.data["b"]["c"][1]["d"] = 5
    first.data["b"]["c"].append("y")
    first.lines[("a",)] = 9
    first.replaced.clear()
    assert parse_document(text, "f.yaml") == again
    assert again.data["b"] == {"c": ["x", {"d": 2}]}
    assert again.replaced == {("other", "e"): 3}
    assert parse_document(text, "g.yaml").problem(("a",), "x", "y").file == "g.yaml"


def test_an_alias_stands_for_its_anchor():
    assert parse_document("a: &x [1, 2]\nb: *x\n", "f").data == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3: a: duplicate key, first on line 1; expected each key once"),
        ("x:\n  a: 1\n  a: 3\n", "f:3: x.a: duplicate key, first on line 2; expected each key once"),
        ("a: 1\n1: 2\n", "f:2: file: the key '1' is not text; expected a name as key"),
        ("a: [1\n", "f:2: file: YAML: did not find expected ',' or ']'; expected valid YAML"),
        ("", "f:1: file: is empty; expected a YAML mapping"),
        ("# only a comment\n", "f:1: file: is empty; expected a YAML mapping"),
        ("a: 1\n---\nb: 2\n", "f:2: file: YAML: but found another document; expected valid YAML"),
        ("a: 1\nb: \x07\n", "f:2: file: contains a character that YAML does not allow; expected plain text"),
        ("a: &x [*x]\n", "f:1: a: an alias contains itself; expected an alias of something else"),
        ('a: "\\ud800"\n', "f:1: a: '\\ud800' is not a valid value; expected text or a number"),
        ('"\\ud800": 1\n', "f:1: file: '\\ud800' is not a valid value; expected text or a number"),
        ("a: *nowhere\n", "f:1: file: YAML: found undefined alias 'nowhere'; expected valid YAML"),
        ("a: 1\nb: !!int x\n", "f:2: b: 'x' is not a valid value; expected text or a number"),
        ("a: !!python/object:os.system x\n", "f:1: a: 'x' is not a valid value; expected text or a number"),
        ("[" * 5000, "f:1: file: is nested too deeply; expected a few levels of keys"),
    ],
)
def test_refused_with_line_and_key(text, message):
    with pytest.raises(InputError) as error:
        parse_document(text, "f")
    got = only_problem(error)
    if "expected ',' or ']'" in message:  # the parser's own wording differs between versions of PyYAML
        assert got.startswith("f:2: file: YAML: ")
    else:
        assert got == message


def test_an_anchor_bomb_is_refused_at_once():
    with pytest.raises(InputError) as error:
        parse_document(BOMB, "f")
    assert "expands to more than 100000 values; expected fewer anchors" in only_problem(error)


def test_an_integer_beyond_pythons_limit_is_refused():
    with pytest.raises(InputError) as error:
        parse_document(f"a: {'9' * 5000}\n", "f")
    assert only_problem(error).startswith("f:1: a: ")


def test_a_directory_a_missing_file_and_a_large_file_are_refused(tmp_path):
    (tmp_path / "large.yaml").write_text("#" * (MAX_FILE_BYTES + 1))
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    for name, wrong in {
        ".": "is a directory",
        "missing.yaml": "does not exist",
        "large.yaml": "is larger than",
        "latin.yaml": "is not valid UTF-8",
    }.items():
        with pytest.raises(InputError, match=wrong):
            read_document(tmp_path / name)


def test_a_device_that_never_ends_is_refused():
    with pytest.raises(InputError, match="is larger than"):
        read_document(Path("/dev/zero"))


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_document(tmp_path / "bom.yaml").data == {"a": 1}


def test_dotted_path():
    assert dotted(("models", 2, "layers")) == "models[2].layers"
    assert dotted(()) == "file"


@pytest.mark.parametrize("read", [read_document, lambda path: read_json(path, "x.json")], ids=["yaml", "json"])
def test_a_file_as_windows_editors_write_it_is_read_as_any_other(tmp_path, read):
    """With a byte order mark (RFC 3629, section 6) and lines that end in CR LF."""
    path = tmp_path / "x.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1,\r\n"b": 2}\r\n')
    found = read(path)
    assert found.data == {"a": 1, "b": 2}
    assert (found.line(("a",)), found.line(("b",))) == (1, 2)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("a", "b"), "--set a.b=1"), (("a", "b", "c", 0), "--set a.b=1"), (("a",), "--set a.b=1"),
        (("x", 0, "y"), "base.yaml"), (("x", 0), "base.yaml"), (("x",), "base.yaml"), (("x", 1), "f.yaml"),
        (("a", "c"), "f.yaml"), (("ab",), "f.yaml"), ((), "f.yaml"),
    ],
)  # fmt: skip
def test_a_problem_is_where_the_value_came_from_and_so_is_one_of_what_holds_it(path, place):
    document = parse_document("a: {b: 0, c: 0}\nx: [{y: 1}, 2]\nab: 3\n", "f.yaml")
    document = replace(document, origins={("a", "b"): "--set a.b=1", ("x", 0, "y"): "base.yaml"})
    problem = document.problem(path, "is wrong", "right")
    assert problem.file == place
    if place != "f.yaml":
        assert problem.line == 1
    assert (problem.wrong, problem.expected) == ("is wrong", "right")
