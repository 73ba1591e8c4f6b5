"""Sums over a phase's columns of which most count nothing, to the last bit those of NumPy over all columns.

NumPy adds up to 128 numbers in eight running sums, and halves more than that (pairwise summation). A zero changes no
sum: so the columns that count nothing need not be there, if the others go to the sums that NumPy adds them to.
"""

from collections.abc import Sequence

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats

_BLOCK, _LANES = 128, 8


def in_order(values: Floats) -> Floats:
    """Return the sums of columns, added one after the other, shape (cases,).

    Parameters
    ----------
    values
        Shape (columns, cases).
    """
    total = np.zeros(values.shape[1])
    for column in values:
        total += column
    return total


def pairwise(values: Floats, places: Sequence[int], width: int) -> Floats:
    """Return the sums of columns as `numpy.sum` adds up rows of all columns, shape (cases,).

    Parameters
    ----------
    values
        Shape (columns, cases).
    places
        Number of each column among all, ascending.
    width
        Number of all columns.
    """
    of_place = dict(zip(places, values, strict=True))
    total = _sum(of_place, 0, width)
    return np.zeros(values.shape[1]) if total is None else total


def _sum(columns: dict[int, Floats], begin: int, count: int) -> Floats | None:
    """Return the sum of the columns from `begin` on; none if there are none."""
    if count > _BLOCK:
        half = count // 2 - (count // 2) % _LANES
        return _added(_sum(columns, begin, half), _sum(columns, begin + half, count - half))
    whole = count - count % _LANES if count >= _LANES else 0
    lanes: list[Floats | None] = [None] * _LANES
    for place in range(begin, begin + whole):
        if place in columns:
            lane = (place - begin) % _LANES
            lanes[lane] = _added(lanes[lane], columns[place])
    while len(lanes) > 1:
        lanes = [_added(*pair) for pair in zip(lanes[::2], lanes[1::2], strict=True)]
    total = lanes[0]
    for place in range(begin + whole, begin + count):
        if place in columns:
            total = _added(total, columns[place])
    return total


def _added(first: Floats | None, second: Floats | None) -> Floats | None:
    if first is None or second is None:
        return second if first is None else first
    return np.asarray(first + second)
