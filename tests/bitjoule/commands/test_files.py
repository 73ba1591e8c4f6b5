"""Files that commands write: where they may be, and what is left if they cannot be written."""

import os
import stat

import pytest

from bitjoule.commands import files
from bitjoule.commands.files import YAML, check_output, write_whole
from bitjoule.energy_models.inputs.errors import InputError


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("new.yaml", None),
        ("new.yml", None),
        ("there.yaml", None),
        ("new.YAML", "is not a .yaml file; expected a name that ends in .yaml"),
        ("new", "is not a .yaml file; expected a name that ends in .yaml"),
        ("folder.yaml", "is a directory; expected a file"),
        ("none/new.yaml", "directory does not exist; expected a file in an existing directory"),
        ("there.yaml/new.yaml", "directory does not exist; expected a file in an existing directory"),
    ],
)
def test_a_file_is_refused_by_its_ending_or_its_place(tmp_path, name, told):
    (tmp_path / "there.yaml").write_text("")
    (tmp_path / "folder.yaml").mkdir()
    path = tmp_path / name
    if told is None:
        check_output(path, YAML)
        return
    with pytest.raises(InputError) as error:
        check_output(path, YAML)
    assert str(error.value) == f"{path}:1: file: {told}"


def test_what_is_neither_a_file_nor_a_directory_is_not_replaced(tmp_path):
    """A device would be, by whoever may."""
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)
    for refuses in (lambda: check_output(path, YAML), lambda: write_whole(path, "text")):
        with pytest.raises(InputError) as error:
            refuses()
        told = "is not a regular file; expected a file, new or to be replaced"
        assert str(error.value) == f"{path}:1: file: {told}"
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_command_reads_is_not_written_over(tmp_path):
    for name in ("read.yaml", "other.yaml"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link.yaml").symlink_to("read.yaml")
    for name in ("read.yaml", "link.yaml"):
        with pytest.raises(InputError) as error:
            check_output(tmp_path / name, YAML, None, tmp_path / "none.yaml", tmp_path / "read.yaml")
        told = "file: is what the command reads; expected another file to write"
        assert str(error.value) == f"{tmp_path / name}:1: {told}"
    check_output(tmp_path / "other.yaml", YAML, tmp_path / "read.yaml")
    check_output(tmp_path / "new.yaml", YAML, tmp_path / "read.yaml")


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600), (0o000, 0o666)])
def test_a_file_can_be_read_by_whom_the_umask_allows_and_replaces_what_was_there(tmp_path, umask, mode):
    path = tmp_path / "x.txt"
    path.write_text("before, and longer than what follows")
    before = os.umask(umask)
    try:
        write_whole(path, "é\n")
        assert os.umask(umask) == umask  # as it was
    finally:
        os.umask(before)
    assert path.read_bytes() == "é\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.txt"
    path.write_text("before")

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.Path, "replace", fails)
    with pytest.raises(InputError) as error:
        write_whole(path, "after")
    assert str(error.value) == f"{path}:1: file: cannot be written (No space left on device); expected a writable path"
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
