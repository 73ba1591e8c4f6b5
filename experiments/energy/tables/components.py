"""Time and energy of each component of cases, what bounds its time, and the array that runs its MACs."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.system.counting.times import array_names, components
from bitjoule.experiments.energy.evaluation import CATEGORIES, EvaluatedCases, case_columns, categorical, evaluate_cases
from bitjoule.experiments.energy.grid import AXES, Grid
from bitjoule.experiments.output.columns import (
    BOUND_COLUMNS,
    CASE_COLUMNS,
    COMPONENT_COLUMNS,
    ENERGY_COLUMNS,
    PJ_PER_J,
    UTILISATION_COLUMNS,
)

LAST = ("model", "technology")  # axes whose last entry `shown_cases` takes; of the others, the first


def component_table(grid: Grid, cases: NDArray[np.integer[Any]]) -> pd.DataFrame:
    """Return a row for each case, phase and component that takes time or energy, columns `COMPONENT_COLUMNS`.

    Parameters
    ----------
    grid
        Every case, of the system accounting.
    cases
        Numbers of those to evaluate, ascending, shape (cases,).
    """
    return component_rows(evaluate_cases(grid, cases))


def component_rows(of_cases: EvaluatedCases) -> pd.DataFrame:
    """Return the same table of evaluated cases.

    Parameters
    ----------
    of_cases
        From `bitjoule.experiments.energy.evaluation.evaluate_cases`; ascending.
    """
    grid, cases, evaluated = of_cases.grid, of_cases.cases, of_cases.system
    if evaluated is None:
        return pd.DataFrame(columns=list(COMPONENT_COLUMNS))
    names, timed = CATEGORIES["component"], components(grid.system.layout)
    at = [names.index(component) for component in timed]
    times, matmuls = evaluated.times, evaluated.times.macs.shape[2]
    shape = (len(cases), evaluated.latency_s.shape[1], len(names))
    time_s = np.zeros(shape)
    time_s[:, :, at] = times.seconds.sum(axis=3)
    block = of_cases.block
    number = block.case - cases[0] if cases[-1] - cases[0] == len(cases) - 1 else np.searchsorted(cases, block.case)
    place = (number.astype(np.intp) * shape[1] + block.phase) * shape[2] + block.component
    energies_j = [
        np.bincount(place, getattr(block, name), minlength=int(np.prod(shape))) / PJ_PER_J for name in ENERGY_COLUMNS
    ]
    row = np.flatnonzero((time_s.ravel() > 0) | (energies_j[-1] != 0))
    case_phase, component = np.divmod(row, len(names))
    case, phase = np.divmod(case_phase, shape[1])
    columns = case_columns(grid, cases[case], phase.astype(np.int8))
    columns["component"] = categorical(component, names)
    columns["array"] = _arrays(grid, cases, at, case, component)
    in_order = np.argsort(at[:matmuls])
    of_phase = np.cumsum(times.macs[..., in_order], axis=2)[..., -1:]  # one after the other: the same everywhere
    share = np.divide(times.macs, of_phase, out=np.zeros_like(times.macs), where=of_phase > 0)
    of_timed = np.full(len(names), -1)
    of_timed[at] = np.arange(len(at))

    def picked(values: Floats) -> Floats:
        """Return the values of each row, whose axis of components is the third; zero where they have none."""
        here = of_timed[component]
        has = (here >= 0) & (here < values.shape[2])
        found = np.zeros((len(row), *values.shape[3:]))
        flat = values.reshape(-1, *values.shape[3:])
        found[has] = flat[case_phase[has] * values.shape[2] + here[has]]
        return found

    time_rows = time_s.ravel()[row]
    columns["macs"], columns["mac_share"] = picked(times.macs), picked(share)
    columns["time_s"] = time_rows
    columns |= dict(zip(BOUND_COLUMNS, picked(times.seconds).T, strict=True))
    for name, joules in zip(ENERGY_COLUMNS, energies_j, strict=True):
        columns[name.replace("_pj", "_j")] = joules[row]
    columns |= dict(zip(UTILISATION_COLUMNS, utilisation(picked(times.busy), time_rows).T, strict=True))
    return pd.DataFrame(columns, columns=list(COMPONENT_COLUMNS), copy=False)


def utilisation(busy: Floats, seconds: Floats) -> Floats:
    """Return the shares of a time in which resources are busy at their peaks; nothing is busy in no time.

    Parameters
    ----------
    busy, seconds
        Seconds of each resource, along the last axis; the time.
    """
    shares = np.divide(busy, seconds[..., None], out=np.zeros_like(busy), where=seconds[..., None] > 0)
    return np.asarray(np.minimum(shares, 1.0))  # sums differ in their last digits


def _arrays(
    grid: Grid, cases: NDArray[np.integer[Any]], at: list[int], case: Indices, component: Indices
) -> pd.Categorical:
    """Return the array that runs the component of each row, of the case with a number among `cases`; or nothing."""
    _, scheme, technology, platform, *_ = grid.axis_indices(cases)
    code = np.ravel_multi_index((scheme, technology, platform), grid.shape[1:4])
    codes, inverse = np.unique(code, return_inverse=True)
    texts: dict[str, int] = {"": 0}
    numbers = np.zeros((len(codes), len(CATEGORIES["component"])), dtype=np.int32)
    for i, machine in enumerate(
        zip(*(index.tolist() for index in np.unravel_index(codes, grid.shape[1:4])), strict=True)
    ):
        of_matmuls = array_names(grid.system.machine(*machine), grid.system.layout)
        numbers[i, at[: len(of_matmuls)]] = [texts.setdefault(name, len(texts)) for name in of_matmuls]
    return categorical(numbers[inverse[case], component], list(texts))


def bound_table(summary: pd.DataFrame, seconds: Floats, happened: NDArray[np.bool_]) -> pd.DataFrame:
    """Return what bounds the time of each row of a summary, columns `CASE_COLUMNS` and `BOUND_COLUMNS`.

    Parameters
    ----------
    summary
        A row for each case and phase that happened, requests last.
    seconds
        By what bounds them, shape (cases, phases and requests, `BOUNDS`).
    happened
        Which of these have a row, shape (cases, phases and requests).
    """
    columns = {name: summary[name] for name in CASE_COLUMNS}
    columns |= dict(zip(BOUND_COLUMNS, seconds[happened].T, strict=True))
    return pd.DataFrame(columns)


def shown_cases(grid: Grid) -> NDArray[np.intp]:
    """Return the cases that a summary shows by component: every scheme, of the last model and technology.

    Parameters
    ----------
    grid
        Every case. Of platforms and workloads, the first is shown.
    """
    cases = np.arange(len(grid))
    shown = np.ones(len(grid), dtype=np.bool_)
    for axis, index, length in zip(AXES, grid.axis_indices(cases), grid.shape, strict=True):
        if axis != "scheme":
            shown &= index == (length - 1 if axis in LAST else 0)
    return cases[shown]
