"""The picture of scaling laws: losses over parameters, and how many more parameters a format needs."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from bitjoule.reports.figures.digits import parameters, significant
from bitjoule.reports.figures.style import Theme, new_figure, size_axis
from bitjoule.reports.quality.frontier import look_of, shown

MILLION = 1e6
SEEDS_APART = 1.012  # of the parameters, so that seeds are seen beside each other
TICKS = (1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0)


def draw(baseline: str, models: pd.DataFrame, laws: pd.DataFrame, formats: pd.DataFrame, theme: Theme) -> Figure:
    """Draw losses over parameters with the power law of each format, and the exponents or the factors of size.

    Parameters
    ----------
    baseline
        Format of the factors.
    models, laws
        Tables of the experiment.
    formats
        Kind and variant of each format.
    theme
        Light or dark.
    """
    power = laws[laws["form"] == "power"].set_index("format")
    figure = new_figure(9.8, 5.8)
    panels = figure.subplots(1, 2, width_ratios=[1.5, 1.0]) if len(power) else [figure.subplots()]
    _losses(panels[0], models, power, formats, theme)
    if len(power):
        _factors(panels[1], baseline, power, formats, theme)
    figure.suptitle(message(baseline, power), fontsize=15, fontweight="bold")
    return figure


def message(baseline: str, power: pd.DataFrame) -> str:
    """Return what the picture says.

    Parameters
    ----------
    baseline, power
        The format of the factors, and the power laws by format.
    """
    factors = power["size_factor"].drop(labels=[baseline], errors="ignore").dropna()
    if factors.empty:
        return "Loss over parameters"
    worst = str(factors.idxmax())
    times = significant(float(factors.max()), 2)
    return f"{shown(worst)} needs {times} times the parameters of {shown(baseline)} for its loss"


def _losses(axes: Axes, models: pd.DataFrame, power: pd.DataFrame, formats: pd.DataFrame, theme: Theme) -> None:
    trained = models[models["trained"]].dropna(subset=["loss_nats_per_byte"])
    labels = list(dict.fromkeys(trained["format"]))
    for number, label in enumerate(labels):
        rows = trained[trained["format"] == label]
        drawn = look_of(label, formats, theme)
        shift = SEEDS_APART ** (number - (len(labels) - 1) / 2)
        axes.plot(rows["parameters"] * shift, rows["loss_nats_per_byte"], marker=drawn.marker, linestyle="none",
                  color=drawn.color, markersize=6, label=shown(label) if label not in power.index else "_")  # fmt: skip
        if label in power.index:
            law = power.loc[label]
            size = np.geomspace(rows["parameters"].min(), rows["parameters"].max(), 50)
            loss = law["a_nats"] * (size / MILLION) ** -law["exponent"]
            axes.plot(size, loss, color=drawn.color, linestyle=drawn.dashes, linewidth=1.5)
            text = f"{shown(label)}: {significant(law['a_nats'], 3)} (N/1M)^−{significant(law['exponent'], 3)}"
            axes.plot([], [], color=drawn.color, linestyle=drawn.dashes, marker=drawn.marker, label=text)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator(TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    size_axis(axes)
    axes.xaxis.set_major_formatter(lambda value, _: parameters(value, 3).replace(".00", "").replace(".0", ""))
    axes.set_ylabel("held-out loss (nats per byte)")
    axes.set_title("one point a training; lines: power laws")
    axes.legend(loc="lower left", fontsize=10.5)


def _factors(axes: Axes, baseline: str, power: pd.DataFrame, formats: pd.DataFrame, theme: Theme) -> None:
    rows = power.drop(index=[baseline], errors="ignore").dropna(subset=["size_factor"]).iloc[::-1]
    places = np.arange(len(rows))
    for place, (label, row) in zip(places, rows.iterrows(), strict=True):
        drawn = look_of(str(label), formats, theme)
        axes.plot([row["size_factor_low"], row["size_factor_high"]], [place, place], color=drawn.color)
        axes.plot(row["size_factor"], place, marker=drawn.marker, color=drawn.color, markersize=9)
        axes.annotate(significant(row["size_factor"], 3), (row["size_factor"], place), xytext=(0, 9),
                      textcoords="offset points", ha="center", fontsize=11.5)  # fmt: skip
    axes.axvline(1, color=theme.text, linewidth=1)
    axes.set_yticks(places, [shown(str(label)) for label in rows.index])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(visible=False, axis="y")
    axes.set_title(f"parameters for the loss of {shown(baseline)}")
    at = sorted(set(rows["factor_at_parameters"]))
    sizes = " to ".join(parameters(each, 3) for each in (at if len(at) == 1 else (at[0], at[-1]))) if at else ""
    axes.set_xlabel(f"times those of {shown(baseline)}, 95 % interval\nat {sizes}", fontsize=12)
