"""Runs an experiment: counts and prices every case, sums, compares."""

import numpy as np
import pandas as pd

from bitjoule.energy_models.arithmetic import Accounting, Floats
from bitjoule.energy_models.system import Bytes
from bitjoule.experiments.bands import Bands
from bitjoule.experiments.comparison import compare
from bitjoule.experiments.evaluation import (
    PHASES,
    PJ_PER_J,
    REQUEST,
    case_columns,
    evaluate,
    evaluate_system,
    system_block,
)  # fmt: skip
from bitjoule.experiments.grid import Grid
from bitjoule.experiments.reader import Resolved
from bitjoule.experiments.result import SUMMARY_COLUMNS, Result, blocks

ENDS = ("energy", "energy_low", "energy_high")
MEMORY_CASE_COLUMNS = ("experiment", "model", "parameters", "scheme", "batch", "prompt_tokens", "new_tokens")


def run(resolved: Resolved) -> Result:
    """Run an experiment.

    Parameters
    ----------
    resolved
        From `bitjoule.experiments.reader`.
    """
    grid = Grid(resolved)
    bands, memory = Bands(grid), np.full((len(grid), len(Bytes._fields)), np.nan)
    summary = _summary(grid, bands, memory)
    system = resolved.experiment.accounting is Accounting.SYSTEM
    empty = pd.DataFrame()
    comparison, overhead = compare(resolved.printed, grid, memory)
    return Result(
        grid,
        summary,
        comparison,
        overhead,
        memory_table(grid, memory) if system else empty,
        bands.table() if system and resolved.experiment.baseline is not None else empty,
    )


def memory_table(grid: Grid, memory: Floats) -> pd.DataFrame:
    """Return what each model, scheme and workload must hold, a row for each; technologies and platforms do not matter.

    Parameters
    ----------
    grid
        Every case.
    memory
        The fields of `Bytes` of each, shape (cases, fields).
    """
    cases = np.arange(len(grid))
    _, _, technology, platform, *_ = grid.axis_indices(cases)
    first = (technology == 0) & (platform == 0)
    columns = case_columns(grid, cases[first], np.zeros(first.sum(), dtype=np.int8))
    columns = {name: columns[name] for name in MEMORY_CASE_COLUMNS}
    columns |= dict(zip(Bytes._fields, memory[first].T, strict=True))
    columns["memory_bytes"] = memory[first].sum(axis=1)
    return pd.DataFrame(columns)


def _summary(grid: Grid, bands: Bands, memory: Floats) -> pd.DataFrame:
    """Return the energy of every case and phase, tokens and ratios beside it; fill `bands` and `memory`."""
    request = PHASES.index(REQUEST)
    size = (len(grid), len(PHASES))
    energy_j = {f"{end}_j": np.zeros(size) for end in ENDS}
    latency_s = np.full(size, np.nan)
    system = grid.resolved.experiment.accounting is Accounting.SYSTEM
    for cases in blocks(grid):
        if system:
            found = evaluate_system(grid, cases)
            latency_s[cases, :request] = found.latency_s
            memory[cases] = np.stack(found.memory_bytes, axis=1)
            bands.add(cases, found)
            block = system_block(cases, found)
        else:
            block = evaluate(grid, cases)
        key = (block.case - cases[0]).astype(np.int64) * len(PHASES) + block.phase
        for end in ENDS:
            # bincount adds in the order of the rows: the same sum on every machine
            total_pj = np.bincount(key, getattr(block, f"{end}_pj"), minlength=len(cases) * len(PHASES))
            energy_j[f"{end}_j"][cases] = total_pj.reshape(len(cases), len(PHASES)) / PJ_PER_J
    for total in (*energy_j.values(), latency_s):
        total[:, request] = total[:, :request].sum(axis=1)

    batch, prompt, new = grid.workload(np.arange(len(grid)))
    tokens = np.stack([batch * prompt, batch * new, batch * (prompt + new)], axis=1)
    happened = tokens > 0
    happened[:, request] = (prompt > 0) & (new > 0)
    nominal = energy_j["energy_j"]
    baseline = grid.baseline()
    ratio = np.full(size, np.nan) if baseline is None else nominal[baseline] / np.where(happened, nominal, 1)

    case, phase = np.nonzero(happened)
    columns = case_columns(grid, case, phase.astype(np.int8))
    columns |= {name: values[case, phase] for name, values in energy_j.items()}
    columns["energy_per_token_j"] = nominal[case, phase] / tokens[case, phase]
    columns["ratio_to_baseline"] = ratio[case, phase]
    columns["latency_s"] = latency_s[case, phase]  # empty: the papers' accounting has no time and no memory
    columns["tokens_per_s"] = tokens[case, phase] / latency_s[case, phase]
    columns["memory_bytes"] = memory.sum(axis=1)[case]
    return pd.DataFrame(columns, columns=list(SUMMARY_COLUMNS))
