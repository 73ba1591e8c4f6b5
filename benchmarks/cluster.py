"""Two workers on a Dask scheduler against two bare processes, on the parts of sweeps with their Parquet files.

Run: ``python benchmarks/cluster.py [PROMPTS]`` (four minutes of two processors). Each side computes the same parts in
turn, five times after a first that is not counted; processes, scheduler and workers are started before, and have read
the sweep. A bare process computes every second part, and its results go nowhere; what workers compute travels to this
process. It measures

* a sweep of short parts that is repeated. Its mappings are found in the round that is not counted, and both sides keep
  them: what is measured is handing out, the way back, and that a part goes to the worker that knows it;
* a sweep that is new in each round, as users run it: both sides search all mappings, some of which several parts need.

Prints the times, the ratio of throughputs of each pair and their medians, which are to be at least 0.9, and how busy
the machine was; writes ``cluster.csv``, which docs/performance.md shows. Exit status 1 below 0.9.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import many_cases
from long_table import write

from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.parts import EnergyWork, spans_of
from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.output.cluster import ClusterExecutor, cluster
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
NEW = many_cases.SWEEP.replace("NEW", "{start: 1, stop: 22, step: 1}")
PROCESSES, REPEATS, LEAST = 2, 5, 0.9
STOP = 8192
TABLE = Path(__file__).with_name("cluster.csv")
BARE = "--bare"


def work_of(path: Path) -> tuple[EnergyWork, list[Span]]:
    """Return the sweep in a file, and its parts."""
    grid = grid_of(read_experiment(path))
    return EnergyWork(grid), list(spans_of(grid))


def bare(number: int) -> None:
    """Read the sweep of a file that the input names, or compute every second part at an empty line; answer with one."""
    known, work, spans = "", None, list[Span]()
    for line in sys.stdin:
        name = line.strip()
        if name and name != known:
            known, (work, spans) = name, work_of(Path(name))
        elif not name and work is not None:
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


def by_processes(processes: list[subprocess.Popen[str]], line: str = "") -> None:
    """Have bare processes read a sweep, or compute all parts of the one that they have."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit("a bare process ended")


def by_workers(executor: ClusterExecutor, packed: Packed[EnergyWork], spans: list[Span]) -> None:
    """Have the workers of the scheduler compute all parts, and fetch what they return, of which nothing stays."""
    futures = deque(executor.submit(computed, packed, span) for span in spans)
    while futures:
        futures.popleft().result()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def compared(
    paths: list[Path], processes: list[subprocess.Popen[str]], address: str, name: str
) -> tuple[list[tuple[str, str, float]], float]:
    """Measure both sides on each of some sweeps; return the rows of the table, and the median ratio of throughputs."""
    times: dict[str, list[float]] = {"processes": [], "workers": []}
    work, spans = work_of(paths[0])
    with cluster(address, len(spans)) as executor:
        for path in paths:
            work, spans = work_of(path)
            by_processes(processes, str(path))
            packed: Packed[EnergyWork] = Packed.of(work)
            begun = time.perf_counter()
            by_processes(processes)
            between = time.perf_counter()
            by_workers(executor, packed, spans)
            for side, seconds in (("processes", between - begun), ("workers", time.perf_counter() - between)):
                times[side].append(seconds)
    ratios = [ours / theirs for ours, theirs in zip(times["processes"][1:], times["workers"][1:], strict=True)]
    name = f"{len(spans)} parts {name}"
    for side, all_seconds in times.items():
        print(f"{name}, two {side}: {', '.join(f'{each:.2f}' for each in all_seconds[1:])} s")
    median = statistics.median(ratios)
    print(f"throughput of workers / of processes: {', '.join(f'{each:.2f}' for each in ratios)}; median {median:.2f}")
    rows = [(f"{name}, two {side}: s", statistics.median(seconds[1:])) for side, seconds in times.items()]
    rows.append((f"{name}: throughput of workers over that of processes (at least {LEAST})", median))
    return [(what, "measured", value) for what, value in rows], median


def main() -> int:
    """Measure, print and write the table; return the exit status."""
    stop = sys.argv[1] if len(sys.argv) > 1 else str(STOP)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known, rounds = folder / "known.yaml", range(1 + REPEATS)
        known.write_text(SWEEP.replace("STOP", stop))
        new = [folder / f"new{number}.yaml" for number in rounds]
        for number, path in enumerate(new):
            path.write_text(NEW.replace("name: sweep", f"name: sweep_{number}"))
        address = f"tcp://127.0.0.1:{(port := free_port())}"
        plain = ["--no-dashboard", "--host", "127.0.0.1"]
        scheduler = ["-m", "distributed.cli.dask_scheduler", "--port", str(port), *plain]
        worker = ["-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", *plain]
        bares = [[str(Path(__file__).resolve()), BARE, str(number)] for number in range(PROCESSES)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with started([scheduler, *[worker] * PROCESSES], folder, **quiet), started(bares, folder, **piped) as processes:
            with cluster(address) as executor:
                executor._client.wait_for_workers(PROCESSES, timeout=120)
            rows, median = compared([known] * len(rounds), processes, address, "whose mappings are known")
            further, of_new = compared(new, processes, address, "of a new sweep")
    TABLE.unlink(missing_ok=True)
    write(TABLE, "what", rows + further)
    print(f"load average over a minute {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    return int(min(median, of_new) < LEAST)


if __name__ == "__main__":
    if sys.argv[1:2] == [BARE]:
        bare(int(sys.argv[2]))
    else:
        sys.exit(main())
