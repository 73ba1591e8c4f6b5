"""The pictures of trainings that differ in one thing: formats beside each other, and losses over learning rates."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import Theme, new_figure
from bitjoule.reports.figures.wrapping import wrapped
from bitjoule.reports.quality.frontier import look_of, shown
from bitjoule.reports.quality.summary import GREAT_NATS, nats

UNIFORM_NATS = math.log(256)  # of a byte that is guessed
CUT_NATS = 6.5  # losses above are drawn there
TITLE_CHARACTERS = 76  # of a line


def draw_variants(
    baseline: str, summary: pd.DataFrame, models: pd.DataFrame, formats: pd.DataFrame, theme: Theme
) -> Figure:
    """Draw the loss of each format less the baseline's, with its interval, and the seeds beside it.

    Parameters
    ----------
    baseline
        Format of the differences.
    summary, models
        Tables of the experiment; the largest size with a loss of the baseline is drawn.
    formats
        Kind and variant of each format.
    theme
        Light or dark.
    """
    with_base = summary[(summary["format"] == baseline) & summary["loss_nats_per_byte"].notna()]
    largest = with_base.sort_values("parameters", kind="stable").iloc[-1]["rung"]
    rows = summary[summary["rung"] == largest].iloc[::-1]
    base = rows.loc[rows["format"] == baseline, "loss_nats_per_byte"].iloc[0]
    figure = new_figure(10.5, 2.2 + 0.45 * len(rows))
    axes = figure.subplots()
    places = np.arange(len(rows))
    for place, row in zip(places, rows.to_dict("records"), strict=True):
        drawn = look_of(row["format"], formats, theme)
        seeds = models[(models["rung"] == largest) & (models["format"] == row["format"])]["loss_nats_per_byte"] - base
        axes.plot(seeds, np.full(len(seeds), place), "|", color=drawn.color, markersize=12, markeredgewidth=1.5)
        mean = row["loss_nats_per_byte"] - base
        axes.plot([row["gap_low_nats_per_byte"], row["gap_high_nats_per_byte"]], [place, place], color=drawn.color)
        axes.plot(mean, place, marker=drawn.marker, color=drawn.color, markersize=9)
        text = f"{significant(base, 4)} nats" if row["format"] == baseline else gap_text(mean)
        axes.annotate(text, (1.01, place), xycoords=axes.get_yaxis_transform(), va="center", fontsize=11.5)
    axes.axvline(0, color=theme.text, linewidth=1)
    axes.set_yticks(places, [shown(str(label)) for label in rows["format"]])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"held-out loss minus that of {shown(baseline)} (nats per byte); 95 % interval, ticks: seeds")
    figure.suptitle(message(baseline, rows), fontsize=14, fontweight="bold")
    return figure


def gap_text(gap_nats_per_byte: float) -> str:
    """Return a difference with its sign; none for one that is not seen in three decimals.

    Parameters
    ----------
    gap_nats_per_byte
        Loss less that of the baseline; NaN where all trainings diverged.
    """
    if math.isnan(gap_nats_per_byte):
        return "diverged"
    if abs(gap_nats_per_byte) >= GREAT_NATS:
        return nats(gap_nats_per_byte, "+.3f").replace("-", "−")
    text = f"{gap_nats_per_byte:+.3f}".replace("-", "−")
    return text if text.strip("+−0.") else "0.000"


def message(baseline: str, rows: pd.DataFrame) -> str:
    """Return what the picture says: which formats are better or worse than the baseline beyond their intervals.

    Parameters
    ----------
    baseline, rows
        The format, and rows of the summary.
    """
    worse = rows[rows["gap_low_nats_per_byte"] > 0]
    better = rows[rows["gap_high_nats_per_byte"] < 0]
    parts = []
    if len(better):
        best = better.sort_values("gap_nats_per_byte").iloc[0]
        parts.append(f"{shown(best['format'])} {nats(abs(best['gap_nats_per_byte']), '.2f')} nats better")
    if len(worse):
        worst = worse.sort_values("gap_nats_per_byte").iloc[-1]
        parts.append(f"{shown(worst['format'])} {nats(worst['gap_nats_per_byte'], '.2f')} nats worse")
    if not parts:
        return f"No difference to {shown(baseline)} beyond the seeds"
    return f"Relative to {shown(baseline)}: {', '.join(parts)}"


def draw_rates(summary: pd.DataFrame, models: pd.DataFrame, formats: pd.DataFrame, theme: Theme) -> Figure:
    """Draw the loss of each format over the peak of the learning rate.

    Parameters
    ----------
    summary, models
        Tables of the experiment.
    formats
        Kind and variant of each format.
    theme
        Light or dark.
    """
    figure = new_figure(10.5, 6.2)
    axes = figure.subplots()
    summary, models = at_rates(summary), at_rates(models)
    for label, rows in summary.groupby("format", sort=False):
        drawn = look_of(str(label), formats, theme)
        rows = rows.sort_values("learning_rate")
        loss = rows["loss_nats_per_byte"].clip(upper=CUT_NATS)
        axes.plot(rows["learning_rate"], loss, color=drawn.color, linestyle=drawn.dashes, marker=drawn.marker,
                  label=shown(str(label)))  # fmt: skip
        each = models[models["format"] == label]
        axes.plot(each["learning_rate"], each["loss_nats_per_byte"].clip(upper=CUT_NATS), "_", color=drawn.color,
                  markersize=9)  # fmt: skip
        for row in rows[rows["diverged"] > 0].to_dict("records"):
            axes.plot(row["learning_rate"], CUT_NATS, "x", color=drawn.color, markersize=11, markeredgewidth=2.5)
    axes.set_xscale("log")
    rates = sorted(set(summary["learning_rate"]))
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    if summary["loss_nats_per_byte"].max() > UNIFORM_NATS - 1 or summary["diverged"].any():
        axes.axhline(UNIFORM_NATS, color=theme.text, linewidth=1, linestyle=":")
        axes.annotate("a byte guessed", (rates[0], UNIFORM_NATS), xytext=(0, 4), textcoords="offset points")
    axes.set_xlabel("peak of the learning rate (AdamW)")
    axes.set_ylabel("held-out loss (nats per byte)")
    figure.suptitle(wrapped(rates_message(summary), TITLE_CHARACTERS), fontsize=14, fontweight="bold")
    legend_below(figure, *axes.get_legend_handles_labels(), dashed=True)
    return figure


def at_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that were trained at a rate, of each format the largest size: sizes are no steps of the rate.

    Parameters
    ----------
    table
        Of the experiment.
    """
    trained: pd.DataFrame = table[table["trained"]]
    largest = trained.groupby("format", sort=False)["parameters"].transform("max")
    return trained[trained["parameters"] == largest]


def rates_message(summary: pd.DataFrame) -> str:
    """Return what the picture says: what the next rate above the best costs each format.

    Parameters
    ----------
    summary
        Of the experiment.
    """
    parts = []
    for label, rows in at_rates(summary).groupby("format", sort=False):
        loss = rows.sort_values("learning_rate")["loss_nats_per_byte"].to_numpy(float)
        if np.isnan(loss).all():
            parts.append(f"{shown(str(label))} diverges at all rates")
            continue
        best = int(np.nanargmin(loss))
        if best + 1 < len(loss):
            above = loss[best + 1]
            worse = "diverges" if np.isnan(above) else f"+{nats(above - loss[best], '.2f')}"
            parts.append(f"{shown(str(label))} {worse}")
    return f"Nats at the next rate above the best: {', '.join(parts)}" if parts else "No rate above the best was tried"
