"""The causes that move a run's result most, as a table of the summary."""

import pandas as pd

from bitjoule.energy_models.architecture.phases import DECODE, PREFILL
from bitjoule.experiments.energy.frames import Frames
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.markdown import markdown

SHOWN = 8  # of each scheme and phase
CASE = ("platform", "batch", "prompt_tokens", "new_tokens")


def sensitivity_text(frames: Frames) -> str:
    """Return, for the last model and technology at the first workload, each price that moves energy and gain.

    Parameters
    ----------
    frames
        Of a run with `sensitivity`.
    """
    table = frames.sensitivity
    if table.empty:
        return ""
    last = table.iloc[-1]
    shown = table[(table["model"] == last["model"]) & (table["technology"] == last["technology"])]
    for key in CASE:
        shown = shown[shown[key] == shown[key].iloc[0]]
    rows = []
    for phase in (DECODE, PREFILL):
        for scheme in frames.schemes:
            own = shown[(shown["phase"] == phase) & (shown["scheme"] == scheme)]
            span = (own["energy_high_j"] - own["energy_low_j"]).abs()
            for row in own.loc[span.sort_values(ascending=False, kind="stable").index].head(SHOWN).to_dict("records"):
                energies = [significant(row[f"energy_{end}j"]) for end in ("low_", "", "high_")]
                ratios = [significant(row[f"ratio{end}"]) for end in ("_low", "", "_high")]
                rows.append([phase, scheme, row["cause"], *energies, *ratios, "yes" if row["turns"] else ""])
    baseline = f"{frames.baseline.name} / this" if frames.baseline is not None else "ratio"
    headers = ["phase", "scheme", "price", "J, low", "J", "J, high", f"{baseline}, low", baseline, f"{baseline}, high"]
    text = (
        f"## Sensitivity to each price\n\n{last['model']} at {last['technology']}, one price at a time at its low and "
    )
    text += "high end, the others nominal; what depends on one row moves together, on both sides of the comparison. "
    text += f"Counts and mappings stay. The first {SHOWN} of each scheme and phase; all are in sensitivity.csv.\n\n"
    return f"{text}{markdown([*headers, 'turns'], rows, [0, 1, 2])}\n\n{_turning(table)}"


def _turning(table: pd.DataFrame) -> str:
    turning = table[table["turns"]]
    if turning.empty:
        return "No single price turns a comparison with the baseline."
    causes = turning.groupby("cause", sort=False).size()
    listed = ", ".join(f"{cause} ({count})" for cause, count in causes.items())
    return f"Prices that turn comparisons with the baseline, and how many: {listed}."
