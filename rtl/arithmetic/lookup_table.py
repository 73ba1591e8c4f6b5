"""Tables of the partial sums of a group of activations, built once for all columns, and what a column picks of them.

A group of g trits has 3**g sums (of ±1: 2**g). The table holds one of each pair of opposite sums, zero left out: of
two activations 4 sums with trits, 2 with ±1. A column's trits pick an entry and negate it.
"""

from collections.abc import Sequence
from itertools import product

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from bitjoule.rtl.arithmetic.reduction import wire
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.encodings import Trits


def entries(config: AcceleratorConfig) -> list[Trits]:
    """Return the trits whose sums a table holds: all whose last one that is not zero is +1.

    Parameters
    ----------
    config
        The encoding.
    """
    every = product((-1, 0, 1) if config.encoding.zero else (-1, 1), repeat=config.group_lanes)
    return [trits for trits in every if any(trits) and trits[_top(trits)] == 1]


def _top(trits: Trits) -> int:
    """Return the place of the last trit that is not zero."""
    return max(place for place, trit in enumerate(trits) if trit)


def entry_bits(config: AcceleratorConfig, trits: Trits) -> int:
    """Return the bits of a sum of activations, two's complement.

    Parameters
    ----------
    config
        The bits of an activation.
    trits
        Those of the sum.
    """
    return config.activation_bits + (sum(map(abs, trits)) - 1).bit_length()


def table_bits(config: AcceleratorConfig) -> int:
    """Return the bits of a group's table.

    Parameters
    ----------
    config
        The encoding and the bits of an activation.
    """
    return sum(entry_bits(config, trits) for trits in entries(config))


def row_bits(config: AcceleratorConfig) -> int:
    """Return the bits of the largest entry.

    Parameters
    ----------
    config
        The encoding and the bits of an activation.
    """
    return entry_bits(config, (1,) * config.group_lanes)


def table(m: Module, name: str, config: AcceleratorConfig, activations: Sequence[Value]) -> Value:
    """Return the sums of a group, one after the other, in the order of `entries`.

    Parameters
    ----------
    m
        Where the adders go; combinational.
    name
        Names the sums.
    config
        The encoding.
    activations
        Signed, one per lane of the group.
    """
    made: dict[tuple[int, Trits], Value] = {}

    def total(first: int, trits: Trits) -> Value:
        """Return a sum, which ends in +1; each part of it is added once for all entries."""
        if len(trits) == 1:
            return activations[first]
        middle = len(trits) // 2
        low, high = trits[:middle], trits[middle:]
        if not any(low):
            return total(first + middle, high)
        if not any(high):
            return total(first, low)
        if (first, trits) not in made:
            negative = low[_top(low)] < 0
            a, b = total(first + middle, high), total(first, tuple(-trit for trit in low) if negative else low)
            made[first, trits] = wire(m, f"{name}_sum{len(made)}", a - b if negative else a + b)
        return made[first, trits]

    return Cat(*(total(0, trits)[: entry_bits(config, trits)] for trits in entries(config)))


def picked(
    m: Module, name: str, config: AcceleratorConfig, trits: Sequence[tuple[Value, Value]], sums: Value
) -> tuple[Value, Value]:
    """Return a column's row of a group and the one that it owes: their sum is the group's plus 2**(row_bits - 1).

    The last trit that is not zero decides whether the entry is inverted. The sign bit is stored inverted, so that no
    row extends a sign.

    Parameters
    ----------
    m
        Where the selection goes; combinational.
    name
        Names it.
    config
        The encoding.
    trits
        Select lines (plus, minus) of the group's lanes; both set is zero, as neither is.
    sums
        The group's table.
    """
    minus = [low for _, low in trits]
    nonzero = [wire(m, f"{name}_nonzero{i}", a ^ b) for i, (a, b) in enumerate(trits)]
    negative = minus[0]
    for sign, set_ in zip(minus[1:], nonzero[1:], strict=True):
        negative = Mux(set_, sign, negative) if config.encoding.zero else sign
    negative = wire(m, f"{name}_negative", negative)
    bits = row_bits(config)
    chosen: Value | None = None
    first = 0
    for i, entry in enumerate(entries(config)):
        width, top = entry_bits(config, entry), _top(entry)
        # Signs are compared with that of the last trit: the lines need not wait for `negative`.
        needed = [(minus[place] ^ minus[top]) if trit < 0 else ~(minus[place] ^ minus[top])
                  for place, trit in enumerate(entry) if trit and place != top]  # fmt: skip
        if config.encoding.zero:
            needed += [nonzero[place] if trit else ~nonzero[place] for place, trit in enumerate(entry)]
        line = wire(m, f"{name}_line{i}", Cat(*needed).all())
        value = sums[first : first + width]
        first += width
        term = Mux(line, Cat(value, value[-1].replicate(bits - width)), 0)
        chosen = term if chosen is None else chosen | term
    row = Signal(bits, name=f"{name}_row")
    signed = wire(m, f"{name}_signed", chosen ^ negative.replicate(bits))
    m.d.comb += row.eq(Cat(signed[:-1], ~signed[-1]))
    return row, negative
