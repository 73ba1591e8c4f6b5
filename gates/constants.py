"""Numbers of the gate level that are measured or assumed, not computed: `data/constants.csv`, with unit and source."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from bitjoule.energy_models.inputs.facts import positive, read_facts

DATA = Path(__file__).parent / "data"
CONSTANTS_FILE = DATA / "constants.csv"
COLUMNS = ("quantity", "value", "unit", "source", "where", "note")
LIBRARIES_FILE = DATA / "libraries.csv"
LIBRARY_COLUMNS = ("library", "node_nm", "source", "where", "note")


def constant(quantity: str) -> float:
    """Return a number that stands in one row of constants.csv.

    Parameters
    ----------
    quantity
        Its name.

    Raises
    ------
    InputError
        A row is wrong.
    """
    (value,) = _numbers(CONSTANTS_FILE)[quantity]
    return value


def constants(quantity: str) -> tuple[float, ...]:
    """Return the numbers of a quantity that has several rows, in their order.

    Parameters
    ----------
    quantity
        Its name.

    Raises
    ------
    InputError
        A row is wrong.
    """
    return _numbers(CONSTANTS_FILE)[quantity]


def quantities(path: Path) -> Mapping[str, tuple[float, ...]]:
    """Return the numbers of a file with the columns of constants.csv, by quantity.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        The header or a row is wrong.
    """
    numbers: dict[str, tuple[float, ...]] = {}
    for line, row in read_facts(path, COLUMNS):
        numbers[row["quantity"]] = (*numbers.get(row["quantity"], ()), positive(path, line, row, "value"))
    return numbers


_numbers = cache(quantities)


@cache
def nodes_nm() -> Mapping[str, float]:
    """Return the process node of each library of libraries.csv, in nm.

    Raises
    ------
    InputError
        The header or a row is wrong.
    """
    rows = read_facts(LIBRARIES_FILE, LIBRARY_COLUMNS)
    return {row["library"]: positive(LIBRARIES_FILE, line, row, "node_nm") for line, row in rows}
