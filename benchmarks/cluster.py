"""Two workers on a Dask scheduler against two bare processes, on the parts of a sweep with their Parquet files.

Run: ``python benchmarks/cluster.py [PROMPTS]`` (two minutes of two processors). Each side computes the same parts in
turn, five times after a first that is not counted; processes, scheduler and workers are started before. A bare process
computes every second part and keeps nothing; what workers compute travels to this process. Prints the times, the ratio
of throughputs of each pair and their median, which is to be at least 0.9, and how busy the machine was; writes
``cluster.csv``, which docs/performance.md shows. Exit status 1 below 0.9.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from long_table import write

from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.parts import EnergyWork, spans_of
from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.output.cluster import ClusterExecutor
from bitjoule.experiments.output.packed import Packed
from bitjoule.experiments.output.parts import Span
from bitjoule.experiments.output.store import render

SWEEP = """\
name: sweep
accounting: system
models: [bitnet-125m]
schemes: [fp16, int8, bitnet, bitnet-b1.58]
technologies: [7nm]
platforms: [ternary-edge]
workload: {prompt_tokens: {start: 1, stop: STOP, step: 1}, new_tokens: 16}
baseline: {scheme: fp16}
"""
PROCESSES, REPEATS, LEAST = 2, 5, 0.9
STOP = 8192
TABLE = Path(__file__).with_name("cluster.csv")
BARE = "--bare"


def work_of(path: Path) -> tuple[EnergyWork, list[Span]]:
    """Return the sweep in a file, and its parts."""
    grid = grid_of(read_experiment(path))
    return EnergyWork(grid), list(spans_of(grid))


def bare(path: Path, number: int) -> None:
    """Compute every second part for each line of the input, and answer it with one."""
    work, spans = work_of(path)
    for _ in sys.stdin:
        for span in spans[number::PROCESSES]:
            render(work, span, "parquet")
        print(flush=True)


def computed(packed: Packed[EnergyWork], span: Span) -> object:
    """Compute a part in a worker."""
    return render(packed.value, span, "parquet")


@contextmanager
def started(commands: list[list[str]], folder: Path, **streams: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Yield processes that end with the block."""
    processes = [subprocess.Popen([sys.executable, *words], cwd=folder, text=True, **streams) for words in commands]  # type: ignore[call-overload]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def by_processes(processes: list[subprocess.Popen[str]]) -> None:
    """Have bare processes compute all parts."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit("a bare process ended")


def by_workers(executor: ClusterExecutor, packed: Packed[EnergyWork], spans: list[Span]) -> None:
    """Have the workers of the scheduler compute all parts, and fetch what they return."""
    for future in [executor.submit(computed, packed, span) for span in spans]:
        future.result()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def timed(side: str, times: dict[str, list[float]], begun: float) -> None:
    """Note how long a side took."""
    times[side].append(time.perf_counter() - begun)


def main() -> int:
    """Measure, print and write the table; return the exit status."""
    stop = int(sys.argv[1]) if len(sys.argv) > 1 else STOP
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "sweep.yaml"
        path.write_text(SWEEP.replace("STOP", str(stop)))
        work, spans = work_of(path)
        packed: Packed[EnergyWork] = Packed.of(work)
        address = f"tcp://127.0.0.1:{(port := free_port())}"
        plain = ["--no-dashboard", "--host", "127.0.0.1"]
        scheduler = ["-m", "distributed.cli.dask_scheduler", "--port", str(port), *plain]
        worker = ["-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", *plain]
        bares = [[str(Path(__file__).resolve()), BARE, str(path), str(number)] for number in range(PROCESSES)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        times: dict[str, list[float]] = {"processes": [], "workers": []}
        with started([scheduler, *[worker] * PROCESSES], folder, **quiet), started(bares, folder, **piped) as processes:
            executor = ClusterExecutor(address)
            executor._client.wait_for_workers(PROCESSES, timeout=120)
            for _ in range(1 + REPEATS):
                begun = time.perf_counter()
                by_processes(processes)
                timed("processes", times, begun)
                begun = time.perf_counter()
                by_workers(executor, packed, spans)
                timed("workers", times, begun)
            executor.shutdown()
    ratios = [ours / theirs for ours, theirs in zip(times["processes"][1:], times["workers"][1:], strict=True)]
    for side, seconds in times.items():
        print(f"{len(spans)} parts, two {side}: {', '.join(f'{each:.2f}' for each in seconds[1:])} s")
    median = statistics.median(ratios)
    print(f"throughput of workers / of processes: {', '.join(f'{each:.2f}' for each in ratios)}; median {median:.2f}")
    medians = {side: statistics.median(of_side[1:]) for side, of_side in times.items()}
    name = f"{len(spans)} parts with their files, two"
    rows = [(f"{name} {side}: s", "measured", seconds) for side, seconds in medians.items()]
    rows.append((f"throughput of workers over that of processes (at least {LEAST})", "measured", median))
    TABLE.unlink(missing_ok=True)
    write(TABLE, "what", rows)
    print(f"load average over a minute {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    return int(median < LEAST)


if __name__ == "__main__":
    if sys.argv[1:2] == [BARE]:
        bare(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
