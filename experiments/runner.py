"""Runs an experiment: counts and prices every case, sums, compares."""

import numpy as np
import pandas as pd

from bitjoule.experiments.comparison import compare
from bitjoule.experiments.evaluation import PHASES, PJ_PER_J, REQUEST, case_columns, evaluate
from bitjoule.experiments.grid import Grid
from bitjoule.experiments.reader import Resolved
from bitjoule.experiments.result import SUMMARY_COLUMNS, Result, blocks

ENDS = ("energy", "energy_low", "energy_high")


def run(resolved: Resolved) -> Result:
    """Run an experiment.

    Parameters
    ----------
    resolved
        From `bitjoule.experiments.reader`.
    """
    grid = Grid(resolved)
    return Result(grid, _summary(grid), compare(resolved.printed, grid))


def _summary(grid: Grid) -> pd.DataFrame:
    """Return the energy of every case and phase, tokens and ratios beside it."""
    request = PHASES.index(REQUEST)
    size = (len(grid), len(PHASES))
    energy_j = {f"{end}_j": np.zeros(size) for end in ENDS}
    for cases in blocks(grid):
        block = evaluate(grid, cases)
        key = (block.case - cases[0]).astype(np.int64) * len(PHASES) + block.phase
        for end in ENDS:
            # bincount adds in the order of the rows: the same sum on every machine
            total_pj = np.bincount(key, getattr(block, f"{end}_pj"), minlength=len(cases) * len(PHASES))
            energy_j[f"{end}_j"][cases] = total_pj.reshape(len(cases), len(PHASES)) / PJ_PER_J
    for total_j in energy_j.values():
        total_j[:, request] = total_j[:, :request].sum(axis=1)

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
    for unknown in ("latency_s", "tokens_per_s", "memory_bytes"):  # the papers' accounting has no time and no memory
        columns[unknown] = np.full(len(case), np.nan)
    return pd.DataFrame(columns, columns=list(SUMMARY_COLUMNS))
