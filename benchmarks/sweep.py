"""Speed and memory of a sweep of 100 000 cases in one process.

Run: ``python benchmarks/sweep.py`` (under a minute). Prints Markdown; docs/performance.md quotes it.
"""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bitjoule import cli
from bitjoule.experiments.energy.evaluation import evaluate
from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.resolve import Resolved, read_experiment
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.output.tables import format_rows

SWEEP = """\
name: sweep
models: [bitnet-125m, bitnet-6.7b, llama-7b, llama-3-8b, opt-125m]
schemes: [fp16, int8, bitnet, bitnet-b1.58]
technologies: [45nm, 7nm]
workload: {prompt_tokens: {start: 1, stop: 2500, step: 1}, new_tokens: NEW}
baseline: {scheme: fp16}
"""
SINGLE = "name: one\nmodels: [llama-3-8b]\nschemes: [bitnet]\ntechnologies: [7nm]\nworkload: {new_tokens: 128}\n"


def median_s(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call, after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def resolved_from(folder: Path, text: str) -> Resolved:
    """Read an experiment from text."""
    path = folder / "experiment.yaml"
    path.write_text(text)
    return read_experiment(path)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        experiment = resolved_from(folder, SINGLE)
        grid = grid_of(experiment)
        evaluate_s = median_s(lambda: evaluate(grid, np.array([0])), 200)
        run_s = median_s(lambda: run(experiment), 20)
        sweep = resolved_from(folder, SWEEP.replace("NEW", "0"))
        cases = len(grid_of(sweep))
        compute_s = median_s(lambda: run(sweep), 3)
        begun = time.perf_counter()
        arguments = [
            "run",
            str(folder / "experiment.yaml"),
            "--out",
            name,
            "--no-plots",
            "--jobs",
            "1",
            "--results",
            "csv",
            "--quiet",
        ]
        assert cli.main(arguments) == 0
        command_s = time.perf_counter() - begun
        table_bytes = (folder / "sweep" / "results.csv").stat().st_size
        block = run(sweep).results_of(np.arange(2000)).iloc[:50_000]
        ours_s = median_s(lambda: format_rows(block), 5)
        pandas_s = median_s(lambda: block.to_csv(index=False), 5)
        resolved_from(folder, SWEEP.replace("NEW", "[0, 64]").replace("2500", "1250"))
        begun = time.perf_counter()
        assert cli.main(arguments) == 0
        decode_s = time.perf_counter() - begun
        decode_bytes = (folder / "sweep" / "results.csv").stat().st_size
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print("| what | measured | goal |\n|---|---:|---:|")
    print(f"| one warm case, counted and priced | {1e3 * evaluate_s:.2f} ms | <= 1 ms |")
    print(f"| the same as pandas tables, summary included | {1e3 * run_s:.1f} ms | |")
    print(f"| sweep of {cases:,} cases, summary in memory | {cases / compute_s:,.0f} cases/s | |")
    written = f"the same, with every file written ({table_bytes / 1e6:.0f} MB)"
    print(f"| {written} | {cases / command_s:,.0f} cases/s | >= 10,000 cases/s |")
    decode = f"the same number of cases, half of them with decode ({decode_bytes / 1e6:.0f} MB)"
    print(f"| {decode} | {cases / decode_s:,.0f} cases/s | |")
    print(f"| peak memory of all this | {peak_mb:.0f} MB | < 1,000 MB |")
    print(f"| time of a single case / time per case in the sweep | {evaluate_s / (compute_s / cases):.0f} x | |")
    print(f"| pandas' CSV writer / ours | {pandas_s / ours_s:.2f} x | |")


if __name__ == "__main__":
    main()
