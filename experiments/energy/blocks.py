"""The rows of the long table as arrays: what cases count, and what it costs."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.components import names
from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.papers.arithmetic import Action
from bitjoule.energy_models.system.by_phase import ByPhase
from bitjoule.energy_models.system.counting.columns import ACTIONS, OPERANDS, CountColumn
from bitjoule.experiments.output.columns import PHASES

CATEGORIES = {"phase": PHASES, "component": names(), "operand": OPERANDS, "action": ACTIONS}
FEW = 8  # neighbouring cases: fewer are written together with others like them


class CaseBlock(NamedTuple):
    """The nonzero entries of consecutive cases: shape (rows,) each."""

    case: NDArray[np.int32]
    phase: NDArray[np.int8]
    component: NDArray[np.int8]
    operand: NDArray[np.int8]
    action: NDArray[np.int8]
    format: NDArray[np.int8]
    times: Floats
    energy_pj: Floats
    energy_low_pj: Floats
    energy_high_pj: Floats
    price: NDArray[np.int32]


class _Alike(NamedTuple):
    """Cases that count with the same columns on the same machine: their rows differ in numbers alone.

    Parameters
    ----------
    cases
        Which they are: a slice of neighbours, or their places.
    machine
        Index of the machine.
    there
        Which of the active columns count, ascending.
    rows
        Where their rows are among all: a slice, or shape (cases, columns).
    shape
        Cases and columns.
    """

    cases: slice | Indices
    machine: int
    there: Indices
    rows: slice | Indices
    shape: tuple[int, int]

    def put(self, target: NDArray[Any], values: NDArray[Any], factors: Floats | None = None) -> None:
        """Put values where the rows are, each times its factor.

        Parameters
        ----------
        target
            Of all rows.
        values, factors
            Shape (cases, columns), or (columns,) for the same in each case.
        """
        if not isinstance(self.rows, slice):
            target[self.rows] = values if factors is None else values * factors
            return
        view = target[self.rows].reshape(self.shape)
        if factors is None:
            view[...] = values
        else:
            np.multiply(values, factors, out=view)


def system_block(columns: Sequence[CountColumn], cases: NDArray[np.integer[Any]], by_phase: ByPhase) -> CaseBlock:
    """Return the nonzero entries of evaluated cases.

    Parameters
    ----------
    columns
        Of the system, as `bitjoule.energy_models.system.system.System.columns`.
    cases
        Their numbers, shape (cases,).
    by_phase
        From `bitjoule.energy_models.system.by_phase.evaluate_by_phase`.
    """
    placed = list(by_phase.placed())
    own = next(phase.evaluated for phase in by_phase.phases if phase.row is None)
    width = own.width
    active = np.concatenate([span.start * width + phase.evaluated.active for span, phase in placed])
    counts = np.concatenate([phase.of_cases(phase.evaluated.active_counts.T) for _, phase in placed], axis=1)
    there = counts != 0
    of_case = np.count_nonzero(there, axis=1)
    rows = int(of_case.sum())
    codes = {name: values[active] for name, values in column_codes(columns).items()}
    block = CaseBlock(
        case=np.repeat(cases.astype(np.int32), of_case),
        phase=np.empty(rows, dtype=np.int8),
        component=np.empty(rows, dtype=np.int8),
        operand=np.empty(rows, dtype=np.int8),
        action=np.empty(rows, dtype=np.int8),
        format=np.empty(rows, dtype=np.int8),
        times=np.empty(rows),
        energy_pj=np.empty(rows),
        energy_low_pj=np.empty(rows),
        energy_high_pj=np.empty(rows),
        price=np.empty(rows, dtype=np.int32),
    )
    priced = active % width
    low, nominal, high = own.prices[:, :, priced]
    ends = {"energy_pj": nominal}
    ends |= {
        name: end
        for name, end in (("energy_low_pj", low), ("energy_high_pj", high))
        if not np.array_equal(end, nominal)
    }
    formats, keys = own.machine_formats[:, priced].astype(np.int8), own.machine_keys[:, priced]
    lossy = by_phase.whole.lossy if own.lossy is not None else None
    for alike in _alike(there, own.machine_index, np.cumsum(of_case) - of_case):
        machine, which = alike.machine, alike.there
        times = counts[alike.cases].take(which, axis=1)
        alike.put(block.times, times)
        for name, values in codes.items():
            alike.put(getattr(block, name), values[which])
        alike.put(block.format, formats[machine, which])
        alike.put(block.price, keys[machine, which])
        if lossy is not None:
            for name, end in zip(("energy_low_pj", "energy_pj", "energy_high_pj"), lossy, strict=True):
                alike.put(getattr(block, name), end[alike.cases][:, active[which]])
            continue
        for name, price in ends.items():
            alike.put(getattr(block, name), times, price[machine, which])
    if lossy is not None:
        return block
    low, high = (getattr(block, name if name in ends else "energy_pj") for name in ("energy_low_pj", "energy_high_pj"))
    return block._replace(energy_low_pj=low, energy_high_pj=high)  # the nominal ones where no price has a band


def _alike(there: NDArray[np.bool_], machine_index: Indices, begin: Indices) -> Iterator[_Alike]:
    """Yield the cases that count with the same columns on the same machine, together.

    Parameters
    ----------
    there
        Whether each active column counts, shape (cases, active).
    machine_index
        Index of each case's machine, shape (cases,).
    begin
        The first row of each case, shape (cases,).
    """
    bits = np.packbits(there, axis=1)
    marks = np.concatenate([bits, np.ascontiguousarray(machine_index)[:, None].view(np.uint8)], axis=1)
    _, kind = np.unique(marks.view(f"V{marks.shape[1]}"), return_inverse=True)
    kind = kind.reshape(-1)
    for members in np.split(np.argsort(kind, kind="stable"), np.cumsum(np.bincount(kind))[:-1]):
        machine, which = int(machine_index[members[0]]), np.flatnonzero(there[members[0]])
        gaps = np.flatnonzero(np.diff(members) > 1) + 1
        if (len(gaps) + 1) * FEW > len(members):  # neighbours are few
            rows = begin[members][:, None] + np.arange(len(which))
            yield _Alike(members, machine, which, rows, rows.shape)
            continue
        for run in np.split(members, gaps):
            first, start, shape = int(run[0]), int(begin[run[0]]), (len(run), len(which))
            yield _Alike(slice(first, first + len(run)), machine, which, slice(start, start + math.prod(shape)), shape)


def column_codes(columns: Sequence[CountColumn | Action]) -> dict[str, NDArray[np.int8]]:
    """Return each column's phase, component, operand and action as indices into `CATEGORIES`.

    Parameters
    ----------
    columns
        Of a count; hashable.
    """
    return _codes(tuple(columns))


@lru_cache(maxsize=8)
def _codes(columns: tuple[CountColumn | Action, ...]) -> dict[str, NDArray[np.int8]]:
    return {
        name: np.array([categories.index(getattr(column, name)) for column in columns], dtype=np.int8)
        for name, categories in CATEGORIES.items()
    }
