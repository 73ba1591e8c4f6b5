"""Where parts run: here, or at workers, which are opened for the parts that are left."""

from concurrent.futures import Executor, Future
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.output import workers as module
from bitjoule.experiments.output.parquet import part_name
from bitjoule.experiments.output.placement import in_flight
from bitjoule.experiments.output.store import Store
from bitjoule.experiments.output.workers import Opening, executor_of, opened

pytest.importorskip("pyarrow")


def work(span, emit):
    if emit is not None:
        emit("results", pd.DataFrame({"case": np.arange(*span)}))
    return {"sums": np.arange(*span) * 10.0}


class Here(Executor):
    """Runs what is submitted when its result is asked for, and notes how much waits."""

    def __init__(self, parts):
        self.parts, self.waiting, self.most = parts, 0, 0

    def submit(self, function, *arguments):
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        future = Future()

        def result():
            self.waiting -= 1
            return function(*arguments)

        future.result = result
        return future


class Workers:
    """Opens one executor, and keeps it."""

    def __init__(self):
        self.executor = None

    @contextmanager
    def __call__(self, parts=None):
        self.executor = Here(parts)
        yield self.executor


@pytest.mark.parametrize(("jobs", "elsewhere"), [(1, False), (2, True), (3, True)])
def test_processes_are_opened_for_more_than_one_job(monkeypatch, jobs, elsewhere):
    asked = []
    monkeypatch.setattr(module, "pool", lambda count, *_: asked.append(count))
    found = opened(jobs)
    assert (found.workers is not None, found.in_flight, found.least) == (elsewhere, 2 * jobs, 2)
    if found.workers is not None:
        found.workers(7)
    executor_of(jobs)
    assert asked == [jobs] * (1 + elsewhere)


@pytest.mark.parametrize(("parts", "kept", "least", "elsewhere"), [
    (1, 0, 2, False), (2, 0, 2, True), (3, 0, 2, True), (3, 1, 2, True), (3, 2, 2, False), (3, 3, 1, False),
    (3, 2, 1, True), (1, 0, 1, True),
])  # fmt: skip
def test_workers_are_opened_for_the_parts_that_are_left(tmp_path, parts, kept, least, elsewhere):
    spans = [(4 * i, 4 * i + 3) for i in range(parts)]
    folder, told = tmp_path / "parts", []
    before = Store(tmp_path, tmp_path / "x", "parquet", parts_folder=folder)
    assert len(list(before.run(work, spans[:kept]))) == kept
    workers = Workers()
    store = Store(
        tmp_path, tmp_path / "x", "parquet", Opening(workers, 2, least),
        progress=lambda *done: told.append(done), parts_folder=folder,
    )  # fmt: skip
    values = [part["sums"].tolist() for part in store.run(work, spans)]
    assert values == [[10.0 * case for case in range(*span)] for span in spans]
    assert told == [(i + 1, parts) for i in range(parts)]
    assert (workers.executor is not None) == elsewhere
    if elsewhere:
        assert workers.executor.parts == parts - kept
    store.finish()
    written = sorted(tmp_path.glob("results.parquet/*"))
    assert [path.name for path in written] == [part_name(number) for number in range(parts)]
    assert [pd.read_parquet(path)["case"].tolist() for path in written] == [list(range(*span)) for span in spans]


@pytest.mark.parametrize(("allowed", "most"), [(1, 2), (2, 3), (4, 5), (50, 9)])
def test_no_more_parts_wait_than_are_allowed_beside_the_next(tmp_path, allowed, most):
    workers = Workers()
    store = Store(tmp_path, tmp_path / "x", "csv", Opening(workers, allowed, 2))
    assert len(list(store.run(work, [(i, i + 1) for i in range(9)]))) == 9
    store.finish()
    assert (workers.executor.most, workers.executor.waiting) == (most, 0)


@pytest.mark.parametrize(("workers", "parts"), [(1, 32), (2, 32), (4, 32), (5, 40), (40, 320)])
def test_parts_in_flight_are_eight_for_each_worker_and_at_least_32(workers, parts):
    assert in_flight(workers) == parts


def test_parts_are_read_in_the_order_of_their_numbers():
    numbers = [0, 2, 9, 10, 99, 100, 999, 1000, 20_000]
    names = [part_name(number) for number in numbers]
    assert sorted(names) == names
    assert [int(name.removeprefix("part-").removesuffix(".parquet")) for name in names] == numbers
