"""Which columns tell the rows of a table apart."""

import pandas as pd
import pytest

from bitjoule.reports.figures.markdown import differing

TABLE = pd.DataFrame({"model": ["a", "a"], "scheme": ["x", "y"], "node": ["7nm", "7nm"], "batch": [2, 1]})


@pytest.mark.parametrize(
    ("keys", "always", "shown"),
    [
        (("model", "scheme", "node", "batch"), (), ["scheme", "batch"]),
        (("batch", "node", "scheme"), ("node",), ["batch", "node", "scheme"]),
        (("model", "node"), ("scheme",), []),
    ],
)
def test_a_column_of_one_value_is_shown_only_if_it_is_asked_for(keys, always, shown):
    assert differing(TABLE, keys, always) == shown
    assert differing(TABLE[:1], keys, always) == [key for key in keys if key in always]
