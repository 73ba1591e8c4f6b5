"""A UART: bytes of eight bits, no parity and one stop bit (8N1), least significant bit first."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

FEWEST_CLOCKS_PER_BIT = 4  # a start bit is sampled in its middle, at least a cycle away from both edges


class Receiver(wiring.Component):
    """Takes bytes from a line. Each bit is sampled once, in its middle.

    Latency: half a bit from the beginning of the stop bit. A byte is not kept: whoever listens takes it at once.

    Parameters
    ----------
    clocks_per_bit
        Cycles of the clock in a bit, at least `FEWEST_CLOCKS_PER_BIT`.

    Ports
    -----
    line : In(1)
        The line, synchronous to the clock; high when idle.
    byte : Out(8)
        The byte received last.
    valid : Out(1)
        For one cycle: a byte with its stop bit was received.
    framing : Out(1)
        For one cycle: its stop bit is low.
    """

    def __init__(self, clocks_per_bit: int) -> None:
        self._clocks_per_bit = clocks_per_bit
        line = In(1, init=1)  # type: ignore[call-arg]  # the stubs lack it
        super().__init__({"line": line, "byte": Out(8), "valid": Out(1), "framing": Out(1)})

    def elaborate(self, _: object) -> Module:
        """Build the receiver."""
        m = Module()
        cycles = Signal(range(self._clocks_per_bit))
        bits = Signal(range(11))
        low = Signal(name="low")  # since a stop bit that is missing: a break, not a start
        with m.If(low):
            m.d.sync += low.eq(~self.line)
        with m.Elif(bits == 0), m.If(~self.line):
            m.d.sync += [bits.eq(10), cycles.eq(self._clocks_per_bit // 2 - 1)]
        with m.Elif(cycles != 0):
            m.d.sync += cycles.eq(cycles - 1)
        with m.Else():
            m.d.sync += [cycles.eq(self._clocks_per_bit - 1), bits.eq(bits - 1)]
            with m.If(bits == 1):
                m.d.comb += [self.valid.eq(self.line), self.framing.eq(~self.line)]
                m.d.sync += low.eq(~self.line)
            with m.Elif((bits == 10) & self.line):
                m.d.sync += bits.eq(0)  # a spike, no start bit
            with m.Else():
                m.d.sync += self.byte.eq(Cat(self.byte[1:], self.line))
        return m


class Transmitter(wiring.Component):
    """Puts bytes on a line.

    Throughput: a byte in ten bits.

    Parameters
    ----------
    clocks_per_bit
        Cycles of the clock in a bit.

    Ports
    -----
    data : In(stream of 8)
        The bytes.
    line : Out(1)
        The line, from a register; high when idle.
    """

    def __init__(self, clocks_per_bit: int) -> None:
        self._clocks_per_bit = clocks_per_bit
        line = Out(1, init=1)  # type: ignore[call-arg]  # the stubs lack it
        super().__init__({"data": In(stream.Signature(8)), "line": line})

    def elaborate(self, _: object) -> Module:
        """Build the transmitter."""
        m = Module()
        cycles = Signal(range(self._clocks_per_bit))
        bits = Signal(range(11))
        shifted = Signal(10, init=(1 << 10) - 1)
        m.d.comb += [self.line.eq(shifted[0]), self.data.ready.eq(bits == 0)]
        with m.If(bits == 0), m.If(self.data.valid):
            start, stop = Const(0, 1), Const(1, 1)
            m.d.sync += [
                shifted.eq(Cat(start, self.data.payload, stop)),
                bits.eq(10),
                cycles.eq(self._clocks_per_bit - 1),
            ]
        with m.Elif(cycles != 0):
            m.d.sync += cycles.eq(cycles - 1)
        with m.Else():
            m.d.sync += [shifted.eq(Cat(shifted[1:], 1)), cycles.eq(self._clocks_per_bit - 1), bits.eq(bits - 1)]
        return m
