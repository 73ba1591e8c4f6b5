"""The eight rows of README.md: what ternary weights save on an edge device.

Run: ``python benchmarks/headline.py [FOLDER]``, after ``make gallery``. Writes headline.csv from the committed table of
the experiment `headline`: for two models, both phases and both static powers, at a context of 4096 tokens, the energy
per token of ternary weights with its band, and the gains over INT4 (also with every price at the low end of its band,
and at the high end), INT8 and FP16. And headline_ranges.csv: the lowest and the highest gain of all cases.
"""

import sys
from pathlib import Path

import pandas as pd

SUMMARY = Path(__file__).parents[1] / "reports" / "gallery" / "headline" / "summary.csv"
TERNARY, CONTEXT = "bitnet-b1.58", 4096
MODELS = {"bitnet-b1.58-2b-4t": "BitNet 2B4T", "llama-3-8b": "Llama-3 8B"}
WATTS = {"static-0.1w": "0.1 W", "static-1w": "1 W"}
RIVALS = {"w4a8": "INT4", "int8": "INT8", "fp16": "FP16"}
KEYS = ["model", "phase", "platform"]


def rows(summary: pd.DataFrame) -> pd.DataFrame:
    """Return one line per number of the table: its row, its column, its value.

    Parameters
    ----------
    summary
        The table summary.csv of the experiment.
    """
    selected = (summary["prompt_tokens"] == CONTEXT) & summary["model"].isin(MODELS) & (summary["phase"] != "request")
    by_scheme = {scheme: frame.set_index(KEYS) for scheme, frame in summary[selected].groupby("scheme")}
    ternary = by_scheme[TERNARY]
    per_token = ternary["energy_per_token_j"] / ternary["energy_j"]
    columns = {
        "J per token": per_token * ternary["energy_j"],
        "low": per_token * ternary["energy_low_j"],
        "high": per_token * ternary["energy_high_j"],
    }
    for scheme, name in RIVALS.items():
        rival = by_scheme[scheme].reindex(ternary.index)
        columns[f"gain over {name}"] = rival["energy_j"] / ternary["energy_j"]
        if name == "INT4":
            columns["at low prices"] = rival["energy_low_j"] / ternary["energy_low_j"]
            columns["at high prices"] = rival["energy_high_j"] / ternary["energy_high_j"]
    found = [
        (f"{MODELS[model]}, {phase}, {WATTS[platform]}", column, float(values[model, phase, platform]))
        for model in MODELS
        for phase in ("decode", "prefill")
        for platform in WATTS
        for column, values in columns.items()
    ]
    return pd.DataFrame(found, columns=["row", "column", "value"])


def ranges(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the lowest and highest gain over each rival in each phase, of all models, contexts and static powers.

    Parameters
    ----------
    summary
        The table summary.csv of the experiment.
    """
    energy = summary.pivot_table("energy_j", ["phase", *KEYS[::2], "prompt_tokens"], "scheme")
    gains = energy[[*RIVALS]].div(energy[TERNARY], axis=0).rename(columns=RIVALS).reset_index()
    long = gains.melt("phase", [*RIVALS.values()], "rival", "gain")
    return long.groupby(["rival", "phase"])["gain"].agg(lowest="min", highest="max").reset_index()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    table = pd.read_csv(SUMMARY)
    for name, made in (("headline", rows(table)), ("headline_ranges", ranges(table))):
        made.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
