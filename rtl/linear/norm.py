"""An RMSNorm in front of the quantisation: tokens in, normed tokens out, one at a time."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.arithmetic.floating_point import Adder, leading_zeros, shifted_left
from bitjoule.rtl.arithmetic.formats import FP32
from bitjoule.rtl.arithmetic.reduction import wire
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements import norm_lane
from bitjoule.rtl.linear.elements.division import PLACES, Divider, rounded_quotient
from bitjoule.rtl.linear.elements.square_root import SquareRoot
from bitjoule.rtl.linear.layouts import LINEAR_COMMAND, NORMED_COMMAND
from bitjoule.rtl.linear.token_loader import range_bits

QUIET = ((1 << FP32.exponent_bits) - 1) << FP32.fraction_bits | 1 << (FP32.fraction_bits - 1)


class RmsNorm(wiring.Component):
    """x / sqrt(mean(x²) + epsilon) * gain, `lanes` values a cycle; the arithmetic is that of `hardware_rms_norm`.

    Latency: for a token of L = ceil(K / lanes) beats that wait for nothing, 2 L + lanes + 2 `division.CYCLES` +
    `square_root.CYCLES` + 12 cycles from its first beat to its last normed one (with one lane, one more). The next
    token comes in while the last ones leave. The gains take L cycles once for each command.

    Parameters
    ----------
    config
        The configuration.

    Ports
    -----
    command : In(stream)
        Of M, K, N, scale and epsilon. Malformed ones take neither gains nor tokens.
    linear : Out(stream)
        The command without epsilon.
    gains : In(stream of lanes * bits)
        L beats for each command.
    activations : In(stream of lanes * bits)
        L beats for each token.
    normed : Out(stream of lanes * bits)
        The same beats, normed; lanes behind K hold anything.
    """

    def __init__(self, config: LinearConfig) -> None:
        self._config = config
        super().__init__(
            {
                "command": In(stream.Signature(NORMED_COMMAND)),
                "linear": Out(stream.Signature(LINEAR_COMMAND)),
                "gains": In(stream.Signature(config.bus_bits)),
                "activations": In(stream.Signature(config.bus_bits)),
                "normed": Out(stream.Signature(config.bus_bits)),
            }
        )

    def elaborate(self, _: object) -> Module:
        """Build the steps of a token."""
        m = Module()
        config = self._config
        lanes = config.lanes
        given = self.command.payload
        told = Signal(NORMED_COMMAND, reset_less=True)
        sizes = told.linear
        tokens_left = Signal.like(sizes.m, name="tokens_left", reset_less=True)
        k_left = Signal(range(config.array.max_k + 1), reset_less=True)
        last = wire(m, "last", k_left <= lanes)
        beat = Signal(range(config.beats), reset_less=True)
        step = Signal(range(max(lanes, 4)), reset_less=True)
        factor = Signal(FP32.bits, reset_less=True)
        value = Signal(FP32.bits, reset_less=True)

        loads, reads, clear, folds = (Signal(name=name) for name in ("loads", "reads", "clear", "folds"))
        squares = self._squares(m, k_left, loads, clear, folds, step)
        advance, busy = self._normed(m, loads, reads, beat, factor)
        m.submodules.divider = divider = Divider()
        m.submodules.root = root = SquareRoot()
        m.submodules.adder = adder = Adder(FP32)
        zeros = leading_zeros(m, sizes.k)
        size = wire(m, "size", shifted_left(m, sizes.k, zeros))
        size_exponent = wire(m, "size_exponent", FP32.bias + len(sizes.k) - 1 - zeros)
        divides_by_size = Signal()
        m.d.comb += [
            adder.a.eq(value),
            adder.b.eq(told.epsilon),
            root.radicand.eq(Mux(value[FP32.fraction_bits], *_radicands(value))),
            divider.a.eq(Mux(divides_by_size, Cat(value[: FP32.fraction_bits], Const(1, 1)), 1 << (PLACES - 1))),
            divider.b.eq(Mux(divides_by_size, size, Cat(value[: FP32.fraction_bits], Const(1, 1)))),
        ]
        exponent = value[FP32.fraction_bits : -1]
        places, up, whole = rounded_quotient(divider)
        mean_exponent = wire(m, "mean_exponent", (exponent - size_exponent + FP32.bias - ~whole).as_signed())
        mean = Mux(mean_exponent > 0, _number(places, mean_exponent, up), 0)
        rounds = root.root[0] & (root.inexact | root.root[1])
        root_exponent = (exponent + FP32.bias) >> 1
        inverse = _number(places, 2 * FP32.bias - exponent - ~whole, up)

        wrong = (
            (given.linear.m == 0)
            | (given.linear.k == 0)
            | (given.linear.k > config.array.max_k)
            | (given.linear.n == 0)
        )
        with m.FSM() as states:
            with m.State("IDLE"):
                m.d.sync += [told.eq(given), tokens_left.eq(given.linear.m), k_left.eq(given.linear.k), beat.eq(0)]
                with m.If(self.command.valid & self.command.ready & ~wrong):
                    m.next = "GAINS"
            with m.State("GAINS"), m.If(self.gains.valid):
                self._count(m, beat, k_left, last, sizes.k)
                with m.If(last):
                    m.next = "LOAD"
            with m.State("LOAD"):
                m.d.sync += step.eq(0)
                with m.If(loads):
                    self._count(m, beat, k_left, last, sizes.k)
                    with m.If(last):
                        m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.sync += step.eq(1)
                with m.If(step == 1):
                    m.next = "FOLD"
            with m.State("FOLD"):  # the lanes' sums are added to the first
                m.d.sync += step.eq(step + 1)
                with m.If(step == lanes - 1 if lanes > 1 else Const(1, 1)):
                    m.next = "TOTAL"
            with m.State("TOTAL"):
                m.d.sync += value.eq(squares)
                with m.If(~busy):  # values of the token before need its factor
                    m.next = "DIVIDE"
            with m.State("DIVIDE"):
                m.next = "MEAN"
            with m.State("MEAN"):
                with m.If(exponent.all()):
                    m.d.sync += factor.eq(QUIET)
                    m.next = "OUT"
                with m.Elif(divider.done):
                    m.d.sync += value.eq(Mux(exponent.any(), mean, 0))
                    m.next = "ADD"
            with m.State("ADD"):
                m.d.sync += value.eq(adder.y)
                m.next = "ROOT"
            with m.State("ROOT"):
                m.next = "ROOTED"
            with m.State("ROOTED"), m.If(root.done):
                m.d.sync += value.eq(_number(root.root[1:], root_exponent, rounds))
                m.next = "INVERT"
            with m.State("INVERT"):
                m.next = "INVERTED"
            with m.State("INVERTED"), m.If(divider.done):
                m.d.sync += factor.eq(inverse)
                m.next = "OUT"
            with m.State("OUT"), m.If(advance):
                self._count(m, beat, k_left, last, sizes.k)
                with m.If(last):
                    m.d.sync += tokens_left.eq(tokens_left - 1)
                    m.next = "LOAD"
                    with m.If(tokens_left == 1):
                        m.next = "IDLE"
        # Not within the states: simulators evaluate an assignment at once, but a block only once an input changes.
        idle = states.ongoing("IDLE") & ~busy  # the last values need their gains
        m.d.comb += [
            self.linear.valid.eq(self.command.valid & idle),
            self.linear.payload.eq(given.linear),
            self.command.ready.eq(self.linear.ready & idle),
            clear.eq(states.ongoing("IDLE") | states.ongoing("OUT")),
            self.gains.ready.eq(states.ongoing("GAINS")),
            self.activations.ready.eq(states.ongoing("LOAD")),
            loads.eq(self.activations.ready & self.activations.valid),
            folds.eq(states.ongoing("FOLD") & (step != lanes)),
            divides_by_size.eq(states.ongoing("DIVIDE")),
            divider.start.eq(states.ongoing("DIVIDE") | states.ongoing("INVERT")),
            root.start.eq(states.ongoing("ROOT")),
            reads.eq(states.ongoing("OUT") & advance),
        ]
        return m

    def _count(self, m: Module, beat: Signal, k_left: Signal, last: Signal, k: Value) -> None:
        m.d.sync += [beat.eq(Mux(last, 0, beat + 1)), k_left.eq(Mux(last, k, k_left - self._config.lanes))]

    def _squares(self, m: Module, k_left: Signal, loads: Signal, clear: Signal, folds: Signal, step: Signal) -> Signal:
        """Add squares up; return the first lane's sum."""
        bits = self._config.form.bits
        lanes = [norm_lane.SquareLane(self._config.form) for _ in range(self._config.lanes)]
        for i, lane in enumerate(lanes):
            m.submodules[f"square{i}"] = lane
            m.d.comb += [
                lane.clear.eq(clear),
                lane.valid.eq(loads),
                lane.word.eq(Mux(k_left > i, self.activations.payload.word_select(i, bits), 0)),
            ]
        m.d.comb += lanes[0].adds.eq(folds)
        with m.Switch(step):
            for i, lane in enumerate(lanes[1:], 1):
                with m.Case(i):
                    m.d.comb += lanes[0].other.eq(lane.total)
        total: Signal = lanes[0].total
        return total

    def _normed(self, m: Module, loads: Signal, reads: Signal, beat: Signal, factor: Signal) -> tuple[Signal, Signal]:
        """Store tokens and gains and norm what is read; return whether the lanes go on, and whether they hold any."""
        config = self._config
        bits = config.form.bits
        depth = 1 << range_bits(config.beats)
        words = {}
        advance = Signal()
        for name, source, enable in (
            ("values", self.activations, loads),
            ("gain", self.gains, self.gains.valid & self.gains.ready),
        ):
            stored: Any = memory.Memory(shape=config.bus_bits, depth=depth, init=[])
            m.submodules[name] = stored
            write, read = stored.write_port(), stored.read_port(domain="sync")
            m.d.comb += [
                write.addr.eq(beat),
                write.data.eq(source.payload),
                write.en.eq(enable),
                read.addr.eq(beat),
                read.en.eq(advance),
            ]
            words[name] = read.data
        normed = []
        for i in range(config.lanes):
            m.submodules[f"norm{i}"] = lane = norm_lane.NormLane(config.form)
            m.d.comb += [
                lane.enable.eq(advance),
                lane.word.eq(words["values"].word_select(i, bits)),
                lane.gain.eq(words["gain"].word_select(i, bits)),
                lane.factor.eq(factor),
            ]
            normed.append(lane.normed)
        valid: Value = reads
        stages = []
        for stage in range(1 + norm_lane.LATENCY):
            following = Signal(name=f"valid{stage}")
            with m.If(advance):
                m.d.sync += following.eq(valid)
            valid = following
            stages.append(valid)
        busy = wire(m, "busy", Cat(*stages).any())
        m.d.comb += [
            advance.eq(~valid | self.normed.ready),
            self.normed.valid.eq(valid),
            self.normed.payload.eq(Cat(*normed)),
        ]
        return advance, busy


def _radicands(value: Value) -> tuple[Value, Value]:
    """Return the significand, and its double: that of an odd exponent, whose field is even."""
    significand = Cat(value[: FP32.fraction_bits], Const(1, 1))
    return Cat(significand, Const(0, 1)), Cat(Const(0, 1), significand)


def _number(places: Value, exponent: Value, up: Value) -> Value:
    """Return a positive FP32 number of 24 places, rounded up or not."""
    return (Cat(places[:-1], exponent[: FP32.exponent_bits]) + up)[: FP32.bits - 1]
