"""What it costs to move one bit in or out of a buffer, of a level behind it, or of off-chip memory."""

import math

from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.drams import DRAMS_FILE, RANDOM, drams
from bitjoule.energy_models.prices.memories import MEMORIES_FILE, Memory, memories
from bitjoule.energy_models.prices.technology import Technology, row_to_add
from bitjoule.energy_models.system.platform.levels import Level
from bitjoule.energy_models.system.platform.off_chip import Contiguous, OffChip
from bitjoule.energy_models.system.platform.platforms import Buffer


class UnpricedError(LookupError):
    """A platform or technology cannot run or price what a scheme needs; the message says what to change."""


def off_chip_price(
    off_chip: OffChip, reads: bool, platform_key: str, technology: Technology | None = None, stored: str = ""
) -> tuple[Price, str]:
    """Return the price of a bit that crosses the chip's edge, and the key of its source.

    Parameters
    ----------
    off_chip
        The memory.
    reads
        Whether the bit is read.
    platform_key
        Price key of the amount in the platform's file, where it gives one.
    technology
        Whose own price of the memory, if it has one, goes before the built-in one.
    stored
        Storage or format of the bit; default: random data.
    """
    own = technology.dram(off_chip.memory) if technology and off_chip.memory else None
    if technology and own:
        return Price(*(value / own.access_bits for value in own.energy)), technology.memory_key("dram", own.name)
    if off_chip.memory in drams():
        device = drams()[off_chip.memory]
        given = off_chip.contiguous_bytes
        contiguous_bytes = device.row_bytes if given is None or isinstance(given, Contiguous) else given
        key = f"{DRAMS_FILE.name}:{off_chip.memory}:{'read' if reads else 'write'}:{contiguous_bytes:.16g}"
        rate = off_chip.toggles(stored)
        return device.pj_per_bit(reads, contiguous_bytes, rate), key if rate == RANDOM else f"{key}@{rate:.16g}"
    if off_chip.memory is not None:
        row = next(memory for memory in memories() if memory.name == off_chip.memory)
        return Price(*(value / row.access_bits for value in row.energy)), f"{MEMORIES_FILE.name}:{row.name}"
    amount = off_chip.read_pj_per_bit if reads else off_chip.write_pj_per_bit
    return price_of(amount or 0.0), platform_key


def buffer_price(buffer: Buffer, reads: bool, technology: Technology, platform_key: str) -> tuple[Price, str]:
    """Return the price of a bit of a buffer, and the key of its source.

    Parameters
    ----------
    buffer
        The buffer; a memory macro is priced log-log in its size between the rows of memories.csv, or the technology's
        own.
    reads
        Whether the bit is read.
    technology
        Where it is built.
    platform_key
        Price key of the amount in the platform's file, where it gives one.

    Raises
    ------
    UnpricedError
        The technology does not price a macro of this size.
    """
    if buffer.memory is not None:
        return _macro(buffer.memory, buffer.size_bytes / buffer.banks, technology)
    amount = buffer.read_pj if reads else buffer.write_pj
    return price_of((amount or 0.0) / buffer.width_bits), platform_key


def level_price(level: Level, reads: bool, technology: Technology, platform_key: str) -> tuple[Price, str]:
    """Return the price of a bit of a memory level, and the key of its source.

    Parameters
    ----------
    level, reads, technology, platform_key
        As for `buffer_price`.

    Raises
    ------
    UnpricedError
        The technology does not price a macro of this size.
    """
    if level.memory is not None:
        try:
            return _macro(level.memory, level.size_bytes / level.banks, technology)
        except UnpricedError as error:
            wrong, expected = error.args
            keys = "read_pj_per_bit and write_pj_per_bit"
            raise UnpricedError(wrong, expected.replace("read_pj and write_pj", keys)) from None
    amount = level.read_pj_per_bit if reads else level.write_pj_per_bit
    return price_of(amount or 0.0), platform_key


def _macro(kind: str, bank_bytes: float, technology: Technology) -> tuple[Price, str]:
    key = f"{MEMORIES_FILE.name}:{technology.node}:{kind}:{bank_bytes:.16g}"
    if _own(kind, technology):
        key = technology.memory_key(kind, f"{bank_bytes:.16g}")
    return macro_price(kind, bank_bytes, technology), key


def macro_price(kind: str, bank_bytes: float, technology: Technology) -> Price:
    """Return the price of a bit of a memory macro, log-log in its size between two rows.

    Parameters
    ----------
    kind
        Of the rows, e.g. ``sram``.
    bank_bytes
        Its size.
    technology
        Where it is built.

    Raises
    ------
    UnpricedError
        The technology does not price a macro of this size.
    """
    smaller, larger = macro_rows(kind, bank_bytes, technology)
    small_bytes, large_bytes = float(smaller.capacity_bytes or 0), float(larger.capacity_bytes or 0)
    share = (
        math.log(bank_bytes / small_bytes) / math.log(large_bytes / small_bytes) if large_bytes > small_bytes else 0.0
    )
    return Price(
        *(
            (small_pj / smaller.access_bits) ** (1 - share) * (large_pj / larger.access_bits) ** share
            for small_pj, large_pj in zip(smaller.energy, larger.energy, strict=True)
        )
    )


def macro_rows(kind: str, bank_bytes: float, technology: Technology) -> tuple[Memory, Memory]:
    """Return the rows between whose sizes a macro lies: the technology's own, or those of memories.csv.

    Parameters
    ----------
    kind, bank_bytes, technology
        As for `macro_price`.

    Raises
    ------
    UnpricedError
        The technology does not price a macro of this size.
    """
    own = _own(kind, technology)
    if len(own) == 1 and own[0].capacity_bytes is None:
        return own[0], own[0]
    rows = sorted(
        (memory.capacity_bytes, memory.name, memory)
        for memory in own or memories()
        if memory.kind == kind and memory.capacity_bytes and memory.node_nm == technology.node_nm
    )
    above = next((i for i, (size, *_) in enumerate(rows) if size >= bank_bytes), None)
    if above is None or rows[0][0] > bank_bytes:
        size = f"{kind} with capacity_bytes {'>' if above is None else '<'}= {bank_bytes:g}"
        priced = sorted({f"{memory.node_nm:g}nm" for memory in memories() if memory.node_nm})
        expected = f"one of the technologies {', '.join(priced)}"
        if rows:
            sizes = f"{rows[0][0]} to {rows[-1][0]}" if len(rows) > 1 else f"{rows[0][0]}"
            expected = f"{sizes} bytes per bank: change banks, or give read_pj and write_pj"
        wrong = f"{technology.name} has no price for {kind} of {bank_bytes:g} bytes per bank"
        raise UnpricedError(wrong, row_to_add(technology, size) + expected)
    below = above if rows[above][0] == bank_bytes else above - 1
    return rows[below][2], rows[above][2]


def _own(kind: str, technology: Technology) -> list[Memory]:
    return [memory for memory in technology.memories if memory.kind == kind]
