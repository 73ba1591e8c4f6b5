"""Folders of build results by the hash of their inputs: each is built once, even by concurrent processes."""

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
    override = os.environ.get("BITJOULE_CACHE")
    if override:
        return Path(override).expanduser().absolute()
    return platformdirs.user_cache_path("bitjoule", appauthor=False)


def content_hash(*parts: str | bytes) -> str:
    """Return a name for the result of a build.

    Parameters
    ----------
    *parts
        Everything that decides the build's result; where one part ends and the next begins counts too.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:32]


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """Return the folder of a build, after building it if the cache has none.

    A folder appears complete or not at all. Processes that need the same one wait for the first.

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
            for stale in root.glob(f".{name}.*"):
                shutil.rmtree(stale, ignore_errors=True)
        with _writing(root):
            scratch = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
        try:
            build(scratch)
            scratch.chmod(0o755)
            try:
                scratch.rename(target)
            except OSError:
                # On a file system without locks another process may have been first: its build is the same.
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
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
    """Wait for the lock on a file; yield whether it was taken: some file systems have no locks."""
    with contextlib.ExitStack() as stack:
        alone = False
        with contextlib.suppress(OSError):
            stack.enter_context(locked(path))
            alone = True
        yield alone
