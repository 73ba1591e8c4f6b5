"""What a run yields: the long table of energies and one summary row a case and phase."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.arithmetic import COMPONENTS, OPERANDS, OPERATIONS, Phase
from bitjoule.energy_models.schemes import FORMATS
from bitjoule.experiments.reader import Resolved

PJ_PER_J = 1e12
REQUEST = "request"  # the sum of both phases
PHASES = (*Phase, REQUEST)

CASE_COLUMNS = (
    "experiment", "model", "parameters", "scheme", "technology", "platform", "phase", "batch", "prompt_tokens",
    "new_tokens",
)  # fmt: skip
ACTION_COLUMNS = ("component", "operand", "action", "format")
ENERGY_COLUMNS = ("energy_pj", "energy_low_pj", "energy_high_pj")
RESULT_COLUMNS = (*CASE_COLUMNS, *ACTION_COLUMNS, "count", *ENERGY_COLUMNS)
SUMMARY_COLUMNS = (
    *CASE_COLUMNS, "energy_j", "energy_low_j", "energy_high_j", "energy_per_token_j", "latency_s", "tokens_per_s",
    "memory_bytes", "ratio_to_baseline",
)  # fmt: skip

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "phase": PHASES,
    "component": COMPONENTS,
    "operand": OPERANDS,
    "action": OPERATIONS,
    "format": FORMATS,
}


@dataclass(frozen=True)
class Result:
    """The outcome of one experiment.

    Parameters
    ----------
    resolved
        What was run.
    results
        The long table: a row for each case, component and action; columns `RESULT_COLUMNS`.
    summary
        A row for each case and phase; columns `SUMMARY_COLUMNS`. A case with both phases has a third row, ``request``,
        their sum. Columns that the accounting does not know are empty.
    comparison
        Ours beside the printed numbers; empty without them. See `bitjoule.experiments.comparison`.
    """

    resolved: Resolved
    results: pd.DataFrame
    summary: pd.DataFrame
    comparison: pd.DataFrame


def categorical(codes: "NDArray[np.integer[Any]]", names: Sequence[str]) -> pd.Categorical:
    """Return a text column from indices into its few values.

    Parameters
    ----------
    codes
        Indices, shape (rows,).
    names
        The values.
    """
    small = codes.astype(np.int8) if len(names) < 127 else codes.astype(np.int32)
    return pd.Categorical.from_codes(small, dtype=_dtype(tuple(names)), validate=False)


@lru_cache(maxsize=64)
def _dtype(names: tuple[str, ...]) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(pd.Index(names, dtype=object))
