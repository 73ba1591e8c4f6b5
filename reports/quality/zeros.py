"""The picture of zero trits over a training, and what an array saves by them."""

import pandas as pd
from matplotlib.figure import Figure

from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import DASHES, MARKERS, Theme, new_figure, unit_tick

HEADROOM = 1.1  # of an axis that begins at zero, over what is drawn
SHOWN = {"cosine": "cosine, decay to half", "no-decay": "no weight decay", "two-stages": "two stages (FAQ)"}


def draw(summary: pd.DataFrame, theme: Theme) -> Figure:
    """Draw the share of zeros, and what a MAC of the array takes less, over the tokens of the training.

    Parameters
    ----------
    summary
        Of the experiment.
    theme
        Light or dark.
    """
    figure = new_figure(12.4, 5.8)
    share, saved = figure.subplots(1, 2)
    technologies = list(dict.fromkeys(summary["technology"]))
    first = summary[summary["technology"] == technologies[0]]
    for number, (label, rows) in enumerate(first.groupby("format", sort=False)):
        look = {"color": theme.series[number % len(theme.series)], "linestyle": DASHES[number % len(DASHES)]}
        marks = {"marker": MARKERS[number % len(MARKERS)], "markevery": max(len(rows) // 8, 1)}
        share.plot(rows["tokens"], 100 * rows["zero_share"], label=SHOWN.get(str(label), str(label)), **look, **marks)
        ends = (100 * rows["zero_share_least"], 100 * rows["zero_share_greatest"])
        share.fill_between(rows["tokens"], *ends, color=look["color"], alpha=0.2, linewidth=0)
        for technology in technologies[-1:]:
            of_node = summary[(summary["technology"] == technology) & (summary["format"] == label)]
            saved.plot(of_node["tokens"], 100 * of_node["saved_share"], **look, **marks)
    for axes in (share, saved):
        axes.set_xlabel("bytes trained on")
        axes.xaxis.set_major_formatter(lambda value, _: unit_tick(value, ""))
    share.set_ylabel("zero trits (%)")
    saved.set_ylabel("energy of a MAC below that without zeros (%)")
    saved.set_ylim(0, HEADROOM * saved.dataLim.y1 or 1)
    saved.set_title(f"array of adders, {technologies[-1]}")
    share.set_title("weights that are zero")
    figure.suptitle(message(summary), fontsize=15, fontweight="bold")
    legend_below(figure, *share.get_legend_handles_labels())
    return figure


def message(summary: pd.DataFrame) -> str:
    """Return what the picture says: the shares at the end, and what they save on the array that is drawn.

    Parameters
    ----------
    summary
        Of the experiment.
    """
    last = summary[summary["tokens"] == summary["tokens"].max()]
    ends = _ends(last["zero_share"], 3)
    technology = last["technology"].iloc[-1]
    shares = last.loc[last["technology"] == technology, "saved_share"]
    saved = _ends(shares, 2)
    return f"{ends} % of the trits end as zeros, which saves {saved} % of a MAC's energy at {technology}"


def _ends(shares: "pd.Series[float]", digits: int) -> str:
    """Return the least and the greatest share in percent; once where both are written alike."""
    return " to ".join(dict.fromkeys(significant(100 * value, digits) for value in (shares.min(), shares.max())))
