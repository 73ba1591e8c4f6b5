"""Whether a comparison holds for all prices within their bands.

Baseline and case share the rows that price them, so a price changes on both sides of a comparison. The bounds of the
saving are sums over rows, each at the end of its band where the sum is least, or greatest. The bounds of the ratio are
at such ends, too: which, Dinkelbach's iteration finds (Management Science 13(7), 1967). What regulators lose is in
proportion to these energies: the sums are taken at each end of the regulators' band.
"""

import itertools
from collections.abc import Iterator, Mapping
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
AT_ONCE = 1 << 12  # cases that are compared together: bounds the memory beside the table
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
        width, active = evaluated.width, evaluated.active
        rows = evaluated.machine_rows[:, active % width]
        for of_group, own_rows in _alike(rows, evaluated.machine_index):
            ends = evaluated.active_energies.swapaxes(0, 1)[:, :, of_group]  # of each column
            counted = np.flatnonzero(ends[:, 1].any(axis=1))
            ends, places, priced_by = ends[counted], active[counted], own_rows[counted]
            banded = ends[:, 0] != ends[:, 2]
            certain = np.where(banded, 0.0, ends[:, 1])
            with_band, without = banded.any(axis=1), certain.any(axis=1)
            for column in np.flatnonzero(with_band & without).tolist():  # others have only bands, or none
                ends[column] = np.where(banded[column], ends[column], 0.0)
            some, left = np.flatnonzero(with_band), np.flatnonzero(without)
            met = np.unique(priced_by[some]).tolist()
            of_cases = cases[of_group]
            for level in range(self.levels):
                drawn: Any = evaluated.drawn[level].T[places % width][:, of_group] if self.levels > 1 else 1.0
                own = (certain * drawn)[left] if self.levels > 1 else certain[left]
                self.certain[level, of_cases] = _by_phase(own, places[left], width).T
                through = ends * drawn[:, None] if self.levels > 1 else ends
                for row in met:
                    if row not in self.uncertain:
                        self.uncertain[row] = np.zeros((self.levels, ENDS, *self.certain.shape[1:]))
                    own = some[priced_by[some] == row]
                    summed = _by_phase(through[own], places[own], width)
                    self.uncertain[row][level, :, of_cases] = summed.transpose(2, 1, 0)

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
        least, most, nominal, banded = np.zeros((4, len(cases), len(PHASE_NAMES) + 1))
        for span in _spans(len(cases)):
            least[span], most[span], nominal[span], banded[span] = self._savings(span, reference[span])
        happened = (tokens_of(self.grid, cases) > 0) & (reference != cases)[:, None]
        case, phase = np.nonzero(happened)
        columns = case_columns(self.grid, case, phase.astype(np.int8))
        for name, values in zip(BAND_COLUMNS, (least, nominal, most), strict=False):
            columns[name] = values[case, phase] / PJ_PER_J
        columns["flips"] = ((least < 0) & (most > 0))[case, phase]
        fixed = _with_all(self.certain[self.levels // 2])
        columns["banded_share"] = banded[case, phase] / (banded + fixed)[case, phase]
        for name, sign in (("ratio_low", -1), ("ratio_high", 1)):
            columns[name] = self._ratio_end(reference, sign)[case, phase]
        return pd.DataFrame(columns)

    def _savings(self, span: slice, reference: NDArray[np.integer[Any]]) -> tuple[Floats, Floats, Floats, Floats]:
        """Return what cases save at least, at most and at nominal prices, and their energy that has a band.

        Parameters
        ----------
        span, reference
            The cases, and the baseline of each.
        """

        def saved(values: Floats) -> Floats:
            return _with_all(values[..., reference, :] - values[..., span, :])

        certain = saved(self.certain)
        ends = [saved(table) for table in self.uncertain.values()]
        zeros = np.zeros_like(certain)
        least = (certain + sum((np.min(end, axis=1) for end in ends), zeros)).min(axis=0)
        most = (certain + sum((np.max(end, axis=1) for end in ends), zeros)).max(axis=0)
        middle = self.levels // 2
        nominal = (certain + sum((end[:, 1] for end in ends), zeros))[middle]
        tables = (table[middle, 1, span] for table in self.uncertain.values())
        return least, most, nominal, _with_all(sum(tables, np.zeros_like(self.certain[0, span])))

    def _ratio_end(self, reference: NDArray[np.integer[Any]], sign: int) -> Floats:
        """Return the greatest (sign 1) or the least (−1) ratio that the bands allow, shape (cases, phases and all)."""
        shape = (*self.certain.shape[:2], len(PHASE_NAMES) + 1)
        spans = list(_spans(shape[1]))
        over, under = np.zeros((2, *shape))
        for span in spans:
            over[:, span], under[:, span] = self._both_ends(span, reference[span], None, sign)
        for _ in range(MOST_STEPS):
            ratio = np.divide(over, under, out=np.ones_like(over), where=under > 0)
            for span in spans:
                over[:, span], under[:, span] = self._both_ends(span, reference[span], ratio[:, span], sign)
            improved = sign * (over - ratio * under) > RELATIVE * over
            if not improved.any():
                break
        return np.asarray(sign * (sign * ratio).max(axis=0), dtype=np.float64)

    def _both_ends(
        self, span: slice, reference: NDArray[np.integer[Any]], ratio: Floats | None, sign: int
    ) -> tuple[Floats, Floats]:
        """Return the energies of baselines and of cases where a ratio leaves most, or at nominal prices without one."""

        def both(values: Floats) -> tuple[Floats, Floats]:
            return _with_all(values[..., reference, :]), _with_all(values[..., span, :])

        over, under = both(self.certain)
        added = [np.zeros_like(over), np.zeros_like(under)] if ratio is None else [over, under]
        for base, own in map(both, self.uncertain.values()):
            if ratio is None:
                added[0] += base[:, 1]
                added[1] += own[:, 1]
                continue
            end = np.argmax(sign * (base - ratio[:, None] * own), axis=1)[:, None]
            added[0] += np.take_along_axis(base, end, axis=1)[:, 0]
            added[1] += np.take_along_axis(own, end, axis=1)[:, 0]
        return (over + added[0], under + added[1]) if ratio is None else (added[0], added[1])


def _spans(cases: int) -> Iterator[slice]:
    """Yield spans of cases, a bounded number at a time."""
    for start in range(0, cases, AT_ONCE):
        yield slice(start, min(start + AT_ONCE, cases))


def _with_all(values: Floats) -> Floats:
    """Return values of phases, and their sum after them, along the last axis."""
    return np.concatenate([values, values.sum(axis=-1, keepdims=True)], axis=-1)


def _alike(rows: NDArray[np.int32], machine_index: NDArray[np.intp]) -> Iterator[tuple[Any, NDArray[np.int32]]]:
    """Yield the cases whose columns are priced by the same rows, as a slice if they are neighbours, and these rows."""
    kinds: dict[bytes, int] = {}
    kind_of = np.array([kinds.setdefault(own.tobytes(), i) for i, own in enumerate(rows)])
    of_case = kind_of[machine_index]
    for kind in kinds.values():
        chosen = np.flatnonzero(of_case == kind)
        if len(chosen):
            together = chosen[-1] - chosen[0] == len(chosen) - 1
            yield slice(chosen[0], chosen[-1] + 1) if together else chosen, rows[kind]


def _by_phase(values: Floats, places: NDArray[np.intp], width: int) -> Floats:
    """Return the sums of columns of all phases, in ascending places, shape (phases, ...); that of a column is (...)."""
    sums = np.zeros((len(PHASE_NAMES), *values.shape[1:]))
    begin = np.searchsorted(places, width * np.arange(len(PHASE_NAMES) + 1))
    for phase, (first, last) in enumerate(itertools.pairwise(begin.tolist())):
        total = pairwise(list(values[first:last]), (places[first:last] - phase * width).tolist(), width)
        if total is not None:
            sums[phase] = total
    return sums
