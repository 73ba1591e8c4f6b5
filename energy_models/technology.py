"""Technologies: a process node and what an operation costs there."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from bitjoule.energy_models.errors import InputError, Problem
from bitjoule.energy_models.facts import Price, positive, price, read_facts
from bitjoule.energy_models.sources import DATA

OPERATIONS_FILE = DATA / "operations.csv"
COLUMNS = (
    "operation", "format", "node_nm", "energy_pj", "energy_low_pj", "energy_high_pj", "source", "where", "note",
)  # fmt: skip


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

    def price(self, operation: str, number_format: str) -> Price:
        """Return what one operation costs.

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
        return self.rows[operation, number_format].energy


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
