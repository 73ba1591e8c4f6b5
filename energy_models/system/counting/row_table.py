"""A table that maps rows of numbers to rows of results, looked up as arrays."""

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats, Indices

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: multiplying by it spreads the bits
_HALF = np.uint64(32)
ABSENT = -1


class RowTable:
    """Rows of results by rows of numbers, which are equal only bit by bit.

    Parameters
    ----------
    width
        Of a row of results, where `by_column` is asked for before any is added.

    Attributes
    ----------
    results
        Those of all rows, shape (rows, width), in the order in which they were added.
    by_column
        The same by column, with zeros after the last row; shape (width, rows + 1).
    """

    def __init__(self, width: int = 0) -> None:
        self.results: Floats = np.empty((0, 0))
        self.by_column: Floats = np.zeros((width, 1))
        self._rows: Floats = np.empty((0, 0))
        self._hashes: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)  # sorted
        self._numbers: Indices = np.empty(0, dtype=np.intp)  # of the row of each hash

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, rows: Floats) -> Indices:
        """Return the number of each row, `ABSENT` where it has none.

        Parameters
        ----------
        rows
            Shape (rows, columns).
        """
        numbers = np.full(len(rows), ABSENT, dtype=np.intp)
        if not len(self):
            return numbers
        hashes, last = _hashes(rows), len(self) - 1
        place = np.searchsorted(self._hashes, hashes)
        remaining = np.arange(len(rows))
        while len(remaining):
            at = np.minimum(place[remaining], last)
            candidate = self._numbers[at]
            same_hash = (self._hashes[at] == hashes[remaining]) & (place[remaining] <= last)
            equal = same_hash & (self._rows[candidate] == rows[remaining]).all(axis=1)
            numbers[remaining[equal]] = candidate[equal]
            remaining = remaining[same_hash & ~equal]  # different rows of one hash stand side by side
            place[remaining] += 1
        return numbers

    def add(self, rows: Floats, results: Floats) -> None:
        """Add rows that are not in the table, each once.

        Parameters
        ----------
        rows, results
            Shape (rows, columns), (rows, width).
        """
        hashes = _hashes(rows)
        order = np.argsort(hashes, kind="stable")
        place = np.searchsorted(self._hashes, hashes[order])
        self._numbers = np.insert(self._numbers, place, order + len(self))
        self._hashes = np.insert(self._hashes, place, hashes[order])
        self._rows = np.concatenate([self._rows, rows]) if len(self) else rows.copy()
        self.results = np.concatenate([self.results, results]) if len(self.results) else results.copy()
        self.by_column = np.concatenate([self.results.T, np.zeros((results.shape[1], 1))], axis=1)


def distinct(rows: Floats) -> Floats:
    """Return each of some rows once.

    Parameters
    ----------
    rows
        Shape (rows, columns).
    """
    return rows[distinct_rows(rows)[0]]


def distinct_rows(rows: Floats) -> tuple[Indices, Indices]:
    """Return where each distinct row comes first, ascending, and the number of each row among these.

    Much faster than `numpy.unique`, which compares whole rows to sort them.

    Parameters
    ----------
    rows
        Shape (rows, columns).
    """
    _, first, inverse = np.unique(_hashes(rows), return_index=True, return_inverse=True)
    if (rows[first[inverse]] != rows).any():  # different rows of one hash
        _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse.reshape(-1)]


def _hashes(rows: Floats) -> NDArray[np.uint64]:
    bits = np.ascontiguousarray(rows, dtype=np.float64).view(np.uint64)
    hashes = np.zeros(len(rows), dtype=np.uint64)
    for column in bits.T:
        hashes = (hashes ^ column) * _ODD
        hashes ^= hashes >> _HALF
    return hashes
