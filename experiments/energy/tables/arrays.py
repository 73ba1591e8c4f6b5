"""Which arrays of a platform run the MACs of each case: the busiest with its share of them, and the others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.system.by_phase import OfPhase
from bitjoule.energy_models.system.counting.times import array_names
from bitjoule.experiments.energy.evaluation import categorical
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.output.columns import ARRAY_COLUMNS, ARRAY_SEPARATOR, PHASES, REQUEST

MOST_CODES = 1 << 16  # that are looked up in a table
AT_ONCE = 1 << 14  # rows whose MACs are sorted together: bounds the memory beside the table


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

    def add(
        self, cases: NDArray[np.integer[Any]], placed: Sequence[tuple[slice, OfPhase]],
        numbers: NDArray[np.integer[Any]],
    ) -> None:  # fmt: skip
        """Add the MACs of evaluated cases.

        Parameters
        ----------
        cases
            Their rows here, shape (cases,).
        placed
            From `bitjoule.energy_models.system.by_phase.ByPhase.placed`.
        numbers
            Their numbers in the grid, shape (cases,).
        """
        last = PHASES.index(REQUEST)
        codes = np.ravel_multi_index(self._grid.axis_indices(numbers)[1:4], self._grid.shape[1:4])
        unique, inverse = np.unique(codes, return_inverse=True)
        machines = zip(*(index.tolist() for index in np.unravel_index(unique, self._grid.shape[1:4])), strict=True)
        alike: dict[tuple[int, ...], list[int]] = {}  # machines on which the same arrays run the same matmuls
        for i, (s, t, p) in enumerate(machines):
            alike.setdefault(tuple(self._index[s, t, p].tolist()), []).append(i)
        for arrays, members in alike.items():
            rows = slice(None) if len(alike) == 1 else np.flatnonzero(np.isin(inverse, members))
            for span, phase in placed:
                macs = phase.evaluated.times.macs
                of_rows = rows if phase.row is None else phase.row[rows]
                found = np.zeros((len(cases[rows]), span.stop - span.start, len(self._names)))
                for component, array in enumerate(arrays):  # one after the other: the same sums on every machine
                    if array >= 0:
                        found[:, :, array] += macs[of_rows, :, component]
                self._macs[cases[rows], span] = found
        self._macs[cases, last] = self._macs[cases, :last].sum(axis=1)

    def columns(self, case: NDArray[np.intp], phase: NDArray[np.intp]) -> dict[str, object]:
        """Return the columns `ARRAY_COLUMNS` of rows of a summary; empty where no array runs a MAC.

        Parameters
        ----------
        case, phase
            Number of the case, and index into `PHASES`, of each row; shape (rows,).
        """
        if not self._names:
            none = categorical(np.zeros(len(case), dtype=np.int8), [""])
            return dict(zip(ARRAY_COLUMNS, (none, np.full(len(case), np.nan), none), strict=True))
        share, used_in_order = np.empty(len(case)), np.empty((len(case), len(self._names)), dtype=np.int16)
        for start in range(0, len(case), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            share[rows], used_in_order[rows] = self._shares(case[rows] * self._macs.shape[1] + phase[rows])
        # rows that use the same arrays in the same order have the same texts
        unique, inverse = _distinct(used_in_order)
        names = list(self._names)
        used = [[names[i] for i in row if i >= 0] for row in unique.tolist()]
        busiest = _texts([row[0] if row else "" for row in used], inverse)
        others = _texts([ARRAY_SEPARATOR.join(row[1:]) for row in used], inverse)
        return dict(zip(ARRAY_COLUMNS, (busiest, share, others), strict=True))

    def _shares(self, place: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
        """Return the busiest array's share of the MACs of some rows, and the arrays by their MACs, -1 without any."""
        macs = self._macs.reshape(-1, self._macs.shape[2]).take(place, axis=0)
        order = np.zeros(macs.shape, dtype=np.intp)
        if len(self._names) > 1:
            order = np.argsort(-macs, axis=1, kind="stable")
        total = macs.sum(axis=1)
        runs = np.take_along_axis(macs, order, axis=1) > 0
        share = np.divide(macs.max(axis=1), total, out=np.full(len(total), np.nan), where=total > 0)
        return share, np.where(runs, order, -1)


def _distinct(rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.integer[Any]], NDArray[np.intp]]:
    """Return the distinct rows of numbers from -1 on, sorted, and the number of each row among them."""
    base = rows.shape[1] + 1
    if base ** rows.shape[1] > np.iinfo(np.int64).max:  # too many arrays for a number that has the order of its row
        return np.unique(rows, axis=0, return_inverse=True)
    codes = (rows + 1) @ base ** np.arange(rows.shape[1])[::-1]
    if base ** rows.shape[1] > MOST_CODES:
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        return rows[first], inverse
    counts = np.bincount(codes)  # without sorting the rows, of which there may be millions
    found, some = np.flatnonzero(counts), np.empty(len(counts), dtype=np.intp)
    some[codes] = np.arange(len(codes))
    return rows[some[found]], (np.cumsum(counts > 0) - 1)[codes]


def _texts(texts: Sequence[str], numbers: NDArray[np.intp]) -> pd.Categorical:
    """Return a column of texts, some of which may be equal, by the number of each row's."""
    unique = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    return categorical(np.array([unique[text] for text in texts])[numbers.reshape(-1)], list(unique))
