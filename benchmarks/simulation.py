"""How fast the bench simulates the accelerator: ``python benchmarks/simulation.py [CONFIGURATION...]``.

Cycles per second with the whole bench (drivers, sink, comparison), medians of three runs: the corners and random
matmuls that ``bitjoule rtl verify`` runs, and one long prefill, in which something happens in every cycle.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.cases import Case, directed_cases, random_cases
from bitjoule.sim.bench.verification import Hardware

RUNS = 3


def main() -> None:
    """Print a table."""
    rows = []
    for name in sys.argv[1:] or ["edge_64x16", "decode_64x5", "tiny_8x4"]:
        config = read_configuration(name)
        k = min(config.max_k, 16 * config.lanes)
        plans = {
            "corners and random": [*directed_cases(config), *random_cases(config, 300, seed=1)],
            "prefill": [Case("prefill", (MatmulShape(config.tokens, k, 40 * config.columns),) * 4)],
        }
        for optimise in ("-O1", "-O3"):
            with tempfile.TemporaryDirectory() as folder:
                begin_s = time.perf_counter()
                hardware = Hardware(config, Path(folder), optimise=optimise)
                build_s = time.perf_counter() - begin_s
                for plan, cases in plans.items():
                    reports = [hardware.verify(cases) for _ in range(RUNS)]
                    assert not any(report.failure for report in reports)
                    rate = statistics.median(report.cycles_per_s for report in reports)
                    trits = rate * config.lanes * config.columns
                    rows.append((name, optimise, plan, reports[0].cycles, rate / 1e3, trits / 1e6, build_s))
    headers = ("configuration", "C++", "plan", "cycles", "k cycles/s", "M trits/s at most", "build s")
    print(tabulate(rows, headers, tablefmt="github", floatfmt=".1f"))


if __name__ == "__main__":
    main()
