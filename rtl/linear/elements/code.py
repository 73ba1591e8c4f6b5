"""The code of one activation: its product with the token's factor, rounded to FP32, then to an integer."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import Normalised, Number, normalised, shifted_right
from bitjoule.rtl.arithmetic.formats import FP16, Format
from bitjoule.rtl.arithmetic.multiplication import digits, product, recode
from bitjoule.rtl.arithmetic.reduction import wire
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements.division import PLACES
from bitjoule.rtl.linear.elements.token_scale import EXPONENT_BITS

LATENCY = 2


class CodeLane(wiring.Component):
    """Quantises one activation a cycle: rint(fl32(x * factor)), halves to even both times, within the code's bits.

    Latency: `LATENCY` cycles. The product is a radix-4 multiplication of the activation's significand (11 bits of FP16,
    8 of BF16, 24 of FP32) by the factor's 24 bits. Results are right for |x * factor| up to the code of the largest
    magnitude, which is what `TokenScale` makes of it.

    Parameters
    ----------
    config
        Format, steps and bits of a code.

    Ports
    -----
    word : In(bits of the format)
        The activation. Infinite and NaN ones have no code.
    significand, exponent : In
        The factor; see `TokenScale`.
    code : Out(signed)
        The code.
    """

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        super().__init__(
            {
                "word": In(config.form.bits),
                "significand": In(PLACES),
                "exponent": In(signed(EXPONENT_BITS)),
                "code": Out(signed(config.array.activation_bits)),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the multiplication and both roundings."""
        m = Module()
        form, bits = self._config.form, self._config.array.activation_bits
        fraction, exponent, sign, zero = fields_of(m, form, self.word)
        multiplier = wire(m, "multiplier", recode(Cat(fraction, Const(1, 1))))
        width = form.fraction_bits + 1 + PLACES
        whole = Signal(width, reset_less=True)
        power = Signal(signed(EXPONENT_BITS + 1), reset_less=True)
        negative, none = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            whole.eq(product(m, digits(multiplier), self.significand)[:width]),
            power.eq(exponent + self.exponent),
            negative.eq(sign),
            none.eq(zero),
        ]
        top = whole[-1]
        shifted = wire(m, "shifted", Mux(top, whole, Cat(Const(0, 1), whole[:-1])))
        kept, guard, rest = shifted[-PLACES:], shifted[-PLACES - 1], shifted[: -PLACES - 1].any()
        single = wire(m, "single", kept + (guard & (rest | kept[0])))  # 25 bits: 2**24 if rounding carried
        # Of the largest code's exponent, the bits above this place are the integer; smaller ones are shifted to it.
        most = self._config.steps.bit_length() - 1
        cut = PLACES - 2 - most
        places = wire(m, "places", (most - top - power).as_signed())
        reach = (most + 2).bit_length()
        aligned, lost = shifted_right(m, single[cut:], places[:reach])
        far = wire(m, "far", places[reach:].any() | none)
        half, below = aligned[0], lost | single[:cut].any()
        magnitude = wire(m, "magnitude", (aligned[1:] + (half & (below | aligned[1]))) & ~far.replicate(most + 3))
        limit = (1 << (bits - 1)) - 1
        clipped = wire(m, "clipped", Mux(magnitude > limit, limit, magnitude)[: bits - 1])
        m.d.sync += self.code.eq(Mux(negative, -clipped, clipped))
        return m


def fields_of(m: Module, form: Format, word: Value) -> tuple[Value, Value, Value, Value]:
    """Return fraction, exponent without a bias, sign, and whether the number counts as zero.

    Subnormal numbers of FP16 are normalised; those of the other formats are below half a step of any token, since the
    largest magnitude is at least 1e-5, and count as zero.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    form
        The format.
    word
        A finite number.
    """
    if form == FP16:
        number = Normalised(form, wire(m, "normalised", normalised(m, form, word)))
        return number.fraction, number.exponent - form.bias, number.sign, number.zero
    plain = Number(form, word)
    return plain.fraction, plain.exponent.as_unsigned() - form.bias, plain.sign, ~plain.exponent.any()
