"""Markdown tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tabulate import tabulate

from bitjoule.energy_models.inputs.wording import MOST_ALIKE, Alike

MAX_ROWS = 200  # of a table of summary.md: the CSV files hold all


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[int]) -> str:
    """Return a Markdown table.

    Parameters
    ----------
    headers, rows
        Its cells, as text.
    text
        Columns that are aligned left.
    """
    align = ["left" if i in text else "right" for i in range(len(headers))]
    return tabulate(rows, headers, tablefmt="pipe", disable_numparse=True, colalign=align if rows else None)


def side_by_side(summary: pd.DataFrame, models: int, schemes: int) -> NDArray[np.intp]:
    """Return the rows of a summary, those that differ in their scheme alone in one line.

    Parameters
    ----------
    summary
        Or a part of it that holds the same phases of every case.
    models, schemes
        Number of models and of schemes in it.

    Returns
    -------
    NDArray
        Row numbers, shape (lines of a table, schemes).
    """
    # cases run over models, schemes, then the rest
    return np.arange(len(summary)).reshape(models, schemes, -1).transpose(0, 2, 1).reshape(-1, schemes)


def cut(rows: int, max_rows: int, file: str) -> str:
    """Return a remark on rows that a table leaves out, or nothing.

    Parameters
    ----------
    rows, max_rows
        Number of rows, and of those shown.
    file
        Name of the file with all rows.
    """
    return f"\n\nThe first {max_rows} of {rows} rows; all are in {file}." if rows > max_rows else ""


def with_warnings(text: str, warnings: Sequence[str]) -> str:
    """Return a summary with a section that lists warnings, before its other sections.

    Parameters
    ----------
    text
        The summary, in Markdown.
    warnings
        One line each, of which the first of each wording are listed; without any, the summary stays as it is.
    """
    if not warnings:
        return text
    alike = Alike()
    listed = [warning for warning in warnings if len(alike.add(warning)) <= MOST_ALIKE]
    for group in alike.groups:
        if len(group) > MOST_ALIKE:
            at = listed.index(group[MOST_ALIKE - 1]) + 1
            listed.insert(at, f"{len(group) - MOST_ALIKE} more like the last; all are in manifest.json")
    section = "\n".join(["## Warnings", "", *(f"- {warning}" for warning in listed)])
    head, heading, rest = text.partition("\n\n## ")
    return f"{head}\n\n{section}{heading}{rest}" if heading else f"{text.rstrip()}\n\n{section}\n"


def differing(table: pd.DataFrame, keys: Sequence[str], always: Sequence[str] = ()) -> list[str]:
    """Return the columns that tell the rows of a table apart, and those that are shown in any case.

    Parameters
    ----------
    table
        At least one row.
    keys
        Its columns that may be shown, in their order.
    always
        Those of them that are, with one value too.
    """
    return [key for key in keys if key in always or (table[key] != table[key].iloc[0]).any()]
