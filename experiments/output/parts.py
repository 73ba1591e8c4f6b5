"""Work in parts: a run as calls of one function on spans of its cases, whose tables are written as they come.

A part's numbers and tables depend on its span alone. So parts may run anywhere and in any order, and what is written is
the same: here one after the other, in a pool of processes, or on a cluster (`bitjoule.experiments.output.store`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import pandas as pd
from numpy.typing import NDArray

Values = Mapping[str, NDArray[Any]]
Span = tuple[int, int]
Emit = Callable[[str, pd.DataFrame], None]


class Work(Protocol):
    """The function of a run. It is pickled where parts run in other processes."""

    def __call__(self, span: Span, emit: Emit | None) -> Values:
        """Run one part, and return the numbers that the run goes on with, by name.

        Parameters
        ----------
        span
            First case, and the one after the last.
        emit
            Receives the pieces of the tables that grow with the cases; none: they are not asked for.
        """


class Parts(Protocol):
    """Runs the parts of a run."""

    @property
    def stored(self) -> bool:
        """Whether the tables of parts are written."""

    def run(self, work: Work, spans: Sequence[Span]) -> Iterator[Values]:
        """Run parts and yield their numbers, in the order of the spans.

        Parameters
        ----------
        work
            The function.
        spans
            Of the parts.
        """


class InMemory:
    """Runs parts one after the other, without their tables."""

    stored = False

    def run(self, work: Work, spans: Sequence[Span]) -> Iterator[Values]:
        """Run parts and yield their numbers.

        Parameters
        ----------
        work, spans
            As for `Parts.run`.
        """
        for span in spans:
            yield work(span, None)
