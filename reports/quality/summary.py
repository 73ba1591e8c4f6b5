"""The summary of a quality experiment."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from bitjoule.reports.figures.digits import parameters, significant
from bitjoule.reports.figures.markdown import cut, markdown
from bitjoule.reports.quality.frontier import at_least_loss, shown

EXPLAINED = (
    "Losses are held out, in nats per byte, the mean over the seeds. Intervals are of 95 %; the scatter of the seeds "
    "is that of all trained formats of a size together."
)
LAWS = (
    "`power`: L = a N^−α. `floor`: L = E + a N^−α with E at least 0, intervals of the profile likelihood; 0 or inf "
    "where the sizes do not bound it. `paper_exponent`: α of the BitNet paper's curve, E free. `paper`: those curves "
    "themselves, in nats per token of other text: compare α and the ratio between formats, not E. N in millions. All "
    "models had the same bytes per parameter, so α has the text's share in it. Lack of fit: probability of means that "
    "lie as far off if the law held. Times the parameters: for the baseline's loss at its size."
)
ENDS = ("", "_low", "_high")
GREAT_NATS = 1e4


def quality_markdown(
    name: str, description: str, baseline: str, over: str, summary: pd.DataFrame, laws: pd.DataFrame,
    equal: pd.DataFrame, published: pd.DataFrame, max_rows: int,
) -> str:  # fmt: skip
    """Return the summary as Markdown.

    Parameters
    ----------
    name, description, baseline, over
        Of the experiment.
    summary, laws, equal, published
        Its tables.
    max_rows
        Rows shown of each.
    """
    parts = [f"# {name}", description, f"{headline(summary, over)}."]
    if over == "tokens":
        parts += ["## Zeros", _zeros(summary, max_rows)]
    else:
        parts += ["## Losses", EXPLAINED, _losses(summary, baseline, max_rows)]
    if len(equal):
        parts += ["## Energy at equal loss", _equal(equal, baseline, max_rows)]
    if len(laws):
        parts += ["## Scaling laws", LAWS, _laws(laws, max_rows)]
    if len(published):
        parts += ["## Published losses", _published(published, max_rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(summary: pd.DataFrame, over: str) -> str:
    """Return the outcome in one line.

    Parameters
    ----------
    summary, over
        Of the experiment.
    """
    if over == "tokens":
        last = summary[summary["tokens"] == summary["tokens"].max()]
        last = last[last["technology"] == last["technology"].iloc[0]]
        parts = (f"{row['format']} {significant(100 * row['zero_share'], 3)} %" for row in last.to_dict("records"))
        return f"Zero trits at the end: {', '.join(parts)}"
    if over == "learning_rate":
        found = summary[summary["trained"]].dropna(subset=["loss_nats_per_byte"])
        best = found.loc[found.groupby("format", sort=False)["loss_nats_per_byte"].idxmin()]
        parts = (
            f"{shown(row['format'])} {nats(row['loss_nats_per_byte'])} at {row['learning_rate']:g}"
            for row in best.to_dict("records")
        )
        return f"Least loss in nats per byte: {', '.join(parts)}"
    trained = summary[summary["trained"]] if summary["trained"].any() else summary
    largest = trained.sort_values("parameters", kind="stable").iloc[-1]
    rows = trained[trained["rung"] == largest["rung"]].drop_duplicates("format")
    parts = (
        f"{shown(row['format'])} {nats(row['loss_nats_per_byte']) or 'diverged'}" for row in rows.to_dict("records")
    )
    return f"At {parameters(float(largest['parameters']))} parameters, nats per byte: {', '.join(parts)}"


def _losses(summary: pd.DataFrame, baseline: str, max_rows: int) -> str:
    with_energy = "energy_per_token_j" in summary
    headers = ["size", "format", "parameters", "peak rate", "seeds", "diverged", "loss", "seeds' losses"]
    headers += [f"less {shown(baseline)}", "interval", "zeros (%)"]
    if with_energy:
        headers += ["scheme", "platform", "µJ per token", "low to high prices", "Pareto"]
    rows = []
    for row in summary.head(max_rows).to_dict("records"):
        cells = [
            row["rung"],
            shown(row["format"]),
            parameters(float(row["parameters"])),
            significant(row["learning_rate"]),
        ]
        cells += [str(row["seeds"]), str(row["diverged"] or ""), nats(row["loss_nats_per_byte"])]
        cells += [_between(row, "loss_least_nats_per_byte", "loss_greatest_nats_per_byte")]
        cells += [
            nats(row["gap_nats_per_byte"], "+.3f"),
            _between(row, "gap_low_nats_per_byte", "gap_high_nats_per_byte"),
        ]
        cells += [significant(100 * row["zero_share"])]
        if with_energy:
            energies = [significant(1e6 * row[f"energy_per_token{end}_j"]) for end in ENDS]
            cells += [str(row["scheme"]), f"{row['technology']} {row['platform']}", energies[0]]
            cells += [" to ".join(energies[1:]), "◆" if row["pareto"] else ""]
        rows.append(cells)
    text = [0, 1, *([11, 12] if with_energy else [])]
    return markdown(headers, rows, text) + cut(len(summary), max_rows, "summary.csv")


def nats(value: float, digits: str = ".3f") -> str:
    """Return a loss as text; nothing for NaN, three significant digits where it is far beyond what trainings give.

    Parameters
    ----------
    value
        In nats.
    digits
        Its format.
    """
    if abs(value) >= GREAT_NATS:
        return significant(value)
    return "" if math.isnan(value) else f"{value:{digits}}"


def _between(row: Mapping[Hashable, Any], low: str, high: str) -> str:
    return " to ".join(filter(None, (nats(row[low]), nats(row[high]))))


def _equal(equal: pd.DataFrame, baseline: str, max_rows: int) -> str:
    best = at_least_loss(equal).iloc[0]
    text = (
        f"The energy of {shown(baseline)} over that of a format at the same loss, log-linear between the sizes. At the "
        f"least loss that all reach, {shown(best['format'])} takes least. The band has both ends of the prices, the "
        f"same for both, and both ends of the intervals of the losses, against each other."
    )
    headers = ["machine", "format", "loss", f"{shown(baseline)} / this", "band"]
    rows = [
        [f"{row['technology']} {row['platform']}", shown(row["format"]), nats(row["loss_nats_per_byte"]),
         significant(row["ratio_to_baseline"]), f"{significant(row['ratio_low'])} to {significant(row['ratio_high'])}"]
        for row in equal.head(max_rows).to_dict("records")
    ]  # fmt: skip
    return f"{text}\n\n{markdown(headers, rows, [0, 1])}{cut(len(equal), max_rows, 'equal_loss.csv')}"


def _laws(laws: pd.DataFrame, max_rows: int) -> str:
    headers = ["form", "format", "a (nats)", "interval", "α", "interval", "E (nats)", "interval", "deviation (%)"]
    headers += ["lack of fit", "sizes", "trainings", "times the parameters", "interval", "at"]
    rows = []
    for row in laws.head(max_rows).to_dict("records"):
        cells = [row["form"], shown(row["format"])]
        for key in ("a_nats", "exponent", "floor_nats"):
            cells += [significant(row[key]), _interval(row, key)]
        cells += [significant(100 * row["deviation"], 2), significant(row["lack_of_fit_p"], 2)]
        cells += [_count(row["rungs"]), _count(row["trainings"]), significant(row["size_factor"])]
        at = row["factor_at_parameters"]
        rows.append([*cells, _interval(row, "size_factor"), "" if math.isnan(row["size_factor"]) else parameters(at)])
    return markdown(headers, rows, [0, 1]) + cut(len(laws), max_rows, "laws.csv")


def _count(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.0f}"


def _interval(row: Mapping[Hashable, Any], key: str) -> str:
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    return "" if math.isnan(low) or low == high else f"{significant(low)} to {significant(high)}"


def _published(published: pd.DataFrame, max_rows: int) -> str:
    headers = ["model", "parameters", "scheme", "perplexity", "nats per token", "mJ per token", "low to high prices"]
    headers += ["Pareto", "source"]
    rows = []
    for row in published.head(max_rows).to_dict("records"):
        energies = [significant(1e3 * row[f"energy_per_token{end}_j"]) for end in ENDS]
        rows.append([
            row["model"], parameters(float(row["parameters"])), row["scheme"], row["printed"],
            nats(row["loss_nats_per_token"]), energies[0], " to ".join(energies[1:]), "◆" if row["pareto"] else "",
            f"{row['source']}, {row['where']}",
        ])  # fmt: skip
    return markdown(headers, rows, [0, 2, 8]) + cut(len(published), max_rows, "published.csv")


def _zeros(summary: pd.DataFrame, max_rows: int) -> str:
    tokens = sorted(set(summary["tokens"]))
    few = {tokens[0], *tokens[len(tokens) // 10 :: max(len(tokens) // 5, 1)], tokens[-1]}
    shown_rows = summary[summary["tokens"].isin(few)]
    headers = [
        "technology",
        "training",
        "bytes",
        "loss of the batches",
        "zeros (%)",
        "seeds",
        "entropy (bits)",
        "MAC (fJ)",
    ]
    headers += ["low to high", "below one without zeros (%)"]
    rows = [
        [row["technology"], row["format"], f"{row['tokens']:.0f}", nats(row["loss_nats_per_byte"]),
         significant(100 * row["zero_share"]),
         " to ".join(significant(100 * row[f"zero_share_{end}"]) for end in ("least", "greatest")),
         significant(row["entropy_bits"], 4), significant(1e3 * row["mac_pj"]),
         " to ".join(significant(1e3 * row[f"mac_{end}_pj"]) for end in ("low", "high")),
         significant(100 * row["saved_share"])]
        for row in shown_rows.head(max_rows).to_dict("records")
    ]  # fmt: skip
    note = "Entropy: of trits of which as many are +1 as −1. A MAC: of the technology's full array of adders."
    return f"{note}\n\n{markdown(headers, rows, [0, 1])}\n\nRows of some steps; all are in summary.csv."
