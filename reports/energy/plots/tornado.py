"""A tornado: what each price and each assumption does to energy and gain, the widest first."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import TornadoPlot
from bitjoule.experiments.output.columns import REQUEST
from bitjoule.reports.energy.plots.titles import set_title
from bitjoule.reports.energy.sensitivity import ENERGIES, RATIOS, price_words, widest
from bitjoule.reports.energy.workloads import first_of, first_workload, in_phase, phase_text
from bitjoule.reports.figures.digits import prefix
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import Theme, new_figure

BAR_IN, PANEL_IN, REST_IN, WIDTH_IN = 0.3, 0.9, 1.2, 11.0
SHOWN = 8  # causes of each scheme
ENDS = ("low", "high")


def draw_tornado(plot: TornadoPlot, frames: Frames, theme: Theme) -> Figure:
    """Draw a row of two panels for each scheme: energy, and the baseline's energy over it, with one cause moved.

    Parameters
    ----------
    plot
        What of the run is drawn.
    frames
        Of a run with `sensitivity`: the case of the headline is drawn.
    theme
        Light or dark.
    """
    first, text = first_workload(frames)
    table = first_of(frames.sensitivity, frames)
    table = table[in_phase(table, plot.phase)]
    for column, name in (("model", frames.models.index[-1]), ("technology", frames.technologies[-1])):
        table = table[table[column] == name]
    table = table[table["platform"] == frames.shown_platform]
    baseline = frames.baseline.scheme if frames.baseline is not None else None
    schemes = [name for name in frames.schemes if name != baseline]
    groups = {scheme: widest(table[table["scheme"] == scheme], SHOWN) for scheme in schemes}
    groups = {scheme: rows for scheme, rows in groups.items() if len(rows)}
    heights = [PANEL_IN + BAR_IN * len(rows) for rows in groups.values()]
    figure = new_figure(WIDTH_IN, REST_IN + sum(heights))
    columns = 1 if frames.baseline is None else 2
    panels = figure.subplots(len(groups), columns, squeeze=False, height_ratios=heights)
    for row, (scheme, rows) in zip(panels, groups.items(), strict=True):
        factor, unit = prefix(float(rows[ENERGIES].to_numpy().max()))
        energies = rows[ENERGIES] / factor
        phase = plot.phase or REQUEST
        _bars(row[0], energies, [label(row) for row in rows.to_dict("records")], theme)
        row[0].set_xlabel(f"{scheme}: energy of {phase} ({unit}J)")
        if frames.baseline is not None:
            _bars(row[1], rows[RATIOS], [""] * len(rows), theme)
            row[1].set_xlabel(f"{frames.baseline.name} energy / energy of {scheme}")
    model = f"{frames.models.index[-1]}, {frames.technologies[-1]}, "
    set_title(figure, frames, plot, f"{model}{phase_text(plot.phase, first['new_tokens'])}{text}")
    legend_below(figure, *panels[0, 0].get_legend_handles_labels())
    return figure


def label(row: Mapping[Any, Any]) -> str:
    """Return a cause in words; of an assumption with what it is at its ends.

    Parameters
    ----------
    row
        Of the sensitivity.
    """
    if row["kind"] == "price":
        return price_words(row["cause"])
    return f"{row['cause']}: {row['low']} / {row['high']}".replace("_", " ")


def _bars(axes: Axes, ends: pd.DataFrame, names: list[str], theme: Theme) -> None:
    low, nominal, high = (ends.iloc[:, i].to_numpy(float) for i in range(3))
    dark, light = theme.families[-1][:2]
    for end, values, other, color in zip(ENDS, (low, high), (high, low), (light, dark), strict=True):
        bars = axes.barh(range(len(ends)), values - nominal, left=nominal, color=color, height=0.7)
        bars.set_label(f"at its {end} end")
        for bar, shorter in zip(bars, abs(values - nominal) < abs(other - nominal), strict=True):
            bar.set_zorder(3 if shorter else 2)  # where both ends lie on one side, the longer bar hides nothing
    axes.axvline(float(nominal[0]), color=theme.text, linewidth=1)
    axes.set_yticks(range(len(ends)), names)
    axes.set_ylim(len(ends) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
