"""Markdown tables."""

from collections.abc import Sequence

from tabulate import tabulate


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


def cut(rows: int, max_rows: int, file: str) -> str:
    """Return a remark on rows that a table leaves out, or nothing.

    Parameters
    ----------
    rows, max_rows
        How many there are, and are shown.
    file
        Which holds all.
    """
    return f"\n\nThe first {max_rows} of {rows} rows; all are in {file}." if rows > max_rows else ""
