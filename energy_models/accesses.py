"""What it costs to move one bit in or out of a buffer or of off-chip memory."""

import math

from bitjoule.energy_models.amounts import price_of
from bitjoule.energy_models.facts import Price
from bitjoule.energy_models.memories import memories
from bitjoule.energy_models.platforms import Buffer, OffChip
from bitjoule.energy_models.technology import Technology


class UnpricedError(LookupError):
    """A platform or technology cannot run or price what a scheme needs; the message says what to change."""


def off_chip_price(off_chip: OffChip, reads: bool, name: str) -> tuple[Price, str]:
    """Return the price of a bit that crosses the chip's edge, and the key of its source.

    Parameters
    ----------
    off_chip
        The memory.
    reads
        Whether the bit is read.
    name
        The platform's.
    """
    if off_chip.memory is not None:
        row = next(memory for memory in memories() if memory.name == off_chip.memory)
        return Price(*(value / row.access_bits for value in row.energy)), f"memory {off_chip.memory}"
    own = off_chip.read_pj_per_bit if reads else off_chip.write_pj_per_bit
    return price_of(own or 0.0), f"off-chip {name}"


def buffer_price(buffer: Buffer, reads: bool, technology: Technology, name: str) -> tuple[Price, str]:
    """Return the price of a bit of a buffer, and the key of its source.

    Parameters
    ----------
    buffer
        The buffer; a memory macro is priced log-log in its size between the rows of memories.csv.
    reads
        Whether the bit is read.
    technology, name
        Where it is built; the platform's name.

    Raises
    ------
    UnpricedError
        The technology does not price a macro of this size.
    """
    if buffer.memory is not None:
        return _macro_price(buffer, technology), f"memory {buffer.memory} {technology.name}"
    own = buffer.read_pj if reads else buffer.write_pj
    return price_of((own or 0.0) / buffer.width_bits), f"buffer {name}"


def _macro_price(buffer: Buffer, technology: Technology) -> Price:
    rows = sorted(
        (memory.capacity_bytes, memory.name, memory)
        for memory in memories()
        if memory.kind == buffer.memory and memory.capacity_bytes and memory.node_nm == technology.node_nm
    )
    bank_bytes = buffer.size_bytes / buffer.banks
    above = next((i for i, (size, *_) in enumerate(rows) if size >= bank_bytes), None)
    if above is None or rows[0][0] > bank_bytes:
        priced = sorted({f"{memory.node_nm:g}nm" for memory in memories() if memory.node_nm})
        raise UnpricedError(
            f"{technology.name} has no price for {buffer.memory} of {bank_bytes:g} bytes a bank",
            f"a technology out of {', '.join(priced)}",
        )
    (small, _, first), (large, _, second) = rows[max(above - 1, 0)], rows[above]
    share = math.log(bank_bytes / small) / math.log(large / small) if large > small else 0.0
    return Price(
        *(
            (one / first.access_bits) ** (1 - share) * (two / second.access_bits) ** share
            for one, two in zip(first.energy, second.energy, strict=True)
        )
    )
