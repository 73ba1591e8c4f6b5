"""The top level of the accelerator, with Amaranth's streams inside and AXI4-Stream ports outside."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.accumulators import Accumulators, sums_layout
from bitjoule.rtl.arithmetic.column import Column
from bitjoule.rtl.arithmetic.float_column import FloatColumn
from bitjoule.rtl.arithmetic.fused_column import FusedColumn
from bitjoule.rtl.arithmetic.scaled_column import ScaledColumn
from bitjoule.rtl.axi import connect, stream_ports
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.operands import prepared_activations, weight_lines
from bitjoule.rtl.sequencer import COMMAND, Sequencer, step_layout
from bitjoule.rtl.weights import WeightLoader, holds_operands


def result_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Return one beat of results.

    Parameters
    ----------
    config
        Columns and the width of a sum.

    Notes
    -----
    ``sums``: a token's sums, one per column. ``malformed``: no sums, but the answer to a malformed command. ``end``:
    the last beat of the command.
    """
    return data.StructLayout({"sums": sums_layout(config), "malformed": 1, "end": 1})


class Accelerator(wiring.Component):
    """Y = X W for trits W, by additions; or, as a baseline, for numbers W, by multiplications.

    Latency: `config.latency_cycles` from a token's last activations to its sums. Throughput: lanes * columns weights a
    cycle while operands are offered and results taken.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    command : In(stream of M, K, N)
        One matmul each; see `Sequencer`.
    weights : In(stream of weight_bus_bits)
        Tiles; see `packing`. A tile's beats but the last are taken before they are needed, also before their command.
    activations : In(stream of lanes * activation_bits)
        One token's lanes for one tile of K each.
    results : Out(stream)
        See `result_layout`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "command": In(stream.Signature(COMMAND)),
                "weights": In(stream.Signature(config.weight_bus_bits)),
                "activations": In(stream.Signature(config.lanes * config.activation_bits)),
                "results": Out(stream.Signature(result_layout(config))),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the accelerator."""
        m = Module()
        config = self._config
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.loader = loader = WeightLoader(config)
        m.submodules.accumulators = accumulators = Accumulators(config)
        wiring.connect(m, wiring.flipped(self.command), sequencer.command)
        wiring.connect(m, wiring.flipped(self.weights), loader.beats)
        lanes = [self.activations.payload.word_select(i, config.activation_bits) for i in range(config.lanes)]
        offered = prepared_activations(m, config, lanes)
        activations = Signal(len(offered), reset_less=True)
        m.d.comb += [
            sequencer.tile_complete.eq(loader.complete),
            loader.take.eq(sequencer.take_tile),
            sequencer.activations_valid.eq(self.activations.valid),
            self.activations.ready.eq(sequencer.take_activations),
        ]
        if holds_operands(config):
            with m.If(sequencer.take_activations):
                m.d.sync += activations.eq(offered)
        else:
            m.d.sync += activations.eq(offered)
        for i in range(config.columns):
            m.submodules[f"column{i}"] = column = column_of(config)
            for name in weight_lines(config):
                lines, every = getattr(column, name), getattr(loader, name)
                m.d.comb += lines.eq(every[i * len(lines) : (i + 1) * len(lines)])
            if config.scaled:
                m.d.comb += column.scale.eq(loader.scales.word_select(i, len(column.scale)))
            m.d.comb += [
                column.activations.eq(activations),
                column.previous.eq(accumulators.previous[i]),
                accumulators.following[i].eq(column.total),
            ]

        step = upcoming = sequencer.step
        for stage in range(1 + config.pipeline):
            following = Signal(step_layout(config), name=f"step{stage}")
            m.d.sync += following.eq(step)
            step, upcoming = following, step
        if config.sums_in_memory:
            m.d.comb += accumulators.upcoming.eq(upcoming)
        m.d.comb += [
            accumulators.valid.eq(step.valid),
            accumulators.first.eq(step.first),
            accumulators.last.eq(step.last),
            accumulators.token.eq(step.token),
        ]

        # A result's place is reserved when its last operands are taken: nothing in between ever has to wait.
        shape = result_layout(config)
        depth = config.latency_cycles
        m.submodules.queue = queue = fifo.SyncFIFO(width=shape.size, depth=depth)
        reserved = Signal(range(depth + 1))
        begins, leaves = Signal(name="begins"), Signal(name="leaves")
        result = Signal(shape)
        m.d.comb += [
            begins.eq(sequencer.step.last | sequencer.step.malformed),
            leaves.eq(self.results.valid & self.results.ready),
            sequencer.room.eq((reserved != depth) | leaves),
            result.sums.eq(accumulators.following),
            result.malformed.eq(step.malformed),
            result.end.eq(step.end),
            queue.w_data.eq(result),
            queue.w_en.eq((step.valid & step.last) | step.malformed),
            self.results.valid.eq(queue.r_rdy),
            self.results.payload.eq(queue.r_data),
            queue.r_en.eq(self.results.ready),
        ]
        m.d.sync += reserved.eq(reserved + begins - leaves)
        return m


def column_of(config: AcceleratorConfig) -> Any:
    """Return a column of the array.

    Parameters
    ----------
    config
        The configuration.
    """
    if config.scaled:
        return ScaledColumn(config)
    if not config.floating_point:
        return Column(config)
    return FloatColumn(config) if config.rounding_tree else FusedColumn(config)


def axi_ports(config: AcceleratorConfig) -> dict[str, Any]:
    """Return the ports of `AxiAccelerator` by name, without clock and reset.

    Parameters
    ----------
    config
        The configuration.
    """
    inputs = {
        "command": COMMAND.size,
        "weights": config.weight_bus_bits,
        "activations": config.activation_bus_bits,
    }
    return stream_ports(inputs, config.result_bus_bits)


class AxiAccelerator(wiring.Component):
    """The accelerator with AXI4-Stream ports, all on one clock.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    clk, rst : In(1)
        Clock, and reset: synchronous, active high, one cycle is enough.
    s_axis_command_tdata : In(64)
        M at bits 15..0, K at bits 39..16, N at bits 63..40.
    s_axis_weights_tdata : In(weight_bus_bits)
        Tiles; see `packing`.
    s_axis_activations_tdata : In(lanes * activation_bits, in whole bytes)
        Lanes; see `packing`.
    m_axis_results_tdata : Out(columns * result_bits)
        Column c's sum at bits c * result_bits, two's complement or IEEE 754.
    m_axis_results_tuser : Out(1)
        The command was malformed; tdata means nothing.
    *_tvalid, *_tready, *_tlast
        As AXI4-Stream defines them. tlast of the results marks the last beat of a command; tlast of inputs is ignored.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(axi_ports(config))

    def elaborate(self, _: object) -> Module:
        """Build the accelerator and name its ports."""
        m = Module()
        m.submodules.core = core = Accelerator(self._config)
        results, bits = core.results, self._config.result_bits
        extended = (Cat(word, word[-1].replicate(bits - len(word))) for word in results.payload.sums)
        connect(m, self, core, ("command", "weights", "activations"), results, Cat(*extended))
        return m
