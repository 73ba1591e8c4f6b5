"""Runs an experiment: counts and prices every case, sums, compares, and makes the tables of its plots."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.system.counting.memory import Bytes
from bitjoule.experiments.energy.evaluation import case_columns, evaluate, long_table
from bitjoule.experiments.energy.frames import PlotFrames
from bitjoule.experiments.energy.grid import Grid, grid_of
from bitjoule.experiments.energy.images import takes_images
from bitjoule.experiments.energy.parts import sums_in_parts
from bitjoule.experiments.energy.plots import Plot
from bitjoule.experiments.energy.resolve import Resolved
from bitjoule.experiments.energy.result import Result
from bitjoule.experiments.energy.tables.accuracies import accuracy_table
from bitjoule.experiments.energy.tables.comparison import compare
from bitjoule.experiments.energy.tables.components import component_table, shown_cases, shown_platform
from bitjoule.experiments.energy.tables.costs import cost_table
from bitjoule.experiments.energy.tables.families import families
from bitjoule.experiments.energy.tables.losses import losses
from bitjoule.experiments.energy.tables.papers import arithmetic, limits
from bitjoule.experiments.energy.tables.rooflines import points, roofs
from bitjoule.experiments.energy.tables.sums import summarise
from bitjoule.experiments.energy.uncertainty.assumptions import vary
from bitjoule.experiments.energy.uncertainty.element_wise import element_wise
from bitjoule.experiments.energy.uncertainty.own_amounts import own_amounts
from bitjoule.experiments.energy.uncertainty.own_prices import own_prices, without_bands
from bitjoule.experiments.energy.uncertainty.sensitivity import sensitivity, varied_table
from bitjoule.experiments.energy.uncertainty.unmeasured import unmeasured
from bitjoule.experiments.output.columns import WORKLOAD_AXES
from bitjoule.experiments.output.parts import Parts

MEMORY_CASE_COLUMNS = ("experiment", "model", "parameters", "scheme", *WORKLOAD_AXES)


def run(resolved: Resolved, parts: Parts | None = None) -> Result:
    """Run an experiment.

    Parameters
    ----------
    resolved
        From `bitjoule.experiments.energy.resolve`.
    parts
        Where its parts run, and what of them is written; default: here, and nothing.
    """
    grid, experiment = grid_of(resolved), resolved.experiment
    sums = None if parts is None else sums_in_parts(grid, bool(experiment.per_layer), parts)
    summary, memory, bands, bounds, dram, levels = summarise(grid, sums)
    system = experiment.accounting is Accounting.SYSTEM
    comparison, overhead = compare(resolved.printed, grid, memory)
    models = [
        (name, model.family, model.parameters, "image" if takes_images(model) else "token")
        for name, model in resolved.models.items()
    ]
    machines = [
        (platform, scheme, machine, hardware.power is not None)
        for platform, by_scheme in resolved.platforms.items()
        for scheme, (machine, hardware) in by_scheme.items()
    ]
    kinds = [(technology, kind) for technology, mac_kinds in unmeasured(grid).items() for kind in mac_kinds]
    _, schemes, technologies, platforms = map(tuple, grid.names)
    varied = vary(resolved) if experiment.sensitivity else []
    return Result(
        grid=grid,
        name=experiment.name,
        description=experiment.description,
        accounting=experiment.accounting,
        bare=grid.bare,
        baseline=experiment.baseline,
        workload=None if experiment.workload is None else dict(zip(WORKLOAD_AXES, grid.sizes, strict=True)),
        compared=experiment.published is not None,
        requested=tuple(experiment.plots),
        models=pd.DataFrame(models, columns=["model", "family", "parameters", "unit"]).set_index("model"),
        formats=families(grid.schemes),
        schemes=schemes,
        technologies=technologies,
        platforms=platforms,
        machines=pd.DataFrame(machines, columns=["platform", "scheme", "machine", "static"]),
        unmeasured=pd.DataFrame(kinds, columns=["technology", "kind"]),
        element_wise=element_wise(grid),
        summary=summary,
        comparison=comparison,
        overhead=overhead,
        memory=memory_table(grid, memory) if system else pd.DataFrame(),
        bands=bands.table() if system and experiment.baseline is not None else pd.DataFrame(),
        bounds=bounds,
        components=component_table(grid, shown_cases(grid)) if system else pd.DataFrame(),
        sensitivity=sensitivity(bands, grid.system.price_rows, varied) if experiment.sensitivity else pd.DataFrame(),
        varied=varied_table(varied),
        shown_platform=platforms[shown_platform(grid)],
        without_bands=without_bands(grid.technologies),
        own_prices=own_prices(grid),
        own_amounts=own_amounts(resolved.platforms, resolved.technologies.values()),
        costs=pd.DataFrame() if experiment.costs is None else cost_table(summary, experiment.costs),
        dram=dram.table() if system else pd.DataFrame(),
        levels=levels.table() if system else pd.DataFrame(),
        plots=plot_frames(experiment.plots, grid, summary),
    )


def plot_frames(plots: Sequence[Plot], grid: Grid, summary: pd.DataFrame) -> PlotFrames:
    """Return the tables that plots show besides the summary.

    Parameters
    ----------
    plots
        Plots that the experiment requests.
    grid
        Every case.
    summary
        Of the run.
    """
    makers: dict[str, Callable[[], pd.DataFrame]] = {
        "actions": lambda: long_table(grid, evaluate(grid, np.flatnonzero(drawn))),
        "papers": lambda: arithmetic(grid, sizes),
        "limits": lambda: limits(grid),
        "roofline": lambda: points(grid, summary, workloads[:, 1:]),
        "roofs": lambda: roofs(grid),
        "losses": lambda: losses(grid),
        "accuracies": lambda: accuracy_table(summary),
    }
    workloads = drawn_workloads(plots, grid)
    indices = np.stack(grid.axis_indices(np.arange(len(grid)))[-len(WORKLOAD_AXES) :], axis=1)
    drawn = (indices[:, None, :] == workloads).all(axis=2).any(axis=1)
    batch, prompt, new = (
        [values[index] for index in sorted(set(column))] for values, column in zip(grid.sizes, workloads.T, strict=True)
    )
    sizes = (batch, prompt, new)
    needed = frozenset[str]().union(*(plot.needs() for plot in plots))
    return PlotFrames(**{name: make() if name in needed else pd.DataFrame() for name, make in makers.items()})


def drawn_workloads(plots: Sequence[Plot], grid: Grid) -> NDArray[np.intp]:
    """Return the workloads that plots of one workload draw: the sweep's first, and those that plots select by `at`.

    Parameters
    ----------
    plots
        Plots that the experiment requests.
    grid
        Every case.

    Returns
    -------
    ndarray
        Index on each axis of the workload, shape (workloads, axes).
    """
    first = (0,) * len(WORKLOAD_AXES)
    workloads = {first: None}
    for plot in plots:
        at = {} if plot.at is None else plot.at.model_dump(exclude_none=True)
        index = [
            list(values).index(at[axis]) if axis in at else 0
            for axis, values in zip(WORKLOAD_AXES, grid.sizes, strict=True)
        ]
        workloads[tuple(index)] = None
    return np.array(list(workloads))


def memory_table(grid: Grid, memory: Floats) -> pd.DataFrame:
    """Return the memory of each model, scheme and workload, one row each; it is the same on all platforms.

    Parameters
    ----------
    grid
        Every case.
    memory
        The fields of `Bytes` of each, shape (cases, fields); adapters have a column if a model has any.
    """
    cases = np.arange(len(grid))
    _, _, technology, platform, *_ = grid.axis_indices(cases)
    selected = (technology == 0) & (platform == 0)
    columns = case_columns(grid, cases[selected], np.zeros(selected.sum(), dtype=np.int8))
    columns = {name: columns[name] for name in MEMORY_CASE_COLUMNS}
    contents = dict(zip(Bytes._fields, memory[selected].T, strict=True))
    if not np.nan_to_num(contents["adapters_bytes"]).any():
        del contents["adapters_bytes"]
    columns |= contents
    columns["memory_bytes"] = memory[selected].sum(axis=1)
    return pd.DataFrame(columns, copy=False)
