"""Which arrays of a platform run the MACs of each case: the busiest with its share of them, and the others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.system.counting.counted import Evaluated
from bitjoule.energy_models.system.counting.times import array_names
from bitjoule.experiments.energy.evaluation import categorical
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.output.columns import ARRAY_COLUMNS, ARRAY_SEPARATOR, PHASES, REQUEST


class MacsByArray:
    """The MACs of each case, phase and array.

    Parameters
    ----------
    grid
        Every case; with the papers' accounting, none has arrays.
    count
        Cases that are collected, from 0 on; default: all.
    """

    def __init__(self, grid: Grid, count: int | None = None) -> None:
        self._grid = grid
        count = len(grid) if count is None else count
        self._index: dict[tuple[int, int, int], NDArray[np.intp]] = {}
        self._names: dict[str, int] = {}
        if grid.accounting is Accounting.SYSTEM:
            of_machine = [len(names) for names in (grid.schemes, grid.technologies, grid.platforms)]
            for machine in np.ndindex(*of_machine):
                self._index[machine] = self._numbers(*machine)
        self._macs = np.zeros((count, len(PHASES), len(self._names)))

    def _numbers(self, scheme: int, technology: int, platform: int) -> NDArray[np.intp]:
        """Return the number of the array that runs each matmul component on a machine; -1 where no model has it."""
        names = array_names(self._grid.system.machine(scheme, technology, platform), self._grid.system.layout)
        return np.array([self._names.setdefault(name, len(self._names)) if name else -1 for name in names])

    @property
    def arrays(self) -> dict[str, Floats]:
        """What is collected, a row for each case."""
        return {"macs": self._macs}

    def add(self, cases: NDArray[np.integer[Any]], evaluated: Evaluated, numbers: NDArray[np.integer[Any]]) -> None:
        """Add the MACs of evaluated cases.

        Parameters
        ----------
        cases
            Their rows here, shape (cases,).
        evaluated
            From `bitjoule.experiments.energy.evaluation.evaluate_system`.
        numbers
            Their numbers in the grid, shape (cases,).
        """
        macs, last = evaluated.times.macs, PHASES.index(REQUEST)
        _, scheme, technology, platform, *_ = self._grid.axis_indices(numbers)
        machines = np.stack([scheme, technology, platform], axis=1)
        unique, inverse = np.unique(machines, axis=0, return_inverse=True)
        number = np.stack([self._index[s, t, p] for s, t, p in unique.tolist()])[inverse.reshape(-1)]
        for component in range(macs.shape[2]):  # one after the other: the same sums on every machine
            rows = np.flatnonzero(number[:, component] >= 0)
            self._macs[cases[rows], :last, number[rows, component]] += macs[rows, :, component]
        self._macs[cases, last] = self._macs[cases, :last].sum(axis=1)

    def columns(self, case: NDArray[np.intp], phase: NDArray[np.intp]) -> dict[str, object]:
        """Return the columns `ARRAY_COLUMNS` of rows of a summary; empty where no array runs a MAC.

        Parameters
        ----------
        case, phase
            Number of the case, and index into `PHASES`, of each row; shape (rows,).
        """
        macs = self._macs[case, phase]
        if not self._names:
            none = categorical(np.zeros(len(case), dtype=np.int8), [""])
            return dict(zip(ARRAY_COLUMNS, (none, np.full(len(case), np.nan), none), strict=True))
        order = np.argsort(-macs, axis=1, kind="stable")
        total = macs.sum(axis=1)
        runs = np.take_along_axis(macs, order, axis=1) > 0
        share = np.divide(macs.max(axis=1), total, out=np.full(len(total), np.nan), where=total > 0)
        # rows that use the same arrays in the same order have the same texts
        unique, inverse = np.unique(np.where(runs, order, -1), axis=0, return_inverse=True)
        names = list(self._names)
        used = [[names[i] for i in row if i >= 0] for row in unique.tolist()]
        busiest = _texts([row[0] if row else "" for row in used], inverse)
        others = _texts([ARRAY_SEPARATOR.join(row[1:]) for row in used], inverse)
        return dict(zip(ARRAY_COLUMNS, (busiest, share, others), strict=True))


def _texts(texts: Sequence[str], numbers: NDArray[np.intp]) -> pd.Categorical:
    """Return a column of texts, some of which may be equal, by the number of each row's."""
    unique = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    return categorical(np.array([unique[text] for text in texts])[numbers.reshape(-1)], list(unique))
