"""The prices of a run that come from technologies of the user's own."""

from collections.abc import Iterator, Mapping

import pandas as pd

from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.measured import UNITS
from bitjoule.energy_models.prices.technology import OPERATIONS_FILE, Technology, technologies
from bitjoule.energy_models.system.platform.accesses import macro_price, macro_rows
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.names.platforms import MachinesByPlatform

OPERATIONS = ("add", "mul", *UNITS)
OWN_PRICE_COLUMNS = (
    "technology", "price", "energy_pj", "energy_low_pj", "energy_high_pj", "unit", "source", "where",
)  # fmt: skip


def without_bands(by_name: Mapping[str, Technology]) -> tuple[str, ...]:
    """Return the technologies of the built-in table of operations, in which a price has no band.

    Parameters
    ----------
    by_name
        Of the experiment.
    """
    return tuple(
        name
        for name, technology in by_name.items()
        if technology.place.startswith(f"{OPERATIONS_FILE.name}:")
        and all(low == high for low, _, high in (technology.price(*key) for key in technology.rows))
    )


def unpaid_memories(by_platform: MachinesByPlatform, by_name: Mapping[str, Technology]) -> Iterator[str]:
    """Yield who does not pay the off-chip memory that a technology of the user's own prices, one line each.

    Parameters
    ----------
    by_platform, by_name
        Platforms and technologies of the experiment.
    """
    for name, technology in by_name.items():
        if technology == technologies().get(name) or all(row.kind != "dram" for row in technology.memories):
            continue
        pay: dict[str, str] = {}
        others: dict[str, str] = {}
        for by_scheme in by_platform.values():
            for machine, platform in by_scheme.values():
                memory = platform.off_chip.memory
                if memory and technology.dram(memory):
                    pay[machine] = memory
                else:
                    others[machine] = platform.off_chip.device or memory or "an amount of its own"
        if others:
            told = ", ".join(f"{machine} ({memory})" for machine, memory in others.items())
            yield f"technology {name}: its price of dram is not that of {told}" + (
                f"; {', '.join(pay)} {'pays' if len(pay) == 1 else 'pay'} it" if pay else ""
            )


def own_prices(grid: Grid) -> pd.DataFrame:
    """Return a row for each price of a technology that is not built in.

    Parameters
    ----------
    grid
        Every case, evaluated: its price keys are those that a case can pay.

    Returns
    -------
    DataFrame
        ``technology``; ``price``, what it is the price of; its nominal, low and high value in pJ for one ``unit``;
        ``source`` and ``where``, as its file gives them, or how it is derived.
    """
    own = {f"{t.place}:": t for name, t in grid.technologies.items() if technologies().get(name) != t}
    rows = []
    for key in grid.price_keys:
        technology = next((t for place, t in own.items() if key.startswith(place)), None)
        if technology is not None:
            row = _row(technology, key.removeprefix(f"{technology.place}:").split(":"))
            rows += [(technology.name, *row)] if row else []
    rows.sort(key=lambda row: [*grid.technologies].index(row[0]))
    return pd.DataFrame(rows, columns=list(OWN_PRICE_COLUMNS))


def _row(technology: Technology, place: list[str]) -> tuple[str, float, float, float, str, str, str] | None:
    """Return the columns of one price after the technology's; none of what is part of another price."""
    kind, *rest = place
    unit, source, where = "operation", "", ""
    if kind in OPERATIONS and technology.has_price(kind, rest[0]):  # keys include operations that none needs
        row = technology.rows.get((kind, rest[0]))
        name, price = f"{kind} {rest[0]}", technology.price(kind, rest[0])
        source, where = (row.source, row.where) if row else ("derived from prices of other formats", "")
    elif kind in ("sram", "dram"):
        unit = "bit"
        name, price, source, where = _memory(technology, kind, rest[0] if rest else "")
    elif kind in ("mac", "load"):
        mac = next(mac for mac in technology.macs if mac.name == rest[0])
        source = "synthesised, switching simulated"
        if kind == "load":
            name, unit, price = f"{rest[0]}, weight loaded", "weight", price_of(mac.load_pj)
        else:
            lanes, columns = map(int, rest[1].split("x"))
            name, unit = f"{rest[0]} in {lanes} x {columns}", "MAC"
            price = mac.price(lanes, columns, technology.zero_share if rest[2:] else 0.0)
    else:
        return None
    return name, price.nominal_pj, price.low_pj, price.high_pj, unit, source, where


def _memory(technology: Technology, kind: str, which: str) -> tuple[str, Price, str, str]:
    """Return name, price of a bit, source and place of a memory."""
    if kind == "sram":
        rows = dict.fromkeys(macro_rows(kind, float(which), technology))
        name, price = f"sram, banks of {float(which):g} bytes", macro_price(kind, float(which), technology)
    else:
        rows = {row: None for row in technology.memories if row.kind == kind and row.name == which}
        row = next(iter(rows))
        name, price = f"dram {which}".strip(), Price(*(end / row.access_bits for end in row.energy))
    sources, places = (dict.fromkeys(getattr(row, key) for row in rows) for key in ("source", "where"))
    return name, price, "; ".join(filter(None, sources)), "; ".join(filter(None, places))
