"""Published scores over the energy of a token, as a table of the summary."""

import numpy as np
import pandas as pd

from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import AccuracyPlot
from bitjoule.reports.energy.workloads import in_phase
from bitjoule.reports.figures.digits import column_prefix, significant
from bitjoule.reports.figures.markdown import cut, differing, markdown

KEYS = ("model", "technology", "platform", "phase", "batch", "prompt_tokens", "new_tokens")
TEXT = ("model", "technology", "platform", "phase")
MARK = " ◆"
EXPLAINED = "no other scheme takes less energy and scores better"


def accuracy_text(frames: Frames, max_rows: int) -> str:
    """Return published scores beside energies, with a row for each case of the phases that pictures show.

    Parameters
    ----------
    frames
        Of a run.
    max_rows
        Rows shown.
    """
    table = frames.plots.accuracies
    if table.empty:
        return ""
    plots = [plot for plot in frames.requested if isinstance(plot, AccuracyPlot)]
    phases = np.any([in_phase(table, plot.phase) for plot in plots], axis=0)
    shown = pd.DataFrame(table[phases])
    keys = differing(shown, KEYS, always=())
    benchmarks = list(dict.fromkeys(shown["benchmark"]))
    factor, unit = column_prefix(shown["energy_per_token_j"].tolist())
    rows = []
    for _, group in shown.groupby([*KEYS, "scheme"], sort=False, observed=True):
        first = group.iloc[0]
        printed = zip(group["benchmark"], group["printed"], group["pareto"], strict=True)
        scores = {benchmark: score + MARK * pareto for benchmark, score, pareto in printed}
        case = [*(str(first[key]) for key in keys), first["scheme"]]
        energy = significant(first["energy_per_token_j"] / factor)
        rows.append([*case, energy, *(scores.get(benchmark, "") for benchmark in benchmarks)])
    headers = [*keys, "scheme", f"{unit}J per token", *benchmarks]
    aligned = [i for i, key in enumerate(keys) if key in TEXT] + [len(keys)]
    title = f"## Published accuracy\n\nScores as printed;{MARK}: {EXPLAINED} (Pareto set)."
    return f"{title}\n\n{markdown(headers, rows[:max_rows], aligned)}{cut(len(rows), max_rows, 'accuracies.csv')}"
