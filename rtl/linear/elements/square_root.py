"""The square root of a significand, one bit a cycle."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.formats import FP32

PLACES = FP32.fraction_bits + 1
ROOT_BITS = PLACES + 1  # one for rounding
CYCLES = ROOT_BITS


class SquareRoot(wiring.Component):
    """Takes a root by hand, two places of the radicand for each of the root's. Latency: `CYCLES` cycles.

    Ports
    -----
    start : In(1)
        Takes the radicand; what was running is dropped.
    radicand : In(25)
        1 to 4, exclusive: two places before the point and 23 behind.
    done : Out(1)
        The root is there, and stays until the next start.
    root : Out(25)
        1 to 2: one place before the point and 24 behind, cut off.
    inexact : Out(1)
        Something is left.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "radicand": In(PLACES + 1),
                "done": Out(1),
                "root": Out(ROOT_BITS),
                "inexact": Out(1),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the steps."""
        m = Module()
        waiting = Signal(PLACES + 2, reset_less=True)
        left = Signal(ROOT_BITS + 2, reset_less=True)
        marked = Signal(ROOT_BITS + 1, init=1 << ROOT_BITS)  # a one ahead of the bits tells when all are there
        # While the mark is within the root's places it must not count as one of them.
        found = Signal(ROOT_BITS, reset_less=True)
        brought, difference = Signal(ROOT_BITS + 4), Signal(ROOT_BITS + 5)
        fits = ~difference[-1]
        m.d.comb += [
            brought.eq(Cat(waiting[-2:], left)),
            difference.eq(brought - Cat(Const(1, 2), found)),
            self.done.eq(marked[-1]),
            self.root.eq(found),
            self.inexact.eq(left.any()),
        ]
        with m.If(self.start):
            m.d.sync += [waiting.eq(self.radicand << 1), left.eq(0), found.eq(0), marked.eq(1)]
        with m.Elif(~self.done):
            m.d.sync += [
                waiting.eq(waiting << 2),
                left.eq(Mux(fits, difference, brought)),
                found.eq(Cat(fits, found[:-1])),
                marked.eq(marked << 1),
            ]
        return m
