"""The result of a run: its tables, and the long table of energies, which is recomputed on demand."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.experiments.energy.evaluation import evaluate, long_table
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.energy.tables.components import component_table
from bitjoule.experiments.energy.tables.operations import operation_table
from bitjoule.experiments.energy.tables.sums import blocks
from bitjoule.experiments.output.columns import OPERATION_COLUMNS


@dataclass(frozen=True, kw_only=True)
class Result(Frames):
    """The outcome of one experiment.

    Parameters
    ----------
    grid
        The cases.
    warnings
        Of the run.
    """

    grid: Grid
    warnings: tuple[str, ...] = ()

    @property
    def frames(self) -> Frames:
        """The tables alone, for another process; a grid cannot be pickled."""
        return Frames(**{field.name: getattr(self, field.name) for field in fields(Frames)})

    @cached_property
    def results(self) -> pd.DataFrame:
        """The long table: a row for each case, component and action; columns `RESULT_COLUMNS`."""
        return pd.concat(list(self.results_in_blocks()), ignore_index=True)

    def results_in_blocks(self) -> Iterator[pd.DataFrame]:
        """Yield the long table piece by piece.

        Counting a case takes microseconds, storing it kilobytes: a large sweep is recomputed rather than stored.
        """
        for cases in blocks(self.grid):
            yield long_table(self.grid, evaluate(self.grid, cases))

    def components_in_blocks(self) -> Iterator[pd.DataFrame]:
        """Yield time and energy by component of every case of the system accounting, piece by piece."""
        for cases in blocks(self.grid):
            yield component_table(self.grid, cases)

    @cached_property
    def operations(self) -> pd.DataFrame:
        """What each operation of each layer takes, with the system accounting; columns `OPERATION_COLUMNS`."""
        return pd.concat(list(self.operations_in_blocks()), ignore_index=True)

    def operations_in_blocks(self) -> Iterator[pd.DataFrame]:
        """Yield what each operation of each layer takes, piece by piece; nothing but an empty table if not `system`."""
        if self.grid.accounting is not Accounting.SYSTEM:
            yield pd.DataFrame(columns=list(OPERATION_COLUMNS))
            return
        for cases in blocks(self.grid):
            yield operation_table(self.grid, cases)

    def results_of(self, cases: NDArray[np.integer[Any]]) -> pd.DataFrame:
        """Return the long table of some cases.

        Parameters
        ----------
        cases
            Their numbers; see `bitjoule.experiments.energy.grid.Grid`.
        """
        return long_table(self.grid, evaluate(self.grid, cases))
