"""What it costs to run a model: electricity, money and carbon dioxide of a million tokens, and of a request."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bitjoule.experiments.energy.electricity import Costs
from bitjoule.experiments.output.columns import CASE_COLUMNS, COST_COLUMNS, COST_INPUTS, COSTS

J_PER_KWH = 3.6e6
MILLION = 1e6
ENDS = ("", "_low", "_high")


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
    tokens = summary["energy_j"] / summary["energy_per_token_j"]
    energies = {
        f"{end}_per_{of}": summary[f"energy{end}_j"] * share
        for of, share in (("million_tokens", MILLION / tokens), ("request", 1 / summary["batch"]))
        for end in ENDS
    }
    return in_costs(summary[list(CASE_COLUMNS)], energies, costs)[list(COST_COLUMNS)]


def in_costs(keys: pd.DataFrame, energies: Mapping[str, "pd.Series[float]"], costs: Costs) -> pd.DataFrame:
    """Return what energies cost: a row for each row of the keys and combination of inputs.

    Parameters
    ----------
    keys
        Columns that tell rows apart.
    energies
        J of each row, by what follows the name of a cost in the name of a column, ``_low_per_request``.
    costs
        What energy costs.
    """
    combinations = np.array(costs.combinations)
    rows = np.repeat(np.arange(len(keys)), len(combinations))
    usd, gco2, pue = np.tile(combinations, (len(keys), 1)).T
    table: dict[str, object] = {str(name): keys[name].take(rows).array for name in keys}
    table |= dict(zip(COST_INPUTS, (usd, gco2, pue), strict=True))
    for suffix, joules in energies.items():
        kwh = (joules / J_PER_KWH).to_numpy()[rows] * pue
        table |= {f"{name}{suffix}": kwh * each for name, each in zip(COSTS, (1.0, usd, gco2), strict=True)}
    return pd.DataFrame(table)
