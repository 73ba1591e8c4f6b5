"""Which workload and which phase a text or a picture shows, and its name. Nothing here draws."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.inputs.wording import counted
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import PhaseName
from bitjoule.experiments.output.columns import REQUEST, WORKLOAD_AXES


def unit_of(frames: Frames) -> str:
    """Return what a request's tokens are: images, where all models take images.

    Parameters
    ----------
    frames
        Of a run.
    """
    return "image" if set(frames.models["unit"]) == {"image"} else "token"


def axis_names(frames: Frames) -> dict[str, str]:
    """Return the headers of columns that say what was run.

    Parameters
    ----------
    frames
        Of a run.
    """
    batch = "images" if unit_of(frames) == "image" else "batch (sequences)"
    return {"prompt_tokens": "prompt (tokens)", "new_tokens": "new (tokens)", "batch": batch}


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
    batch, prompt, new = values.values()
    return values, workload_text(batch, prompt, new, unit_of(frames)) + first


def workload_text(batch: int, prompt: int, new: int, unit: str = "token") -> str:
    """Return a workload as ``512 prompt tokens, 128 new tokens, batch 4``.

    Parameters
    ----------
    batch, prompt, new
        Sequences, tokens, tokens.
    unit
        From `unit_of`.
    """
    if unit == "image":
        return counted(batch, "image")
    parts = [counted(prompt, "prompt token")]
    parts += [counted(new, "new token")] if new else []
    return ", ".join([*parts, f"batch {batch}"] if batch > 1 else parts)


def first_of(table: pd.DataFrame, frames: Frames) -> pd.DataFrame:
    """Return the rows of the first workload; of bare matmuls, all.

    Parameters
    ----------
    table
        With the axes of the workload as columns.
    frames
        Of a run.
    """
    if not frames.bare:
        for axis, value in first_values(frames).items():
            table = table[table[axis] == value]
    return table


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
    rows = first_of(frames.summary, frames)
    if frames.bare:
        return rows, text
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


def ratio_bands(points: pd.DataFrame, frames: Frames) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the least and the most ratio to the baseline that the prices allow, shape (points,) each.

    Parameters
    ----------
    points
        Rows of the summary.
    frames
        Of a run.
    """
    if frames.bands.empty or points.empty:
        return None
    keys = ["model", "scheme", "technology", "platform", "phase", *WORKLOAD_AXES]
    bands = frames.bands.astype(dict.fromkeys(keys[:5], str)).set_index(keys)[["ratio_low", "ratio_high"]]
    found = bands.reindex(pd.MultiIndex.from_frame(points[keys].astype(dict.fromkeys(keys[:5], str)))).to_numpy(float)
    ratio = points["ratio_to_baseline"].to_numpy(float)  # the baseline itself is not compared
    low, high = (np.where(np.isnan(end), ratio, end) for end in found.T)
    return low, high
