"""The summary and the picture of a comparison of prices."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bitjoule.experiments.prices.table import formats_in_order
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.families import KINDS
from bitjoule.reports.figures.markdown import markdown
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import MARKERS, Theme, log_ticks, new_figure

ROW_IN, REST_IN, WIDTH_IN = 0.4, 1.9, 10.5
APART, SPREAD = 0.22, 0.88  # the most between two pairs' markers, and what all pairs may take, in rows
HEADERS = ("operation", "format", "{first} (pJ)", "{second} (pJ)", "ratio", "band", "{first} derived from")
EXPLAINED = (
    "Prices of netlists are synthesised, with simulated switching; no chip was measured. An operator alone gets new "
    "operands in each cycle and has no registers. A MAC is one of a full array, its share of adders, accumulators, "
    "registers, control and clock pins included; its weight stays, or is a new one in each cycle. Where the first "
    "technology knows no MACs they are priced as the papers do, from its operations. Band: the least and the most "
    "that both prices' bands allow."
)


def prices_markdown(name: str, description: str, table: pd.DataFrame) -> str:
    """Return a comparison of prices as Markdown.

    Parameters
    ----------
    name, description
        Of the experiment.
    table
        Its table.
    """
    parts = [f"# {name}", description]
    for (first, second), pair in table.groupby(["first", "second"], sort=False):
        names = [header.format(first=first, second=second) for header in HEADERS]
        rows = [
            [
                row["operation"],
                row["format"],
                significant(row["first_pj"]),
                significant(row["second_pj"]),
                f"{significant(row['ratio'])}",
                f"{significant(row['ratio_low'])} to {significant(row['ratio_high'])}",
                row["first_is"],
            ]
            for row in pair.to_dict("records")
        ]
        parts.append(markdown(names, rows, [0, 1, 6]))
    return "\n\n".join([*(part for part in parts if part), EXPLAINED]) + "\n"


def headline(table: pd.DataFrame) -> str:
    """Return the ratios of each pair of technologies in one line.

    Parameters
    ----------
    table
        From `bitjoule.experiments.prices.table`.
    """
    parts = []
    for (first, second), pair in table.groupby(["first", "second"], sort=False):
        ends = " to ".join(significant(pair["ratio"].agg(end)) for end in ("min", "max"))
        parts.append(f"{second} takes {ends} times the energy of {first}")
    return "; ".join(parts) if parts else "no operation has a price in both technologies"


def draw_ratios(table: pd.DataFrame, theme: Theme) -> Figure:
    """Draw how many times the first technology's price each operation takes in the second, with its band.

    Parameters
    ----------
    table
        From `bitjoule.experiments.prices.table`.
    theme
        Light or dark.
    """
    operations = _in_order(table)
    pairs = list(dict.fromkeys(zip(table["first"], table["second"], strict=True)))
    apart = min(APART, SPREAD / len(pairs))
    figure = new_figure(WIDTH_IN, REST_IN + ROW_IN * len(operations))
    axes = figure.subplots()
    colors = [*theme.series[len(KINDS) :], *theme.series[: len(KINDS)]]  # the first ones mean formats
    axes.axvline(1.0, color=theme.text, linewidth=1, zorder=1.5)
    for i, (first, second) in enumerate(pairs):
        pair_rows = table[(table["first"] == first) & (table["second"] == second)]
        rows = [operations.index(key) for key in zip(pair_rows["operation"], pair_rows["format"], strict=True)]
        y = np.array(rows) + apart * (i - (len(pairs) - 1) / 2)
        ratio, low, high = (pair_rows[column].to_numpy(float) for column in ("ratio", "ratio_low", "ratio_high"))
        axes.errorbar(
            ratio, y, xerr=[ratio - low, high - ratio], color=colors[i % len(colors)], linestyle="none",
            marker=MARKERS[i % len(MARKERS)], markersize=7, elinewidth=1.5, label=f"{second} / {first}",
        )  # fmt: skip
    ends = float(table["ratio_low"].min()), float(table["ratio_high"].max())
    axes.set_xscale("log")
    axes.set_xlim(min(ends[0], 1.0) / 1.3, max(ends[1], 1.0) * 1.3)
    log_ticks(axes.xaxis, "")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.set_yticks(range(len(operations)), [f"{operation} {name}" for operation, name in operations])
    axes.set_ylim(len(operations) - 0.4, -0.6)
    axes.set_xlabel("energy relative to the first technology")
    figure.suptitle("Each operation's price in two technologies (netlists: synthesised, switching simulated)")
    legend_below(figure, *axes.get_legend_handles_labels())
    return figure


def _in_order(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return operations and formats, operators before MACs, in the order of the formats for every pair."""
    operations = dict.fromkeys(zip(table["operation"], table["format"], strict=True))
    alone = [(operation, name) for name in formats_in_order() for operation in ("add", "mul")]
    return [*(key for key in alone if key in operations), *(key for key in operations if key not in alone)]
