"""Tables as one XLSX workbook, a sheet each; the same bytes for the same tables."""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bitjoule.energy_models.inputs.errors import InputError, Problem

FILE = "tables.xlsx"
PROPERTIES = "docProps/core.xml"  # of the workbook
MAX_ROWS = 1 << 20  # of a sheet, its header included: Excel's own limit
MOMENT = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP archive can hold: the bytes must not depend on when they are made


def check_rows(name: str, rows: int) -> None:
    """Check that a table fits a sheet.

    Parameters
    ----------
    name, rows
        Of the table.

    Raises
    ------
    InputError
        It does not.
    """
    if rows >= MAX_ROWS:
        wrong = f"the table {name} has more rows ({rows}) than a sheet of a workbook holds ({MAX_ROWS - 1})"
        raise InputError([Problem("--results", 1, "xlsx", wrong, "parquet or csv")])


def write_workbook(tables: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write a workbook.

    Parameters
    ----------
    tables
        By name; missing values become empty cells.
    path
        The file.

    Raises
    ------
    InputError
        A table has more rows than a sheet holds.
    """
    from openpyxl import Workbook

    for name, table in tables.items():
        check_rows(name, len(table))
    book = Workbook(write_only=True)
    for name, table in tables.items():
        sheet = book.create_sheet(name)
        sheet.append([str(column) for column in table.columns])
        for row in zip(*(_cells(table[column]) for column in table.columns), strict=True):
            sheet.append([_text(sheet, value) if isinstance(value, str) else value for value in row])
    buffer = io.BytesIO()
    book.save(buffer)
    with zipfile.ZipFile(buffer) as saved, zipfile.ZipFile(path, "w") as target:
        for item in saved.namelist():
            content = saved.read(item)
            if item == PROPERTIES:  # openpyxl writes when it was saved
                content = re.sub(rb"[0-9-]{10}T[0-9:]{8}Z", b"1980-01-01T00:00:00Z", content)
            target.writestr(zipfile.ZipInfo(item, MOMENT), content, zipfile.ZIP_DEFLATED)


def _text(sheet: Any, value: str) -> Any:
    """Return a text as a cell that is no formula, however it begins."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"
    return cell


def _cells(column: "pd.Series[Any]") -> list[Any]:
    """Return the values of a column; missing ones are none."""
    values = column.astype(object).where(column.notna(), None).tolist()
    return [value.item() if isinstance(value, np.generic) else value for value in values]
