"""Speed and memory of sweeps of whole requests, against another checkout of bitjoule, taken in turn.

Run: ``python benchmarks/many_cases.py OTHER_CHECKOUT [ROUNDS]``. The other side writes CSV, which is all that it can;
this side writes Parquet. Times are processor time of a process of its own, medians over the rounds: on a machine that
others use, too, they say more than the clock's. Prints Markdown; docs/performance.md quotes it.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
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


def main(other: Path, rounds: int) -> None:
    """Measure and print."""
    sides = {"other": other, "this": HERE}
    counts: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    writes: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, checkout in sides.items():
            counts[name].append(measured(checkout, COUNT, FEW))
            writes[name].append(measured(checkout, WRITE, FEW, *(["--results", "parquet"] if name == "this" else [])))
    many_count, many = measured(HERE, COUNT, MANY), measured(HERE, WRITE, MANY)
    few, all_cases = counts["this"][0]["cases"], many_count["cases"]

    def median(rows: list[dict[str, Any]], key: str) -> float:
        return float(statistics.median(row[key] for row in rows))

    print("| what | other | this | ratio |\n|---|---:|---:|---:|")
    for key, label in (("cold_s", "mappings searched"), ("warm_s", "mappings known")):
        old, new = (1e6 * median(counts[name], key) / few for name in sides)
        print(f"| {few:,} cases, {label}, nothing written: us a case | {old:.0f} | {new:.0f} | {old / new:.1f} |")
    for key, label, scale in (("s", "every file written: ms a case", 1e3), ("mb", "bytes on disk: kB a case", 1e3)):
        old, new = (scale * median(writes[name], key) / few for name in sides)
        print(f"| {few:,} cases, {label} | {old:.2f} | {new:.2f} | {old / new:.1f} |")
        new = scale * many[key] / all_cases
        print(f"| {all_cases:,} cases, {label} | {old:.2f} (of {few:,}) | {new:.2f} | {old / new:.1f} |")
    peak_mb = median(writes["other"], "peak_mb")
    print(f"| {all_cases:,} cases, peak MB, goal 500 | {peak_mb:.0f} (of {few:,}) | {many['peak_mb']:.0f} | |")
    warm_us = 1e6 * many_count["warm_s"] / all_cases
    print(f"| {all_cases:,} cases, mappings known, nothing written: us a case | | {warm_us:.1f} | |")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
