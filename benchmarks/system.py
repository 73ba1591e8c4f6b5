"""Speed of the system accounting for one matmul, one request and a sweep.

Run: ``python benchmarks/system.py`` (half a minute). Prints Markdown; docs/performance.md quotes it.
"""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bitjoule import cli
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.batch_search import best_mapping
from bitjoule.energy_models.system.mappings.search import candidates, search
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.experiments.energy.evaluation import evaluate
from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.resolve import Resolved, read_experiment
from bitjoule.experiments.energy.runner import run

SINGLE = """\
name: one
accounting: system
models: [llama-3-8b]
schemes: [bitnet-b1.58]
technologies: [7nm]
platforms: [ternary-hbm]
workload: {prompt_tokens: 512, new_tokens: 128}
"""
SWEEP = """\
name: sweep
accounting: system
models: [bitnet-125m, bitnet-6.7b, llama-3-8b]
schemes: [fp16, int8, bitnet, bitnet-b1.58]
technologies: [45nm, 7nm]
platforms:
  - {name: edge, by_scheme: {fp16: fp16-edge, int8: int8-edge, bitnet: ternary-edge, bitnet-b1.58: ternary-edge}}
workload:
  prompt_tokens: {start: 128, stop: 131072, factor: 2}
  new_tokens: [1, 16, 128, 1024]
  batch: {start: 1, stop: 256, factor: 2}
baseline: {scheme: fp16}
"""
MATMULS = (("tpu32", "int8", 512, 3200, 8640), ("ternary-edge", "bitnet-b1.58", 512, 2560, 6912),
           ("fp16-edge", "fp16", 4096, 16384, 53248))  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    """Return the time of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def resolved_from(folder: Path, text: str) -> Resolved:
    """Read an experiment from text."""
    path = folder / "experiment.yaml"
    path.write_text(text)
    return read_experiment(path)


def forget() -> None:
    """Forget the mappings of single matmuls."""
    search.cache_clear()
    best_mapping.cache_clear()


def main() -> None:
    """Measure and print."""
    print("| what | measured | goal |\n|---|---:|---:|")
    for name, scheme, m, k, n in MATMULS:
        machine = Machine(schemes()[scheme], platforms()[name], technologies()["45nm"], name)
        problem = machine.problem(MatmulKind.STANDALONE, m, k, n, resident=False, reserved_bits=0.0)
        times = []
        for _ in range(21):
            search.cache_clear()
            times.append(seconds(lambda problem=problem: search(problem)))  # type: ignore[misc]
        tiles = candidates(problem)
        tried = 0 if tiles is None else int(np.prod(np.broadcast_shapes(*(np.shape(size) for size in tiles))))
        label = f"M {m}, K {k}, N {n} on {name}, mapping searched ({tried:,} tried)"
        print(f"| {label} | {1e3 * statistics.median(times):.1f} ms | <= 20 ms |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        forget()
        grid = grid_of(resolved_from(folder, SINGLE))
        cold_s = seconds(lambda: evaluate(grid, np.array([0])))
        warm_s = statistics.median(seconds(lambda: evaluate(grid, np.array([0]))) for _ in range(200))
        print(f"| prefill and decode of llama-3-8b, cold | {1e3 * cold_s:.0f} ms | <= 500 ms |")
        print(f"| the same, mappings known | {1e3 * warm_s:.2f} ms | <= 1 ms |")
        sweep = resolved_from(folder, SWEEP)
        cases = len(grid_of(sweep))
        forget()
        cold_s = seconds(lambda: run(sweep))
        print(f"| sweep of {cases:,} cases | {cases / cold_s:,.0f} cases/s | >= 1,000 cases/s |")
        grid, blocks = grid_of(sweep), np.array_split(np.arange(cases), 8)
        for block in blocks:
            evaluate(grid, block)
        warm_s = seconds(lambda: [evaluate(grid, block) for block in blocks])
        print(f"| the same counted and priced alone, mappings known | {cases / warm_s:,.0f} cases/s | |")
        forget()
        options = ["--no-plots", "--jobs", "1", "--results", "csv", "--quiet"]
        arguments = ["run", str(folder / "experiment.yaml"), "--out", name, *options]
        begun = time.perf_counter()
        assert cli.main(arguments) == 0
        command_s = time.perf_counter() - begun
        megabytes = (folder / "sweep" / "results.csv").stat().st_size / 1e6
        print(f"| the same with every file written ({megabytes:.0f} MB) | {cases / command_s:,.0f} cases/s | |")
    print(f"| peak memory of all this | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB | |")


if __name__ == "__main__":
    main()
