"""Sums over cases: those of spans, put together, are those of the whole."""

import pandas as pd

from bitjoule.experiments.energy.evaluation import evaluate_cases
from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.tables.sums import SpanSums, blocks, summarise

TEXT = """\
name: spans
accounting: system
models:
  - {name: toy, layers: 2, hidden: 64, heads: 4, ffn: 128, ffn_gated: true, activation: silu, vocabulary: 100}
schemes: [bitnet-b1.58, int8]
technologies: [45nm, 7nm]
platforms: [ternary-edge, int8-edge]
workload: {prompt_tokens: [3, 40], new_tokens: 2, batch: 1}
"""


def test_sums_of_spans_are_those_of_the_whole(resolved):
    """Spans of three cases begin among machines whose arrays have other names than those of the first case."""
    grid = grid_of(resolved(TEXT))
    whole = summarise(grid)
    assert len(set(whole.summary["array"])) > 1
    parts = []
    for first in range(0, len(grid), 3):
        sums = SpanSums(grid, first, min(first + 3, len(grid)))
        for cases in blocks(grid, first, sums.end):
            sums.add(evaluate_cases(grid, cases))
        parts.append((first, sums.values()))
    assert len(parts) > 2
    pd.testing.assert_frame_equal(summarise(grid, parts).summary, whole.summary)
