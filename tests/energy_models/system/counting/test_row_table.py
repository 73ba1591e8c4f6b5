"""A table of rows finds what a dictionary finds, also where hashes collide."""

import numpy as np
import pytest

from bitjoule.energy_models.system.counting import row_table
from bitjoule.energy_models.system.counting.row_table import ABSENT, RowTable, distinct, distinct_rows


@pytest.mark.parametrize("distinct_hashes", [1, 3, None])
def test_rows_are_found_as_in_a_dictionary(monkeypatch, distinct_hashes):
    if distinct_hashes is not None:
        hashes = row_table._hashes
        monkeypatch.setattr(row_table, "_hashes", lambda rows: hashes(rows) % np.uint64(distinct_hashes))
    draw, table, known = np.random.default_rng(5), RowTable(), {}
    for _ in range(6):
        rows = draw.integers(0, 5, (60, 3)).astype(float)
        expected = [known.get(tuple(row)) for row in rows.tolist()]
        numbers = table.find(rows)
        assert [None if i == ABSENT else table.results[i].tolist() for i in numbers] == expected
        missing = np.unique(rows[numbers == ABSENT], axis=0)
        results = draw.random((len(missing), 2))
        table.add(missing, results)
        known |= dict(zip(map(tuple, missing.tolist()), results.tolist(), strict=True))
        assert len(table) == len(known)
        np.testing.assert_array_equal(table.by_column, np.vstack([table.results, np.zeros(2)]).T)
        assert (table.find(rows) != ABSENT).all()


@pytest.mark.parametrize("distinct_hashes", [1, 3, None])
def test_distinct_rows_are_those_of_a_set_in_the_order_of_their_first(monkeypatch, distinct_hashes):
    if distinct_hashes is not None:
        hashes = row_table._hashes
        monkeypatch.setattr(row_table, "_hashes", lambda rows: hashes(rows) % np.uint64(distinct_hashes))
    rows = np.random.default_rng(6).integers(0, 4, (80, 3)).astype(float)
    expected = list(dict.fromkeys(map(tuple, rows.tolist())))
    assert [tuple(row) for row in distinct(rows).tolist()] == expected
    first, number = distinct_rows(rows)
    assert [rows.tolist().index(list(row)) for row in expected] == first.tolist()
    assert [expected.index(tuple(row)) for row in rows.tolist()] == number.tolist()
