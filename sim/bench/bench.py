"""The bench, which runs inside a simulator: drives the accelerator's streams and compares its results with NumPy.

`bitjoule.sim.bench.verification` starts it: the environment variable ``BITJOULE_PLAN`` names a JSON file with the
configuration, the cases and where the report goes. The streams' drivers and sinks are those of cocotbext-axi, an
independent reading of the bus standard.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, SimTimeoutError, with_timeout
from cocotb.utils import get_sim_time, get_time_from_sim_steps
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import KEY, LinearConfig
from bitjoule.rtl.packing import command_beat
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles_of, stalled_cycles
from bitjoule.sim.accelerator.product import expected_product
from bitjoule.sim.accelerator.streams import (
    activation_stream,
    beats_as_integers,
    product_of_results,
    result_beats,
    weight_stream,
)
from bitjoule.sim.bench.cases import Case, is_malformed, operands
from bitjoule.sim.reference.float_matmul import canonical_bits

PERIOD_NS = 10
PLAN = "BITJOULE_PLAN"


class MismatchError(Exception):
    """The hardware's behaviour differs from the expected one."""

    def __init__(self, **details: Any) -> None:
        self.details = details
        super().__init__(str(details))


class Bench:
    """Drivers on the three input streams, a sink on the results, and the comparison.

    Parameters
    ----------
    dut
        The accelerator's top module.
    config
        Its configuration.
    """

    inputs: tuple[str, ...] = ("command", "weights", "activations")

    def __init__(self, dut: Any, config: AcceleratorConfig) -> None:
        self.dut = dut
        self.config = config
        # One lane a beat: the models would otherwise take every beat apart into bytes, in Python.
        self.sources = {
            name: AxiStreamSource(AxiStreamBus.from_prefix(dut, f"s_axis_{name}"), dut.clk, dut.rst, byte_lanes=1)
            for name in self.inputs
        }
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_results"), dut.clk, dut.rst, byte_lanes=1)

    async def start(self) -> None:
        """Start the clock and reset."""
        Clock(self.dut.clk, PERIOD_NS, unit="ns").start()
        await self.reset()

    async def reset(self) -> None:
        """Reset for one cycle; whatever waited to be sent or read is gone."""
        await RisingEdge(self.dut.clk)
        self.dut.rst.value = 1
        await RisingEdge(self.dut.clk)
        for stream in (*self.sources.values(), self.sink):
            stream.clear()
            stream.clear_pause_generator()
            stream.pause = False
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)

    async def run(self, case: Case) -> dict[str, Any]:
        """Run a case and compare everything that comes back.

        Parameters
        ----------
        case
            The case.

        Returns
        -------
        dict
            The cycles counted, and those expected where they are known.

        Raises
        ------
        MismatchError
            Something differs; names what, where, the expected and the actual value.
        """
        pairs = [
            None if is_malformed(self.config, shape) else self.operands(case, i) for i, shape in enumerate(case.shapes)
        ]
        self._send(case, pairs)
        for name in case.stalls:
            stream = self.sink if name == "results" else self.sources[name]
            stream.set_pause_generator(case.pauses(name))
        if case.reset_after is not None:
            await ClockCycles(self.dut.clk, case.reset_after)
            await self.reset()
            return {}
        # The sources offer their first beats at the next edge; that cycle is number 0.
        await RisingEdge(self.dut.clk)
        begin_ns = get_sim_time("ns")
        ends = [await self._check(case, i, pair) for i, pair in enumerate(pairs)]
        counted = [round((end - begin_ns) / PERIOD_NS) for end in ends]
        for name in case.stalls:
            stream = self.sink if name == "results" else self.sources[name]
            stream.clear_pause_generator()
            stream.pause = False
        # A sink that was paused follows the next case's pattern a cycle late unless it has gone to sleep before.
        await ClockCycles(self.dut.clk, 2)
        for name, source in self.sources.items():
            if not source.idle():
                await ClockCycles(self.dut.clk, 2)
                if not source.idle():
                    raise MismatchError(what=f"beats of {name} are left over")
        if not self.sink.empty():
            raise MismatchError(what="more results than commands")
        expected = self._expected_cycles(case)
        if expected is not None and counted[-len(expected) :] != expected:
            raise MismatchError(what="cycles", expected=expected, got=counted)
        return {"cycles": counted[-1], "cycles_known": expected is not None}

    def _send(self, case: Case, pairs: Sequence[Any]) -> None:
        for shape, pair in zip(case.shapes, pairs, strict=True):
            for name, beats in self.streams(shape, pair).items():
                self.sources[name].send_nowait(AxiStreamFrame(beats))

    def operands(self, case: Case, index: int) -> Any:
        """Return what one of a case's shapes is multiplied with."""
        return operands(self.config, case, index)

    def streams(self, shape: MatmulShape, pair: Any) -> dict[str, list[int]]:
        """Return the beats of each stream; without operands, of the command alone."""
        if pair is None:
            return {"command": [command_beat(*shape)]}
        x, w = pair
        return {
            "command": [command_beat(*shape)],
            "weights": beats_as_integers(weight_stream(self.config, w, shape.m)),
            "activations": beats_as_integers(activation_stream(self.config, x, shape.n)),
        }

    def patience(self, shapes: Sequence[MatmulShape]) -> int:
        """Return the cycles after which results of valid commands are overdue, however their streams stall."""
        return 2000 + 200 * (cycles_of(self.config, shapes)[-1] if shapes else 0)

    def layout(self, m: int, n: int) -> tuple[int, int]:
        """Return the beats of a command's results, and the bytes of each."""
        return result_beats(self.config, m, n), self.config.result_bus_bits // 8

    def results(self, beats: NDArray[np.uint8], m: int, n: int) -> NDArray[Any]:
        """Return the results (M, N) that beats hold."""
        return product_of_results(self.config, beats, m, n)

    def expected(self, pair: Any) -> NDArray[Any]:
        """Return the results (M, N) that NumPy gives."""
        return expected_product(self.config, *pair)

    def differs(self, got: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where results differ."""
        if self.config.floating_point:
            got, expected = canonical_bits(got), canonical_bits(expected)
        differs: NDArray[np.bool_] = np.not_equal(got, expected)
        return differs

    async def _check(self, case: Case, index: int, pair: Any) -> float:
        """Compare one command's answer; return the time of its last beat."""
        good = [shape for shape in case.shapes if not is_malformed(self.config, shape)]
        patience = self.patience(good)
        where = {"matmul": index, "shape": list(case.shapes[index])}
        try:
            frame = await with_timeout(self.sink.recv(compact=False), patience * PERIOD_NS, "ns")
        except SimTimeoutError:
            raise MismatchError(what="no results", **where) from None
        m, _, n = case.shapes[index]
        flags = {int(user) for user in frame.tuser}
        if pair is None:
            if (len(frame.tdata), flags) != (1, {1}):
                raise MismatchError(
                    what="a malformed command's answer", expected="one beat, tuser 1", got=f"{frame}", **where
                )
            return float(get_time_from_sim_steps(frame.sim_time_end, "ns"))
        beats, width = self.layout(m, n)
        if (len(frame.tdata), flags) != (beats, {0}):
            got = f"{len(frame.tdata)} beats, tuser {flags}"
            raise MismatchError(what="the results' beats", expected=f"{beats} beats, tuser 0", got=got, **where)
        raw = b"".join(int(beat).to_bytes(width, "little") for beat in frame.tdata)
        got_product = self.results(np.frombuffer(raw, np.uint8).reshape(beats, width), m, n)
        if case.given is not None:
            np.save(Path(case.given).with_suffix(".npy"), got_product)
        expected = self.expected(pair)
        wrong = np.argwhere(self.differs(got_product, expected))
        if len(wrong):
            place = tuple(wrong[0].tolist())
            raise MismatchError(
                what="a result", element=list(place), expected=_readable(expected[place]),
                got=_readable(got_product[place]), wrong_elements=len(wrong), **where,
            )  # fmt: skip
        return float(get_time_from_sim_steps(frame.sim_time_end, "ns"))

    def _expected_cycles(self, case: Case) -> list[int] | None:
        if not case.steady or any(is_malformed(self.config, shape) for shape in case.shapes):
            return None
        if not case.stalls:
            return cycles_of(self.config, case.shapes)
        stalls = {name: case.stalls_at(name) for name in case.stalls}
        last = stalled_cycles(
            self.config, case.shapes,
            **{f"{name}_{'busy' if name == 'results' else 'idle'}": stall for name, stall in stalls.items()},
        )  # fmt: skip
        return [last + 1]


def _readable(value: Any) -> int | str:
    if isinstance(value, np.floating):
        return f"{value} (0x{int.from_bytes(value.tobytes(), 'little'):0{2 * value.itemsize}x})"
    return int(value)


def _bench_of(dut: Any, config: dict[str, Any]) -> Bench:
    if KEY in config:
        from bitjoule.sim.bench.linear_bench import LinearBench

        return LinearBench(dut, LinearConfig.from_mapping(config))
    return Bench(dut, AcceleratorConfig.from_mapping(config))


@cocotb.test()
async def accelerator(dut: Any) -> None:
    """Run the plan's cases in order; stop at the first that fails."""
    plan = json.loads(Path(os.environ[PLAN]).read_text(encoding="utf-8"))
    bench = _bench_of(dut, plan["config"])
    await bench.start()
    begin_ns, begin_s = get_sim_time("ns"), time.perf_counter()
    done: list[dict[str, Any]] = []
    failure: dict[str, Any] | None = None
    progress = Path(plan["progress"])
    for entry in plan["cases"]:
        case = Case.from_mapping(entry)
        try:
            done.append(await bench.run(case))
        except MismatchError as mismatch:
            failure = {"case": entry, **mismatch.details}
            await ClockCycles(dut.clk, 5)  # the waveform shows a little more
            break
        progress.write_text(str(len(done)), encoding="ascii")
    report = {
        "done": done,
        "failure": failure,
        "cycles": round((get_sim_time("ns") - begin_ns) / PERIOD_NS),
        "seconds": time.perf_counter() - begin_s,
    }
    Path(plan["report"]).write_text(json.dumps(report), encoding="utf-8")
    await ReadOnly()
