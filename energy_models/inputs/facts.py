"""CSV files of facts: one per row, with its unit in the column's name and its source in a further column."""

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, csv_errors, out_of_order


class Price(NamedTuple):
    """Energy of one operation or access in pJ: the value that we use, and the bounds that its sources give."""

    low_pj: float
    nominal_pj: float
    high_pj: float


def read_facts(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield each row of a fact file with its line.

    Parameters
    ----------
    path
        The CSV file.
    columns
        Its columns, exactly.

    Raises
    ------
    InputError
        The header differs, or a row has the wrong number of cells.
    """
    with path.open(newline="", encoding="utf-8") as handle:
        rows = csv.reader(handle)
        with csv_errors(str(path), rows):
            header = tuple(next(rows, ()))
            lines = [(rows.line_num, cells) for cells in rows]
    if header != columns:
        raise InputError([Problem(str(path), 1, "header", f"got {','.join(header)}", ",".join(columns))])
    for line, cells in lines:
        if len(cells) != len(columns):
            raise InputError([Problem(str(path), line, "row", f"{len(cells)} cells", f"{len(columns)} cells")])
        yield line, dict(zip(columns, cells, strict=True))


def price(path: Path, line: int, row: Mapping[str, str]) -> Price:
    """Return the price in a row's three energy columns.

    Parameters
    ----------
    path, line
        Position of the row.
    row
        With ``energy_pj``, ``energy_low_pj`` and ``energy_high_pj``.

    Raises
    ------
    InputError
        A value is not a positive number, or low, nominal and high are not in order.
    """
    values = Price(*(positive(path, line, row, f"energy_{end}pj") for end in ("low_", "", "high_")))
    if not values.low_pj <= values.nominal_pj <= values.high_pj:
        wrong = out_of_order(values.low_pj, values.nominal_pj, values.high_pj)
        raise InputError([Problem(str(path), line, "energy_pj", wrong, "low <= energy_pj <= high")])
    return values


def positive(path: Path, line: int, row: Mapping[str, str], column: str) -> float:
    """Return a cell as a positive number.

    Parameters
    ----------
    path, line
        Position of the row.
    row, column
        The row and the cell's column.

    Raises
    ------
    InputError
        It is not a positive finite number.
    """
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise InputError([Problem(str(path), line, column, f"got {brief(row[column])}", "a positive number")])
    return value
