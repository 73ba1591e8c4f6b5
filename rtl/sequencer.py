"""The loops of a matmul over tiles and tokens, cycle by cycle."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.config import COMMAND_K_BITS, COMMAND_M_BITS, COMMAND_N_BITS, AcceleratorConfig

COMMAND = data.StructLayout({"m": COMMAND_M_BITS, "k": COMMAND_K_BITS, "n": COMMAND_N_BITS})


def step_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Return the control signals that accompany the operands through the pipeline.

    Parameters
    ----------
    config
        For the number of tokens.

    Notes
    -----
    ``valid``: operands of a token. ``first``, ``last``: of its first, last tile in K. ``token``: its place in the
    block. ``malformed``: no operands, but the answer to a malformed command. ``end``: the last answer to its command.
    """
    return data.StructLayout(
        {"valid": 1, "first": 1, "last": 1, "malformed": 1, "end": 1, "token": range(config.tokens)}
    )


class Sequencer(wiring.Component):
    """Walks through a matmul: blocks of `tokens` of M, then tiles of N, then tiles of K, then the tokens of the block.

    A step is made in each cycle in which its operands are offered and its result will find room. Throughput: a step a
    cycle, also across the end of a matmul if the next command is waiting.

    Parameters
    ----------
    config
        Lanes, columns, tokens and the largest K.

    Ports
    -----
    command : In(stream of M, K, N)
        Taken when the matmul before makes its last step. M = 0, K = 0, K > max_k or N = 0 is malformed: one step
        without operands answers it.
    tile_complete : In(1)
        The last beat of a tile is offered.
    activations_valid : In(1)
        A token's activations are offered.
    room : In(1)
        A result begun now will find a place.
    take_tile, take_activations : Out(1)
        This step takes them.
    step : Out
        See `step_layout`; nothing is set in a cycle without a step.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "command": In(stream.Signature(COMMAND)),
                "tile_complete": In(1),
                "activations_valid": In(1),
                "room": In(1),
                "take_tile": Out(1),
                "take_activations": Out(1),
                "step": Out(step_layout(config)),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the sequencer."""
        m = Module()
        config = self._config
        command = self.command.payload

        active = Signal()
        malformed = Signal(reset_less=True)
        k = Signal(range(config.max_k + 1), reset_less=True)
        n = Signal.like(command.n, reset_less=True)
        m_left, k_left, n_left = (
            Signal.like(size, name=name, reset_less=True)
            for name, size in (("m_left", command.m), ("k_left", k), ("n_left", n))
        )
        token = Signal(range(config.tokens))

        first_k = Signal(reset_less=True)
        first_token, last_token, last_k, last_n, last_m = (
            Signal(name=name) for name in ("first_token", "last_token", "last_k", "last_n", "last_m")
        )
        m.d.comb += [
            first_token.eq(token == 0),
            last_token.eq((token == config.tokens - 1) | (m_left == token + 1)),
            last_k.eq(k_left <= config.lanes),
            last_n.eq(n_left <= config.columns),
            last_m.eq(m_left <= config.tokens),
        ]

        compute, answer, done = Signal(name="compute"), Signal(name="answer"), Signal(name="done")
        m.d.comb += [
            compute.eq(
                active
                & ~malformed
                & self.activations_valid
                & (self.tile_complete | ~first_token)
                & (self.room | ~last_k)
            ),
            answer.eq(active & malformed & self.room),
            done.eq(answer | (compute & last_token & last_k & last_n & last_m)),
            self.take_activations.eq(compute),
            self.take_tile.eq(compute & first_token),
            self.step.valid.eq(compute),
            self.step.first.eq(first_k),
            self.step.last.eq(compute & last_k),
            self.step.malformed.eq(answer),
            self.step.end.eq(done),
            self.step.token.eq(token),
            self.command.ready.eq(~active | done),
        ]

        with m.If(compute):
            m.d.sync += token.eq(token + 1)
            with m.If(last_token):
                m.d.sync += [token.eq(0), first_k.eq(last_k), k_left.eq(k_left - config.lanes)]
                with m.If(last_k):
                    m.d.sync += [k_left.eq(k), n_left.eq(n_left - config.columns)]
                    with m.If(last_n):
                        m.d.sync += [n_left.eq(n), m_left.eq(m_left - config.tokens)]
        with m.If(self.command.ready):
            m.d.sync += active.eq(self.command.valid)
            with m.If(self.command.valid):
                m.d.sync += [
                    malformed.eq((command.m == 0) | (command.k == 0) | (command.k > config.max_k) | (command.n == 0)),
                    m_left.eq(command.m),
                    k.eq(command.k),
                    k_left.eq(command.k),
                    n.eq(command.n),
                    n_left.eq(command.n),
                    first_k.eq(1),
                ]
        return m
