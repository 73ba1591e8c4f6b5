"""The summary and the picture of published designs beside predictions."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.markdown import markdown
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import MARKERS, Theme, log_ticks, new_figure

ROW_IN, REST_IN, WIDTH_IN, APART = 0.55, 1.9, 9.5, 0.14
WITHIN = 0.3  # what the published designs are asked to be met within
HEADERS = (
    "design", "phase", "model", "tokens/s printed", "predicted", "error", "mJ/token printed", "predicted", "error",
    "metered", "inputs",
)  # fmt: skip
QUANTITIES = {"tokens_per_s": "tokens per second", "j_per_token": "joules per token"}
EXPLAINED = (
    "Nothing is fitted. Inputs: values of the platform that the publication leaves open, each with its reason in the "
    "platform's file. Chips of 16 nm lie between prices of 45 and 7 nm, log-log in the node (summary.csv has both). "
    "Metered: `chip`, without off-chip accesses; `board`, everything."
)


def designs_markdown(name: str, description: str, table: pd.DataFrame) -> str:
    """Return published designs beside predictions as Markdown.

    Parameters
    ----------
    name, description
        Of the experiment.
    table
        From `bitjoule.experiments.designs.table`.
    """
    rows = []
    for row in table.to_dict("records"):
        cells = [row["design"], row["phase"], row["model"]]
        for quantity, factor in (("tokens_per_s", 1.0), ("j_per_token", 1e3)):
            printed, error = row[f"printed_{quantity}"], row[f"error_{quantity}"]
            cells += [_number(printed, factor), _number(row[quantity], factor), _percent(error)]
        rows.append([*cells, row["metered"], row["inputs"]])
    text = markdown(HEADERS, rows, [0, 1, 2, 9, 10])
    return "\n\n".join(part for part in (f"# {name}", description, text, EXPLAINED) if part) + "\n"


def _number(value: float | None, factor: float) -> str:
    return "" if value is None or np.isnan(value) else significant(value * factor)


def _percent(value: float | None) -> str:
    if value is None or np.isnan(value):
        return ""
    text = f"{100 * value:+.0f} %"
    return "0 %" if text in ("+0 %", "-0 %") else text


def headline(table: pd.DataFrame) -> str:
    """Return how many of the printed numbers are met, and how far predictions are from them, in one line.

    Parameters
    ----------
    table
        From `bitjoule.experiments.designs.table`.
    """
    errors = pd.concat([table[f"error_{quantity}"] for quantity in QUANTITIES]).dropna().abs()
    met = f"{(errors <= WITHIN).sum()} of {len(errors)} printed numbers within {100 * WITHIN:g} %"
    return f"{met} (difference: median {100 * errors.median():.0f} %, largest {100 * errors.max():.0f} %)"


def draw_designs(table: pd.DataFrame, theme: Theme) -> Figure:
    """Draw predictions over printed numbers, each design and phase.

    Parameters
    ----------
    table
        From `bitjoule.experiments.designs.table`.
    theme
        Light or dark.
    """
    figure = new_figure(WIDTH_IN, REST_IN + ROW_IN * len(table))
    axes = figure.subplots()
    axes.axvspan(1 - WITHIN, 1 + WITHIN, color=theme.grid, zorder=0)
    axes.axvline(1.0, color=theme.text, linewidth=1, zorder=1.5)
    ratios = {quantity: 1 + table[f"error_{quantity}"].to_numpy(float) for quantity in QUANTITIES}
    for i, (quantity, label) in enumerate(QUANTITIES.items()):
        y = np.arange(len(table)) + APART * (2 * i - 1)
        axes.plot(
            ratios[quantity], y, color=theme.series[i], linestyle="none", marker=MARKERS[i], markersize=8, label=label
        )
    ends = np.concatenate(list(ratios.values()))
    axes.set_xscale("log")
    axes.set_xlim(min(np.nanmin(ends), 1 - WITHIN) / 1.2, max(np.nanmax(ends), 1 + WITHIN) * 1.2)
    log_ticks(axes.xaxis, "")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks(range(len(table)), [f"{row.design}, {row.phase}" for row in table.itertuples()])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlabel(f"predicted over printed; band: {100 * WITHIN:g} %")
    figure.suptitle("Published accelerators, predicted from their parameters")
    legend_below(figure, *axes.get_legend_handles_labels())
    return figure
