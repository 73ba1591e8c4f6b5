"""Counts and prices every case of an experiment, and sums: one row per case and phase."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.system.counting.memory import Bytes
from bitjoule.energy_models.system.counting.utilisation import RESOURCES
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.experiments.energy.evaluation import EvaluatedCases, case_columns, evaluate_in_blocks, tokens_of
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.energy.tables.arrays import MacsByArray
from bitjoule.experiments.energy.tables.bands import Bands
from bitjoule.experiments.energy.tables.components import bound_table, utilisation
from bitjoule.experiments.energy.tables.dram import DramParts
from bitjoule.experiments.energy.tables.levels import LevelTraffic
from bitjoule.experiments.output.columns import PHASES, PJ_PER_J, REQUEST, SUMMARY_COLUMNS, UTILISATION_COLUMNS
from bitjoule.experiments.output.parts import Values

BLOCK_CASES = 4096  # bounds the memory of the dense (cases, actions) arrays
SUMMED = 4  # blocks that are evaluated as one where no rows of theirs are written: the fewer, the faster
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
    levels
        The traffic of memory levels, of the system accounting.
    """

    summary: pd.DataFrame
    memory: Floats
    bands: Bands
    bounds: pd.DataFrame
    dram: DramParts
    levels: LevelTraffic


def blocks(grid: Grid, first: int = 0, end: int | None = None, together: int = 1) -> Iterator[NDArray[np.intp]]:
    """Yield the numbers of cases, a bounded number at a time.

    Parameters
    ----------
    grid
        The cases.
    first, end
        The first of them, and the one after the last; default: all.
    together
        Blocks that are evaluated as one.
    """
    size = together * block_cases(grid)
    end = len(grid) if end is None else end
    for start in range(first, end, size):
        yield np.arange(start, min(start + size, end))


def block_cases(grid: Grid) -> int:
    """Return the number of cases that are evaluated at once.

    Parameters
    ----------
    grid
        The cases.
    """
    return BLOCK_CASES // 4 if grid.accounting is Accounting.SYSTEM else BLOCK_CASES


class SpanSums:
    """Sums over the cases of a span: those of a part, or all.

    Parameters
    ----------
    grid
        Every case.
    first, end
        The first case of the span, and the one after the last; default: all.
    """

    def __init__(self, grid: Grid, first: int = 0, end: int | None = None) -> None:
        self.grid, self.first, self.end = grid, first, len(grid) if end is None else end
        count = self.end - first
        size = (count, len(PHASES))
        self.energy_j: Floats = np.zeros((len(ENDS), *size))
        self.latency_s: Floats = np.full(size, np.nan)
        self.bounds_s: Floats = np.zeros((*size, len(BOUNDS)))
        self.busy_s: Floats = np.full((*size, len(RESOURCES)), np.nan)
        self.memory: Floats = np.full((count, len(Bytes._fields)), np.nan)
        self.bands, self.dram, self.arrays = Bands(grid, count), DramParts(grid, count), MacsByArray(grid, count)
        self.levels = LevelTraffic(grid, count)

    def add(self, evaluated: EvaluatedCases) -> None:
        """Add evaluated cases.

        Parameters
        ----------
        evaluated
            From `bitjoule.experiments.energy.evaluation.evaluate_in_blocks`.
        """
        numbers = evaluated.cases
        cases = numbers - self.first
        if evaluated.by_phase is not None:
            placed = list(evaluated.by_phase.placed())
            for span, phase in placed:
                found = phase.evaluated
                self.latency_s[cases, span] = phase.of_cases(found.latency_s)
                self.bounds_s[cases, span] = phase.of_cases(found.times.seconds.sum(axis=2))
                self.busy_s[cases, span] = phase.of_cases(found.times.busy.sum(axis=2))
            self.memory[cases] = np.stack(evaluated.by_phase.memory_bytes, axis=1)
            self.bands.add(cases, placed)
            self.dram.add(cases, evaluated.by_phase)
            self.levels.add(cases, evaluated.by_phase)
            self.arrays.add(cases, placed, numbers)
        for end, total_pj in zip(self.energy_j, phase_energies_pj(evaluated), strict=True):
            end[cases] = total_pj / PJ_PER_J

    @property
    def _arrays(self) -> dict[str, Floats]:
        own = {"energy_j": self.energy_j.swapaxes(0, 1), "latency_s": self.latency_s, "bounds_s": self.bounds_s}
        own |= {"busy_s": self.busy_s, "memory": self.memory}
        return own | self.dram.arrays | self.levels.arrays | self.arrays.arrays

    def values(self) -> Values:
        """Return the sums as arrays, for `put`."""
        return self._arrays | self.bands.values()

    def add_up(self) -> None:
        """Set the sums of requests: those of all phases."""
        request = PHASES.index(REQUEST)
        for total in (*self.energy_j, self.latency_s, self.bounds_s, self.busy_s):
            total[:, request] = total[:, 0]
            for phase in range(1, request):
                total[:, request] += total[:, phase]

    def put(self, first: int, values: Values) -> None:
        """Put the sums of a span where they belong.

        Parameters
        ----------
        first
            First case of the span.
        values
            From `values`.
        """
        begin = first - self.first
        for name, array in self._arrays.items():
            array[begin : begin + len(values[name])] = values[name]
        self.bands.put(begin, values)


def phase_energies_pj(evaluated: EvaluatedCases) -> Iterator[Floats]:
    """Yield the energy of each case and of each of `PHASES`, at nominal, lowest and highest prices.

    The entries of a phase are added one after the other: the same sum on every machine.

    Parameters
    ----------
    evaluated
        The cases, ascending without gaps.
    """
    count = len(evaluated.cases)
    if evaluated.by_phase is not None:
        totals_pj = np.zeros((3, count, len(PHASES)))
        for span, phase in evaluated.by_phase.placed():
            of_requests = phase.evaluated.phase_energies_pj
            totals_pj[:, :, span] = of_requests if phase.row is None else of_requests.take(phase.row, axis=1)
        yield from totals_pj[[1, 0, 2]]
        return
    block = evaluated.block
    key = (block.case - evaluated.cases[0]).astype(np.int64) * len(PHASES) + block.phase
    for name in ENDS:
        summed = np.bincount(key, getattr(block, f"{name}_pj"), minlength=count * len(PHASES))
        yield np.asarray(summed.reshape(count, len(PHASES)), dtype=np.float64)


def summarise(grid: Grid, parts: Iterable[tuple[int, Values]] | None = None) -> Sums:
    """Count and price all cases.

    Parameters
    ----------
    grid
        The cases.
    parts
        Sums of the parts, each with its first case, from `SpanSums.values`; default: they are counted here.
    """
    sums = SpanSums(grid)
    if parts is None:
        together = SUMMED if grid.accounting is Accounting.SYSTEM else 1
        for evaluated in evaluate_in_blocks(grid, blocks(grid, together=together)):
            sums.add(evaluated)
    else:
        for first, values in parts:
            sums.put(first, values)
    return table_of(sums)


def table_of(sums: SpanSums) -> Sums:
    """Return the tables of sums over all cases.

    Parameters
    ----------
    sums
        The sums, which are used up: beside the whole tables, the memory of all of them would be needed.
    """
    grid = sums.grid
    sums.add_up()
    tokens = tokens_of(grid, np.arange(len(grid)))
    place = np.flatnonzero(tokens > 0)  # of each row: one index takes a fraction of the time of two
    of_rows = tokens.ravel()[place]
    del tokens
    case, phase_of_row = np.divmod(place, len(PHASES))
    columns = case_columns(grid, case, phase_of_row.astype(np.int8))
    columns |= sums.arrays.columns(case, phase_of_row)
    del sums.arrays
    baseline, compared = grid.baseline(), np.full(len(place), np.nan)
    if baseline is not None:
        nominal_j = sums.energy_j[ENDS.index("energy")].ravel()
        compared = nominal_j[baseline[case] * len(PHASES) + phase_of_row] / nominal_j[place]
        del nominal_j
    energies_j = {f"{end}_j": values.ravel()[place] for end, values in zip(ENDS, sums.energy_j, strict=True)}
    columns |= energies_j
    del sums.energy_j
    latency_s = sums.latency_s.ravel()[place]
    busy_s = sums.busy_s.reshape(-1, len(RESOURCES)).take(place, axis=0)
    del sums.latency_s, sums.busy_s
    columns |= dict(zip(UTILISATION_COLUMNS, utilisation(busy_s, latency_s).T, strict=True))
    del busy_s
    columns["energy_per_token_j"] = energies_j["energy_j"] / of_rows
    columns["ratio_to_baseline"] = compared
    columns["latency_s"] = latency_s  # empty: the papers' accounting has no time and no memory
    columns["tokens_per_s"] = of_rows / latency_s
    columns["memory_bytes"] = sums.memory.sum(axis=1).take(case)
    # the columns as they are: a table of its own would have a copy of each
    summary = pd.DataFrame(columns, columns=list(SUMMARY_COLUMNS), copy=False)
    bounds = pd.DataFrame()
    if grid.accounting is Accounting.SYSTEM:
        bounds = bound_table(summary, sums.bounds_s.reshape(-1, len(BOUNDS)).take(place, axis=0))
    del sums.bounds_s
    return Sums(summary, sums.memory, sums.bands, bounds, sums.dram, sums.levels)
