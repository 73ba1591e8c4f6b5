"""Sums over a phase's columns of which most count nothing, to the last bit those of NumPy over all columns.

NumPy adds up to 128 numbers in eight running sums, and halves more than that (pairwise summation). A zero changes no
sum: so the columns that count nothing need not be there, if the others go to the sums that NumPy adds them to.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats

_BLOCK, _LANES = 128, 8


def in_order(values: Sequence[Floats], cases: int) -> Floats:
    """Return the sums of columns, added one after the other, shape (cases,).

    Parameters
    ----------
    values
        Columns, shape (cases,) each.
    cases
        Their number.
    """
    total = np.zeros(cases)
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
    return _sum(values, places, 0, width)


def _sum(columns: Sequence[Floats], places: Sequence[int], begin: int, count: int) -> Floats | None:
    """Return the sum of the columns of some places: of `count` from `begin` on; none if there are none."""
    if not len(places):
        return None
    if count > _BLOCK:
        half = count // 2 - (count // 2) % _LANES
        middle = bisect_left(places, begin + half)
        first = _sum(columns[:middle], places[:middle], begin, half)
        return _added(first, _sum(columns[middle:], places[middle:], begin + half, count - half))
    whole = count - count % _LANES if count >= _LANES else 0
    lanes: list[Floats | None] = [None] * _LANES
    last = bisect_left(places, begin + whole)
    for place, column in zip(places[:last], columns[:last], strict=True):
        lane = (place - begin) % _LANES
        so_far = lanes[lane]
        lanes[lane] = column if so_far is None else so_far + column
    if last:
        while len(lanes) > 1:
            lanes = [_added(*pair) for pair in zip(lanes[::2], lanes[1::2], strict=True)]
    total = lanes[0]
    for column in columns[last:]:
        total = column if total is None else total + column
    return total


def _added(first: Floats | None, second: Floats | None) -> Floats | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second
