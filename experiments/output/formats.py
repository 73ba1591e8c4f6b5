"""The formats of result tables: which there are, which one a run takes, and what each needs."""

import importlib.util
from typing import Literal, get_args

from bitjoule.energy_models.inputs.errors import InputError, Problem

Format = Literal["csv", "parquet", "xlsx"]
FORMATS: tuple[Format, ...] = get_args(Format)
PARQUET_FROM_CASES = 10_000  # a run of whole requests has half a gigabyte of CSV from here on
OPTION, EXTRA = "--results", "explore"
PACKAGES = {"parquet": "pyarrow", "xlsx": "openpyxl", "query": "duckdb", "cluster": "distributed"}


def chosen_format(requested: Format | None, cases: int) -> Format:
    """Return the format of a run's tables.

    Parameters
    ----------
    requested
        What the user asks for; none: CSV, and Parquet from `PARQUET_FROM_CASES` cases on if pyarrow is installed.
    cases
        Of the run.

    Raises
    ------
    InputError
        The package that writes it is not installed.
    """
    if requested is None:
        return "parquet" if cases >= PARQUET_FROM_CASES and installed("parquet") else "csv"
    needs(requested, OPTION)
    return requested


def installed(format_name: str) -> bool:
    """Return whether the package of a format is installed.

    Parameters
    ----------
    format_name
        A format, ``query`` or ``cluster``.
    """
    package = PACKAGES.get(format_name)
    return package is None or importlib.util.find_spec(package) is not None


def needs(format_name: str, option: str) -> None:
    """Check that the package of a format is installed.

    Parameters
    ----------
    format_name
        A format, ``query`` or ``cluster``.
    option
        The option or command that needs it, for the message.

    Raises
    ------
    InputError
        It is not.
    """
    extra = "cluster" if format_name == "cluster" else EXTRA
    if not installed(format_name):
        wrong = f"needs the package {PACKAGES[format_name]}, which is not installed"
        raise InputError([Problem(option, 1, format_name, wrong, f"pip install 'bitjoule[{extra}]'")])
