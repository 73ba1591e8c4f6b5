"""A memory for running sums, with one read and one write port: block RAM of an FPGA, or the place of a macro."""

from typing import Any

from amaranth.hdl import MemoryData, MemoryInstance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class SumMemory(wiring.Component):
    """A memory of `depth` words whose read word comes a cycle after its address.

    Nothing else is in its module, so that a macro may replace it. It must not be asked to read the word that it writes
    in the same cycle: what it then reads is undefined, as in most block RAMs and macros.

    Latency: a cycle from `read_en` and `read_addr` to `read_data`, which stays until the next read. Throughput: a read
    and a write a cycle.

    Parameters
    ----------
    bits, depth
        Bits of a word and number of words.

    Ports
    -----
    read_en, read_addr : In
        Read a word.
    read_data : Out(bits)
        The word read last.
    write_en, write_addr, write_data : In
        Write a word.
    """

    def __init__(self, bits: int, depth: int) -> None:
        self._bits = bits
        self._depth = depth
        super().__init__(
            {
                "read_en": In(1),
                "read_addr": In(range(depth)),
                "read_data": Out(bits),
                "write_en": In(1),
                "write_addr": In(range(depth)),
                "write_data": In(bits),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the memory."""
        m = Module()
        # Without the attribute Yosys builds what keeps the old word of a collision beside the block RAM.
        words: Any = MemoryInstance(  # type: ignore[call-arg]  # the stubs describe an older one
            data=MemoryData(shape=self._bits, depth=self._depth, init=[]), attrs={"no_rw_check": 1}
        )
        words.write_port(domain="sync", addr=self.write_addr, data=self.write_data, en=self.write_en)
        words.read_port(domain="sync", addr=self.read_addr, data=self.read_data, en=self.read_en, transparent_for=())
        m.submodules.words = words
        return m
