"""The accelerator as a compiled program: Verilator's C++ of its Verilog, driven by C++, called with arrays.

The generated Verilog runs clock by clock; `bitjoule.sim.reference.matmul` gives the expected results, and
`bitjoule.sim.accelerator.cycles` the expected cycles.
"""

import ctypes
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.packing import command_beat
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles_of
from bitjoule.sim.accelerator.native_build import Variant, native_library
from bitjoule.sim.accelerator.native_machine import (
    MachineTask,
    NativeMachine,
    Spread,
    Window,
    activation_beats,
    in_their_type,
    load_library,
    pack_tiles,
    tiles_shape,
)
from bitjoule.sim.accelerator.saif import Toggles, read_toggles
from bitjoule.sim.accelerator.streams import element_type, weight_stream
from bitjoule.sim.processors import usable_processors

Elements = NDArray[Any]  # int8, in an array of floating-point numbers float16
_PARALLEL_TRITS = 1 << 20  # below, starting threads costs more than they save


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """The weights of a matmul as the accelerator streams them; from `Verilated.pack`.

    Parameters
    ----------
    config
        The configuration they are packed for.
    k, n
        in_features, out_features.
    tiles
        (tiles of N, tiles of K, beats a tile, bytes a beat), uint8.

    Raises
    ------
    ValueError
        The array is not of that shape.
    """

    config: AcceleratorConfig
    k: int
    n: int
    tiles: NDArray[np.uint8]

    def __post_init__(self) -> None:
        expected = tiles_shape(self.config, self.k, self.n)
        if self.tiles.dtype != np.uint8 or self.tiles.shape != expected or not self.tiles.flags.c_contiguous:
            raise ValueError(
                f"tiles are {self.tiles.dtype} {self.tiles.shape}, expected contiguous uint8 {expected} "
                f"for K {self.k}, N {self.n}"
            )


Weights = Elements | PackedWeights


@dataclass(frozen=True, eq=False)
class MatmulOutcome:
    """The result of a matmul.

    Parameters
    ----------
    results
        (M, N): int32; of an array of floating-point numbers, float32 or float16.
    cycles
        From the first command of the run to these results, both included.
    toggles
        Of the requested window.
    """

    results: NDArray[Any]
    cycles: int
    toggles: Toggles | None = None


class Verilated:
    """A configuration's hardware, compiled on first use and then kept in the cache.

    Calls from several threads at once are not allowed. May be used in a ``with`` statement.

    Parameters
    ----------
    config
        The configuration.
    workers
        Instances of the hardware that share a matmul's N, one thread each; by default one a core. Results and cycles
        do not depend on it.
    verilog
        Other Verilog of the same hardware, e.g. its netlist with models of its cells; by default the generated one.

    Raises
    ------
    SimulatorError
        Verilator or a C++ compiler is missing, or the build fails.
    ValueError
        `workers` is not positive.

    Notes
    -----
    Cycles are counted by the hardware's own handshakes; no stream is ever stalled from outside. With several workers,
    each counts those of its part. Parts that follow each other on one accelerator take what the whole takes; what
    starting and draining they would then share is known from `bitjoule.sim.accelerator.cycles` and taken off.
    """

    def __init__(self, config: AcceleratorConfig, workers: int | None = None, verilog: str | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers is {workers}, expected at least 1")
        self.config = config
        self.workers = workers or usable_processors()
        self._verilog = verilog
        self._libraries: dict[Variant, ctypes.CDLL] = {}
        self._machines: list[NativeMachine | None] = [None] * self.workers
        self._pool: ThreadPoolExecutor | None = None
        self._library("fast")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the instances; the object may be used again."""
        for machine in filter(None, self._machines):
            machine.close()
        self._machines = [None] * self.workers
        if self._pool:
            self._pool.shutdown()
            self._pool = None

    def pack(self, weights: Elements) -> PackedWeights:
        """Return weights as the accelerator streams them, to be used often.

        Parameters
        ----------
        weights
            (K, N): trits or numbers, int8; of an array of floating-point numbers, float16.

        Raises
        ------
        TypeError
            It is not an array of that type.
        ValueError
            The array is empty or has not two dimensions, or a value is not one that the encoding can say.
        """
        config = self.config
        _check_matrix(config, "weights", weights)
        k, n = weights.shape
        if config.multiplies or config.scaled:
            return PackedWeights(config, k, n, weight_stream(config, weights).reshape(tiles_shape(config, k, n)))
        parts = self.workers if weights.size >= _PARALLEL_TRITS else 1
        spread: Spread = map if parts == 1 else self._threads().map
        return PackedWeights(config, k, n, pack_tiles(config, self._library("fast"), weights, spread, parts))

    def matmul(self, activations: Elements, weights: Weights) -> MatmulOutcome:
        """Return the product that the hardware computes.

        Parameters
        ----------
        activations
            (M, K): int8; of an array of floating-point numbers, float16.
        weights
            As for `pack`, or packed ones.

        Raises
        ------
        TypeError
            An operand is not an array of that type.
        ValueError
            Shapes or values do not fit each other or the configuration.
        SimulatorError
            The simulated hardware is wrong.
        """
        task = self._task(activations, weights)
        n_tiles = len(task.weights)
        parts = min(self.workers, n_tiles) if task.shape.m * task.weights.size >= _PARALLEL_TRITS // 4 else 1
        if parts == 1:
            counted_alone = self._run_sequence([task])[0]
            return MatmulOutcome(in_their_type(self.config, task.results), counted_alone)
        columns = self.config.columns
        bounds = [n_tiles * i // parts for i in range(parts + 1)]
        tasks = []
        for first, last in pairwise(bounds):
            results = task.results[:, first * columns : last * columns]
            shape = MatmulShape(task.shape.m, task.shape.k, results.shape[1])
            tasks.append(MachineTask(shape, task.activations, task.weights[first:last], results))
        counted = self._run_parallel(tasks)
        shapes = [part.shape for part in tasks]
        alone = sum(cycles_of(self.config, [shape])[-1] for shape in shapes)
        return MatmulOutcome(
            in_their_type(self.config, task.results), sum(counted) - alone + cycles_of(self.config, shapes)[-1]
        )

    def sequence(self, operands: Sequence[tuple[Elements, Weights]]) -> list[MatmulOutcome]:
        """Return the products of matmuls that follow each other without a pause, on one instance.

        Parameters
        ----------
        operands
            Activations and weights of each, as for `matmul`.

        Returns
        -------
        list of MatmulOutcome
            The cycles of each count from the first command of all.

        Raises
        ------
        TypeError, ValueError, SimulatorError
            As for `matmul`.
        """
        tasks = [self._task(*pair) for pair in operands]
        ends = self._run_sequence(tasks) if tasks else []
        return [
            MatmulOutcome(in_their_type(self.config, task.results), end) for task, end in zip(tasks, ends, strict=True)
        ]

    def toggles(
        self, activations: Elements, weights: Weights, window: Window | None = None, complete: bool = True
    ) -> MatmulOutcome:
        """Return the product, and how often each net toggled; compiles a slower variant on first use.

        Parameters
        ----------
        activations, weights
            As for `matmul`.
        window
            The cycles that are counted; by default the first thousand.
        complete
            Whether to run on behind the window: if not, the product is incomplete and `cycles` 0.

        Raises
        ------
        TypeError, ValueError, SimulatorError
            As for `matmul`; `ValueError` also for a window behind the end of the run.
        """
        with tempfile.TemporaryDirectory() as folder:
            path, before = Path(folder) / "window.saif", Path(folder) / "before.saif"
            outcome, cycles = self._record("saif", activations, weights, window or Window(), path, before, complete)
            return MatmulOutcome(outcome.results, outcome.cycles, read_toggles(path, before, cycles))

    def waveform(
        self, path: Path, activations: Elements, weights: Weights, window: Window | None = None
    ) -> MatmulOutcome:
        """Return the product, and write the waveform; compiles a slower variant on first use.

        Parameters
        ----------
        path
            The VCD file to write: two time units a cycle, cycle c's rising edge at ``2 c``.
        activations, weights
            As for `matmul`.
        window
            The cycles that are written; by default the first thousand.

        Raises
        ------
        OSError
            The file cannot be written.
        TypeError, ValueError, SimulatorError
            As for `toggles`.
        """
        path.write_bytes(b"")
        return self._record("vcd", activations, weights, window or Window(), path, None)[0]

    def _record(
        self,
        variant: Variant,
        activations: Elements,
        weights: Weights,
        window: Window,
        path: Path,
        before: Path | None,
        complete: bool = True,
    ) -> tuple[MatmulOutcome, int]:
        task = self._task(activations, weights)
        last = cycles_of(self.config, [task.shape])[-1]
        cycles = min(window.cycles, last - window.first)
        if cycles < 1:
            raise ValueError(f"the window begins at cycle {window.first}, but the run has {last} cycles")
        machine = NativeMachine(self.config, self._library(variant))
        try:
            machine.record(path, before, Window(window.first, cycles))
            counted = machine.run([task], threading.Event(), None if complete else window.first + cycles)[0]
            machine.end_record()
        finally:
            machine.close()
        return MatmulOutcome(in_their_type(self.config, task.results), counted), cycles

    def _library(self, variant: Variant) -> ctypes.CDLL:
        if variant not in self._libraries:
            self._libraries[variant] = load_library(native_library(self.config, variant, self._verilog), variant)
        return self._libraries[variant]

    def _machine(self, place: int) -> NativeMachine:
        machine = self._machines[place]
        if machine and not machine.idle:  # a run was broken off
            machine.close()
            machine = None
        if machine is None:
            machine = self._machines[place] = NativeMachine(self.config, self._library("fast"))
        return machine

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.workers, "verilated")
        return self._pool

    def _run_sequence(self, tasks: Sequence[MachineTask]) -> list[int]:
        return self._machine(0).run(tasks, threading.Event())

    def _run_parallel(self, tasks: Sequence[MachineTask]) -> list[int]:
        stop = threading.Event()
        machines = [self._machine(place) for place in range(len(tasks))]
        futures = [
            self._threads().submit(machine.run, [task], stop) for machine, task in zip(machines, tasks, strict=True)
        ]
        try:
            return [future.result()[0] for future in futures]
        except BaseException:
            # The threads write into arrays that go away with this call.
            stop.set()
            wait(futures)
            raise

    def _task(self, activations: Elements, weights: Weights) -> MachineTask:
        config = self.config
        _check_matrix(config, "activations", activations)
        if not isinstance(weights, PackedWeights):
            _check_matrix(config, "weights", weights)
        k, n = (weights.k, weights.n) if isinstance(weights, PackedWeights) else weights.shape
        if activations.shape[1] != k:
            raise ValueError(f"shapes {activations.shape} and {(k, n)} are not (M, K) and (K, N)")
        shape = MatmulShape(activations.shape[0], k, n)
        cycles_of(config, [shape])
        command_beat(*shape)
        if not isinstance(weights, PackedWeights):
            weights = self.pack(weights)
        elif _packing(weights.config) != _packing(config):
            raise ValueError("the weights are packed for a different configuration")
        results = np.zeros((shape.m, shape.n), np.int32)
        return MachineTask(shape, activation_beats(config, activations), weights.tiles, results)


def _packing(config: AcceleratorConfig) -> tuple[object, ...]:
    return config.lanes, config.columns, config.weight_encoding, config.scaled, config.weight_bus_bits


def _check_matrix(config: AcceleratorConfig, name: str, values: Elements) -> None:
    expected = element_type(config)
    if not isinstance(values, np.ndarray) or values.dtype != expected:
        actual = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise TypeError(f"{name} holds {actual}, expected an array of {expected}")
    if values.ndim != 2 or not values.size:
        raise ValueError(f"{name} has shape {values.shape}, expected two dimensions, neither empty")
