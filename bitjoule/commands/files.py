"""Files that commands write: refused early where they cannot be written, and written whole or not at all."""

import errno
import os
import tempfile
from pathlib import Path

from bitjoule.energy_models.inputs.errors import InputError, whole_file

YAML = (".yaml", ".yml")
UNUSABLE = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_output(path: Path, suffixes: tuple[str, ...], *read: Path | None) -> None:
    """Reject a file that is not to be written.

    Parameters
    ----------
    path
        The file.
    suffixes
        Of which its name must have one.
    *read
        What the command reads: a file is not written over what it was made of.

    Raises
    ------
    InputError
        Its name ends otherwise, it is a directory, its directory does not exist, or the command reads it.
    """
    if path.suffix not in suffixes:
        raise whole_file(str(path), f"is not a {suffixes[0]} file", f"a name that ends in {suffixes[0]}")
    if path.is_dir():
        raise whole_file(str(path), "is a directory", "a file")
    _check_regular(path)
    if not path.absolute().parent.is_dir():
        raise whole_file(str(path), "directory does not exist", "a file in an existing directory")
    check_not_read(path, *read)


def check_not_read(path: Path, *read: Path | None) -> None:
    """Reject a file that would be written over what it is made of.

    Parameters
    ----------
    path
        The file to write.
    *read
        What the command reads, if it is a file.

    Raises
    ------
    InputError
        It is one of those.
    """
    if path.exists() and any(file is not None and file.exists() and file.samefile(path) for file in read):
        raise whole_file(str(path), "is what the command reads", "another file to write")


def _check_regular(path: Path) -> None:
    """Reject a device or a pipe, which a file would replace instead of being written to it."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise whole_file(str(path), "is not a regular file", "a file, new or to be replaced")


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    path, text
        The file, and what it holds.

    Raises
    ------
    InputError
        It cannot be written.
    """
    _check_regular(path)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
        temporary = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise whole_file(str(path), f"cannot be written ({error.strerror})", "a writable path") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def refused(error: OSError) -> InputError | None:
    """Return the problem with what the system refused, or none if that is a failure of bitjoule.

    Parameters
    ----------
    error
        What the system said.
    """
    said = f"cannot be used: {error.strerror}"
    if error.errno in FULL:  # libraries that write do not always name the file
        file = "output" if error.filename is None else os.fsdecode(error.filename)
        return whole_file(file, said, "space for what is written; existing results are unchanged")
    if error.errno not in UNUSABLE or error.filename is None:
        return None
    return whole_file(os.fsdecode(error.filename) or "''", said, "a path that can be used")
