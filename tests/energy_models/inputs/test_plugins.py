"""Entries of several packages and of several files, read together."""

import importlib.metadata
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from bitjoule.energy_models.inputs import plugins as module
from bitjoule.energy_models.inputs.errors import PluginError
from bitjoule.energy_models.inputs.plugins import Plugin, plugins, with_contributed

OURS = {"first": 1, "second": 2}


def read(path):
    """Return what a file of lines `name value` says."""
    return {name: int(value) for name, value in map(str.split, path.read_text().splitlines())}


@pytest.fixture
def contributed(tmp_path, monkeypatch):
    """Return a function that reads our entries and those of packages, given the files of each."""
    monkeypatch.syspath_prepend(tmp_path)

    def together(packages):
        found = {}
        for package, files in packages.items():
            folder = tmp_path / package
            folder.mkdir()
            (folder / "__init__.py").write_text("")
            for name, text in files.items():
                (folder / name).write_text(text)
            found[package] = Plugin("bitjoule.things", package, package, f"the-{package}")
        monkeypatch.setattr(module, "plugins", lambda group: found if group == "bitjoule.things" else {})
        return with_contributed("bitjoule.things", "thing", OURS, read)

    return together


def test_entries_of_every_file_of_every_package_follow_ours(contributed):
    found = contributed(
        {"plug_in_a": {"b.yaml": "d 4\n", "a.yaml": "c 3\n"}, "plug_in_b": {"a.yaml": "f 6\ne 5\n", "notes.txt": "no"}}
    )
    assert list(found.items()) == [*OURS.items(), ("c", 3), ("d", 4), ("f", 6), ("e", 5)]
    assert OURS == {"first": 1, "second": 2}


@pytest.mark.parametrize(
    ("packages", "says"),
    [
        ({"plug_in_c": {"a.yaml": "second 9\n"}}, "the-plug_in_c: .*: a.yaml: duplicate thing 'second'; expected a "),
        ({"plug_in_d": {"a.yaml": "c 3\n", "b.yaml": "c 3\n"}}, "the-plug_in_d: .*: b.yaml: duplicate thing 'c'"),
        (
            {"plug_in_e": {"a.yaml": "c 3\n"}, "plug_in_f": {"x.yaml": "c 4\n"}},
            "the-plug_in_f: .*: x.yaml: duplicate thing 'c'",
        ),
    ],
    ids=["one of ours", "two files", "two packages"],
)
def test_a_name_is_given_once(contributed, packages, says):
    with pytest.raises(PluginError, match=says):
        contributed(packages)


class Entry(NamedTuple):
    """An entry point as importlib.metadata gives it."""

    name: str
    value: str
    dist: SimpleNamespace


@pytest.mark.parametrize("packages", [("alpha", "beta"), ("beta", "alpha")])
def test_two_packages_do_not_share_a_name_whichever_is_found_first(monkeypatch, packages):
    entries = [Entry("same", f"{package}.module", SimpleNamespace(name=package)) for package in packages]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries if group == "bitjoule.things" else [])
    with pytest.raises(PluginError, match=f"the name is already used by {packages[0]}; expected a unique name"):
        plugins("bitjoule.things")


def test_one_entry_that_is_found_twice_is_one(monkeypatch):
    """A folder that is on the path twice."""
    entries = [Entry("same", "alpha.module", SimpleNamespace(name="alpha"))] * 2
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries if group == "bitjoule.things" else [])
    assert plugins("bitjoule.things") == {"same": Plugin("bitjoule.things", "same", "alpha.module", "alpha")}
