"""A loaded token becomes codes, written tile by tile, and a scale; a block that is complete goes on."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import normalised, normalised_bits
from bitjoule.rtl.arithmetic.formats import FP32
from bitjoule.rtl.arithmetic.operators import FloatMultiplier
from bitjoule.rtl.arithmetic.reduction import wire
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements import code
from bitjoule.rtl.linear.elements.token_scale import TokenScale
from bitjoule.rtl.linear.layouts import BLOCK, token_layout
from bitjoule.rtl.linear.token_loader import range_bits

HALVES = 2  # of the memories of codes and scales: one block is written while the other is computed with


def place_bits(config: LinearConfig) -> int:
    """Return the bits of an address of a token's scale: its place, and the half.

    Parameters
    ----------
    config
        The configuration.
    """
    return range_bits(config.array.tokens) + 1


def code_address_bits(config: LinearConfig) -> int:
    """Return the bits of an address of codes: the token's place, the tile of K, and the half.

    Parameters
    ----------
    config
        The configuration.
    """
    return place_bits(config) + range_bits(config.tiles)


class TokenQuantiser(wiring.Component):
    """Reads a token back, quantises `lanes` activations a cycle, and rounds out its last tile with zeros.

    Latency: from a token that is taken to its last code, ceil(K / array lanes) * groups + `division.CYCLES` + 8 cycles;
    the next token is taken two cycles later.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    token : In(stream)
        See `token_layout`.
    read_address, read_data : Out, In
        Of the tokens' memory; data one cycle behind the address.
    code_address, code_enable, code_data : Out
        Of the codes' memory: a place and the lanes of one group.
    scale_address, scale_enable, scale_data : Out
        Of the scales' memory: activation scale times weight scale in FP32, normalised.
    freed : In(1)
        A half of both memories is free again.
    block : Out(stream)
        A block whose codes and scales are there; the halves take turns. Or a malformed command.
    """

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        super().__init__(
            {
                "token": In(stream.Signature(token_layout(config))),
                "read_address": Out(1 + range_bits(config.beats)),
                "read_data": In(config.bus_bits),
                "code_address": Out(code_address_bits(config)),
                "code_enable": Out(config.groups),
                "code_data": Out(config.lanes * config.array.activation_bits),
                "scale_address": Out(place_bits(config)),
                "scale_enable": Out(1),
                "scale_data": Out(normalised_bits(FP32)),
                "freed": In(1),
                "block": Out(stream.Signature(BLOCK)),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the steps of a token."""
        m = Module()
        config = self._config
        m.submodules.scaler = scaler = TokenScale(config.form, config.steps)
        token = Signal(token_layout(config), reset_less=True)
        offered = self.token.payload
        used = Signal(range(HALVES + 1))
        begins, half = Signal(), Signal()
        m.d.sync += used.eq(used + begins - self.freed)
        beat = Signal(range(config.beats), reset_less=True)
        group = Signal(range(config.groups), reset_less=True)
        blank = Signal(reset_less=True)  # behind the last beat: zeros up to the end of the tile
        reads = Signal()
        last_group = group == config.groups - 1
        in_flight = self._codes(m, scaler, token.place, half, reads, blank)
        self._scale(m, scaler, token, half)
        m.d.comb += [
            scaler.magnitude.eq(offered.magnitude),
            self.read_address.eq(Cat(beat, token.slot)),
            self.block.payload.command.m.eq(Mux(token.malformed, token.command.m, token.place + 1)),
            self.block.payload.command.k.eq(token.command.k),
            self.block.payload.command.n.eq(token.command.n),
            self.block.payload.final.eq(token.final),
            self.block.payload.malformed.eq(token.malformed),
        ]
        free = offered.malformed | (offered.place != 0) | (used != HALVES)
        takes = wire(m, "takes", self.token.valid & self.token.ready)
        with m.FSM() as states:
            with m.State("IDLE"), m.If(takes):
                m.d.sync += [token.eq(offered), beat.eq(0), group.eq(0), blank.eq(0)]
                with m.If(offered.malformed):
                    m.next = "PUSH"
                with m.Else():
                    m.next = "SCALE"
            with m.State("SCALE"), m.If(scaler.done):
                m.next = "READ"
            with m.State("READ"):
                m.d.sync += [beat.eq(beat + 1), group.eq(Mux(last_group, 0, group + 1))]
                with m.If(blank | (beat == token.last_beat)):
                    m.d.sync += blank.eq(1)
                    with m.If(last_group):
                        m.next = "DRAIN"
            with m.State("DRAIN"), m.If(~in_flight):
                with m.If(token.completes):
                    m.next = "PUSH"
                with m.Else():
                    m.next = "IDLE"
            with m.State("PUSH"), m.If(self.block.ready):
                m.d.sync += half.eq(half ^ ~token.malformed)
                m.next = "IDLE"
        # Not within the states: simulators evaluate an assignment at once, but a block only once an input changes.
        m.d.comb += [
            self.token.ready.eq(states.ongoing("IDLE") & free),
            scaler.start.eq(takes & ~offered.malformed),
            begins.eq(scaler.start & (offered.place == 0)),
            reads.eq(states.ongoing("READ")),
            self.scale_enable.eq(states.ongoing("DRAIN") & ~in_flight),
            self.block.valid.eq(states.ongoing("PUSH")),
        ]
        return m

    def _codes(
        self, m: Module, scaler: TokenScale, place: Signal, half: Signal, reads: Signal, blank: Signal
    ) -> Signal:
        """Quantise what is read and write it where it belongs; return whether something is on its way."""
        config = self._config
        steps = [(reads, blank)]
        for stage in range(1 + code.LATENCY):
            valid, zero = Signal(name=f"valid{stage}"), Signal(name=f"blank{stage}", reset_less=True)
            m.d.sync += [valid.eq(steps[-1][0]), zero.eq(steps[-1][1])]
            steps.append((valid, zero))
        valid, zero = steps[-1]
        codes = []
        for i in range(config.lanes):
            m.submodules[f"lane{i}"] = lane = code.CodeLane(config)
            m.d.comb += [
                lane.word.eq(self.read_data.word_select(i, config.form.bits)),
                lane.significand.eq(scaler.significand),
                lane.exponent.eq(scaler.exponent),
            ]
            codes.append(Mux(zero, 0, lane.code)[: config.array.activation_bits])
        tile = Signal(range(config.tiles), reset_less=True)
        group = Signal(range(config.groups), reset_less=True)
        m.d.comb += [
            self.code_address.eq(Cat(place, tile, half)),
            self.code_enable.eq(valid << group),
            self.code_data.eq(Cat(*codes)),
        ]
        with m.If(valid):
            m.d.sync += group.eq(group + 1)
            with m.If(group == config.groups - 1):
                m.d.sync += [group.eq(0), tile.eq(tile + 1)]
        with m.If(scaler.start):
            m.d.sync += [group.eq(0), tile.eq(0)]
        in_flight = Signal()
        m.d.comb += in_flight.eq(Cat(step for step, _ in steps[1:]).any())
        return in_flight

    def _scale(self, m: Module, scaler: TokenScale, token: Signal, half: Signal) -> None:
        """Multiply both scales, a register behind each step; they have settled when the last code is written."""
        m.submodules.scales = scales = FloatMultiplier(FP32)
        product = Signal(FP32.bits, reset_less=True)
        prepared = Signal(normalised_bits(FP32), reset_less=True)
        of_token = Signal(FP32.bits, reset_less=True)
        m.d.sync += [
            of_token.eq(scaler.scale),
            product.eq(scales.y),
            prepared.eq(normalised(m, FP32, product)),
        ]
        m.d.comb += [
            scales.a.eq(of_token),
            scales.b.eq(token.command.scale),
            self.scale_address.eq(Cat(token.place, half)),
            self.scale_data.eq(prepared),
        ]
