"""Runs an experiment: cases, counts, prices, tables.

A sweep is array arithmetic over blocks of cases: the block bounds the memory of the dense (cases, actions) arrays.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.arithmetic import Action, Cases, Floats, Indices, Matmul, count
from bitjoule.energy_models.pricing import price_actions
from bitjoule.experiments.comparison import compare
from bitjoule.experiments.reader import Resolved
from bitjoule.experiments.result import (
    CATEGORIES,
    ENERGY_COLUMNS,
    PHASES,
    PJ_PER_J,
    REQUEST,
    RESULT_COLUMNS,
    SUMMARY_COLUMNS,
    Result,
    categorical,
)  # fmt: skip
from bitjoule.experiments.schema import swept

BLOCK_CASES = 4096
AXES = ("model", "scheme", "technology", "batch", "prompt_tokens", "new_tokens")


@dataclass(frozen=True)
class Grid:
    """The cross product of an experiment's lists; case number -> index on each axis."""

    resolved: Resolved

    @cached_property
    def _workload(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        workload = self.resolved.experiment.workload
        sizes = [[1], [1], [0]] if workload is None else [
            swept(workload.batch), swept(workload.prompt_tokens), swept(workload.new_tokens)
        ]  # fmt: skip
        batch, prompt, new = (np.array(size, dtype=np.int64) for size in sizes)
        return batch, prompt, new

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis, in the order of `AXES`."""
        names = (self.resolved.models, self.resolved.schemes, self.resolved.technologies)
        return (*map(len, names), *map(len, self._workload))

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def axis_indices(self, cases: NDArray[np.integer[Any]]) -> tuple[Indices, ...]:
        """Return each case's index on every axis.

        Parameters
        ----------
        cases
            Case numbers.
        """
        return tuple(np.unravel_index(cases, self.shape))

    def workload(
        self, cases: NDArray[np.integer[Any]]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return batch, prompt tokens and new tokens of each case; a bare matmul's m stands as its prompt.

        Parameters
        ----------
        cases
            Case numbers.
        """
        model, _, _, *indices = self.axis_indices(cases)
        batch, prompt, new = (values[index] for values, index in zip(self._workload, indices, strict=True))
        if self.resolved.experiment.matmuls is not None:
            rows = [m.m for m in self.resolved.models.values() if isinstance(m, Matmul)]
            prompt = np.array(rows, dtype=np.int64)[model]
        return batch, prompt, new

    def baseline(self) -> Indices | None:
        """Return the number of every case's baseline case, or none without a baseline."""
        baseline = self.resolved.experiment.baseline
        if baseline is None:
            return None
        indices = list(self.axis_indices(np.arange(len(self))))
        names = (self.resolved.models, self.resolved.schemes, self.resolved.technologies)
        for axis, key in enumerate(("model", "scheme", "technology")):
            chosen = getattr(baseline, key)
            if chosen is not None:
                indices[axis] = np.full_like(indices[axis], list(names[axis]).index(chosen))
        return np.ravel_multi_index(tuple(indices), self.shape)


class Block(NamedTuple):
    """The nonzero entries of some neighbouring cases: shape (rows,) each."""

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


def run(resolved: Resolved) -> Result:
    """Run an experiment.

    Parameters
    ----------
    resolved
        From `bitjoule.experiments.reader`.
    """
    grid = Grid(resolved)
    blocks = [evaluate(grid, start) for start in range(0, len(grid), BLOCK_CASES)]
    merged = Block(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))
    summary = _summary(grid, merged)
    results = _results(grid, merged)
    return Result(resolved, results, summary, compare(resolved.printed, results, summary))


def evaluate(grid: Grid, start: int = 0) -> Block:
    """Count and price the block of cases that begins at case `start`.

    Parameters
    ----------
    grid
        The cases.
    start
        Number of the first case.
    """
    numbers = np.arange(start, min(start + BLOCK_CASES, len(grid)))
    model, scheme, technology, *_ = grid.axis_indices(numbers)
    batch, prompt, new = (values.astype(np.float64) for values in grid.workload(numbers))
    resolved = grid.resolved
    counts = count(
        list(resolved.models.values()),
        list(resolved.schemes.values()),
        Cases(model, scheme, batch, prompt, new),
        resolved.experiment.accounting,
    )
    energies = price_actions(counts, list(resolved.technologies.values()), scheme, technology)
    case, column = np.nonzero(counts.count)
    code = {name: _codes(counts.actions, name) for name in ("phase", "component", "operand", "action")}
    names = CATEGORIES["format"]
    formats = np.array([[names.index(f) for f in action.formats] for action in counts.actions], dtype=np.int8)
    return Block(
        case=(case + start).astype(np.int32),
        phase=code["phase"][column],
        component=code["component"][column],
        operand=code["operand"][column],
        action=code["action"][column],
        format=formats[column, scheme[case]],
        times=counts.count[case, column],
        energy_pj=energies.nominal_pj[case, column],
        energy_low_pj=energies.low_pj[case, column],
        energy_high_pj=energies.high_pj[case, column],
    )


def _codes(actions: tuple[Action, ...], name: str) -> NDArray[np.int8]:
    return np.array([CATEGORIES[name].index(getattr(action, name)) for action in actions], dtype=np.int8)


def _case_columns(grid: Grid, cases: NDArray[np.integer[Any]], phase: NDArray[np.int8]) -> dict[str, object]:
    resolved = grid.resolved
    model, scheme, technology, *_ = grid.axis_indices(cases)
    batch, prompt, new = grid.workload(cases)
    parameters = np.array([m.parameters for m in resolved.models.values()], dtype=np.int64)
    zeros = np.zeros(len(cases), dtype=np.int8)
    return {
        "experiment": categorical(zeros, [resolved.experiment.name]),
        "model": categorical(model, list(resolved.models)),
        "parameters": parameters[model],
        "scheme": categorical(scheme, list(resolved.schemes)),
        "technology": categorical(technology, list(resolved.technologies)),
        "platform": categorical(zeros, [""]),  # the papers' accounting knows no machine
        "phase": categorical(phase, PHASES),
        "batch": batch,
        "prompt_tokens": prompt,
        "new_tokens": new,
    }


def _results(grid: Grid, block: Block) -> pd.DataFrame:
    columns = _case_columns(grid, block.case, block.phase)
    for name in ("component", "operand", "action", "format"):
        columns[name] = categorical(getattr(block, name), CATEGORIES[name])
    columns["count"] = block.times
    columns |= {name: getattr(block, name) for name in ENERGY_COLUMNS}
    return pd.DataFrame(columns, columns=list(RESULT_COLUMNS), copy=False)


def _summary(grid: Grid, block: Block) -> pd.DataFrame:
    """Return the energy of every case and phase, tokens and ratios beside it."""
    request = PHASES.index(REQUEST)
    key = block.case.astype(np.int64) * len(PHASES) + block.phase
    size = (len(grid), len(PHASES))
    energy_j = {}
    for end in ("energy", "energy_low", "energy_high"):
        # bincount adds in the order of the rows: the same sum on every machine and for any number of processes
        total = np.bincount(key, getattr(block, f"{end}_pj"), minlength=size[0] * size[1]).reshape(size) / PJ_PER_J
        total[:, request] = total[:, :request].sum(axis=1)
        energy_j[f"{end}_j"] = total

    batch, prompt, new = grid.workload(np.arange(len(grid)))
    tokens = np.stack([batch * prompt, batch * new, batch * (prompt + new)], axis=1)
    happened = tokens > 0
    happened[:, request] = (prompt > 0) & (new > 0)
    nominal = energy_j["energy_j"]
    baseline = grid.baseline()
    ratio = np.full(size, np.nan) if baseline is None else nominal[baseline] / np.where(happened, nominal, 1)

    case, phase = np.nonzero(happened)
    columns = _case_columns(grid, case, phase.astype(np.int8))
    columns |= {name: values[case, phase] for name, values in energy_j.items()}
    columns["energy_per_token_j"] = nominal[case, phase] / tokens[case, phase]
    columns["ratio_to_baseline"] = ratio[case, phase]
    for unknown in ("latency_s", "tokens_per_s", "memory_bytes"):  # the papers' accounting has no time and no memory
        columns[unknown] = np.full(len(case), np.nan)
    return pd.DataFrame(columns, columns=list(SUMMARY_COLUMNS))
