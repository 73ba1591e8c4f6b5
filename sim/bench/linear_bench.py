"""The bench for whole BitLinears, which runs inside a simulator: as `bitjoule.sim.bench.bench`, with other streams."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import Timer
from numpy.typing import NDArray

from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles_of
from bitjoule.sim.accelerator.linear_cycles import linear_cycles, quantisation_cycles
from bitjoule.sim.accelerator.linear_streams import linear_command, output_beats, outputs_of, value_stream
from bitjoule.sim.accelerator.streams import beats_as_integers, weight_stream
from bitjoule.sim.bench.bench import PERIOD_NS, Bench
from bitjoule.sim.bench.cases import Case, is_malformed
from bitjoule.sim.bench.linear_cases import EPSILON, LinearOperands, linear_operands
from bitjoule.sim.reference.hardware_linear import canonical, hardware_bitlinear


class LinearBench(Bench):
    """Drives the streams of a BitLinear, and compares its outputs with those of `hardware_bitlinear`.

    Parameters
    ----------
    dut
        Its top module.
    linear
        Its configuration.
    """

    def __init__(self, dut: Any, linear: LinearConfig) -> None:
        self.linear = linear
        self.inputs = (*Bench.inputs, "gains") if linear.normed else Bench.inputs
        super().__init__(dut, linear.array)

    async def start(self) -> None:
        """Start the clock, in reset from the first edge on.

        Icarus evaluates what depends on registers only once an input has changed: reset rises before the clock does.
        """
        self.dut.rst.value = 0
        Clock(self.dut.clk, PERIOD_NS, unit="ns").start(start_high=False)
        await Timer(1, "ns")
        self.dut.rst.value = 1
        await self.reset()

    def operands(self, case: Case, index: int) -> LinearOperands:
        """Return activations, weights and gains."""
        return linear_operands(self.linear, case, index)

    def streams(self, shape: MatmulShape, pair: LinearOperands | None) -> dict[str, list[int]]:
        """Return the beats of each stream; without operands, of the command alone."""
        epsilon = np.float32(EPSILON) if self.linear.normed else None
        if pair is None:
            return {"command": [linear_command(*shape, np.float32(1), epsilon)]}
        beats = {
            "command": [linear_command(*shape, pair.weights.scale[0], epsilon)],
            "weights": beats_as_integers(weight_stream(self.config, pair.weights.codes, shape.m)),
            "activations": beats_as_integers(value_stream(self.linear, pair.x)),
        }
        if pair.gain is not None:
            beats["gains"] = beats_as_integers(value_stream(self.linear, pair.gain[np.newaxis]))
        return beats

    def patience(self, shapes: Sequence[MatmulShape]) -> int:
        """Return the cycles after which outputs of valid commands are overdue, however their streams stall."""
        array = cycles_of(self.config, shapes)[-1] if shapes else 0
        tokens = sum(shape.m * (5 * quantisation_cycles(self.linear, shape.k) + 200) for shape in shapes)
        outputs = sum(output_beats(self.linear, shape.m, shape.n) for shape in shapes)
        return 2000 + 200 * (array + tokens + outputs)

    def layout(self, m: int, n: int) -> tuple[int, int]:
        """Return the beats of a command's outputs, and the bytes of each."""
        return output_beats(self.linear, m, n), self.linear.bus_bits // 8

    def results(self, beats: NDArray[np.uint8], m: int, n: int) -> NDArray[Any]:
        """Return the outputs (M, N) that beats hold."""
        return outputs_of(self.linear, beats, m, n)

    def expected(self, pair: LinearOperands) -> NDArray[Any]:
        """Return the outputs (M, N) that NumPy gives."""
        linear = self.linear
        bits = self.config.activation_bits
        return hardware_bitlinear(
            pair.x, pair.weights, linear.format, bits, pair.gain, EPSILON, linear.lanes,  # type: ignore[arg-type]
        )  # fmt: skip

    def differs(self, got: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where outputs differ; NaN is the hardware's only one."""
        form = self.linear.format
        return np.not_equal(canonical(got, form), canonical(expected, form))  # type: ignore[arg-type]

    def _expected_cycles(self, case: Case) -> list[int] | None:
        if case.stalls or len(case.shapes) > 1 or is_malformed(self.config, case.shapes[0]):
            return None
        cycles = linear_cycles(self.linear, *case.shapes[0])
        return None if cycles is None else [cycles]
