"""The output folder: replaced whole or not at all, whatever happens."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.output.folder import MANIFEST, recover, replacing

# Runs `replacing` and dies, as by SIGKILL, just before the call number `step` that changes the file system.
DIE_AT = """
import itertools, os, pathlib, shutil, sys
from bitjoule.experiments.output import folder
step, target = int(sys.argv[1]), pathlib.Path(sys.argv[2])
calls = itertools.count()
def deadly(function):
    def wrapped(*arguments, **options):
        if next(calls) == step:
            os._exit(9)
        return function(*arguments, **options)
    return wrapped
for owner, name in ((pathlib.Path, "rename"), (pathlib.Path, "write_text"), (pathlib.Path, "mkdir"),
                    (os, "unlink"), (os, "rmdir")):
    setattr(owner, name, deadly(getattr(owner, name)))
with folder.replacing(target) as new:
    (new / "a.txt").write_text("new")
    (new / folder.MANIFEST).write_text(sys.argv[3])
"""
OURS = json.dumps({"outputs": {"a.txt": ""}, "versions": {"bitjoule": ""}})


def contents(target):
    """Return the text of a.txt, after a check that a whole result stands there and nothing else."""
    assert {path.name for path in target.iterdir()} == {"a.txt", MANIFEST}
    assert (target / MANIFEST).read_text() == OURS
    return (target / "a.txt").read_text()


def fill(target, text):
    with replacing(target) as folder:
        (folder / "a.txt").write_text(text)
        (folder / MANIFEST).write_text(OURS)


def test_a_result_appears_whole_and_is_replaced_whole(tmp_path):
    target = tmp_path / "deep" / "x"
    for text in ("old", "new"):
        fill(target, text)
        assert contents(target) == text
        assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_earlier_result_and_nothing_else(tmp_path):
    target = tmp_path / "x"
    fill(target, "old")
    with pytest.raises(RuntimeError), replacing(target) as folder:
        (folder / "a.txt").write_text("half")
        raise RuntimeError
    assert contents(target) == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.slow
@pytest.mark.parametrize("earlier", [True, False])
def test_killed_at_any_step_it_leaves_a_whole_result_or_none_and_the_next_run_cleans_up(tmp_path, earlier):
    killed = 0
    for step in range(50):
        target = tmp_path / str(step) / "x"
        target.parent.mkdir()
        if earlier:
            fill(target, "old")
        done = subprocess.run([sys.executable, "-c", DIE_AT, str(step), str(target), OURS], check=False)
        recover(target.parent)
        assert [path.name for path in target.parent.iterdir()] in ([target.name], [] if not earlier else [target.name])
        if target.exists():
            assert contents(target) in ("old", "new")
        fill(target, "next")
        assert contents(target) == "next"
        assert list(target.parent.iterdir()) == [target]
        if done.returncode == 0:
            break
        assert done.returncode == 9
        killed += 1
    assert done.returncode == 0
    assert killed >= (8 if earlier else 4)


MANY = """
import pathlib, sys
from bitjoule.experiments.output import folder
for i in range(60):
    with folder.replacing(pathlib.Path(sys.argv[1])) as new:
        (new / "a.txt").write_text(f"{sys.argv[2]} {i}")
        (new / folder.MANIFEST).write_text(sys.argv[3])
"""


@pytest.mark.slow
def test_runs_into_the_same_folder_at_the_same_time_take_turns(tmp_path):
    target = tmp_path / "x"
    runs = [
        subprocess.Popen([sys.executable, "-c", MANY, str(target), str(i), OURS], stderr=subprocess.PIPE)
        for i in range(4)
    ]
    assert [run.communicate()[1] for run in runs] == [b""] * 4
    assert contents(target).endswith(" 59")
    assert list(tmp_path.iterdir()) == [target]


def test_a_run_that_lives_is_not_cleaned_away(tmp_path):
    target = tmp_path / "x"
    with replacing(target) as folder:
        (folder / "a.txt").write_text("first")
        (folder / MANIFEST).write_text(OURS)
        recover(tmp_path)
        assert folder.exists()
    assert contents(target) == "first"


def test_a_run_cleans_up_after_every_killed_one_beside_it(tmp_path):
    for name, text in ((".x.bitjoule-new-1", "half"), (".y.bitjoule-old-2", "whole"), (".vim.new-3", "not ours")):
        (tmp_path / name).mkdir()
        (tmp_path / name / MANIFEST).write_text(text)
    fill(tmp_path / "z", "new")
    assert {path.name for path in tmp_path.iterdir()} == {"y", "z", ".vim.new-3"}
    assert (tmp_path / "y" / MANIFEST).read_text() == "whole"


def begin_interrupted(target, at):
    """Begin a result, interrupted just before the line number `at` of `replacing` that runs; return whether it was."""
    lines = itertools.count()

    def trace(frame, event, _):
        if frame.f_code is not replacing.__wrapped__.__code__:
            return None
        if event == "line" and next(lines) == at:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with replacing(target):
            sys.settrace(before)
            raise RuntimeError
    except KeyboardInterrupt:
        return True
    except RuntimeError:
        return False
    finally:
        sys.settrace(before)


def test_interrupted_anywhere_before_the_run_it_leaves_nothing(tmp_path):
    lines = next(at for at in itertools.count() if not begin_interrupted(tmp_path / str(at) / "x", at))
    assert lines > 5
    assert [path for path in tmp_path.glob("*/*") if path.name != ".bitjoule.lock"] == []


@pytest.mark.parametrize("name", [".", "", "/", "..", "x/.."])
def test_a_path_without_a_name_of_its_own_is_refused(tmp_path, monkeypatch, name):
    """Neither can be replaced as a whole: the current directory, its parent, the root."""
    monkeypatch.chdir(tmp_path)
    told = "is not the name of a directory; expected a directory that can be made"
    with pytest.raises(InputError, match=told), replacing(Path(name)):
        pytest.fail("entered")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_ours_is_not_deleted(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    (tmp_path / "extension").mkdir()  # a browser's extensions have a manifest.json, too
    (tmp_path / "extension" / MANIFEST).write_text('{"manifest_version": 3}')
    fill(tmp_path / "noted", "old")
    (tmp_path / "noted" / "notes.md").write_text("mine")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "thesis")
    refused = {"thesis": "'chapter1.txt'", "extension": "'manifest.json'", "noted": "'notes.md'"}
    refused |= {"file": "is in the way", "link": "is in the way"}
    for name, wrong in refused.items():
        with pytest.raises(InputError, match=wrong), replacing(tmp_path / name):
            pass
    assert (tmp_path / "thesis" / "chapter1.txt").read_text() == "years of work"


def test_the_first_file_that_is_not_ours_is_named_and_hidden_ones_do_not_count(tmp_path):
    target = tmp_path / "x"
    fill(target, "old")
    for name in (".git/config", ".notes", ".a/b/c.txt"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text("mine")
    fill(target, "new")
    assert contents(target) == "new"
    for name in ("z.txt", "m/n.txt", "b.txt"):
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text("mine")
    with pytest.raises(InputError, match=r"x:1: file: holds 'b.txt', which no run wrote; expected an earlier result"):
        fill(target, "newer")


def test_an_empty_folder_is_somebodys_and_so_is_the_manifest_of_another_tool(tmp_path):
    fill(tmp_path / "x", "old")
    (tmp_path / "x" / "thesis").mkdir()
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / MANIFEST).write_text(json.dumps({"versions": {"other": "1"}, "outputs": {"a.txt": ""}}))
    for name, held in (("x", "thesis"), ("y", MANIFEST)):
        with pytest.raises(InputError, match=f"holds '{held}', which no run wrote"):
            fill(tmp_path / name, "new")


def test_a_result_that_cannot_take_its_place_leaves_the_earlier_one_there(tmp_path, monkeypatch):
    target = tmp_path / "x"
    fill(target, "old")
    rename = type(target).rename

    def failing(path, to):
        if ".bitjoule-new-" in path.name and to == target:
            raise OSError(13, "Permission denied")
        return rename(path, to)

    monkeypatch.setattr(type(target), "rename", failing)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        fill(target, "new")
    assert contents(target) == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), replacing(tmp_path / "file" / "x"):
        pass
