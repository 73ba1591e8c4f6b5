"""IEEE 754 addition and multiplication of any format: round to nearest even, subnormals, infinities, NaN.

Written for area and energy: one leading-zero count and one rounding an operation, and in the rounding adder a carry out
of the fraction counts the exponent up, also from subnormal to normal and from the largest number to infinity. Of each
NaN that comes out, the sign is 0 and only the highest bit of the fraction is set: quiet, no payload.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.formats import Format
from bitjoule.rtl.arithmetic.multiplication import DIGIT_BITS, digits, digits_of, product, recode
from bitjoule.rtl.arithmetic.reduction import add, wire


class Number:
    """The fields of a number.

    Parameters
    ----------
    form
        Its format.
    word
        Its bits.
    """

    def __init__(self, form: Format, word: Value) -> None:
        self.fraction, self.exponent = word[: form.fraction_bits], word[form.fraction_bits : -1]
        self.magnitude, self.sign = word[:-1], word[-1]


class Normalised:
    """A number whose subnormals are normalised, which takes an exponent of one bit more: `normalised` makes it.

    The exponent is two's complement: of a finite number the field's value, 0 or less if it was subnormal; of infinity
    and NaN the field, all ones; of zero the least, so that the highest two bits tell.

    Parameters
    ----------
    form
        The format it came from.
    word
        Fraction, exponent, sign, the lowest first.
    """

    def __init__(self, form: Format, word: Value) -> None:
        self.fraction, self.exponent = word[: form.fraction_bits], word[form.fraction_bits : -1].as_signed()
        self.sign = word[-1]
        self.zero = word[-2] & ~word[-3]
        self.special = ~word[-2] & word[form.fraction_bits : -2].all()
        self.nan = self.special & self.fraction.any()


def normalised_bits(form: Format) -> int:
    """Return the bits of a normalised number.

    Parameters
    ----------
    form
        Its format.
    """
    return form.bits + 1


def normalised(m: Module, form: Format, word: Value) -> Value:
    """Return a number with its subnormals normalised; see `Normalised`.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    form
        Its format.
    word
        Its bits.
    """
    number = Number(form, word)
    fraction, bits = number.fraction, form.exponent_bits
    count = leading_zeros(m, fraction)
    below = wire(m, "below", ~number.exponent.any())
    zero = wire(m, "zero", below & ~fraction.any())
    shifted = Cat(Const(0, 1), shifted_left(m, fraction, count)[:-1])
    exponent = Cat((Const(0, bits) - count)[:bits] & ~zero.replicate(bits), count.any() | zero)
    return Mux(below, Cat(shifted, exponent, number.sign), Cat(fraction, number.exponent, Const(0, 1), number.sign))


def multiplier_bits(form: Format) -> int:
    """Return the bits of a number as `multiplier` makes it.

    Parameters
    ----------
    form
        Its format.
    """
    return digits_of(form.fraction_bits + 2) * DIGIT_BITS + form.exponent_bits + 1 + 4


def multiplier(form: Format, word: Value) -> Value:
    """Return a normalised number as a `Multiplier` takes it: all that does not depend on the other operand.

    Parameters
    ----------
    form
        The format it came from.
    word
        From `normalised`.
    """
    number = Normalised(form, word)
    infinite = number.special & ~number.nan
    significand = Cat(number.fraction, Const(1, 1))
    return Cat(recode(significand), number.exponent, number.sign, number.zero, infinite, number.nan)


def leading_zeros(m: Module, word: Value) -> Value:
    """Return how many zeros are above the highest one, or any number if there is none.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    word
        The word.
    """
    missing = (1 << (len(word) - 1).bit_length()) - len(word)
    return wire(m, "count", _leading_zeros(m, Cat(Const(-1, missing), word) if missing else word)[0])


def _leading_zeros(m: Module, word: Value) -> tuple[Value, Value]:
    if len(word) == 1:
        return Const(0, 0), ~word
    half = len(word) // 2
    low, none_low = _leading_zeros(m, word[:half])
    high, none_high = _leading_zeros(m, word[half:])
    none = wire(m, "none", none_high)
    return wire(m, "count", Cat(Mux(none, low, high)[: len(low)], none)), none & none_low


def shifted_left(m: Module, word: Value, count: Value, fill: Value | None = None) -> Value:
    """Return a word shifted left, its own width.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    word, count
        The word, and by how much.
    fill
        The bit shifted in; by default zero.
    """
    for i in reversed(range(len(count))):
        step = min(1 << i, len(word))
        low = Const(0, step) if fill is None else fill.replicate(step)
        word = wire(m, f"left{i}", Mux(count[i], Cat(low, word[: len(word) - step]), word))
    return word


def shifted_right(m: Module, word: Value, count: Value) -> tuple[Value, Value]:
    """Return a word shifted right, its own width, and whether a one was shifted out.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    word, count
        The word, and by how much.
    """
    lost: Value = Const(0, 1)
    stages = min((len(word) - 1).bit_length(), len(count))
    for i in range(stages):
        lost = lost | (count[i] & word[: 1 << i].any())
        word = wire(m, f"right{i}", Mux(count[i], word[1 << i :], word))
    far = count[stages:].any()
    return word & ~far.replicate(len(word)), lost | (far & word.any())


def to_nearest(form: Format, base: Value, significand: Value, guard: Value, sticky: Value) -> Value:
    """Return exponent and fraction, rounded to nearest even.

    Parameters
    ----------
    form
        The format.
    base
        The exponent less one; zero also if subnormal. The significand's leading one, if it is there, adds one.
    significand
        With the place of the leading one.
    guard, sticky
        The first bit below it, and whether any other is set.
    """
    up = guard & (sticky | significand[0])
    return add(Cat(Const(0, form.fraction_bits), base), significand, up)[: form.fraction_bits + len(base)]


class Adder(wiring.Component):
    """Adds two numbers. Combinational.

    The operand of the greater magnitude stays, the other is shifted to it; what it loses is one sticky bit. The sum is
    normalised by as many places as it has leading zeros, but by no more than its exponent leaves above the subnormals:
    a one put there stops the count.

    Parameters
    ----------
    form
        The format of all three.

    Ports
    -----
    a, b : In(bits)
        The operands.
    y : Out(bits)
        The sum, rounded to nearest even; x - x is +0.
    """

    def __init__(self, form: Format) -> None:
        self._form = form
        super().__init__({"a": In(form.bits), "b": In(form.bits), "y": Out(form.bits)})

    def elaborate(self, _: object) -> Module:
        """Build the adder."""
        m = Module()
        form = self._form
        places = form.fraction_bits + 1
        large, small = (Signal(form.bits, name=name) for name in ("large", "small"))
        swap, subtract = Signal(name="swap"), Signal(name="subtract")
        m.d.comb += [
            swap.eq(self.a[:-1] < self.b[:-1]),
            large.eq(Mux(swap, self.b, self.a)),
            small.eq(Mux(swap, self.a, self.b)),
            subtract.eq(self.a[-1] ^ self.b[-1]),
        ]
        x, y = Number(form, large), Number(form, small)
        x_normal, y_normal = x.exponent.any(), y.exponent.any()
        exponent, lower = (
            wire(m, name, Cat(number.exponent[0] | ~normal, number.exponent[1:]))
            for name, number, normal in (("exponent", x, x_normal), ("lower", y, y_normal))
        )
        distance = Signal(form.exponent_bits)
        m.d.comb += distance.eq(exponent - lower)
        aligned, lost = shifted_right(m, Cat(Const(0, 2), y.fraction, y_normal), distance)
        added = Signal(places + 3)
        total = Signal(places + 4)
        m.d.comb += [
            added.eq(Cat(lost, aligned) ^ subtract.replicate(places + 3)),
            total.eq(add(Cat(Const(0, 3), x.fraction, x_normal), added, subtract) & ~(subtract << (places + 3))),
        ]
        top = len(total) - 1
        # At the most places that the exponent has room for; none where it has room for all.
        stops = [exponent == top - i if top - i < 1 << form.exponent_bits else Const(0, 1) for i in range(top + 1)]
        count = leading_zeros(m, wire(m, "stopped", total | Cat(*stops)))
        shifted = shifted_left(m, total, count)
        none = wire(m, "none", ~total.any())
        base = (exponent - count)[: form.exponent_bits] & ~none.replicate(form.exponent_bits)
        rounded = Signal(form.bits - 1)
        special, nan = wire(m, "special", x.exponent.all()), Signal(name="nan")
        m.d.comb += [
            rounded.eq(to_nearest(form, base, shifted[4:], shifted[3], shifted[:3].any())),
            nan.eq(special & (x.fraction.any() | (y.exponent.all() & subtract))),
            self.y.eq(packed(m, form, rounded, x.sign & ~(none & subtract), Const(0, 1), special, nan)),
        ]
        return m


def packed(m: Module, form: Format, rounded: Value, sign: Value, zero: Value, special: Value, nan: Value) -> Value:
    """Return a number; its exponent is all ones where `special`, or where that is what rounding made it.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    form
        The format.
    rounded
        From `to_nearest`.
    sign, zero, special, nan
        Of the number; `special` also where `nan`, and `zero` not there.
    """
    fraction, exponent = rounded[: form.fraction_bits], rounded[form.fraction_bits :]
    overflow = exponent[: form.exponent_bits].all() | exponent[form.exponent_bits :].any()
    ones = wire(m, "ones", special | (overflow & ~zero))
    mask = ~(ones | zero).replicate(form.fraction_bits)
    finite = Cat(fraction & mask, exponent[: form.exponent_bits] & ~zero.replicate(form.exponent_bits), sign & ~nan)
    return finite | Cat(Const(0, form.fraction_bits - 1), nan, ones.replicate(form.exponent_bits), Const(0, 1))


class Multiplier(wiring.Component):
    """Multiplies two numbers of one format. Combinational.

    Parameters
    ----------
    form
        The operands' format.
    result
        The format of the product: the same, or one that holds it exactly.

    Ports
    -----
    a : In(multiplier_bits)
        From `multiplier`.
    b : In(normalised_bits)
        From `normalised`.
    y : Out(bits of `result`)
        The product, rounded to nearest even.
    """

    def __init__(self, form: Format, result: Format) -> None:
        self._form, self._result = form, result
        super().__init__({"a": In(multiplier_bits(form)), "b": In(normalised_bits(form)), "y": Out(result.bits)})

    def elaborate(self, _: object) -> Module:
        """Build the multiplier."""
        m = Module()
        form, result = self._form, self._result
        places = form.fraction_bits + 1
        size = digits_of(places + 1) * DIGIT_BITS
        a_exponent = self.a[size : size + form.exponent_bits + 1].as_signed()
        a_sign, a_zero, a_infinite, a_nan = self.a[size + form.exponent_bits + 1 :]
        b = Normalised(form, self.b)
        whole = Signal(2 * places)
        m.d.comb += whole.eq(product(m, digits(self.a[:size]), Cat(b.fraction, Const(1, 1)))[: 2 * places])
        top = whole[-1]
        shifted = wire(m, "shifted", Mux(top, whole, Cat(Const(0, 1), whole[:-1])))
        # One less than the exponent: the leading one will count it up.
        least = Signal(signed(max(form.exponent_bits + 2, result.exponent_bits)))
        constant = result.bias - 2 * form.bias - 1
        m.d.comb += least.eq(a_exponent + b.exponent + Mux(top, constant + 1, constant))
        zero, special, nan = (Signal(name=name) for name in ("zero", "special", "nan"))
        m.d.comb += [
            zero.eq(a_zero | b.zero),
            nan.eq(a_nan | b.nan | ((a_infinite | b.special) & zero)),
            special.eq(a_infinite | b.special | nan),
        ]
        rounded = Signal(result.fraction_bits + result.exponent_bits + (form == result))
        if form == result:
            m.d.comb += rounded.eq(self._rounded(m, shifted, least))
        else:
            padded = Cat(Const(0, result.fraction_bits + 1 - 2 * places), shifted)
            m.d.comb += rounded.eq(to_nearest(result, least[: result.exponent_bits], padded, Const(0, 1), Const(0, 1)))
        m.d.comb += self.y.eq(packed(m, result, rounded, a_sign ^ b.sign, zero & ~nan, special, nan))
        return m

    def _rounded(self, m: Module, significand: Value, least: Value) -> Value:
        form = self._form
        places = form.fraction_bits + 1
        below = least[-1]  # subnormal: shifted right by one, and by as many places as the exponent is too small
        exact, sticky = significand[places - 1 :], significand[: places - 1].any()
        half, lost_bit = wire(m, "half", Mux(below, exact[1:], exact)), below & exact[0]
        aligned, lost = shifted_right(m, half, ~least[:-1] & below.replicate(len(least) - 1))
        kept = Signal(places + 1)
        m.d.comb += kept.eq(aligned)
        base = least[: form.exponent_bits + 1] & ~below.replicate(form.exponent_bits + 1)
        return to_nearest(form, base, kept[1:], kept[0], sticky | lost_bit | lost)
