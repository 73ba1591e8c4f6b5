"""Ours beside the papers' printed numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bitjoule.energy_models.arithmetic import OPERATIONS, Phase
from bitjoule.energy_models.published import PrintedNumber
from bitjoule.experiments.evaluation import PHASES, PJ_PER_J, evaluate
from bitjoule.experiments.grid import Grid
from bitjoule.experiments.schema import Baseline

COMPARISON_COLUMNS = (
    "model", "scheme", "technology", "prompt_tokens", "action", "quantity", "printed", "ours", "relative_error",
    "agrees", "source", "where", "note",
)  # fmt: skip


def compare(printed: Sequence[PrintedNumber], grid: Grid) -> pd.DataFrame:
    """Set our numbers beside printed ones.

    Parameters
    ----------
    printed
        The papers' cells.
    grid
        The cases that are run.

    Returns
    -------
    DataFrame
        A row for each printed number whose case is run as the paper ran it (the shipped model and scheme, one
        sequence's prompt, the same accounting and baseline); columns `COMPARISON_COLUMNS`. ``agrees`` tells whether
        ours, rounded to the printed digits, is the printed number; ``relative_error`` is ours over printed, less one.
    """
    baselines = grid.baseline()
    rows = []
    for cell in printed:
        case = grid.find(cell.model, cell.scheme, cell.technology, cell.prompt_tokens)
        if case is None or not _comparable(cell, grid):
            continue
        ours = _energy_j(grid, case, cell.action)
        if cell.quantity == "ratio_to_baseline" and baselines is not None:
            ours = _energy_j(grid, int(baselines[case]), cell.action) / ours
        cells = {
            **vars(cell),
            "ours": ours,
            "relative_error": ours / float(cell.printed) - 1,
            "agrees": cell.agrees(ours),
        }
        rows.append(cells)
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def _comparable(cell: PrintedNumber, grid: Grid) -> bool:
    experiment = grid.resolved.experiment
    written_out = experiment.models is not None and cell.model not in experiment.models
    written_out |= any(name not in experiment.schemes for name in (cell.scheme, cell.baseline or cell.scheme))
    baseline = Baseline(scheme=cell.baseline) if cell.baseline else experiment.baseline
    return not written_out and cell.accounting == experiment.accounting and experiment.baseline == baseline


def _energy_j(grid: Grid, case: int, action: str) -> float:
    """Return the energy of a case's prompt, of all actions or of one."""
    block = evaluate(grid, np.array([case]))
    chosen = block.phase == PHASES.index(Phase.PREFILL)
    if action:
        chosen &= block.action == OPERATIONS.index(action)
    # bincount adds in the order of the rows, as the summary does
    return float(np.bincount(np.zeros(chosen.sum(), dtype=np.intp), block.energy_pj[chosen], minlength=1)[0] / PJ_PER_J)
