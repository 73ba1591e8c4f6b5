"""Folders of compiled things by the hash of what they are made from: built once, also by processes at the same time."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from bitjoule.sim.bench.simulators import SimulatorError
from bitjoule.sim.locks import locked


def cache_folder() -> Path:
    """Return where builds are kept.

    The environment's BITJOULE_CACHE, or else bitjoule in the user's cache: XDG_CACHE_HOME or ~/.cache on Linux.
    """
    given = os.environ.get("BITJOULE_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    return platformdirs.user_cache_path("bitjoule", appauthor=False)


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
    SimulatorError
        The cache cannot be written.
    """
    root = cache_folder()
    target = root / name
    if target.is_dir():
        return target
    with _writing(root):
        root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f"{name}.lock") as alone:
        if target.is_dir():
            return target
        if alone:  # what a killed build left behind
            for left in root.glob(f".{name}.*"):
                shutil.rmtree(left, ignore_errors=True)
        with _writing(root):
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
def _writing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        wrong = f"cannot write builds to {root}: {error.strerror}"
        raise SimulatorError(f"{wrong}; set BITJOULE_CACHE to a writable directory") from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Wait for the lock on a file; tell whether there is one: some file systems have none."""
    with contextlib.ExitStack() as held:
        alone = False
        with contextlib.suppress(OSError):
            held.enter_context(locked(path))
            alone = True
        yield alone
