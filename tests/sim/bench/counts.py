"""What the tests of the bench, of coverage and of proofs hold, by kind of array.

``python -m tests.sim.bench.counts > benchmarks/verification.csv`` writes it again.

Counts what runs with ``pytest -m ''``; docs/verification.md and README.md quote it.
"""

import sys

import pandas as pd

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.bench.cases import directed_cases, random_cases
from tests.rtl.claims import small
from tests.rtl.test_formal import ACCELERATORS
from tests.sim.bench import (
    test_bench,
    test_coverage,
    test_digit_faults,
    test_faults,
    test_float_faults,
    test_fused_faults,
    test_lookup_faults,
    test_scaled_faults,
)
from tests.sim.bench.coverage import configuration

# What each fault is put into, as often as there are faults.
FAULTY: list[AcceleratorConfig] = [
    *(test_digit_faults.CONFIGS[kind] for kind, _ in test_digit_faults.CASES.values()),
    *(
        module.CONFIG
        for module in (test_faults, test_lookup_faults, test_fused_faults, test_float_faults, test_scaled_faults)
        for _ in module.FAULTS
    ),
]


def kind(config: AcceleratorConfig) -> str:
    """Return the kind of an array."""
    if config.weight_encoding == "fp16":
        return "FP16, rounding tree" if config.rounding_tree else "FP16, fused"
    if config.multiplies:
        return config.weight_encoding.upper() + ", activations recoded" * (config.datapath == "activation_digits")
    if config.scaled:
        return "scaled trits"
    return "look-up tables" if config.datapath == "lookup_table" else "adders"


def _row(config: AcceleratorConfig, **counts: int) -> dict[str, object]:
    return {"array": kind(config), **counts}


def counts() -> pd.DataFrame:
    """Return the counts, a row each."""
    rows = []
    for number, name in enumerate(sorted(test_bench.CONFIGURATIONS)):
        config = test_bench.CONFIGURATIONS[name]
        directed, random = directed_cases(config), random_cases(config, matmuls=test_bench.MATMULS, seed=number)
        rows.append(
            _row(
                config,
                **{
                    "configurations": 1,
                    "not shipped": int(name not in test_bench.SHIPPED),
                    "random matmuls": sum(len(case.shapes) for case in random),
                    "directed cases": len(directed),
                    "their matmuls": sum(len(case.shapes) for case in directed),
                    "random cases without random stalls": sum(case.steady for case in random),
                },
            )
        )
    rows += [_row(configuration(name), coverage=1) for name in test_coverage.MEASURED]
    rows += [_row(config, faults=1) for config in FAULTY]
    rows += [_row(small(**values), proofs=1) for values in ACCELERATORS.values()]
    table = pd.DataFrame(rows).fillna(0).groupby("array").sum()
    table.loc["all"] = table.sum()
    return table.astype(int).reset_index().melt("array", var_name="quantity")


if __name__ == "__main__":
    counts().to_csv(sys.stdout, index=False)
