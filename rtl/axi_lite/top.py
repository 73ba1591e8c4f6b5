"""The accelerator with AXI4-Lite registers at the top, and streams as a DMA carries them."""

from typing import Any

from amaranth.hdl import Cat, ClockDomain, Const, Module, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from bitjoule.rtl.accelerator import AxiAccelerator
from bitjoule.rtl.axi import stream_ports
from bitjoule.rtl.axi_lite.register_map import (
    DATA_BITS,
    RESET,
    START,
    Access,
    Config,
    Register,
    as_rows,
    command_fields,
    padded_bits,
    register_map,
    stream_bits,
    stream_prefix,
)
from bitjoule.rtl.axi_lite.subordinate import Response, Subordinate, axi_lite_ports
from bitjoule.rtl.linear.bitlinear import AxiBitLinear
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.verilog import linear_description
from bitjoule.rtl.verilog import description, verilog_text

TOP = "bitjoule_axi"


def registered_ports(config: Config) -> dict[str, Any]:
    """Return the ports of `RegisteredAccelerator` by name.

    Parameters
    ----------
    config
        The configuration.
    """
    streams = {name: padded_bits(bits) for name, bits in stream_bits(config).items()}
    results = streams.pop("results")
    return {"aclk": In(1), "aresetn": In(1), **axi_lite_ports(), **stream_ports(streams, results)}


class RegisteredAccelerator(wiring.Component):
    """The accelerator, or a whole BitLinear, whose commands come from registers.

    Latency: a command is offered to the array in the cycle after the write that starts it was taken. Throughput: that
    of the array; a command may wait while another runs.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    aclk, aresetn : In(1)
        Clock, and reset: synchronous, active low.
    s_axi_*
        AXI4-Lite; see `register_map` for the registers and `_write` for what is refused.
    s_axis_*, m_axis_results_*
        As of `AxiAccelerator` or `AxiBitLinear`, without the commands; data padded to a power of two.

    Raises
    ------
    ConfigError
        A stream is wider than a DMA carries.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(registered_ports(config))

    def elaborate(self, _: object) -> Module:
        """Build registers and array."""
        m = Module()
        config = self._config
        m.domains += (clock := ClockDomain("sync"))
        m.d.comb += [clock.clk.eq(self.aclk), clock.rst.eq(~self.aresetn)]
        # Vivado finds interfaces by the names of their ports, and asks which clock they have.
        interfaces = ["s_axi", *(stream_prefix(name) for name in stream_bits(config))]
        clocked = f"ASSOCIATED_BUSIF {':'.join(interfaces)}, ASSOCIATED_RESET aresetn"
        self.aclk.attrs["X_INTERFACE_PARAMETER"] = clocked
        self.aresetn.attrs["X_INTERFACE_PARAMETER"] = "POLARITY ACTIVE_LOW"
        array: Any = AxiBitLinear(config) if isinstance(config, LinearConfig) else AxiAccelerator(config)
        m.submodules.bus = bus = Subordinate()
        reset = Signal(name="reset_array")
        m.submodules.array = ResetInserter(reset)(array)
        for name, member in axi_lite_ports().items():
            ours, theirs = getattr(self, name), getattr(bus, name)
            m.d.comb += theirs.eq(ours) if member.flow is In else ours.eq(theirs)
        for name in stream_bits(config):
            self._connect(m, array, name)

        start, full = Signal(name="start"), Signal(name="full")
        command = Signal(len(array.s_axis_command_tdata), name="command", reset_less=True)
        taken = full & array.s_axis_command_tready
        answered = self.m_axis_results_tvalid & self.m_axis_results_tready & self.m_axis_results_tlast
        fields = {name: Signal(bits, name=name) for name, bits in command_fields(config).items()}
        counts = {name: Signal(DATA_BITS, name=name) for name in ("started", "answered", "malformed", "cycles")}
        busy = counts["started"] != counts["answered"]
        m.d.comb += [array.s_axis_command_tdata.eq(command), array.s_axis_command_tvalid.eq(full)]
        with m.If(busy):
            m.d.sync += counts["cycles"].eq(counts["cycles"] + 1)
        with m.If(taken):
            m.d.sync += full.eq(0)
        with m.If(start):
            m.d.sync += [command.eq(Cat(*fields.values())), full.eq(1), counts["started"].eq(counts["started"] + 1)]
        with m.If(answered):
            m.d.sync += [
                counts["answered"].eq(counts["answered"] + 1),
                counts["malformed"].eq(counts["malformed"] + self.m_axis_results_tuser),
            ]
        with m.If(reset):
            m.d.sync += [full.eq(0), *(counts[name].eq(0) for name in ("started", "answered", "malformed"))]
        held: dict[str, Value] = {
            **counts,
            **{f"command_{name}": field for name, field in fields.items()},
            "status": Cat(busy, full),
        }
        registers = register_map(config)
        self._read(m, bus, registers, held)
        self._write(m, bus, registers, held, {START: (start, full), RESET: (reset, Const(0, 1))})
        return m

    def _connect(self, m: Module, array: Any, name: str) -> None:
        """Connect a stream whose padding nobody drives, and nobody reads."""
        port = stream_prefix(name)
        for signal in ("tdata", "tvalid", "tlast", *(["tuser"] if name == "results" else [])):
            ours, theirs = getattr(self, f"{port}_{signal}"), getattr(array, f"{port}_{signal}")
            m.d.comb += ours.eq(theirs) if name == "results" else theirs.eq(ours)
        ours, theirs = getattr(self, f"{port}_tready"), getattr(array, f"{port}_tready")
        m.d.comb += theirs.eq(ours) if name == "results" else ours.eq(theirs)

    def _read(self, m: Module, bus: Any, registers: tuple[Register, ...], held: dict[str, Value]) -> None:
        """Answer reads: SLVERR of a register that is only written, DECERR where there is none."""
        m.d.comb += bus.read_response.eq(Response.DECERR)
        with m.Switch(bus.read_word):
            for register in registers:
                with m.Case(register.offset // 4):
                    if register.access is Access.CONSTANT:
                        m.d.comb += bus.read_data.eq(register.value)
                    elif register.readable:
                        m.d.comb += bus.read_data.eq(held[register.name])
                    m.d.comb += bus.read_response.eq(Response.OKAY if register.readable else Response.SLVERR)

    def _write(
        self,
        m: Module,
        bus: Any,
        registers: tuple[Register, ...],
        held: dict[str, Value],
        controls: dict[int, tuple[Signal, Value]],
    ) -> None:
        """Take writes: SLVERR, and nothing else happens, if the register cannot take them; DECERR where there is none.

        Refused are writes of a part of a register, of a register that is only read, of a value that is too wide, of an
        unknown value to `control`, and a start while a command waits.
        """
        m.d.comb += bus.write_response.eq(Response.DECERR)
        with m.Switch(bus.write_word):
            for register in registers:
                with m.Case(register.offset // 4):
                    m.d.comb += bus.write_response.eq(Response.SLVERR)
                    if register.name == "control":
                        for value, (signal, refused) in controls.items():
                            with m.If(bus.whole & (bus.write_data == value) & ~refused):
                                m.d.comb += [bus.write_response.eq(Response.OKAY), signal.eq(bus.write)]
                    elif register.writable:
                        with m.If(bus.whole & (bus.write_data[register.bits :] == 0)):
                            m.d.comb += bus.write_response.eq(Response.OKAY)
                            with m.If(bus.write):
                                m.d.sync += held[register.name].eq(bus.write_data)


def registered_verilog(config: Config) -> str:
    """Return the Verilog of the accelerator with AXI4-Lite registers; the top module is `TOP`.

    Parameters
    ----------
    config
        The configuration.

    Raises
    ------
    ConfigError
        A stream is wider than a DMA carries.
    """
    kind = "whole BitLinear" if isinstance(config, LinearConfig) else "accelerator"
    return verilog_text(RegisteredAccelerator(config), TOP, f"{kind} with AXI4-Lite registers")


def registered_description(config: Config) -> dict[str, Any]:
    """Return what a program needs to know to use it: as of the array, with other ports, and the registers.

    Parameters
    ----------
    config
        The configuration.
    """
    told = linear_description(config) if isinstance(config, LinearConfig) else description(config)
    ports = [
        {"name": name, "direction": member.flow.name.lower(), "bits": member.shape}
        for name, member in registered_ports(config).items()
    ]
    return told | {"module": TOP, "ports": ports, "registers": as_rows(register_map(config))}
