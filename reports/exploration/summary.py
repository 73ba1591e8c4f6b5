"""The summary of an exploration."""

import pandas as pd

from bitjoule.energy_models.inputs.wording import counted
from bitjoule.experiments.exploration.result import ExplorationResult
from bitjoule.experiments.exploration.space.metrics import METRICS
from bitjoule.reports.exploration.words import header, knob_columns, quantity, setting_text, short_names
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.markdown import cut, markdown

BEST_METRICS = (
    "energy_j", "energy_per_token_j", "tokens_per_joule", "latency_s", "first_token_s", "tokens_per_s", "watts",
    "energy_delay_j_s", "area_mm2", "leakage_w", "memory_bytes", "memory_share",
)  # fmt: skip


def exploration_markdown(result: ExplorationResult, max_rows: int) -> str:
    """Return the summary as Markdown.

    Parameters
    ----------
    result
        Of an exploration.
    max_rows
        Rows shown of each table.
    """
    parts = [f"# {result.experiment.name}", result.experiment.description, f"{headline(result)}.", _counts(result)]
    if result.nearest:
        parts.append(result.nearest)
    if len(result.constraints):
        parts += ["## Constraints", _constraints(result.constraints)]
    if result.best is not None:
        parts += [f"## Best design: {result.best}", _why_best(result), _best(result)]
        parts += ["## Pareto set", _pareto(result, max_rows)]
        parts += ["## Knobs", _sensitivity(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(result: ExplorationResult) -> str:
    """Return the outcome in one line.

    Parameters
    ----------
    result
        Of an exploration.
    """
    objectives = result.experiment.explore.objectives
    if result.best is None:
        return result.nearest.partition(". ")[0].rstrip(".")
    row = result.pareto[result.pareto["best"]].iloc[0]
    values = ", ".join(f"{METRICS[name].label} {quantity(name, float(row[name]))}" for name in objectives)
    return f"best of {len(result.pareto)} Pareto-optimal designs: {values}"


def _counts(result: ExplorationResult) -> str:
    row = result.summary.iloc[0]
    searched, total, evaluated = int(row["searched"]), int(row["designs"]), int(row["evaluated"])
    text = f"All {total} designs of the space were evaluated." if searched == total else (
        f"{searched} of {total} designs were searched ({100 * searched / total:.3g} %) with sampler "
        f"{result.experiment.explore.sampler}, seed {result.experiment.explore.seed}."
    )  # fmt: skip
    if evaluated > searched:
        text += f" {evaluated - searched} more vary one knob of the best design."
    text += f" {int(row['feasible'])} are feasible, {int(row['infeasible'])} break a constraint"
    text += f", {int(row['no_result'])} have no result." if row["no_result"] else "."
    if row["pareto"]:
        undecided = int(row["undecided"])
        others = f"{counted(undecided, 'other')} {'belongs' if undecided == 1 else 'belong'}"
        text += f" {counted(int(row['pareto']), 'design')} {'forms' if row['pareto'] == 1 else 'form'} the Pareto set"
        if undecided:
            text += f"; bands of prices leave undecided whether {others} to it: no member dominates them at all prices."
        elif row["feasible"] > row["pareto"]:
            text += "; each other feasible design is dominated by a member at all prices within their bands."
        else:
            text += ", all that are feasible."
    if row["hypervolume"] > 0:
        corners = ", ".join(
            quantity(name, float(row[f"reference_{name}"])) for name in result.experiment.explore.objectives
        )
        text += f" Hypervolume {row['hypervolume']:.6g} within the reference {corners}."
    return text


def _constraints(table: pd.DataFrame) -> str:
    headers = ["constraint", "designs that meet it", "best value", "best beside the other constraints", "missed by (%)"]
    rows = []
    for row in table.to_dict("records"):
        metric = str(row["constraint"]).split()[0]
        best = [_or_nothing(metric, row[key]) for key in ("best_value", "best_beside_others")]
        missed = "" if pd.isna(row["missed_by"]) else significant(100 * row["missed_by"])
        rows.append([str(row["constraint"]), str(row["met_by"]), *best, missed])
    return markdown(headers, rows, [0])


def _or_nothing(metric: str, value: float) -> str:
    return "" if pd.isna(value) else quantity(metric, float(value))


def _why_best(result: ExplorationResult) -> str:
    chosen = result.experiment.explore.best
    models = len(result.experiment.models)
    text = f"Of the Pareto set it has the best {METRICS[chosen].label}." if chosen else (
        "Of the Pareto set it has the least product of the objectives, each as a ratio that should be small."
    )  # fmt: skip
    return f"{text} Metrics are geometric means over {models} models." if models > 1 else text


def _best(result: ExplorationResult) -> str:
    row = result.designs[result.designs["design"] == result.best].iloc[0]
    knobs = knob_columns(result.designs)
    rows = [[name, setting_text(name, str(row[name])), ""] for name in knobs]
    for name in BEST_METRICS:
        if pd.isna(row[name]):
            continue
        ends = [float(row[f"{name}_{end}"]) for end in ("low", "high") if f"{name}_{end}" in row]
        band = " to ".join(quantity(name, end) for end in ends) if len(set(ends)) > 1 else ""
        rows.append([METRICS[name].label, quantity(name, float(row[name])), band])
    return markdown(["", "value", "low to high prices"], rows, [0])


def _pareto(result: ExplorationResult, max_rows: int) -> str:
    objectives = result.experiment.explore.objectives
    knobs = [name for name in knob_columns(result.designs) if len(result.designs[name].unique()) > 1]
    short = short_names(knobs)
    headers = ["design", *(short[name] for name in knobs), *map(header, objectives)]
    banded = [name for name in objectives if f"{name}_low" in result.pareto]
    headers += [f"{METRICS[name].label}, low to high" for name in banded]
    rows = []
    for row in result.pareto.head(max_rows).to_dict("records"):
        cells = [f"**{row['design']}**" if row["best"] else str(row["design"])]
        cells += [setting_text(name, str(row[name])) for name in knobs]
        cells += [significant(float(row[name])) for name in objectives]
        cells += [" to ".join(significant(float(row[f"{name}_{end}"])) for end in ("low", "high")) for name in banded]
        rows.append(cells)
    text = [1 + i for i, name in enumerate(knobs) if result.designs[name].dtype.kind not in "iuf"]
    table = markdown(headers, rows, text)
    return table + cut(len(result.pareto), max_rows, "pareto.csv")


def _sensitivity(result: ExplorationResult) -> str:
    objectives = result.experiment.explore.objectives
    short = short_names(list(result.sensitivity["knob"]))
    headers = ["knob", "settings", *(f"{METRICS[name].label}: least to most" for name in objectives)]
    rows = []
    for row in result.sensitivity.to_dict("records"):
        spans = [" to ".join(significant(float(row[f"{name}_{end}"])) for end in ("least", "most"))
                 for name in objectives]  # fmt: skip
        rows.append([short[str(row["knob"])], str(row["settings"]), *spans])
    text = (
        "Each knob alone over all its settings, the others as in the best design; relative to the best design. "
        "Settings that break a constraint are included."
    )
    return f"{text}\n\n{markdown(headers, rows, [0])}"
