"""The counts of docs/verification.md are those of the tests."""

import pandas as pd

from tests.docs.numbers import ROOT
from tests.sim.bench.counts import counts


def test_the_counts_are_those_of_the_tests():
    """`python -m tests.sim.bench.counts > benchmarks/verification.csv` counts again."""
    pd.testing.assert_frame_equal(counts(), pd.read_csv(ROOT / "benchmarks" / "verification.csv"))
