"""What each price with a band, and each assumption, does to a run: one at a time at its low and its high end.

Prices that depend on one row move together, on both sides of a comparison: all sizes of a memory, the registers of all
machines, one part's static power. Counts and mappings are those of the nominal prices. With an assumption changed
(`bitjoule.experiments.energy.uncertainty.assumptions`), in all machines and schemes at once, everything is counted and
mapped anew, at nominal prices.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.experiments.energy.evaluation import case_columns, categorical, tokens_of
from bitjoule.experiments.energy.grid import AXES, Grid
from bitjoule.experiments.energy.tables.bands import ENDS, Bands
from bitjoule.experiments.energy.uncertainty.assumptions import Varied
from bitjoule.experiments.output.columns import PJ_PER_J

REGULATORS = "regulator"
KINDS = ("price", "assumption")
COLUMNS = (
    "cause", "kind", "low", "high", "energy_low_j", "energy_j", "energy_high_j", "ratio_low", "ratio", "ratio_high",
    "turns", "least_low", "least", "least_high",
)  # fmt: skip
VARIED_COLUMNS = ("assumption", "low", "high", "problem_low", "problem_high", "reason", "source")
NOMINAL = 1
SAME = 1e-9  # relative: energies that were summed twice differ by rounding alone


class _Moved(NamedTuple):
    """A cause, its ends as texts, and the energy of each case, phase and whole request at them and as run."""

    cause: str
    kind: int
    low: str
    high: str
    energies: Sequence[Floats]


def sensitivity(bands: Bands, rows: Sequence[str], varied: Sequence[Varied] = ()) -> pd.DataFrame:
    """Return a row for each case, phase and cause.

    Parameters
    ----------
    bands
        With every case added.
    rows
        Names of the rows that price them, by number.
    varied
        The experiment with each assumption changed.

    Returns
    -------
    DataFrame
        The case's columns; ``cause``, the row whose price moves, ``regulator``, or an assumption; ``kind``, price or
        assumption; ``low`` and ``high``, what it is at its ends; the energy of the case with it at its low end, as run,
        and at its high end; the baseline's energy over this one's in the same three (low and high are those of the
        cause, not of the ratio); ``turns`` tells whether the ratio is above 1 in one of the three and below in another;
        ``least_low``, ``least``, ``least_high`` name the scheme that needs the least energy in each. Causes that change
        neither the case nor its baseline are left out. Ratios are empty without a baseline.
    """
    grid, middle = bands.grid, bands.levels // 2
    nominal = [
        _whole(bands.certain[level] + sum((table[level, NOMINAL] for table in bands.uncertain.values()), 0.0))
        for level in range(bands.levels)
    ]
    moved = []
    for number, table in sorted(bands.uncertain.items()):
        ends = [nominal[middle] + _whole(table[middle, end] - table[middle, NOMINAL]) for end in range(ENDS)]
        moved.append(_Moved(rows[number], 0, "low end", "high end", ends))
    if bands.levels > 1:
        moved.append(_Moved(REGULATORS, 0, "low end", "high end", nominal))
    for name, _, texts, energies, _ in varied:
        low, high = (nominal[middle] if end is None else _whole(end) for end in energies)
        moved.append(_Moved(name, 1, *texts, [low, nominal[middle], high]))
    pieces = [_rows(grid, cause) for cause in moved]
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(COLUMNS))


def varied_table(varied: Sequence[Varied]) -> pd.DataFrame:
    """Return a row for each assumption that was varied.

    Parameters
    ----------
    varied
        As for `sensitivity`.

    Returns
    -------
    DataFrame
        ``assumption``; ``low`` and ``high``, what it is at its ends; ``problem_low`` and ``problem_high``, why the
        experiment cannot run there, or empty; ``reason`` and ``source``.
    """
    rows = [(row.name, *row.texts, *row.problems, row.assumption.reason, row.assumption.source) for row in varied]
    return pd.DataFrame(rows, columns=list(VARIED_COLUMNS))


def _whole(values: Floats) -> Floats:
    """Return the energies of phases, and of all of them."""
    return np.concatenate([values, values.sum(axis=-1, keepdims=True)], axis=-1)


def _rows(grid: Grid, moved: _Moved) -> pd.DataFrame:
    """Return the rows of one cause."""
    cases = np.arange(len(grid))
    baseline = grid.baseline()
    reference = cases if baseline is None else baseline
    low, nominal, high = moved.energies
    if KINDS[moved.kind] == "price":
        moves = low != high
    else:
        moves = (abs(low - nominal) > SAME * nominal) | (abs(high - nominal) > SAME * nominal)
    case, phase = np.nonzero((tokens_of(grid, cases) > 0) & (moves | moves[reference]))
    columns: dict[str, object] = dict(case_columns(grid, case, phase.astype(np.int8)))
    columns |= {"cause": moved.cause, "kind": KINDS[moved.kind], "low": moved.low, "high": moved.high}
    ratios = []
    for name, energy in zip(("low_", "", "high_"), moved.energies, strict=True):
        columns[f"energy_{name}j"] = energy[case, phase] / PJ_PER_J
        ratio = energy[reference][case, phase] / energy[case, phase]
        ratios.append(np.full(len(case), np.nan) if baseline is None else ratio)
        columns[f"least_{name}".rstrip("_")] = categorical(_least(grid, energy)[case, phase], grid.names[1])
    columns |= dict(zip(("ratio_low", "ratio", "ratio_high"), ratios, strict=True))
    columns["turns"] = (np.min(ratios, axis=0) < 1) & (np.max(ratios, axis=0) > 1)
    order = [name for name in columns if name not in COLUMNS]
    return pd.DataFrame(columns, columns=[*order, *COLUMNS])


def _least(grid: Grid, energy: Floats) -> NDArray[np.int64]:
    """Return, for each case and phase, the scheme of least energy among cases that differ in nothing else."""
    axis = AXES.index("scheme")
    values = energy.reshape(*grid.shape, -1)
    least = np.expand_dims(values.argmin(axis=axis), axis)
    return np.broadcast_to(least, values.shape).reshape(energy.shape)
