"""Technologies: a process node and what an operation costs there."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from bitjoule.energy_models.errors import InputError, Problem
from bitjoule.energy_models.facts import Price, positive, price, read_facts
from bitjoule.energy_models.sources import DATA
from bitjoule.energy_models.storage import WIDTH_BITS

OPERATIONS_FILE = DATA / "operations.csv"
COLUMNS = (
    "operation", "format", "node_nm", "energy_pj", "energy_low_pj", "energy_high_pj", "source", "where", "note",
)  # fmt: skip
DERIVED = frozenset({"int16", "int4", "int3", "int2", "int1"})


@dataclass(frozen=True)
class OperationRow:
    """One priced operation, with the place its price was printed."""

    operation: str
    format: str
    node_nm: float
    energy: Price
    source: str
    where: str
    note: str


@dataclass(frozen=True)
class Technology:
    """A process node and its prices.

    Parameters
    ----------
    name
        Node with unit, as experiments name it: ``45nm``.
    node_nm
        Process node.
    rows
        Priced operations, by (operation, format).
    """

    name: str
    node_nm: float
    rows: Mapping[tuple[str, str], OperationRow]

    def has_price(self, operation: str, number_format: str) -> bool:
        """Return whether `price` knows an operation.

        Parameters
        ----------
        operation, number_format
            As for `price`.
        """
        known = (operation, number_format) in self.rows
        return known or (number_format in DERIVED and {(operation, "int8"), (operation, "int32")} <= self.rows.keys())

    def price(self, operation: str, number_format: str) -> Price:
        """Return what one operation costs.

        No table prices INT16 and integers below 8 bits. They lie on the line through INT8 and INT32, log-log over the
        width. INT16 may cost as little as INT8 and as much as INT32; of the narrow ones, low is at least in proportion
        to the width (an adder) or to its square (a multiplier), high is INT8's own price.

        Parameters
        ----------
        operation
            ``add`` or ``mul``.
        number_format
            E.g. ``int8``.

        Raises
        ------
        KeyError
            No row prices it at this node.
        """
        if (operation, number_format) in self.rows or not self.has_price(operation, number_format):
            return self.rows[operation, number_format].energy
        wide, narrow = self.rows[operation, "int32"].energy, self.rows[operation, "int8"].energy
        share = WIDTH_BITS[number_format] / WIDTH_BITS["int8"]
        exponent = math.log(wide.nominal_pj / narrow.nominal_pj, WIDTH_BITS["int32"] / WIDTH_BITS["int8"])
        if share > 1:
            return Price(narrow.low_pj, narrow.nominal_pj * share**exponent, wide.high_pj)
        least = min(share**exponent, share ** (2 if operation == "mul" else 1))
        return Price(narrow.low_pj * least, narrow.nominal_pj * share**exponent, narrow.high_pj)


@cache
def technologies() -> dict[str, Technology]:
    """Return every technology of operations.csv, by name.

    Raises
    ------
    InputError
        A row of operations.csv is wrong or stands twice.
    """
    rows: dict[float, dict[tuple[str, str], OperationRow]] = {}
    for line, cells in read_facts(OPERATIONS_FILE, COLUMNS):
        node_nm = positive(OPERATIONS_FILE, line, cells, "node_nm")
        energy = price(OPERATIONS_FILE, line, cells)
        row = OperationRow(
            cells["operation"], cells["format"], node_nm, energy, cells["source"], cells["where"], cells["note"]
        )
        at_node = rows.setdefault(node_nm, {})
        key = (row.operation, row.format)
        if key in at_node:
            problem = Problem(str(OPERATIONS_FILE), line, "operation", f"{' '.join(key)} stands twice", "one row")
            raise InputError([problem])
        at_node[key] = row
    return {f"{node_nm:g}nm": Technology(f"{node_nm:g}nm", node_nm, rows[node_nm]) for node_nm in rows}
