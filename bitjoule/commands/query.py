"""``bitjoule query``."""

import argparse
from collections.abc import Sequence

from bitjoule.commands.options import folder
from bitjoule.commands.status import OK


def add_query(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``query``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    query = commands.add_parser(
        "query", help="run SQL on the tables of results",
        description="Run SQL on the tables of results, CSV or Parquet, with DuckDB, and print the rows. A table is "
        "named after its file: results, summary, components, ... Of a directory with several results, "
        "'\"batch_sweep.summary\"' is a table. Needs pip install 'bitjoule[explore]'.",
    )  # fmt: skip
    query.add_argument("directory", type=folder, metavar="RESULTS", help="output directory of a run, or its parent")
    query.add_argument("sql", metavar="SQL", help="one SELECT; omit it to list the tables", nargs="?")
    query.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    query.set_defaults(command=_query)


def _query(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.experiments.output.query import query, tables_of

    if options.sql is None:
        print("\n".join(tables_of(options.directory)))
        return OK
    rows = query(options.directory, options.sql)
    if options.csv:
        from bitjoule.experiments.output.tables import csv_header, format_rows

        print(csv_header(rows) + format_rows(rows), end="")
    else:
        from bitjoule.commands.terminal import print_table

        print_table(list(rows.columns), rows.to_numpy().tolist())
    return OK
