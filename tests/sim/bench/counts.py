"""How many matmuls and faults the tests of the bench hold.

``python -m tests.sim.bench.counts > benchmarks/verification.csv`` writes them again.

Counts what `tests/sim/bench` runs with ``pytest -m ''``; docs/verification.md and README.md quote it.
"""

import sys
from types import ModuleType

import pandas as pd

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.bench.cases import directed_cases, random_cases
from tests.sim.bench import (
    test_bench,
    test_digit_faults,
    test_faults,
    test_fused_faults,
    test_lookup_faults,
    test_scaled_faults,
)

FAULTS: dict[str, ModuleType] = {
    "adders": test_faults,
    "look-up tables": test_lookup_faults,
    "FP16 arrays": test_fused_faults,
    "scaled trits": test_scaled_faults,
    "integer arrays": test_digit_faults,
}


def kind(config: AcceleratorConfig) -> str:
    """Return the row of an array."""
    if config.weight_encoding == "fp16":
        return "FP16 arrays"
    if config.weight_encoding.startswith("int"):
        return "integer arrays"
    if config.activation_bits == 16:
        return "scaled trits"
    return "look-up tables" if config.datapath == "lookup_table" else "adders"


def counts() -> pd.DataFrame:
    """Return the counts, a row each."""
    rows = []
    for number, name in enumerate(sorted(test_bench.CONFIGURATIONS)):
        config = test_bench.CONFIGURATIONS[name]
        directed, random = directed_cases(config), random_cases(config, matmuls=test_bench.MATMULS, seed=number)
        rows.append(
            {
                "array": kind(config),
                "configurations": 1,
                "random matmuls": sum(len(case.shapes) for case in random),
                "directed cases": len(directed),
                "their matmuls": sum(len(case.shapes) for case in directed),
                "random cases without random stalls": sum(case.steady for case in random),
            }
        )
    table = pd.DataFrame(rows).groupby("array", sort=False).sum()
    table = table.loc[list(FAULTS)]
    table["faults"] = [len(module.FAULTS) for module in FAULTS.values()]
    table.loc["all"] = table.sum()
    return table.reset_index().melt("array", var_name="quantity")


if __name__ == "__main__":
    counts().to_csv(sys.stdout, index=False)
