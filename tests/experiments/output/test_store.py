"""Parts on their way between processes."""

import pickle

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.output.store import render

ROWS = 50_000


def work(span, emit):
    emit("results", pd.DataFrame({"value": np.random.default_rng(span[0]).normal(size=span[1])}))
    return {"sums": np.arange(1000.0)}


def test_the_tables_of_a_part_travel_beside_its_pickle():
    pytest.importorskip("pyarrow")
    beside = []
    rendered = render(work, (1, ROWS), "parquet")
    pickled = pickle.dumps(rendered, protocol=5, buffer_callback=beside.append)
    table = bytes(rendered.tables["results"])
    assert len(table) > 8 * ROWS  # random numbers do not become smaller
    assert len(pickled) < 2000
    assert {len(buffer.raw()) for buffer in beside} == {len(table), 8000}
    received = pickle.loads(pickled, buffers=beside)  # noqa: S301 (made above)
    assert bytes(received.tables["results"]) == table
