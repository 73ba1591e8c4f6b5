"""What each price with a band does to a run: one at a time at its low and its high end, all others nominal.

Prices that depend on one row move together, on both sides of a comparison: all sizes of a memory, the registers of all
machines, one part's static power. Counts and mappings are those of the nominal prices.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.experiments.energy.bands import ENDS, Bands
from bitjoule.experiments.energy.evaluation import case_columns, tokens_of
from bitjoule.experiments.output.columns import PJ_PER_J

REGULATORS = "regulator"
COLUMNS = ("cause", "energy_low_j", "energy_j", "energy_high_j", "ratio_low", "ratio", "ratio_high", "turns")
NOMINAL = 1


def sensitivity(bands: Bands, rows: Sequence[str]) -> pd.DataFrame:
    """Return a row for each case, phase and cause.

    Parameters
    ----------
    bands
        With every case added.
    rows
        Names of the rows that price them, by number.

    Returns
    -------
    DataFrame
        The case's columns; ``cause``, the row whose price moves, or ``regulator``; the energy of the case with it at
        its low end, at nominal prices and at its high end; the baseline's energy over this one's in the same three (low
        and high are those of the price, not of the ratio); ``turns`` tells whether the ratio is above 1 at one end and
        below at the other. Causes that change neither the case nor its baseline are left out. Ratios are empty without
        a baseline.
    """
    grid, middle = bands.grid, bands.levels // 2
    cases = np.arange(len(grid))
    baseline = grid.baseline()
    reference = cases if baseline is None else baseline
    happened = tokens_of(grid, cases) > 0

    def whole(values: Floats) -> Floats:
        return np.concatenate([values, values.sum(axis=-1, keepdims=True)], axis=-1)

    nominal = [
        whole(bands.certain[level] + sum((table[level, NOMINAL] for table in bands.uncertain.values()), 0.0))
        for level in range(bands.levels)
    ]
    moved = {
        rows[number]: [nominal[middle] + whole(table[middle, end] - table[middle, NOMINAL]) for end in range(ENDS)]
        for number, table in sorted(bands.uncertain.items())
    }
    if bands.levels > 1:
        moved[REGULATORS] = nominal
    pieces = []
    for cause, energies in moved.items():
        changed = (energies[0] != energies[-1]) | (energies[0] != energies[-1])[reference]
        case, phase = np.nonzero(happened & changed)
        columns: dict[str, object] = dict(case_columns(grid, case, phase.astype(np.int8)))
        columns["cause"] = cause
        ratios = []
        for name, energy in zip(("low_", "", "high_"), energies, strict=True):
            columns[f"energy_{name}j"] = energy[case, phase] / PJ_PER_J
            ratio = energy[reference][case, phase] / energy[case, phase]
            ratios.append(np.full(len(case), np.nan) if baseline is None else ratio)
        columns |= dict(zip(("ratio_low", "ratio", "ratio_high"), ratios, strict=True))
        columns["turns"] = (np.minimum(ratios[0], ratios[2]) < 1) & (np.maximum(ratios[0], ratios[2]) > 1)
        order = [name for name in columns if name not in COLUMNS]
        pieces.append(pd.DataFrame(columns, columns=[*order, *COLUMNS]))
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(COLUMNS))
