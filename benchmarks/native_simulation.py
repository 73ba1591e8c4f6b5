"""How fast the compiled accelerator runs, against another checkout of bitjoule, taken in turn.

Run: ``python benchmarks/native_simulation.py OTHER_CHECKOUT [--rounds 3]``. Both sides run the same matmuls in turn,
in a process of its own each, with one instance of the hardware. Times are processor time, medians over the rounds: on a
machine that others use, too, they say more than the clock's. Results and cycles of both must be equal. Of the
layers of a token some are run, and their times multiplied. Rows of ``native_simulation.csv`` are replaced;
docs/performance.md shows them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from long_table import write

HERE = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_suffix(".csv")
SIDES = ("other", "this")
LAYERS, RUN = 30, 3  # of BitNet b1.58 2B4T, all alike, and how many of them run; the linears of one follow
LAYER = ((2560, 2560), (2560, 640), (2560, 640), (2560, 2560), (2560, 6912), (2560, 6912), (6912, 2560))
# What is measured: the configuration, its matmuls M x K x N, and how often.
WORK = {
    "prefill, 64 x 2560 x 640 on edge_64x16": ("edge_64x16", [(64, 2560, 640)], 1),
    "decode, 1 x 2560 x 2560 on edge_64x16": ("edge_64x16", [(1, 2560, 2560)], 1),
    "decode, 1 x 2560 x 2560 on simulate_64x16": ("simulate_64x16", [(1, 2560, 2560)], 1),
}
TOKEN = ("simulate_64x16", [(1, k, n) for k, n in LAYER], RUN)
WORKER = """\
import hashlib, json, resource, sys, time
import numpy as np
try:
    from bitjoule.sim.accelerator.configurations import read_configuration
    from bitjoule.sim.accelerator.verilated import Verilated
except ModuleNotFoundError:  # before the modules moved
    from bitjoule.sim.configurations import read_configuration
    from bitjoule.sim.verilated import Verilated

def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

machines = {}
for line in sys.stdin:
    name, shapes, times = json.loads(line)
    before_s = children_s()
    machine = machines.setdefault(name, None) or Verilated(read_configuration(name), 1)
    machines[name] = machine
    told = {"build_s": children_s() - before_s, "pack_s": 0.0, "run_s": 0.0, "cycles": 0}
    digest, random = hashlib.sha256(), np.random.default_rng(1)
    given = [
        (random.integers(-128, 128, (m, k), dtype=np.int8), random.integers(-1, 2, (k, n), dtype=np.int8))
        for m, k, n in shapes
    ]
    machine.matmul(*given[0])  # the first use of an instance
    for _ in range(times):
        for x, w in given:
            begun_s = time.process_time()
            packed = machine.pack(w)
            packed_s = time.process_time()
            outcome = machine.matmul(x, packed)
            told["run_s"] += time.process_time() - packed_s
            told["pack_s"] += packed_s - begun_s
            told["cycles"] += outcome.cycles
            digest.update(outcome.results.tobytes())
    told["results"] = digest.hexdigest()
    print(json.dumps(told), flush=True)
"""
Told = dict[str, Any]


class Side:
    """A process on one checkout.

    Parameters
    ----------
    checkout
        Its folder.
    """

    def __init__(self, checkout: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-c", WORKER], env={**os.environ, "PYTHONPATH": str(checkout)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/",  # Python looks for modules where it runs first
        )  # fmt: skip

    def measure(self, work: tuple[str, list[tuple[int, int, int]], int]) -> Told:
        """Return what the process measured of some work."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(work) + "\n")
        self._process.stdin.flush()
        told: Told = json.loads(self._process.stdout.readline())
        return told


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sides = {name: Side(path) for name, path in zip(SIDES, (options.other.resolve(), HERE), strict=True)}
    rows: list[tuple[str, str, float]] = []

    def compared(what: str, values: dict[str, float], more_is_better: bool) -> None:
        gain = values["this"] / values["other"] if more_is_better else values["other"] / values["this"]
        rows.extend((what, quantity, value) for quantity, value in (*values.items(), ("ratio", gain)))
        print(f"{what}: {values['other']:.4g}, {values['this']:.4g}, ratio {gain:.4g}", flush=True)

    token = f"a token of 2B4T on {TOKEN[0]}"
    for what, work in {**WORK, token: TOKEN}.items():
        told: dict[str, list[Told]] = {name: [] for name in SIDES}
        for _ in range(options.rounds):
            for name, side in sides.items():
                told[name].append(side.measure(work))
        assert len({(one["cycles"], one["results"]) for every in told.values() for one in every}) == 1
        run_s = {name: statistics.median(one["run_s"] for one in told[name]) for name in SIDES}
        pack_s = {name: statistics.median(one["pack_s"] for one in told[name]) for name in SIDES}
        if what == token:
            scale = LAYERS / RUN
            compared(f"{token}: s", {name: scale * run_s[name] for name in SIDES}, more_is_better=False)
            packed_s = {name: scale * (run_s[name] + pack_s[name]) for name in SIDES}
            compared(f"{token}, with packing: s", packed_s, more_is_better=False)
            continue
        cycles = told["this"][0]["cycles"]
        trits = sum(m * k * n for m, k, n in work[1]) * work[2]
        compared(f"{what}: k cycles/s", {name: cycles / s / 1e3 for name, s in run_s.items()}, more_is_better=True)
        compared(f"{what}: G trits/s", {name: trits / s / 1e9 for name, s in run_s.items()}, more_is_better=True)
    write(TABLE, "what", rows)


if __name__ == "__main__":
    main()
