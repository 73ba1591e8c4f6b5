"""The causes that move a run's result most, and those that turn it, as tables of the summary."""

from pathlib import Path

import pandas as pd

from bitjoule.energy_models.architecture.phases import DECODE, PREFILL
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.output.columns import WORKLOAD_AXES
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.markdown import markdown

SHOWN = 8  # of each scheme and phase
CASE = ["platform", *WORKLOAD_AXES]
ENERGIES = ["energy_low_j", "energy_j", "energy_high_j"]
RATIOS = ["ratio_low", "ratio", "ratio_high"]
WORDS = {"static": "static power", "regulator": "regulator efficiency"}
LEAST = ["least_low", "least", "least_high"]


def sensitivity_text(frames: Frames) -> str:
    """Return what moves energy and gain of the case of the headline, and what turns them.

    Parameters
    ----------
    frames
        Of a run with `sensitivity`.
    """
    table = frames.sensitivity
    if table.empty:
        return _unvaried(frames.varied)
    last = table.iloc[-1]
    shown = table[(table["model"] == last["model"]) & (table["technology"] == last["technology"])]
    shown = shown[shown["platform"] == frames.shown_platform]
    for key in WORKLOAD_AXES:
        shown = shown[shown[key] == shown[key].iloc[0]]
    rows = []
    for phase in (DECODE, PREFILL):
        for scheme in frames.schemes:
            own = shown[(shown["phase"] == phase) & (shown["scheme"] == scheme)]
            for row in widest(own, SHOWN).to_dict("records"):
                numbers = [significant(row[name]) for name in (*ENERGIES, *RATIOS)]
                turns = "yes" if row["turns"] or len({row[name] for name in LEAST}) > 1 else ""
                rows.append([phase, scheme, row["cause"], row["low"], row["high"], *numbers, turns])
    baseline = f"{frames.baseline.name} / this" if frames.baseline is not None else "ratio"
    headers = ["phase", "scheme", "cause", "low", "high", "J, low", "J", "J, high"]
    headers += [f"{baseline}, low", baseline, f"{baseline}, high", "turns"]
    text = (
        f"## Sensitivity\n\n{last['model']} at {last['technology']}, one cause at a time at its low and its high end: "
        "prices within their bands, with counts and mappings as run, and assumptions, with everything counted anew. "
        "What depends on one row or key moves together, on both sides of the comparison. "
        f"The first {SHOWN} of each scheme and phase; all are in sensitivity.csv, reasons in assumptions.csv.\n\n"
    )
    parts = [f"{text}{markdown(headers, rows, [0, 1, 2, 3, 4, 11])}", _turning(table), _unvaried(frames.varied)]
    return "\n\n".join(part for part in parts if part)


def widest(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the causes that move the energy of one scheme and phase most, the widest first.

    Parameters
    ----------
    rows
        Of the sensitivity.
    count
        How many.
    """
    span = (rows[ENERGIES].max(axis=1) - rows[ENERGIES].min(axis=1)).sort_values(ascending=False, kind="stable")
    return rows.loc[span.index[:count]]


def price_words(cause: str) -> str:
    """Return the row that prices depend on in words.

    Parameters
    ----------
    cause
        From `bitjoule.energy_models.prices.keys.shared_row`.
    """
    file, _, place = cause.partition(":")
    if file == "memories.csv":
        return f"price of {' at '.join(place.split(':'))}"
    if file == "operations.csv":
        node, _, operation = place.partition(":")
        return f"price of {operation.replace(':', ' ')} at {node}"
    if file.partition("/")[0] in ("platforms", "technologies") or file == "drams.yaml":
        of = Path(file).stem if "/" in file else ""
        return "price of " + ", ".join(filter(None, (place.replace(":", " ").replace("_", " "), of)))
    name = WORDS.get(file, file.replace("_", " "))
    return f"{name}: {place}" if place else name


def _turning(table: pd.DataFrame) -> str:
    """Return which causes turn the conclusion: a gain crosses 1, or another scheme needs the least energy."""
    least = table[LEAST].astype(str)
    changes = (least["least_low"] != least["least"]) | (least["least_high"] != least["least"])
    listed = []
    for cause, rows in table[table["turns"] | changes].groupby("cause", sort=False):
        parts = []
        gains, winners = int(rows["turns"].sum()), rows[changes[rows.index]]
        if gains:
            parts.append(f"the gain crosses 1 in {gains} of the comparisons")
        if len(winners):  # each scheme of a case has a row that names them
            first = least.loc[winners.index[0]]
            others = " or ".join(name for name in dict.fromkeys(first) if name != first["least"])
            cases = len(winners.drop_duplicates(["model", "technology", "phase", *CASE]))
            parts.append(f"{others} instead of {first['least']} needs the least energy in {cases} of the cases")
        listed.append(f"- {cause}: {'; '.join(parts)}")
    if not listed:
        return "No single price or assumption turns the conclusion: no gain crosses 1, the best scheme stays the best."
    return "What turns the conclusion, over all models, workloads and phases:\n\n" + "\n".join(listed)


def _unvaried(varied: pd.DataFrame) -> str:
    """Return which assumptions could not be varied, and why."""
    if varied.empty:
        return ""
    problems = [
        f"- {row['assumption']} {row[end]}: {row[f'problem_{end}']}"
        for row in varied.to_dict("records")
        for end in ("low", "high")
        if row[f"problem_{end}"]
    ]
    return "\n".join(["Not varied, as a machine could not run:\n", *problems]) if problems else ""
