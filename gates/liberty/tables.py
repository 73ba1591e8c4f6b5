"""Look-up tables of Liberty: linear between their entries and, by the same slope, beyond their ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LookupTable:
    """A table over one or two axes.

    Parameters
    ----------
    slew_ns : array
        First axis: slew of the input (of a constraint: of the data) in ns.
    load_ff : array
        Second axis: load of the output in fF (of a constraint: slew of the clock in ns); one zero if there is none.
    values : array
        Rows by the first axis, columns by the second: fJ of a power table, ns of a timing table.
    """

    slew_ns: Floats
    load_ff: Floats
    values: Floats

    def at(self, slew_ns: float, load_ff: float) -> float:
        """Return the value at a slew and a load."""
        return float(Stack([self]).at(np.zeros(1, dtype=np.intp), np.array([slew_ns]), np.array([load_ff]))[0])


class Stack:
    """Tables of any sizes, looked up together.

    Parameters
    ----------
    tables : sequence of Table
        The tables; they are referred to by their place.
    """

    def __init__(self, tables: Sequence[LookupTable]) -> None:
        rows = max((len(table.slew_ns) for table in tables), default=2)
        columns = max((len(table.load_ff) for table in tables), default=2)
        shape = max(rows, 2), max(columns, 2)
        self._slew = np.array([_padded(table.slew_ns, shape[0]) for table in tables]).reshape(-1, shape[0])
        self._load = np.array([_padded(table.load_ff, shape[1]) for table in tables]).reshape(-1, shape[1])
        # A table of one row or column is the same everywhere along that axis: its edge goes on.
        rows_of, columns_of = (np.arange(size)[None, :] for size in shape)
        filled = [
            table.values[np.minimum(rows_of, len(table.slew_ns) - 1).T, np.minimum(columns_of, len(table.load_ff) - 1)]
            for table in tables
        ]
        self._values = np.array(filled).reshape(-1, *shape)
        sizes = [[max(len(table.slew_ns), 2), max(len(table.load_ff), 2)] for table in tables]
        self._ends = np.array(sizes, dtype=np.intp).reshape(-1, 2)

    def at(self, number: NDArray[np.intp], slew_ns: Floats, load_ff: Floats) -> Floats:
        """Return the value of each of some tables at a slew and a load of its own.

        Parameters
        ----------
        number : array of int
            Which table.
        slew_ns, load_ff : array
            Where.

        Returns
        -------
        array
            As many values.
        """
        row, down = _place(self._slew[number], self._ends[number, 0], slew_ns)
        column, right = _place(self._load[number], self._ends[number, 1], load_ff)
        upper = self._values[number, row, column] * (1.0 - right) + self._values[number, row, column + 1] * right
        lower = (
            self._values[number, row + 1, column] * (1.0 - right) + self._values[number, row + 1, column + 1] * right
        )
        result: Floats = upper * (1.0 - down) + lower * down
        return result


def _padded(axis: Floats, size: int) -> Floats:
    """Return an axis made longer: beyond its end, where nothing is looked up, by ones."""
    return np.concatenate([axis, axis[-1] + 1.0 + np.arange(size - len(axis))])


def _place(axes: Floats, ends: NDArray[np.intp], values: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the entry before each value, and how far the value is on the way to the next."""
    before = np.clip((axes <= values[:, None]).sum(axis=1) - 1, 0, ends - 2)
    lines = np.arange(len(values))
    first, second = axes[lines, before], axes[lines, before + 1]
    return before, (values - first) / (second - first)
