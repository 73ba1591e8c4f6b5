"""Where tasks run: worker processes that end with this process, however it ends, or the workers of a cluster."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from typing import NamedTuple, Protocol

from bitjoule.experiments.output.formats import needs
from bitjoule.experiments.output.placement import LEAST_IN_FLIGHT


class Workers(Protocol):
    """Opens workers."""

    def __call__(self, parts: int | None = None) -> AbstractContextManager[Executor]:
        """Return the context of an executor.

        Parameters
        ----------
        parts
            How many tasks there will be, if those one after the other need some of the same: they then go to one
            worker, where workers have queues of their own. Default: tasks have nothing in common.
        """


class Opening(NamedTuple):
    """How a run gets its workers.

    Parameters
    ----------
    workers
        Opens them; none: tasks run in this process, one after the other.
    in_flight
        Most tasks that are handed out and not fetched; an executor may have another `in_flight` for its workers.
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
        from bitjoule.experiments.output.cluster import cluster

        needs("cluster", "--scheduler")
        return Opening(partial(cluster, scheduler), LEAST_IN_FLIGHT, 1)
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
def pool(jobs: int, parts: int | None = None) -> Iterator[ProcessPoolExecutor]:  # noqa: ARG001 (of `Workers`)
    """Yield a pool of processes; an exception in the block cancels the work that has not begun.

    Parameters
    ----------
    jobs
        Number of processes.
    parts
        As for `Workers`; not used, since processes of a pool take tasks from one queue.

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
