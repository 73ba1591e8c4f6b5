"""Tables as CSV: raw numbers, the same bytes for the same table everywhere.

A float64 is written with the fewest digits that read back as the same value. Writing is most of the time of a large
sweep; pandas' own writer takes two to three times as long (benchmarks/sweep.py prints the ratio).
"""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BLOCK_ROWS = 50_000


def write_csv(frames: Iterable[pd.DataFrame], path: Path) -> None:
    """Write a table.

    Parameters
    ----------
    frames
        The table, in one piece or in several with the same columns; missing values become empty cells.
    path
        The file.
    """
    pieces = iter(frames)
    first = next(pieces)
    with path.open("w", newline="", encoding="utf-8") as handle:
        handle.write(csv_header(first))
        handle.writelines(map(format_rows, row_blocks(chain([first], pieces))))


def with_digits(table: pd.DataFrame, digits: int, columns: Iterable[str]) -> pd.DataFrame:
    """Return a table whose columns have as many significant digits as any processor gives.

    Logarithms, solved equations and products of BLAS differ between processors in their last digits.

    Parameters
    ----------
    table
        The table.
    digits
        Significant digits.
    columns
        Of float64; others stay.
    """
    rounded = {column: [float(f"{value:.{digits}g}") for value in table[column]] for column in columns}
    return table.assign(**rounded)


def csv_header(frame: pd.DataFrame) -> str:
    """Return the first line of a table.

    Parameters
    ----------
    frame
        The table.
    """
    buffer = StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(frame.columns)
    return buffer.getvalue()


def row_blocks(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield a table in blocks of at most `BLOCK_ROWS` rows: bounds the memory of the text.

    Parameters
    ----------
    frames
        Its pieces.
    """
    for frame in frames:
        for start in range(0, len(frame), BLOCK_ROWS):
            yield frame.iloc[start : start + BLOCK_ROWS]


def format_rows(frame: pd.DataFrame) -> str:
    """Return a table's rows as CSV, without the header.

    Parameters
    ----------
    frame
        The table.
    """
    # The leading columns, those of the case, are equal in all its rows: they are formatted once per case.
    begins = np.zeros(len(frame), dtype=bool)
    begins[:1] = True
    leading = 0
    for name in frame.columns[:-1]:
        with_this = begins | _changes(frame[name])
        if with_this.mean() > 0.5:
            break
        begins, leading = with_this, leading + 1
    if leading == 0:
        return "".join(f"{line}\n" for line in _lines(frame))
    heads = _lines(frame.iloc[np.flatnonzero(begins), :leading])
    tails = _lines(frame.iloc[:, leading:])
    case = (np.cumsum(begins) - 1).tolist()
    return "".join([f"{heads[i]},{tail}\n" for i, tail in zip(case, tails, strict=True)])


def _lines(frame: pd.DataFrame) -> list[str]:
    """Return each row as a line without its end."""
    columns: list[list[str]] = []
    for i, name in enumerate(frame.columns):
        column = frame[name]
        # low, nominal and high are one column of numbers wherever no sources disagree: format it once
        twin = i > 0 and column.dtype.kind == "f" and column.equals(frame[frame.columns[i - 1]])
        columns.append(columns[-1] if twin else _cells(column))
    return [",".join(cells) for cells in zip(*columns, strict=True)]


def _changes(column: "pd.Series[Any]") -> NDArray[np.bool_]:
    """Return where a value differs from the one above it."""
    values = column.cat.codes.to_numpy() if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy()
    changes = np.zeros(len(values), dtype=bool)
    changes[1:] = values[1:] != values[:-1]
    return changes


def _cells(column: "pd.Series[Any]") -> list[str]:
    """Return the text of each value of a column."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        names = [*map(_quoted, column.cat.categories.tolist()), ""]  # a missing value's code is -1
        return [names[code] for code in column.cat.codes.tolist()]
    values = column.to_numpy()
    if column.name == "count":
        return [str(int(value)) for value in values.tolist()]
    if values.dtype.kind == "f":
        return ["" if cell != cell else repr(cell) for cell in values.tolist()]
    return list(map(str if values.dtype.kind in "iub" else _quoted, values.tolist()))


def _quoted(value: object) -> str:
    """Return a value as a cell, in quotes where it needs them."""
    buffer = StringIO()
    # A lone empty cell would be quoted; of line ends, the writer quotes only those in its own terminator.
    csv.writer(buffer, lineterminator="\r\n").writerow([value, ""])
    return buffer.getvalue()[:-3]
