"""Time and energy of each component of cases, what bounds its time, and the array that runs its MACs."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.system.counting.times import array_names, components
from bitjoule.energy_models.system.counting.utilisation import RESOURCES
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
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
    phases = evaluated.latency_s.shape[1]
    shape = (len(cases), phases, len(names))
    at = [names.index(component) for component in timed]
    seconds, macs, busy = np.zeros((*shape, len(BOUNDS))), np.zeros(shape), np.zeros((*shape, len(RESOURCES)))
    seconds[:, :, at] = evaluated.times.seconds
    busy[:, :, at] = evaluated.times.busy
    macs[:, :, at[: evaluated.times.macs.shape[2]]] = evaluated.times.macs
    block = of_cases.block
    place = np.ravel_multi_index((np.searchsorted(cases, block.case), block.phase, block.component), shape)
    energies_j = [
        np.bincount(place, getattr(block, name), minlength=int(np.prod(shape))).reshape(shape) / PJ_PER_J
        for name in ENERGY_COLUMNS
    ]
    case, phase, component = np.nonzero((seconds.sum(axis=3) > 0) | (energies_j[-1] != 0))
    columns = case_columns(grid, cases[case], phase.astype(np.int8))
    columns["component"] = categorical(component, names)
    columns["array"] = pd.Categorical(_arrays(grid, cases, at)[case, component])
    columns["macs"] = macs[case, phase, component]
    of_phase = np.cumsum(macs, axis=2)[..., -1:]  # one after the other: the same sum on every machine
    share = np.divide(macs, of_phase, out=np.zeros_like(macs), where=of_phase > 0)
    columns["mac_share"] = share[case, phase, component]
    columns["time_s"] = seconds.sum(axis=3)[case, phase, component]
    columns |= dict(zip(BOUND_COLUMNS, seconds[case, phase, component].T, strict=True))
    for name, joules in zip(ENERGY_COLUMNS, energies_j, strict=True):
        columns[name.replace("_pj", "_j")] = joules[case, phase, component]
    of_peaks = utilisation(busy, seconds.sum(axis=3))[case, phase, component]
    columns |= dict(zip(UTILISATION_COLUMNS, of_peaks.T, strict=True))
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


def _arrays(grid: Grid, cases: NDArray[np.integer[Any]], at: list[int]) -> NDArray[np.object_]:
    """Return the array that runs each component of cases, shape (cases, components); empty where none does."""
    _, scheme, technology, platform, *_ = grid.axis_indices(cases)
    machines = np.stack([scheme, technology, platform], axis=1)
    unique, inverse = np.unique(machines, axis=0, return_inverse=True)
    names = np.full((len(unique), len(CATEGORIES["component"])), "", dtype=object)
    for i, machine in enumerate(unique.tolist()):
        of_matmuls = array_names(grid.system.machine(*machine), grid.system.layout)
        names[i, at[: len(of_matmuls)]] = of_matmuls
    return names[inverse.reshape(-1)]


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
