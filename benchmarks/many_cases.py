"""Speed and memory of sweeps of whole requests, against another checkout of bitjoule, taken in turn.

Run: ``python benchmarks/many_cases.py OTHER_CHECKOUT [--rounds 3] [--new-tokens '[16]'] [--small]``. The other side
writes its default, CSV; this side writes Parquet. Times are processor time of a process of its own, medians over the
rounds: on a machine that others use, too, they say more than the clock's. Rows of ``many_cases.csv`` and of
``many_cases_large.csv`` are replaced; docs/performance.md shows them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from long_table import write

HERE = Path(__file__).resolve().parents[1]
TABLE, LARGE = (Path(__file__).with_name(f"{name}.csv") for name in ("many_cases", "many_cases_large"))
SIDES = ("other", "this")
Runs = dict[str, list[dict[str, Any]]]
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
  new_tokens: NEW
  batch: {start: 1, stop: 256, factor: 2}
baseline: {scheme: fp16}
"""
FEW, MANY = "[1, 16, 128, 1024]", "{start: 1, stop: 43, step: 1}"
WRITE = """\
import json, pathlib, resource, sys, time
from bitjoule import cli
out, *options = sys.argv[1:]
begun = time.process_time()
assert cli.main(["run", out + "/e.yaml", "--no-plots", "--jobs", "1", "--out", out + "/r", *options]) == 0
size = sum(path.stat().st_size for path in pathlib.Path(out, "r").rglob("*") if path.is_file())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps({"s": time.process_time() - begun, "mb": size / 1e6, "peak_mb": peak}))
"""
COUNT = """\
import importlib, json, pathlib, sys, time
from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.resolve import read_experiment
try:
    sums = importlib.import_module("bitjoule.experiments.energy.tables.sums")
except ModuleNotFoundError:  # before its module moved
    sums = importlib.import_module("bitjoule.experiments.energy.sums")
grid, times = grid_of(read_experiment(pathlib.Path(sys.argv[1], "e.yaml"))), []
for _ in range(2):
    begun = time.process_time()
    sums.summarise(grid)
    times.append(time.process_time() - begun)
print(json.dumps({"cases": len(grid), "cold_s": times[0], "warm_s": times[1]}))
"""


def measured(checkout: Path, script: str, new_tokens: str, *options: str) -> dict[str, Any]:
    """Return what a script prints that runs on a checkout."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        Path(folder, "e.yaml").write_text(SWEEP.replace("NEW", new_tokens))
        further = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        path = os.pathsep.join([str(checkout), *(entry for entry in further if entry != str(HERE))])
        done = subprocess.run(
            [sys.executable, "-c", script, folder, *options], env={**os.environ, "PYTHONPATH": path}, check=True,
            capture_output=True, text=True, cwd=folder,  # Python looks for modules where it runs first
        )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def rows_of(
    counts: Runs, writes: Runs, many_count: dict[str, Any] | None, many: dict[str, Any] | None
) -> list[tuple[str, str, float]]:
    """Return the rows of the table: what was measured, the side or the ratio of both, and the value.

    Parameters
    ----------
    counts, writes
        What the scripts printed, by side; empty if they did not run.
    many_count, many
        Of the larger sweep, of this side.
    """
    rows: list[tuple[str, str, float]] = []
    few = counts["this"][0]["cases"]

    def median(runs: list[dict[str, Any]], key: str) -> float:
        return float(statistics.median(run[key] for run in runs))

    def compared(what: str, runs: Runs, key: str, scale: float, large: dict[str, Any] | None, cases: int) -> None:
        old, new = (scale * median(runs[name], key) / few for name in SIDES)
        rows.extend([(f"{few} cases, {what}", name, value) for name, value in zip(SIDES, (old, new), strict=True)])
        rows.append((f"{few} cases, {what}", "ratio", old / new))
        if large is not None:
            rows.append((f"{cases} cases, {what}", "this", scale * large[key] / cases))

    cases = many_count["cases"] if many_count else 0
    compared("mappings searched, nothing written: µs a case", counts, "cold_s", 1e6, many_count, cases)
    compared("mappings known, nothing written: µs a case", counts, "warm_s", 1e6, many_count, cases)
    if writes["this"]:
        compared("every file written: ms a case", writes, "s", 1e3, many, cases)
        compared("bytes on disk: kB a case", writes, "mb", 1e3, many, cases)
        rows.extend((f"{few} cases, peak memory: MB", name, median(writes[name], "peak_mb")) for name in SIDES)
    if many is not None:
        rows.append((f"{cases} cases, peak memory: MB", "this", many["peak_mb"]))
    return rows


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--new-tokens", default=FEW, help="of the sweep that both sides run; default: %(default)s")
    parser.add_argument("--small", action="store_true", help="leave the sweep of 100 000 cases out")
    options = parser.parse_args()
    sides = dict(zip(SIDES, (options.other.resolve(), HERE), strict=True))
    counts: Runs = {name: [] for name in SIDES}
    writes: Runs = {name: [] for name in SIDES}
    for _ in range(options.rounds):
        for name, checkout in sides.items():
            counts[name].append(measured(checkout, COUNT, options.new_tokens))
            parquet = ["--results", "parquet"] if name == "this" else []
            writes[name].append(measured(checkout, WRITE, options.new_tokens, *parquet))
    many = (None, None) if options.small else (measured(HERE, COUNT, MANY), measured(HERE, WRITE, MANY))
    rows = rows_of(counts, writes, *many)
    both = {what for what, side, _ in rows if side != "this"}
    write(TABLE, "what", [row for row in rows if row[0] in both])
    if not options.small:
        write(LARGE, "what", [row for row in rows if row[0] not in both])
    for what, quantity, value in rows:
        print(f"{what}, {quantity}: {value:.4g}")


if __name__ == "__main__":
    main()
