"""Tasks on the workers of a Dask scheduler, with the interface of `concurrent.futures.Executor`.

A worker that dies loses its tasks to the others. If the scheduler dies, tasks whose results were not fetched run again
on the one that comes in its place. A worker runs one task at a time and must have the code that this process has: the
results are then those that this process would compute.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.experiments.output.checkpoints import code_digest
from bitjoule.experiments.output.placement import Places, in_flight

if TYPE_CHECKING:
    from distributed import Client
    from distributed import Future as Remote

Result = TypeVar("Result")
OPTION = "--scheduler"
START_S = 30.0  # until a scheduler and a first worker answer
PATIENCE_S = 300.0  # without a scheduler, or without any worker, in a run
REACH_S = 1.0  # until a worker answers that is on the same network
LOOK_S = 5.0  # after which a run looks again which workers there are
MOST_KILLED = 3  # times that Dask gives a task up, each after some workers died of it: then it is the task
SELDOM_MS = 500.0  # between two looks of a worker at a task; Dask warns at 3 s
_POLL_S = 2.0
_ONE_AT_A_TIME = threading.Lock()  # the caches of mappings are not for several threads


def _call(code: str, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
    """Run a task in a worker.

    Raises
    ------
    InputError
        The worker has other code than the process that sends the task.
    """
    if code_digest() != code:
        wrong = f"the worker on {socket.gethostname()} has another version of bitjoule"
        raise InputError([Problem(OPTION, 1, "worker", wrong, "the same installation on every machine")])
    with _ONE_AT_A_TIME, _left_alone():
        return function(*arguments)


@contextmanager
def _left_alone() -> Iterator[None]:
    """Have the worker that runs a task look seldom where it is, and whether its loop runs: the task waits meanwhile.

    Both are for Dask's dashboard; by default they come every 10 and every 20 ms.
    """
    from distributed import get_worker

    periodic = get_worker().periodic_callbacks
    usual = {name: periodic[name].callback_time for name in ("profile", "tick") if name in periodic}
    for name, each_ms in usual.items():
        periodic[name].callback_time = max(each_ms, SELDOM_MS)
    try:
        yield
    finally:
        for name, each_ms in usual.items():
            periodic[name].callback_time = each_ms


class _Task(Future[Any]):
    """A task; `result` sees to it that it runs, however often workers and schedulers die."""

    def __init__(self, cluster: "ClusterExecutor", function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        super().__init__()
        self._cluster, self._function, self._arguments = cluster, function, arguments
        self._remote: Remote[Any] | None = None
        self._place: str | None = None
        self._killed = 0

    def send(self, client: "Client", place: str | None = None) -> None:
        """Hand the task out, unless it is handed out and not lost."""
        if self._remote is None or self._remote.status in ("cancelled", "lost"):
            where: dict[str, Any] = {}
            self._place = place
            if place is not None:  # others take it if that worker is gone
                where = {"workers": [place], "allow_other_workers": True}
            self._remote = client.submit(_call, code_digest(), self._function, self._arguments, pure=False, **where)
            self._remote.add_done_callback(self._ended)

    def free(self, workers: Sequence[str]) -> None:
        """Take the task back if the worker that it is for is gone.

        Dask lets others have it, but not those that come when there is none: it would wait for that worker for ever.
        """
        remote = self._remote
        if self._place is not None and self._place not in workers and remote is not None and remote.status == "pending":
            remote.release()
            self._remote, self._place = None, None

    @property
    def sent(self) -> bool:
        """Whether the task was handed out."""
        return self._remote is not None

    def _ended(self, remote: "Remote[Any]") -> None:
        """Have the worker take another task; called in a thread of Dask."""
        if remote.status in ("finished", "error"):
            self._cluster.hand_out(self)

    def result(self, timeout: float | None = None) -> Any:
        """Return the result.

        Raises
        ------
        InputError
            The scheduler or all workers are gone, or the task ends every worker.
        TimeoutError
            There is none in time.
        """
        from distributed import CancelledError
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        end = None if timeout is None else time.monotonic() + timeout
        while not self.done():
            if not self.sent:  # no worker took it
                self._cluster.check()
                self._cluster.send(self)
            remote = cast("Remote[Any]", self._remote)
            try:
                self.set_result(remote.result(timeout=_POLL_S))
                remote.release()  # the scheduler forgets it
            except KilledWorker as error:  # every worker that Dask gave it to
                self._killed += 1
                if self._killed == MOST_KILLED:
                    wrong = "a part ended every worker that ran it"
                    raise self._cluster.problem(wrong, "workers with more memory") from error
                self._remote = None
                self._cluster.check()
            except (TimeoutError, CancelledError, CommClosedError, OSError):
                if remote.status == "error":  # of the task itself
                    raise
                self._cluster.check()
            if end is not None and not self.done() and time.monotonic() >= end:
                raise TimeoutError
        self._cluster.ended(self)
        return super().result(0)


class ClusterExecutor(Executor):
    """The workers of a scheduler.

    Parameters
    ----------
    address
        Of the scheduler.
    parts
        How many tasks there will be, if those one after the other need some of the same: which worker takes which then
        follows `bitjoule.experiments.output.placement`. Default: any worker takes any.

    Raises
    ------
    InputError
        The scheduler does not answer, or has no worker.
    """

    def __init__(self, address: str, parts: int | None = None) -> None:
        self._address = address
        self._places: Places[_Task] | None = None if parts is None else Places(parts)
        self._lock = threading.RLock()  # of the places: tasks end in another thread
        self._looked = -LOOK_S
        self._tasks: dict[_Task, None] = {}
        self._seen = time.monotonic()  # when the scheduler last answered with a worker
        self._client = self._connected(START_S)
        try:
            self._client.wait_for_workers(1, timeout=START_S)
        except TimeoutError:
            self.shutdown()
            raise self.problem("has no worker", f"`dask worker {address}` on at least one machine") from None
        self._fetch_directly()

    def problem(self, wrong: str, expected: str) -> InputError:
        """Return an error about the cluster."""
        return InputError([Problem(OPTION, 1, self._address, wrong, expected)])

    def submit(self, function: Callable[..., Result], /, *arguments: Any, **named: Any) -> Future[Result]:
        """Hand a task out.

        Parameters
        ----------
        function, arguments
            What is called; all of it is pickled.
        named
            Not supported.
        """
        if named:
            raise TypeError("tasks of a cluster take no arguments by name")
        task = _Task(self, function, arguments)
        self._tasks[task] = None
        if self._places is None:
            task.send(self._client)
            return task
        if time.monotonic() - self._looked >= LOOK_S:
            self._look()
        with self._lock:
            self._places.add(task)
        self.hand_out(idle=False)
        return task

    @property
    def in_flight(self) -> int:
        """Most tasks that wait for workers or to be fetched."""
        return in_flight(len(self._places.workers) if self._places is not None else 1)

    def hand_out(self, ended: _Task | None = None, idle: bool = True) -> None:
        """Have workers take tasks.

        Parameters
        ----------
        ended
            A task that ended.
        idle
            As for `Places.taken`.
        """
        with self._lock:
            if self._places is None:
                return
            if ended is not None:
                self._places.ended(ended)
            for task, place in self._places.taken(idle):
                task.send(self._client, place)

    def send(self, task: _Task) -> None:
        """Hand a task out to any worker, unless it is handed out.

        Parameters
        ----------
        task
            The task.
        """
        with self._lock:
            if self._places is not None and not task.sent:
                self._places.ended(task)
            task.send(self._client)

    def _look(self) -> None:
        """See which workers there are."""
        self._looked = time.monotonic()
        if self._client.status != "running":
            return
        with suppress(OSError, TimeoutError):  # the scheduler dies as it is asked
            workers = list(self._client.nthreads())
            if workers:
                self._seen = time.monotonic()
            with self._lock:
                if self._places is not None:
                    self._places.see(workers)

    def check(self) -> None:
        """See to it that a scheduler is there and has every task that is not done.

        Raises
        ------
        InputError
            For `PATIENCE_S` there was none, or it had no worker.
        """
        if self._client.status not in ("running", "connecting"):
            with suppress(Exception):
                self._client.close(timeout=1)
            self._client = self._connected(PATIENCE_S)
            self._fetch_directly()
        self._look()
        if self._client.status == "running":
            with self._lock:
                for task in self._tasks:
                    if task.sent or self._places is None:
                        task.free(self._places.workers if self._places is not None else ())
                        task.send(self._client)
            self.hand_out()
        if time.monotonic() - self._seen > PATIENCE_S:
            raise self.problem(f"no worker for {PATIENCE_S:.0f} s", "a scheduler with workers")

    def ended(self, task: _Task) -> None:
        """Forget a task whose result was fetched."""
        self._tasks.pop(task, None)
        self.hand_out(task)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 (of Executor)
        """Take back what is not done and leave the scheduler, which goes on for others."""
        with self._lock:
            self._places = None
        self._tasks.clear()
        with suppress(Exception):
            self._client.close(timeout=5)

    def _fetch_directly(self) -> None:
        """Have results fetched from the workers themselves if this process reaches all that there are.

        Otherwise they come through the scheduler, which takes a copy of each on its way.
        """
        with suppress(OSError, TimeoutError):
            workers = list(self._client.nthreads())
            self._client.direct_to_workers = bool(workers) and all(map(_answers, workers))

    def _connected(self, patience_s: float) -> "Client":
        from distributed import Client

        end = time.monotonic() + patience_s
        while True:
            try:
                return Client(self._address, timeout=min(patience_s, 10.0), set_as_default=False)
            except (OSError, TimeoutError, ValueError) as error:
                if time.monotonic() > end:
                    text = str(error).splitlines()[0] if str(error) else type(error).__name__
                    expected = "the address of a running `dask scheduler`"
                    raise self.problem(f"does not answer: {text}", expected) from None
                time.sleep(0.5)


def _answers(worker: str) -> bool:
    """Return whether a worker's address can be reached from here."""
    from distributed.comm.addressing import get_address_host_port

    try:
        with socket.create_connection(get_address_host_port(worker), timeout=REACH_S):
            return True
    except (OSError, ValueError, NotImplementedError):  # of an address that is no host and port
        return False


@contextmanager
def cluster(address: str, parts: int | None = None) -> Iterator[ClusterExecutor]:
    """Yield the workers of a scheduler; an exception in the block takes back the work that is not done.

    Parameters
    ----------
    address, parts
        As for `ClusterExecutor`.

    Yields
    ------
    ClusterExecutor
        Its workers.
    """
    executor = ClusterExecutor(address, parts)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
