"""bitjoule: energy and hardware co-design simulator for 1-bit and ternary LLMs.

A map of the code. Each entry may import those below it, never those above::

    cli             the command line; commands/ holds its subcommands
    execution       reads, checks and runs experiments of every kind
    run_result      the result of a run in Python: tables, plots, output directory
    writing         writes the output directories, in this process or in several
    kinds           the kinds of experiment, one module each: energy, exploration, hardware, netlists, ...
    reports         tables and pictures of results
    experiments     reads, checks and runs experiment files; writes the output directory
    gates           area, timing and energy of the accelerator's netlist in the cells of a library
    sim             NumPy reference, cycle model, the simulated hardware and its verification
    rtl             the adder-only accelerator, in Amaranth
    energy_models   costs of operations, memory accesses and whole models, with their sources

Use from Python::

    import bitjoule

    result = bitjoule.run("bitnet_table1")   # a shipped name, the path of a YAML file, or its contents as a mapping
    result.summary                           # pandas, one row per case and phase
    result.results                           # pandas, one row per case, component and action
    result.plot()                            # the first plot that the experiment asks for, a matplotlib figure
    result.save("results")                   # tables, pictures and manifest, as `bitjoule run` writes them
    result.warnings                          # what the run warned of, one text each
    bitjoule.run("batch_sweep", {"workload": {"batch": [1, 8]}, "technologies": ["7nm"]})
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from bitjoule.run_result import RunResult

__version__ = "0.1.0"
__all__ = ["__version__", "run", "run_experiment"]


def run(
    experiment: "str | os.PathLike[str] | Mapping[str, Any]",
    overrides: "Sequence[str] | Mapping[str, Any]" = (),
    *,
    out: "str | os.PathLike[str] | None" = None,
    plots: bool = True,
    jobs: int = 1,
    results: "Literal['csv', 'parquet', 'xlsx'] | None" = None,
    scheduler: str | None = None,
) -> "RunResult":
    """Run an experiment of any kind and return its tables.

    Parameters
    ----------
    experiment
        The name of a shipped experiment, the path of a YAML file, or a mapping with the same keys as such a file.
    overrides
        Values to change: ``key=value`` texts, as for ``bitjoule run --set``, or a mapping of dotted keys to values. A
        nested mapping changes the keys below.
    out
        Parent of the output directory, in which tables, pictures and the manifest are written, as by ``bitjoule run``;
        default: nothing is written.
    plots, jobs
        Whether to draw plots, and the number of processes that write tables and plots; used only with `out`.
    results
        Format of the tables; default: CSV, or Parquet for many cases if pyarrow is installed; used only with `out`.
    scheduler
        Address of a Dask scheduler on whose workers the parts of the experiment run; used only with `out`.

    Returns
    -------
    bitjoule.run_result.RunResult
        The result of the experiment, with a pandas table as `summary`, as `warnings` a tuple of what the run warned of,
        and the methods `plot` and `save`. A notebook shows its summary. Results of energy, hardware and netlist
        experiments also have a long table as `results`; those of energy experiments with ``accounting: system`` have
        each operation of each layer as `operations`.

    Raises
    ------
    bitjoule.energy_models.inputs.errors.InputError
        The experiment is invalid; each problem names file, line and key.
    bitjoule.energy_models.inputs.errors.PluginError
        A plug-in of another package fails.
    bitjoule.sim.bench.simulators.SimulatorError
        Packages that the simulated hardware needs are missing, or the hardware computes a wrong result.
    """
    # importing pandas and pydantic takes most of a second, which `import bitjoule` must not
    from pathlib import Path

    from bitjoule import writing
    from bitjoule.execution import read
    from bitjoule.kinds.kind import Silent
    from bitjoule.run_result import COMMAND, RunResult

    task = read(experiment, overrides)
    if out is None:
        return RunResult(task, writing.run(task, Silent()))
    settings = writing.Writing(Path(out), COMMAND, plots, jobs, results=results, scheduler=scheduler)
    return RunResult(task, writing.run_and_write(task, settings, Silent())[0], written=True)


run_experiment = run
