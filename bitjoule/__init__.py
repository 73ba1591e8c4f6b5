"""bitjoule: energy and hardware co-design simulator for 1-bit and ternary LLMs.

A map of the code; imports run from the top of this list to its bottom, never back::

    cli             the command line; its parts are rtl_commands (`bitjoule rtl`), simulate_command (`rtl simulate`),
                    synthesize_command (`rtl synthesize`), mapping_command (`show mapping`), calibrate_command
                    (`calibrate`) and other_runs (experiments on the hardware, on netlists and of prices)
    reports         tables and pictures of a result
    experiments     experiment files: read, checked, run; the output folder
    gates           the accelerator's netlist in a library's cells: area, timing, energy measured
    sim             NumPy reference, cycle model, the simulated hardware and its verification
    rtl             the adder-only accelerator, in Amaranth
    energy_models   what operations, accesses and whole models cost, with their sources

Use from Python::

    import bitjoule

    result = bitjoule.run_experiment("bitnet_table1")   # a shipped name or a path to a YAML file
    result.summary                                      # pandas, a row for each case and phase
    result.results                                      # pandas, a row for each case, component and action
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bitjoule.experiments.result import Result

__version__ = "0.1.0"
__all__ = ["__version__", "run_experiment"]


def run_experiment(experiment: str, overrides: "Sequence[str]" = ()) -> "Result":
    """Run an experiment and return its tables; nothing is written.

    Parameters
    ----------
    experiment
        A YAML file, or the name of a shipped experiment.
    overrides
        ``key=value`` texts, as of ``bitjoule run --set``.

    Raises
    ------
    bitjoule.energy_models.errors.InputError
        The experiment is wrong; each problem names file, line and key.
    """
    # pandas and pydantic take most of a second: `import bitjoule` does not pay for them
    from bitjoule.experiments.reader import find_experiment, read_experiment
    from bitjoule.experiments.runner import run

    return run(read_experiment(find_experiment(experiment), overrides))
