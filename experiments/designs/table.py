"""Published designs beside predictions."""

import pandas as pd

from bitjoule.energy_models.machines.designs import NODES, predicted
from bitjoule.energy_models.machines.errors import relative_error
from bitjoule.experiments.designs.schema import DesignsInput


def designs_table(resolved: DesignsInput) -> pd.DataFrame:
    """Return a row for each published design and phase.

    Parameters
    ----------
    resolved
        The experiment.

    Returns
    -------
    DataFrame
        Design and case; tokens per second and joules per token as printed and as predicted, the relative errors; joules
        at the nodes of the tables; what is metered; which values of the platform are inputs; source and remarks.
    """
    rows = []
    for found in predicted(resolved.experiment.designs):
        cells = found.cells
        rows.append(
            {
                "experiment": resolved.experiment.name,
                **{key: cells[key] for key in ("design", "platform", "model", "scheme", "phase")},
                "prompt_tokens": int(cells["prompt_tokens"]),
                "printed_tokens_per_s": found.printed_tokens_per_s, "tokens_per_s": found.tokens_per_s,
                "error_tokens_per_s": relative_error(found.tokens_per_s, found.printed_tokens_per_s),
                "printed_j_per_token": found.printed_j_per_token, "j_per_token": found.j_per_token,
                "error_j_per_token": relative_error(found.j_per_token, found.printed_j_per_token),
                **{f"j_per_token_{node}": found.at_nodes[node] for node in NODES},
                "process_nm": float(cells["process_nm"]), "metered": cells["scope"],
                **{key: cells[key] for key in ("inputs", "source", "where", "note")},
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
