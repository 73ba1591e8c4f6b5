"""Quoted prices as a plain table: a CSV file that is a technology."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.inputs.errors import (
    InputError,
    Problem,
    brief,
    choices,
    csv_errors,
    out_of_order,
    reason,
    rule_of,
)
from bitjoule.energy_models.inputs.facts import positive
from bitjoule.energy_models.inputs.validation import Strict
from bitjoule.energy_models.prices.measured import MeasuredOperation, MeasuredTechnology, QuotedMemory

REQUIRED = ("operation", "format", "energy_pj")
OTHERS = {"low": "energy_low_pj", "high": "energy_high_pj", "source": "source", "where": "where", "node_nm": "node_nm"}
SIZES = ("capacity_bytes", "access_bits")  # of memories
OPERATIONS = ("add", "mul")
MEMORIES = ("sram", "dram")
NODE = re.compile(r"(\d+(?:\.\d+)?)nm")
Row = TypeVar("Row", bound=Strict)


def read_quoted(path: Path) -> MeasuredTechnology:
    """Read a table of prices: a row for each operation and format, and for each memory.

    Parameters
    ----------
    path
        A CSV file with the columns ``operation`` (``add``, ``mul``, ``sram`` or ``dram``), ``format`` and
        ``energy_pj``, and optionally ``low`` and ``high`` in pJ (or ``energy_low_pj``, ``energy_high_pj``),
        ``source``, ``where`` and ``node_nm``. Without the last, the node is that of the file's name, such as
        ``my5nm.csv``. The energy of a memory is that of an access of ``access_bits`` (by default one bit); the row of
        an SRAM may have ``capacity_bytes``, the size of the bank; the format of a DRAM is the memory's name, as in
        ``off_chip.memory`` of platforms, or empty.

    Raises
    ------
    InputError
        With the line of everything that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem(str(path), 1, "file", reason(error), "a CSV file in UTF-8")]) from None
    reader = csv.reader(text.splitlines())
    found = _Found(path)
    problems: list[Problem] = []
    with csv_errors(str(path), reader):
        names = [name.strip() for name in next(reader, [])]
        _check_header(path, names)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                try:
                    found.add(reader.line_num, names, [cell.strip() for cell in cells])
                except InputError as error:
                    problems += error.problems
    named = NODE.search(path.stem)
    if not found.operations and not problems:
        problems.append(Problem(str(path), 1, "rows", "no prices", "a row for each operation and format"))
    if not found.nodes and named is None and all(problem.key != "node_nm" for problem in problems):
        wrong = "the file's name says no node"
        problems.insert(0, Problem(str(path), 1, "node_nm", wrong, "a column node_nm, or a name such as my5nm.csv"))
    if problems:
        raise InputError(problems)
    node_nm = found.nodes[0] if found.nodes else float(named[1]) if named else 0.0
    data = {
        "description": f"Quoted prices of {path.name}", "node_nm": node_nm, "zero_share": 0.0,
        "zero_share_source": "not used", "operations": [*found.operations.values()],
        "memories": [*found.memories.values()] or None,
    }  # fmt: skip
    return _checked(MeasuredTechnology, path, 1, data, "rows")


@dataclass
class _Found:
    """What a table holds, row by row."""

    path: Path
    operations: dict[tuple[str, str], MeasuredOperation] = field(default_factory=dict)
    memories: dict[str, QuotedMemory] = field(default_factory=dict)
    nodes: list[float] = field(default_factory=list)

    def add(self, line: int, names: list[str], cells: list[str]) -> None:
        if len(cells) != len(names):
            raise InputError([Problem(str(self.path), line, "row", f"{len(cells)} cells", f"{len(names)} cells")])
        row = dict(zip(names, cells, strict=True))
        if row["operation"] in MEMORIES:
            memory = _memory(self.path, line, row)
            name, repeated = memory.name, memory.name in self.memories
            self.memories[name] = memory
        else:
            operation = _operation(self.path, line, row)
            key = (operation.operation, operation.format)
            name, repeated = " ".join(key), key in self.operations
            self.operations[key] = operation
        if repeated:
            raise InputError([Problem(str(self.path), line, "operation", f"duplicate {name}", "one row")])
        if row.get("node_nm"):
            self.nodes.append(positive(self.path, line, row, "node_nm"))
            if self.nodes[-1] != self.nodes[0]:
                wrong, expected = f"got {self.nodes[-1]:g}", f"{self.nodes[0]:g} in each row"
                raise InputError([Problem(str(self.path), line, "node_nm", wrong, expected)])


def _check_header(path: Path, names: list[str]) -> None:
    lacking = [name for name in REQUIRED if name not in names]
    columns = [*REQUIRED, *OTHERS, *OTHERS.values(), *SIZES]
    if lacking:
        wrong = f"no column {', '.join(lacking)} in {brief(','.join(names))}"
        raise InputError([Problem(str(path), 1, "header", wrong, "operation,format,energy_pj,low,high,source")])
    for name in names:
        if name not in columns or names.count(name) > 1:
            wrong = f"{'duplicate' if names.count(name) > 1 else 'unknown'} column {brief(name)}"
            raise InputError([Problem(str(path), 1, "header", wrong, f"{choices([*dict.fromkeys(columns)])}")])


def _operation(path: Path, line: int, row: Mapping[str, str]) -> MeasuredOperation:
    if row["operation"] not in OPERATIONS:
        wrong = f"got {brief(row['operation'])}"
        raise InputError([Problem(str(path), line, "operation", wrong, f"{choices([*OPERATIONS, *MEMORIES])}")])
    if row["format"] not in formats():
        wrong = f"unknown format {brief(row['format'])}"
        raise InputError([Problem(str(path), line, "format", wrong, f"{choices([*formats()])}")])
    for column in SIZES:
        if row.get(column):
            wrong = f"{column} of {row['operation']}"
            raise InputError([Problem(str(path), line, column, wrong, f"only of {choices(MEMORIES)}")])
    data = {"operation": row["operation"], "format": row["format"], **_price(path, line, row)}
    return _checked(MeasuredOperation, path, line, data, "energy_pj")


def _memory(path: Path, line: int, row: Mapping[str, str]) -> QuotedMemory:
    if row["operation"] == "sram" and row["format"]:
        wrong = f"format {brief(row['format'])} of sram"
        raise InputError([Problem(str(path), line, "format", wrong, "an empty cell; the size is capacity_bytes")])
    data: dict[str, object] = {"kind": row["operation"], "memory": row["format"] or None, **_price(path, line, row)}
    for column in SIZES:
        if row.get(column):
            value = positive(path, line, row, column)
            if value != int(value):
                raise InputError([Problem(str(path), line, column, f"got {brief(row[column])}", "a whole number")])
            data[column] = int(value)
    return _checked(QuotedMemory, path, line, data, "energy_pj")


def _price(path: Path, line: int, row: Mapping[str, str]) -> dict[str, object]:
    """Return the price of a row, with its source and place."""
    ends = {"nominal": positive(path, line, row, "energy_pj")}
    for end, written in (("low", "energy_low_pj"), ("high", "energy_high_pj")):
        column = next((name for name in (end, written) if row.get(name)), None)
        ends[end] = positive(path, line, row, column) if column else ends["nominal"]
    if not ends["low"] <= ends["nominal"] <= ends["high"]:
        wrong = out_of_order(ends["low"], ends["nominal"], ends["high"])
        raise InputError([Problem(str(path), line, "energy_pj", wrong, "low <= energy_pj <= high")])
    return {"energy_pj": ends, "source": row.get("source") or path.name, "where": row.get("where") or f"line {line}"}


def _checked(schema: type[Row], path: Path, line: int, data: Mapping[str, object], key: str) -> Row:
    """Return a row as an instance of its schema, or raise what is wrong with it."""
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        context = first.get("ctx", {})
        if "wrong" not in context:
            column = key if first["loc"][0] not in {*REQUIRED, *OTHERS, *SIZES} else str(first["loc"][0])
            wrong = f"got {brief(first['input'])}"
            raise InputError([Problem(str(path), line, column, wrong, rule_of(first["msg"]))]) from None
        column = {"memory": "format", "memories": "rows"}.get(context["at"][0], str(context["at"][0]))
        raise InputError([Problem(str(path), line, column, context["wrong"], context["expected"])]) from None
