"""The whole BitLinear, with Amaranth's streams inside and AXI4-Stream ports outside."""

from typing import Any

from amaranth.hdl import Module, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.accelerator import Accelerator, result_layout
from bitjoule.rtl.arithmetic.floating_point import normalised_bits
from bitjoule.rtl.arithmetic.formats import FP32
from bitjoule.rtl.axi import connect, stream_ports
from bitjoule.rtl.linear.block_feeder import BlockFeeder
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.layouts import BLOCK, LINEAR_COMMAND, NORMED_COMMAND, Queue, output_layout, rows_layout
from bitjoule.rtl.linear.norm import RmsNorm
from bitjoule.rtl.linear.rescaler import Rescaler
from bitjoule.rtl.linear.token_loader import TokenLoader
from bitjoule.rtl.linear.token_quantiser import TokenQuantiser
from bitjoule.rtl.sequencer import COMMAND


class BitLinear(wiring.Component):
    """y = rescale(quantise(x) W): floating-point activations in, floating-point outputs out.

    A token is loaded, its largest magnitude found, quantised into one half of a memory; once a block of `tokens` tokens
    is there, the array computes with it while the other half is filled. Throughput: a token's quantisation takes
    ceil(K / array lanes) * groups + `division.CYCLES` + 10 cycles, its product what `bitjoule.sim.accelerator.cycles`
    says; the slower of both counts.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    command : In(stream of M, K, N, scale; with a norm, also epsilon)
        One BitLinear each; weight scale and epsilon are FP32.
    weights : In(stream of weight_bus_bits)
        As of `bitjoule.rtl.accelerator.Accelerator`.
    activations : In(stream of lanes * bits)
        See `TokenLoader`: each activation once.
    gains : In(stream of lanes * bits)
        With a norm: ceil(K / lanes) beats for each command.
    outputs : Out(stream)
        See `output_layout`: blocks of tokens, then tiles of N, then tokens, then `result_beats` beats.
    """

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        inputs: dict[str, Any] = input_bits(config) | {"command": NORMED_COMMAND if config.normed else LINEAR_COMMAND}
        super().__init__(
            {
                **{name: In(stream.Signature(shape)) for name, shape in inputs.items()},
                "outputs": Out(stream.Signature(output_layout(config))),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Connect the stages and their memories."""
        m = Module()
        config = self._config
        m.submodules.loader = loader = TokenLoader(config)
        m.submodules.quantiser = quantiser = TokenQuantiser(config)
        m.submodules.blocks = blocks = Queue(BLOCK, 2)
        m.submodules.feeder = feeder = BlockFeeder(config)
        m.submodules.commands = commands = Queue(COMMAND, 2)
        m.submodules.array = array = Accelerator(config.array)
        m.submodules.rows = rows = Queue(rows_layout(config), 2)
        m.submodules.rescaler = rescaler = Rescaler(config)
        results = array.results
        if config.holds_results:
            m.submodules.results = held = Queue(result_layout(config.array), config.array.tokens + 1, in_memory=True)
            wiring.connect(m, array.results, held.source)
            results = held.sink
        outside = wiring.flipped
        if config.normed:
            m.submodules.norm = norm = RmsNorm(config)
            m.submodules.linears = linears = Queue(LINEAR_COMMAND, 2)
            for name in ("command", "gains", "activations"):
                wiring.connect(m, outside(getattr(self, name)), getattr(norm, name))
            wiring.connect(m, norm.linear, linears.source)
            command, activations = linears.sink, norm.normed
        else:
            command, activations = outside(self.command), outside(self.activations)
        for source, sink in (
            (command, loader.command),
            (activations, loader.activations),
            (loader.token, quantiser.token),
            (quantiser.block, blocks.source),
            (blocks.sink, feeder.block),
            (feeder.command, commands.source),
            (commands.sink, array.command),
            (outside(self.weights), array.weights),
            (feeder.activations, array.activations),
            (feeder.rows, rows.source),
            (rows.sink, rescaler.rows),
            (results, rescaler.results),
            (rescaler.outputs, outside(self.outputs)),
        ):
            wiring.connect(m, source, sink)

        tokens = storage(m, "tokens", config.bus_bits, len(loader.write_address))
        write, read = tokens.write_port(), tokens.read_port(domain="sync")
        m.d.comb += [
            write.addr.eq(loader.write_address),
            write.data.eq(loader.write_data),
            write.en.eq(loader.write_enable),
            read.addr.eq(quantiser.read_address),
            read.en.eq(1),
            quantiser.read_data.eq(read.data),
        ]
        width = len(quantiser.code_data)
        codes = storage(m, "codes", width * config.groups, len(quantiser.code_address))
        write, read = codes.write_port(granularity=width), codes.read_port(domain="sync")
        m.d.comb += [
            write.addr.eq(quantiser.code_address),
            write.data.eq(quantiser.code_data.replicate(config.groups)),
            write.en.eq(quantiser.code_enable),
            read.addr.eq(feeder.read_address),
            read.en.eq(feeder.read_enable),
            feeder.read_data.eq(read.data),
        ]
        scales = storage(m, "scales", normalised_bits(FP32), len(quantiser.scale_address))
        write, read = scales.write_port(), scales.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(quantiser.scale_address),
            write.data.eq(quantiser.scale_data),
            write.en.eq(quantiser.scale_enable),
            read.addr.eq(rescaler.scale_address),
            rescaler.scale_data.eq(read.data),
            quantiser.freed.eq(rescaler.freed),
        ]
        return m


def storage(m: Module, name: str, width: int, address_bits: int) -> "memory.Memory[Any]":
    """Return a memory with every address that its bits can say.

    Parameters
    ----------
    m
        Where it goes.
    name
        Names it.
    width
        Bits of a word.
    address_bits
        Of an address.
    """
    made: memory.Memory[Any] = memory.Memory(shape=unsigned(width), depth=1 << address_bits, init=[])
    m.submodules[name] = made
    return made


def linear_ports(config: LinearConfig) -> dict[str, Any]:
    """Return the ports of `AxiBitLinear` by name, without clock and reset.

    Parameters
    ----------
    config
        The configuration.
    """
    return stream_ports(input_bits(config), config.bus_bits)


def input_bits(config: LinearConfig) -> dict[str, int]:
    """Return the width of each input stream.

    Parameters
    ----------
    config
        The configuration.
    """
    return {
        "command": (NORMED_COMMAND if config.normed else LINEAR_COMMAND).size,
        "weights": config.array.weight_bus_bits,
        "activations": config.bus_bits,
        **({"gains": config.bus_bits} if config.normed else {}),
    }


class AxiBitLinear(wiring.Component):
    """The whole BitLinear with AXI4-Stream ports, all on one clock.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    clk, rst : In(1)
        Clock, and reset: synchronous, active high, one cycle is enough.
    s_axis_command_tdata : In(96, with a norm 128)
        M at bits 15..0, K at bits 39..16, N at bits 63..40, weight scale (FP32) at bits 95..64, epsilon (FP32) at bits
        127..96.
    s_axis_weights_tdata : In(weight_bus_bits)
        Tiles; see `bitjoule.rtl.packing`.
    s_axis_activations_tdata : In(lanes * bits of the format)
        Lane l at bits l * (bits of the format); ceil(K / lanes) beats a token, each token once.
    s_axis_gains_tdata : In(lanes * bits of the format)
        With a norm: in the same places, ceil(K / lanes) beats a command.
    m_axis_results_tdata : Out(lanes * bits of the format)
        Outputs, in the same places.
    m_axis_results_tuser : Out(1)
        The command was malformed; tdata means nothing.
    *_tvalid, *_tready, *_tlast
        As AXI4-Stream defines them. tlast of the results marks the last beat of a command; tlast of inputs is ignored.
    """

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        super().__init__(linear_ports(config))

    def elaborate(self, _: object) -> Module:
        """Build the BitLinear and name its ports."""
        m = Module()
        m.submodules.core = core = BitLinear(self._config)
        connect(m, self, core, input_bits(self._config), core.outputs, core.outputs.payload.words)
        return m
