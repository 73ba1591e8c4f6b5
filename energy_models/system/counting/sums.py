"""Sums over a phase's columns of which most count nothing, to the last bit those of NumPy over all columns.

NumPy adds up to 128 numbers in eight running sums, and halves more than that (pairwise summation). A zero changes no
sum: so the columns that count nothing need not be there, if the others go to the sums that NumPy adds them to.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats

_BLOCK, _LANES = 128, 8


def in_order(values: Sequence[Floats], cases: int) -> Floats:
    """Return the sums of columns, added one after the other, shape (cases,).

    Parameters
    ----------
    values
        Columns, shape (cases,) each, or with a leading axis of which each row has a sum of its own.
    cases
        Their number.
    """
    total = np.zeros(np.broadcast_shapes((cases,), *{column.shape for column in values}))
    for column in values:
        total += column
    return total


def pairwise(values: Sequence[Floats], places: Sequence[int], width: int) -> Floats | None:
    """Return the sums of columns as `numpy.sum` adds up rows of all columns, shape (cases,); none of no column.

    Parameters
    ----------
    values
        Columns, shape (cases,), or one shape with more axes, each.
    places
        Number of each column among all, ascending.
    width
        Number of all columns.
    """
    if not len(places):
        return None
    sums = list(values)
    for first, second in _order(tuple(places), width):
        sums.append(sums[first] + sums[second])
    return sums[-1]


@lru_cache(maxsize=1 << 12)
def _order(places: tuple[int, ...], width: int) -> list[tuple[int, int]]:
    """Return which columns, or sums of earlier steps, which follow the columns, each step adds up."""
    steps: list[tuple[int, int]] = []

    def added(first: int | None, second: int | None) -> int | None:
        if first is None or second is None:
            return second if first is None else first
        steps.append((first, second))
        return len(places) + len(steps) - 1

    def of_some(columns: range, begin: int, count: int) -> int | None:
        """Return the number of the sum of the columns of some places: of `count` from `begin` on."""
        if not columns:
            return None
        if count > _BLOCK:
            half = count // 2 - (count // 2) % _LANES
            middle = bisect_left(places, begin + half, columns.start, columns.stop)
            first = of_some(range(columns.start, middle), begin, half)
            return added(first, of_some(range(middle, columns.stop), begin + half, count - half))
        whole = count - count % _LANES if count >= _LANES else 0
        lanes: list[int | None] = [None] * _LANES
        last = bisect_left(places, begin + whole, columns.start, columns.stop)
        for column in range(columns.start, last):
            lane = (places[column] - begin) % _LANES
            lanes[lane] = added(lanes[lane], column)
        while len(lanes) > 1:
            lanes = [added(*pair) for pair in zip(lanes[::2], lanes[1::2], strict=True)]
        total = lanes[0]
        for column in range(last, columns.stop):
            total = added(total, column)
        return total

    of_some(range(len(places)), 0, width)
    return steps
