"""Folders of compiled things by the hash of what they are made from: built once, also by processes at the same time."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def cache_folder() -> Path:
    """Return where builds are kept.

    The environment's BITJOULE_CACHE, or else bitjoule below XDG_CACHE_HOME, or else ~/.cache/bitjoule.
    """
    given = os.environ.get("BITJOULE_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache") / "bitjoule"


def content_hash(*parts: str | bytes) -> str:
    """Return a name for what these texts lead to.

    Parameters
    ----------
    *parts
        Everything that decides the build's result; their borders count.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:32]


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """Return the folder of a build; it is built if it is not there.

    A folder appears whole or not at all. Processes that want the same one wait for the first.

    Parameters
    ----------
    name
        Of the folder in the cache: contains the `content_hash` of all that the build depends on.
    build
        Fills an empty folder, which then moves: no file in it may hold the folder's name.

    Raises
    ------
    OSError
        The cache cannot be written.
    """
    root = cache_folder()
    target = root / name
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f"{name}.lock"):
        if target.is_dir():
            return target
        made = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
        try:
            build(made)
            made.chmod(0o755)
            try:
                made.rename(target)
            except OSError:
                # On a file system without locks another process may have been first: its build is the same.
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return target


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w", encoding="ascii") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            # Who waits still holds this file, and finds the build done; who comes later finds it without a lock.
            path.unlink(missing_ok=True)
