"""SQL on the tables of results, with DuckDB: each table is a view, read where it lies.

Only files of the results are read, and none is written: DuckDB's access to other files and to the network is closed
before the query runs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bitjoule.energy_models.inputs.errors import InputError, Problem, choices, suggestion, whole_file
from bitjoule.experiments.output.formats import needs
from bitjoule.experiments.output.parquet import SUFFIX

if TYPE_CHECKING:
    import duckdb

COMMAND = "bitjoule query"
_CSV = ".csv"
# Without dates, which no table has: a column that begins with inf would be one, or text where numbers follow.
_TYPES = "auto_type_candidates = ['BOOLEAN', 'BIGINT', 'HUGEINT', 'DOUBLE', 'VARCHAR']"


def tables_of(folder: Path) -> dict[str, Path]:
    """Return the tables of a result, by name.

    Parameters
    ----------
    folder
        An output directory, or one that holds several.

    Returns
    -------
    dict
        Files of CSV and folders of Parquet parts. With several results a table's name is that of the result and its
        own: ``batch_sweep.summary``.

    Raises
    ------
    InputError
        There is no table.
    """
    if not folder.is_dir():
        raise whole_file(str(folder), "is not a directory", "an output directory of `bitjoule run`")
    own = _tables_in(folder)
    for result in sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."):
        if result.suffix != SUFFIX:
            own |= {f"{result.name}.{name}": path for name, path in _tables_in(result).items()}
    if not own:
        expected = "an output directory of `bitjoule run`, with results as CSV or Parquet"
        raise whole_file(str(folder), "contains no table", expected)
    return own


def _tables_in(folder: Path) -> dict[str, Path]:
    paths = sorted(path for path in folder.iterdir() if path.suffix in (_CSV, SUFFIX) and path.name[0] != ".")
    return {path.stem: path for path in paths}


def query(folder: Path, sql: str) -> pd.DataFrame:
    """Return the result of a query.

    Parameters
    ----------
    folder
        As for `tables_of`.
    sql
        One SELECT; see https://duckdb.org/docs/stable/sql/introduction.

    Raises
    ------
    InputError
        DuckDB is not installed, or the query is wrong.
    """
    tables = tables_of(folder)
    needs("query", COMMAND)
    import duckdb

    with duckdb.connect(":memory:") as connection:
        try:
            _open(connection, tables)
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                kinds = ", ".join(statement.type.name for statement in statements)
                raise InputError([Problem("SQL", 1, "query", f"got {kinds or 'nothing'}", "one SELECT")])
            rows: pd.DataFrame = connection.sql(sql).df()
        except duckdb.Error as error:
            raise InputError([_problem(str(error), tables)]) from None
    return rows


def _open(connection: "duckdb.DuckDBPyConnection", tables: dict[str, Path]) -> None:
    """Make a view of each table, and close the access to everything else."""
    directories = sorted({str(path.absolute().parent) for path in tables.values()})
    connection.execute("SET threads = 1")  # the order of rows, and of sums, is the same everywhere
    connection.execute(f"SET allowed_directories = [{', '.join(map(_text, directories))}]")
    connection.execute("SET enable_external_access = false")
    for name, path in tables.items():
        absolute = path.absolute()
        if path.suffix == SUFFIX:
            source = f"read_parquet({_text(str(absolute / '*'))}, union_by_name = true)"
        else:
            source = f"read_csv({_text(str(absolute))}, header = true, sample_size = -1, {_TYPES})"
        connection.execute(f"CREATE VIEW {_identifier(name)} AS SELECT * FROM {source}")  # noqa: S608 (quoted)
    connection.execute("SET lock_configuration = true")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _problem(message: str, tables: dict[str, Path]) -> Problem:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    names: Sequence[str] = list(tables)
    missing = next((line for line in lines if "does not exist" in line and "Table" in line), "")
    word = missing.partition("Table with name ")[2].partition(" ")[0]
    hint = suggestion(word, names) if word else ""
    return Problem("SQL", 1, "query", f"{lines[0]}{hint}", f"SELECT ... FROM {choices(names, len(names))}")  # noqa: S608 (a message)
