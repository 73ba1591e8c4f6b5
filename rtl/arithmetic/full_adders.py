"""Sums of bits of any weights with as few full adders as there are bits to lose, and chains of full adders."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Value

from bitjoule.rtl.arithmetic.reduction import wire


def reduced(m: Module, name: str, places: Sequence[Sequence[Value]]) -> list[list[Value]]:
    """Return bits with the same sum, at most two a place: Dadda's tree.

    Parameters
    ----------
    m
        Where the adders go; combinational.
    name
        Names them.
    places
        For each power of two, the lowest first, the bits of that weight. What is carried out of the last is lost.
    """
    heights = [2]
    while heights[-1] < max(map(len, places)):
        heights.append(heights[-1] * 3 // 2)
    columns = [list(place) for place in places]
    for level, height in enumerate(reversed(heights[:-1])):
        for place, column in enumerate(columns):
            while len(column) > height:
                count = 2 if len(column) == height + 1 else 3
                bits = [column.pop(0) for _ in range(count)]
                total, carry = _added(m, f"{name}{level}_{place}", bits)
                column.append(total)
                if place + 1 < len(columns):
                    columns[place + 1].append(carry)
    return columns


def chained(m: Module, name: str, places: Sequence[Sequence[Value]], unit: Value | None = None) -> Value:
    """Return the sum of at most two bits a place, as many bits as there are places, by one chain of full adders.

    Parameters
    ----------
    m
        Where the chain goes; combinational.
    name
        Names its bits.
    places
        As for `reduced`.
    unit
        A bit added at the lowest place.
    """
    bits = []
    carries = [] if unit is None else [unit]
    for place, column in enumerate(places):
        total, *rest = [*column, *carries] or [Const(0, 1)]
        carry: Value | None = None
        if rest:
            total, carry = _added(m, f"{name}{place}", [total, *rest])
        carries = [] if carry is None else [carry]
        bits.append(total)
    return wire(m, name, Cat(*bits))


def _added(m: Module, name: str, bits: Sequence[Value]) -> tuple[Value, Value]:
    if len(bits) == 2:
        a, b = bits
        return wire(m, f"{name}_sum", a ^ b), wire(m, f"{name}_carry", a & b)
    a, b, c = bits
    return wire(m, f"{name}_sum", a ^ b ^ c), wire(m, f"{name}_carry", (a & b) | (a & c) | (b & c))
