"""What an entry inherits by ``like``, and from where."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.inputs.documents import parse_document, read_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.inheritance import Family, completed, inheriting

BUILT_IN = {
    "car": {
        "wheels": 4,
        "engine": {"power_kw": 50, "fuel": "petrol"},
        "rows": [{"name": "a", "n": 1}, {"name": "b", "n": 2}],
    },
    "bike": {"wheels": 2},
}
VEHICLE = Family(
    "vehicle", names=lambda: list(BUILT_IN), built_in=lambda name: BUILT_IN[name], items={"rows": ("name",)}
)


def entry(text, folder=None):
    """Return the entry of a text, as if it were a file of a folder."""
    if folder is None:
        return completed(VEHICLE, parse_document(text, "x.yaml"))
    (folder / "x.yaml").write_text(text)
    return completed(VEHICLE, read_document(folder / "x.yaml"), (), folder)


def test_without_like_nothing_is_inherited():
    result = entry("wheels: 3\n")
    assert (result.data, result.origins) == ({"wheels": 3}, {})


def test_what_is_not_written_is_inherited_and_its_origin_known():
    result = entry("like: car\nengine: {power_kw: 80}\n")
    assert result.data == {**BUILT_IN["car"], "engine": {"power_kw": 80, "fuel": "petrol"}}
    assert result.origins == {
        ("wheels",): "car", ("engine", "fuel"): "car", ("rows", 0, "name"): "car", ("rows", 0, "n"): "car",
        ("rows", 1, "name"): "car", ("rows", 1, "n"): "car",
    }  # fmt: skip
    assert result.lines["engine", "power_kw"] == 2


def test_null_removes_a_key():
    assert entry("like: car\nengine: null\nrows: null\n").data == {"wheels": 4}


def test_items_that_have_a_name_change_that_item_or_are_added():
    result = entry("like: car\nrows:\n- {name: c, n: 3}\n- {name: b, n: 5}\n")
    assert result.data["rows"] == [{"name": "a", "n": 1}, {"name": "b", "n": 5}, {"name": "c", "n": 3}]
    assert result.lines["rows", 2, "n"] == 3
    assert result.lines["rows", 1, "n"] == 4
    assert {path for path in result.origins if path[0] == "rows"} == {("rows", 0, "name"), ("rows", 0, "n")}


def test_a_base_may_be_written_in_place_and_be_like_another():
    result = entry("like:\n  like: car\n  wheels: 6\nengine: {fuel: none}\n")
    assert result.data == {**BUILT_IN["car"], "wheels": 6, "engine": {"power_kw": 50, "fuel": "none"}}
    assert result.origins["wheels",] == "the mapping in `like`"
    assert result.origins["engine", "power_kw"] == "car"
    assert ("engine", "fuel") not in result.origins
    assert result.lines["wheels",] == 3


def test_a_base_may_be_a_file_whose_own_base_lies_beside_it(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "van.yaml").write_text("like: lorry\nwheels: 8\n")
    (tmp_path / "lib" / "lorry.yaml").write_text("like: car\nwheels: 10\nengine: {power_kw: 300}\n")
    result = entry("like: lib/van.yaml\nengine: {fuel: gas}\n", tmp_path)
    assert (result.data["wheels"], result.data["engine"]) == (8, {"power_kw": 300, "fuel": "gas"})
    assert result.origins["wheels",] == "lib/van.yaml"
    assert result.origins["engine", "power_kw"] == "lorry"
    assert result.origins["rows", 0, "n"] == "car"
    assert set(result.files) == {"lib/van.yaml", "lorry"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("like: cra\n", "x.yaml:1: like: unknown vehicle 'cra' (did you mean 'car'?); expected one of car, bike"),
        ("like: 5\n", "x.yaml:1: like: unknown vehicle 5; expected one of car, bike"),
        ("like: none.yaml\n", "x.yaml:1: like: 'none.yaml' not found; expected a file of a vehicle, .yaml or .yml"),
        (
            "a: 1\nlike: ./x.yaml\n",
            "x.yaml:2: like: circular inheritance: './x.yaml' is derived from this file; "
            "expected another vehicle, one of car, bike",
        ),
        ("like: list.yaml\n", "x.yaml:1: like: 'list.yaml' holds [1, 2]; expected a mapping"),
        ("like: {like: cra}\n", "x.yaml:1: like.like: unknown vehicle 'cra' (did you mean 'car'?); expected"),
    ],
)
def test_a_base_that_cannot_be_inherited_from_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "list.yaml").write_text("[1, 2]\n")
    with pytest.raises(InputError) as refused:
        entry(text, tmp_path)
    assert str(refused.value).startswith(f"{tmp_path}/{message}")


def test_entries_of_a_document_are_completed_where_they_are_written():
    document = parse_document("name: x\nlist:\n- {like: bike}\n- {like: car, wheels: 5}\n", "x.yaml")
    result = inheriting(document, {("list", 0): VEHICLE, ("list", 1): VEHICLE})
    assert result.data == {"name": "x", "list": [{"wheels": 2}, {**BUILT_IN["car"], "wheels": 5}]}
    assert result.line(("list", 1, "wheels")) == 4
    assert result.line(("list", 1, "engine", "fuel")) == 4


def test_all_bases_that_are_wrong_are_named_at_once():
    document = parse_document("- {like: a}\n- {like: car}\n- {like: b}\n", "x.yaml")
    with pytest.raises(InputError) as refused:
        inheriting(document, {(i,): VEHICLE for i in range(3)})
    assert [problem.line for problem in refused.value.problems] == [1, 3]


ROWS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abcdef")}, optional=dict.fromkeys("nm", st.integers(0, 9))),
    max_size=6, unique_by=lambda row: row["name"],
)  # fmt: skip


@settings(max_examples=100, deadline=None, derandomize=True)
@given(ROWS, ROWS)
def test_any_items_are_those_of_a_dict_by_name_with_their_lines_and_origins(before, after):
    """As a dict is updated: what it has stays in its place, what is new comes behind, in its order."""
    expected = {row["name"]: dict(row) for row in before}
    for row in after:
        expected.setdefault(row["name"], {}).update(row)
    places = {name: i for i, name in enumerate(expected)}
    family = dataclasses.replace(VEHICLE, built_in=lambda _: {"rows": before})
    items = [f"- {{{', '.join(f'{key}: {value}' for key, value in row.items())}}}" for row in after]
    document = parse_document("\n".join(["like: car", "rows:" if after else "rows: []", *items]), "x.yaml")
    result = completed(family, document)
    assert result.data == {"rows": list(expected.values())}
    written = {("rows", places[row["name"]], key): 3 + i for i, row in enumerate(after) for key in row}
    assert {path: line for path, line in result.lines.items() if len(path) == 3} == written
    inherited = {("rows", places[row["name"]], key) for row in before for key in row} - written.keys()
    assert {path: name for path, name in result.origins.items() if len(path) == 3} == dict.fromkeys(inherited, "car")
