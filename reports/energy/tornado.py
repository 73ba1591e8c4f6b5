"""A tornado: what each price does to energy and gain, the widest first."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import TornadoPlot
from bitjoule.experiments.output.columns import REQUEST
from bitjoule.reports.energy.workloads import first_of, first_workload, in_phase, phase_text, set_title
from bitjoule.reports.figures.digits import prefix
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import Theme, new_figure

BAR_IN, PANEL_IN, REST_IN, WIDTH_IN = 0.3, 0.9, 1.2, 12.0
SHOWN = 8  # causes of each scheme
ENDS = ("low", "high")


def draw_tornado(plot: TornadoPlot, frames: Frames, theme: Theme) -> Figure:
    """Draw a row of two panels for each scheme: energy, and the baseline's energy over it, with one price moved.

    Parameters
    ----------
    plot
        What of the run is drawn.
    frames
        Of a run with `sensitivity`: its last technology, the last model and the first platform and workload.
    theme
        Light or dark.
    """
    first, text = first_workload(frames)
    table = first_of(frames.sensitivity, frames)
    table = table[in_phase(table, plot.phase)]
    for column, name in (("model", frames.models.index[-1]), ("technology", frames.technologies[-1])):
        table = table[table[column] == name]
    table = table[table["platform"] == frames.platforms[0]]
    baseline = frames.baseline.scheme if frames.baseline is not None else None
    schemes = [name for name in frames.schemes if name != baseline]
    groups = {scheme: widest(table[table["scheme"] == scheme]) for scheme in schemes}
    groups = {scheme: rows for scheme, rows in groups.items() if len(rows)}
    heights = [PANEL_IN + BAR_IN * len(rows) for rows in groups.values()]
    figure = new_figure(WIDTH_IN, REST_IN + sum(heights))
    columns = 1 if frames.baseline is None else 2
    panels = figure.subplots(len(groups), columns, squeeze=False, height_ratios=heights)
    for row, (scheme, rows) in zip(panels, groups.items(), strict=True):
        factor, unit = prefix(float(rows["energy_high_j"].max()))
        energies = rows[["energy_low_j", "energy_j", "energy_high_j"]] / factor
        phase = plot.phase or REQUEST
        _bars(row[0], energies, list(rows["cause"]), theme)
        row[0].set_xlabel(f"{scheme}: energy of {phase} ({unit}J)")
        if frames.baseline is not None:
            _bars(row[1], rows[["ratio_low", "ratio", "ratio_high"]], [""] * len(rows), theme)
            row[1].set_xlabel(f"{frames.baseline.name} energy / energy of {scheme}")
    model = f"{frames.models.index[-1]}, {frames.technologies[-1]}, "
    set_title(figure, frames, plot, f"{model}{phase_text(plot.phase, first['new_tokens'])}{text}")
    legend_below(figure, *panels[0, 0].get_legend_handles_labels())
    return figure


def widest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the causes that move the energy of one scheme and phase most, the widest first.

    Parameters
    ----------
    rows
        Of the sensitivity.
    """
    span = (rows["energy_high_j"] - rows["energy_low_j"]).sort_values(ascending=False, kind="stable")
    return rows.loc[span.index[:SHOWN]]


def _bars(axes: Axes, ends: pd.DataFrame, names: list[str], theme: Theme) -> None:
    low, nominal, high = (ends.iloc[:, i].to_numpy(float) for i in range(3))
    dark, light = theme.families[-1][:2]
    for end, values, color in zip(ENDS, (low, high), (light, dark), strict=True):
        label = f"price at its {end} end"
        axes.barh(range(len(ends)), values - nominal, left=nominal, color=color, height=0.7, label=label)
    axes.axvline(float(nominal[0]), color=theme.text, linewidth=1)
    axes.set_yticks(range(len(ends)), names)
    axes.set_ylim(len(ends) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
