"""Worker processes that end with this process, however it ends."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process


@contextmanager
def pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes; an exception in the block cancels the work that has not begun.

    Parameters
    ----------
    jobs
        Number of processes.

    Yields
    ------
    ProcessPoolExecutor
        The pool.
    """
    # spawn: a fork of a process whose libraries run threads can deadlock
    executor = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_end_with_parent)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Watch the parent: if it is killed, a pool's worker would otherwise wait for work forever."""
    parent = parent_process()
    assert parent is not None  # noqa: S101 (a pool's worker always has one)

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
