"""Clocks and bandwidths that no machine has: most likely a number in another unit, a thousand times off."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.energy_models.inputs.facts import positive, read_facts
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.system.platform.platforms import Platform

PLAUSIBLE_FILE = DATA / "plausible.csv"
COLUMNS = ("quantity", "memory", "low", "high", "unit", "source", "where")


class PlausibleRange(NamedTuple):
    """The values that a quantity of a machine can have.

    Parameters
    ----------
    quantity
        ``clock`` or ``bandwidth``.
    memory
        Part of the names of the memories it is for; empty for all others.
    low, high, unit
        The range.
    source, where
        Citation keys or ``assumption``, and the place or the reason.
    """

    quantity: str
    memory: str
    low: float
    high: float
    unit: str
    source: str
    where: str


@cache
def plausible_ranges() -> tuple[PlausibleRange, ...]:
    """Return every row of plausible.csv, in order.

    Raises
    ------
    InputError
        A row is wrong or duplicated.
    """
    rows: list[PlausibleRange] = []
    for line, cells in read_facts(PLAUSIBLE_FILE, COLUMNS):
        low, high = (positive(PLAUSIBLE_FILE, line, cells, end) for end in ("low", "high"))
        if low >= high:
            raise InputError([Problem(str(PLAUSIBLE_FILE), line, "low", f"got {low:g}", f"less than {high:g}")])
        row = PlausibleRange(cells["quantity"], cells["memory"], low, high, *(cells[key] for key in COLUMNS[4:]))
        if row[:2] in [earlier[:2] for earlier in rows]:
            wrong = f"duplicate {row.quantity} {row.memory}".rstrip()
            raise InputError([Problem(str(PLAUSIBLE_FILE), line, "quantity", wrong, "one row")])
        rows.append(row)
    return tuple(rows)


def plausible_range(quantity: str, memory: str | None = None) -> PlausibleRange:
    """Return the first range for a memory.

    Parameters
    ----------
    quantity
        ``clock`` or ``bandwidth``.
    memory
        Name of the memory; none for one with prices of its own.
    """
    return next(row for row in plausible_ranges() if row.quantity == quantity and row.memory in (memory or ""))


def implausible(platform: Platform) -> Iterator[str]:
    """Yield each clock and bandwidth of a platform that is outside its range, one line each.

    Parameters
    ----------
    platform
        The platform.
    """
    clock = plausible_range("clock")
    values = [(f"nodes.{name}.clock_mhz", node.clock_mhz, clock) for name, node in platform.nodes.items()]
    memory = platform.off_chip
    bandwidth = plausible_range("bandwidth", memory.memory)
    values.append(("off_chip.bandwidth_gb_per_s", memory.bandwidth_gb_per_s, bandwidth))
    for key, value, span in values:
        if not isinstance(value, str) and not span.low <= value <= span.high:
            of_memory = f" of {memory.memory}" if span.memory else ""
            yield (
                f"{key}: {value:g} {span.unit} is outside the {span.low:g} to {span.high:g} {span.unit} of any "
                f"{span.quantity}{of_memory}; check the unit"
            )
