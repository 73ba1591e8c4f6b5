"""What it costs to serve: electricity, money and carbon dioxide of a million tokens, and of a request."""

import pandas as pd

from bitjoule.experiments.energy.electricity import Costs
from bitjoule.experiments.energy.tables.costs import ENDS, MILLION, in_costs

OF = ("million_generated_tokens", "million_prompt_tokens", "request")


def cost_table(summary: pd.DataFrame, steady: pd.DataFrame, keys: list[str], costs: Costs) -> pd.DataFrame:
    """Return what each way costs; ways with continuous batching in their steady state.

    A generated token of these has its share of prefill and of the time in which the server waits, and a million prompt
    tokens cost nothing of their own. A request is one sequence.

    Parameters
    ----------
    summary, steady
        From `bitjoule.experiments.serving.run`.
    keys
        Columns that both begin with.
    costs
        What energy costs.
    """
    tables = []
    alone = summary[~summary["continuous"]]
    if not alone.empty:
        energies = {}
        for end in ENDS:
            columns = (f"energy_per_generated_token{end}_j", f"energy_per_prompt_token{end}_j", f"request{end}_j")
            for of, column in zip(OF, columns, strict=True):
                energies[f"{end}_per_{of}"] = alone[column] / alone["batch"] if of == OF[2] else alone[column] * MILLION
        tables.append(in_costs(alone[keys], energies, costs))
    if not steady.empty:
        energies = {}
        for end in ENDS:
            joules = steady[f"energy_per_token{end}_j"]
            energies |= {
                f"{end}_per_{OF[0]}": joules * MILLION,
                f"{end}_per_{OF[2]}": joules * steady["mean_new_tokens"],
            }
        tables.append(in_costs(steady[keys], energies, costs))
    return pd.concat(tables, ignore_index=True)
