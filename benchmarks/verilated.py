"""How fast the compiled accelerator runs matmuls: ``python benchmarks/verilated.py [CONFIGURATION...] [--token]``.

Prints Markdown: the time of the build, then for each shape the hardware's cycles, checked against the closed form, and
what they take with one instance and with one a core; medians of five runs. Rates are of wall time, and of one core's
time, which other jobs on the machine disturb less. With ``--token`` also one decode token of BitNet b1.58 2B4T's shape,
with random weights made and packed layer by layer; the first layer's products are compared with NumPy's.
"""

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tabulate import tabulate

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator import build_cache
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import cycles
from bitjoule.sim.accelerator.verilated import Verilated
from bitjoule.sim.reference.matmul import integer_matmul

RUNS = 5
SHAPES = ((1, 2560, 2560), (1, 3200, 8640), (16, 2560, 640))
LAYERS = 30
LAYER = ((2560, 2560), (2560, 640), (2560, 640), (2560, 2560), (2560, 6912), (2560, 6912), (6912, 2560))
HEADERS = (
    "configuration", "instances", "M x K x N", "cycles", "s", "k cycles/s", "k cycles/s of a core", "G trits/s",
    "packing ms",
)  # fmt: skip
TOKEN_HEADERS = (
    "configuration", "M cycles", "G trits", "simulation s", "of all cores s", "packing s", "in all s", "peak memory GB",
)  # fmt: skip


def main() -> None:
    """Print tables."""
    names = [word for word in sys.argv[1:] if word != "--token"] or ["simulate_64x16", "edge_64x16"]
    rows: list[tuple[object, ...]] = []
    for name in names:
        config = read_configuration(name)
        rng = np.random.default_rng(1)
        print(f"{name}: built in {build_s(config):.1f} s from nothing\n")
        for workers in (1, None):
            with Verilated(config, workers) as hardware:
                for m, k, n in SHAPES:
                    w = random_trits(rng, k, n)
                    x = rng.integers(-128, 128, (m, k), dtype=np.int8)
                    begin_s = time.perf_counter()
                    packed = hardware.pack(w)
                    pack_s = time.perf_counter() - begin_s
                    times_s, core_times_s = [], []
                    for _ in range(RUNS):
                        begin_s, begin_core_s = time.perf_counter(), time.process_time()
                        outcome = hardware.matmul(x, packed)
                        times_s.append(time.perf_counter() - begin_s)
                        core_times_s.append(time.process_time() - begin_core_s)
                    assert (outcome.results == integer_matmul(x, w)).all()
                    assert outcome.cycles == cycles(config, m, k, n)
                    run_s = statistics.median(times_s)
                    rates = [outcome.cycles / run_s / 1e3, outcome.cycles / statistics.median(core_times_s) / 1e3]
                    shape = f"{m} x {k} x {n}"
                    trits = m * k * n / run_s / 1e9
                    rows.append((name, hardware.workers, shape, outcome.cycles, run_s, *rates, trits, pack_s * 1e3))
    print(tabulate(rows, HEADERS, tablefmt="github", floatfmt=(*[""] * 4, ".3f", ".0f", ".0f", ".2f", ".0f")), "\n")
    if "--token" in sys.argv:
        print(tabulate([token(name) for name in names], TOKEN_HEADERS, tablefmt="github", floatfmt=".2f"))


def token(name: str) -> tuple[object, ...]:
    """Return a row on one decode token of 2B4T's shape."""
    config = read_configuration(name)
    rng = np.random.default_rng(2)
    run_s = core_s = pack_s = 0.0
    total = trits = 0
    begin_s = time.perf_counter()
    with Verilated(config) as hardware:
        for layer in range(LAYERS):
            for k, n in LAYER:
                w = random_trits(rng, k, n)
                x = rng.integers(-128, 128, (1, k), dtype=np.int8)
                times_s = [time.perf_counter()]
                packed = hardware.pack(w)
                times_s.append(time.perf_counter())
                begin_core_s = time.process_time()
                outcome = hardware.matmul(x, packed)
                core_s += time.process_time() - begin_core_s
                times_s.append(time.perf_counter())
                pack_s += times_s[1] - times_s[0]
                run_s += times_s[2] - times_s[1]
                total += outcome.cycles
                trits += k * n
                assert outcome.cycles == cycles(config, 1, k, n)
                assert layer or (outcome.results == integer_matmul(x, w)).all()
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return name, total / 1e6, trits / 1e9, run_s, core_s, pack_s, time.perf_counter() - begin_s, peak_gb


def random_trits(rng: np.random.Generator, k: int, n: int) -> np.ndarray[tuple[int, int], np.dtype[np.int8]]:
    """Return random trits, each value as often as the others."""
    return (np.frombuffer(rng.bytes(k * n), np.uint8) % 3).astype(np.int8).reshape(k, n) - np.int8(1)


def build_s(config: AcceleratorConfig) -> float:
    """Return the seconds that a build takes where the cache is empty."""
    cache_folder = build_cache.cache_folder
    with tempfile.TemporaryDirectory() as folder:
        build_cache.cache_folder = lambda: Path(folder)
        try:
            begin_s = time.perf_counter()
            Verilated(config).close()
            return time.perf_counter() - begin_s
        finally:
            build_cache.cache_folder = cache_folder


if __name__ == "__main__":
    main()
