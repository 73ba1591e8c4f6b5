"""Whether a comparison holds for all prices within their bands.

Baseline and case share the rows that price them, so a price changes on both sides of a comparison. The bounds of the
saving are sums over rows, each at the end of its band where the sum is least, or greatest. The bounds of the ratio are
at such ends, too: which, Dinkelbach's iteration finds (Management Science 13(7), 1967). What regulators lose is in
proportion to these energies: the sums are taken at each end of the regulators' band.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import PHASE_NAMES, Floats
from bitjoule.energy_models.system.by_phase import OfPhase
from bitjoule.energy_models.system.counting.counted import Evaluated, there
from bitjoule.energy_models.system.counting.sums import pairwise
from bitjoule.experiments.energy.evaluation import case_columns, tokens_of
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.output.columns import PJ_PER_J

ENDS = 3  # low, nominal, high
BAND_COLUMNS = ("saving_low_j", "saving_j", "saving_high_j", "flips", "banded_share", "ratio_low", "ratio_high")
RELATIVE = 1e-12
SURELY = 1e-9  # share of a price by which its ends differ for the energies of any count to differ
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
        self._known: dict[int, _RowSums] = {}  # of the last block, by the identity of what was counted

    def add(self, cases: NDArray[np.integer[Any]], placed: Sequence[tuple[slice, OfPhase]]) -> None:
        """Add evaluated cases.

        Parameters
        ----------
        cases
            Their numbers.
        placed
            From `bitjoule.energy_models.system.by_phase.ByPhase.placed`.
        """
        found = [phase.evaluated for _, phase in placed]
        rows = [each.machine_rows[:, each.active % each.width] for each in found]
        kinds, kind_of = _alike(np.concatenate(rows, axis=1))
        known = self._known if len(kind_of) == 1 else {}  # of one machine, what blocks share is summed once
        sums = [known.get(id(each)) or _RowSums(each, self.levels) for each in found]
        self._known = {id(each.found): each for each in sums}
        for kind in kinds:
            met: set[int] = set()
            for each in sums:
                met |= each.add(kind, kind_of)
            for row in sorted(met):
                if row not in self.uncertain:
                    self.uncertain[row] = np.zeros((self.levels, ENDS, *self.certain.shape[1:]))
        for each, (span, phase) in zip(sums, placed, strict=True):
            here = (Ellipsis, _together(cases), span)
            self.certain[here] = each.certain if phase.row is None else each.certain.take(phase.row, axis=1)
            for row, ends in each.uncertain.items():
                self.uncertain[row][here] = ends if phase.row is None else ends.take(phase.row, axis=2)

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
            if row not in self.uncertain:
                self.uncertain[row] = np.zeros((self.levels, ENDS, *self.certain.shape[1:]))
            self.uncertain[row][:, :, cases] = ends

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
        least, most, nominal, banded, ratio_low, ratio_high = np.zeros((6, len(cases), len(PHASE_NAMES) + 1))
        for span in _spans(len(cases)):
            if np.array_equal(reference[span], cases[span]):  # baselines, which have no row
                continue
            compared = self._compared(span, reference[span])
            least[span], most[span], nominal[span], banded[span] = compared.savings()
            ratio_low[span], ratio_high[span] = (compared.ratio_end(sign) for sign in (-1, 1))
        happened = (tokens_of(self.grid, cases) > 0) & (reference != cases)[:, None]
        case, phase = np.nonzero(happened)
        columns = case_columns(self.grid, case, phase.astype(np.int8))
        for name, values in zip(BAND_COLUMNS, (least, nominal, most), strict=False):
            columns[name] = values[case, phase] / PJ_PER_J
        columns["flips"] = ((least < 0) & (most > 0))[case, phase]
        fixed = _with_all(self.certain[self.levels // 2])
        columns["banded_share"] = banded[case, phase] / (banded + fixed)[case, phase]
        columns["ratio_low"], columns["ratio_high"] = ratio_low[case, phase], ratio_high[case, phase]
        return pd.DataFrame(columns, copy=False)

    def _compared(self, span: slice, reference: NDArray[np.integer[Any]]) -> "_Compared":
        """Return the energies of cases and of the baseline of each."""

        def sides(values: Floats) -> tuple[Floats, Floats]:
            return _with_all(values[..., reference, :]), _with_all(values[..., span, :])

        # Of the rows, few price both a technology and a scheme of this span: zeros would be added without effect.
        met = [ends for ends in self.uncertain.values() if ends[:, :, span].any() or ends[:, :, reference].any()]
        rows = [[sides(ends[:, i]) for i in range(ENDS)] for ends in met]
        return _Compared(sides(self.certain), rows)


class _Compared:
    """The energies of some cases and of their baselines, each phase and all together.

    Parameters
    ----------
    certain
        At prices without a band, of the baselines and of the cases; shape (levels, cases, phases and all) each.
    rows
        The same at each end of each row with a band.
    """

    def __init__(self, certain: tuple[Floats, Floats], rows: list[list[tuple[Floats, Floats]]]) -> None:
        self.certain, self.rows, self.middle = certain, rows, len(certain[0]) // 2

    def savings(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Return what cases save at least, at most and at nominal prices, and their energy that has a band."""

        def saved(base: Floats, own: Floats) -> Floats:
            return _with_all(base[..., :-1] - own[..., :-1])

        certain = saved(*self.certain)
        ends = [[saved(*sides) for sides in row] for row in self.rows]
        zeros = np.zeros_like(certain)
        least = (certain + sum((np.minimum.reduce(row) for row in ends), zeros)).min(axis=0)
        most = (certain + sum((np.maximum.reduce(row) for row in ends), zeros)).max(axis=0)
        nominal = (certain + sum((row[1] for row in ends), zeros))[self.middle]
        owned = (row[1][1][self.middle, :, :-1] for row in self.rows)
        return least, most, nominal, _with_all(sum(owned, np.zeros_like(certain[0, :, :-1])))

    def ratio_end(self, sign: int) -> Floats:
        """Return the greatest (sign 1) or the least (−1) ratio that the bands allow, shape (cases, phases and all)."""
        over, under = (
            certain + sum((row[1][side] for row in self.rows), np.zeros_like(certain))
            for side, certain in enumerate(self.certain)
        )
        for _ in range(MOST_STEPS):
            ratio = np.divide(over, under, out=np.ones_like(over), where=under > 0)
            over, under = self._both_ends(ratio, sign)
            improved = sign * (over - ratio * under) > RELATIVE * over
            if not improved.any():
                break
        return np.asarray(sign * (sign * ratio).max(axis=0), dtype=np.float64)

    def _both_ends(self, ratio: Floats, sign: int) -> tuple[Floats, Floats]:
        """Return the energies of baselines and of cases at the ends of the bands where a ratio leaves most."""
        further = np.greater if sign > 0 else np.less
        over, under = (side.copy() for side in self.certain)
        for (low, low_own), (nominal, nominal_own), (high, high_own) in self.rows:
            left = low - ratio * low_own
            second = nominal - ratio * nominal_own
            at_nominal = further(second, left)
            np.copyto(left, second, where=at_nominal)
            at_high = further(high - ratio * high_own, left)
            over += np.where(at_high, high, np.where(at_nominal, nominal, low))
            under += np.where(at_high, high_own, np.where(at_nominal, nominal_own, low_own))
        return over, under


def _spans(cases: int) -> Iterator[slice]:
    """Yield spans of cases, a bounded number at a time."""
    for start in range(0, cases, AT_ONCE):
        yield slice(start, min(start + AT_ONCE, cases))


def _with_all(values: Floats) -> Floats:
    """Return values of phases, and their sum after them, along the last axis."""
    whole = np.empty((*values.shape[:-1], values.shape[-1] + 1))
    whole[..., :-1], whole[..., -1] = values, values[..., 0]
    for phase in range(1, values.shape[-1]):  # the phases are few
        whole[..., -1] += values[..., phase]
    return whole


class _RowSums:
    """The energies of requests by the row that prices them: `certain` and `uncertain` as of `Bands`."""

    def __init__(self, found: Evaluated, levels: int) -> None:
        self.found, self.levels, self.shape = found, levels, found.latency_s.shape
        self.certain: Floats = np.zeros((levels, *self.shape))
        self.uncertain: dict[int, Floats] = {}
        self._met: dict[int, set[int]] = {}  # the rows that price the requests of each kind that was added

    def add(self, kind: int, kind_of: NDArray[np.intp]) -> set[int]:
        """Add the requests whose machine is of a kind, and return the rows with a band that price them.

        Parameters
        ----------
        kind, kind_of
            From `_alike`.
        """
        if kind in self._met:
            return self._met[kind]
        self._met[kind] = self._add(kind, kind_of)
        return self._met[kind]

    def _add(self, kind: int, kind_of: NDArray[np.intp]) -> set[int]:
        found, width = self.found, self.found.width
        requests = np.flatnonzero(kind_of[found.machine_index] == kind)
        if not len(requests):
            return set()
        of_group, energies = _together(requests), found.active_energies
        plain, ends = energies.plain[:, of_group], energies.ends[:, :, of_group]
        of_plain, of_ends = found.active[~energies.banded], found.active[energies.banded]
        columns = dict(enumerate(ends))
        some = there(ends[:, 1])
        fixed = np.empty((0, len(requests)))
        mixed = np.flatnonzero(~self._with_band(np.unique(found.machine_index[requests]), of_ends % width))
        if len(mixed):  # without a band on some of these machines
            banded = ends[mixed, 0] != ends[mixed, 2]
            fixed = np.where(banded, 0.0, ends[mixed, 1])
            for i, column in enumerate(mixed.tolist()):
                some[column] &= banded[i].any()
                if some[column] and fixed[i].any():
                    columns[column] = np.where(banded[i], ends[column], 0.0)
        counted, left = np.flatnonzero(there(plain)), np.flatnonzero(there(fixed))
        places = np.concatenate([of_plain[counted], of_ends[mixed[left]]])
        certain = [*plain[counted], *fixed[left]]
        order = np.argsort(places)
        certain, places = [certain[i] for i in order.tolist()], places[order]
        with_band = np.flatnonzero(some)
        priced_by = found.machine_rows[kind, of_ends[with_band] % width]
        met = np.unique(priced_by).tolist()
        phases = self.shape[1]
        for level in range(self.levels):
            drawn = None  # energy from the supply for each pJ of a column; ones where no machine here has regulators
            if self.levels > 1:
                drawn = np.broadcast_to(found.drawn[level], (self.shape[0], width)).T[:, of_group]
            summed = _by_phase(_drawn(certain, places % width, drawn), places, width, phases)
            self.certain[level, of_group] = summed.T if len(certain) else 0.0
            for row in met:
                if row not in self.uncertain:
                    self.uncertain[row] = np.zeros((self.levels, ENDS, *self.shape))
                own = with_band[priced_by == row]
                of_row = _drawn([columns[i] for i in own.tolist()], of_ends[own] % width, drawn)
                summed = _by_phase(of_row, of_ends[own], width, phases)
                self.uncertain[row][level][:, of_group] = summed.transpose(1, 2, 0)
        return set(met)

    def _with_band(self, machines: NDArray[np.integer[Any]], places: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return whether the prices of columns of a phase differ at their ends by far, on all of some machines."""
        if self.found.lossy is not None:
            return np.zeros(len(places), dtype=np.bool_)
        low, _, high = self.found.prices[:, machines][:, :, places]
        return np.asarray((high - low > SURELY * high).all(axis=0))


def _drawn(columns: list[Floats], places: NDArray[np.intp], drawn: Floats | None) -> list[Floats]:
    """Return energies with what regulators lose for them; the same where there are none."""
    if drawn is None:
        return columns
    return [column * drawn[place] for column, place in zip(columns, places.tolist(), strict=True)]


def _together(numbers: NDArray[np.integer[Any]]) -> Any:
    """Return ascending numbers as a slice if there is no gap: views of arrays instead of copies."""
    first, last = int(numbers[0]), int(numbers[-1])
    return slice(first, last + 1) if last - first == len(numbers) - 1 else numbers


def _alike(rows: NDArray[np.int32]) -> tuple[list[int], NDArray[np.intp]]:
    """Return the first of each kind of machine whose columns are priced by the same rows, and that of each machine."""
    kinds: dict[bytes, int] = {}
    kind_of = np.array([kinds.setdefault(own.tobytes(), i) for i, own in enumerate(rows)])
    return list(kinds.values()), kind_of


def _by_phase(columns: Sequence[Floats], places: NDArray[np.intp], width: int, phases: int) -> Floats:
    """Return the sums of columns of all phases, in ascending places, shape (phases, ...); that of a column is (...)."""
    begin = np.searchsorted(places, width * np.arange(phases + 1)).tolist()
    sums = [
        pairwise(columns[first:last], (places[first:last] - phase * width).tolist(), width)
        for phase, (first, last) in enumerate(itertools.pairwise(begin))
    ]
    if phases == 1 and sums[0] is not None:
        return sums[0][None]
    some = next((total for total in sums if total is not None), np.zeros(0))
    return np.stack([np.zeros_like(some) if total is None else total for total in sums])
