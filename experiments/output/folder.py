"""The output folder: replaced as a whole or left unchanged.

A run writes into a hidden folder next to the target, holds its lock while it runs, and renames it at the end. The
folders that a killed run left behind are unlocked, so that the next run recognises them: an unfinished folder is
removed, and an earlier result that was already moved aside is moved back. A lock is a hidden file next to the folder,
removed with it.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock

from bitjoule.energy_models.inputs.errors import InputError, whole_file
from bitjoule.sim.locks import acquire, locked, release

MANIFEST = "manifest.json"
NEW, OLD = ".bitjoule-new-", ".bitjoule-old-"
_LOCK, _EXCHANGE = ".lock", ".bitjoule.lock"


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield an empty folder, which replaces `target` if the block ends without an exception.

    Parameters
    ----------
    target
        The folder to make or to replace.

    Yields
    ------
    Path
        The folder to write into.

    Raises
    ------
    InputError
        `target` cannot be made, or contains something that is not an earlier result.
    """
    if target.name in ("", ".."):
        raise whole_file(str(target), "is not the name of a directory", "a directory that can be made or replaced")
    staging_lock: BaseFileLock | None = None
    # The name is chosen before the folder is made, so that an interrupt at any moment can remove it.
    staging = target.with_name(f".{target.name}{NEW}{secrets.token_hex(8)}")
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with _exclusive(target.parent):
                check_replaceable(target)
                _recover(target.parent)
                staging.mkdir()
                staging.chmod(0o755)
                staging_lock = lock_folder(staging)
        except OSError as error:
            raise _unwritable(target, error) from None
        yield staging
        _swap(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if staging_lock is not None:
            release(staging_lock)


def recover(parent: Path) -> None:
    """Clean up after runs that were killed.

    Parameters
    ----------
    parent
        The folder of results.
    """
    with _exclusive(parent):
        _recover(parent)


def _recover(parent: Path) -> None:
    for aside in sorted(parent.glob(f".*{OLD}*")):
        if _abandoned(aside):
            target = parent / aside.name[1:].partition(OLD)[0]
            if target.exists():
                shutil.rmtree(aside, ignore_errors=True)
            else:
                aside.rename(target)
    for staging in sorted(parent.glob(f".*{NEW}*")):
        if _abandoned(staging):
            shutil.rmtree(staging, ignore_errors=True)


def _swap(staging: Path, target: Path) -> None:
    try:
        with _exclusive(target.parent):
            check_replaceable(target)
            if not target.exists():
                staging.rename(target)
                return
            aside = target.parent / staging.name.replace(NEW, OLD)
            target.rename(aside)
            try:
                staging.rename(target)
            except OSError:
                aside.rename(target)
                raise
            # under a staging name a partly deleted result is never moved back
            aside.rename(staging)
    except OSError as error:
        raise _unwritable(target, error) from None


def _unwritable(target: Path, error: OSError) -> InputError:
    return whole_file(str(target), f"cannot be written: {error.strerror}", "a folder that can be written")


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder in which results are exchanged; the system releases it if this process dies."""
    with locked(folder / _EXCHANGE):
        yield


def lock_folder(folder: Path) -> BaseFileLock | None:
    """Lock a folder, or return none if it is locked or cannot be locked.

    Parameters
    ----------
    folder
        The folder, which need not exist.
    """
    with suppress(OSError):
        return acquire(folder.with_name(folder.name + _LOCK), wait=False)
    return None


def _abandoned(folder: Path) -> bool:
    """Return whether no process holds a folder; remove a lock file without its folder."""
    lock = lock_folder(folder.with_name(folder.name.removesuffix(_LOCK)))
    if lock is None:
        return False
    release(lock)
    return folder.is_dir()


def files_of(folder: Path) -> list[str]:
    """Return the files of a result and of its folders, by name as the manifest lists them; hidden ones are left out.

    Parameters
    ----------
    folder
        The result.
    """
    names = [path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir() or not any(path.iterdir())]
    return sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))


def check_replaceable(target: Path) -> None:
    """Refuse to delete files that are not ours: besides those in the manifest, a result may have only hidden files.

    Parameters
    ----------
    target
        The folder to make or to replace.

    Raises
    ------
    InputError
        It is a file, cannot be written, or contains something that is not an earlier result.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise whole_file(str(target), "is in the way", "a folder of an earlier run, or nothing")
    if target.exists() and not os.access(target, os.W_OK | os.X_OK):
        raise whole_file(str(target), "cannot be written", "a folder that can be written")
    if not target.is_dir() or not any(target.iterdir()):
        return
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        listed = {MANIFEST, *manifest["outputs"]} if "bitjoule" in manifest["versions"] else set()
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        listed = set()
    foreign = sorted(name for name in files_of(target) if name not in listed)
    if foreign:
        raise whole_file(
            str(target), f"holds {foreign[0]!r}, which no run wrote", "an earlier result, or another --out"
        )
