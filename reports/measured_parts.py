"""What the measured energy of a MAC is made of: stacked bars of an array's parts, what is glitches hatched."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bitjoule.experiments.measuring import first_by_part
from bitjoule.reports.bars import MAX_BARS, draw_bars
from bitjoule.reports.digits import prefix, with_unit
from bitjoule.reports.measured_lines import J_PER_FJ, library_panels, of_library
from bitjoule.reports.panels import legend_below, named_handles
from bitjoule.reports.style import Theme, new_figure

BAR_IN, REST_IN, WIDTH_IN = 0.55, 1.9, 7.4
GLITCHES, HATCH = "of it glitches", "//////"


def draw_parts(results: pd.DataFrame, summary: pd.DataFrame, theme: Theme) -> Figure:
    """Draw a bar for each array, a panel for each library; in each part, what glitches add is hatched.

    Of an array that was measured with several stimuli, the first is shown.

    Parameters
    ----------
    results, summary
        Of a gates experiment.
    theme
        Light or dark.
    """
    first = summary.groupby(["library", "array"], sort=False).head(1)
    bars = _with_glitches(first_by_part(results, summary), first_by_part(results, summary, "settled_fj"))
    colors = dict(zip(bars.columns, (color for color in _colors(theme) for _ in range(2)), strict=False))
    panels = library_panels(first)
    shown = min(MAX_BARS, first["array"].nunique())
    figure = new_figure(WIDTH_IN * len(panels) + 2.0, REST_IN + BAR_IN * shown)
    drawn = list(figure.subplots(1, len(panels), squeeze=False).flat)
    for axes, panel in zip(drawn, panels, strict=True):
        own = of_library(panel, first).head(MAX_BARS)
        factor, unit = prefix(float(own["energy_fj"].max()) * J_PER_FJ)
        scale = J_PER_FJ / factor
        ends = [with_unit(value * J_PER_FJ, "J") for value in own["energy_fj"]]
        draw_bars(axes, bars.loc[[panel.technology]].head(MAX_BARS) * scale, ends, _names(own), colors, theme)
        for glitches in axes.containers[1::2]:
            for bar in glitches:
                bar.set_hatch(HATCH)
        axes.set_title(panel.title)
        axes.set_xlabel(f"energy of a MAC ({unit}J)")
    figure.suptitle("What a MAC's energy is made of")
    hatched = Patch(facecolor=theme.text, edgecolor=theme.background, hatch=HATCH)
    named = {**named_handles(drawn), GLITCHES: hatched}
    legend_below(figure, named.values(), named)
    return figure


def _names(own: pd.DataFrame) -> list[str]:
    """Return the bars' names: arrays, with their stimuli where these differ."""
    several = len(set(own["stimulus"])) > 1
    return [f"{row['array']}\n{row['stimulus']}" if several else row["array"] for row in own.to_dict("records")]


def _with_glitches(total: pd.DataFrame, settled: pd.DataFrame) -> pd.DataFrame:
    """Return each part without glitches and, in a column whose name no legend shows, what these add to it."""
    columns = {}
    for part in total.columns:
        columns[part] = settled[part].clip(upper=total[part])
        columns[f"_{part}"] = total[part] - columns[part]
    return pd.DataFrame(columns, index=total.index)


def _colors(theme: Theme) -> Sequence[str]:
    """Return colours for parts in order, neighbours unlike each other."""
    one, two, three, four = theme.families
    return (*theme.cache[:1], one[0], one[2], three[1], two[1], theme.small, four[0], three[3], theme.spilled, four[1],
            one[3], theme.cache[1])  # fmt: skip
