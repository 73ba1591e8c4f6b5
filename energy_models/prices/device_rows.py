"""The price of a price key of a DRAM device, with its source and its place in drams.yaml."""

from dataclasses import dataclass

from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.documents import KeyPath, read_document
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.drams import DRAMS_FILE, RANDOM, Dram, drams
from bitjoule.energy_models.system.platform.static_power import per_cycle


@dataclass(frozen=True)
class PriceRow:
    """A price, and where it comes from.

    Parameters
    ----------
    key
        The price key.
    price
        Low, nominal and high, in pJ.
    unit
        What the price is per.
    source, where
        Citation keys or a sentence, and the place in them.
    places
        File and line of each row that the price is read from, relative to the data.
    derived
        How the price follows from the rows; empty where a row gives it directly.
    """

    key: str
    price: Price
    unit: str
    source: str
    where: str
    places: tuple[str, ...]
    derived: str = ""


def device_row(key: str, name: str, part: str, detail: str = "") -> PriceRow:
    """Return the price of a key of a device.

    Parameters
    ----------
    key
        The price key; see `bitjoule.energy_models.prices.keys`.
    name, part, detail
        Device, part, and what the part depends on: contiguous bytes, or channels and clock.

    Raises
    ------
    LookupError, ValueError
        There is no such price.
    """
    device = drams()[name]
    section, _, amount = part.partition(".")
    if amount:
        interface = getattr(device, section)
        price = price_of(getattr(interface, amount))
        return _row(key, price, "bit", (interface.source, interface.where), ("drams", name, section, amount))
    price, unit, derived = _by_device(device, part, detail)
    return _row(key, price, unit, (device.source, device.where), ("drams", name), derived)


def _row(key: str, price: Price, unit: str, cited: tuple[str, str], path: KeyPath, derived: str = "") -> PriceRow:
    place = f"{DRAMS_FILE.name}:{read_document(DRAMS_FILE).line(path)}"
    return PriceRow(key, price, unit, *cited, (place,), derived)


def _by_device(device: Dram, part: str, detail: str) -> tuple[Price, str, str]:
    """Return price, unit and derivation of what a device's own currents or energies give."""
    if part in ("busy", "idle"):
        count, clock = detail.removesuffix("MHz").split("@")
        watts = Price(*(end * int(count) for end in device.waiting_w(part == "busy")))
        rows = "open" if part == "busy" else "closed"
        derived = f"standby with rows {rows}, and refresh, of {count} channels, for a cycle at {clock} MHz"
        return per_cycle(watts, float(clock)), "cycle", derived
    if part == "activate":
        return device.activate_pj, "row", "activation and precharge, beyond standby"
    kind, _, way = part.partition("_")
    if way:
        reads = {"read": True, "write": False}[way]
        rate = float(detail or RANDOM)
        price = device.burst_pj_per_bit(reads, rate, io={"core": False, "io": True}[kind])
        return price, "bit", f"beyond standby, at toggle rate {rate:.4g}"
    size, _, toggles = detail.partition("@")
    reads, row_bytes, rate = {"read": True, "write": False}[part], float(size), float(toggles or RANDOM)
    burst, activation = device.burst_pj_per_bit(reads, rate), device.activate_pj_per_bit(row_bytes)
    derived = (
        f"beyond standby: {burst.nominal_pj:.4g} pJ of bursts at toggle rate {rate:.4g} and "
        f"{activation.nominal_pj:.4g} pJ of activations, {row_bytes:g} bytes each"
    )
    return device.pj_per_bit(reads, row_bytes, rate), "bit", derived
