"""A whole BitLinear as a compiled program: Verilator's C++ of its Verilog, driven by C++, called with arrays.

Its streams never wait outside; `bitjoule.sim.reference.hardware_linear` gives the expected outputs, and
`bitjoule.sim.accelerator.linear_cycles`, where there is a closed form, the expected cycles.
"""

import ctypes
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.cycles import MatmulShape, check_sizes, cycles_of
from bitjoule.sim.accelerator.linear_cycles import quantisation_cycles
from bitjoule.sim.accelerator.linear_streams import linear_command, output_beats, outputs_of, value_stream
from bitjoule.sim.accelerator.native_build import Variant, native_library
from bitjoule.sim.accelerator.native_machine import Machine, Window, load_library, pack_tiles
from bitjoule.sim.accelerator.saif import Toggles, read_toggles
from bitjoule.sim.accelerator.verilated import PackedWeights
from bitjoule.sim.reference.matmul import Codes

Floats = NDArray[np.floating[Any]]
_WORDS = 4  # of 32 bits in the longest command


class _Job(ctypes.Structure):
    _fields_ = (
        ("command", ctypes.c_uint32 * _WORDS),
        ("m", ctypes.c_int64),
        ("k", ctypes.c_int64),
        ("n", ctypes.c_int64),
        ("activations", ctypes.c_void_p),
        ("gains", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("results", ctypes.c_void_p),
        ("last_cycle", ctypes.c_int64),
    )


class _LinearMachine(Machine):
    work = ("BitLinear", "commands")


@dataclass(frozen=True, eq=False)
class LinearOutcome:
    """What a command gave.

    Parameters
    ----------
    outputs
        (M, N), of the format's type.
    cycles
        From the command to the last outputs, both included.
    """

    outputs: Floats
    cycles: int


class SimulatedLinear:
    """A configuration's hardware, compiled on first use and then kept in the cache.

    One instance, which one thread may use at a time. May be used in a ``with`` statement.

    Parameters
    ----------
    config
        The configuration.
    verilog
        Other Verilog of the same hardware, e.g. with a fault; by default the generated one.

    Raises
    ------
    SimulatorError
        Verilator or a C++ compiler is missing, or the build fails.
    """

    def __init__(self, config: LinearConfig, verilog: str | None = None) -> None:
        self.config = config
        self._verilog = verilog
        self._libraries: dict[Variant, ctypes.CDLL] = {}
        self._machine: _LinearMachine | None = None
        self._library("fast")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the instance; the object may be used again."""
        if self._machine:
            self._machine.close()
            self._machine = None

    def pack(self, codes: Codes) -> PackedWeights:
        """Return weights as they are streamed, to be used often.

        Parameters
        ----------
        codes
            int8, (K, N): trits.

        Raises
        ------
        ValueError
            A value is not one that the encoding can say.
        """
        (k, n), array = codes.shape, self.config.array
        return PackedWeights(array, k, n, pack_tiles(array, self._library("fast"), codes, map))

    def linear(
        self,
        x: Floats,
        weights: PackedWeights,
        scale: np.float32,
        gain: Floats | None = None,
        epsilon: np.float32 | None = None,
    ) -> LinearOutcome:
        """Return the outputs of one command.

        Parameters
        ----------
        x
            Activations (M, K), of the format's type.
        weights
            From `pack`.
        scale
            Of the weights.
        gain, epsilon
            Of the norm, if the hardware has one: (K,), of the format's type; and what is added to the mean square.

        Raises
        ------
        TypeError
            An operand is not of the format's type.
        ValueError
            Shapes do not fit each other or the configuration, or a norm's operands are given to hardware without one
            or missing.
        SimulatorError
            The simulated hardware is wrong.
        """
        task = _Task(self.config, x, weights, scale, gain, epsilon)
        if self._machine and not self._machine.idle:  # a run was broken off
            self.close()
        if self._machine is None:
            self._machine = _LinearMachine(self._library("fast"))
        return task.run(self._machine)

    def toggles(
        self,
        x: Floats,
        weights: PackedWeights,
        scale: np.float32,
        gain: Floats | None = None,
        epsilon: np.float32 | None = None,
        window: Window | None = None,
    ) -> Toggles:
        """Return how often each net toggled in a window of a command; compiles a slower variant on first use.

        Memories are left out: their words cross nets that are counted, as they are written and as they are read.

        Parameters
        ----------
        x, weights, scale, gain, epsilon
            As for `linear`.
        window
            The cycles that are counted; by default the first thousand. Behind the end of the command nothing changes.

        Raises
        ------
        TypeError, ValueError, SimulatorError
            As for `linear`.
        """
        task, window = _Task(self.config, x, weights, scale, gain, epsilon), window or Window()
        machine = _LinearMachine(self._library("saif"))
        with tempfile.TemporaryDirectory() as folder:
            path, before = Path(folder) / "window.saif", Path(folder) / "before.saif"
            try:
                machine.record(path, before, window)
                task.run(machine, window.first + window.cycles)
                machine.end_record()
            finally:
                machine.close()
            return read_toggles(path, before, window.cycles)

    def _library(self, variant: Variant) -> ctypes.CDLL:
        if variant not in self._libraries:
            self._libraries[variant] = load_library(native_library(self.config, variant, self._verilog), variant)
        return self._libraries[variant]


class _Task:
    """A command with its arrays, which outlive its run."""

    def __init__(
        self,
        config: LinearConfig,
        x: Floats,
        weights: PackedWeights,
        scale: np.float32,
        gain: Floats | None,
        epsilon: np.float32 | None,
    ) -> None:
        if (gain is not None, epsilon is not None) != (config.normed, config.normed):
            has = "an RMSNorm" if config.normed else "no norm"
            raise ValueError(f"the hardware has {has}: expected {'both' if config.normed else 'no'} gain and epsilon")
        if x.ndim != 2 or x.shape[1] != weights.k or (gain is not None and gain.shape != (weights.k,)):
            raise ValueError(f"x has shape {x.shape}, expected (M, {weights.k}), and a gain ({weights.k},)")
        if weights.config != config.array:
            raise ValueError("the weights are packed for a different configuration")
        self.config, self.shape = config, MatmulShape(len(x), weights.k, weights.n)
        check_sizes(config.array, *self.shape)
        self.command = linear_command(*self.shape, scale, epsilon)
        self.activations = value_stream(config, x)
        self.gains = None if gain is None else value_stream(config, gain[np.newaxis])
        self.weights = weights.tiles
        self.results = np.zeros((output_beats(config, self.shape.m, self.shape.n), config.bus_bits // 8), np.uint8)

    def run(self, machine: Machine, until: int | None = None) -> LinearOutcome:
        """Return the outcome; with `until`, of a run that ends there, done or not."""
        words = [self.command >> 32 * i & 0xFFFF_FFFF for i in range(_WORDS)]
        gains = None if self.gains is None else self.gains.ctypes.data
        job = _Job(
            (ctypes.c_uint32 * _WORDS)(*words), *self.shape, self.activations.ctypes.data, gains,
            self.weights.ctypes.data, self.results.ctypes.data, -1,
        )  # fmt: skip
        jobs = (_Job * 1)(job)
        machine.drive(jobs, self._patience if until is None else until, threading.Event(), until is None)
        outputs = outputs_of(self.config, self.results, self.shape.m, self.shape.n)
        return LinearOutcome(outputs, jobs[0].last_cycle + 1)

    @property
    def _patience(self) -> int:
        """Cycles that no right hardware takes: each stage by itself, one after the other, and some more."""
        m, k, _ = self.shape
        tokens = m * (5 * quantisation_cycles(self.config, k) + 200)
        return 2000 + cycles_of(self.config.array, [self.shape])[-1] + tokens + len(self.results)
