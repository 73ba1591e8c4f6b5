"""The codes of a block of tokens, in the order and as often as the array asks for them."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.layouts import BLOCK, rows_layout
from bitjoule.rtl.linear.token_quantiser import code_address_bits
from bitjoule.rtl.sequencer import COMMAND


class BlockFeeder(wiring.Component):
    """Gives the array a command for each block, and its codes: tiles of N, then tiles of K, then tokens.

    Throughput: a beat a cycle, also from block to block if the next is there. Latency: two cycles.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    block : In(stream)
        A block that is complete, or a malformed command, which the array answers.
    command : Out(stream of M, K, N)
        For the array; M are the tokens of the block.
    rows : Out(stream)
        For the rescaler; see `rows_layout`. None for a malformed command.
    read_address, read_enable, read_data : Out, Out, In
        Of the codes' memory: data one cycle behind the address, held while not enabled.
    activations : Out(stream of array lanes * activation_bits)
        For the array.
    """

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        width = config.array.lanes * config.array.activation_bits
        super().__init__(
            {
                "block": In(stream.Signature(BLOCK)),
                "command": Out(stream.Signature(COMMAND)),
                "rows": Out(stream.Signature(rows_layout(config))),
                "read_address": Out(code_address_bits(config)),
                "read_enable": Out(1),
                "read_data": In(width),
                "activations": Out(stream.Signature(width)),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the feeder."""
        m = Module()
        array = self._config.array
        told = self.block.payload
        active, offered, half = Signal(), Signal(), Signal()
        k = Signal(range(array.max_k + 1), reset_less=True)
        k_left = Signal.like(k, reset_less=True)
        n_left = Signal.like(told.command.n, reset_less=True)
        place, last_place = (Signal(range(array.tokens), name=name, reset_less=True) for name in ("place", "last"))
        tile = Signal(range(self._config.tiles), reset_less=True)
        reads, ends, last_k, takes = (Signal(name=name) for name in ("reads", "ends", "last_k", "takes"))
        m.d.comb += [
            self.read_enable.eq(~offered | self.activations.ready),
            self.read_address.eq(Cat(place, tile, half)),
            reads.eq(active & self.read_enable),
            last_k.eq(k_left <= array.lanes),
            ends.eq((place == last_place) & last_k & (n_left <= array.columns)),
            takes.eq(self.block.valid & (~active | (reads & ends)) & self.command.ready & self.rows.ready),
            self.block.ready.eq(takes),
            self.command.valid.eq(takes),
            self.command.payload.eq(told.command),
            self.rows.valid.eq(takes & ~told.malformed),
            self.rows.payload.last_place.eq(told.command.m - 1),
            self.rows.payload.final.eq(told.final),
            self.activations.valid.eq(offered),
            self.activations.payload.eq(self.read_data),
        ]
        with m.If(self.read_enable):
            m.d.sync += offered.eq(active)
        with m.If(reads):
            m.d.sync += place.eq(place + 1)
            with m.If(place == last_place):
                m.d.sync += [place.eq(0), tile.eq(tile + 1), k_left.eq(k_left - array.lanes)]
                with m.If(last_k):
                    m.d.sync += [tile.eq(0), k_left.eq(k), n_left.eq(n_left - array.columns)]
            with m.If(ends):
                m.d.sync += [active.eq(0), half.eq(~half)]
        with m.If(takes):
            m.d.sync += [
                active.eq(~told.malformed),
                k.eq(told.command.k),
                k_left.eq(told.command.k),
                n_left.eq(told.command.n),
                place.eq(0),
                last_place.eq(told.command.m - 1),
                tile.eq(0),
            ]
        return m
