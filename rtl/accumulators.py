"""The running sums between one tile of K and the next."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.config import AcceleratorConfig


def sums_layout(config: AcceleratorConfig) -> data.ArrayLayout:
    """Return the sums of one token, one per column, each two's complement.

    Parameters
    ----------
    config
        Columns and the width of a sum.
    """
    return data.ArrayLayout(config.accumulator_bits, config.columns)


class Accumulators(wiring.Component):
    """One running sum for each column and each of `tokens` tokens.

    Latency: none; the sums so far are read, added to and written in one cycle. Throughput: a token a cycle.

    Parameters
    ----------
    config
        Columns, tokens and the width of a sum.

    Ports
    -----
    valid : In(1)
        A token's dot products are valid.
    first, last : In(1)
        They begin or complete its sums; complete sums are not stored.
    token : In
        The token's place in its block.
    previous : Out
        Its sums so far, zero at the first.
    following : In
        Its sums with these dot products.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        shape = sums_layout(config)
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "token": In(range(config.tokens)),
                "previous": Out(shape),
                "following": In(shape),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the accumulators."""
        m = Module()
        shape, tokens = sums_layout(self._config), self._config.tokens
        kept = Signal(shape, reset_less=True)
        if tokens == 1:
            with m.If(self.valid):
                m.d.sync += kept.eq(self.following)
        else:
            storage: memory.Memory[Any] = memory.Memory(shape=shape, depth=tokens, init=[])
            m.submodules.storage = storage
            read, write = storage.read_port(domain="comb"), storage.write_port()
            m.d.comb += [
                read.addr.eq(self.token),
                kept.eq(read.data),
                write.addr.eq(self.token),
                write.en.eq(self.valid & ~self.last),
                write.data.eq(self.following),
            ]
        m.d.comb += self.previous.eq(Mux(self.first, 0, kept.as_value()))
        return m
