"""Which workload and which phase a picture shows, and its title."""

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bitjoule.energy_models.inputs.wording import counted
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import PhaseName
from bitjoule.experiments.output.columns import REQUEST, WORKLOAD_AXES

TITLE_IN_PER_CHARACTER = 0.125


def first_values(frames: Frames) -> dict[str, int]:
    """Return batch, prompt tokens and new tokens of the sweep's first workload.

    Parameters
    ----------
    frames
        Of a run.
    """
    return {axis: int(frames.summary[axis].iloc[0]) for axis in WORKLOAD_AXES}


def first_workload(frames: Frames) -> tuple[dict[str, int], str]:
    """Return the values of the sweep's first workload, and its description.

    Parameters
    ----------
    frames
        Of a run.
    """
    values, workload = first_values(frames), frames.workload
    if workload is None:
        return values, "matrix products"
    workloads = math.prod(map(len, workload.values()))
    first = f" (first of {workloads} workloads)" if workloads > 1 else ""
    return values, workload_text(*values.values()) + first


def workload_text(batch: int, prompt: int, new: int) -> str:
    """Return a workload as ``512 prompt tokens, 128 new tokens, batch 4``.

    Parameters
    ----------
    batch, prompt, new
        Sequences, tokens, tokens.
    """
    parts = [counted(prompt, "prompt token")]
    parts += [counted(new, "new token")] if new else []
    return ", ".join([*parts, f"batch {batch}"] if batch > 1 else parts)


def first_rows(frames: Frames, phase: PhaseName | None) -> tuple[pd.DataFrame, str]:
    """Return the summary rows of the first workload in one phase, and a text for the title.

    Parameters
    ----------
    frames
        Of a run.
    phase
        None: the whole request where there are new tokens, else prefill.
    """
    first, text = first_workload(frames)
    rows = frames.summary
    if frames.bare:
        return rows, text
    for axis, value in first.items():
        rows = rows[rows[axis] == value]
    return rows[in_phase(rows, phase)], f"{phase_text(phase, first['new_tokens'])}{text}"


def in_phase(rows: pd.DataFrame, phase: PhaseName | None) -> NDArray[np.bool_]:
    """Return which summary rows are of a phase.

    Parameters
    ----------
    rows
        Of the summary.
    phase
        None: the whole request where there are new tokens, else prefill.
    """
    selected = phase or np.where(rows["new_tokens"] > 0, REQUEST, "prefill")
    return np.asarray(rows["phase"].astype(str) == selected, dtype=bool)


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


def set_title(figure: Figure, frames: Frames, text: str) -> None:
    """Put the experiment's name and a text over a figure, in as many lines as its width needs.

    Parameters
    ----------
    figure
        To change.
    frames
        Of a run.
    text
        What is drawn.
    """
    width = int(figure.get_figwidth() / TITLE_IN_PER_CHARACTER)
    figure.suptitle(textwrap.fill(f"{frames.name}: {text}", width), fontsize=14)
