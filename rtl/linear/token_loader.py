"""Tokens as they come in: masked, stored, and their largest magnitude found on the way."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.reduction import wire
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.layouts import LINEAR_COMMAND, token_layout


class TokenLoader(wiring.Component):
    """Writes each token into one of two slots of a memory while the other is read.

    Throughput: a beat a cycle within a token; between tokens it waits until the one before is taken, at least a cycle.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    command : In(stream of M, K, N, scale)
        Taken when the one before is loaded. M = 0, K = 0, K > max_k or N = 0 is malformed: a token of its own says so.
    activations : In(stream of lanes * bits)
        ceil(K / lanes) beats for each of M tokens. Lanes behind K count as zero, whatever they hold.
    write_address, write_data, write_enable : Out
        Of the memory.
    token : Out(stream)
        See `token_layout`. Its slot is free again once the token after it is taken.
    """

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        super().__init__(
            {
                "command": In(stream.Signature(LINEAR_COMMAND)),
                "activations": In(stream.Signature(config.bus_bits)),
                "write_address": Out(1 + range_bits(config.beats)),
                "write_data": Out(config.bus_bits),
                "write_enable": Out(1),
                "token": Out(stream.Signature(token_layout(config))),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the loader."""
        m = Module()
        config = self._config
        bits, lanes, array = config.form.bits, config.lanes, config.array
        told = Signal(LINEAR_COMMAND, reset_less=True)
        active, pending = Signal(), Signal()
        malformed = Signal(reset_less=True)
        m_left = Signal.like(told.m, name="m_left", reset_less=True)
        k_left = Signal(range(array.max_k + 1), reset_less=True)
        beat = Signal(range(config.beats), reset_less=True)
        place = Signal(range(array.tokens), reset_less=True)
        slot = Signal()
        magnitude = Signal(bits - 1, reset_less=True)
        last_beat, last_token, last_place = (Signal(name=name) for name in ("last_beat", "last_token", "last_place"))
        words = [
            wire(m, f"word{i}", Mux(k_left > i, self.activations.payload.word_select(i, bits), 0)) for i in range(lanes)
        ]
        found = wire(m, "found", _largest(m, [magnitude, *(word[:-1] for word in words)]))
        token = self.token.payload
        m.d.comb += [
            last_beat.eq(k_left <= lanes),
            last_token.eq(m_left == 1),
            last_place.eq(place == array.tokens - 1),
            self.command.ready.eq(~active & ~pending),
            self.activations.ready.eq(active & ~pending & ~malformed),
            self.write_address.eq(Cat(beat, slot)),
            self.write_data.eq(Cat(*words)),
            self.write_enable.eq(self.activations.valid & self.activations.ready),
            self.token.valid.eq(pending),
            token.command.eq(told),
            token.malformed.eq(malformed),
        ]
        with m.If(self.command.valid & self.command.ready):
            given = self.command.payload
            m.d.sync += [
                told.eq(given),
                active.eq(1),
                malformed.eq((given.m == 0) | (given.k == 0) | (given.k > array.max_k) | (given.n == 0)),
                m_left.eq(given.m),
                k_left.eq(given.k),
                beat.eq(0),
                place.eq(0),
                magnitude.eq(0),
            ]
        kept = {
            "slot": slot, "last_beat": beat, "magnitude": found, "place": place,
            "completes": last_place | last_token, "final": last_token,
        }  # fmt: skip
        with m.If(self.write_enable):
            m.d.sync += [beat.eq(beat + 1), k_left.eq(k_left - lanes), magnitude.eq(found)]
            with m.If(last_beat):
                m.d.sync += [
                    pending.eq(1), active.eq(~last_token), m_left.eq(m_left - 1), k_left.eq(told.k), beat.eq(0),
                    magnitude.eq(0), slot.eq(~slot), place.eq(Mux(last_place, 0, place + 1)),
                ]  # fmt: skip
        with m.If(active & malformed & ~pending):
            m.d.sync += [pending.eq(1), active.eq(0)]
        for name, value in kept.items():
            held = Signal.like(token[name], name=f"held_{name}", reset_less=True)
            m.d.comb += token[name].eq(held)
            with m.If(self.write_enable & last_beat):
                m.d.sync += held.eq(value)
        with m.If(pending & self.token.ready):
            m.d.sync += pending.eq(0)
        return m


def range_bits(count: int) -> int:
    """Return the bits of a number below a count.

    Parameters
    ----------
    count
        Positive.
    """
    return (count - 1).bit_length()


def _largest(m: Module, words: list[Value]) -> Value:
    level = 0
    while len(words) > 1:
        pairs = zip(words[::2], words[1::2], strict=False)
        larger = [
            wire(m, f"larger{level}_{i}", Mux(left < right, right, left)) for i, (left, right) in enumerate(pairs)
        ]
        words = larger + words[len(words) - len(words) % 2 :]
        level += 1
    return words[0]
