"""The array's results, some outputs a cycle, each rescaled with the scale of its token."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.accelerator import result_layout
from bitjoule.rtl.arithmetic.floating_point import normalised_bits
from bitjoule.rtl.arithmetic.formats import FP32
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements import rescaling
from bitjoule.rtl.linear.layouts import output_layout, rows_layout
from bitjoule.rtl.linear.token_quantiser import place_bits


class Rescaler(wiring.Component):
    """Takes a beat of sums for every `result_beats` beats of outputs that it makes.

    Latency: `rescaling.LATENCY` cycles. Throughput: `lanes` outputs a cycle while outputs are taken.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    results : In(stream)
        Of the array; ``end`` marks the end of a block.
    rows : In(stream)
        See `rows_layout`; taken with the last sums of its block.
    scale_address, scale_data : Out, In
        Of the scales' memory: data in the same cycle.
    freed : Out(1)
        The block's half of the memories is no longer needed.
    outputs : Out(stream)
        See `output_layout`.
    """

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        super().__init__(
            {
                "results": In(stream.Signature(result_layout(config.array))),
                "rows": In(stream.Signature(rows_layout(config))),
                "scale_address": Out(place_bits(config)),
                "scale_data": In(normalised_bits(FP32)),
                "freed": Out(1),
                "outputs": Out(stream.Signature(output_layout(config))),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the lanes and what feeds them."""
        m = Module()
        config = self._config
        lanes, bits = config.lanes, config.array.accumulator_bits
        told = self.results.payload
        group = Signal(range(config.result_beats))
        place = Signal(range(config.array.tokens))
        half = Signal()
        advance, feeds, last_group, ends, last = (
            Signal(name=name) for name in ("advance", "feeds", "last_group", "ends", "last")
        )
        m.d.comb += [
            feeds.eq(self.results.valid & (told.malformed | self.rows.valid)),
            last_group.eq(told.malformed | (group == config.result_beats - 1)),
            self.results.ready.eq(advance & feeds & last_group),
            ends.eq(self.results.ready & told.end & ~told.malformed),
            self.rows.ready.eq(ends),
            self.freed.eq(ends),
            last.eq(last_group & told.end & (told.malformed | self.rows.payload.final)),
            self.scale_address.eq(Cat(place, half)),
        ]
        with m.If(advance & feeds):
            m.d.sync += group.eq(group + 1)
            with m.If(last_group):
                m.d.sync += group.eq(0)
                with m.If(~told.malformed):
                    m.d.sync += place.eq(Mux(place == self.rows.payload.last_place, 0, place + 1))
        with m.If(ends):
            m.d.sync += half.eq(~half)

        sums = Cat(told.sums.as_value(), Const(0, (config.result_beats * lanes - config.array.columns) * bits))
        chosen = Signal(lanes * bits)
        m.d.comb += chosen.eq(sums.word_select(group, lanes * bits))
        words = []
        for i in range(lanes):
            m.submodules[f"lane{i}"] = lane = rescaling.RescaleLane(config)
            m.d.comb += [
                lane.enable.eq(advance),
                lane.total.eq(chosen.word_select(i, bits).as_signed()),
                lane.scale.eq(self.scale_data),
            ]
            words.append(lane.word)
        tags: Value = Cat(feeds, told.malformed, last)
        for stage in range(rescaling.LATENCY):
            following = Signal(3, name=f"tags{stage}")
            with m.If(advance):
                m.d.sync += following.eq(tags)
            tags = following
        valid, malformed, end = tags
        m.d.comb += [
            advance.eq(~valid | self.outputs.ready),
            self.outputs.valid.eq(valid),
            self.outputs.payload.words.eq(Cat(*words)),
            self.outputs.payload.malformed.eq(malformed),
            self.outputs.payload.end.eq(end),
        ]
        return m
