"""A sweep of whole requests as arrays: what the page of `bitjoule explorer` looks up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.components import of_hue

NAMES = ("model", "platform", "technology", "scheme")
AMOUNTS = ("new_tokens", "batch", "prompt_tokens")
KEYS = (*NAMES, *AMOUNTS, "phase")
PHASES = ("prefill", "decode")  # a request is the sum of both
STATIC = "static power and leakage"
OTHERS = "other parts"
GROUPS: dict[str, tuple[str, ...]] = {
    "projections": (*of_hue("projections"), "matmul"),
    "attention": of_hue("attention"),
    "KV cache": of_hue("cache"),
    "feed-forward": of_hue("ffn"),
    "embedding and head": of_hue("tables"),
    "element-wise": of_hue("element-wise"),
    "spilled activations": ("spilled_activations",),
    "memory levels": ("memory_levels",),
    STATIC: ("leakage", "static"),
    "regulators": ("regulator",),
    OTHERS: (),
}
_GROUP_OF = {component: group for group, components in GROUPS.items() for component in components}
SUMS = {"energy_j": "energy_j", "energy_low_j": "energy_low_j", "energy_high_j": "energy_high_j", "time_s": "latency_s"}
MEMORY_KEYS = ("model", "scheme", *AMOUNTS)  # it is the same on all platforms
WHOLE_MEMORY = "memory_bytes"
CONTENTS = {
    "weights": "weights_bytes", "embedding and head": "tables_bytes", "KV cache": "kv_cache_bytes",
    "activations": "activations_bytes", "adapters": "adapters_bytes", WHOLE_MEMORY: WHOLE_MEMORY,
}  # fmt: skip

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Sweep:
    """Values of all cases of a sweep, one for each combination of what was swept; NaN for those that did not run.

    Parameters
    ----------
    axes
        The values of each of `KEYS`, in the order of the experiment, amounts rising.
    sums
        Energy (J), its low and high ends (J) and time (s) of each phase, shape of the axes.
    energy_j, time_s
        The same by group of components, `GROUPS`; groups without any are left out.
    static_low_j, static_high_j
        The ends of `STATIC`.
    memory_bytes
        By content, shape of the axes in `MEMORY_KEYS`; all together under `WHOLE_MEMORY`.
    """

    axes: Mapping[str, Sequence[str | int]]
    sums: Mapping[str, Values]
    energy_j: Mapping[str, Values]
    time_s: Mapping[str, Values]
    static_low_j: Values
    static_high_j: Values
    memory_bytes: Mapping[str, Values]


def sweep(summary: pd.DataFrame, components: pd.DataFrame, memory: pd.DataFrame) -> Sweep:
    """Return the tables of a run with the system accounting as arrays.

    Parameters
    ----------
    summary, components, memory
        As the files of a run have them.
    """
    phases = summary["phase"].astype(str)
    kept = summary[phases.isin(PHASES)]
    axes = {key: _values(kept, key) for key in KEYS}
    places = _places(kept, axes, KEYS)
    shape = tuple(len(values) for values in axes.values())
    sums = {name: _placed(kept[column], places, shape) for name, column in SUMS.items()}
    rows = components[components["phase"].astype(str).isin(PHASES)]
    parts = _grouped(rows, "energy_j", axes, shape)
    ends = {end: _grouped(rows, f"energy_{end}_j", axes, shape) for end in ("low", "high")}
    none = np.zeros(shape)
    return Sweep(
        axes, sums, parts, _grouped(rows, "time_s", axes, shape), ends["low"].get(STATIC, none),
        ends["high"].get(STATIC, none), _memory(memory, axes),
    )  # fmt: skip


def _memory(memory: pd.DataFrame, axes: Mapping[str, Sequence[str | int]]) -> dict[str, Values]:
    """Return what memory holds, without contents that are nowhere; nothing of a run without that table."""
    if memory.empty:
        return {}
    places, shape = _places(memory, axes, MEMORY_KEYS), tuple(len(axes[key]) for key in MEMORY_KEYS)
    return {
        name: _placed(memory[column], places, shape) for name, column in CONTENTS.items()
        if column in memory.columns and memory[column].any()
    }  # fmt: skip


def _values(frame: pd.DataFrame, key: str) -> list[str | int]:
    if key in AMOUNTS:
        return sorted(int(value) for value in frame[key].unique())
    found = list(dict.fromkeys(frame[key].astype(str)))
    return [phase for phase in PHASES if phase in found] if key == "phase" else [*found]


def _places(frame: pd.DataFrame, axes: Mapping[str, Sequence[str | int]], keys: Sequence[str]) -> NDArray[np.int64]:
    """Return the place of each row in an array of some axes, counted through."""
    numbers = []
    for key in keys:
        number = {value: i for i, value in enumerate(axes[key])}
        column = frame[key].astype(int if key in AMOUNTS else str)
        numbers.append(np.array([number[value] for value in column.tolist()], dtype=np.int64))
    return np.asarray(np.ravel_multi_index(tuple(numbers), tuple(len(axes[key]) for key in keys)), dtype=np.int64)


def _placed(column: "pd.Series[float]", places: NDArray[np.int64], shape: tuple[int, ...]) -> Values:
    values = np.full(shape, np.nan)
    values.flat[places] = column.to_numpy(dtype=np.float64)
    return values


def _grouped(
    rows: pd.DataFrame, column: str, axes: Mapping[str, Sequence[str | int]], shape: tuple[int, ...]
) -> dict[str, Values]:
    """Return sums of a column by group of components, without groups that have nothing anywhere."""
    places, size = _places(rows, axes, KEYS), int(np.prod(shape))
    group = np.array([_GROUP_OF.get(name, OTHERS) for name in rows["component"].astype(str).tolist()])
    values = rows[column].to_numpy(dtype=np.float64)
    sums: dict[str, Values] = {}
    for name in GROUPS:
        own = group == name
        sums[name] = np.bincount(places[own], values[own], size).astype(np.float64).reshape(shape)
    return {name: table for name, table in sums.items() if table.any()}
