"""Ours beside the papers' printed numbers."""

from collections.abc import Sequence

import pandas as pd

from bitjoule.energy_models.arithmetic import Phase
from bitjoule.energy_models.published import PrintedNumber
from bitjoule.experiments.result import PJ_PER_J

COMPARISON_COLUMNS = (
    "model", "scheme", "technology", "prompt_tokens", "action", "quantity", "printed", "ours", "relative_error",
    "agrees", "source", "where", "note",
)  # fmt: skip
CASE_KEYS = ["model", "scheme", "technology", "prompt_tokens"]


def compare(printed: Sequence[PrintedNumber], results: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Set our numbers beside printed ones.

    Parameters
    ----------
    printed
        The papers' cells.
    results, summary
        Of the run; see `bitjoule.experiments.result`.

    Returns
    -------
    DataFrame
        A row for each printed number whose case was run, for one sequence and its prompt; columns
        `COMPARISON_COLUMNS`. ``agrees`` tells whether ours, rounded to the printed digits, is the printed number;
        ``relative_error`` is ours over printed, less one.
    """
    if not printed:
        return pd.DataFrame(columns=list(COMPARISON_COLUMNS))
    keys = [*CASE_KEYS, "action"]
    wanted = {row.model for row in printed}
    parts = _one_prompt(results, wanted).groupby(keys, observed=True)["energy_pj"].sum()
    totals = _one_prompt(summary, wanted).set_index(CASE_KEYS)
    rows = []
    for cell in printed:
        case = (cell.model, cell.scheme, cell.technology, cell.prompt_tokens)
        if case not in totals.index:
            continue
        total = totals.loc[[case]].iloc[0]
        # an energy by action is a sum over the long table; everything else is a column of the summary
        ours = float(parts.get((*case, cell.action), 0.0)) / PJ_PER_J if cell.action else float(total[cell.quantity])
        rows.append({
            **vars(cell),
            "ours": ours,
            "relative_error": ours / float(cell.printed) - 1,
            "agrees": cell.agrees(ours),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def _one_prompt(frame: pd.DataFrame, models: set[str]) -> pd.DataFrame:
    rows = (frame["phase"] == Phase.PREFILL) & (frame["batch"] == 1) & frame["model"].isin(list(models))
    rows &= frame["new_tokens"] == frame["new_tokens"].min()
    frame = frame[rows]
    return frame.astype(dict.fromkeys(("model", "scheme", "technology"), str))
