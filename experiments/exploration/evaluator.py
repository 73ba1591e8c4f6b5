"""Evaluates batches of designs, each design once: in this process or in several, with what a journal already has."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitjoule.experiments.exploration.evaluation import AT_ONCE, Evaluations, evaluate
from bitjoule.experiments.exploration.journal import Journal
from bitjoule.experiments.exploration.space.designs import Base
from bitjoule.experiments.exploration.space.knobs import Space
from bitjoule.experiments.output.packed import Packed
from bitjoule.experiments.output.workers import opened

Map = Callable[[Base, Space, Sequence[Sequence[int]]], Iterator[Evaluations]]


def in_this_process(base: Base, space: Space, chunks: Sequence[Sequence[int]]) -> Iterator[Evaluations]:
    """Yield the evaluations of chunks of designs, in order.

    Parameters
    ----------
    base, space
        Of the exploration.
    chunks
        Numbers of designs.
    """
    for chunk in chunks:
        yield evaluate(base, space, chunk)


@contextmanager
def mapper(jobs: int, scheduler: str | None = None) -> Iterator[Map]:
    """Yield what evaluates chunks of designs in this process or in others; the values do not depend on where.

    Parameters
    ----------
    jobs
        Number of processes on this machine.
    scheduler
        Address of a Dask scheduler, whose workers are taken instead.

    Yields
    ------
    Map
        To be given to an `Evaluator`.
    """
    workers = opened(jobs, scheduler).workers
    if workers is None:
        yield in_this_process
        return
    with workers() as executor:
        yield _Elsewhere(executor)


class _Elsewhere:
    """Evaluates chunks in other processes."""

    def __init__(self, workers: Executor) -> None:
        self._workers = workers

    def __call__(self, base: Base, space: Space, chunks: Sequence[Sequence[int]]) -> Iterator[Evaluations]:
        packed = Packed.of((base, space))
        futures = [self._workers.submit(_evaluate_packed, packed, chunk) for chunk in chunks]
        for future in futures:
            yield future.result()


def _evaluate_packed(packed: Packed[tuple[Base, Space]], chunk: Sequence[int]) -> Evaluations:
    return evaluate(*packed.value, chunk)


class Evaluator:
    """Every design that was evaluated.

    Parameters
    ----------
    base, space
        Of the exploration.
    evaluates
        From `mapper`.
    folder
        Of the journal; none to keep nothing on disk.
    key
        What the values depend on.
    """

    def __init__(
        self, base: Base, space: Space, evaluates: Map = in_this_process, folder: Path | None = None,
        key: "dict[str, str] | None" = None,
    ) -> None:  # fmt: skip
        self.base, self.space = base, space
        self.rows: dict[int, int] = {}
        self._evaluates = evaluates
        self._parts: list[Evaluations] = []
        self._batches = 0
        self._journal = None if folder is None else Journal(folder, key or {})

    def __len__(self) -> int:
        return len(self.rows)

    def __call__(self, numbers: Sequence[int] | NDArray[np.int64]) -> Evaluations | None:
        """Evaluate designs, and return the values of those that are new; none if no one is.

        Parameters
        ----------
        numbers
            Of the designs.
        """
        new = [number for number in dict.fromkeys(map(int, numbers)) if number not in self.rows]
        if not new:
            return None
        batch = self._batches
        self._batches += 1
        values = self._journal.read(batch, new) if self._journal else None
        if values is None:
            chunks = [new[start : start + AT_ONCE] for start in range(0, len(new), AT_ONCE)]
            values = Evaluations.joined(list(self._evaluates(self.base, self.space, chunks)))
            if self._journal:
                self._journal.write(batch, values)
        self.rows.update({number: len(self.rows) + i for i, number in enumerate(new)})
        self._parts.append(values)
        return values

    @property
    def evaluations(self) -> Evaluations:
        """All of them, in the order in which they were evaluated."""
        if len(self._parts) > 1:
            self._parts = [Evaluations.joined(self._parts)]
        return self._parts[0]
