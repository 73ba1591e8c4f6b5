"""Which workload and which phase a picture shows, and how its title says so."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bitjoule.experiments.evaluation import REQUEST
from bitjoule.experiments.plot_schema import PhaseName
from bitjoule.experiments.result import Result

TITLE_IN_PER_CHARACTER = 0.125
WORKLOAD_AXES = ("batch", "prompt_tokens", "new_tokens")


def first_workload(result: Result) -> tuple[NDArray[np.intp], str]:
    """Return the numbers of the cases of the sweep's first workload, and its description; of matmuls, all.

    Parameters
    ----------
    result
        A run.
    """
    cases = np.arange(len(result.grid))
    if result.resolved.experiment.matmuls is not None:
        return cases, "matrix products"
    indices = np.stack(result.grid.axis_indices(cases)[-len(WORKLOAD_AXES) :])
    cases = cases[(indices == 0).all(axis=0)]
    workloads = len(result.grid) // len(cases)
    batch, prompt, new = (int(values[0]) for values in result.grid.workload(cases[:1]))
    first = f" (first of {workloads} workloads)" if workloads > 1 else ""
    return cases, workload_text(batch, prompt, new) + first


def workload_text(batch: int, prompt: int, new: int) -> str:
    """Return a workload as ``512 prompt tokens, 128 new tokens, batch 4``.

    Parameters
    ----------
    batch, prompt, new
        Sequences, tokens, tokens.
    """
    parts = [f"{prompt} prompt token{'s' * (prompt > 1)}"]
    parts += [f"{new} new token{'s' * (new > 1)}"] if new else []
    return ", ".join([*parts, f"batch {batch}"] if batch > 1 else parts)


def first_rows(result: Result, phase: PhaseName | None) -> tuple[pd.DataFrame, str]:
    """Return the summary rows of the first workload in one phase, and what the title says of them.

    Parameters
    ----------
    result
        A run.
    phase
        None: the whole request where there are new tokens, else prefill.
    """
    cases, text = first_workload(result)
    summary = result.summary
    if result.resolved.experiment.matmuls is not None:
        return summary, text
    first = [int(values[0]) for values in result.grid.workload(cases[:1])]
    chosen = np.ones(len(summary), dtype=bool)
    for axis, value in zip(WORKLOAD_AXES, first, strict=True):
        chosen &= (summary[axis] == value).to_numpy()
    rows = summary[chosen]
    return rows[in_phase(rows, phase)], f"{phase_text(phase, first[2])}{text}"


def in_phase(rows: pd.DataFrame, phase: PhaseName | None) -> NDArray[np.bool_]:
    """Return which summary rows are of a phase.

    Parameters
    ----------
    rows
        Of the summary.
    phase
        None: the whole request where there are new tokens, else prefill.
    """
    wanted = phase or np.where(rows["new_tokens"] > 0, REQUEST, "prefill")
    return np.asarray(rows["phase"].astype(str) == wanted, dtype=bool)


def phase_text(phase: PhaseName | None, new_tokens: int) -> str:
    """Return the phase for a title, e.g. ``decode, ``; nothing where prefill is all there is.

    Parameters
    ----------
    phase
        None: the whole request where there are new tokens, else prefill.
    new_tokens
        Of the workload.
    """
    return f"{phase or REQUEST}, " if new_tokens else ""


def set_title(figure: Figure, result: Result, text: str) -> None:
    """Put the experiment's name and a text over a figure, in as many lines as its width needs.

    Parameters
    ----------
    figure
        To change.
    result
        A run.
    text
        What is drawn.
    """
    width = int(figure.get_figwidth() / TITLE_IN_PER_CHARACTER)
    figure.suptitle(textwrap.fill(f"{result.resolved.experiment.name}: {text}", width), fontsize=14)
