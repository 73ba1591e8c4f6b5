"""Memories: what one access costs."""

from dataclasses import dataclass
from functools import cache

from bitjoule.energy_models.inputs.facts import Price, positive, price, read_facts
from bitjoule.energy_models.inputs.sources import DATA

MEMORIES_FILE = DATA / "memories.csv"
COLUMNS = (
    "memory", "kind", "capacity_bytes", "access_bits", "node_nm", "energy_pj", "energy_low_pj", "energy_high_pj",
    "source", "where", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Memory:
    """One memory at one node.

    Parameters
    ----------
    name, kind
        Name; ``sram`` or ``dram``.
    capacity_bytes
        Size, where the price depends on it.
    access_bits
        Bits that one access moves.
    node_nm
        Process node; none for a device whose price does not follow the logic's node.
    energy
        Of one access.
    source, where, note
        Citation keys, the place in them, remarks.
    line
        Of memories.csv.
    """

    name: str
    kind: str
    capacity_bytes: int | None
    access_bits: int
    node_nm: float | None
    energy: Price
    source: str
    where: str
    note: str
    line: int


@cache
def memories() -> tuple[Memory, ...]:
    """Return every row of memories.csv.

    Raises
    ------
    InputError
        A row is wrong.
    """
    rows = []
    for line, cells in read_facts(MEMORIES_FILE, COLUMNS):
        rows.append(
            Memory(
                name=cells["memory"],
                kind=cells["kind"],
                capacity_bytes=int(cells["capacity_bytes"]) if cells["capacity_bytes"] else None,
                access_bits=int(positive(MEMORIES_FILE, line, cells, "access_bits")),
                node_nm=positive(MEMORIES_FILE, line, cells, "node_nm") if cells["node_nm"] else None,
                energy=price(MEMORIES_FILE, line, cells),
                source=cells["source"],
                where=cells["where"],
                note=cells["note"],
                line=line,
            )
        )
    return tuple(rows)
