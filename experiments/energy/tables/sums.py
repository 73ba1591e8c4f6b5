"""Counts and prices every case of an experiment, and sums: one row per case and phase."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.system.counting.memory import Bytes
from bitjoule.energy_models.system.counting.utilisation import RESOURCES
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.experiments.energy.evaluation import case_columns, evaluate, evaluate_system, system_block, tokens_of
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.energy.tables.arrays import MacsByArray
from bitjoule.experiments.energy.tables.bands import Bands
from bitjoule.experiments.energy.tables.components import bound_table, utilisation
from bitjoule.experiments.energy.tables.dram import DramParts
from bitjoule.experiments.output.columns import PHASES, PJ_PER_J, REQUEST, SUMMARY_COLUMNS, UTILISATION_COLUMNS

BLOCK_CASES = 4096  # bounds the memory of the dense (cases, actions) arrays
ENDS = ("energy", "energy_low", "energy_high")


class Sums(NamedTuple):
    """Sums over the counted cases.

    Parameters
    ----------
    summary
        A row for each case and phase; columns `SUMMARY_COLUMNS`.
    memory
        The fields of `Bytes` of each case, shape (cases, fields); NaN unless the system accounting is used.
    bands
        The energies by the row that prices them, of the system accounting.
    bounds
        The latencies of the system accounting by what bounds them, see
        `bitjoule.experiments.energy.tables.components.bound_table`; empty with another.
    dram
        The energies of DRAM devices by part, of the system accounting.
    """

    summary: pd.DataFrame
    memory: Floats
    bands: Bands
    bounds: pd.DataFrame
    dram: DramParts


def blocks(grid: Grid) -> Iterator[NDArray[np.intp]]:
    """Yield the numbers of all cases, a bounded number at a time.

    Parameters
    ----------
    grid
        The cases.
    """
    size = BLOCK_CASES // 4 if grid.accounting is Accounting.SYSTEM else BLOCK_CASES
    for start in range(0, len(grid), size):
        yield np.arange(start, min(start + size, len(grid)))


def summarise(grid: Grid) -> Sums:
    """Count and price all cases.

    Parameters
    ----------
    grid
        The cases.
    """
    bands, dram, arrays = Bands(grid), DramParts(grid), MacsByArray(grid)
    memory = np.full((len(grid), len(Bytes._fields)), np.nan)
    request = PHASES.index(REQUEST)
    size = (len(grid), len(PHASES))
    energy_j = {f"{end}_j": np.zeros(size) for end in ENDS}
    latency_s, bounds_s = np.full(size, np.nan), np.zeros((*size, len(BOUNDS)))
    busy_s = np.full((*size, len(RESOURCES)), np.nan)
    system = grid.accounting is Accounting.SYSTEM
    for cases in blocks(grid):
        if system:
            evaluated = evaluate_system(grid, cases)
            latency_s[cases, :request] = evaluated.latency_s
            bounds_s[cases, :request] = evaluated.times.seconds.sum(axis=2)
            busy_s[cases, :request] = evaluated.times.busy.sum(axis=2)
            memory[cases] = np.stack(evaluated.memory_bytes, axis=1)
            bands.add(cases, evaluated)
            dram.add(cases, evaluated)
            arrays.add(cases, evaluated)
            block = system_block(grid, cases, evaluated)
        else:
            block = evaluate(grid, cases)
        key = (block.case - cases[0]).astype(np.int64) * len(PHASES) + block.phase
        for end in ENDS:
            # bincount adds in the order of the rows: the same sum on every machine
            total_pj = np.bincount(key, getattr(block, f"{end}_pj"), minlength=len(cases) * len(PHASES))
            energy_j[f"{end}_j"][cases] = total_pj.reshape(len(cases), len(PHASES)) / PJ_PER_J
    for total in (*energy_j.values(), latency_s, bounds_s, busy_s):
        total[:, request] = total[:, :request].sum(axis=1)

    tokens = tokens_of(grid, np.arange(len(grid)))
    happened = tokens > 0
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
    columns |= arrays.columns(case, phase)
    of_peaks = utilisation(busy_s[case, phase], latency_s[case, phase])
    columns |= dict(zip(UTILISATION_COLUMNS, of_peaks.T, strict=True))
    summary = pd.DataFrame(columns, columns=list(SUMMARY_COLUMNS))
    bounds = bound_table(summary, bounds_s, happened) if system else pd.DataFrame()
    return Sums(summary, memory, bands, bounds, dram)
