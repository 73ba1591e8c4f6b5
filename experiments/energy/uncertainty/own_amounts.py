"""The amounts of a run's platforms that are the user's own: sizes, widths, clocks, watts and prices."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.platform.platforms import Platform, platforms
from bitjoule.energy_models.system.platform.value_sources import source_of
from bitjoule.experiments.names.platforms import MachinesByPlatform

OWN_AMOUNT_COLUMNS = ("platform", "key", "value", "low", "high", "unit", "source", "base")
# By the end of a key, the longest first; static power and efficiencies are known by their section.
UNITS = {
    "pj_per_bit_mm": "pJ/bit/mm", "bits_per_cycle": "bit/cycle", "gb_per_s": "GB/s", "pj_per_bit": "pJ/bit",
    "cycles": "cycles", "bytes": "bytes", "bits": "bit", "mhz": "MHz", "mm": "mm", "pj": "pJ", "w": "W",
}  # fmt: skip


def own_amounts(by_platform: MachinesByPlatform, technologies: Iterable[Technology]) -> pd.DataFrame:
    """Return a row for each amount of a platform that is not built in.

    Parameters
    ----------
    by_platform, technologies
        Of the experiment.

    Returns
    -------
    DataFrame
        ``platform``; ``key``, the dotted key; its ``value``, ``low`` and ``high`` in ``unit``; ``source``, as its file
        gives it, or ``none given``; ``base``, the built-in platform that has the same amount from the same source, of
        all the one that shares most, or nothing. Values that are defaults, and nodes that no technology of the
        experiment has, are left out.
    """
    machines = {name: machine for by_scheme in by_platform.values() for name, machine in by_scheme.values()}
    nodes = {name for each in technologies for name in (each.name, each.node)}
    owned = {name: _rows(machine, nodes) for name, machine in machines.items() if platforms().get(name) != machine}
    built_in = {name: set(_rows(machine, nodes)) for name, machine in platforms().items()} if owned else {}
    rows = []
    for name, own in owned.items():
        base = max(built_in, key=lambda other: len(built_in[other].intersection(own)))
        rows += [(name, *row, base if row in built_in[base] else "") for row in own]
    return pd.DataFrame(rows, columns=list(OWN_AMOUNT_COLUMNS))


def unit_of(key: str) -> str:
    """Return the unit of an amount, empty for a count.

    Parameters
    ----------
    key
        Its dotted key.
    """
    if key.startswith("static."):
        return "W"
    name = key.rpartition(".")[2]
    return next((unit for end, unit in UNITS.items() if name.endswith(f"_{end}") or name == end), "")


def _rows(machine: Platform, nodes: set[str]) -> list[tuple[str, float, float, float, str, str]]:
    """Return key, value, low, high, unit and source of each amount."""
    amounts = _amounts(_shown(machine, nodes), "")
    return [(key, value, low, high, unit_of(key), source_of(key, machine.sources)) for key, value, low, high in amounts]


def _shown(machine: Platform, nodes: set[str]) -> Mapping[str, Any]:
    data = machine.model_dump(mode="json", exclude_defaults=True, exclude={"sources", "description", "references"})
    return {**data, "nodes": {name: node for name, node in data["nodes"].items() if name in nodes}}


def _amounts(value: Any, key: str) -> Iterator[tuple[str, float, float, float]]:
    """Yield key, nominal, low and high of each number."""
    if isinstance(value, dict) and "nominal" in value:
        yield key, value["nominal"], value["low"], value["high"]
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _amounts(part, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from _amounts(part, f"{key}[{i}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield key, value, value, value
