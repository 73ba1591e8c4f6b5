"""What it costs to run a model: electricity, money and carbon dioxide of a million tokens, and of a request."""

import numpy as np
import pandas as pd

from bitjoule.experiments.energy.electricity import Costs
from bitjoule.experiments.output.columns import CASE_COLUMNS, COST_COLUMNS, COST_INPUTS, COSTS

J_PER_KWH = 3.6e6
MILLION = 1e6
ENDS = ("energy", "energy_low", "energy_high")


def cost_table(summary: pd.DataFrame, costs: Costs) -> pd.DataFrame:
    """Return what each row of a summary costs, columns `COST_COLUMNS`.

    The energy that a platform counts, times the PUE, is bought from the grid. A million tokens are prompt tokens in
    prefill, generated ones in decode, and both in a request; a request is one sequence of the batch.

    Parameters
    ----------
    summary
        A row for each case and phase.
    costs
        What energy costs.
    """
    combinations = np.array(costs.combinations)
    rows = np.repeat(np.arange(len(summary)), len(combinations))
    usd, gco2, pue = np.tile(combinations, (len(summary), 1)).T
    table: dict[str, object] = {name: summary[name].take(rows).array for name in CASE_COLUMNS}
    table |= dict(zip(COST_INPUTS, (usd, gco2, pue), strict=True))
    tokens = summary["energy_j"] / summary["energy_per_token_j"]
    for of, share in (("million_tokens", MILLION / tokens), ("request", 1 / summary["batch"])):
        for end in ENDS:
            kwh = (summary[f"{end}_j"] * share / J_PER_KWH).to_numpy()[rows] * pue
            for name, each in zip(COSTS, (1.0, usd, gco2), strict=True):
                table[f"{name}{end.removeprefix('energy')}_per_{of}"] = kwh * each
    return pd.DataFrame(table, columns=list(COST_COLUMNS))
