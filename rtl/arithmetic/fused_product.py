"""One lane of the fused dot product: an exact product, and its alignment to the column's largest exponent."""

from amaranth.hdl import Cat, Const, Module, Mux, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import Number
from bitjoule.rtl.arithmetic.formats import FP16
from bitjoule.rtl.arithmetic.full_adders import chained, reduced
from bitjoule.rtl.arithmetic.multiplication import digits, recode
from bitjoule.rtl.arithmetic.reduction import wire

SIGNIFICAND_BITS = FP16.fraction_bits + 2  # with the leading one and a sign
PRODUCT_BITS = 2 * SIGNIFICAND_BITS - 1
EXPONENT_BITS = FP16.exponent_bits + 1
ACTIVATION_BITS = SIGNIFICAND_BITS + FP16.exponent_bits + 3
GUARD_BITS = 3  # below the lowest bit of the product that has the largest exponent
ALIGNED_BITS = PRODUCT_BITS + GUARD_BITS
DISTANCE_BITS = ALIGNED_BITS.bit_length()  # a product further below is one that rounds to zero


def fused_activation(word: Value) -> Value:
    """Return an FP16 activation as a `Product` takes it: all that does not depend on the weight.

    Its significand in two's complement, its exponent (of a subnormal number that of the least normal one), and whether
    it is zero, infinite, NaN: the lowest bits first.

    Parameters
    ----------
    word
        The activation.
    """
    number = Number(FP16, word)
    normal, special, fraction = number.exponent.any(), number.exponent.all(), number.fraction.any()
    magnitude = Cat(number.fraction, normal, Const(0, 1))
    significand = ((magnitude ^ number.sign.replicate(SIGNIFICAND_BITS)) + number.sign)[:SIGNIFICAND_BITS]
    return Cat(significand, _exponent(number), ~normal & ~fraction, special & ~fraction, special & fraction)


def _exponent(number: Number) -> Value:
    return Cat(number.exponent[0] | ~number.exponent.any(), number.exponent[1:])


class Product(wiring.Component):
    """Multiplies a weight and an activation exactly. Combinational.

    The weight's digits of radix 4 select multiples of the activation and hold still while the weight is held; its sign
    is theirs. Each row's sign bit is stored inverted, and the constant that this takes fills free places.

    Ports
    -----
    weight : In(16)
        As the stream brings it.
    activation : In
        From `fused_activation`.
    significand : Out(signed)
        The product of the significands, whose lowest bit weighs 2**(exponent - 50).
    exponent : Out
        The sum of both exponent fields; that of a subnormal number counts as one.
    nan, plus, minus : Out(1)
        The product is NaN, infinite, minus infinite; then significand and exponent mean nothing.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "weight": In(FP16.bits),
                "activation": In(ACTIVATION_BITS),
                "significand": Out(signed(PRODUCT_BITS)),
                "exponent": Out(EXPONENT_BITS),
                "nan": Out(1),
                "plus": Out(1),
                "minus": Out(1),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the multiplier."""
        m = Module()
        weight = Number(FP16, self.weight)
        significand = self.activation[:SIGNIFICAND_BITS]
        exponent = self.activation[SIGNIFICAND_BITS:-3]
        zero, infinite, nan = self.activation[-3:]
        normal = wire(m, "normal", weight.exponent.any())
        recoded = wire(m, "digits", recode(Cat(weight.fraction, normal)))
        once, twice = Cat(significand, significand[-1]), Cat(Const(0, 1), significand)
        places: list[list[Value]] = [[] for _ in range(PRODUCT_BITS)]
        offset = 0
        for i, digit in enumerate(digits(recoded)):
            negative = wire(m, f"negative{i}", digit.negative ^ weight.sign)
            chosen = Mux(digit.one, once, 0) | Mux(digit.two, twice, 0)
            row = wire(m, f"row{i}", chosen ^ negative.replicate(len(once)))
            for place, bit in enumerate([*row[:-1], ~row[-1]], 2 * i):
                places[place].append(bit)
            places[2 * i].append(negative)
            offset += 1 << (2 * i + len(row) - 1)
        for place, column in enumerate(places):
            if -offset >> place & 1:
                column.insert(0, Const(1, 1))
        fraction, special = weight.fraction.any(), weight.exponent.all()
        weight_infinite, weight_zero = special & ~fraction, ~normal & ~fraction
        any_infinite, sign = infinite | weight_infinite, significand[-1] ^ weight.sign
        exponents = [[a, b] for a, b in zip(exponent, _exponent(weight), strict=True)]
        m.d.comb += [
            self.significand.eq(chained(m, "product", reduced(m, "level", places))),
            self.exponent.eq(chained(m, "exponents", [*exponents, [Const(0, 1)]])),
            self.nan.eq(nan | (special & fraction) | (infinite & weight_zero) | (weight_infinite & zero)),
            self.plus.eq(any_infinite & ~sign),
            self.minus.eq(any_infinite & sign),
        ]
        return m


def distance(m: Module, name: str, largest: Value, exponent: Value) -> Value:
    """Return by how much a product is to be shifted, or as much as leaves nothing of it.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    name
        Names it.
    largest, exponent
        The column's largest exponent and the product's.
    """
    places = [[a, ~b] for a, b in zip(largest, exponent, strict=True)]
    found = chained(m, name, places, Const(1, 1))
    return found[:DISTANCE_BITS] | found[DISTANCE_BITS:].any().replicate(DISTANCE_BITS)


def aligned(m: Module, name: str, significand: Value, places: Value) -> tuple[Value, Value]:
    """Return a product shifted right, and the bit below its lowest, which rounds it when it is added.

    Stages of multiplexers and no shift by a variable: of two of those one behind the other, Verilator 5.48 makes a
    wrong one. The last stage decides two bits of the distance: far products are rare, and its lines seldom toggle.

    Parameters
    ----------
    m
        Where the multiplexers go; combinational.
    name
        Names them.
    significand
        Two's complement.
    places
        By how much.

    Returns
    -------
    tuple of Value
        `ALIGNED_BITS` bits in two's complement, and one.
    """
    word: Value = Cat(Const(0, GUARD_BITS + 1), significand)
    fine = len(places) - 2
    for i in range(fine):
        word = wire(m, f"{name}_stage{i}", Mux(places[i], _arithmetic_right(word, 1 << i), word))
    low, high = places[fine:]
    found: Value = Const(0, len(word))
    for i, line in enumerate((~low & ~high, low & ~high, ~low & high, low & high)):
        chosen = wire(m, f"{name}_coarse{i}", line)
        found |= Mux(chosen, _arithmetic_right(word, i << fine), 0)
    word = wire(m, f"{name}_stage{fine}", found)
    return word[1:], word[0]


def _arithmetic_right(word: Value, places: int) -> Value:
    return Cat(word[places:], word[-1].replicate(min(places, len(word))))


def largest(m: Module, words: list[Value]) -> Value:
    """Return the largest of unsigned words, from its highest bit down: one that lacks a bit another has, is out.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    words
        Of one width.
    """
    bits: list[Value] = []
    candidates: list[Value] = [Const(1, 1)] * len(words)
    for i in reversed(range(len(words[0]))):
        have = [
            wire(m, f"have{i}_{j}", candidate & word[i])
            for j, (candidate, word) in enumerate(zip(candidates, words, strict=True))
        ]
        bits.insert(0, wire(m, f"largest{i}", Cat(*have).any()))
        if i:
            candidates = [
                wire(m, f"candidate{i}_{j}", one | (candidate & ~bits[0]))
                for j, (one, candidate) in enumerate(zip(have, candidates, strict=True))
            ]
    return Cat(*bits)
