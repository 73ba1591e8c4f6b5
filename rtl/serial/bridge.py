"""From frames of bytes to the streams of the accelerator, and back."""

from amaranth.hdl import Array, Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.accelerator import AxiAccelerator
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.serial import protocol
from bitjoule.rtl.serial.protocol import STREAMS


class Bridge(wiring.Component):
    """Speaks `protocol` in bytes and streams with the accelerator, which is inside.

    Each stream has a register of one beat. Results are sent from where they are offered, byte by byte.

    Latency: a beat is offered to the array in the cycle after its last byte. Throughput: that of the bytes.

    Parameters
    ----------
    config
        The accelerator's.

    Ports
    -----
    byte : In(8)
        A byte from the host.
    valid : In(1)
        For one cycle: `byte` is one.
    framing : In(1)
        For one cycle: there was a byte that cannot be trusted, but no break, which resets this component.
    reply : Out(8)
        A byte to the host, which may change until it is taken: what is more urgent goes first.
    reply_valid : Out(1)
        There is one.
    reply_ready : In(1)
        In a cycle in which both are set it is taken.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "byte": In(8),
                "valid": In(1),
                "framing": In(1),
                "reply": Out(8),
                "reply_valid": Out(1),
                "reply_ready": In(1),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the bridge."""
        m = Module()
        m.submodules.accelerator = accelerator = AxiAccelerator(self._config)
        offered = Signal(len(STREAMS), name="offered")  # by stream: its register holds a beat
        taken = Signal(len(STREAMS), name="taken")  # the array took it, the host has not been told
        failed, reason = Signal(name="failed"), Signal(2, name="reason")
        registers = []
        for place, name in enumerate(STREAMS):
            port = f"s_axis_{name}_t"
            data = getattr(accelerator, f"{port}data")
            registers.append(Signal(len(data), name=f"{name}_beat", reset_less=True))
            m.d.comb += [data.eq(registers[-1]), getattr(accelerator, f"{port}valid").eq(offered[place])]
            with m.If(offered[place] & getattr(accelerator, f"{port}ready")):
                m.d.sync += [offered[place].eq(0), taken[place].eq(1)]
        self._receive(m, registers, offered, offered | taken, failed, reason)
        self._reply(m, accelerator, taken, failed, reason)
        return m

    def _receive(
        self, m: Module, registers: list[Signal], offered: Signal, unconfirmed: Value, failed: Signal, reason: Signal
    ) -> None:
        """Fill the registers from frames, until something is wrong."""
        counts = protocol.beat_bytes(self._config)
        chosen = Signal(range(len(STREAMS)), name="chosen")
        left = Signal(range(max(counts.values()) + 1), name="left")  # bytes of the beat that are to come
        with m.If(~failed & self.framing):
            m.d.sync += [failed.eq(1), reason.eq(protocol.FRAMING)]
        with m.Elif(~failed & self.valid & (left == 0)):
            m.d.sync += chosen.eq(self.byte)
            with m.Switch(self.byte):
                for place, name in enumerate(STREAMS):
                    with m.Case(place):
                        m.d.sync += left.eq(counts[name])
                        with m.If(unconfirmed[place]):
                            m.d.sync += [failed.eq(1), reason.eq(protocol.UNCONFIRMED)]
                with m.Default():
                    m.d.sync += [failed.eq(1), reason.eq(protocol.UNKNOWN_HEADER)]
        with m.Elif(~failed & self.valid):
            m.d.sync += left.eq(left - 1)
            for place, register in enumerate(registers):
                with m.If(chosen == place):
                    m.d.sync += [register.eq(Cat(register, self.byte)[8:]), offered[place].eq(left == 1)]

    def _reply(self, m: Module, accelerator: AxiAccelerator, taken: Signal, failed: Signal, reason: Signal) -> None:
        """Say what happened, what is ready first: the host waits for it to send more."""
        count = protocol.result_bytes(self._config)
        results = accelerator.m_axis_results_tdata
        data = Array(results.word_select(i, 8) for i in range(count))
        sent = Signal(range(count), name="sent")
        ready_told, failure_told = Signal(name="ready_told"), Signal(name="failure_told")
        end, malformed = accelerator.m_axis_results_tlast, accelerator.m_axis_results_tuser
        go = self.reply_ready
        m.d.comb += self.reply_valid.eq(1)
        with m.FSM(name="reply"):
            with m.State("header"):
                with m.If(~ready_told):
                    m.d.comb += self.reply.eq(protocol.READY)
                    m.d.sync += ready_told.eq(go)
                with m.Elif(failed & ~failure_told):
                    m.d.comb += self.reply.eq(protocol.FAILED | reason)
                    m.d.sync += failure_told.eq(go)
                for place in range(len(STREAMS)):
                    with m.Elif(taken[place]):
                        m.d.comb += self.reply.eq(protocol.TAKEN + place)
                        with m.If(go):
                            m.d.sync += taken[place].eq(0)
                with m.Elif(accelerator.m_axis_results_tvalid):
                    m.d.comb += self.reply.eq(protocol.RESULT | Cat(end, malformed))
                    with m.If(go):
                        m.next = "beat"
                with m.Else():
                    m.d.comb += self.reply_valid.eq(0)
            with m.State("beat"):
                m.d.comb += self.reply.eq(data[sent])
                with m.If(go):
                    m.d.sync += sent.eq(sent + 1)
                    with m.If(sent == count - 1):
                        m.d.sync += sent.eq(0)
                        m.d.comb += accelerator.m_axis_results_tready.eq(1)
                        m.next = "header"
