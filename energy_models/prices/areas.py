"""Areas of operations and leakage of logic: the basis of the built-in platforms' sizes and leakage."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.energy_models.inputs.facts import positive, read_facts
from bitjoule.energy_models.inputs.sources import DATA

AREAS_FILE, LEAKAGE_FILE = DATA / "areas.csv", DATA / "leakage.csv"
AREA_COLUMNS = ("operation", "format", "node_nm", "area_um2", "source", "where", "note")
LEAKAGE_COLUMNS = ("cells", "node_nm", "leakage_nw_per_um2", "source", "where", "note")


class AreaRow(NamedTuple):
    """Area of one operation.

    Parameters
    ----------
    area_um2
        Of the circuit that performs one per cycle.
    source, where, note
        Citation keys, the place in them, remarks.
    """

    area_um2: float
    source: str
    where: str
    note: str


@cache
def areas() -> Mapping[tuple[str, str, float], AreaRow]:
    """Return every area of areas.csv, by operation, format and node in nm.

    ``trit`` is a ternary multiply-accumulate of our array, its registers and control included.

    Raises
    ------
    InputError
        A row is wrong or duplicated.
    """
    by_operation: dict[tuple[str, str, float], AreaRow] = {}
    for line, cells in read_facts(AREAS_FILE, AREA_COLUMNS):
        key = (cells["operation"], cells["format"], positive(AREAS_FILE, line, cells, "node_nm"))
        if key in by_operation:
            wrong = f"duplicate {key[0]} {key[1]} at {key[2]:g} nm"
            raise InputError([Problem(str(AREAS_FILE), line, "operation", wrong, "one row")])
        area_um2 = positive(AREAS_FILE, line, cells, "area_um2")
        by_operation[key] = AreaRow(area_um2, cells["source"], cells["where"], cells["note"])
    return by_operation


@cache
def leakage_nw_per_um2() -> Mapping[float, float]:
    """Return the leakage of logic cells in nW for each µm², by node in nm.

    Raises
    ------
    InputError
        A row of leakage.csv is wrong or duplicated.
    """
    by_node: dict[float, float] = {}
    for line, cells in read_facts(LEAKAGE_FILE, LEAKAGE_COLUMNS):
        node_nm = positive(LEAKAGE_FILE, line, cells, "node_nm")
        if node_nm in by_node:
            raise InputError([Problem(str(LEAKAGE_FILE), line, "node_nm", f"duplicate {node_nm:g} nm", "one row")])
        by_node[node_nm] = positive(LEAKAGE_FILE, line, cells, "leakage_nw_per_um2")
    return by_node
