"""Processes that work for this one and end with it, however it ends."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process


@contextmanager
def pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of processes; leaving the block early drops the work that has not begun.

    Parameters
    ----------
    jobs
        How many.

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
    """Watch the parent: after a SIGKILL of it, a pool's worker would wait for work for ever."""
    parent = parent_process()
    assert parent is not None  # noqa: S101 (a pool's worker always has one)

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
