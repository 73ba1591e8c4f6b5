"""Counts and prices cases: the rows of the long table."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby, islice
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import PHASES as STEPS_OF
from bitjoule.energy_models.architecture.phases import Cases, Floats, Indices, all_steps
from bitjoule.energy_models.formats.storage import counted_formats
from bitjoule.energy_models.papers.arithmetic import Accounting, count
from bitjoule.energy_models.papers.pricing import Energies, price_actions, price_keys
from bitjoule.energy_models.system.by_phase import ByPhase, evaluate_by_phase, evaluate_phases_in_blocks
from bitjoule.energy_models.system.counting.counted import Evaluated
from bitjoule.experiments.energy.blocks import CATEGORIES, CaseBlock, column_codes, system_block
from bitjoule.experiments.energy.grid import NAMED_AXES, Grid
from bitjoule.experiments.output.columns import ACTION_COLUMNS, ENERGY_COLUMNS, PHASES, RESULT_COLUMNS

AHEAD = 16  # most blocks for which phases that they share are counted together
_Value = TypeVar("_Value", bound=np.generic)


def evaluate(grid: Grid, cases: NDArray[np.integer[Any]]) -> CaseBlock:
    """Count and price cases.

    Parameters
    ----------
    grid
        Every case.
    cases
        Numbers of those to evaluate, shape (cases,).
    """
    if grid.accounting is Accounting.SYSTEM:
        return evaluate_cases(grid, cases).block
    requests, technology, _ = requests_of(grid, cases)
    models, schemes = list(grid.models.values()), list(grid.schemes.values())
    technologies = list(grid.technologies.values())
    counts = count(models, schemes, requests, grid.accounting)
    energies = price_actions(counts, technologies, requests.scheme, technology)
    all_formats = counted_formats()
    formats = np.array([[all_formats.index(f) for f in action.formats] for action in counts.actions], dtype=np.int8)
    scheme_formats = formats.reshape(-1, len(schemes)).T[requests.scheme]
    numbers = grid.price_keys
    keys = [[[numbers[key] for key in row] for row in rows] for rows in price_keys(counts, technologies)]
    shape = (len(technologies), len(schemes), len(counts.actions))
    case_keys = np.array(keys, dtype=np.int32).reshape(shape)[technology, requests.scheme]
    return _nonzero(cases, column_codes(counts.actions), counts.count, scheme_formats, energies, case_keys)


@dataclass(frozen=True, eq=False)
class EvaluatedCases:
    """Cases, counted and priced.

    Parameters
    ----------
    grid
        Every case.
    cases
        Numbers of those that are evaluated, shape (cases,).
    by_phase
        All that the system accounting counts, phase by phase; none with another.
    """

    grid: Grid
    cases: NDArray[np.integer[Any]]
    by_phase: ByPhase | None

    @property
    def system(self) -> Evaluated | None:
        """All phases together."""
        return None if self.by_phase is None else self.by_phase.whole

    @cached_property
    def block(self) -> CaseBlock:
        """Their nonzero entries."""
        if self.by_phase is None:
            return evaluate(self.grid, self.cases)
        return system_block(self.grid.system.columns, self.cases, self.by_phase)


def evaluate_cases(grid: Grid, cases: NDArray[np.integer[Any]]) -> EvaluatedCases:
    """Count and price cases.

    Parameters
    ----------
    grid
        Every case.
    cases
        Numbers of those to evaluate, shape (cases,).
    """
    if grid.accounting is not Accounting.SYSTEM:
        return EvaluatedCases(grid, cases, None)
    return EvaluatedCases(grid, cases, evaluate_by_phase(grid.system, *requests_of(grid, cases)))


def evaluate_in_blocks(grid: Grid, numbered: Iterable[NDArray[np.integer[Any]]]) -> Iterator[EvaluatedCases]:
    """Count and price cases, some at a time; blocks of one machine count a phase once that their cases share.

    Parameters
    ----------
    grid
        Every case.
    numbered
        Numbers of the cases of each block, ascending without gaps; all blocks but the last have as many.
    """
    if grid.accounting is not Accounting.SYSTEM:
        for cases in numbered:
            yield EvaluatedCases(grid, cases, None)
        return
    # A prefill is that of all new tokens, whose axis is the last: of so many blocks, it is as large as one of them.
    ahead = min(AHEAD, grid.shape[-1])
    for _, alike in groupby(numbered, _machines_of(grid)):
        while neighbours := list(islice(alike, ahead)):
            requests = requests_of(grid, np.concatenate(neighbours))
            together = evaluate_phases_in_blocks(grid.system, *requests, len(neighbours[0]))
            for cases, by_phase in zip(neighbours, together, strict=True):
                yield EvaluatedCases(grid, cases, by_phase)


def _machines_of(grid: Grid) -> Callable[[NDArray[np.integer[Any]]], tuple[int, int]]:
    """Return a function from a block to its models and machines: one number, or one of its own for each block."""
    of_machine = int(np.prod(grid.shape[len(NAMED_AXES) :]))  # its cases stand side by side

    def machines(cases: NDArray[np.integer[Any]]) -> tuple[int, int]:
        first, last = int(cases[0]), int(cases[-1])
        return first // of_machine, -1 if first // of_machine == last // of_machine else first

    return machines


def evaluate_system(grid: Grid, cases: NDArray[np.integer[Any]]) -> Evaluated:
    """Count, price and time cases of the system accounting.

    Parameters
    ----------
    grid
        Every case.
    cases
        Numbers of those to evaluate, shape (cases,).
    """
    return grid.system.evaluate(*requests_of(grid, cases))


def requests_of(grid: Grid, cases: NDArray[np.integer[Any]]) -> tuple[Cases, Indices, Indices]:
    """Return the requests of cases, and the indices of their technologies and platforms.

    Parameters
    ----------
    grid
        Every case.
    cases
        Their numbers, shape (cases,).
    """
    model, scheme, technology, platform, *_ = grid.axis_indices(cases)
    batch, prompt_tokens, new_tokens = (values.astype(np.float64) for values in grid.workload(cases))
    return Cases(model, scheme, batch, prompt_tokens, new_tokens), technology, platform


def tokens_of(grid: Grid, cases: NDArray[np.integer[Any]]) -> Floats:
    """Return the tokens of each phase of cases, and of all their phases; shape (cases, phases + 1), as `PHASES`.

    The tokens of a request are 0 unless it has several phases; otherwise it would repeat its only phase.

    Parameters
    ----------
    grid
        Every case.
    cases
        Their numbers, shape (cases,).
    """
    requests, _, _ = requests_of(grid, cases)
    steps = all_steps(STEPS_OF, requests)
    tokens = requests.batch[:, None] * steps.tokens * steps.repeats
    request_tokens = np.where((tokens > 0).sum(axis=1) > 1, tokens.sum(axis=1), 0.0)
    return np.concatenate([tokens, request_tokens[:, None]], axis=1)


def _nonzero(
    cases: NDArray[np.integer[Any]],
    codes: Mapping[str, NDArray[np.int8]],
    counts: Floats,
    formats: NDArray[np.integer[Any]],
    energies: Energies,
    prices: NDArray[np.int32],
) -> CaseBlock:
    place = np.flatnonzero(counts != 0)  # one index takes half the time of two
    row, column = np.divmod(place, counts.shape[1])

    def there(values: NDArray[_Value]) -> NDArray[_Value]:
        return values.ravel().take(place)

    return CaseBlock(
        case=cases.astype(np.int32).take(row),
        **{name: of_columns.take(column) for name, of_columns in codes.items()},
        format=there(formats).astype(np.int8),
        times=there(counts),
        energy_pj=there(energies.nominal_pj),
        energy_low_pj=there(energies.low_pj),
        energy_high_pj=there(energies.high_pj),
        price=there(prices),
    )


def long_table(grid: Grid, block: CaseBlock) -> pd.DataFrame:
    """Return evaluated cases as rows of the long table, columns `RESULT_COLUMNS`.

    Parameters
    ----------
    grid
        Every case.
    block
        From `evaluate`.
    """
    columns = case_columns(grid, block.case, block.phase)
    for name in ACTION_COLUMNS[:-1]:
        columns[name] = categorical(getattr(block, name), CATEGORIES[name])
    columns["format"] = categorical(block.format, counted_formats())
    columns["count"] = block.times
    columns |= {name: getattr(block, name) for name in ENERGY_COLUMNS}
    columns["price"] = categorical(block.price, list(grid.price_keys))
    return pd.DataFrame(columns, columns=list(RESULT_COLUMNS), copy=False)


def case_columns(grid: Grid, cases: NDArray[np.integer[Any]], phase: NDArray[np.int8]) -> dict[str, object]:
    """Return the columns that identify a case.

    Parameters
    ----------
    grid
        Every case.
    cases, phase
        Case number and index into `PHASES` of each row, shape (rows,).
    """
    # Rows of a table are many for each case: what a case has is looked up once.
    numbers, row = _distinct(cases)
    model, scheme, technology, platform, *_ = grid.axis_indices(numbers)
    batch, prompt_tokens, new_tokens = grid.workload(numbers)
    parameters = np.array([m.parameters for m in grid.models.values()], dtype=np.int64)

    def of_rows(values: NDArray[Any]) -> NDArray[Any]:
        return values if row is None else values.take(row)

    def text(index: Indices, names: Sequence[str]) -> pd.Categorical:
        return categorical(of_rows(_small(index, names)), names)

    return {
        "experiment": categorical(np.zeros(len(cases), dtype=np.int8), [grid.name]),
        "model": text(model, list(grid.models)),
        "parameters": of_rows(parameters[model]),
        "scheme": text(scheme, list(grid.schemes)),
        "technology": text(technology, list(grid.technologies)),
        "platform": text(platform, grid.names[3]),  # empty with the papers' accounting
        "phase": categorical(phase, PHASES),
        "batch": of_rows(batch),
        "prompt_tokens": of_rows(prompt_tokens),
        "new_tokens": of_rows(new_tokens),
    }


def _distinct(cases: NDArray[np.integer[Any]]) -> tuple[NDArray[np.integer[Any]], Indices | None]:
    """Return the numbers of cases, few of which are not in `cases`, and the place of each row's among them."""
    first, last = (int(cases.min()), int(cases.max())) if len(cases) else (0, 0)
    if last - first >= len(cases) // 2:
        return cases, None
    return np.arange(first, last + 1), (cases - first).astype(np.intp)


def categorical(codes: "NDArray[np.integer[Any]]", names: Sequence[str]) -> pd.Categorical:
    """Return a text column from indices into its few values.

    Parameters
    ----------
    codes
        Indices, shape (rows,).
    names
        The values.
    """
    return pd.Categorical.from_codes(_small(codes, names), dtype=_dtype(tuple(names)), validate=False)


def _small(codes: "NDArray[np.integer[Any]]", names: Sequence[str]) -> "NDArray[np.integer[Any]]":
    """Return indices into names, as the smallest integers that pandas has for so many."""
    return codes.astype(np.int8 if len(names) < 127 else np.int32, copy=False)


@lru_cache(maxsize=64)
def _dtype(names: tuple[str, ...]) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(pd.Index(names, dtype=object))
