"""Whether a comparison holds for all prices within their bands.

Baseline and case share the rows that price them, so a price changes on both sides of a comparison. The bounds of the
saving are sums over rows, each at the end of its band where the sum is least, or greatest. The bounds of the ratio are
at such ends, too: which, Dinkelbach's iteration finds (Management Science 13(7), 1967). What regulators lose is in
proportion to these energies: the sums are taken at each end of the regulators' band.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import PHASE_NAMES, Floats
from bitjoule.energy_models.system.counting.counted import Evaluated
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
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        machines = [hardware for by_scheme in grid.platforms.values() for _, hardware in by_scheme.values()]
        self.levels = ENDS if any(machine.regulator for machine in machines) else 1  # of the regulators' efficiency
        self.certain: Floats = np.zeros((self.levels, len(grid), len(PHASE_NAMES)))
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
        low, nominal, high = (end.reshape(len(cases), len(PHASE_NAMES), -1) for end in evaluated.energies)
        keys = evaluated.price_rows.reshape(nominal.shape)
        banded = low != high
        for level in range(self.levels):
            drawn = evaluated.drawn[level][:, None] if self.levels > 1 else 1.0
            self.certain[level, cases] = np.where(banded, 0.0, nominal * drawn).sum(axis=2)
            for key in np.unique(keys[banded]).tolist():
                of_row = banded & (keys == key)
                empty = np.zeros((self.levels, ENDS, *self.certain.shape[1:]))
                table = self.uncertain.setdefault(key, empty)
                for end, values in enumerate((low, nominal, high)):
                    table[level, end, cases] = np.where(of_row, values * drawn, 0.0).sum(axis=2)

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
