"""The accelerator with a UART at the top: four pins."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.serial.bridge import Bridge
from bitjoule.rtl.serial.uart import FEWEST_CLOCKS_PER_BIT, Receiver, Transmitter
from bitjoule.rtl.verilog import verilog_text

TOP = "bitjoule_uart"


class SerialAccelerator(wiring.Component):
    """The accelerator behind a UART; see `protocol` for what to say to it.

    Latency and throughput: those of the line, ten bits a byte.

    Parameters
    ----------
    config
        The accelerator's.
    clocks_per_bit
        Cycles of the clock in a bit of the line, at least `FEWEST_CLOCKS_PER_BIT`.

    Ports
    -----
    clk, rst : In(1)
        Clock, and reset: synchronous, active high. A board without a reset ties it low: flip-flops have initial values.
    rx : In(1)
        From the host, of any phase: two flip-flops synchronise it.
    tx : Out(1)
        To the host.

    Raises
    ------
    ValueError
        When it is built: a bit has too few cycles.
    """

    def __init__(self, config: AcceleratorConfig, clocks_per_bit: int) -> None:
        self._config = config
        self._clocks_per_bit = clocks_per_bit
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})  # type: ignore[call-arg]  # the stubs lack it

    def elaborate(self, _: object) -> Module:
        """Build the accelerator and its UART."""
        if self._clocks_per_bit < FEWEST_CLOCKS_PER_BIT:
            raise ValueError(f"{self._clocks_per_bit} cycles per bit; expected at least {FEWEST_CLOCKS_PER_BIT}")
        m = Module()
        line, breaks = Signal(init=1), Signal(name="breaks")
        bridge = Bridge(self._config)
        m.submodules.synchroniser = FFSynchronizer(self.rx, line, init=1)
        m.submodules.receiver = receiver = Receiver(self._clocks_per_bit)
        m.submodules.transmitter = transmitter = Transmitter(self._clocks_per_bit)
        m.submodules.bridge = ResetInserter(breaks)(bridge)
        m.d.comb += [
            receiver.line.eq(line),
            breaks.eq(receiver.framing & (receiver.byte == 0)),
            bridge.byte.eq(receiver.byte),
            bridge.valid.eq(receiver.valid),
            bridge.framing.eq(receiver.framing & ~breaks),
            transmitter.data.payload.eq(bridge.reply),
            transmitter.data.valid.eq(bridge.reply_valid),
            bridge.reply_ready.eq(transmitter.data.ready),
            self.tx.eq(transmitter.line),
        ]
        return m


def serial_verilog(config: AcceleratorConfig, clocks_per_bit: int) -> str:
    """Return the Verilog of the accelerator behind a UART; the top module is `TOP`.

    Parameters
    ----------
    config
        The accelerator's.
    clocks_per_bit
        Cycles of the clock in a bit of the line.
    """
    return verilog_text(SerialAccelerator(config, clocks_per_bit), TOP, "adder-only accelerator, behind a UART,")
