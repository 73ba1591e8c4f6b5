"""Time and energy of each component of cases, what bounds its time, and the array that runs its MACs."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.system.counting.counted import Evaluated
from bitjoule.energy_models.system.counting.times import array_names, components
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.energy.blocks import CATEGORIES, column_codes
from bitjoule.experiments.energy.evaluation import EvaluatedCases, case_columns, categorical, evaluate_cases
from bitjoule.experiments.energy.grid import AXES, Grid
from bitjoule.experiments.output.columns import (
    BOUND_COLUMNS,
    CASE_COLUMNS,
    COMPONENT_COLUMNS,
    PJ_PER_J,
    UTILISATION_COLUMNS,
)

ENERGIES = ("energy_low_j", "energy_j", "energy_high_j")
VALUES = ("macs", "mac_share", "time_s", *BOUND_COLUMNS, *ENERGIES, *UTILISATION_COLUMNS)  # of a component in a step
LAST = ("model", "technology")  # axes whose last entry `shown_cases` takes; of workloads, the first


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
    grid, cases, by_phase = of_cases.grid, of_cases.cases, of_cases.by_phase
    if by_phase is None:
        return pd.DataFrame(columns=list(COMPONENT_COLUMNS))
    names, timed = CATEGORIES["component"], components(grid.system.layout)
    at = np.array([names.index(component) for component in timed])
    of_columns = column_codes(grid.system.columns)["component"]
    charged = [of_columns[phase.evaluated.active] for phase in by_phase.phases]
    used = np.unique(np.concatenate([at, *charged]))
    values, steps, count = [], [], 0  # of the steps of each phase, which cases may share
    for phase in by_phase.phases:
        values.append(_of_steps(phase.evaluated, of_columns, at, used))
        requests, phases = phase.evaluated.latency_s.shape
        row = np.arange(requests) if phase.row is None else phase.row
        steps.append(count + row[:, None] * phases + np.arange(phases))
        count += requests * phases
    table = np.concatenate(values, axis=1)
    shown = (table[VALUES.index("time_s")] > 0) | (table[VALUES.index("energy_high_j")] != 0)
    step = np.concatenate(steps, axis=1)
    case_phase, component = np.nonzero(shown[step.ravel()])
    case, phase_of_row = np.divmod(case_phase, step.shape[1])
    place = step.ravel()[case_phase] * len(used) + component
    component = used[component]
    columns = case_columns(grid, cases[case], phase_of_row.astype(np.int8))
    columns["component"] = categorical(component, names)
    columns["array"] = _arrays(grid, cases, at, case, component)
    columns |= {name: of_all.ravel().take(place) for name, of_all in zip(VALUES, table, strict=True)}
    return pd.DataFrame(columns, columns=list(COMPONENT_COLUMNS), copy=False)


def _of_steps(evaluated: Evaluated, of_columns: NDArray[np.int8], at: Indices, used: Indices) -> Floats:
    """Return the values of each component in each step of requests, shape (`VALUES`, steps, components).

    Parameters
    ----------
    evaluated
        One or more phases of requests; their steps are (requests, phases).
    of_columns, at
        Component of each column, and of each entry of `Times`; indices into the names.
    used
        The components of the result, ascending; the same indices.
    """
    times, matmuls = evaluated.times, evaluated.times.macs.shape[2]
    requests, phases = evaluated.latency_s.shape
    found = np.zeros((len(VALUES), requests, phases, len(used)))
    timed, columns = np.searchsorted(used, at), np.searchsorted(used, of_columns[evaluated.active])
    in_order = np.argsort(at[:matmuls])
    of_phase = np.cumsum(times.macs[..., in_order], axis=2)[..., -1:]  # one after the other: the same everywhere
    share = np.divide(times.macs, of_phase, out=np.zeros_like(times.macs), where=of_phase > 0)
    time_s = times.seconds.sum(axis=3)
    energies = np.zeros((phases, len(used), 3, requests))  # low, nominal, high
    in_columns = evaluated.active_energies.in_columns()
    of_phases = (evaluated.active // evaluated.width).tolist()
    for phase, column, energy_pj in zip(of_phases, columns.tolist(), in_columns, strict=True):
        energies[phase, column] += energy_pj
    by_name = dict(zip(VALUES, found, strict=True))
    by_name["macs"][..., timed[:matmuls]], by_name["mac_share"][..., timed[:matmuls]] = times.macs, share
    by_name["time_s"][..., timed] = time_s
    for name, seconds in zip(BOUND_COLUMNS, np.moveaxis(times.seconds, 3, 0), strict=True):
        by_name[name][..., timed] = seconds
    for name, of_end in zip(ENERGIES, np.moveaxis(energies, 2, 0), strict=True):
        by_name[name][...] = of_end.transpose(2, 0, 1) / PJ_PER_J
    for name, busy in zip(UTILISATION_COLUMNS, np.moveaxis(utilisation(times.busy, time_s), 3, 0), strict=True):
        by_name[name][..., timed] = busy
    return found.reshape(len(VALUES), requests * phases, len(used))


def utilisation(busy: Floats, seconds: Floats) -> Floats:
    """Return the shares of a time in which resources are busy at their peaks; nothing is busy in no time.

    Parameters
    ----------
    busy, seconds
        Seconds of each resource, along the last axis; the time.
    """
    idle = ~(seconds > 0)
    shares = busy / np.where(idle, 1.0, seconds)[..., None]
    shares[idle] = 0.0
    return np.asarray(np.minimum(shares, 1.0, out=shares))  # sums differ in their last digits


def _arrays(
    grid: Grid, cases: NDArray[np.integer[Any]], at: Indices, case: Indices, component: Indices
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


def bound_table(summary: pd.DataFrame, seconds: Floats) -> pd.DataFrame:
    """Return what bounds the time of each row of a summary, columns `CASE_COLUMNS` and `BOUND_COLUMNS`.

    Parameters
    ----------
    summary
        A row for each case and phase that happened, requests last.
    seconds
        Of each row, by what bounds them, shape (rows, `BOUNDS`).
    """
    columns: dict[str, object] = {name: summary[name] for name in CASE_COLUMNS}
    columns |= dict(zip(BOUND_COLUMNS, seconds.T, strict=True))
    return pd.DataFrame(columns, copy=False)


def shown_platform(grid: Grid) -> int:
    """Return the index of the platform that a summary shows: the first of the user's own, else the first.

    Parameters
    ----------
    grid
        Every case.
    """
    built_in = platforms()
    for index, by_scheme in enumerate(grid.platforms.values()):
        if any(built_in.get(name) != machine for name, machine in by_scheme.values()):
            return index
    return 0


def shown_cases(grid: Grid) -> NDArray[np.intp]:
    """Return the cases that a summary shows by component: every scheme, of the last model and technology.

    Parameters
    ----------
    grid
        Every case. Of platforms, that of `shown_platform` is shown, and of workloads the first.
    """
    cases = np.arange(len(grid))
    shown = np.ones(len(grid), dtype=np.bool_)
    for axis, index, length in zip(AXES, grid.axis_indices(cases), grid.shape, strict=True):
        if axis != "scheme":
            first = shown_platform(grid) if axis == "platform" else 0
            shown &= index == (length - 1 if axis in LAST else first)
    return cases[shown]
