"""Products as rows to be added: radix-4 Booth, written out as selections so that no multiplier is left to synthesis."""

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitjoule.rtl.arithmetic.reduction import add, carry_save_sum, wire

DIGIT_BITS = 3


class Digit(NamedTuple):
    """A digit of radix 4.

    Parameters
    ----------
    negative
        It is -1 or -2.
    one, two
        Its magnitude is 1, is 2; zero if neither.
    """

    negative: Value
    one: Value
    two: Value


def digits_of(bits: int) -> int:
    """Return the digits that a signed word takes.

    Parameters
    ----------
    bits
        Of the word.
    """
    return -(-bits // 2)


def recode(word: Value) -> Value:
    """Return the radix-4 digits of a word, -2 to 2 each, the lowest first: `DIGIT_BITS` bits each, as `Digit`.

    Parameters
    ----------
    word
        Two's complement if signed.
    """
    count = digits_of(len(word) + (not word.shape().signed))
    top = word[-1] if word.shape().signed else Const(0, 1)
    bits = Cat(Const(0, 1), word, top.replicate(2 * count - len(word)))
    recoded = []
    for i in range(count):
        low, middle, high = (bits[2 * i + place] for place in range(3))
        one = low ^ middle
        recoded += [high & ~(low & middle), one, (high ^ middle) & ~one]
    return Cat(*recoded)


def digits(recoded: Value) -> list[Digit]:
    """Return the digits that `recode` made.

    Parameters
    ----------
    recoded
        Its result.
    """
    return [Digit(*recoded[i : i + DIGIT_BITS]) for i in range(0, len(recoded), DIGIT_BITS)]


def booth_rows(m: Module, name: str, multiplier: Sequence[Digit], word: Value) -> tuple[list[Value], int]:
    """Return rows whose sum is the product of digits and word plus a number known beforehand.

    A digit selects word, twice the word or nothing; a negative one inverts the row and owes a one, which stands in
    places that the next row leaves free. The sign bit of each row is stored inverted, so that no row extends a sign.

    Parameters
    ----------
    m
        Where the selections go; combinational.
    name
        Names the rows.
    multiplier
        The digits, the lowest first.
    word
        Two's complement if signed.

    Returns
    -------
    tuple of list and int
        Unsigned rows, and the number.
    """
    signed = word.shape().signed
    top = word[-1] if signed else Const(0, 1)
    once, twice = Cat(word, top), Cat(Const(0, 1), word)
    rows: list[Value] = []
    offset = 0
    owed: Value | None = None
    for i, digit in enumerate(multiplier):
        row = Signal(len(once) + (not signed), name=f"{name}_row{i}")
        chosen = Mux(digit.one, once, 0) | Mux(digit.two, twice, 0)
        bits = wire(m, f"{name}_bits{i}", chosen ^ digit.negative.replicate(len(once)))
        # Of an unsigned word, the sign is the digit's; a row's complement is one less than its negative.
        m.d.comb += row.eq(Cat(bits[:-1], ~bits[-1]) if signed else Cat(bits, ~digit.negative))
        below = Const(0, 2 * i) if owed is None else Cat(Const(0, 2 * i - 2), owed, Const(0, 1))
        rows.append(Cat(below, row) if len(below) else row)
        offset += 1 << (2 * i + len(row) - 1)
        owed = digit.negative
    last = 2 * len(multiplier) - 2
    assert owed is not None  # noqa: S101
    return [*rows, Cat(Const(0, last), owed) if last else owed], offset


def product(m: Module, multiplier: Sequence[Digit], word: Value) -> Value:
    """Return the product of digits and a word, in the bits of both together.

    Parameters
    ----------
    m
        Where the adders go; combinational.
    multiplier
        The digits, the lowest first.
    word
        Two's complement if signed.
    """
    bits = 2 * len(multiplier) + len(word)
    rows, offset = booth_rows(m, "product", multiplier, word)
    constant = Const(-offset % (1 << bits), bits)
    words, _ = carry_save_sum(m, [*rows, constant], [], 0)
    return add(*words)[:bits]
