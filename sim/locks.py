"""A named lock in a folder: kept while the process lives, and freed by the system however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout, UnixFileLock

_POLL_S = 0.01


def acquire(path: Path, wait: bool = True) -> BaseFileLock | None:
    """Return the lock of a file, which it creates, or None if another process has it and `wait` is false.

    Parameters
    ----------
    path
        The lock's file; `release` removes it.
    wait
        Whether to wait until another process releases it.

    Raises
    ------
    OSError
        The file cannot be written, or its file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()  # where no file can be made, filelock may take that for one just removed, and wait for ever
    # A soft lock, which filelock would fall back to, outlives a killed process.
    lock = FileLock(path, timeout=-1 if wait else 0, poll_interval=_POLL_S, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def release(lock: BaseFileLock) -> None:
    """Free a lock and remove its file.

    Parameters
    ----------
    lock
        From `acquire`.
    """
    # Removed before it is released: a process that waits for this file then sees that it is gone and takes the next.
    # On other systems filelock removes it, which there is impossible while it is open.
    if isinstance(lock, UnixFileLock):
        with suppress(OSError):
            Path(lock.lock_file).unlink()
    lock.release()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock of a file and keep it for a block.

    Parameters
    ----------
    path
        As for `acquire`.

    Raises
    ------
    OSError
        As `acquire`.
    """
    lock = acquire(path)
    assert lock is not None  # noqa: S101 (it was waited for)
    try:
        yield
    finally:
        release(lock)
