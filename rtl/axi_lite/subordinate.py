"""The AXI4-Lite side: one access at a time, answered by whoever holds the registers."""

from enum import IntEnum
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.axi_lite.register_map import ADDRESS_BITS, BYTES, DATA_BITS


class Response(IntEnum):
    """Answers of AXI4-Lite."""

    OKAY = 0
    SLVERR = 2
    DECERR = 3


def axi_lite_ports() -> dict[str, Any]:
    """Return the ports of the bus by name."""
    address = {"addr": In(ADDRESS_BITS), "prot": In(3), "valid": In(1), "ready": Out(1)}
    answer = {"resp": Out(2), "valid": Out(1), "ready": In(1)}
    channels = {
        "aw": address,
        "w": {"data": In(DATA_BITS), "strb": In(BYTES), "valid": In(1), "ready": Out(1)},
        "b": answer,
        "ar": address,
        "r": {"data": Out(DATA_BITS), **answer},
    }
    return {f"s_axi_{channel}{name}": way for channel, signals in channels.items() for name, way in signals.items()}


class Subordinate(wiring.Component):
    """Takes accesses from AXI4-Lite and answers them.

    Latency: the answer is offered in the cycle after the access. Throughput: a read and a write in each cycle, while
    answers are taken. An address and its data are taken together, in any order of arrival.

    Ports
    -----
    s_axi_*
        The bus; the low two bits of an address are ignored, as the standard allows, and so is ``prot``.
    write : Out(1)
        In this cycle, `write_data` goes to the register of word `write_word`.
    whole : Out(1)
        All four bytes of it are written.
    write_response : In(2)
        The answer, in the same cycle.
    read : Out(1)
        In this cycle, the register of word `read_word` is read.
    read_data, read_response
        What it holds and the answer, in the same cycle.
    """

    def __init__(self) -> None:
        word = ADDRESS_BITS - 2
        super().__init__(
            axi_lite_ports()
            | {
                "write": Out(1),
                "write_word": Out(word),
                "write_data": Out(DATA_BITS),
                "whole": Out(1),
                "write_response": In(2),
                "read": Out(1),
                "read_word": Out(word),
                "read_data": In(DATA_BITS),
                "read_response": In(2),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the two halves, which do not know of each other."""
        m = Module()
        m.d.comb += [
            self.write.eq(self.s_axi_awvalid & self.s_axi_wvalid & (~self.s_axi_bvalid | self.s_axi_bready)),
            self.s_axi_awready.eq(self.write),
            self.s_axi_wready.eq(self.write),
            self.write_word.eq(self.s_axi_awaddr[2:]),
            self.write_data.eq(self.s_axi_wdata),
            self.whole.eq(self.s_axi_wstrb.all()),
            self.read.eq(self.s_axi_arvalid & (~self.s_axi_rvalid | self.s_axi_rready)),
            self.s_axi_arready.eq(self.read),
            self.read_word.eq(self.s_axi_araddr[2:]),
        ]
        with m.If(self.write):
            m.d.sync += [self.s_axi_bvalid.eq(1), self.s_axi_bresp.eq(self.write_response)]
        with m.Elif(self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)
        with m.If(self.read):
            m.d.sync += [
                self.s_axi_rvalid.eq(1),
                self.s_axi_rresp.eq(self.read_response),
                self.s_axi_rdata.eq(self.read_data),
            ]
        with m.Elif(self.s_axi_rready):
            m.d.sync += self.s_axi_rvalid.eq(0)
        return m
