"""Runs inside a simulator: the accelerator through its registers, with the drivers of cocotbext-axi, against NumPy."""

import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from bitjoule.rtl.axi_lite.register_map import Access, register_map, stream_bits, stream_prefix
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import KEY, LinearConfig
from bitjoule.sim.accelerator.cycles import cycles
from bitjoule.sim.accelerator.linear_streams import outputs_of, value_stream
from bitjoule.sim.accelerator.product import expected_product
from bitjoule.sim.accelerator.streams import activation_stream, beats_as_integers, product_of_results, weight_stream
from bitjoule.sim.bench.cases import Case, operands, random_shape
from bitjoule.sim.bench.linear_cases import EPSILON, linear_operands
from bitjoule.sim.reference.hardware_linear import canonical, hardware_bitlinear

PLAN = json.loads(Path(os.environ["BITJOULE_PLAN"]).read_text())
LINEAR = LinearConfig.from_mapping(PLAN["config"]) if KEY in PLAN["config"] else None
CONFIG = LINEAR.array if LINEAR else AcceleratorConfig.from_mapping(PLAN["config"])
MAP = {register.name: register for register in register_map(LINEAR or CONFIG)}
OKAY, SLVERR, DECERR = AxiResp.OKAY, AxiResp.SLVERR, AxiResp.DECERR
INPUTS = [name for name in stream_bits(LINEAR or CONFIG) if name != "results"]


class Host:
    """A processor with its DMAs."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, reset_active_level=False)
        ports = {name: AxiStreamBus.from_prefix(dut, stream_prefix(name)) for name in (*INPUTS, "results")}
        options = {"reset_active_level": False, "byte_lanes": 1}
        self.sources = {name: AxiStreamSource(ports[name], dut.aclk, dut.aresetn, **options) for name in INPUTS}
        self.sink = AxiStreamSink(ports["results"], dut.aclk, dut.aresetn, **options)
        self.counted = 0  # cycles from the last start to the last beat of results, as seen from outside

    @classmethod
    async def begin(cls, dut: Any) -> "Host":
        dut.aresetn.value = 0
        Clock(dut.aclk, 10, unit="ns").start()
        host = cls(dut)
        await ClockCycles(dut.aclk, 3)
        dut.aresetn.value = 1
        await ClockCycles(dut.aclk, 2)
        cocotb.start_soon(host._count())
        return host

    async def _count(self) -> None:
        dut, cycle, begun = self.dut, 0, 0
        while True:
            await RisingEdge(dut.aclk)
            cycle += 1
            if dut.s_axi_awvalid.value & dut.s_axi_awready.value and (
                int(dut.s_axi_awaddr.value) == MAP["control"].offset and int(dut.s_axi_wdata.value) == 1
            ):
                begun = cycle
            last = dut.m_axis_results_tvalid.value & dut.m_axis_results_tready.value & dut.m_axis_results_tlast.value
            if last:
                self.counted = cycle - begun

    async def read(self, name: str, expected: Any = OKAY) -> int:
        answer = await with_timeout(self.bus.read(MAP[name].offset, 4), 10, "us")
        assert answer.resp == expected, (name, answer.resp)
        return int.from_bytes(answer.data, "little")

    async def write(self, name: str, value: int, expected: Any = OKAY) -> None:
        answer = await with_timeout(self.bus.write(MAP[name].offset, value.to_bytes(4, "little")), 10, "us")
        assert answer.resp == expected, (name, value, answer.resp)

    async def start(self, fields: dict[str, int]) -> None:
        for name, value in fields.items():
            await self.write(f"command_{name}", value)
        await self.write("control", 1)

    def pause(self, random: np.random.Generator, share: float) -> None:
        """Pause all streams and all channels of the bus at random; a share of 0 ends that."""
        write, read = self.bus.write_if, self.bus.read_if
        channels = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
        for stream in (*self.sources.values(), self.sink, *channels):
            stream.clear_pause_generator()
            stream.pause = False
            if share:
                pattern = (random.random(997) < share).tolist()
                stream.set_pause_generator(pattern[i % 997] for i in range(1 << 30))

    def send(self, beats: dict[str, list[int]]) -> None:
        for name in INPUTS:
            self.sources[name].send_nowait(AxiStreamFrame(beats[name]))

    async def results(self) -> Any:
        return await with_timeout(self.sink.recv(compact=False), 200, "us")


def matmul(seed: int) -> tuple[dict[str, int], dict[str, list[int]], Any]:
    """Return the fields of a random command, the beats of its streams, and what NumPy makes of them."""
    shape = random_shape(CONFIG, np.random.default_rng(seed), 60)
    fields = {"m": shape.m, "k": shape.k, "n": shape.n}
    if LINEAR is None:
        x, w = operands(CONFIG, Case("random", (shape,), seed=seed), 0)
        streams = {"weights": weight_stream(CONFIG, w, shape.m), "activations": activation_stream(CONFIG, x, shape.n)}
        expected = expected_product(CONFIG, x, w)
    else:
        pair = linear_operands(LINEAR, Case("random", (shape,), seed=seed), 0)
        fields["scale"] = int(np.float32(pair.weights.scale[0]).view(np.uint32))
        streams = {
            "weights": weight_stream(CONFIG, pair.weights.codes, shape.m), "activations": value_stream(LINEAR, pair.x),
        }  # fmt: skip
        if pair.gain is not None:
            fields["epsilon"] = int(np.float32(EPSILON).view(np.uint32))
            streams["gains"] = value_stream(LINEAR, pair.gain[np.newaxis])
        bits = CONFIG.activation_bits
        expected = hardware_bitlinear(pair.x, pair.weights, LINEAR.format, bits, pair.gain, EPSILON, LINEAR.lanes)
    return fields, {name: beats_as_integers(beats) for name, beats in streams.items()}, expected


def check(frame: Any, fields: dict[str, int], expected: Any) -> None:
    """Compare beats of results with NumPy's, padding taken off."""
    m, n = fields["m"], fields["n"]
    bits = stream_bits(LINEAR or CONFIG)["results"]
    beats = b"".join((int(beat) % (1 << bits)).to_bytes(bits // 8, "little") for beat in frame.tdata)
    raw = np.frombuffer(beats, np.uint8).reshape(-1, bits // 8)
    if LINEAR is None:
        np.testing.assert_array_equal(product_of_results(CONFIG, raw, m, n), expected)
    else:
        form = LINEAR.format
        got = outputs_of(LINEAR, raw, m, n)
        np.testing.assert_array_equal(canonical(got, form), canonical(expected, form))
    assert set(map(int, frame.tuser)) == {0}


@cocotb.test()
async def matmuls_through_the_registers(dut: Any) -> None:
    """Random matmuls, one command waiting behind the other, with and without pauses, and a reset after some."""
    host = await Host.begin(dut)
    random = np.random.default_rng(PLAN["seed"])
    done = 0
    for round_ in range(PLAN["rounds"]):
        share = (0.0, 0.5, 0.9)[round_ % 3]
        host.pause(random, share)
        pair = [matmul(PLAN["seed"] + 2 * round_ + i) for i in range(2)]
        await host.write("cycles", 0)
        for fields, beats, _ in pair:
            for _ in range(2000):
                if not await host.read("status") & 2:
                    break
            else:
                raise AssertionError("a command waits without end")
            await host.start(fields)
            host.send(beats)
        for fields, _, expected in pair:
            check(await host.results(), fields, expected)
        await ClockCycles(dut.aclk, 3)
        done += 2
        assert await host.read("status") == 0
        assert (await host.read("started"), await host.read("answered"), await host.read("malformed")) == (
            done,
            done,
            0,
        )
        # One more, whose operands wait for it: its cycles are those of the closed form.
        host.pause(random, 0.0)
        fields, beats, expected = matmul(PLAN["seed"] + 1000 + round_)
        host.send(beats)
        await ClockCycles(dut.aclk, 20)
        await host.write("cycles", 5)
        await host.start(fields)
        check(await host.results(), fields, expected)
        await ClockCycles(dut.aclk, 3)
        assert await host.read("cycles") == 5 + host.counted
        if LINEAR is None:
            assert host.counted == cycles(CONFIG, fields["m"], fields["k"], fields["n"])
        done += 1
        if round_ % 4 == 1:  # in the middle of a matmul, whatever it holds back
            fields, beats, _ = matmul(PLAN["seed"] + 2000 + round_)
            await host.start(fields)
            if round_ % 8 == 1:
                await host.write("control", 1)  # waits, as the first does for its operands
            else:
                host.send(beats)
            await ClockCycles(dut.aclk, round_)
            for stream in (*host.sources.values(), host.sink):  # a DMA has a reset of its own
                stream.assert_reset(True)
            await host.write("control", 2)
            for stream in (*host.sources.values(), host.sink):
                stream.assert_reset(False)
            await ClockCycles(dut.aclk, 2)
            assert host.sink.empty()
            assert await host.read("status") == 0
            assert await host.read("started") == 0
            assert await host.read("command_k") == fields["k"]
            done = 0
    Path(PLAN["report"]).write_text(json.dumps({"matmuls": 3 * PLAN["rounds"]}))


@cocotb.test()
async def wrong_accesses_are_refused_and_change_nothing(dut: Any) -> None:
    host = await Host.begin(dut)
    for register in MAP.values():
        value = await host.read(register.name, OKAY if register.readable else SLVERR)
        if register.access is Access.CONSTANT:
            assert value == register.value, register.name
        if not register.writable:
            await host.write(register.name, 1, SLVERR)
            assert await host.read(register.name) == value
        if register.access is Access.BOTH:
            largest = (1 << register.bits) - 1
            await host.write(register.name, largest)
            assert await host.read(register.name) == largest
            if register.bits < 32:
                await host.write(register.name, largest + 1, SLVERR)
            part = await host.bus.write(register.offset, b"\x55")
            assert part.resp == SLVERR
            assert await host.read(register.name) == largest
    known = {register.offset for register in MAP.values()}
    for address in (*range(0, 0x80, 4), 0x400, 0xFFC):
        if address not in known:
            assert (await host.bus.read(address, 4)).resp == DECERR, hex(address)
            assert (await host.bus.write(address, bytes(4))).resp == DECERR, hex(address)
    for value in (0, 3, 4, 1 << 31):
        await host.write("control", value, SLVERR)
    assert (await host.bus.write(MAP["control"].offset, b"\x01")).resp == SLVERR
    assert await host.read("started") == 0
    assert await host.read("status") == 0


@cocotb.test()
async def a_start_that_finds_no_room_is_refused_and_a_malformed_command_is_counted(dut: Any) -> None:
    """Without operands the first command stays in the array and the second before it, with its own fields."""
    host = await Host.begin(dut)
    pair = [matmul(seed) for seed in (7, 8)]
    for fields, _, _ in pair:
        await host.start(fields)
    assert await host.read("status") == 3
    await host.write("control", 1, SLVERR)
    for name, value in {**pair[0][0], "k": 0}.items():
        await host.write(f"command_{name}", value)  # those of the waiting command stay
    for _, beats, _ in pair:
        host.send(beats)
    for fields, _, expected in pair:
        check(await host.results(), fields, expected)
    await host.write("control", 1)
    frame = await host.results()
    assert (len(frame.tdata), set(map(int, frame.tuser))) == (1, {1})
    await ClockCycles(dut.aclk, 3)
    assert (await host.read("started"), await host.read("answered"), await host.read("malformed")) == (3, 3, 1)
    assert host.sink.empty()
