"""One instance of the compiled hardware: the C interface of ``native/interface.h``."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.packing import command_beat
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles_of
from bitjoule.sim.accelerator.native_build import Variant
from bitjoule.sim.accelerator.streams import code_table, element_type, result_type
from bitjoule.sim.bench.simulators import SimulatorError

Spread = Callable[[Callable[[int], bool], Iterable[int]], Iterable[bool]]
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


class Machine:
    """One instance of the model behind any driver; one thread may use it at a time.

    Parameters
    ----------
    library
        From `load_library`.
    """

    work = ("hardware", "work")  # what it is and what it does, for messages

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._handle = ctypes.c_void_p(library.bitjoule_open())
        self.idle = True

    def drive(self, jobs: "ctypes.Array[Any]", patience: int, stop: threading.Event, whole: bool = True) -> None:
        """Run jobs that follow each other without a pause; the driver fills in when each was done.

        Parameters
        ----------
        jobs
            The driver's structures.
        patience
            Cycles after which they are overdue.
        stop
            Set by another thread to have the run broken off.
        whole
            Whether jobs that are overdue are an error; if not, the run ends there.

        Raises
        ------
        SimulatorError
            The hardware is wrong, or the run was broken off.
        """
        self.idle = False
        self._library.bitjoule_load(self._handle, ctypes.byref(jobs), len(jobs))
        status, remaining = 0, patience
        while status == 0:
            if stop.is_set():
                raise SimulatorError("the simulation was stopped")
            if remaining <= 0 and not whole:
                break
            if remaining <= 0:
                raise SimulatorError(f"the simulated {self.work[0]} did not finish its {self.work[1]}")
            status = self._library.bitjoule_run(self._handle, min(remaining, _SLICE_CYCLES))
            remaining -= _SLICE_CYCLES
        if status < 0:
            raise SimulatorError(f"the {self.work[0]} rejected a valid command")
        self.idle = status > 0

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


class NativeMachine(Machine):
    """One instance of an accelerator.

    Parameters
    ----------
    config
        The configuration that the library was built for.
    library
        From `load_library`.
    """

    work = ("accelerator", "matmuls")

    def __init__(self, config: AcceleratorConfig, library: ctypes.CDLL) -> None:
        super().__init__(library)
        self._config = config

    def run(self, tasks: Sequence[MachineTask], stop: threading.Event, until: int | None = None) -> list[int]:
        """Return the cycle of each task's last results, counted from 1; 0 if it has none.

        Parameters
        ----------
        tasks
            They follow each other without a pause.
        stop
            As for `drive`.
        until
            Return after so many cycles, done or not.

        Raises
        ------
        SimulatorError
            As `drive`.
        """
        jobs = (_Job * len(tasks))(*(task.job() for task in tasks))
        expected = cycles_of(self._config, [task.shape for task in tasks])[-1]
        self.drive(jobs, expected + _OVERDUE_CYCLES if until is None else until, stop, until is None)
        return [job.last_cycle + 1 for job in jobs]


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


def pack_tiles(
    config: AcceleratorConfig, library: ctypes.CDLL, weights: NDArray[np.int8], spread: Spread, parts: int = 1
) -> NDArray[np.uint8]:
    """Return trits as the array streams them: (tiles of N, tiles of K, beats a tile, bytes a beat).

    Parameters
    ----------
    config
        Of the array.
    library
        From `load_library`.
    weights
        (K, N).
    spread
        Calls a function with several values, in several threads or not.
    parts
        Of K, packed in one call each.

    Raises
    ------
    ValueError
        A weight has no code.
    """
    (k, n), codes = weights.shape, code_table(config)
    tiles = np.zeros(tiles_shape(config, k, n), np.uint8)
    bounds = [tiles.shape[1] * i // parts for i in range(parts + 1)]
    values = np.ascontiguousarray(weights)

    def pack_part(part: int) -> bool:
        done: int = library.bitjoule_pack(
            values.ctypes.data, k, n, codes.ctypes.data, config.encoding.padding(), bounds[part], bounds[part + 1],
            tiles.ctypes.data,
        )  # fmt: skip
        return bool(done)

    if not all(spread(pack_part, range(parts))):
        allowed = "-1, 0 or +1" if config.encoding.zero else "-1 or +1"
        raise ValueError(f"a weight is not {allowed}; {config.encoding.name} encodes no other values")
    return tiles


def tiles_shape(config: AcceleratorConfig, k: int, n: int) -> tuple[int, int, int, int]:
    """Return the shape of packed weights: tiles of N, tiles of K, beats a tile, bytes a beat.

    Parameters
    ----------
    config
        Of the array.
    k, n
        in_features, out_features.
    """
    return -(-n // config.columns), -(-k // config.lanes), config.tile_beats, config.weight_bus_bits // 8
