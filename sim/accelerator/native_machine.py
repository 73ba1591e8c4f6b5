"""One instance of the compiled hardware: the C interface of ``native/driver.cpp``."""

import ctypes
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.packing import command_beat
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles_of
from bitjoule.sim.accelerator.native_build import Variant
from bitjoule.sim.accelerator.streams import element_type, result_type
from bitjoule.sim.bench.simulators import SimulatorError

_SLICE_CYCLES = 50_000  # a fraction of a second: how long Ctrl-C waits
_OVERDUE_CYCLES = 1_000


@dataclass(frozen=True)
class Window:
    """Cycles of a run that are recorded.

    Parameters
    ----------
    first
        The first one, counted from 0, the command's.
    cycles
        How many; cut at the end of the run.

    Raises
    ------
    ValueError
        It is empty or begins before the run.
    """

    first: int = 0
    cycles: int = 1_000

    def __post_init__(self) -> None:
        if self.first < 0 or self.cycles < 1:
            raise ValueError(
                f"window of {self.cycles} cycles from cycle {self.first}: expected at least 1 cycle, from 0 on"
            )


class _Job(ctypes.Structure):
    _fields_ = (
        ("command", ctypes.c_uint64),
        ("m", ctypes.c_int64),
        ("k", ctypes.c_int64),
        ("n", ctypes.c_int64),
        ("activations", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("results", ctypes.c_void_p),
        ("result_stride", ctypes.c_int64),
        ("last_cycle", ctypes.c_int64),
    )


@dataclass(frozen=True, eq=False)
class MachineTask:
    """One command: arrays that outlive the run, and where its results go.

    Parameters
    ----------
    shape
        M, K, N.
    activations
        (M, tiles of K, bytes a beat), each beat once.
    weights
        As in `bitjoule.sim.accelerator.verilated.PackedWeights`.
    results
        (M, N); may be a view whose rows lie further apart.
    """

    shape: MatmulShape
    activations: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    results: NDArray[np.int32]

    def job(self) -> _Job:
        """Return the task for the driver."""
        m, k, n = self.shape
        return _Job(
            command_beat(m, k, n), m, k, n, self.activations.ctypes.data, self.weights.ctypes.data,
            self.results.ctypes.data, self.results.strides[0] // 4, -1,
        )  # fmt: skip


class NativeMachine:
    """One instance of the model; one thread may use it at a time.

    Parameters
    ----------
    config
        The configuration that the library was built for.
    library
        From `load_library`.
    """

    def __init__(self, config: AcceleratorConfig, library: ctypes.CDLL) -> None:
        self._config = config
        self._library = library
        self._handle = ctypes.c_void_p(library.bitjoule_open())
        self.idle = True

    def run(self, tasks: Sequence[MachineTask], stop: threading.Event, until: int | None = None) -> list[int]:
        """Return the cycle of each task's last results, counted from 1; 0 if it has none.

        Parameters
        ----------
        tasks
            They follow each other without a pause.
        stop
            Set by another thread to have the run broken off.
        until
            Return after so many cycles, done or not.

        Raises
        ------
        SimulatorError
            The hardware is wrong, or the run was broken off.
        """
        jobs = (_Job * len(tasks))(*(task.job() for task in tasks))
        remaining = (
            cycles_of(self._config, [task.shape for task in tasks])[-1] + _OVERDUE_CYCLES if until is None else until
        )
        self.idle = False
        self._library.bitjoule_load(self._handle, ctypes.byref(jobs), len(jobs))
        status = 0
        while status == 0:
            if stop.is_set():
                raise SimulatorError("the simulation was stopped")
            if remaining <= 0 and until is not None:
                break
            if remaining <= 0:
                raise SimulatorError("the simulated accelerator did not finish its matmuls")
            status = self._library.bitjoule_run(self._handle, min(remaining, _SLICE_CYCLES))
            remaining -= _SLICE_CYCLES
        if status < 0:
            raise SimulatorError("the accelerator rejected a valid command")
        self.idle = status > 0
        return [job.last_cycle + 1 for job in jobs]

    def record(self, path: Path, before: Path | None, window: Window) -> None:
        """Record a window of the next run.

        Parameters
        ----------
        path
            Where to.
        before
            Where to write the first cycle alone.
        window
            Which cycles.
        """
        self._library.bitjoule_trace(
            self._handle, os.fsencode(path), os.fsencode(before or ""), window.first, window.first + window.cycles
        )

    def end_record(self) -> None:
        """Complete the record's file."""
        self._library.bitjoule_end_trace(self._handle)

    def close(self) -> None:
        """Free the instance."""
        if self._handle:
            self._library.bitjoule_close(self._handle)
            self._handle = ctypes.c_void_p()


def load_library(path: Path, variant: Variant) -> ctypes.CDLL:
    """Load a build.

    Parameters
    ----------
    path, variant
        As for `bitjoule.sim.accelerator.native_build.native_library`.

    Raises
    ------
    SimulatorError
        The file is damaged.
    """
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise SimulatorError(f"{path} cannot be loaded: {error}; delete it to rebuild it") from None
    pointer, count, text = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p
    signatures: dict[str, tuple[type | None, tuple[type, ...]]] = {
        "open": (pointer, ()),
        "close": (None, (pointer,)),
        "load": (None, (pointer, pointer, count)),
        "run": (ctypes.c_int, (pointer, count)),
        "pack": (ctypes.c_int, (pointer, count, count, pointer, ctypes.c_int, count, count, pointer)),
    }
    if variant != "fast":
        signatures |= {"trace": (None, (pointer, text, text, count, count)), "end_trace": (None, (pointer,))}
    for name, (result, arguments) in signatures.items():
        function = getattr(library, f"bitjoule_{name}")
        function.restype = result
        function.argtypes = arguments
    return library


def in_their_type(config: AcceleratorConfig, results: NDArray[np.int32]) -> NDArray[Any]:
    """Return results in the array's own type: int32, or floats, whose bits the driver widens as if they were integers.

    Parameters
    ----------
    config
        The configuration.
    results
        As the driver leaves them.
    """
    if not config.floating_point:
        return results
    return results.astype(f"i{config.result_bits // 8}").view(result_type(config))


def activation_beats(config: AcceleratorConfig, activations: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the beats of each token's tiles of K, (M, tiles of K, bytes), each once.

    Parameters
    ----------
    config
        The configuration.
    activations
        (M, K), of its type.

    Raises
    ------
    ValueError
        A value does not fit the configuration's bits.
    """
    m, k = activations.shape
    bits = config.activation_bits
    limit = 1 << (bits - 1)
    if bits < 8 and (activations.min() < -limit or activations.max() >= limit):
        raise ValueError(f"an activation is outside -{limit} to {limit - 1}, the range of {bits} bits")
    k_tiles = -(-k // config.lanes)
    padded = np.zeros((m, k_tiles * config.lanes), element_type(config))
    padded[:, :k] = activations
    lanes = padded.view(np.uint8).reshape(m, k_tiles, -1)
    if bits >= 8:
        return lanes
    single = np.unpackbits(lanes[..., np.newaxis], axis=-1, count=bits, bitorder="little")
    return np.packbits(single.reshape(m, k_tiles, -1), axis=-1, bitorder="little")
