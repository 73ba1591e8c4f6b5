"""What is claimed of the whole accelerator, in every cycle, and the model it is held to."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value
from amaranth.lib import data

from bitjoule.rtl import accelerator
from bitjoule.rtl.accelerator import result_layout
from bitjoule.rtl.config import FP16_BITS, AcceleratorConfig
from bitjoule.rtl.operands import prepared_activations, prepared_weight, weight_lines
from bitjoule.rtl.sequencer import step_layout
from bitjoule.rtl.weights import holds_operands
from tests.rtl.any_column import any_columns
from tests.rtl.claims import by_table, specified
from tests.rtl.formal import Proof


class Streams(Proof):
    """An accelerator under any inputs, and beside it a model: the loops, the tile and the results on their way.

    Trits and integers are added and multiplied in the model as well. Of floating-point columns the model knows nothing:
    `AnyColumn` stands in their place, and the claims are that each gets its operands and that its sums are delivered.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(constant_registers=config.multiplies)
        self.config = config
        columns = range(config.columns if config.floating_point else 0)
        self._totals = [self.free(f"total{i}", config.accumulator_bits) for i in columns]
        self.m.submodules.dut = self.dut = accelerator.Accelerator(config)
        for name, stream in (
            ("command", self.dut.command),
            ("weights", self.dut.weights),
            ("activations", self.dut.activations),
        ):
            self.m.d.comb += [
                stream.valid.eq(self.free(f"{name}_valid")),
                Value.cast(stream.payload).eq(self.free(f"{name}_payload", Value.cast(stream.payload).shape())),
            ]
            self.show(f"{name}_ready", stream.ready)
        self.m.d.comb += self.dut.results.ready.eq(self.free("results_ready"))
        self.show("results_valid", self.dut.results.valid)
        self.show("results_payload", self.dut.results.payload)
        self._sequence()
        self._load()
        self._deliver()

    def _lower(self, folder: Path) -> None:
        with any_columns(self._totals) if self.config.floating_point else nullcontext():
            super()._lower(folder)

    def register(self, name: str, shape: Any = 1, *, reset_less: bool = False) -> Any:
        signal = Signal(shape, name=name, reset_less=reset_less)
        self.show(f"model_{name}", signal)
        return signal

    def _sequence(self) -> None:
        """The loops of a matmul, counted upwards."""
        m, dut, config = self.m, self.dut, self.config
        command = dut.command
        busy = self.register("busy")
        sizes = {name: self.register(name, command.payload[name].shape()) for name in ("m", "k", "n")}
        done = {name: self.register(f"{name}_done", signal.shape()) for name, signal in sizes.items()}
        token = self.register("token", range(config.tokens + 1))
        malformed = (sizes["m"] == 0) | (sizes["k"] == 0) | (sizes["n"] == 0) | (sizes["k"] > config.max_k)
        last_token = (token == config.tokens - 1) | (done["m"] + token + 1 == sizes["m"])
        steps = {"m": config.tokens, "k": config.lanes, "n": config.columns}
        last = {name: done[name] + step >= sizes[name] for name, step in steps.items()}

        step = data.View(step_layout(config), self.inside("dut.sequencer.step", step_layout(config).size))
        self.compute, self.answer = Signal(), Signal()
        self.begins, self.ends = Signal(), Signal()
        self.take = Signal()
        m.d.comb += [
            self.compute.eq(dut.activations.valid & dut.activations.ready),
            self.answer.eq(step.malformed),
            self.begins.eq(self.answer | (self.compute & last["k"])),
            self.ends.eq(self.answer | (self.compute & last_token & last["k"] & last["n"] & last["m"])),
            self.take.eq(self.compute & (token == 0)),
        ]
        self.step = Signal(step_layout(config))
        m.d.comb += [
            self.step.valid.eq(self.compute),
            self.step.first.eq(done["k"] == 0),
            self.step.last.eq(self.compute & last["k"]),
            self.step.malformed.eq(self.answer),
            self.step.end.eq(self.ends),
            self.step.token.eq(token),
        ]
        self.may_compute = busy & ~malformed
        self.may_answer = busy & malformed
        self.first_token, self.last_k = token == 0, last["k"]
        with m.If(self.compute):
            m.d.sync += token.eq(token + 1)
            with m.If(last_token):
                m.d.sync += [token.eq(0), done["k"].eq(done["k"] + config.lanes)]
                with m.If(last["k"]):
                    m.d.sync += [done["k"].eq(0), done["n"].eq(done["n"] + config.columns)]
                    with m.If(last["n"]):
                        m.d.sync += [done["n"].eq(0), done["m"].eq(done["m"] + config.tokens)]
        with m.If(self.ends):
            m.d.sync += busy.eq(0)
        with m.If(command.valid & command.ready):
            m.d.sync += busy.eq(1)
            m.d.sync += [signal.eq(command.payload[name]) for name, signal in sizes.items()]
            m.d.sync += [signal.eq(0) for signal in done.values()]

        self.claim("a command is taken when none is left", command.ready == (~busy | self.ends))
        self.claim("activations are taken only for a command", ~self.compute | self.may_compute)
        self.claim("activations are taken only when offered", dut.activations.valid | ~dut.activations.ready)
        self.claim("only a malformed command is answered without sums", ~self.answer | self.may_answer)
        self.claim("a step is made when activations are taken", step.valid == self.compute)
        self.claim("sums begin with the first tile of K", ~self.compute | (step.first == (done["k"] == 0)))
        self.claim("sums end with the last tile of K", step.last == (self.compute & last["k"]))
        self.claim("the last answer to a command says so", step.end == self.ends)
        self.claim("steps go through the tokens of a block", ~self.compute | (step.token == token))

        self.claim("invariant: busy", self.inside("dut.sequencer.active", 1) == busy)
        self.claim("invariant: malformed", ~busy | (self.inside("dut.sequencer.malformed", 1) == malformed))
        held = {
            name: self.inside(f"dut.sequencer.{name}", bits)
            for name, bits in (("k", config.max_k.bit_length()), ("n", 24))
        }
        for name, size in held.items():
            self.claim(f"invariant: {name}", ~self.may_compute | (size == sizes[name]))
        for name, signal in sizes.items():
            bits = config.max_k.bit_length() if name == "k" else len(signal)
            left = self.inside(f"dut.sequencer.{name}_left", bits)
            self.claim(f"invariant: {name} left", ~self.may_compute | (left + done[name] == signal))
            self.claim(f"invariant: {name} done", ~self.may_compute | (done[name] < signal))
        first_k = self.inside("dut.sequencer.first_k", 1)
        self.claim("invariant: first k", ~self.may_compute | (first_k == (done["k"] == 0)))
        self.claim("invariant: token", token < config.tokens)
        self.claim("invariant: tokens", ~self.may_compute | (token + done["m"] < sizes["m"]))
        self.claim("invariant: no token", self.may_compute | (token == 0))
        if config.tokens > 1:
            self.claim("invariant: same token", self.inside("dut.sequencer.token", range(config.tokens)) == token)

    def _load(self) -> None:
        """The beats of a tile, kept until it is used, and the tile in use."""
        m, dut, config = self.m, self.dut, self.config
        beats = config.tile_beats
        gathered = [self.register(f"gathered{i}", config.weight_bus_bits, reset_less=True) for i in range(beats - 1)]
        count = self.register("beats", range(beats + 1))
        tile = self.register("tile", beats * config.weight_bus_bits, reset_less=True)
        loaded = self.register("loaded", reset_less=True)
        activations = self.register("activations", len(dut.activations.payload), reset_less=True)
        computed = self.register("computed", reset_less=True)
        m.d.sync += computed.eq(self.compute)
        with m.If(self.compute):
            m.d.sync += activations.eq(dut.activations.payload)
        taken = dut.weights.valid & dut.weights.ready
        complete = dut.weights.valid & (count == beats - 1)
        with m.If(taken):
            m.d.sync += count.eq(Mux(self.take, 0, count + 1))
            for i, beat in enumerate(gathered):
                with m.If(count == i):
                    m.d.sync += beat.eq(dut.weights.payload)
        with m.If(self.take):
            m.d.sync += [tile.eq(Cat(*gathered, dut.weights.payload)), loaded.eq(1)]
        if not holds_operands(config):
            with m.Else():
                m.d.sync += loaded.eq(0)
        self.complete = complete

        self.claim("a tile is taken when its last beat is offered", ~self.take | complete)
        self.claim("of a tile, only the last beat waits", dut.weights.ready == ((count < beats - 1) | self.take))
        self.claim("invariant: what is computed has a tile", ~computed | loaded)
        self.cover(
            "activations and a tile, both other than zero, are used", computed & (activations != 0) & (tile != 0)
        )
        lanes = [activations.word_select(lane, config.activation_bits) for lane in range(config.lanes)]
        self.products = (
            self._words(tile, loaded, lanes) if config.multiplies else self._trits(tile, loaded, activations)
        )
        prepared = prepared_activations(m, config, lanes)
        for i in range(config.columns):
            seen = self.inside(f"dut.column{i}.activations", len(prepared))
            self.claim("every column sees the activations taken", ~computed | (seen == prepared))
        self.claim("invariant: beats", count < beats)
        self.claim("invariant: tile of a token", self.first_token | loaded | (not holds_operands(config)))
        if beats > 1:
            self.claim("invariant: same beats", self.inside("dut.loader.beat", (beats - 1).bit_length()) == count)
        for i, beat in enumerate(gathered):
            early = self.inside(f"dut.loader.early{i}", len(beat))
            self.claim("invariant: beats gathered", (count <= i) | (early == beat))

    def _lines(self, name: str, bits: int) -> Value:
        """A port of all columns."""
        return Cat(*(self.inside(f"dut.column{i}.{name}", bits) for i in range(self.config.columns)))

    def _trits(self, tile: Value, loaded: Value, activations: Value) -> list[Value]:
        """The dot products of a tile of trits."""
        config = self.config
        plus, minus = (self._lines(name, config.lanes) for name in ("plus", "minus"))
        wanted_plus, wanted_minus = self._decoded(tile)
        self.claim("the select lines are the tile's: +1", ~loaded | ((plus & ~minus) == wanted_plus))
        self.claim("the select lines are the tile's: -1", ~loaded | ((minus & ~plus) == wanted_minus))
        if config.scaled:
            scales = self._lines("scale", FP16_BITS)
            wanted = tile[config.scales_begin : config.scales_begin + len(scales)]
            self.claim("the scales are the tile's", ~loaded | (scales == wanted))
            return []
        return [
            specified(
                config,
                *(word[i * config.lanes : (i + 1) * config.lanes] for word in (wanted_plus, wanted_minus)),
                activations,
            )
            for i in range(config.columns)
        ]

    def _words(self, tile: Value, loaded: Value, activations: Sequence[Value]) -> list[Value]:
        """The dot products of a tile of integers; of one of floating-point numbers none."""
        config = self.config
        bits = config.encoding.bits
        words = [
            [tile.word_select(lane * config.columns + i, bits) for lane in range(config.lanes)]
            for i in range(config.columns)
        ]
        wanted = Cat(
            prepared_weight(self.m, f"weight{i}_{lane}", config, word)
            for i, column in enumerate(words)
            for lane, word in enumerate(column)
        )
        weights = self._lines("weights", config.lanes * weight_lines(config)["weights"])
        self.claim("the weights are the tile's", ~loaded | (weights == wanted))
        if config.floating_point:
            return []
        pairs = [zip(column, activations, strict=True) for column in words]
        return [sum((w.as_signed() * x.as_signed() for w, x in pair), Const(0)) for pair in pairs]

    def _decoded(self, tile: Value) -> tuple[Value, Value]:
        """The tile's trits by the table of its encoding."""
        config = self.config
        encoding, row_bits = config.encoding, config.encoding.row_bits(config.columns)
        trits: list[list[Value]] = []
        for lane in range(config.lanes):
            words = [
                tile[low : low + encoding.bits] for low in range(lane * row_bits, (lane + 1) * row_bits, encoding.bits)
            ]
            trits.append([trit for word in words for trit in by_table(self.m, encoding, word)])
        order = [(lane, i) for i in range(config.columns) for lane in range(config.lanes)]
        return Cat(*(trits[lane][i] == 1 for lane, i in order)), Cat(*(trits[lane][i] == -1 for lane, i in order))

    def _sums(self, step: Any) -> Value:
        """The sums of a token with the dot products of this cycle."""
        m, config = self.m, self.config
        width = config.accumulator_bits
        kept = [Signal(config.columns * width, name=f"sums{i}", reset_less=True) for i in range(config.tokens)]
        before = Mux(step.first, 0, Array(kept)[step.token] if config.tokens > 1 else kept[0])
        self.cover(
            "the last token's sums, other than zero, go on",
            step.valid & (step.token == config.tokens - 1) & (before != 0),
        )
        if config.floating_point:
            self.claim("every column sees its sum so far", ~step.valid | (self._lines("previous", width) == before))
            sums = self._lines("total", width)
        else:
            sums = Cat(
                (before[i * width : (i + 1) * width] + self.past(product, config.pipeline))[:width]
                for i, product in enumerate(self.products)
            )
        for i, signal in enumerate(kept):
            self.show(f"model_sums{i}", signal)
            written = step.valid & ((step.token == i) & ~step.last if config.tokens > 1 else 1)
            with m.If(written):
                m.d.sync += signal.eq(sums)
            words = "storage.words" if config.sums_in_memory else "storage"
            path = f"{words}[{i}]" if config.tokens > 1 else "kept"
            self.claim("invariant: sums", self.inside(f"dut.accumulators.{path}", len(signal)) == signal)
        if config.sums_in_memory:
            memory = "dut.accumulators.storage"
            read, write = (self.inside(f"{memory}.{name}_en", 1) for name in ("read", "write"))
            read_from, written_to = (
                self.inside(f"{memory}.{name}_addr", (config.tokens - 1).bit_length()) for name in ("read", "write")
            )
            taken = self.inside("dut.accumulators.kept", len(before))
            self.claim("no sums are read while they are written", ~(read & write & (read_from == written_to)))
            self.claim("sums that go on are those of the token", ~step.valid | step.first | (taken == before))
        return sums

    def _deliver(self) -> None:
        """The results on their way, and one of them, any, watched through the queue."""
        m, dut, config = self.m, self.dut, self.config
        depth = config.latency_cycles
        shape = result_layout(config)
        results = dut.results
        leaves = results.valid & results.ready
        outstanding = self.register("outstanding", range(2 * depth + 2))
        m.d.sync += outstanding.eq(outstanding + self.begins - leaves)
        layout = step_layout(config)
        stage: Any = self.step
        in_flight: Value = Const(0)
        for i in range(1 + config.pipeline):
            following = self.register(f"on_the_way{i}", layout)
            m.d.sync += following.eq(stage)
            stage = following
            in_flight += stage.last | stage.malformed
            step = data.View(layout, self.inside(f"dut.step{i}", layout.size))
            same = Cat(step.valid, step.valid & step.last, step.malformed, step.end) == Cat(
                stage.valid, stage.last, stage.malformed, stage.end
            )
            place = (step.first == stage.first) & (step.token == stage.token)
            self.claim("invariant: results in flight", same & (~stage.valid | place))
        sums = self._sums(stage)
        arrives = stage.last | stage.malformed
        level = self.inside("dut.queue.level", depth.bit_length())
        written = self.inside("dut.queue.w_data", shape.size)
        writes = self.inside("dut.queue.w_en", 1)
        beat = data.View(shape, written)
        self.claim(
            "places reserved are results begun and not yet delivered",
            self.inside("dut.reserved", depth.bit_length()) == outstanding,
        )
        self.claim("no more places are reserved than there are", outstanding <= depth)
        self.claim("results begun are in flight or in the queue", outstanding == level + in_flight)
        self.claim("every result begun is written once", writes == arrives)
        self.cover("a sum of several tiles is written", writes & stage.last & ~stage.first)
        self.cover("all places are reserved", outstanding == depth)
        self.cover("a command's last sums are delivered", leaves & results.payload.end & ~results.payload.malformed)
        self.cover("a malformed command's answer is delivered", leaves & results.payload.malformed)
        self.claim("a result written finds a place", ~writes | (level != depth))
        self.claim(
            "a result keeps its marks", ~writes | ((beat.malformed == stage.malformed) & (beat.end == stage.end))
        )
        self.claim("a result is the sum of its dot products", ~(writes & stage.last) | (Value.cast(beat.sums) == sums))
        self.claim("results are offered while there are any", results.valid == (outstanding != in_flight))
        room = (outstanding != depth) | leaves
        self.claim(
            "a step is made whenever operands and a place are there",
            self.compute
            == (self.may_compute & dut.activations.valid & (self.complete | ~self.first_token) & (room | ~self.last_k)),
        )
        self.claim("a malformed command is answered when a place is there", self.answer == (self.may_answer & room))
        stalled = self.past(results.valid & ~results.ready & ~self.reset)
        self.claim("a stalled result stays", ~stalled | results.valid)
        self.claim(
            "a stalled result stays unchanged", ~stalled | (Value.cast(results.payload) == self.past(results.payload))
        )

        watch, watching = self.free("watch"), self.register("watching")
        ahead = self.register("ahead", range(depth + 1))
        watched = self.register("watched", shape.size, reset_less=True)
        with m.If(watching & leaves):
            m.d.sync += [ahead.eq(ahead - 1), watching.eq(ahead != 0)]
        with m.Elif(~watching & watch & writes):
            m.d.sync += [watching.eq(1), ahead.eq(level - leaves), watched.eq(written)]
        self.claim(
            "results are delivered in order and as written",
            ~(watching & leaves & (ahead == 0)) | (Value.cast(results.payload) == watched),
        )

        self.cover("the watched result is delivered", watching & leaves & (ahead == 0))

        produce, consume = (
            self.inside(f"dut.queue.{name}", (depth - 1).bit_length()) for name in ("produce", "consume")
        )
        storage = Array(self.inside(f"dut.queue.storage[{i}]", shape.size) for i in range(depth))
        wrapped = consume + level
        self.claim("invariant: queue pointers", (produce < depth) & (consume < depth))
        self.claim("invariant: queue level", Mux(wrapped >= depth, wrapped - depth, wrapped) == produce)
        place = consume + ahead
        self.claim(
            "invariant: place of the watched result",
            ~watching | ((ahead < level) & (storage[Mux(place >= depth, place - depth, place)] == watched)),
        )
