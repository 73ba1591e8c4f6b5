"""Where tasks run: worker processes that end with this process, however it ends, or the workers of a cluster."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from typing import NamedTuple

from bitjoule.experiments.output.formats import needs

Workers = Callable[[], AbstractContextManager[Executor]]


class Opening(NamedTuple):
    """How a run gets its workers.

    Parameters
    ----------
    workers
        Opens them; none: tasks run in this process, one after the other.
    in_flight
        Most tasks that are handed out and not fetched.
    least
        Fewest tasks for which they are opened: starting a process takes longer than one task.
    """

    workers: Workers | None
    in_flight: int
    least: int


def opened(jobs: int, scheduler: str | None = None) -> Opening:
    """Return how a run gets its workers.

    Parameters
    ----------
    jobs
        Processes on this machine.
    scheduler
        Address of a Dask scheduler, whose workers are taken instead.

    Raises
    ------
    InputError
        There is a scheduler, and the package that talks to it is not installed.
    """
    if scheduler is not None:
        from bitjoule.experiments.output.cluster import IN_FLIGHT, cluster

        needs("cluster", "--scheduler")
        return Opening(partial(cluster, scheduler), IN_FLIGHT, 1)
    return Opening(partial(pool, jobs) if jobs > 1 else None, 2 * jobs, 2)


def executor_of(jobs: int, scheduler: str | None = None) -> AbstractContextManager[Executor]:
    """Return the context of an executor: the workers of a scheduler, or processes of this machine.

    Parameters
    ----------
    jobs, scheduler
        As for `opened`.
    """
    workers = opened(jobs, scheduler).workers
    return pool(jobs) if workers is None else workers()


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
