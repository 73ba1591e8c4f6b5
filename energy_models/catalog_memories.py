"""Memories and DRAM devices, as a table and one by one."""

from bitjoule.energy_models.catalog_entries import Entry, Listing
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.inputs.sources import references
from bitjoule.energy_models.prices.drams import Dram, drams
from bitjoule.energy_models.prices.memories import Memory, memories


def _memory_row(memory: Memory) -> tuple[object, ...]:
    node = "" if memory.node_nm is None else f"{memory.node_nm:g}"
    return (memory.name, memory.kind, memory.capacity_bytes or "", memory.access_bits, node,
            memory.energy.nominal_pj, memory.energy.low_pj, memory.energy.high_pj)  # fmt: skip


MEMORY_HEADERS = (
    "memory", "kind", "capacity_bytes", "access_bits", "node_nm", "energy_pj", "energy_low_pj", "energy_high_pj",
)  # fmt: skip


def memory_listing() -> Listing:
    """Return every memory and DRAM device, one per row."""
    devices = [(name, "dram device", "", 1, "", *_read_pj(device)) for name, device in drams().items()]
    return Listing(MEMORY_HEADERS, [*(_memory_row(memory) for memory in memories()), *devices])


def _read_pj(device: Dram) -> tuple[float, float, float]:
    price = device.pj_per_bit(reads=True, contiguous_bytes=device.row_bytes)
    nominal, low, high = (float(f"{end:.4g}") for end in (price.nominal_pj, price.low_pj, price.high_pj))
    return nominal, low, high


def memory_entry(name: str) -> Entry:
    """Return one memory, or one DRAM device with its parts.

    Parameters
    ----------
    name
        As `memory_listing` prints it.
    """
    if name in drams():
        return _device_entry(name)
    matches = [memory for memory in memories() if memory.name == name]
    headers = (*MEMORY_HEADERS, "where", "note")
    rows = [(*_memory_row(memory), memory.where, memory.note) for memory in matches]
    return Entry({}, Listing(headers, rows), references(memory.source for memory in matches))


def _device_entry(name: str) -> Entry:
    device = drams()[name]
    parts: list[tuple[str, str, Price]] = [
        (f"{command}, {part}", "pJ/bit", device.burst_pj_per_bit(command == "read", io=io))
        for command in ("read", "write")
        for part, io in (("core", False), ("I/O", True))
    ]
    for name_of, interface in (("data pins", device.pins), ("controller and PHY", device.phy)):
        if interface is not None:
            parts += [
                (f"read, {name_of}", "pJ/bit", price_of(interface.read_pj_per_bit)),
                (f"write, {name_of}", "pJ/bit", price_of(interface.write_pj_per_bit)),
            ]
    parts += [
        ("activation", "pJ/row", device.activate_pj),
        ("activation, whole rows", "pJ/bit", device.activate_pj_per_bit(device.row_bytes)),
        ("activation, 64 bytes of a row", "pJ/bit", device.activate_pj_per_bit(64)),
        ("standby, rows open", "W", device.standby_w(True)),
        ("standby, rows closed", "W", device.standby_w(False)),
        ("refresh", "W", device.refresh_w),
    ]
    rows = [(part, unit, *(f"{end:.4g}" for end in (p.nominal_pj, p.low_pj, p.high_pj))) for part, unit, p in parts]
    fields = {"channel": f"{device.channel_bits} bits, {device.gb_per_s:g} GB/s, rows of {device.row_bytes} bytes"}
    fields |= {"where": device.where, "note": device.note.strip()}
    interfaces = {"pins": device.pins, "phy": device.phy}
    fields |= {key: interface.where for key, interface in interfaces.items() if interface is not None}
    cited = references([device.source, *(interface.source for interface in interfaces.values() if interface)])
    return Entry(fields, Listing(("of a channel", "unit", "nominal", "low", "high"), rows), cited)
