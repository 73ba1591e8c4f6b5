"""What a run yields: the long table of energies and one summary row a case and phase."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.arithmetic import Accounting
from bitjoule.energy_models.footprint import Overhead
from bitjoule.experiments.evaluation import CASE_COLUMNS, evaluate, long_table
from bitjoule.experiments.grid import Grid
from bitjoule.experiments.reader import Resolved

BLOCK_CASES = 4096  # bounds the memory of the dense (cases, actions) arrays

SUMMARY_COLUMNS = (
    *CASE_COLUMNS, "energy_j", "energy_low_j", "energy_high_j", "energy_per_token_j", "latency_s", "tokens_per_s",
    "memory_bytes", "ratio_to_baseline",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """The outcome of one experiment.

    Parameters
    ----------
    grid
        The cases.
    summary
        A row for each case and phase; columns `SUMMARY_COLUMNS`. A case with both phases has a third row, ``request``,
        their sum. Columns that the accounting does not know are empty.
    comparison
        Ours beside the printed numbers; empty without them. See `bitjoule.experiments.comparison`.
    overhead
        What was added to weights and tables to compare with printed memories; none where none are.
    memory
        Bytes that each case must hold, by what they are; empty but with the system accounting.
    bands
        Whether each comparison holds within the prices' bands; see `bitjoule.experiments.bands`. Empty without a
        baseline or the system accounting.
    """

    grid: Grid
    summary: pd.DataFrame
    comparison: pd.DataFrame
    overhead: Overhead | None
    memory: pd.DataFrame
    bands: pd.DataFrame

    @property
    def resolved(self) -> Resolved:
        """What was run."""
        return self.grid.resolved

    @cached_property
    def results(self) -> pd.DataFrame:
        """The long table: a row for each case, component and action; columns `RESULT_COLUMNS`."""
        return pd.concat(list(self.results_in_blocks()), ignore_index=True)

    def results_in_blocks(self) -> Iterator[pd.DataFrame]:
        """Yield the long table piece by piece.

        Counting a case takes microseconds, holding it kilobytes: a large sweep is counted anew rather than kept.
        """
        for cases in blocks(self.grid):
            yield long_table(self.grid, evaluate(self.grid, cases))

    def results_of(self, cases: NDArray[np.integer[Any]]) -> pd.DataFrame:
        """Return the long table of some cases.

        Parameters
        ----------
        cases
            Their numbers; see `bitjoule.experiments.grid.Grid`.
        """
        return long_table(self.grid, evaluate(self.grid, cases))


def blocks(grid: Grid) -> Iterator[NDArray[np.intp]]:
    """Yield the numbers of all cases, a bounded number at a time.

    Parameters
    ----------
    grid
        The cases.
    """
    size = BLOCK_CASES // 4 if grid.resolved.experiment.accounting is Accounting.SYSTEM else BLOCK_CASES
    for start in range(0, len(grid), size):
        yield np.arange(start, min(start + size, len(grid)))
