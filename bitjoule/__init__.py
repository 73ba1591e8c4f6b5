"""bitjoule: energy and hardware co-design simulator for 1-bit and ternary LLMs.

A map of the code; imports run from the top of this list to its bottom, never back::

    cli             the command line; commands/ holds its subcommands
    execution       the one path of an experiment: read, checked, run, written
    writing         its end: into a folder, here or in several processes
    kinds           the kinds of experiment, a module each: energy, hardware, netlists, prices
    reports         tables and pictures of a result
    experiments     experiment files: read, checked, run; the output folder
    gates           the accelerator's netlist in a library's cells: area, timing, energy measured
    sim             NumPy reference, cycle model, the simulated hardware and its verification
    rtl             the adder-only accelerator, in Amaranth
    energy_models   what operations, accesses and whole models cost, with their sources

Use from Python::

    import bitjoule

    result = bitjoule.run("bitnet_table1")   # a shipped name, a path to a YAML file, or what one says as a mapping
    result.summary                           # pandas, a row for each case and phase
    result.results                           # pandas, a row for each case, component and action
    bitjoule.run("batch_sweep", {"workload": {"batch": [1, 8]}, "technologies": ["7nm"]})
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__version__ = "0.1.0"
__all__ = ["__version__", "run", "run_experiment"]


def run(
    experiment: "str | os.PathLike[str] | Mapping[str, Any]",
    overrides: "Sequence[str] | Mapping[str, Any]" = (),
    *,
    out: "str | os.PathLike[str] | None" = None,
    plots: bool = True,
    jobs: int = 1,
) -> Any:
    """Run an experiment of any kind and return its tables.

    Parameters
    ----------
    experiment
        The name of a shipped experiment, a YAML file, or a mapping that says what a file would.
    overrides
        ``key=value`` texts, as of ``bitjoule run --set``, or a mapping of dotted keys to values; a mapping inside it
        changes the keys below.
    out
        Folder in which the experiment gets its own, with tables, pictures and manifest, as of ``bitjoule run``;
        default: nothing is written.
    plots, jobs
        Whether to draw, and processes that write tables and draw; with `out` alone.

    Returns
    -------
    object
        The result of the experiment's kind, with a pandas table as `summary`; those of an energy experiment, of the
        hardware and of netlists have a long table as `results` too.

    Raises
    ------
    bitjoule.energy_models.inputs.errors.InputError
        The experiment is wrong; each problem names file, line and key.
    bitjoule.energy_models.inputs.errors.PluginError
        Something that another package contributes fails.
    bitjoule.sim.bench.simulators.SimulatorError
        The hardware's packages are missing, or the hardware is wrong.
    """
    # pandas and pydantic take most of a second: `import bitjoule` does not pay for them
    from pathlib import Path

    from bitjoule import writing
    from bitjoule.execution import read
    from bitjoule.kinds.kind import Silent

    task = read(experiment, overrides)
    if out is None:
        return writing.run(task, Silent()).result
    how = writing.Writing(Path(out), ["bitjoule.run"], plots, jobs)
    return writing.run_and_write(task, how, Silent())[0].result


run_experiment = run
