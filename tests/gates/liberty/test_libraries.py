"""A library of several files: given one by one, or by the name that a package contributes."""

import hashlib

import pytest

from bitjoule.energy_models.inputs.plugins import Plugin
from bitjoule.gates.liberty import libraries
from bitjoule.gates.liberty.libraries import find_library, fingerprints, named_libraries, short_name
from bitjoule.gates.liberty.text import LibertyError
from tests.gates import hand_made as hand


@pytest.fixture
def halves(tmp_path, monkeypatch):
    """Return the two files of a library that a package contributes as `halves`."""
    cells = tuple(hand.cells())
    files = [tmp_path / "made_up_seq.lib", tmp_path / "made_up_simple.lib"]
    for file, others in zip(files, (cells[:-1], cells[-1:]), strict=True):
        file.write_text(hand.text(leave_out=others))
    (tmp_path / "notes.txt").write_text("not Liberty")
    (tmp_path / "there.py").write_text(f"folder = {str(tmp_path)!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugin = Plugin("bitjoule.libraries", "halves", "there:folder", "of-others")
    monkeypatch.setattr(libraries, "plugins", lambda group: {"halves": plugin} if group == "bitjoule.libraries" else {})
    return files


def test_the_name_of_a_contributed_library_stands_for_all_its_files(halves):
    by_name, by_file = find_library(["halves"]), find_library([str(file) for file in halves])
    for library in (by_name, by_file):
        assert list(library.paths) == halves
        assert set(library.cells) == set(hand.cells())
        assert short_name(library) == "made_up_s"  # what the files' names begin with
        assert set(fingerprints(library)) == {file.name for file in halves}
    assert short_name(find_library([str(halves[0])])) == "hand_made"
    assert named_libraries() == ["freepdk45", "halves"]


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    *first, last = hand.cells()
    paths = [tmp_path / folder / "cells.lib" for folder in ("one", "two")]
    for path, others in zip(paths, ((last,), first), strict=True):
        path.parent.mkdir()
        path.write_text(hand.text(leave_out=tuple(others)))
    hashes = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    assert fingerprints(find_library([str(path) for path in paths])) == hashes
    paths[1] = paths[1].rename(tmp_path / "more.lib")
    assert set(fingerprints(find_library([str(path) for path in paths]))) == {"cells.lib", "more.lib"}


def test_a_file_that_is_not_there_is_named(halves, tmp_path):
    with pytest.raises(LibertyError, match=r"/gone\.lib: not found; expected a Liberty file, or freepdk45"):
        find_library([str(halves[0]), str(tmp_path / "gone.lib")])
    with pytest.raises(LibertyError, match="halves: not found"):
        find_library(["halves", str(halves[0])])  # a name stands alone
