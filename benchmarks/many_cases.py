"""Speed and memory of sweeps of whole requests, against another checkout of bitjoule, taken in turn.

Run: ``python benchmarks/many_cases.py OTHER_CHECKOUT [--rounds 3] [--small] [--million]``. The other side writes its
default, CSV; this side writes Parquet. Times are processor time of a process of its own, medians over the rounds: on a
machine that others use, too, they say more than the clock's. Replaces ``many_cases.csv``, unless ``--small`` also
``many_cases_large.csv``, and with ``--million`` (some minutes, some GB of memory) ``many_cases_million.csv``;
docs/performance.md shows them.
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
NAMES = ("many_cases", "many_cases_large", "many_cases_million")
TABLE, LARGE, MILLION = (Path(__file__).with_name(f"{name}.csv") for name in NAMES)
SIDES, PARQUET = ("other", "this"), ("--results", "parquet")
Runs = dict[str, list[dict[str, Any]]]
MEASURES = (  # what it is, the script that prints it, its name there, and its unit there in that of the table
    ("mappings searched, nothing written: µs a case", "count", "cold_s", 1e6),
    ("mappings known, nothing written: µs a case", "count", "warm_s", 1e6),
    ("every file written: µs a case", "write", "s", 1e6),
    ("bytes on disk: kB a case", "write", "mb", 1e3),
    ("peak memory: MB", "write", "peak_mb", 1.0),
)
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
FEW, MANY, MOST = "[1, 16, 128, 1024]", "{start: 1, stop: 43, step: 1}", "{start: 1, stop: 420, step: 1}"
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
try:
    from bitjoule.experiments.energy.grid import grid_of
    from bitjoule.experiments.energy.resolve import read_experiment
    try:
        sums = importlib.import_module("bitjoule.experiments.energy.tables.sums")
    except ModuleNotFoundError:  # before its module moved
        sums = importlib.import_module("bitjoule.experiments.energy.sums")
    summarise = sums.summarise
except ModuleNotFoundError:  # before each kind of experiment had a package
    import numpy as np
    from bitjoule.experiments import runner
    from bitjoule.experiments.grid import Grid as grid_of
    from bitjoule.experiments.reader import read_experiment
    def summarise(grid):
        memory = np.full((len(grid), len(runner.Bytes._fields)), np.nan)
        return runner._summary(grid, runner.Bands(grid), memory)
grid, times = grid_of(read_experiment(pathlib.Path(sys.argv[1], "e.yaml"))), []
for _ in range(2):
    begun = time.process_time()
    summarise(grid)
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
            stdout=subprocess.PIPE, text=True, cwd=folder,  # Python looks for modules where it runs first
        )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def commit_of(checkout: Path) -> str:
    """Return the commit of a checkout, in short."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def median(runs: list[dict[str, Any]], key: str) -> float:
    """Return the median of a value over the rounds."""
    return float(statistics.median(run[key] for run in runs))


def of_both(runs: dict[str, Runs], against: str) -> list[tuple[str, str, float]]:
    """Return the rows that compare both sides: what was measured, the side or the ratio of both, and the value.

    Parameters
    ----------
    runs
        What the scripts printed, by script and by side.
    against
        The other side.
    """
    cases = runs["count"]["this"][0]["cases"]
    rows: list[tuple[str, str, float]] = []
    for what, script, key, scale in MEASURES:
        old, new = (scale * median(runs[script][side], key) / (1 if key == "peak_mb" else cases) for side in SIDES)
        name = f"{cases} cases, against {against}, {what}"
        rows += [(name, "other", old), (name, "this", new), (name, "ratio", old / new)]
    return rows


def of_this(
    count: dict[str, Any], written: dict[str, Any], runs: dict[str, Runs], against: str
) -> list[tuple[str, str, float]]:
    """Return the rows of the larger sweep of this side; the ratio is to a case of the other side's smaller one.

    Parameters
    ----------
    count, written
        What the scripts printed.
    runs, against
        As for `of_both`.
    """
    few = runs["count"]["other"][0]["cases"]
    rows: list[tuple[str, str, float]] = []
    for what, script, key, scale in MEASURES:
        found = {"count": count, "write": written}[script]
        over, of_other = (1, 1) if key == "peak_mb" else (count["cases"], few)
        new, old = scale * found[key] / over, scale * median(runs[script]["other"], key) / of_other
        name = f"{count['cases']} cases, against {few} of {against}, {what}"
        rows += [(name, "this", new), (name, "ratio", old / new)]
    return rows


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--new-tokens", default=FEW, help="of the sweep that both sides run; default: %(default)s")
    parser.add_argument("--many", default=MANY, help="new tokens of the larger sweep; default: %(default)s")
    parser.add_argument("--most", default=MOST, help="new tokens of the largest sweep; default: %(default)s")
    parser.add_argument("--small", action="store_true", help="leave the sweep of 100 000 cases out")
    parser.add_argument("--million", action="store_true", help="count a million cases, too")
    options = parser.parse_args()
    sides = dict(zip(SIDES, (options.other.resolve(), HERE), strict=True))
    runs: dict[str, Runs] = {script: {name: [] for name in SIDES} for script in ("count", "write")}
    for _ in range(options.rounds):
        for name, checkout in sides.items():
            runs["count"][name].append(measured(checkout, COUNT, options.new_tokens))
            own = PARQUET if name == "this" else ()
            runs["write"][name].append(measured(checkout, WRITE, options.new_tokens, *own))
    against = commit_of(options.other)
    tables = {TABLE: of_both(runs, against)}
    if not options.small:
        count, written = measured(HERE, COUNT, options.many), measured(HERE, WRITE, options.many, *PARQUET)
        tables[LARGE] = of_this(count, written, runs, against)
    if options.million:
        count = measured(HERE, COUNT, options.most)
        name = f"{count['cases']} cases, mappings known, nothing written: s"
        tables[MILLION] = [(name, "this", count["warm_s"])]
    for path, rows in tables.items():
        path.unlink(missing_ok=True)  # rows of an earlier comparison
        write(path, "what", rows)
        for what, quantity, value in rows:
            print(f"{what}, {quantity}: {value:.4g}")


if __name__ == "__main__":
    main()
