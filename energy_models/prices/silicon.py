"""Area and leakage of a bit of SRAM, and how far the leakage of logic may be from its synthesis, by node."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from bitjoule.energy_models.inputs.errors import InputError, Problem, out_of_order
from bitjoule.energy_models.inputs.facts import Price, positive, read_facts
from bitjoule.energy_models.inputs.sources import DATA

SILICON_FILE = DATA / "silicon.csv"
COLUMNS = ("quantity", "node_nm", "value", "low", "high", "unit", "source", "where", "note")


class SiliconRow(NamedTuple):
    """A quantity at a node.

    Parameters
    ----------
    low, value, high
        ``sram_leakage`` in nW and ``sram_area`` in um2 for each bit; ``logic_leakage`` relative to the synthesis.
    source, where, note
        Citation keys, the place in them, remarks.
    """

    low: float
    value: float
    high: float
    source: str
    where: str
    note: str

    @property
    def ends(self) -> Price:
        """Low, value and high."""
        return Price(self.low, self.value, self.high)


@cache
def silicon_rows() -> Mapping[tuple[str, float], SiliconRow]:
    """Return every row of silicon.csv, by quantity and node in nm.

    Raises
    ------
    InputError
        A row is wrong or duplicated.
    """
    rows: dict[tuple[str, float], SiliconRow] = {}
    for line, cells in read_facts(SILICON_FILE, COLUMNS):
        key = (cells["quantity"], positive(SILICON_FILE, line, cells, "node_nm"))
        if key in rows:
            wrong = f"duplicate {key[0]} at {key[1]:g} nm"
            raise InputError([Problem(str(SILICON_FILE), line, "quantity", wrong, "one row")])
        low, value, high = (positive(SILICON_FILE, line, cells, end) for end in ("low", "value", "high"))
        if not low <= value <= high:
            wrong = out_of_order(low, value, high)
            raise InputError([Problem(str(SILICON_FILE), line, "value", wrong, "low <= value <= high")])
        rows[key] = SiliconRow(low, value, high, cells["source"], cells["where"], cells["note"])
    return rows
