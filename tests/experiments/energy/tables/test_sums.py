"""Sums over cases: those of spans, put together, are those of the whole."""

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.energy.evaluation import evaluate_cases, evaluate_in_blocks
from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.tables import sums as sums_module
from bitjoule.experiments.energy.tables.sums import SpanSums, blocks, summarise
from bitjoule.experiments.output.columns import UTILISATION_COLUMNS

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


def test_blocks_that_share_a_phase_have_the_sums_of_each_alone(monkeypatch, resolved):
    """Blocks of three of the eight cases of a machine: some lie within it, some reach into the next one."""
    monkeypatch.setattr(sums_module, "BLOCK_CASES", 12)
    grid = grid_of(resolved(TEXT.replace("new_tokens: 2", "new_tokens: [1, 2, 5, 7]")))
    numbered = list(blocks(grid))
    together, alone, counted = SpanSums(grid), SpanSums(grid), set()
    for evaluated in evaluate_in_blocks(grid, numbered):
        together.add(evaluated)
        counted.add(id(evaluated.by_phase.phases[0].evaluated))
    assert len(counted) < len(numbered)  # the first two blocks have one prefill
    for cases in numbered:
        alone.add(evaluate_cases(grid, cases))
    found, expected = together.values(), alone.values()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_without_devices_and_levels_nothing_is_kept_for_them(resolved):
    values = SpanSums(grid_of(resolved(TEXT))).values()
    assert [values[name].size for name in ("dram_energy_j", "dram_counts", "level_bits", "level_latency_s")] == [0] * 4


def test_a_request_is_both_phases_in_energy_time_busy_time_and_tokens(resolved):
    """Prompt tokens belong to prefill, new ones to decode, both to the request, each of every sequence."""
    found = run(resolved(TEXT.replace("new_tokens: 2, batch: 1", "new_tokens: [2, 7], batch: 3")))
    case = ["technology", "scheme", "platform", "prompt_tokens", "new_tokens"]
    table = found.summary.set_index(["phase", *case])
    prefill, decode, whole = (table.loc[phase] for phase in ("prefill", "decode", "request"))
    assert len(whole) == 2 * 2 * 2 * 2 * 2
    for column in ("energy_j", "energy_low_j", "energy_high_j", "latency_s"):
        np.testing.assert_allclose(whole[column], prefill[column] + decode[column], rtol=1e-12)
    for column in UTILISATION_COLUMNS:
        busy_s = [rows[column] * rows["latency_s"] for rows in (prefill, decode, whole)]
        np.testing.assert_allclose(busy_s[2], busy_s[0] + busy_s[1], rtol=1e-12, err_msg=column)
    prompt, new = (whole.index.get_level_values(name).to_numpy() for name in case[-2:])
    for rows, tokens in ((prefill, 3 * prompt), (decode, 3 * new), (whole, 3 * (prompt + new))):
        np.testing.assert_allclose(rows["energy_per_token_j"], rows["energy_j"] / tokens, rtol=1e-12)
        np.testing.assert_allclose(rows["tokens_per_s"], tokens / rows["latency_s"], rtol=1e-12)
    held = found.memory.set_index(["scheme", *case[-2:]])
    parts = held[["weights_bytes", "tables_bytes", "kv_cache_bytes", "activations_bytes"]].sum(axis=1)
    for rows in (prefill, decode, whole):
        of_case = [parts[scheme, p, n] for _, scheme, _, p, n in rows.index]
        np.testing.assert_allclose(rows["memory_bytes"], of_case, rtol=1e-12)
    components = pd.concat(list(found.components_in_blocks()))
    for column in UTILISATION_COLUMNS:
        busy_s = components[column] * components["time_s"]
        of_phase = busy_s.groupby([components[name].astype(str) for name in ("phase", *case[:3])]).sum()
        rows = table.loc[["prefill", "decode"]]
        shown_s = (rows[column] * rows["latency_s"]).groupby(["phase", *case[:3]], observed=True).sum()
        assert len(of_phase) == len(shown_s) == 2 * 2 * 2 * 2
        for key, seconds in shown_s.items():
            assert of_phase[key] == pytest.approx(seconds, rel=1e-9), column
