"""The running sums between one tile of K and the next."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.sequencer import step_layout
from bitjoule.rtl.sum_memory import SumMemory


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

    Latency: none; the sums so far are added to and written in one cycle. In flip-flops they are read in that cycle, in
    memory (`accumulators: memory`) one cycle early: the token is known by then. Sums that are written in that very
    cycle, which happens in blocks of one token, go around the memory. Throughput: a token a cycle.

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
    upcoming : In
        With a memory, the step that comes here in the next cycle; see `step_layout`.
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
                **({"upcoming": In(step_layout(config))} if config.sums_in_memory else {}),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the accumulators."""
        m = Module()
        shape, tokens = sums_layout(self._config), self._config.tokens
        kept = Signal(shape, reset_less=True)
        if self._config.sums_in_memory:
            m.d.comb += kept.eq(self._from_memory(m, shape.size))
        elif tokens == 1:
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

    def _from_memory(self, m: Module, bits: int) -> Value:
        """Return the sums of this cycle's token, read in the cycle before."""
        m.submodules.storage = storage = SumMemory(bits, self._config.tokens)
        writes, continues, collides = Signal(name="writes"), Signal(name="continues"), Signal(name="collides")
        forwarded = Signal(name="forwarded")
        latest = Signal(bits, name="latest", reset_less=True)
        m.d.comb += [
            writes.eq(self.valid & ~self.last),
            continues.eq(self.upcoming.valid & ~self.upcoming.first),
            collides.eq(writes & continues & (self.token == self.upcoming.token)),
            storage.read_en.eq(continues & ~collides),
            storage.read_addr.eq(self.upcoming.token),
            storage.write_en.eq(writes),
            storage.write_addr.eq(self.token),
            storage.write_data.eq(self.following),
        ]
        m.d.sync += forwarded.eq(collides)
        with m.If(collides):
            m.d.sync += latest.eq(self.following)
        return Mux(forwarded, latest, storage.read_data)
