"""Values of CSV and YAML files, and messages about them, whole."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitjoule.energy_models.inputs import plugins as found
from bitjoule.energy_models.inputs import sources as bibliography
from bitjoule.energy_models.inputs.amounts import Amount, price_of
from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError, PluginError, brief
from bitjoule.energy_models.inputs.facts import positive, price, read_facts
from bitjoule.energy_models.inputs.validation import OneOf, Strict, named_file, validate


class Priced(Strict):
    energy_pj: Amount


class Chosen(Strict):
    kind: OneOf(lambda: ("alpha", "beta"))  # type: ignore[valid-type]


def amount(text):
    return validate(Priced, parse_document(f"energy_pj: {text}\n", "f.yaml")).energy_pj


def test_an_amount_is_a_price_times_a_factor():
    assert price_of(amount("{low: 2, nominal: 3, high: 5}"), 7) == (14, 21, 35)
    assert price_of(amount("{low: 2, nominal: 3, high: 5}")) == (2, 3, 5)
    assert price_of(amount("4"), 0.5) == (2, 2, 2)
    assert price_of(amount("{low: 3, nominal: 3, high: 3}")) == (3, 3, 3)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{low: 4, nominal: 3, high: 5}", "3 is outside 4 to 5"),
        ("{low: 2, nominal: 6, high: 5.5}", "6 is outside 2 to 5.5"),
        ("{low: 7, nominal: 3, high: 5}", "low 7 is above high 5"),
        ("{low: 1.0000001, nominal: 1, high: 5}", "1 is outside 1.0000001 to 5"),
    ],
)
def test_a_band_is_in_order(text, wrong):
    with pytest.raises(InputError) as error:
        amount(text)
    told = f"f.yaml:1: energy_pj.nominal: {wrong}; expected low <= nominal <= high"
    assert str(error.value) == told


def test_a_name_that_is_none_of_those_known_is_told_with_the_nearest():
    with pytest.raises(InputError) as error:
        validate(Chosen, parse_document("kind: alpa\n", "f.yaml"))
    assert str(error.value) == "f.yaml:1: kind: 'alpa' is unknown (did you mean 'alpha'?); expected one of alpha, beta"
    assert validate(Chosen, parse_document("kind: beta\n", "f.yaml")).kind == "beta"


ROW = {"energy_low_pj": "2", "energy_pj": "3", "energy_high_pj": "5", "other": "-1"}
AT = Path("f.csv")


def test_a_row_of_facts_is_a_price():
    assert price(AT, 9, ROW) == (2, 3, 5)
    assert price(AT, 9, dict.fromkeys(ROW, "3")) == (3, 3, 3)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"energy_pj": "1"}, "f.csv:9: energy_pj: 1 is outside 2 to 5; expected low <= energy_pj <= high"),
        ({"energy_pj": "6"}, "f.csv:9: energy_pj: 6 is outside 2 to 5; expected low <= energy_pj <= high"),
        ({"energy_low_pj": "0"}, "f.csv:9: energy_low_pj: got '0'; expected a positive number"),
        ({"energy_high_pj": "inf"}, "f.csv:9: energy_high_pj: got 'inf'; expected a positive number"),
        ({"energy_pj": "x"}, "f.csv:9: energy_pj: got 'x'; expected a positive number"),
        ({"energy_pj": ""}, "f.csv:9: energy_pj: got ''; expected a positive number"),
    ],
)
def test_a_row_that_is_no_price_is_told_with_line_and_column(changes, told):
    with pytest.raises(InputError) as error:
        price(AT, 9, ROW | changes)
    assert str(error.value) == told


def test_a_cell_is_that_of_its_column():
    assert positive(AT, 1, ROW, "energy_high_pj") == 5
    with pytest.raises(InputError, match=r"^f\.csv:1: other: got '-1'; expected a positive number$"):
        positive(AT, 1, ROW, "other")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,c\n1,2\n", ":1: header: got a,c; expected a,b"),
        ("a,b\n1,2\n1\n", ":3: row: 1 cells; expected 2 cells"),
        ('a,b\n"1\n",2\n1,2,3\n', ":4: row: 3 cells; expected 2 cells"),
        ("", ":1: header: got ; expected a,b"),
    ],
)
def test_facts_of_another_form_are_told_with_their_line(tmp_path, text, told):
    path = tmp_path / "f.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        list(read_facts(path, ("a", "b")))
    assert str(error.value) == f"{path}{told}"


def test_facts_have_the_line_on_which_they_end_and_their_cells_as_written(tmp_path):
    path = tmp_path / "f.csv"
    path.write_bytes('a,b\r\n1,"x\r\ny"\r\n2,µ\r\n'.encode())
    assert list(read_facts(path, ("a", "b"))) == [(3, {"a": "1", "b": "x\r\ny"}), (4, {"a": "2", "b": "µ"})]


@pytest.mark.parametrize(("length", "text"), [(58, 58 * "x"), (59, 56 * "x" + "...")])
def test_a_text_of_the_longest_length_is_whole_and_a_longer_one_is_cut(length, text):
    shown = brief("x" * length)
    assert len(shown) == 60
    assert shown.strip("'") == text
    assert brief("é") == "'é'"
    assert brief("\u2028") == r"'\u2028'"


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("tinny", "tinny:1: file: unknown thing 'tinny' (did you mean 'tiny'?); expected a YAML file or tiny"),
        ("", "'':1: file: unknown thing ''; expected a YAML file or tiny"),
    ],
)
def test_a_name_of_nothing_that_ships_is_told_whole(argument, told):
    with pytest.raises(InputError) as error:
        named_file("thing", argument, {"tiny": Path("t.yaml")})
    assert str(error.value) == told
    assert named_file("thing", "tiny", {"tiny": Path("t.yaml")}) == Path("t.yaml")


def test_a_file_of_the_same_name_as_what_ships_is_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").write_text("")
    assert named_file("thing", "tiny", {"tiny": Path("t.yaml")}) == Path("tiny")


PLUGIN = found.Plugin("bitjoule.plots", "mine", "their_module:part.of", "their-package")
BEFORE = "their-package: entry point 'mine' of bitjoule.plots: "


def test_a_plugin_that_cannot_be_imported_is_told_whole(monkeypatch):
    def fails(name):
        raise ZeroDivisionError(f"in {name}")

    monkeypatch.setattr(importlib, "import_module", fails)
    with pytest.raises(PluginError) as error:
        PLUGIN.load("a plot")
    told = "importing their_module:part.of fails (ZeroDivisionError: in their_module); expected a plot"
    assert str(error.value) == BEFORE + told
    monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace(part=SimpleNamespace(of=5)))
    assert PLUGIN.load("a plot") == 5


@pytest.mark.parametrize(
    ("loaded", "wrong"),
    [
        (5, "their_module:part.of is of type int"),
        (lambda: {}["k"], "their_module:part.of() fails (KeyError: 'k')"),
        ("nowhere.yaml", "file not found: nowhere.yaml"),
        ([], "file not found: their_module:part.of"),
    ],
)
def test_a_plugin_that_names_no_files_is_told_whole(monkeypatch, loaded, wrong):
    monkeypatch.setattr(found.Plugin, "load", lambda *_: loaded)
    with pytest.raises(PluginError) as error:
        found.files_of(PLUGIN, expected="files")
    assert str(error.value) == f"{BEFORE}{wrong}; expected files"


def test_a_plugin_of_a_name_that_is_taken_is_told_whole(monkeypatch):
    monkeypatch.setattr(found, "plugins", lambda _: {"mine": PLUGIN})
    with pytest.raises(PluginError) as error:
        found.with_ours("bitjoule.plots", {"mine": "x"})
    assert str(error.value) == f"{BEFORE}the name is already used by bitjoule; expected a unique name"
    both = found.with_ours("bitjoule.plots", {"ours": "m:x"})
    assert both == {"ours": found.Plugin("bitjoule.plots", "ours", "m:x", "bitjoule"), "mine": PLUGIN}
    assert list(both) == ["ours", "mine"]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"author": "Knuth, D. and Lamport, L.", "title": "{TeX}", "booktitle": "B", "journal": "J", "year": "1984",
          "doi": "10/x", "url": "u", "eprint": "e"}, "Knuth, D. et al., TeX, B, 1984, doi:10/x"),
        ({"author": "Anderson", "title": "T", "journal": "J", "howpublished": "H", "year": "1", "eprint": "e",
          "url": "u"}, "Anderson, T, J, 1, arXiv:e"),
        ({"author": "A", "title": "T", "howpublished": "H", "year": "1", "url": "u"}, "A, T, H, 1, u"),
        ({"title": "T", "year": "1"}, "T, 1"),
    ],
)  # fmt: skip
def test_a_reference_is_the_first_author_title_venue_year_and_link(monkeypatch, tmp_path, fields, line):
    entry = "".join(f"  {key.upper()} = {{{value}}},\n" for key, value in fields.items())
    (tmp_path / "sources.bib").write_text(f"@misc{{key1,\n{entry}}}\n")
    monkeypatch.setattr(bibliography, "DATA", tmp_path)
    assert bibliography.sources.__wrapped__() == {"key1": line}


def test_a_bibliography_that_cannot_be_parsed_is_told(monkeypatch, tmp_path):
    (tmp_path / "sources.bib").write_text("@misc{a, title = {T}}\n@misc{a, title = {U}}\n")
    monkeypatch.setattr(bibliography, "DATA", tmp_path)
    with pytest.raises(ValueError, match=r"^sources\.bib: 1 entries cannot be parsed$"):
        bibliography.sources.__wrapped__()
