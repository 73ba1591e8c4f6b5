"""Comparison of our numbers with the papers' printed ones."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bitjoule.energy_models.architecture.phases import PREFILL, Floats
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.papers.footprint import BYTES_PER_GB, MEMORY_GB, MEMORY_RATIO, Overhead, Sample, fit
from bitjoule.energy_models.papers.published import PrintedNumber
from bitjoule.energy_models.system.counting.memory import Bytes
from bitjoule.experiments.energy.blocks import CATEGORIES
from bitjoule.experiments.energy.evaluation import evaluate
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.output.columns import PHASES, PJ_PER_J

COMPARISON_COLUMNS = (
    "model", "scheme", "technology", "prompt_tokens", "action", "quantity", "printed", "ours", "relative_error",
    "agrees", "source", "where", "note",
)  # fmt: skip


def compare(printed: Sequence[PrintedNumber], grid: Grid, memory: Floats) -> tuple[pd.DataFrame, Overhead | None]:
    """Compare our numbers with printed ones.

    Parameters
    ----------
    printed
        The papers' cells that the experiment counts as the paper did.
    grid
        The cases that are run.
    memory
        Memory that each case needs: the fields of `Bytes`, shape (cases, fields).

    Returns
    -------
    DataFrame
        A row for each printed number whose case is run as the paper ran it (the shipped model and scheme, one
        sequence's prompt, the same accounting and baseline); columns `COMPARISON_COLUMNS`. ``agrees`` is true where
        ours, rounded to the printed digits, equals the printed number; ``relative_error`` is ours over printed, less 1.
        A ratio of memories has a row only where memories in bytes are printed too: the overhead is fitted to these.
    Overhead or None
        Overhead that was added to weights and tables, where memory is compared.
    """
    baselines = grid.baseline()
    rows = []
    matched = [(cell, grid.find(cell.model, cell.scheme, cell.technology, cell.prompt_tokens)) for cell in printed]
    cases = [(cell, case) for cell, case in matched if case is not None]
    overhead = _overhead(cases, grid, memory)
    for cell, case in cases:
        reference = case if baselines is None else int(baselines[case])
        if cell.quantity in (MEMORY_GB, MEMORY_RATIO):
            if overhead is None:
                continue
            case_bytes = [_stored_bytes(memory, i) + overhead.of(_cached_values(grid, cell)) for i in (case, reference)]
            ours = case_bytes[0] / BYTES_PER_GB if cell.quantity == MEMORY_GB else case_bytes[1] / case_bytes[0]
        else:
            ours = _energy_j(grid, case, cell.action)
        if cell.quantity == "ratio_to_baseline":
            ours = _energy_j(grid, reference, cell.action) / ours
        cells = {
            **vars(cell),
            "ours": ours,
            "relative_error": ours / float(cell.printed) - 1,
            "agrees": cell.agrees(ours),
        }
        rows.append(cells)
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS)), overhead


def _overhead(cases: Sequence[tuple[PrintedNumber, int]], grid: Grid, memory: Floats) -> Overhead | None:
    """Return the overhead that fits the memories printed in bytes, or none if there are none."""
    samples = [
        Sample(float(cell.printed) * BYTES_PER_GB, _stored_bytes(memory, case), _cached_values(grid, cell))
        for cell, case in cases
        if cell.quantity == MEMORY_GB
    ]
    return fit(samples) if samples else None


def _stored_bytes(memory: Floats, case: int) -> float:
    content = Bytes(*memory[case])
    return float(content.weights_bytes + content.tables_bytes + content.adapters_bytes)


def _cached_values(grid: Grid, cell: PrintedNumber) -> float:
    model = grid.models[cell.model]
    return float(model.layers * model.hidden) if isinstance(model, ModelShape) else 0.0


def _energy_j(grid: Grid, case: int, action: str) -> float:
    """Return the energy of a case's prompt, of all actions or of one."""
    block = evaluate(grid, np.array([case]))
    rows = block.phase == PHASES.index(PREFILL)
    if action:
        rows &= block.action == CATEGORIES["action"].index(action)
    # bincount adds in the order of the rows, as the summary does
    return float(np.bincount(np.zeros(rows.sum(), dtype=np.intp), block.energy_pj[rows], minlength=1)[0] / PJ_PER_J)
