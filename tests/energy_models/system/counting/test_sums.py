"""Sums of the columns that count something are those of NumPy over all columns, to the last bit."""

import numpy as np
import pytest

from bitjoule.energy_models.system.counting.sums import in_order, pairwise

CASES = 16


@pytest.mark.parametrize("width", [1, 5, 7, 8, 9, 31, 127, 128, 129, 136, 200, 255, 256, 257, 350, 700, 1031])
@pytest.mark.parametrize("share", [1.0, 0.4, 0.02, 0.0])
def test_sums_are_those_of_numpy_over_all_columns(width, share):
    draw = np.random.default_rng(width)
    dense = draw.lognormal(0, 8, (CASES, width)) * (draw.random(width) < share)
    places = np.flatnonzero(dense.any(axis=0))
    columns = np.ascontiguousarray(dense.T[places])
    found = pairwise(columns, places.tolist(), width)
    assert (found is None) == (not len(places))
    np.testing.assert_array_equal(np.zeros(CASES) if found is None else found, dense.sum(axis=1))
    np.testing.assert_array_equal(pairwise(dense.T.copy(), list(range(width)), width), dense.sum(axis=1))


def test_sums_in_order_are_those_of_bincount():
    values = np.random.default_rng(1).lognormal(0, 8, (40, CASES))
    case = np.tile(np.arange(CASES), 40)
    np.testing.assert_array_equal(in_order(values, CASES), np.bincount(case, values.ravel()))
    ends = [np.stack([column, 2 * column, 3 * column]) if i % 2 else column for i, column in enumerate(values)]
    thrice = np.where(np.arange(40) % 2, 3.0, 1.0)[:, None] * values
    np.testing.assert_array_equal(in_order(ends, CASES)[2], np.bincount(case, thrice.ravel()))
    assert (
        in_order(values[::-1], CASES) != in_order(values, CASES)
    ).any()  # the order matters, or this test finds nothing
