"""Whether a comparison holds for all prices within their bands.

Baseline and case share the rows that price them, so a price changes on both sides of a comparison. The bounds of the
saving are sums over rows, each at the end of its band where the sum is least, or greatest. The bounds of the ratio are
at such ends, too: which, Dinkelbach's iteration finds (Management Science 13(7), 1967). What regulators lose is in
proportion to these energies: the sums are taken at each end of the regulators' band.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import PHASE_NAMES, Floats
from bitjoule.energy_models.system.counting.counted import Evaluated
from bitjoule.energy_models.system.counting.sums import pairwise
from bitjoule.experiments.energy.evaluation import case_columns, tokens_of
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.output.columns import PJ_PER_J

ENDS = 3  # low, nominal, high
BAND_COLUMNS = ("saving_low_j", "saving_j", "saving_high_j", "flips", "banded_share", "ratio_low", "ratio_high")
RELATIVE = 1e-12
MOST_STEPS = 100  # it converges faster than linearly: a handful is enough


class Bands:
    """Collects the energies of cases by the row that prices them.

    Parameters
    ----------
    grid
        Every case.
    count
        Cases that are collected, from 0 on; default: all.
    """

    def __init__(self, grid: Grid, count: int | None = None) -> None:
        self.grid = grid
        count = len(grid) if count is None else count
        machines = [hardware for by_scheme in grid.platforms.values() for _, hardware in by_scheme.values()]
        self.levels = ENDS if any(machine.regulator for machine in machines) else 1  # of the regulators' efficiency
        self.certain: Floats = np.zeros((self.levels, count, len(PHASE_NAMES)))
        self.uncertain: dict[int, Floats] = {}  # by row: (levels, ends, cases, phases)

    def add(self, cases: NDArray[np.integer[Any]], evaluated: Evaluated) -> None:
        """Add evaluated cases.

        Parameters
        ----------
        cases
            Their numbers.
        evaluated
            From `bitjoule.experiments.energy.evaluation.evaluate_system`.
        """
        ends, width, active = evaluated.active_energies, evaluated.width, evaluated.active
        some = np.flatnonzero((ends[0] != ends[2]).any(axis=1))  # columns with a band in any case
        banded = ends[0, some] != ends[2, some]
        of_machine = evaluated.machine_rows[:, active[some] % width]
        of_case = of_machine[evaluated.machine_index].T  # the row that prices each of them, shape (columns, cases)
        met = np.unique(of_case[banded]).tolist()
        for row in met:
            self.uncertain.setdefault(row, np.zeros((self.levels, ENDS, *self.certain.shape[1:])))
        for level in range(self.levels):
            drawn = evaluated.drawn[level].T[active % width] if self.levels > 1 else np.ones((len(active), 1))
            certain = ends[1] * drawn
            certain[some] = np.where(banded, 0.0, certain[some])
            self.certain[level, cases] = _by_phase(certain, active, width)
            for row in met:
                columns = np.flatnonzero((of_machine == row).any(axis=0))
                of_row = banded[columns] & (of_case[columns] == row)
                chosen = some[columns]
                for end in range(ENDS):
                    values = np.where(of_row, ends[end, chosen] * drawn[chosen], 0.0)
                    self.uncertain[row][level, end, cases] = _by_phase(values, active[chosen], width)

    def values(self) -> dict[str, NDArray[Any]]:
        """Return what is collected as arrays, for `put`; the rows in the order in which they were met."""
        rows = np.array(list(self.uncertain), dtype=np.int64)
        empty = np.zeros((0, self.levels, ENDS, *self.certain.shape[1:]))
        ends = np.stack(list(self.uncertain.values())) if len(rows) else empty
        return {"certain": self.certain, "banded_rows": rows, "uncertain": ends}

    def put(self, first: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Put what another collected where it belongs.

        Parameters
        ----------
        first
            Number of its first case here.
        values
            From its `values`.
        """
        cases = slice(first, first + values["certain"].shape[1])
        self.certain[:, cases] = values["certain"]
        for row, ends in zip(values["banded_rows"].tolist(), values["uncertain"], strict=True):
            empty = np.zeros((self.levels, ENDS, *self.certain.shape[1:]))
            self.uncertain.setdefault(row, empty)[:, :, cases] = ends

    def table(self) -> pd.DataFrame:
        """Return a row for each case and phase that is compared with another case.

        Returns
        -------
        DataFrame
            The case's columns; ``saving_j`` is the baseline's energy less this one's, at nominal prices, the least and
            the most that the bands allow; ``flips`` tells whether its sign depends on them; ``banded_share`` is the
            share of this case's energy whose price has a band at all, losses of regulators with what they are in
            proportion to; ``ratio_low`` and ``ratio_high`` are the least and the most of the baseline's energy over
            this one's. Empty without a baseline.
        """
        baseline = self.grid.baseline()
        cases = np.arange(len(self.grid))
        reference = cases if baseline is None else baseline

        def saved(values: Floats) -> Floats:
            saving = values[..., reference, :] - values
            return np.concatenate([saving, saving.sum(axis=-1, keepdims=True)], axis=-1)

        certain = saved(self.certain)
        ends = [saved(table) for table in self.uncertain.values()]
        zeros = np.zeros_like(certain)
        least = (certain + sum((np.min(end, axis=1) for end in ends), zeros)).min(axis=0)
        most = (certain + sum((np.max(end, axis=1) for end in ends), zeros)).max(axis=0)
        nominal = (certain + sum((end[:, 1] for end in ends), zeros))[self.levels // 2]
        happened = (tokens_of(self.grid, cases) > 0) & (reference != cases)[:, None]
        case, phase = np.nonzero(happened)
        columns = case_columns(self.grid, case, phase.astype(np.int8))
        for name, values in zip(BAND_COLUMNS, (least, nominal, most), strict=False):
            columns[name] = values[case, phase] / PJ_PER_J
        columns["flips"] = ((least < 0) & (most > 0))[case, phase]
        middle = self.levels // 2
        banded = sum((table[middle, 1] for table in self.uncertain.values()), np.zeros_like(self.certain[0]))
        parts = (banded, self.certain[middle])
        energies = [np.concatenate([energy, energy.sum(axis=1, keepdims=True)], axis=1) for energy in parts]
        columns["banded_share"] = energies[0][case, phase] / (energies[0] + energies[1])[case, phase]
        for name, sign in (("ratio_low", -1), ("ratio_high", 1)):
            columns[name] = self._ratio_end(reference, sign)[case, phase]
        return pd.DataFrame(columns)

    def _ratio_end(self, reference: NDArray[np.integer[Any]], sign: int) -> Floats:
        """Return the greatest (sign 1) or the least (−1) ratio that the bands allow, shape (cases, phases and all)."""

        def both(values: Floats) -> tuple[Floats, Floats]:
            energy = np.concatenate([values, values.sum(axis=-1, keepdims=True)], axis=-1)
            return energy[..., reference, :], energy

        certain = both(self.certain)
        rows = [both(table) for table in self.uncertain.values()]
        over, under = (
            part + sum((row[i][:, 1] for row in rows), np.zeros_like(part)) for i, part in enumerate(certain)
        )
        for _ in range(MOST_STEPS):
            ratio = np.divide(over, under, out=np.ones_like(over), where=under > 0)
            over, under = (part.copy() for part in certain)
            for base, own in rows:
                end = np.argmax(sign * (base - ratio[:, None] * own), axis=1)[:, None]
                over += np.take_along_axis(base, end, axis=1)[:, 0]
                under += np.take_along_axis(own, end, axis=1)[:, 0]
            improved = sign * (over - ratio * under) > RELATIVE * over
            if not improved.any():
                break
        return np.asarray(sign * (sign * ratio).max(axis=0), dtype=np.float64)


def _by_phase(values: Floats, columns: NDArray[np.intp], width: int) -> Floats:
    """Return the sums of columns of all phases, shape (cases, phases)."""
    sums = []
    for phase in range(len(PHASE_NAMES)):
        here = columns // width == phase
        sums.append(pairwise(values[here], (columns[here] % width).tolist(), width))
    return np.stack(sums, axis=1)
