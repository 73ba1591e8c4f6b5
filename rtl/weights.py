"""From the beats of the weight stream to the select lines or the words of the array."""

from itertools import chain
from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.inverted_sums import free_lanes, latest_lanes
from bitjoule.rtl.config import FP16_BITS, AcceleratorConfig
from bitjoule.rtl.operands import prepared_weight, weight_lines


def decode(name: str, word: Value) -> tuple[list[Value], list[Value]]:
    """Return the select lines (plus, minus) of a code word's trits; both set is zero, as neither is.

    Parameters
    ----------
    name
        The encoding: ``binary1``, ``ternary2`` or ``ternary5``.
    word
        The code word.
    """
    if name == "binary1":
        return [word[0]], [~word[0]]
    if name == "ternary2":
        return [word[0]], [word[1]]
    return _decode_ternary5(word)


def decode_signs(byte: Value) -> tuple[list[Value], list[Value]]:
    """Return for each trit of a byte of ``ternary5`` whether it is not zero, and a sign, which means nothing of a zero.

    Parameters
    ----------
    byte
        The code word.
    """
    h, low, m = byte[6:8], byte[3:6], byte[0:3]
    full = ~h.all()
    a_zero = ~full & (~low[2] | (low[:2].all()))
    b_zero = ~full & low[2]
    pairs = [(Mux(full, low, m), a_zero), (m, b_zero)]
    nonzero = [flag for c, zero in pairs for flag in (~zero & ~(c[2] & c[1]), ~zero & ~(c[2] & ~c[1]))]
    negative = [sign for c, _ in pairs for sign in (Mux(c[2], c[0], c[1]), c[0])]
    fifth = Mux(low.all(), m[:2], low[:2])  # where it is not h
    return [*nonzero, Mux(full, h.xor(), fifth.xor())], [*negative, Mux(full, h[1], fifth[1])]


def _decode_ternary5(byte: Value) -> tuple[list[Value], list[Value]]:
    h, low, m = byte[6:8], byte[3:6], byte[0:3]
    full = ~h.all()
    a_zero = ~full & (~low[2] | (low[:2].all()))
    b_zero = ~full & low[2]
    a = Mux(full, low, m)  # with h = 3, the pair that is not (0, 0), if any, is in m
    fifth = Mux(full, h, Mux(low.all(), m[:2], low[:2]))
    pairs = [*_decode_pair(a, a_zero), *_decode_pair(m, b_zero)]
    return [*(plus for plus, _ in pairs), fifth[0]], [*(minus for _, minus in pairs), fifth[1]]


def _decode_pair(code: Value, zero: Value) -> list[tuple[Value, Value]]:
    c0, c1, c2 = code[0], code[1], code[2]
    u_nonzero, v_nonzero = ~zero & ~(c2 & c1), ~zero & ~(c2 & ~c1)
    u_negative = Mux(c2, c0, c1)
    return [(u_nonzero & ~u_negative, u_nonzero & u_negative), (v_nonzero & ~c0, v_nonzero & c0)]


class WeightLoader(wiring.Component):
    """Gathers the beats of the next tile behind the one in use, and holds the decoded one.

    All beats of a tile but the last are taken as they come; the last is taken with `take`, and the tile is at
    `plus` and `minus`, or at `weights`, in the cycle after. Throughput: a beat a cycle, as long as `take` does not come
    late.

    Parameters
    ----------
    config
        The encoding, the tile and the bus.

    Ports
    -----
    beats : In(stream)
        The weight stream.
    complete : Out(1)
        The last beat of a tile is offered.
    take : In(1)
        Take it; only while `complete`.
    plus, minus : Out(lanes * columns)
        Of trits: select lines, those of column c at bits c * lanes.
    scales : Out(columns * 16)
        Where trits have scales: the one of column c at bits c * 16.
    weights : Out(lanes * columns * bits)
        Of words, in place of those: the one of lane l in column c at bits (c * lanes + l) * bits, as prepared for
        the columns (`operands`).
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        lines = config.lanes * config.columns
        super().__init__(
            {
                "beats": In(stream.Signature(config.weight_bus_bits)),
                "complete": Out(1),
                "take": In(1),
                **{name: Out(lines * bits) for name, bits in weight_lines(config).items()},
                **({"scales": Out(config.columns * FP16_BITS)} if config.scaled else {}),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the loader."""
        m = Module()
        config = self._config
        tile: Value = self.beats.payload
        if config.tile_beats == 1:
            m.d.comb += [self.complete.eq(self.beats.valid), self.beats.ready.eq(self.take)]
        else:
            early = Array(
                Signal(config.weight_bus_bits, name=f"early{i}", reset_less=True) for i in range(config.tile_beats - 1)
            )
            beat = Signal(range(config.tile_beats))
            is_last = Signal()
            m.d.comb += [
                is_last.eq(beat == config.tile_beats - 1),
                self.complete.eq(self.beats.valid & is_last),
                self.beats.ready.eq(~is_last | self.take),
            ]
            with m.If(self.beats.valid & ~is_last):
                m.d.sync += [beat.eq(beat + 1), early[beat].eq(self.beats.payload)]
            with m.Elif(self.take):
                m.d.sync += beat.eq(0)
            tile = Cat(*early, self.beats.payload)
        loaded = self._words(m, tile) if config.multiplies else self._select_lines(m, tile)
        if config.scaled:
            held_scales = Signal.like(self.scales, name="held_scales", reset_less=True)
            m.d.comb += self.scales.eq(held_scales)
            loaded.append(held_scales.eq(tile[config.scales_begin : config.scales_begin + len(held_scales)]))
        with m.If(self.take if holds_operands(config) else 1):
            m.d.sync += loaded
        return m

    def _words(self, m: Module, tile: Value) -> list[Any]:
        config = self._config
        held_weights = Signal.like(self.weights, name="held_weights", reset_less=True)
        m.d.comb += self.weights.eq(held_weights)
        bits = config.encoding.bits
        places = (lane * config.columns + column for column in range(config.columns) for lane in range(config.lanes))
        words = (prepared_weight(m, f"weight{place}", config, tile.word_select(place, bits)) for place in places)
        return [held_weights.eq(Cat(*words))]

    def _select_lines(self, m: Module, tile: Value) -> list[Any]:
        config = self._config
        if config.inverts_sums and config.weight_encoding == "ternary5":
            return self._signs(m, tile)
        plus, minus = self._decoded(tile)
        held_plus = Signal.like(self.plus, name="held_plus", reset_less=True)
        held_minus = Signal.like(self.minus, name="held_minus", reset_less=True)
        held = held_plus
        if free := self._free_lines():
            # Of a lane whose adder takes its operand or not, the line that says so is held, not made behind registers.
            plus, held = plus ^ (minus & free), held_plus ^ (held_minus & free)
        loaded = [held_plus.eq(plus)]
        if config.encoding.zero:
            loaded.append(held_minus.eq(minus))
        else:
            m.d.comb += held_minus.eq(~held_plus)
        m.d.comb += [self.plus.eq(held), self.minus.eq(held_minus)]
        return loaded

    def _signs(self, m: Module, tile: Value) -> list[Any]:
        """Hold whether trits are zero, and their signs; of some lanes, the read word of a memory is what is held."""
        config = self._config
        row_bits, bits = config.encoding.row_bits(config.columns), config.encoding.bits
        stored = latest_lanes(config.lanes, config.chain_lanes, config.stored_decoders)
        loaded: list[Any] = []
        nonzero: list[list[Value]] = []
        negative: list[list[Value]] = []
        for lane in range(config.lanes):
            words = [tile[low : low + bits] for low in range(lane * row_bits, (lane + 1) * row_bits, bits)]
            held: list[Value] = []
            for i, word in enumerate(words):
                if lane in stored:
                    held.append(self._stored(m, f"decoder{lane}_{i}", word))
                    continue
                signal = Signal(2 * config.encoding.trits, name=f"held{lane}_{i}", reset_less=True)
                loaded.append(signal.eq(Cat(*chain(*decode_signs(word)))))
                held.append(signal)
            nonzero.append([flag for word in held for flag in word[: config.encoding.trits]])
            negative.append([sign for word in held for sign in word[config.encoding.trits :]])
        columns = range(config.columns)
        signs = Cat(*(lane[column] for column in columns for lane in negative))
        # Both lines of a zero may be set, which means zero, too.
        m.d.comb += [
            self.plus.eq(Cat(*(lane[column] for column in columns for lane in nonzero)) ^ signs),
            self.minus.eq(signs),
        ]
        return loaded

    def _stored(self, m: Module, name: str, word: Value) -> Value:
        """Return what a table in memory holds of a byte: `decode_signs`, one cycle later."""
        encoding = self._config.encoding
        lines = [[*(trit != 0 for trit in trits), *(trit < 0 for trit in trits)] for trits in encoding.decoded]
        rows = [sum(line << i for i, line in enumerate(row)) for row in lines]
        table: memory.Memory[Any] = memory.Memory(shape=2 * encoding.trits, depth=len(rows), init=rows)
        m.submodules[name] = table
        read = table.read_port()
        m.d.comb += [read.addr.eq(word), read.en.eq(self.take if holds_operands(self._config) else 1)]
        return Value.cast(read.data)

    def _free_lines(self) -> int:
        config = self._config
        if not config.inverts_sums or not config.encoding.zero:
            return 0
        lanes = free_lanes(config.lanes, config.chain_lanes, config.inverted_sums)
        column = sum(free << lane for lane, free in enumerate(lanes))
        return sum(column << i * config.lanes for i in range(config.columns))

    def _decoded(self, tile: Value) -> tuple[Value, Value]:
        config = self._config
        encoding, row_bits = config.encoding, config.encoding.row_bits(config.columns)
        lanes: list[tuple[list[Value], list[Value]]] = []
        for lane in range(config.lanes):
            plus: list[Value] = []
            minus: list[Value] = []
            for low in range(lane * row_bits, (lane + 1) * row_bits, encoding.bits):
                word_plus, word_minus = decode(encoding.name, tile[low : low + encoding.bits])
                plus += word_plus
                minus += word_minus
            lanes.append((plus, minus))
        columns = range(config.columns)
        return (
            Cat(*(plus[column] for column in columns for plus, _ in lanes)),
            Cat(*(minus[column] for column in columns for _, minus in lanes)),
        )


def holds_operands(config: AcceleratorConfig) -> bool:
    """Return whether operand registers keep their value between uses.

    Where every cycle at full rate brings a new tile and new activations, they need not: registers without an enable are
    smaller, and what they load between uses is ignored.

    Parameters
    ----------
    config
        The configuration.
    """
    return config.tokens > 1 or config.tile_beats > 1
