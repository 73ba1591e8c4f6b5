"""One output: an exact sum times a token's scale, rounded once to the format of the outputs."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import (
    Normalised,
    leading_zeros,
    normalised_bits,
    packed,
    shifted_left,
    shifted_right,
    to_nearest,
)
from bitjoule.rtl.arithmetic.formats import FP32
from bitjoule.rtl.arithmetic.multiplication import digits, product, recode
from bitjoule.rtl.arithmetic.reduction import wire
from bitjoule.rtl.linear.config import LinearConfig

LATENCY = 3
_POWER_BITS = 11  # of an exponent, two's complement


class RescaleLane(wiring.Component):
    """Multiplies one sum a cycle by a scale. Latency: `LATENCY` cycles in which `enable` is set.

    The product of the sum's magnitude and the scale's 24 bits is exact and rounded once, to nearest even; subnormal
    results, infinities and NaN are those of IEEE 754. Of NaN, the sign is 0 and the payload empty.

    Parameters
    ----------
    config
        Bits of a sum, and the format.

    Ports
    -----
    enable : In(1)
        Whether the registers take what is before them.
    total : In(signed)
        The sum.
    scale : In(33)
        A scale in FP32, as `bitjoule.rtl.arithmetic.floating_point.normalised` makes it.
    word : Out(bits of the format)
        The output.
    """

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        super().__init__(
            {
                "enable": In(1),
                "total": In(signed(config.array.accumulator_bits)),
                "scale": In(normalised_bits(FP32)),
                "word": Out(config.form.bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build three stages: magnitude, multiplication, rounding."""
        m = Module()
        form, bits = self._config.form, self._config.array.accumulator_bits
        # First: the sum's magnitude with its leading one at the top.
        negative = self.total[-1]
        magnitude = wire(m, "magnitude", Mux(negative, -self.total, self.total)[:bits])
        count = leading_zeros(m, magnitude)
        aligned = Signal(bits, reset_less=True)
        scale = Signal(len(self.scale), reset_less=True)
        places = Signal(range(bits), reset_less=True)
        none, minus = Signal(reset_less=True), Signal(reset_less=True)
        with m.If(self.enable):
            m.d.sync += [
                aligned.eq(shifted_left(m, magnitude, count)),
                places.eq(bits - 1 - count),
                scale.eq(self.scale),
                none.eq(~magnitude.any()),
                minus.eq(negative),
            ]
        # Second: the product, exact.
        factor = Normalised(FP32, scale)
        multiplier = wire(m, "multiplier", recode(aligned))
        significand = wire(m, "significand", Cat(factor.fraction, Const(1, 1)))
        width = bits + FP32.fraction_bits + 1
        whole = Signal(width, reset_less=True)
        power = Signal(signed(_POWER_BITS), reset_less=True)
        sign, zero, special, nan = (Signal(name=name, reset_less=True) for name in ("sign", "zero", "special", "nan"))
        infinite_times_zero = wire(m, "infinite_times_zero", factor.special & none)
        with m.If(self.enable):
            m.d.sync += [
                whole.eq(product(m, digits(multiplier), significand)[:width]),
                # One less than the exponent's field, as the leading one counts it up.
                power.eq(factor.exponent + places + (form.bias - FP32.bias - 1)),
                sign.eq(minus ^ factor.sign),
                zero.eq((none | factor.zero) & ~factor.special),
                special.eq(factor.special),
                nan.eq(factor.nan | infinite_times_zero),
            ]
        # Third: rounded; a subnormal result is shifted to the place of the least exponent first.
        top = whole[-1]
        shifted = wire(m, "shifted", Mux(top, whole, Cat(Const(0, 1), whole[:-1])))
        least = wire(m, "least", (power + top).as_signed())
        below = least[-1]
        kept = form.fraction_bits + 2
        moved, lost = shifted_right(m, shifted[-kept:], -least & below.replicate(len(least)))
        base = least[:-1] & ~below.replicate(len(least) - 1)
        sticky = lost | shifted[:-kept].any()
        number = wire(m, "number", to_nearest(form, base, moved[1:], moved[0], sticky))
        with m.If(self.enable):
            m.d.sync += self.word.eq(packed(m, form, number, sign, zero, special, nan))
        return m
