"""Quoted prices as a plain table: a CSV file that is a technology."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices
from bitjoule.energy_models.inputs.facts import positive
from bitjoule.energy_models.prices.measured import MeasuredOperation, MeasuredTechnology

REQUIRED = ("operation", "format", "energy_pj")
OTHERS = {"low": "energy_low_pj", "high": "energy_high_pj", "source": "source", "where": "where", "node_nm": "node_nm"}
OPERATIONS = ("add", "mul")
NODE = re.compile(r"(\d+(?:\.\d+)?)nm")


def read_quoted(path: Path) -> MeasuredTechnology:
    """Read a table of prices: a row for each operation and format.

    Parameters
    ----------
    path
        A CSV file with the columns ``operation`` (``add`` or ``mul``), ``format`` and ``energy_pj``, and optionally
        ``low`` and ``high`` in pJ (or ``energy_low_pj``, ``energy_high_pj``), ``source``, ``where`` and ``node_nm``.
        Without the last, the node is that of the file's name, such as ``my5nm.csv``.

    Raises
    ------
    InputError
        With the line of the first thing wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem(str(path), 1, "file", str(error), "a CSV file in UTF-8")]) from None
    reader = csv.reader(text.splitlines())
    names = [name.strip() for name in next(reader, [])]
    lacking = [name for name in REQUIRED if name not in names]
    columns = [*REQUIRED, *OTHERS, *OTHERS.values()]
    if lacking:
        wrong = f"no column {', '.join(lacking)} in {brief(','.join(names))}"
        raise InputError([Problem(str(path), 1, "header", wrong, "operation,format,energy_pj,low,high,source")])
    for name in names:
        if name not in columns or names.count(name) > 1:
            wrong = f"{'duplicate' if names.count(name) > 1 else 'unknown'} column {brief(name)}"
            raise InputError([Problem(str(path), 1, "header", wrong, f"{choices([*dict.fromkeys(columns)])}")])
    operations: dict[tuple[str, str], MeasuredOperation] = {}
    nodes: list[float] = []
    for cells in reader:
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise InputError([Problem(str(path), line, "row", f"{len(cells)} cells", f"{len(names)} cells")])
        row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
        operation = _operation(path, line, row)
        key = (operation.operation, operation.format)
        if key in operations:
            raise InputError([Problem(str(path), line, "operation", f"duplicate {' '.join(key)}", "one row")])
        operations[key] = operation
        if row.get("node_nm"):
            nodes.append(positive(path, line, row, "node_nm"))
            if nodes[-1] != nodes[0]:
                raise InputError(
                    [Problem(str(path), line, "node_nm", f"got {nodes[-1]:g}", f"{nodes[0]:g} in each row")]
                )
    if not operations:
        raise InputError([Problem(str(path), 1, "rows", "no prices", "a row for each operation and format")])
    named = NODE.search(path.stem)
    if not nodes and named is None:
        wrong = "the file's name says no node"
        raise InputError([Problem(str(path), 1, "node_nm", wrong, "a column node_nm, or a name such as my5nm.csv")])
    node_nm = nodes[0] if nodes else float(named[1]) if named else 0.0
    return MeasuredTechnology(
        description=f"Quoted prices of {path.name}", node_nm=node_nm, zero_share=0.0, zero_share_source="not used",
        operations=[*operations.values()],
    )  # fmt: skip


def _operation(path: Path, line: int, row: Mapping[str, str]) -> MeasuredOperation:
    if row["operation"] not in OPERATIONS:
        wrong = f"got {brief(row['operation'])}"
        raise InputError([Problem(str(path), line, "operation", wrong, f"{choices(OPERATIONS)}")])
    if row["format"] not in formats():
        wrong = f"unknown format {brief(row['format'])}"
        raise InputError([Problem(str(path), line, "format", wrong, f"{choices([*formats()])}")])
    ends = {"nominal": positive(path, line, row, "energy_pj")}
    for end, written in (("low", "energy_low_pj"), ("high", "energy_high_pj")):
        column = next((name for name in (end, written) if row.get(name)), None)
        ends[end] = positive(path, line, row, column) if column else ends["nominal"]
    if not ends["low"] <= ends["nominal"] <= ends["high"]:
        raise InputError([Problem(str(path), line, "energy_pj", "outside low..high", "low <= energy_pj <= high")])
    try:
        return MeasuredOperation.model_validate(
            {
                "operation": row["operation"], "format": row["format"], "energy_pj": ends,
                "source": row.get("source") or path.name, "where": row.get("where") or f"line {line}",
            }
        )  # fmt: skip
    except ValidationError as error:
        wrong = error.errors()[0]["msg"]
        raise InputError([Problem(str(path), line, "energy_pj", wrong, "a price within reason")]) from None
