"""Entries of several packages and of several files, read together."""

import pytest

from bitjoule.energy_models.inputs import plugins as module
from bitjoule.energy_models.inputs.errors import PluginError
from bitjoule.energy_models.inputs.plugins import Plugin, with_contributed

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
