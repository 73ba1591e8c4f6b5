"""From the largest magnitude of a token to the factor of its activations and the scale of its codes."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import normalised
from bitjoule.rtl.arithmetic.formats import FP16, FP32, Format
from bitjoule.rtl.arithmetic.reduction import wire
from bitjoule.rtl.linear.elements.division import PLACES, Divider, rounded_quotient

LEAST_MAGNITUDE = 0x3727C5AC  # 1e-5 in FP32: the reference's clamp, `bitjoule.sim.reference.checks.EPSILON`
EXPONENT_BITS = 10  # of a factor, two's complement and without a bias
BIAS = FP32.bias


def as_fp32(m: Module, form: Format, magnitude: Value) -> Value:
    """Return a finite magnitude in FP32, exactly; of FP16, subnormal numbers become normal.

    Parameters
    ----------
    m
        Where the logic goes; combinational.
    form
        Its format.
    magnitude
        Its bits without the sign.
    """
    if form != FP16:
        return Cat(Const(0, FP32.bits - form.bits), magnitude)
    number = wire(m, "number", normalised(m, form, Cat(magnitude, Const(0, 1))))
    exponent = number[form.fraction_bits : -1].as_signed() + (BIAS - form.bias)
    zero = number[-2] & ~number[-3]
    fraction = Cat(Const(0, FP32.fraction_bits - form.fraction_bits), number[: form.fraction_bits])
    return Mux(zero, 0, Cat(fraction, exponent[: FP32.exponent_bits]))


class TokenScale(wiring.Component):
    """factor = steps * (1 / L) and scale = L / steps in FP32, L = max(magnitude, 1e-5); each operation rounded.

    Latency: `division.CYCLES` + 2 cycles from the one with `start`. There is no multiplier: steps are one, or a power
    of two less one.

    Parameters
    ----------
    form
        Format of the magnitude.
    steps
        The code of a token's largest magnitude.

    Ports
    -----
    start : In(1)
        Takes the magnitude; what was running is dropped.
    magnitude : In(bits of the format without the sign)
        The largest of a token.
    done : Out(1)
        The results are there, and stay until the next start.
    significand : Out(24)
        Of the factor, with its leading one.
    exponent : Out(signed)
        Of the factor, without a bias.
    scale : Out(32)
        FP32; NaN where the magnitude is infinite or NaN.
    """

    def __init__(self, form: Format, steps: int) -> None:
        self._form, self._steps = form, steps
        super().__init__(
            {
                "start": In(1),
                "magnitude": In(form.bits - 1),
                "done": Out(1),
                "significand": Out(PLACES),
                "exponent": Out(signed(EXPONENT_BITS)),
                "scale": Out(FP32.bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build both divisions and what rounds them."""
        m = Module()
        form, steps = self._form, self._steps
        largest = Signal(FP32.bits - 1)
        exponent = Signal(FP32.exponent_bits)
        power = Signal()  # the largest magnitude is a power of two
        special, begins = Signal(reset_less=True), Signal()
        whole = wire(m, "whole", as_fp32(m, form, self.magnitude))
        with m.If(self.start):
            m.d.sync += [
                largest.eq(Mux(whole > LEAST_MAGNITUDE, whole, LEAST_MAGNITUDE)),
                special.eq(self.magnitude[form.fraction_bits :].all()),
            ]
        m.d.sync += begins.eq(self.start)
        significand = Cat(largest[: FP32.fraction_bits], Const(1, 1))
        m.submodules.reciprocal = reciprocal = Divider()
        m.submodules.quotient = quotient = Divider()
        shift = steps.bit_length() - 1
        m.d.comb += [
            reciprocal.start.eq(begins),
            reciprocal.a.eq(1 << (PLACES - 1)),
            reciprocal.b.eq(significand),
            quotient.start.eq(begins),
            quotient.a.eq(significand),
            quotient.b.eq(steps << (PLACES - 1 - shift)),
            self.done.eq(reciprocal.done & ~begins & ~self.start),
            exponent.eq(largest[FP32.fraction_bits :]),
            power.eq(~largest[: FP32.fraction_bits].any()),
        ]
        inverse, inverse_exponent = self._inverse(m, reciprocal, exponent, power)
        self._times_steps(m, inverse, inverse_exponent)
        places, up, at_least_one = rounded_quotient(quotient)
        scale_exponent = (exponent - shift - ~at_least_one)[: FP32.exponent_bits]
        scale = wire(m, "scale_bits", (Cat(places[:-1], scale_exponent) + up)[: FP32.bits - 1])
        quiet = ((1 << FP32.exponent_bits) - 1) << FP32.fraction_bits | 1 << (FP32.fraction_bits - 1)
        m.d.comb += self.scale.eq(Mux(special, quiet, scale))
        return m

    def _inverse(self, m: Module, divider: Divider, exponent: Value, power: Value) -> tuple[Value, Value]:
        """Return 1 / L rounded: 25 places, 2**24 if rounding carried, and its exponent without a bias."""
        places, up, _ = rounded_quotient(divider)
        of_one = wire(m, "of_one", (BIAS - exponent - ~power).as_signed())
        if self._form == FP16:
            return wire(m, "inverse", places + up), of_one
        # 1 / L is subnormal where L exceeds 2**126: rounded one or two places earlier. What is lost of `places` and the
        # division's rest decide.
        guard = Mux(divider.quotient[-1], divider.quotient[1], divider.quotient[0])
        rest = divider.inexact | (divider.quotient[-1] & divider.quotient[0]) | guard
        results = [places + up]
        for dropped in (1, 2):
            kept, half, below = places[dropped:], places[dropped - 1], places[: dropped - 1]
            more = half & (rest | below.any() | kept[0])
            results.append(Cat(Const(0, dropped), kept + more))
        least = 1 - BIAS
        one, two = of_one == least - 1, of_one == least - 2
        return wire(m, "inverse", Mux(two, results[2], Mux(one, results[1], results[0]))), of_one

    def _times_steps(self, m: Module, inverse: Value, exponent: Value) -> None:
        """Round inverse times steps to 24 places."""
        steps = self._steps
        bits = steps.bit_length()
        power_of_two = not steps & (steps - 1)  # else steps + 1 is one
        product = inverse << (bits - 1) if power_of_two else (inverse << bits) - inverse
        width = PLACES + bits
        padded = wire(m, "padded", Cat(Const(0, 2), product[:width]))
        top = padded[-1]
        shifted = wire(m, "shifted", Mux(top, padded, Cat(Const(0, 1), padded[:-1])))
        kept, guard, rest = shifted[-PLACES:], shifted[-PLACES - 1], shifted[: -PLACES - 1].any()
        total = wire(m, "total", kept + (guard & (rest | kept[0])))
        m.d.comb += [
            self.significand.eq(Cat(total[: PLACES - 1], Const(1, 1))),
            self.exponent.eq(exponent + (bits - 1) + top + total[-1]),
        ]
