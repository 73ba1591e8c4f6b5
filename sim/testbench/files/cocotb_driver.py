"""cocotb tests of the accelerator: its AXI4-Streams, driven from the .hex files of this directory.

The drivers and the sink are those of cocotbext-axi. Nothing of bitjoule is needed. The environment variables PAUSE (in
how many of 256 cycles a stream pauses) and SEED choose the pauses of the second test.
"""

import logging
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

FOLDER = Path(__file__).parent
PERIOD_NS = 10
INPUTS = {"command": "commands.hex", "weights": "weights.hex", "activations": "activations.hex"}


def _words(file: str) -> list[int]:
    return [int(line, 16) for line in (FOLDER / file).read_text(encoding="ascii").split()]


def _patience_cycles() -> int:
    text = (FOLDER / "parameters.vh").read_text(encoding="ascii")
    return int(text.split("PATIENCE = ")[1].split(";")[0])


def _pauses(generator: random.Random, share: int) -> Iterator[bool]:
    while True:
        yield generator.randrange(256) < share


async def _run(dut: Any, pause: int) -> None:
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    dut.rst.value = 1
    # One lane a beat: a beat is one integer.
    sources = {
        name: AxiStreamSource(AxiStreamBus.from_prefix(dut, f"s_axis_{name}"), dut.clk, dut.rst, byte_lanes=1)
        for name in INPUTS
    }
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_results"), dut.clk, dut.rst, byte_lanes=1)
    for stream in (*sources.values(), sink):
        stream.log.setLevel(logging.WARNING)  # else every frame is printed
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    for number, stream in enumerate([*sources.values(), sink] if pause else []):
        stream.set_pause_generator(_pauses(random.Random(4 * int(os.environ.get("SEED", "1")) + number), pause))  # noqa: S311
    for name, file in INPUTS.items():
        sources[name].send_nowait(AxiStreamFrame(_words(file)))

    expected = _words("results.hex")
    bits = len(dut.m_axis_results_tdata)
    mask = (1 << bits) - 1
    received = command = 0
    while received < len(expected):
        frame = await with_timeout(sink.recv(compact=False), 64 * _patience_cycles() * PERIOD_NS, "ns")
        last = len(frame.tdata) - 1
        for i, (beat, user) in enumerate(zip(frame.tdata, frame.tuser, strict=True)):
            where = f"command {command}, result {received}"
            assert received < len(expected), f"{where}: more results than expected"  # noqa: S101
            flags, used, product = (expected[received] >> place & mask for place in (2 * bits, bits, 0))
            assert int(user) == flags >> 1, f"{where}: tuser {user}"  # noqa: S101
            assert (i == last) == (flags & 1), f"{where}: tlast {i == last}"  # noqa: S101
            got = int(beat) & used
            assert got == product & used, f"{where}: expected {product & used:x}, got {got:x}"  # noqa: S101
            received += 1
        command += 1
    await ClockCycles(dut.clk, 20)
    assert sink.empty(), "more results than expected"  # noqa: S101
    for name, source in sources.items():
        assert source.idle(), f"beats of {name} are left over"  # noqa: S101


@cocotb.test()
async def without_pauses(dut: Any) -> None:
    """Every stream is always ready."""
    await _run(dut, 0)


@cocotb.test()
async def with_random_pauses(dut: Any) -> None:
    """Every stream pauses at random."""
    await _run(dut, int(os.environ.get("PAUSE", "128")))
