"""Whether a comparison holds for all prices within their bands.

Baseline and case share the rows that price them, so a price changes on both sides of a comparison. The bounds of the
saving are sums over rows, each at the end of its band where the sum is least, or greatest.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import PHASE_NAMES, Floats
from bitjoule.energy_models.system.system import Evaluated
from bitjoule.experiments.energy.evaluation import case_columns, tokens_of
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.output.columns import PJ_PER_J

BAND_COLUMNS = ("saving_low_j", "saving_j", "saving_high_j", "flips", "banded_share")


class Bands:
    """Collects the energies of cases by the row that prices them.

    Parameters
    ----------
    grid
        Every case.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.certain: Floats = np.zeros((len(grid), len(PHASE_NAMES)))
        self.uncertain: dict[int, Floats] = {}  # by row: (ends, cases, phases)

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
        self.certain[cases] = np.where(banded, 0.0, nominal).sum(axis=2)
        for key in np.unique(keys[banded]).tolist():
            of_row = banded & (keys == key)
            table = self.uncertain.setdefault(key, np.zeros((3, *self.certain.shape)))
            for end, values in enumerate((low, nominal, high)):
                table[end, cases] = np.where(of_row, values, 0.0).sum(axis=2)

    def table(self) -> pd.DataFrame:
        """Return a row for each case and phase that is compared with another case.

        Returns
        -------
        DataFrame
            The case's columns; ``saving_j`` is the baseline's energy less this one's, at nominal prices, the least and
            the most that the bands allow; ``flips`` tells whether its sign depends on them; ``banded_share`` is the
            share of this case's energy whose price has a band at all. Empty without a baseline.
        """
        baseline = self.grid.baseline()
        cases = np.arange(len(self.grid))
        reference = cases if baseline is None else baseline

        def saved(values: Floats) -> Floats:
            saving = values[..., reference, :] - values
            return np.concatenate([saving, saving.sum(axis=-1, keepdims=True)], axis=-1)

        certain = saved(self.certain)
        ends = [saved(table) for table in self.uncertain.values()]
        least = certain + sum((np.min(end, axis=0) for end in ends), np.zeros_like(certain))
        most = certain + sum((np.max(end, axis=0) for end in ends), np.zeros_like(certain))
        nominal = certain + sum((end[1] for end in ends), np.zeros_like(certain))
        happened = (tokens_of(self.grid, cases) > 0) & (reference != cases)[:, None]
        case, phase = np.nonzero(happened)
        columns = case_columns(self.grid, case, phase.astype(np.int8))
        for name, values in zip(BAND_COLUMNS, (least, nominal, most), strict=False):
            columns[name] = values[case, phase] / PJ_PER_J
        columns["flips"] = ((least < 0) & (most > 0))[case, phase]
        banded = sum((table[1] for table in self.uncertain.values()), np.zeros_like(self.certain))
        energies = [
            np.concatenate([energy, energy.sum(axis=1, keepdims=True)], axis=1) for energy in (banded, self.certain)
        ]
        columns["banded_share"] = energies[0][case, phase] / (energies[0] + energies[1])[case, phase]
        return pd.DataFrame(columns)
