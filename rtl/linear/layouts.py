"""What the stages of a BitLinear hand to each other."""

from typing import Any

from amaranth.hdl import Module, Shape
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.config import COMMAND_K_BITS, COMMAND_M_BITS, COMMAND_N_BITS
from bitjoule.rtl.linear.config import SCALE_BITS, LinearConfig
from bitjoule.rtl.sequencer import COMMAND

LINEAR_COMMAND = data.StructLayout({"m": COMMAND_M_BITS, "k": COMMAND_K_BITS, "n": COMMAND_N_BITS, "scale": SCALE_BITS})
NORMED_COMMAND = data.StructLayout({"linear": LINEAR_COMMAND, "epsilon": SCALE_BITS})


def token_layout(config: LinearConfig) -> data.StructLayout:
    """Return a token that is loaded: where it is, its largest magnitude, and what it belongs to.

    Parameters
    ----------
    config
        The configuration.

    Notes
    -----
    ``slot``, ``last_beat``: where its activations are. ``place``: of the token in its block. ``completes``: its block;
    ``final``: its command. ``malformed``: no token, but a malformed ``command``.
    """
    return data.StructLayout(
        {
            "slot": 1,
            "last_beat": range(config.beats),
            "magnitude": config.form.bits - 1,
            "place": range(config.array.tokens),
            "completes": 1,
            "final": 1,
            "malformed": 1,
            "command": LINEAR_COMMAND,
        }
    )


BLOCK = data.StructLayout({"command": COMMAND, "final": 1, "malformed": 1})


def rows_layout(config: LinearConfig) -> data.StructLayout:
    """Return what the rescaler knows of a block: the place of its last token, and whether it ends its command.

    Parameters
    ----------
    config
        The configuration.
    """
    return data.StructLayout({"last_place": range(config.array.tokens), "final": 1})


def output_layout(config: LinearConfig) -> data.StructLayout:
    """Return one beat of outputs.

    Parameters
    ----------
    config
        The configuration.

    Notes
    -----
    ``words``: outputs of one token, neighbours along N. ``malformed``: none, but the answer to a malformed command.
    ``end``: the last beat of a command.
    """
    return data.StructLayout({"words": config.bus_bits, "malformed": 1, "end": 1})


class Queue(wiring.Component):
    """A stream that holds some beats. Latency: one cycle; of one made for a memory, two.

    Parameters
    ----------
    shape
        Of a beat.
    depth
        Beats.
    in_memory
        Whether it is made for a memory that is read with a clock.

    Ports
    -----
    source : In(stream)
        What goes in.
    sink : Out(stream)
        What comes out, in order.
    """

    def __init__(self, shape: Any, depth: int, in_memory: bool = False) -> None:
        self._shape, self._depth = shape, depth
        self._kind = fifo.SyncFIFOBuffered if in_memory else fifo.SyncFIFO
        super().__init__({"source": In(stream.Signature(shape)), "sink": Out(stream.Signature(shape))})

    def elaborate(self, _: object) -> Module:
        """Build the queue."""
        m = Module()
        width = Shape.cast(self._shape).width
        m.submodules.beats = beats = self._kind(width=width, depth=self._depth)
        m.d.comb += [
            beats.w_data.eq(self.source.payload),
            beats.w_en.eq(self.source.valid),
            self.source.ready.eq(beats.w_rdy),
            self.sink.payload.eq(beats.r_data),
            self.sink.valid.eq(beats.r_rdy),
            beats.r_en.eq(self.sink.ready),
        ]
        return m
