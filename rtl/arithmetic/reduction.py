"""Sums of many words without a multiplier: carry-save compression and trees of adders, cut by registers."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed


def wire(m: Module, name: str, value: Value) -> Signal:
    """Return a signal with a value, so that a value with many uses is written once.

    Parameters
    ----------
    m
        Where it goes; combinational.
    name
        Its name.
    value
        The value.
    """
    signal = Signal.like(value, name=name)
    m.d.comb += signal.eq(value)
    return signal


def compress(m: Module, name: str, rows: Sequence[Value], unit: Value | None = None) -> tuple[Value, Value]:
    """Add a full adder for each bit of three words: a + b + c + unit = sum + carry.

    The operations are on whole words, which simulators execute at once; synthesis finds a full adder in each bit.

    Parameters
    ----------
    m
        Where the adders go; combinational.
    name
        Names the two words.
    rows
        Three unsigned words.
    unit
        A bit that is added at weight one for nothing, in the place that the shifted carries leave free.

    Returns
    -------
    tuple of Value
        The sum, as wide as the widest word, and the carry, one wider than the second widest: more would be constant.
    """
    a, b, c = rows
    widths = sorted(len(row) for row in rows)
    total = Signal(widths[2], name=f"{name}_sum")
    carry = Signal(widths[1] + 1, name=f"{name}_carry")
    a_, b_, c_ = (row[: widths[1]] for row in rows)
    m.d.comb += [
        total.eq(a ^ b ^ c),
        carry.eq(Cat(0 if unit is None else unit, (a_ & b_) | (a_ & c_) | (b_ & c_))),
    ]
    return total, carry


def levels(operands: int, carry_save: bool) -> int:
    """Return the levels of a tree.

    Parameters
    ----------
    operands
        Words to be added.
    carry_save
        Whether a level makes two words of three, down to two; else one of two, down to one.
    """
    count = 0
    while operands > (2 if carry_save else 1):
        operands -= operands // 3 if carry_save else operands // 2
        count += 1
    return count


def cuts(count: int, pipeline: int) -> dict[int, int]:
    """Return the number of registers after each level that has some.

    Parameters
    ----------
    count
        Levels of the tree.
    pipeline
        Registers in all: the first after the last level, the others spread evenly over the levels.
    """
    places = [count * i // pipeline for i in range(1, pipeline + 1)]
    return {place: places.count(place) for place in places}


def carry_save_sum(
    m: Module, rows: Sequence[Value], units: Sequence[Value], pipeline: int
) -> tuple[list[Value], list[Value]]:
    """Reduce words to two with the same sum.

    Parameters
    ----------
    m
        Where the compressors and registers go.
    rows
        Unsigned words of one width.
    units
        Bits added at weight one; each compressor takes one for nothing.
    pipeline
        Registers on the way, a cycle of latency each.

    Returns
    -------
    tuple of list
        At most two words, and the bits that found no place.
    """
    words, bits = list(rows), list(units)
    limit = (sum((1 << len(row)) - 1 for row in rows) + len(units)).bit_length()
    places = cuts(levels(len(words), carry_save=True), pipeline)
    words, bits = registered(m, "cut0", words, bits, places.get(0, 0))
    level = 0
    while len(words) > 2:
        level += 1
        following: list[Value] = []
        # Words of one width are of one age: an adder whose operands come together changes its outputs once.
        words.sort(key=len, reverse=True)
        for i in range(0, len(words) - 2, 3):
            unit = bits.pop(0) if bits else None
            pair = compress(m, f"level{level}_{i // 3}", words[i : i + 3], unit)
            following += [word[:limit] for word in pair]
        words = following + words[len(words) - len(words) % 3 :]
        words, bits = registered(m, f"cut{level}", words, bits, places.get(level, 0))
    return words, bits


def carry_chain_sum(
    m: Module, rows: Sequence[Value], units: Sequence[Value], pipeline: int, chain: int = 1
) -> tuple[list[Value], list[Value]]:
    """Add signed words in a binary tree of adders; the bits come in as the adders' carries.

    With chains, each leaf of the tree is the sum of several rows, added one after the other. That is deeper, so that
    the tree's last level lies behind the first register then, beside the accumulators' adder.

    Parameters
    ----------
    m
        Where the adders and registers go.
    rows
        Signed words.
    units
        Bits added at weight one, at most one more than there are adders; may be empty.
    pipeline
        Registers on the way, a cycle of latency each.
    chain
        Rows that are added one after the other before the tree; 1 for none.

    Returns
    -------
    tuple of list
        One signed word, and the bits that found no adder.
    """
    words, bits = list(rows), list(units)
    if chain > 1:
        words = [chained_rows(m, f"chain{i // chain}", words[i : i + chain], bits) for i in range(0, len(words), chain)]
    return tree_sum(m, words, bits, pipeline, chained=chain > 1)


def tree_sum(
    m: Module,
    rows: Sequence[Value],
    units: Sequence[Value],
    pipeline: int,
    chained: bool,
    inverted: Sequence[Value] = (),
) -> tuple[list[Value], list[Value]]:
    """Add signed words in a binary tree of adders; the bits come in as the adders' carries.

    Parameters
    ----------
    m
        Where the adders and registers go.
    rows
        Signed words.
    units
        Bits added at weight one, at most one more than there are adders; may be empty.
    pipeline
        Registers on the way, a cycle of latency each.
    chained
        Whether the words are sums of chains: the last level lies behind the first register then.
    inverted
        For each word whether its bits are inverted, in which case the first level inverts them back; constants cost
        nothing. By default none is.

    Returns
    -------
    tuple of list
        One signed word, and the bits that found no adder.
    """
    words, bits = list(rows), list(units)
    count = levels(len(words), carry_save=False)
    places = cuts(max(0, count - 1) if chained else count, pipeline)
    turned = {i: sign for i, sign in enumerate(inverted) if not isinstance(sign, Const)}
    words, bits = registered(m, "cut0", words, [*bits, *turned.values()], places.get(0, 0))
    for i in reversed(turned):
        words[i] = (words[i].as_unsigned() ^ bits.pop().replicate(len(words[i]))).as_signed()
    level = 0
    while len(words) > 1:
        level += 1
        following: list[Value] = []
        for i in range(0, len(words) - 1, 2):
            total = Signal.like(words[i] + words[i + 1], name=f"level{level}_{i // 2}")
            m.d.comb += total.eq(add(words[i], words[i + 1], bits.pop(0) if bits else None))
            following.append(total)
        words = following + words[len(words) - len(words) % 2 :]
        words, bits = registered(m, f"cut{level}", words, bits, places.get(level, 0))
    return words, bits


def chained_rows(m: Module, name: str, rows: Sequence[Value], units: list[Value]) -> Value:
    """Add signed words one after the other.

    Parameters
    ----------
    m
        Where the adders go.
    name
        Names them.
    rows
        Words of one width, in two's complement, each of which may owe a one.
    units
        Bits added at weight one; each adder takes one away, if there is one.

    Returns
    -------
    Value
        Their sum. With n rows of b bits it is at least -n 2**(b-1), and less than n 2**(b-1): rows and ones.
    """
    total = rows[0]
    for i, row in enumerate(rows[1:], 2):
        bits = len(row) + (i - 1).bit_length()
        following = Signal(signed(bits), name=f"{name}_{i}")
        m.d.comb += following.eq(add(total, row, units.pop(0) if units else None))
        total = following
    return total


def add(a: Value, b: Value, unit: Value | None = None) -> Value:
    """Return a + b + unit with one chain of carries.

    Parameters
    ----------
    a, b
        Words of one signedness.
    unit
        A bit; its sum with itself, below the words' lowest bits, carries into them.
    """
    if unit is None:
        return a + b
    low_a, low_b = Cat(unit, a), Cat(unit, b)
    if a.shape().signed:
        return ((low_a.as_signed() + low_b.as_signed()) >> 1).as_signed()
    return (low_a + low_b) >> 1


def registered(
    m: Module, name: str, words: Sequence[Value], bits: Sequence[Value], count: int
) -> tuple[list[Value], list[Value]]:
    """Return words and bits that have passed registers.

    Parameters
    ----------
    m
        Where the registers go.
    name
        Names them.
    words, bits
        Inputs of the registers.
    count
        Registers one behind the other; may be none.
    """
    for i in range(count):
        suffix = f"{name}_{i}" if count > 1 else name
        word_registers = [Signal.like(word, name=f"{suffix}_word{j}", reset_less=True) for j, word in enumerate(words)]
        bit_registers = [Signal(1, name=f"{suffix}_unit{j}", reset_less=True) for j in range(len(bits))]
        m.d.sync += [
            register.eq(word) for register, word in zip([*word_registers, *bit_registers], [*words, *bits], strict=True)
        ]
        words, bits = word_registers, bit_registers
    return list(words), list(bits)
