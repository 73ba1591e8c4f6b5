"""A quotient of two significands, one bit a cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.formats import FP32

PLACES = FP32.fraction_bits + 1  # of a significand
QUOTIENT_BITS = PLACES + 2  # its highest bit weighs one; rounding needs one more where that bit is 0
CYCLES = QUOTIENT_BITS


class Divider(wiring.Component):
    """Divides by subtraction, as by hand. Latency: `CYCLES` cycles from the one with `start`; one division at a time.

    Ports
    -----
    start : In(1)
        Takes the operands; what was running is dropped.
    a, b : In(24)
        Significands with their leading one.
    done : Out(1)
        The quotient is there, and stays until the next start.
    quotient : Out(26)
        floor(2**25 a / b).
    inexact : Out(1)
        Something is left.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "a": In(PLACES),
                "b": In(PLACES),
                "done": Out(1),
                "quotient": Out(QUOTIENT_BITS),
                "inexact": Out(1),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the divider."""
        m = Module()
        left = Signal(PLACES + 1, reset_less=True)
        divisor = Signal(PLACES, reset_less=True)
        marked = Signal(QUOTIENT_BITS + 1, init=1 << QUOTIENT_BITS)  # a one ahead of the bits tells when all are there
        difference = Signal(PLACES + 2)
        fits = ~difference[-1]
        m.d.comb += [
            difference.eq(left - divisor),
            self.done.eq(marked[-1]),
            self.quotient.eq(marked[:-1]),
            self.inexact.eq(left.any()),
        ]
        with m.If(self.start):
            m.d.sync += [left.eq(self.a), divisor.eq(self.b), marked.eq(1)]
        with m.Elif(~self.done):
            m.d.sync += [
                left.eq(Cat(0, Mux(fits, difference, left)[:PLACES])),
                marked.eq(Cat(fits, marked[:-1])),
            ]
        return m


def rounded_quotient(divider: Divider) -> tuple[Value, Value, Value]:
    """Return the quotient's 24 places, whether rounding to nearest even adds one, and whether it is at least one.

    Parameters
    ----------
    divider
        One that is done.
    """
    whole = divider.quotient[-1]
    places = Mux(whole, divider.quotient[2:], divider.quotient[1:-1])
    guard = Mux(whole, divider.quotient[1], divider.quotient[0])
    rest = divider.inexact | (whole & divider.quotient[0])
    return places, guard & (rest | places[0]), whole
