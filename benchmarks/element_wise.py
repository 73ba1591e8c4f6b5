"""What whole models take with element-wise work in units of a BitLinear, and as the operations that are assumed.

Run: ``python benchmarks/element_wise.py [FILE]`` (a minute), then ``make docs-numbers``. Writes element_wise.csv: of
the experiments `headline` (Llama-3 8B and BitNet 2B4T at a context of 4096 tokens and 0.1 W) and `full_model_measured`
(6.7B at both nodes), energies per token of each phase and gains of ternary weights, with the key ``elementwise`` of all
platforms at its default and at ``operations``, in which every number is what it was before the units had prices; and of
all cases of these models the largest change of the energy in each format.
"""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from bitjoule.energy_models.architecture.components import names
from bitjoule.experiments.energy.resolve import resolve
from bitjoule.experiments.energy.result import Result
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.uncertainty.assumptions import Alternative, changed_experiment
from bitjoule.experiments.files import open_experiment

CASES: dict[str, dict[str, Any]] = {
    "headline": {"models": ["bitnet-b1.58-2b-4t", "llama-3-8b"], "plots": []},
    "full_model_measured": {
        "models": ["bitnet-6.7b"],
        "technologies": ["45nm-measured", "7nm-measured"],
        "plots": [],
    },
}
CONTEXT = {"headline": 4096, "full_model_measured": 512}
PLATFORM = {"headline": "static-0.1w", "full_model_measured": "same-area"}
TERNARY, RIVALS = "bitnet-b1.58", {"fp16": "FP16", "int8": "INT8", "w4a8": "INT4"}
KEYS = ["model", "technology", "phase"]
OPERATIONS = Alternative.model_validate({"platform": {"elementwise": {"value": "operations"}}})


def columns(result: Result, platform: str, context: int) -> pd.DataFrame:
    """Return J per token of ternary weights, the share of element-wise work, and gains; a row for each case.

    Parameters
    ----------
    result
        Of an experiment.
    platform, context
        Those that are shown.
    """
    summary = result.summary
    shown = (summary["platform"] == platform) & (summary["prompt_tokens"] == context)
    summary = summary[shown & (summary["phase"] != "request")]
    joules = summary.pivot_table("energy_j", KEYS, "scheme", observed=True)
    own = summary[summary["scheme"] == TERNARY].set_index(KEYS)
    long = result.results
    own_rows = (long["platform"] == platform) & (long["prompt_tokens"] == context) & (long["scheme"] == TERNARY)
    long = long[own_rows & long["component"].isin(names(hue="element-wise"))]
    found = pd.DataFrame({"J per token": own["energy_per_token_j"]})
    found["element-wise share"] = long.groupby(KEYS, observed=True)["energy_pj"].sum() * 1e-12 / own["energy_j"]
    for scheme, name in RIVALS.items():
        if scheme in joules:
            found[f"gain, {name}"] = joules[scheme] / joules[TERNARY]
    return found


def main(file: Path) -> None:
    """Run and write the table."""
    rows = []
    for name, overrides in CASES.items():
        resolved = resolve(open_experiment(name, overrides))
        results = {"units": run(resolved), "operations": run(changed_experiment(resolved, OPERATIONS, None))}
        for paid, result in results.items():
            for case, values in columns(result, PLATFORM[name], CONTEXT[name]).iterrows():
                rows += [(name, *case, paid, column, value) for column, value in values.items()]  # type: ignore[misc]
        units, operations = (result.summary for result in results.values())
        change = (units["energy_j"] / operations["energy_j"] - 1).abs()
        largest = change.groupby(units["scheme"], sort=False).max()
        every = (name, *["all"] * len(KEYS), "units")
        rows += [(*every, f"largest change, {scheme}", value) for scheme, value in largest.items()]
    table = pd.DataFrame(rows, columns=["experiment", *KEYS, "paid", "quantity", "value"])
    table.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".csv"))
