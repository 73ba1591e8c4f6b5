"""The Markdown tables of a result: energies and ratios, and ours beside the printed numbers."""

from collections.abc import Sequence
from itertools import takewhile

import numpy as np
import pandas as pd
from tabulate import tabulate

from bitjoule.energy_models.published import decimals_of
from bitjoule.experiments.result import Result
from bitjoule.experiments.schema import swept
from bitjoule.reports.digits import parameters, prefix, significant

MAX_ROWS = 200
WIDE = 1e4  # beyond this quotient of largest and smallest energy the middle one chooses the unit
ROW_KEYS = ("model", "parameters", "technology", "platform", "phase", "batch", "prompt_tokens", "new_tokens")
HEADERS = {"prompt_tokens": "prompt (tokens)", "new_tokens": "new (tokens)", "batch": "batch (sequences)"}
QUANTITIES = {"energy_j": "{action}energy (J)", "ratio_to_baseline": "ratio to baseline"}
COUNTED = {
    "arithmetic": (
        "Counted as the papers count: the multiplications and additions of the linear layers and of attention. Memory, "
        "embedding, LM head, softmax, norms and leakage are not in these joules."
    ),
    "mac": (
        "Counted: one multiplication and one addition for every multiply-accumulate of the linear layers and of "
        "attention, the addition alone for ±1 and ternary weights. Nothing else is in these joules."
    ),
}


def summary_markdown(result: Result, max_rows: int = MAX_ROWS) -> str:
    """Return the whole summary as Markdown.

    Parameters
    ----------
    result
        A run.
    max_rows
        Rows shown of each table; the CSV files hold all.
    """
    experiment = result.resolved.experiment
    parts = [f"# {experiment.name}", experiment.description, COUNTED[experiment.accounting], workload_line(result)]
    parts.append(energy_table(result, max_rows))
    if experiment.published is not None:
        parts.append(comparison_table(result.comparison, max_rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def energy_table(result: Result, max_rows: int = MAX_ROWS) -> str:
    """Return a table with a row for each model, technology and workload, and a column for each scheme.

    Parameters
    ----------
    result
        A run.
    max_rows
        Rows shown.
    """
    summary = result.summary
    varied = [key for key in ROW_KEYS if (summary[key] != summary[key].iloc[0]).any()]
    keys = [key for key in ROW_KEYS if key in ("model", "parameters", "technology", *varied)]
    models, schemes = len(result.resolved.models), list(result.resolved.schemes)
    # cases run over models, schemes, then the rest: put the schemes side by side
    order = np.arange(len(summary)).reshape(models, len(schemes), -1).transpose(0, 2, 1).reshape(-1, len(schemes))
    largest = float(summary["energy_j"].max())
    spread = largest / float(summary["energy_j"].min())
    factor, unit = prefix(largest if spread < WIDE else float(summary["energy_j"].median()))
    ratio = summary["ratio_to_baseline"].to_numpy()[order]
    compared = [i for i in range(len(schemes)) if not np.isnan(ratio[:, i]).any() and not np.allclose(ratio[:, i], 1)]
    headers = [HEADERS.get(key, key) for key in keys]
    headers += [f"{scheme} ({unit}J)" for scheme in schemes]
    baseline = result.resolved.experiment.baseline
    headers += [f"{baseline.name} / {schemes[i]}" for i in compared] if baseline is not None else []
    energy = summary["energy_j"].to_numpy()[order]
    rows = []
    for row, case in enumerate(summary[keys].iloc[order[:max_rows, 0]].to_dict("records")):
        cells = [parameters(value) if key == "parameters" else str(value) for key, value in case.items()]
        cells += [significant(value / factor) for value in energy[row]]
        cells += [significant(ratio[row, i]) for i in compared]
        rows.append(cells)
    table = _markdown(headers, rows, text=[i for i, key in enumerate(keys) if key in ("model", "technology", "phase")])
    return table + _cut(len(order), max_rows, "summary.csv")


def workload_line(result: Result) -> str:
    """Return one sentence on what was run: tokens, batch, baseline.

    Parameters
    ----------
    result
        A run.
    """
    workload = result.resolved.experiment.workload
    parts = []
    if workload is not None:
        named = (
            ("prompt tokens", workload.prompt_tokens),
            ("new tokens", workload.new_tokens),
            ("batch", workload.batch),
        )
        for name, value in named:
            values = swept(value)
            text = str(values[0]) if len(values) == 1 else f"{len(values)} values from {min(values)} to {max(values)}"
            parts.append(f"{name}: {text}")
    baseline = result.resolved.experiment.baseline
    if baseline is not None:
        parts.append(f"baseline: {baseline.name}")
    return f"Run with {'; '.join(parts)}." if parts else ""


def comparison_table(comparison: pd.DataFrame, max_rows: int = MAX_ROWS) -> str:
    """Return ours beside the printed numbers, how many agree, and what is known of those that do not.

    Parameters
    ----------
    comparison
        See `bitjoule.experiments.comparison.compare`.
    max_rows
        Rows shown.
    """
    title = "## Against the printed numbers"
    if comparison.empty:
        return f"{title}\n\nNone of the cases that were run has a printed number."
    rows: list[list[str]] = []
    differing: list[str] = []
    for cell in comparison.to_dict("records"):
        ours = f"{cell['ours']:.{decimals_of(cell['printed']) + 2}f}"
        quantity = QUANTITIES[cell["quantity"]].format(action=f"{cell['action']} " if cell["action"] else "")
        case = [cell["model"], cell["scheme"], cell["technology"], quantity]
        agrees = "yes" if cell["agrees"] else "**no**"
        rows.append([*case, cell["printed"], ours, f"{100 * cell['relative_error']:+.2f}", agrees])
        if not cell["agrees"]:
            why = f": {cell['note']}" if cell["note"] else ""
            differing.append(f"- {', '.join(case)}: printed {cell['printed']}, ours {ours}{why}.")
    headers = ["model", "scheme", "technology", "quantity", "printed", "ours", "relative error (%)", "agrees"]
    parts = zip(*(where.split(", ") for where in comparison["where"]), strict=False)
    place = ", ".join(part[0] for part in takewhile(lambda part: len(set(part)) == 1, parts))
    table = _markdown(headers, rows[:max_rows], text=[0, 1, 2, 3, 7]) + _cut(len(rows), max_rows, "published.csv")
    agree = int(comparison["agrees"].sum())
    counted = f"{agree} of {len(comparison)} agree at the printed precision ({comparison['source'].iloc[0]}, {place})."
    return "\n\n".join([title, table, "\n".join([counted, *([""] if differing else []), *differing])])


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[int]) -> str:
    align = ["left" if i in text else "right" for i in range(len(headers))]
    return tabulate(rows, headers, tablefmt="pipe", disable_numparse=True, colalign=align if rows else None)


def _cut(rows: int, max_rows: int, file: str) -> str:
    return f"\n\nThe first {max_rows} of {rows} rows; all are in {file}." if rows > max_rows else ""
