"""The price of a price key, with its source and its place in the data."""

import math
from dataclasses import replace
from typing import Any

from bitjoule.energy_models.formats.formats import factors, formats
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.documents import Document, KeyPath, read_document
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.device_rows import PriceRow, device_row
from bitjoule.energy_models.prices.drams import DRAMS_FILE
from bitjoule.energy_models.prices.measured import SOURCE
from bitjoule.energy_models.prices.memories import MEMORIES_FILE, Memory, memories
from bitjoule.energy_models.prices.technology import MEASURED_FOLDER, OPERATIONS_FILE, Technology, technologies
from bitjoule.energy_models.system.hardware.silicon import leakage_w
from bitjoule.energy_models.system.platform.accesses import UnpricedError, macro_price, macro_rows
from bitjoule.energy_models.system.platform.dvfs import plain_key, times
from bitjoule.energy_models.system.platform.platforms import FOLDER as PLATFORMS
from bitjoule.energy_models.system.platform.platforms import Platform, platforms
from bitjoule.energy_models.system.platform.static_power import COMPONENT as STATIC
from bitjoule.energy_models.system.platform.static_power import CONFIGURED, PJ_PER_W_US, per_cycle

EXPECTED = "a value of the column `price` of a results.csv, e.g. operations.csv:45nm:add:int8"


def price_row(key: str) -> PriceRow:
    """Return the price of a price key.

    Parameters
    ----------
    key
        As in the column ``price`` of the long table; see `bitjoule.energy_models.prices.keys`.

    Raises
    ------
    InputError
        The key has no price in the built-in data.
    """
    try:
        plain, factor = plain_key(key)
    except ValueError:
        raise _unknown(key) from None
    if not 0 <= factor < math.inf:
        raise _unknown(key)
    if factor != 1.0:
        row = price_row(plain)
        derived = "; ".join(
            filter(None, (row.derived, f"x {factor:g} at the platform's operating point (dvfs), or while it is gated"))
        )
        return replace(row, key=key, price=times(row.price, factor), derived=derived)
    file, _, place = key.partition(":")
    name = file.partition("/")[2].removesuffix(".yaml")
    try:
        if file == OPERATIONS_FILE.name:
            return _operation(key, *place.split(":"))
        if file == MEMORIES_FILE.name:
            return _memory(key, place.split(":"))
        if file == DRAMS_FILE.name:
            return device_row(key, *place.split(":"))
        if file.startswith("technologies/"):
            return _measured(key, technologies()[name], place.split(":"))
        if file.startswith("platforms/"):
            return _amount(key, name, place)
    except (LookupError, ValueError, TypeError, AttributeError, StopIteration, UnpricedError):
        pass  # an unknown file or a malformed place: reported below
    folder, _, file_name = file.partition("/")
    shipped = {"platforms": [*platforms()], "technologies": [*technologies()]}
    if place and file_name.endswith(".yaml") and name not in shipped.get(folder, [name]):
        wrong = f"{brief(name)} is not among the {folder} that ship"
        expected = f"the price at {brief(place)} in the file or experiment of yours that describes {brief(name)}"
        raise InputError([Problem("show", 1, "price", wrong, expected)])
    raise _unknown(key)


def _unknown(key: str) -> InputError:
    return InputError([Problem("show", 1, "price", f"unknown price {brief(key)}", EXPECTED)])


def _operation(key: str, name: str, operation: str, number_format: str) -> PriceRow:
    technology = technologies()[name]
    direct = technology.rows.get((operation, number_format))
    bounds = [number_format] if direct else _price_bounds(operation, number_format, technology)
    rows = [technology.rows[operation, bound] for bound in bounds]
    derived = "" if direct else _derived(number_format, bounds)
    return PriceRow(
        key, technology.price(operation, number_format), "operation", _joined(row.source for row in rows),
        _joined(row.where for row in rows), tuple(f"{OPERATIONS_FILE.name}:{row.line}" for row in rows), derived,
    )  # fmt: skip


def _price_bounds(operation: str, operands: str, technology: Technology) -> list[str]:
    """Return the formats whose prices the price of an operation without a row is derived from."""
    bounds: dict[str, None] = {}
    for factor in factors(operands):
        has_row = (operation, factor) in technology.rows
        bounds |= dict.fromkeys([factor] if has_row else formats()[factor].priced_between or ())
    return list(bounds)


def _derived(operands: str, bounds: list[str]) -> str:
    first, second = factors(operands)
    width = "the width" if first == second else f"the mean width of {first} and {second} (geometric)"
    return f"{operands} has no row: log-log over {width} through {' and '.join(bounds)}"


def _joined(texts: Any) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _memory(key: str, place: list[str]) -> PriceRow:
    rows: tuple[Memory, ...]
    if len(place) == 1:
        rows = (next(memory for memory in memories() if memory.name == place[0]),)
        price = Price(*(value / rows[0].access_bits for value in rows[0].energy))
        bits = rows[0].access_bits
        derived = f"the row's access over its {bits} bits" if bits > 1 else ""
    else:
        node, kind, size = place
        technology, bank_bytes = technologies()[node], float(size)
        rows = tuple(dict.fromkeys(macro_rows(kind, bank_bytes, technology)))
        price = macro_price(kind, bank_bytes, technology)
        between = " and ".join(f"{row.name} ({row.access_bits} bits an access)" for row in rows)
        derived = f"{bank_bytes:g} bytes per bank: a bit's price, log-log in the size through {between}"
    return PriceRow(
        key, price, "bit", _joined(row.source for row in rows), _joined(row.where for row in rows),
        tuple(f"{MEMORIES_FILE.name}:{row.line}" for row in rows), derived,
    )  # fmt: skip


def _measured(key: str, technology: Technology, place: list[str]) -> PriceRow:
    path = MEASURED_FOLDER / f"{technology.name}.yaml"
    document = read_document(path)
    measured = document.data
    kind, name, *array = place
    where = str(measured["measured"]["command"])

    def row(price: Price, unit: str, paths: list[KeyPath], derived: str = "") -> PriceRow:
        places = tuple(f"technologies/{path.name}:{document.line(at)}" for at in paths)
        return PriceRow(key, price, unit, SOURCE, where, places, derived)

    if kind in ("mac", "load", "in-mac"):
        mac = next(mac for mac in technology.macs if mac.name == name)
        at: KeyPath = ("macs", technology.macs.index(mac))
        if kind == "load":
            return row(price_of(mac.load_pj), "weight", [(*at, "load_pj")])
        if kind == "in-mac":
            return row(Price(0.0, 0.0, 0.0), "operation", [at], "part of the MAC, priced at its multiplication")
        lanes, columns = map(int, array[0].split("x"))
        zero_share = technology.zero_share if array[1:] == ["zeros"] else 0.0
        derivation = f"sum of the terms of a full array of {lanes} lanes x {columns} columns"
        derivation += f" with {100 * zero_share:g} % of the weights zero" if zero_share else ""
        return row(mac.price(lanes, columns, zero_share), "MAC", [at], derivation)
    listed = [(operation["operation"], operation["format"]) for operation in measured["operations"]]
    direct = (kind, name) in listed
    bounds = [name] if direct else _price_bounds(kind, name, technology)
    rows: list[KeyPath] = [("operations", listed.index((kind, bound))) for bound in bounds]
    return row(technology.price(kind, name), "operation", rows, "" if direct else _derived(name, bounds))


def _amount(key: str, name: str, place: str) -> PriceRow:
    platform = platforms()[name]
    dotted, _, clock = place.partition("@")
    path: KeyPath = tuple(int(part) if part.isdecimal() else part for part in dotted.split("."))
    if path == ("regulator", "efficiency"):
        return _loss(key, name, platform)
    if path[-1] == "wire_mm":
        return _wire(key, name, platform, path, clock)
    is_price = path[-1] == "leakage_w" or path[0] == STATIC if clock else "_pj" in f"{path[-2]}.{path[-1]}"
    if not is_price:
        raise LookupError(place)
    value: Any = platform
    for part in path:
        value = value[part] if isinstance(value, dict | list) else getattr(value, str(part))  # type: ignore[index]
    factor, unit, derived = 1.0, "bit", ""
    if clock:
        clock_mhz = float(clock.removesuffix("MHz"))
        factor, unit = PJ_PER_W_US / clock_mhz, "cycle"
        derived = f"{dotted} in W, for a cycle at {clock_mhz:g} MHz"
    elif path[0] == "buffers":
        width_bits = platform.buffers[str(path[1])].width_bits
        factor, derived = 1.0 / width_bits, f"an access over its {width_bits} bits"
    elif path[-1] == "energy_pj":
        unit = "MAC"
    elif path[-2] == "unpack_pj_per_weight":
        unit = "weight"
    if value == CONFIGURED:
        price = per_cycle(leakage_w(platform, technologies()[str(path[1])]), clock_mhz)
        derived = f"leakage of arrays, vector unit and SRAM, from their sizes, for a cycle at {clock_mhz:g} MHz"
    else:
        price = price_of(value, factor)
    origin, line = _origin(name, path)
    return PriceRow(
        key, price, unit, platform.references, _source_of(platform, dotted),
        (f"platforms/{origin}.yaml:{line}",), derived,
    )  # fmt: skip


def _loss(key: str, name: str, platform: Platform) -> PriceRow:
    if platform.regulator is None:
        raise LookupError(key)
    path: KeyPath = ("regulator", "efficiency")
    origin, line = _origin(name, path)
    return PriceRow(
        key, platform.regulator.loss, "pJ delivered", platform.references, _source_of(platform, "regulator.efficiency"),
        (f"platforms/{origin}.yaml:{line}",), "1 / regulator.efficiency - 1",
    )  # fmt: skip


def _wire(key: str, name: str, platform: Platform, path: KeyPath, node: str) -> PriceRow:
    length_mm, at = platform.buffers[str(path[1])].wire_mm, ("nodes", node, "wire_pj_per_bit_mm")
    places = (_origin(name, path), _origin(name, at))
    return PriceRow(
        key, price_of(platform.nodes[node].wire_pj_per_bit_mm, length_mm), "bit", platform.references,
        _joined(_source_of(platform, ".".join(map(str, place))) for place in (path, at)),
        tuple(f"platforms/{origin}.yaml:{line}" for origin, line in places),
        f"nodes.{node}.wire_pj_per_bit_mm x {length_mm:g} mm",
    )  # fmt: skip


def _source_of(platform: Platform, dotted: str) -> str:
    """Return the source that a platform gives for an amount, or for the closest enclosing key."""
    prefixes = [prefix for prefix in platform.sources if f"{dotted}.".startswith(f"{prefix}.")]
    return platform.sources[max(prefixes, key=len)] if prefixes else ""


def _origin(name: str, path: KeyPath) -> tuple[str, int]:
    """Return the platform whose file contains an amount, this one or a base of it, and the line.

    An amount that no file writes is where the first of them writes the mapping around it.
    """
    chain: list[tuple[str, Document]] = [(name, read_document(PLATFORMS / f"{name}.yaml"))]
    while path not in chain[-1][1].lines and "like" in (data := chain[-1][1].data):
        chain.append((data["like"], read_document(PLATFORMS / f"{data['like']}.yaml")))
    for at in (path[:length] for length in range(len(path), 0, -1)):
        for each, document in chain:
            if at in document.lines:
                return each, document.line(at)
    return chain[-1][0], chain[-1][1].line(path)
