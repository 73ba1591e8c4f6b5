"""The Markdown tables of a result: energies and ratios, and ours beside the printed numbers."""

from itertools import takewhile

import numpy as np
import pandas as pd

from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.papers.published import decimals_of
from bitjoule.experiments.energy.frames import Frames
from bitjoule.reports.energy.accuracies import accuracy_text
from bitjoule.reports.energy.arrays import arrays_table
from bitjoule.reports.energy.costs import costs_text
from bitjoule.reports.energy.dram import dram_text
from bitjoule.reports.energy.lead import agreement, headline, token_table
from bitjoule.reports.energy.machines import bands_text, machines_line, memory_table, overhead_line, time_table
from bitjoule.reports.energy.own_amounts import own_amounts_text
from bitjoule.reports.energy.own_prices import own_prices_text
from bitjoule.reports.energy.phases import phases_text
from bitjoule.reports.energy.sensitivity import sensitivity_text
from bitjoule.reports.energy.workloads import axis_names, unit_of
from bitjoule.reports.figures.digits import column_prefix, parameters, significant
from bitjoule.reports.figures.markdown import MAX_ROWS, cut, differing, markdown, side_by_side

ROW_KEYS = ("model", "parameters", "technology", "platform", "phase", "batch", "prompt_tokens", "new_tokens")
TEXT = ("model", "technology", "platform", "phase")
QUANTITIES = {
    "energy_j": "{action}energy (J)",
    "ratio_to_baseline": "ratio to baseline",
    "memory_gb": "memory (GB)",
    "memory_ratio": "memory, FP16 over this",
}
COUNTED = {
    "arithmetic": (
        "Counted as in the papers: the multiplications and additions of the linear layers and of attention. Memory, "
        "embedding, LM head, softmax, norms and leakage are excluded."
    ),
    "system": (
        "Counted: the whole request on a machine. Every matrix product with each operand's traffic between registers, "
        "buffers and off-chip memory, KV cache, embedding, LM head, norms, softmax, quantisation, and leakage over the "
        "latency."
    ),
    "mac": (
        "Counted: one multiplication and one addition for every multiply-accumulate of the linear layers and of "
        "attention, the addition alone for ±1 and ternary weights. Everything else is excluded."
    ),
}


def _counted(frames: Frames) -> str:
    """Return what the experiment counts."""
    static = frames.machines["static"]
    flows = "leakage" if not static.any() else "static power" if static.all() else "leakage or static power"
    return COUNTED[frames.accounting].replace("leakage over", f"{flows} over")


def summary_markdown(frames: Frames, max_rows: int = MAX_ROWS) -> str:
    """Return the whole summary as Markdown.

    Parameters
    ----------
    frames
        Of a run.
    max_rows
        Rows shown of each table; the CSV files hold all.
    """
    system = frames.accounting is Accounting.SYSTEM
    parts = [f"# {frames.name}", frames.description, f"{headline(frames)}."]
    parts += [token_table(frames, max_rows), phases_text(frames)] if system else []
    parts += [_counted(frames), workload_line(frames), energy_table(frames, max_rows), unmeasured_line(frames)]
    parts += [element_wise_line(frames)]
    parts += [own_amounts_text(frames, max_rows), own_prices_text(frames, max_rows)]
    if system:
        parts += [
            machines_line(frames),
            arrays_table(frames),
            time_table(frames, max_rows),
            costs_text(frames, max_rows),
            dram_text(frames, max_rows),
            bands_text(frames),
            sensitivity_text(frames),
            memory_table(frames, max_rows),
        ]
    parts.append(accuracy_text(frames, max_rows))
    if frames.compared:
        parts += [comparison_table(frames.comparison, max_rows), overhead_line(frames)]
    return "\n\n".join(part for part in parts if part) + "\n"


def energy_table(frames: Frames, max_rows: int = MAX_ROWS) -> str:
    """Return a table with a row for each model, technology and workload, and a column for each scheme.

    Parameters
    ----------
    frames
        Of a run.
    max_rows
        Rows shown.
    """
    summary = frames.summary
    keys = differing(summary, ROW_KEYS, always=("model", "parameters", "technology"))
    models, schemes = len(frames.models), list(frames.schemes)
    order = side_by_side(summary, models, len(schemes))
    factor, unit = column_prefix(summary["energy_j"].tolist())
    ratio = summary["ratio_to_baseline"].to_numpy()[order]
    compared = [i for i in range(len(schemes)) if not np.isnan(ratio[:, i]).any() and not np.allclose(ratio[:, i], 1)]
    headers = [axis_names(frames).get(key, key) for key in keys]
    headers += [f"{scheme} ({unit}J)" for scheme in schemes]
    baseline = frames.baseline
    headers += [f"{baseline.name} / {schemes[i]}" for i in compared] if baseline is not None else []
    energy = summary["energy_j"].to_numpy()[order]
    rows = []
    for row, case in enumerate(summary[keys].iloc[order[:max_rows, 0]].to_dict("records")):
        cells = [parameters(value) if key == "parameters" else str(value) for key, value in case.items()]
        cells += [significant(value / factor) for value in energy[row]]
        cells += [significant(ratio[row, i]) for i in compared]
        rows.append(cells)
    table = markdown(headers, rows, text=[i for i, key in enumerate(keys) if key in TEXT])
    return table + cut(len(order), max_rows, "summary.csv")


def workload_line(frames: Frames) -> str:
    """Return one sentence on what was run: tokens, batch, baseline.

    Parameters
    ----------
    frames
        Of a run.
    """
    workload = frames.workload
    parts = []
    if workload is not None:
        names = {axis: axis.replace("_", " ") for axis in ("prompt_tokens", "new_tokens", "batch")}
        if unit_of(frames) == "image":
            names = {"batch": "images"}
        for axis, name in names.items():
            values = workload[axis]
            text = str(values[0]) if len(values) == 1 else f"{len(values)} values from {min(values)} to {max(values)}"
            parts.append(f"{name}: {text}")
    baseline = frames.baseline
    if baseline is not None:
        parts.append(f"baseline: {baseline.name}")
    return f"Run with {'; '.join(parts)}." if parts else ""


def unmeasured_line(frames: Frames) -> str:
    """Return a sentence on what technologies of netlists price by single operators, or nothing.

    Parameters
    ----------
    frames
        Of a run.
    """
    parts = [
        f"at {technology} {', '.join(kinds)}"
        for technology, kinds in frames.unmeasured.groupby("technology", sort=False)["kind"]
    ]
    if not parts:
        return ""
    remark = "which have no registers, selection or clock, and look cheaper than synthesised arrays do"
    return f"Without a netlist, and priced by operators alone, {remark}: {'; '.join(parts)}."


def element_wise_line(frames: Frames) -> str:
    """Return sentences on the element-wise work that is paid in units of a BitLinear, or nothing.

    Parameters
    ----------
    frames
        Of a run.
    """
    rows = frames.element_wise.to_dict("records")
    if not rows:
        return ""
    paid = [f"{row['paid']} in {row['format']} at {row['technology']}" for row in rows if row["paid"]]
    lacking = [f"{row['lacking']} in {row['format']} at {row['technology']}" for row in rows if row["lacking"]]
    units = f"Paid as units of a BitLinear, as synthesised: {'; '.join(paid)}. " if paid else ""
    others = f", also {'; '.join(lacking)}" if lacking else ""
    beside = "All other element-wise work" if paid else "Element-wise work"
    return f"{units}{beside} is paid as the operations that `functions.yaml` assumes{others}."


def comparison_table(comparison: pd.DataFrame, max_rows: int = MAX_ROWS) -> str:
    """Return ours beside the printed numbers, how many agree, and what is known of those that do not.

    Parameters
    ----------
    comparison
        See `bitjoule.experiments.energy.tables.comparison.compare`.
    max_rows
        Rows shown.
    """
    title = "## Comparison with published values"
    if comparison.empty:
        return f"{title}\n\nNo case of this run has a published value."
    rows: list[list[str]] = []
    differing: list[str] = []
    for cell in comparison.to_dict("records"):
        ours = f"{cell['ours']:.{decimals_of(cell['printed']) + 2}f}"
        quantity = QUANTITIES[cell["quantity"]].format(action=f"{cell['action']} " if cell["action"] else "")
        case = [cell["model"], cell["scheme"], cell["technology"], quantity]
        agrees = "yes" if cell["agrees"] else "**no**"
        rows.append([*case, cell["printed"], ours, f"{100 * cell['relative_error']:+.2f}", agrees])
        if not cell["agrees"] and (cell["note"] or not cell["quantity"].startswith("memory")):  # a model's residuals
            why = f": {cell['note']}" if cell["note"] else ""
            differing.append(f"- {', '.join(case)}: printed {cell['printed']}, ours {ours}{why}.")
    headers = ["model", "scheme", "technology", "quantity", "printed", "ours", "relative error (%)", "agrees"]
    parts = zip(*(where.split(", ") for where in comparison["where"]), strict=False)
    place = ", ".join(part[0] for part in takewhile(lambda part: len(set(part)) == 1, parts))
    table = markdown(headers, rows[:max_rows], text=[0, 1, 2, 3, 7]) + cut(len(rows), max_rows, "published.csv")
    source = ", ".join(filter(None, [comparison["source"].iloc[0], place]))
    counted = f"{agreement(comparison)}; printed in {source}."
    return "\n\n".join([title, table, "\n".join([counted, *([""] if differing else []), *differing])])
