"""Parts on their way between processes."""

import pickle
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.output import spreadsheet
from bitjoule.experiments.output.packed import Packed
from bitjoule.experiments.output.store import HERE, Store, render, write_whole
from bitjoule.experiments.output.workers import Opening

ROWS = 50_000


def work(span, emit):
    emit("results", pd.DataFrame({"value": np.random.default_rng(span[0]).normal(size=span[1])}))
    return {"sums": np.arange(1000.0)}


def test_the_tables_of_a_part_travel_beside_its_pickle():
    pytest.importorskip("pyarrow")
    beside = []
    rendered = render(work, (1, ROWS), "parquet")
    pickled = pickle.dumps(rendered, protocol=5, buffer_callback=beside.append)
    table = bytes(rendered.tables["results"])
    assert len(table) > 8 * ROWS  # random numbers do not become smaller
    assert len(pickled) < 2000
    assert {len(buffer.raw()) for buffer in beside} == {len(table), 8000}
    received = pickle.loads(pickled, buffers=beside)  # noqa: S301 (made above)
    assert bytes(received.tables["results"]) == table


class Waiting(Future):
    """A part that runs when its result is fetched."""

    def __init__(self, executor, call):
        super().__init__()
        self.executor, self.call = executor, call

    def result(self, *_):
        self.executor.waiting -= 1
        return self.call()


class Executor:
    """Takes parts, and keeps how many waited at most."""

    def __init__(self):
        self.waiting = self.most = self.taken = 0

    def submit(self, function, *arguments):
        self.waiting, self.taken = self.waiting + 1, self.taken + 1
        self.most = max(self.most, self.waiting)
        return Waiting(self, lambda: function(*arguments))


SPANS = [(0, 2), (2, 5), (5, 6), (6, 9), (9, 10)]


def numbered(span, emit):
    for half in (span[0], span[1] - 0.5):
        emit("results", pd.DataFrame({"first": [float(half)], "text": [f"of {span[0]}"]}))
    return {"sums": np.array([float(span[0])])}


def opened(executor, asked, in_flight=2, least=1):
    @contextmanager
    def workers(remaining):
        asked.append(remaining)
        yield executor

    return Opening(workers, in_flight, least)


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_parts_come_in_their_order_with_all_their_rows_wherever_they_run(tmp_path, form, elsewhere):
    """No more than two wait beside the one that is written."""
    executor, asked, told = Executor(), [], []
    opening = opened(executor, asked) if elsewhere else HERE
    store = Store(tmp_path, tmp_path / "out", form, opening, lambda *step: told.append(step))
    values = [found["sums"].item() for found in store.run(numbered, SPANS)]
    store.add("summary", [pd.DataFrame({"x": [1.5]}), pd.DataFrame({"x": [2.5]})])
    store.finish()
    assert values == [0, 2, 5, 6, 9]
    assert told == [(i + 1, 5) for i in range(5)]
    assert (asked, executor.taken) == (([5], 5) if elsewhere else ([], 0))
    assert executor.most == (3 if elsewhere else 0)
    names = {"csv": ["results.csv", "summary.csv"], "xlsx": ["tables.xlsx"]}
    names["parquet"] = ["results.parquet", "summary.parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names[form]

    def read(name):
        if form == "csv":
            return pd.read_csv(tmp_path / f"{name}.csv")
        return (
            pd.read_excel(tmp_path / "tables.xlsx", name)
            if form == "xlsx"
            else pd.read_parquet(tmp_path / f"{name}.parquet")
        )

    assert read("results")["first"].tolist() == [half for first, end in SPANS for half in (first, end - 0.5)]
    assert read("results")["text"].tolist() == [f"of {first}" for first, _ in SPANS for _ in range(2)]
    assert read("summary")["x"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(("least", "asked"), [(3, [3]), (4, [])])
def test_only_parts_that_are_left_are_run_elsewhere_if_they_are_enough(tmp_path, least, asked):
    """An earlier run finished two of five, not the first two."""
    kept = tmp_path / "kept"
    first = Store(tmp_path / "a", tmp_path, "parquet", HERE, None, kept)
    for number, found in enumerate(first.run(numbered, SPANS)):
        assert found
        if number not in (1, 3):
            (kept / f"{number:05d}.npz").unlink()
    ran, remaining = [], []

    def again(span, emit):
        ran.append(span)
        return numbered(span, emit)

    store = Store(tmp_path / "b", tmp_path, "parquet", opened(Executor(), remaining, least=least), None, kept)
    (tmp_path / "b").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Packed, "of", lambda work: SimpleNamespace(value=work))
        assert [found["sums"].item() for found in store.run(again, SPANS)] == [0, 2, 5, 6, 9]
    assert (ran, remaining) == ([SPANS[0], SPANS[2], SPANS[4]], asked)
    store.finish()
    assert not kept.exists()
    assert len(pd.read_parquet(tmp_path / "b" / "results.parquet")) == 10


def test_sheets_of_all_parts_together_are_no_longer_than_a_sheet(tmp_path, monkeypatch):
    monkeypatch.setattr(spreadsheet, "MAX_ROWS", 7)
    store = Store(tmp_path, tmp_path / "out", "xlsx")
    with pytest.raises(InputError, match="results"):
        list(store.run(numbered, SPANS))
    assert store.done == 3  # of two rows each


def test_a_file_that_cannot_be_written_whole_leaves_nothing(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    (tmp_path / "x.bin").write_bytes(b"earlier")
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "x.bin", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x.bin": b"earlier"}
