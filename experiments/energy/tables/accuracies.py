"""Published scores beside the energy that the same scheme takes, and which of them no other beats in both."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.papers.accuracies import accuracies
from bitjoule.experiments.output.columns import WORKLOAD_AXES

CASE = ("model", "technology", "platform", "phase", *WORKLOAD_AXES)
ACCURACY_COLUMNS = (
    *CASE, "scheme", "energy_per_token_j", "benchmark", "score", "printed", "falls", "pareto", "source", "where",
    "note",
)  # fmt: skip


def accuracy_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each case, phase and benchmark with a published score.

    Parameters
    ----------
    summary
        Of a run.

    Returns
    -------
    DataFrame
        Columns `ACCURACY_COLUMNS`. `pareto`: whether no other scheme of the same case and benchmark takes as little
        energy and scores as well, and is better in one of them.
    """
    columns = ["benchmark", "model", "scheme", "score", "printed", "source", "where", "note"]
    scores = pd.DataFrame([(*entry, entry.falls) for entry in accuracies()], columns=[*columns, "falls"])
    cases = summary[[*CASE, "scheme", "energy_per_token_j"]].astype({"model": str, "scheme": str})
    table = cases.merge(scores, on=["model", "scheme"], how="inner")
    table["pareto"] = False
    for _, group in table.groupby([*CASE, "benchmark"], sort=False, observed=True):
        signed = group["score"] * np.where(group["falls"], -1, 1)
        table.loc[group.index, "pareto"] = pareto(group["energy_per_token_j"].tolist(), signed.tolist())
    return table[list(ACCURACY_COLUMNS)]


def pareto(energies: Sequence[float], scores: Sequence[float]) -> NDArray[np.bool_]:
    """Return which points no other is better than: in energy or score, and no worse in the other.

    Parameters
    ----------
    energies, scores
        Of each point; less energy and a higher score are better.
    """
    energy, score = np.array(energies), np.array(scores)
    no_worse = (energy[:, None] <= energy) & (score[:, None] >= score)  # the first index beats the second
    better = (energy[:, None] < energy) | (score[:, None] > score)
    return np.asarray(~(no_worse & better).any(axis=0), dtype=np.bool_)
