"""One value of an RMSNorm: times the token's factor, then times its gain."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import Adder, Number, packed, shifted_right, to_nearest
from bitjoule.rtl.arithmetic.formats import BF16, FP32, Format
from bitjoule.rtl.arithmetic.operators import FloatMultiplier
from bitjoule.rtl.arithmetic.reduction import wire
from bitjoule.rtl.linear.elements.token_scale import as_fp32

LATENCY = 3


def signed_fp32(m: Module, form: Format, word: Value) -> Value:
    """Return a number in FP32: exactly, and infinite or NaN if it is.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    form
        Its format.
    word
        Its bits.
    """
    if form == FP32:
        return word
    magnitude = as_fp32(m, form, word[:-1])
    special = word[form.fraction_bits : -1].all()
    ones = Cat(
        Const(0, FP32.fraction_bits - form.fraction_bits),
        word[: form.fraction_bits],
        Const(-1, FP32.exponent_bits),
    )
    return Cat(Mux(special, ones, magnitude), word[-1])


def narrowed(m: Module, form: Format, word: Value) -> Value:
    """Return an FP32 number rounded to a format, to nearest even.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    form
        The format.
    word
        The number's bits.
    """
    if form == FP32:
        return word
    number = Number(FP32, word)
    special = number.exponent.all()
    nan = special & number.fraction.any()
    cut = FP32.fraction_bits - form.fraction_bits
    if form == BF16:  # the exponent is the same: subnormal numbers are rounded where they are
        up = word[cut - 1] & (word[: cut - 1].any() | word[cut])
        rounded = wire(m, "narrowed", word[cut:-1] + up)
    else:
        # Exponents at which FP32 is subnormal are far below the least number.
        least = wire(m, "least", (number.exponent + (form.bias - FP32.bias - 1)).as_signed())
        below = least[-1]
        significand = Cat(number.fraction, Const(1, 1))
        kept = form.fraction_bits + 2
        moved, lost = shifted_right(m, significand[-kept:], -least & below.replicate(len(least)))
        base = least[:-1] & ~below.replicate(len(least) - 1)
        sticky = lost | significand[:-kept].any()
        rounded = wire(m, "narrowed", to_nearest(form, base, moved[1:], moved[0], sticky))
    return packed(m, form, rounded, number.sign, Const(0, 1), special, nan)


class NormLane(wiring.Component):
    """Returns x * factor, rounded to FP32 and then to the format, times the gain, rounded to the format.

    Latency: `LATENCY` cycles in which `enable` is set.

    Parameters
    ----------
    form
        The format.

    Ports
    -----
    enable : In(1)
        Whether the registers take what is before them.
    word, gain : In(bits of the format)
        A value and its gain.
    factor : In(32)
        FP32.
    normed : Out(bits of the format)
        The result.
    """

    def __init__(self, form: Format) -> None:
        self._form = form
        super().__init__(
            {
                "enable": In(1),
                "word": In(form.bits),
                "gain": In(form.bits),
                "factor": In(FP32.bits),
                "normed": Out(form.bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build two multipliers and the rounding between."""
        m = Module()
        form = self._form
        m.submodules.first = first = FloatMultiplier(FP32)
        m.submodules.second = second = FloatMultiplier(form)
        single = Signal(FP32.bits, reset_less=True)
        gains = [Signal(form.bits, name=f"gain{i}", reset_less=True) for i in range(2)]
        scaled = Signal(form.bits, reset_less=True)
        m.d.comb += [
            first.a.eq(signed_fp32(m, form, self.word)),
            first.b.eq(self.factor),
            second.a.eq(scaled),
            second.b.eq(gains[1]),
        ]
        with m.If(self.enable):
            m.d.sync += [
                single.eq(first.y),
                gains[0].eq(self.gain),
                scaled.eq(narrowed(m, form, single)),
                gains[1].eq(gains[0]),
                self.normed.eq(second.y),
            ]
        return m


class SquareLane(wiring.Component):
    """Adds squares up in FP32. Latency: a square is in the sum two cycles after it came.

    Parameters
    ----------
    form
        The format of the values.

    Ports
    -----
    clear : In(1)
        The sum becomes zero.
    valid : In(1)
        A value is there.
    word : In(bits of the format)
        The value.
    other, adds : In(32), In(1)
        Another sum to be added; in cycles in which no value is on its way.
    total : Out(32)
        The sum.
    """

    def __init__(self, form: Format) -> None:
        self._form = form
        super().__init__(
            {
                "clear": In(1),
                "valid": In(1),
                "word": In(form.bits),
                "other": In(FP32.bits),
                "adds": In(1),
                "total": Out(FP32.bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build multiplier and adder."""
        m = Module()
        m.submodules.square = square = FloatMultiplier(FP32)
        m.submodules.adder = adder = Adder(FP32)
        word = wire(m, "single", signed_fp32(m, self._form, self.word))
        product = Signal(FP32.bits, reset_less=True)
        follows = Signal()
        m.d.sync += [product.eq(square.y), follows.eq(self.valid)]
        m.d.comb += [
            square.a.eq(word),
            square.b.eq(word),
            adder.a.eq(self.total),
            adder.b.eq(Mux(self.adds, self.other, product)),
        ]
        with m.If(self.clear):
            m.d.sync += self.total.eq(0)
        with m.Elif(follows | self.adds):
            m.d.sync += self.total.eq(adder.y)
        return m
