"""The picture of losses over energies: models of a ladder, energy at equal loss, and published models."""

import re
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from bitjoule.reports.figures.digits import parameters, significant
from bitjoule.reports.figures.families import Look, look
from bitjoule.reports.figures.style import Theme, log_ticks, new_figure

WIDTH_IN, HEIGHT_IN = 9.8, 8.0  # narrow, so that text is read at half of a slide
WORDS = {
    "fp16": "FP16", "int8": "INT8", "int4": "INT4", "binary": "±1", "gptq": "GPTQ", "smoothquant": "SmoothQuant",
    "bitnet": "BitNet", "subln": "SubLN",
}  # fmt: skip
HOLLOW = ("s", "o", "D", "h", "d", "p", "<", "v", "P", ">")  # markers of methods
COLLAPSED = {"absmean-ternary": "trits after training", "sign-mean": "signs after training"}
PALE = 0.45  # opacity of bars that are not the best
MARKER_ROOM = 0.12  # of the ratios, for markers at the left and values at the right
MOST_BAND = 3.0  # of a value; a band that ends higher is cut


def shown(label: str) -> str:
    """Return a format or method as pictures name it.

    Parameters
    ----------
    label
        As tables name it.
    """
    if label in COLLAPSED:
        return COLLAPSED[label]
    words = (WORDS.get(word, word) for word in label.split("-"))
    return " ".join(word.upper() if re.fullmatch(r"w\d+(a\d+)?|a\d+(\.\d+)?", word) else word for word in words)


def look_of(label: str, formats: pd.DataFrame, theme: Theme) -> Look:
    """Return how a format is drawn.

    Parameters
    ----------
    label
        Of the format.
    formats
        Kind and variant of each format.
    theme
        Light or dark.
    """
    row = formats.loc[[label]].to_dict("records")[0]
    return look(str(row["kind"]), int(row["variant"]), theme)


def draw(
    baseline: str, summary: pd.DataFrame, equal: pd.DataFrame, published: pd.DataFrame, formats: pd.DataFrame,
    theme: Theme,
) -> Figure:  # fmt: skip
    """Draw losses over energies; of several machines the first.

    Parameters
    ----------
    baseline
        Format of the ratios.
    summary, equal, published
        Tables of the experiment.
    formats
        Kind and variant of each format and method.
    theme
        Light or dark.
    """
    machine = summary.dropna(subset=["energy_per_token_j"]).iloc[0][["technology", "platform"]]

    def here(table: pd.DataFrame) -> pd.DataFrame:
        kept: pd.DataFrame = table[
            (table["technology"] == machine["technology"]) & (table["platform"] == machine["platform"])
        ]
        return kept

    summary, equal, published = here(summary), here(equal), here(published)
    best = "" if equal.empty else str(at_least_loss(equal)["format"].iloc[0])
    figure = new_figure(WIDTH_IN, HEIGHT_IN)
    rows = 2 if len(published) else 1
    grid = figure.add_gridspec(rows, 2, width_ratios=[1.2, 1.0], height_ratios=[1.7, 1.0][:rows])
    _losses(figure.add_subplot(grid[:, 0]), summary, best, formats, theme)
    _equal_loss(figure.add_subplot(grid[0, 1]), baseline, equal, summary, formats, theme)
    if len(published):
        _published(figure.add_subplot(grid[1, 1]), published, theme)
    figure.suptitle(message(baseline, equal), fontsize=12.5, fontweight="bold")
    return figure


def message(baseline: str, equal: pd.DataFrame) -> str:
    """Return what the picture says: which format takes least at the least loss that all reach, and how many may.

    Parameters
    ----------
    baseline, equal
        As for `draw`.
    """
    if equal.empty:
        return "Loss over the energy of a token"
    rows = at_least_loss(equal)
    best = rows.iloc[0]
    amount = significant(best["ratio_to_baseline"], 2)
    near = int((rows["ratio_high"].iloc[1:] >= best["ratio_low"]).sum())
    within = f"; {near} other{'s' * (near > 1)} within its band" if near else ""
    return (
        f"At equal loss {shown(best['format'])} takes least energy: {amount} times less than {shown(baseline)}{within}"
    )


def at_least_loss(equal: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at the least loss that all formats reach, the largest ratio first.

    Parameters
    ----------
    equal
        Of one machine.
    """
    least: pd.DataFrame = equal[equal["loss_nats_per_byte"] == equal["loss_nats_per_byte"].min()]
    return least.sort_values("ratio_to_baseline", ascending=False)


def _losses(axes: Axes, summary: pd.DataFrame, best: str, formats: pd.DataFrame, theme: Theme) -> None:
    axes.set_title("lines: trained; hollow: after training")
    axes.set_xscale("log")
    for label, rows in summary.dropna(subset=["loss_nats_per_byte"]).groupby("format", sort=False):
        drawn = _look(str(label), formats, summary, theme)
        rows = rows.sort_values("parameters")
        energy_j, loss = rows["energy_per_token_j"], rows["loss_nats_per_byte"]
        line: dict[str, Any] = {"color": drawn.color, "marker": drawn.marker, "label": f"_{label}"}
        if label == best:  # joined and thick, however it was made
            line |= {
                "linestyle": drawn.dashes,
                "linewidth": 3.2,
                "markersize": 9,
                "label": f"{shown(best)}: least energy",
            }
        elif label in COLLAPSED:  # they have no bar that names them
            line["label"] = shown(str(label))
        if not rows["trained"].iloc[0]:
            hollow: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "none", "zorder": 2.5}
            axes.plot(energy_j, loss, **hollow | line)
            continue
        if label != best:
            line |= {"linestyle": drawn.dashes, "markersize": 8, "label": shown(str(label))}
        axes.plot(energy_j, loss, **line)
        reach = (rows["loss_high_nats_per_byte"] - loss).fillna(0.0)
        axes.errorbar(energy_j, loss, reach, fmt="none", ecolor=drawn.color, elinewidth=1.2)
    of_set = summary[summary["pareto"]].sort_values("energy_per_token_j")
    axes.plot(of_set["energy_per_token_j"], of_set["loss_nats_per_byte"], color=theme.text, linewidth=1,
              linestyle=(0, (1, 1.5)), drawstyle="steps-post", zorder=1, label="Pareto set")  # fmt: skip
    low, high = axes.get_xlim()
    axes.set_xlim(low * (low / high) ** 0.16, high * (high / low) ** 0.06)
    for rung, rows in summary[summary["trained"]].groupby("rung", sort=False):
        at = rows.sort_values("energy_per_token_j", kind="stable").iloc[0]
        axes.annotate(str(rung), (at["energy_per_token_j"], at["loss_nats_per_byte"]), xytext=(-9, -12),
                      textcoords="offset points", ha="right", fontsize=11, color=theme.text)  # fmt: skip
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.08), ncols=2, fontsize=11)
    log_ticks(axes.xaxis, "J")
    axes.set_xlabel("energy per generated token, whole model")
    axes.set_ylabel("held-out loss (nats per byte); lower is better")


def _look(label: str, formats: pd.DataFrame, summary: pd.DataFrame, theme: Theme) -> Look:
    """Return how a format or method is drawn: methods have markers of their own, in the order of the table."""
    drawn = look_of(label, formats, theme)
    methods = list(dict.fromkeys(summary[~summary["trained"]]["format"]))
    return drawn if label not in methods else drawn._replace(marker=HOLLOW[methods.index(label) % len(HOLLOW)])


def _equal_loss(
    axes: Axes, baseline: str, equal: pd.DataFrame, summary: pd.DataFrame, formats: pd.DataFrame, theme: Theme
) -> None:
    axes.set_title("energy saved at equal loss")
    if equal.empty:
        axes.text(0.5, 0.5, "no loss that two formats reach", transform=axes.transAxes, ha="center", va="center")
        return
    rows = at_least_loss(equal)[::-1]
    trained = summary.groupby("format")["trained"].first()
    places = np.arange(len(rows))
    left, right = min(0.9, float(rows["ratio_low"].min()) * 0.97), _right(rows)
    for place, row in zip(places, rows.to_dict("records"), strict=True):
        drawn = _look(row["format"], formats, summary, theme)
        ratio, low, high = row["ratio_to_baseline"], max(row["ratio_low"], left), min(row["ratio_high"], right)
        is_best = place == len(rows) - 1
        axes.barh(place, ratio - 1, left=1, color=drawn.color, height=0.62, alpha=1.0 if is_best else PALE)
        axes.plot([low, high], [place, place], color=theme.text, linewidth=1.3)
        axes.annotate(significant(ratio, 3), (high, place), xytext=(5, 0), va="center", textcoords="offset points",
                      fontsize=11.5, fontweight="bold" if is_best else "normal")  # fmt: skip
        face = drawn.color if trained[row["format"]] else "none"
        axes.plot(0.035, place, marker=drawn.marker, color=drawn.color, markerfacecolor=face, markersize=8,
                  transform=axes.get_yaxis_transform(), clip_on=False)  # fmt: skip
    axes.axvline(1, color=theme.text, linewidth=1)
    axes.set_yticks(places, [shown(str(label)) for label in rows["format"]])
    axes.get_yticklabels()[-1].set_fontweight("bold")
    axes.grid(visible=False, axis="y")
    room = (right - left) * MARKER_ROOM
    axes.set_xlim(left - room, right + 1.9 * room)
    at = significant(rows["loss_nats_per_byte"].iloc[0], 3)
    axes.set_xlabel(f"times less energy than {shown(baseline)}\nat {at} nats; line: prices and seeds", fontsize=12)


def _right(rows: pd.DataFrame) -> float:
    """Return the largest end of a band that is no more than some times its value."""
    ends = rows["ratio_high"].where(
        rows["ratio_high"] <= MOST_BAND * rows["ratio_to_baseline"], rows["ratio_to_baseline"]
    )
    return float(ends.max())


def _published(axes: Axes, published: pd.DataFrame, theme: Theme) -> None:
    axes.set_title("published: b1.58, Table 1" if set(published["source"]) == {"ma2024era"} else "published")
    axes.set_xscale("log")
    for scheme, rows in published.groupby("scheme", sort=False):
        rows = rows.sort_values("parameters")
        kind = "ternary" if "1.58" in str(scheme) else "binary" if "bitnet" in str(scheme) else "float"
        drawn = look(kind, 0, theme)
        axes.plot(rows["energy_per_token_j"], rows["loss_nats_per_token"], color=drawn.color, marker=drawn.marker,
                  linestyle=drawn.dashes, markersize=8)  # fmt: skip
        first = rows.iloc[0]
        axes.annotate(shown(str(scheme)), (first["energy_per_token_j"], first["loss_nats_per_token"]),
                      xytext=(10, 7), textcoords="offset points", color=drawn.color,
                      fontsize=12, fontweight="bold")  # fmt: skip
        for row in rows.to_dict("records"):
            axes.annotate(parameters(row["parameters"], 2), (row["energy_per_token_j"], row["loss_nats_per_token"]),
                          xytext=(7, 2), textcoords="offset points", va="top", fontsize=10)  # fmt: skip
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.06 * (high - low), high + 0.16 * (high - low))  # room for names above and sizes below
    low, high = axes.get_xlim()
    axes.set_xlim(low / (high / low) ** 0.12, high * (high / low) ** 0.12)
    log_ticks(axes.xaxis, "J")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.set_xlabel("energy per generated token")
    axes.set_ylabel("ln of perplexity\n(nats per token)", fontsize=12)
