"""Summaries and pictures of experiments on measured machines."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.hatches import HATCHES
from bitjoule.reports.figures.markdown import cut, markdown
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import MARKERS, Theme, log_ticks, new_figure

WIDTH_IN, PANEL_IN, REST_IN, ROW_IN, TEXT_PT = 11.0, 5.0, 1.4, 0.25, 11
WITHIN = 0.25  # of the shaded band
UNITS = {"tokens_per_s": "tokens/s", "j_per_token": "J/token"}
EXPLAINED = (
    "Error: predicted over measured, less 1; median and 90th percentile of its magnitude. The roofline is the weights' "
    "bytes over the peak bandwidth, in decode; constant watts are the median of the fitted rows of a machine, meter "
    "and format, over the measured speed. `same rows` is our median on the rows that the other way has. Error bars in "
    "the picture: both ends of a prompt that a row does not print."
)
GAINS_EXPLAINED = (
    "Gains are over the first format on the same machine. A resource's share is the time in which it is busy at its "
    "peak; what has the greatest share bounds. Launches and steps: times in which nothing is computed or moved."
)
BOUND_NAMES = {
    "array": "products", "unpacking": "unpacking", "vector": "vector unit", "weight_buffer": "buffers",
    "activation_buffer": "buffers", "off_chip": "memory bandwidth",
}  # fmt: skip


def _percent(value: float) -> str:
    return "" if pd.isna(value) else f"{100 * value:.1f} %"


def points_markdown(
    name: str, description: str, points: pd.DataFrame, errors: pd.DataFrame, unpriced: Sequence[str], max_rows: int
) -> str:
    """Return predictions against measurements as Markdown.

    Parameters
    ----------
    name, description
        Of the experiment.
    points, errors
        From `bitjoule.experiments.measured.tables`.
    unpriced
        Why other rows have no prediction.
    max_rows
        Points shown of each machine.
    """
    parts = [f"# {name}", description]
    headers = ["machine", "rows", "bias", "median", "90 %", "other way", "rows", "same rows", "median", "90 %"]
    for (quantity, speed), of in errors.groupby(["quantity", "speed"], sort=False):
        rows = [
            [
                row["machine"], str(row["rows"]), *(_percent(row[key]) for key in ("bias", "median", "ninetieth")),
                row["other_way"], str(row["other_rows"] or ""),
                *(_percent(row[key]) for key in ("same_rows_median", "other_median", "other_ninetieth")),
            ]
            for row in of.to_dict("records")
        ]  # fmt: skip
        parts += [f"## {UNITS[str(quantity)]}, speed {speed}", markdown(headers, rows, [0, 5])]
    parts += [EXPLAINED, "## Residuals, machine by machine"]
    headers = ["line", "model", "weights", "batch", "phase", "quantity", "speed", "measured", "predicted", "error"]
    for machine, of in points.groupby("machine", sort=True):
        rows = [
            [
                str(row["line"]), row["model"], row["weights"], f"{row['batch']:g}", row["phase"],
                UNITS[row["quantity"]], row["speed"], significant(row["measured"]), significant(row["predicted"]),
                f"{100 * row['error']:+.1f} %",
            ]
            for row in of.head(max_rows).to_dict("records")
        ]  # fmt: skip
        parts += [f"### {machine}", markdown(headers, rows, [1, 2, 4, 5, 6])]
        parts += [cut(len(of), max_rows, "summary.csv")] if len(of) > max_rows else []
    if unpriced:
        parts += ["## Rows without a prediction", "\n".join(f"* {text}" for text in unpriced)]
    return "\n\n".join(part for part in parts if part) + "\n"


def gains_markdown(name: str, description: str, gains: pd.DataFrame, unpriced: Sequence[str]) -> str:
    """Return what narrow weights gain as Markdown.

    Parameters
    ----------
    name, description
        Of the experiment.
    gains
        From `bitjoule.experiments.measured.tables`.
    unpriced
        Why some have no prediction.
    """
    parts = [f"# {name}", description]
    headers = ["machine", "format", "bits", "tokens/s", "gain", "J/token", "gain", "bound by", "memory", "unpacking",
               "products", "launches, steps"]  # fmt: skip
    for batch, of in gains.groupby("batch", sort=True):
        rows = [
            [
                row["machine"], row["format"], f"{row['weight_bits']:.3g}", significant(row["tokens_per_s"]),
                f"{row['speed_gain']:.2f}", significant(row["j_per_token"]), f"{row['energy_gain']:.2f}",
                BOUND_NAMES.get(row["bound_by"], row["bound_by"]),
                *(f"{100 * row[f'{key}_utilisation']:.0f} %" for key in ("off_chip", "unpacking", "array")),
                f"{100 * row['fixed_share']:.0f} %",
            ]
            for row in of.to_dict("records")
        ]  # fmt: skip
        parts += [f"## Batch {batch}", markdown(headers, rows, [0, 1, 7])]
    parts.append(GAINS_EXPLAINED)
    if unpriced:
        parts += ["Without a prediction:", "\n".join(f"* {text}" for text in unpriced)]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(table: pd.DataFrame, errors: pd.DataFrame) -> str:
    """Return the outcome in one line.

    Parameters
    ----------
    table, errors
        Points or gains; errors of points, empty of gains.
    """
    if errors.empty:
        least, most = table["speed_gain"].min(), table["speed_gain"].max()
        return f"narrow weights gain {least:.2f} to {most:.2f} in speed" if len(table) else "nothing could be priced"
    whole = errors[errors["machine"] == "all"]
    return "; ".join(
        f"{UNITS[row['quantity']]} ({row['speed']} speed): median error {_percent(row['median'])} of {row['rows']} rows"
        for row in whole.to_dict("records")
    )


def draw_points(points: pd.DataFrame, theme: Theme) -> Figure:
    """Draw predictions over measurements, one colour and marker a machine, with the band of prompts not printed.

    Parameters
    ----------
    points
        From `bitjoule.experiments.measured.tables`.
    theme
        Light or dark.
    """
    machines = sorted(points["machine"].unique())
    looks = dict(zip(machines, _looks(theme), strict=False))
    shown = points[points["speed"] == "predicted"]
    quantities = [name for name in UNITS if (shown["quantity"] == name).any()]
    figure = new_figure(WIDTH_IN, PANEL_IN + REST_IN)
    for axes, quantity in zip(figure.subplots(1, len(quantities), squeeze=False)[0], quantities, strict=True):
        of = shown[shown["quantity"] == quantity]
        ends = of[["measured", "low", "high"]].to_numpy(dtype=float)
        ends = np.array([ends.min() / 1.6, ends.max() * 1.6])
        axes.fill_between(ends, ends * (1 - WITHIN), ends * (1 + WITHIN), color=theme.grid, linewidth=0, zorder=0)
        axes.plot(ends, ends, color=theme.text, linewidth=1, zorder=1)
        for machine in machines:
            own = of[of["machine"] == machine]
            if own.empty:
                continue
            color, marker = looks[machine]
            measured, ours, low, high = (own[key].to_numpy(float) for key in ("measured", "predicted", "low", "high"))
            axes.errorbar(
                measured, ours, yerr=[np.maximum(ours - low, 0), np.maximum(high - ours, 0)], color=color,
                linestyle="none", marker=marker, markersize=6, elinewidth=1, alpha=0.85, label=machine,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(*ends)
        axes.set_ylim(*ends)
        log_ticks(axes.xaxis, "")
        log_ticks(axes.yaxis, "")
        axes.set_xlabel(f"measured {UNITS[quantity]}")
        axes.set_ylabel(f"predicted {UNITS[quantity]}")
    figure.suptitle(f"Machines as predicted and as others measured them (shaded: within {100 * WITHIN:g} %)")
    handles: dict[str, object] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    legend_below(figure, handles.values(), handles)  # type: ignore[arg-type]
    return figure


def _looks(theme: Theme) -> list[tuple[str, str]]:
    """Return colours with markers, all different."""
    colors, count = theme.series, len(MARKERS)
    pairs = [(colors[i], MARKERS[(i + turn) % count]) for turn, i in product(range(count), range(len(colors)))]
    return list(dict.fromkeys(pairs))


def draw_gains(gains: pd.DataFrame, theme: Theme) -> Figure:
    """Draw what each format gains in speed at the smallest batch, coloured by what bounds it.

    Parameters
    ----------
    gains
        From `bitjoule.experiments.measured.tables`.
    theme
        Light or dark.
    """
    of = gains[gains["batch"] == gains["batch"].min()]
    machines = list(dict.fromkeys(of["machine"]))
    bounds = list(dict.fromkeys(BOUND_NAMES.get(bound, bound) for bound in of["bound_by"]))
    looks: dict[str, dict[str, Any]] = {
        bound: {
            "facecolor": theme.series[i % len(theme.series)], "hatch": HATCHES[i % len(HATCHES)],
            "edgecolor": theme.background, "linewidth": 0,
        }
        for i, bound in enumerate(bounds)
    }  # fmt: skip
    rows = len(of) + len(machines)
    figure = new_figure(WIDTH_IN, REST_IN + 0.6 + ROW_IN * rows)
    axes = figure.subplots()
    y, labels = 0.0, []
    longest = float(of["speed_gain"].max())
    for machine in machines:
        own = of[of["machine"] == machine]
        axes.text(0, y, machine, va="center", ha="left", weight="bold", color=theme.text)
        for row in own.to_dict("records"):
            y += 1
            bound = BOUND_NAMES.get(row["bound_by"], row["bound_by"])
            axes.barh(y, row["speed_gain"], height=0.75, **looks[bound])
            text = f"{row['speed_gain']:.2f}×  ({row['tokens_per_s']:.3g} tokens/s)"
            axes.text(
                row["speed_gain"] + 0.01 * longest, y, text, va="center", ha="left", color=theme.text, size=TEXT_PT
            )
            labels.append((y, f"{row['format']}, {row['weight_bits']:.5g} bit"))
        y += 1.3
    axes.set_yticks([at for at, _ in labels], [text for _, text in labels])
    axes.set_ylim(y - 0.4, -0.7)
    axes.set_xlim(0, longest * 1.28)
    axes.grid(visible=False, axis="y")
    batch = int(gains["batch"].min())
    axes.set_xlabel(f"tokens/s relative to the first format of the machine, batch {batch}")
    figure.suptitle("What narrow weights gain in decode, and what bounds them")
    legend_below(figure, [Patch(**looks[bound]) for bound in bounds], bounds)
    return figure
