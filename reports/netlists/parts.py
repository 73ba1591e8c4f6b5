"""Simulated energy per MAC by part of the array: stacked bars, the glitches of each part hatched."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bitjoule.experiments.netlists.run import by_part, shown_cases
from bitjoule.gates.power.parts import PARTS
from bitjoule.reports.figures.bars import MAX_BARS, draw_bars
from bitjoule.reports.figures.digits import prefix, with_unit
from bitjoule.reports.figures.panels import legend_below, named_handles
from bitjoule.reports.figures.style import Theme, new_figure
from bitjoule.reports.netlists.lines import J_PER_FJ, library_panels, library_rows

BAR_IN, REST_IN, WIDTH_IN = 0.55, 1.9, 7.4
REST = ("input", "wires")  # not parts of the array
GLITCHES, HATCH = "glitches", "//////"


def draw_parts(results: pd.DataFrame, summary: pd.DataFrame, theme: Theme, share: bool = False) -> Figure:
    """Draw a bar for each array or stimulus, a panel for each library; in each part, what glitches add is hatched.

    Of several arrays that were measured with several stimuli, the first of these is shown; of one array all are.

    Parameters
    ----------
    results, summary
        Of a gates experiment.
    theme
        Light or dark.
    share
        Whether bars are in per cent; their ends are labelled with energies in both cases.
    """
    cases = shown_cases(summary)
    bars = _with_glitches(by_part(results, cases), by_part(results, cases, "settled_fj"))
    panels = library_panels(cases)
    shown = min(MAX_BARS, len(cases) // len(panels))
    figure = new_figure(WIDTH_IN + 2.0, (REST_IN + BAR_IN * shown) * len(panels))
    drawn = list(figure.subplots(len(panels), 1, squeeze=False).flat)
    hatch_of = {part: HATCH if part.startswith("_") else "" for part in _colors(theme)}
    for axes, panel in zip(drawn, panels, strict=True):
        panel_cases = library_rows(panel, cases).head(MAX_BARS)
        factor, unit = prefix(float(panel_cases["energy_fj"].max()) * J_PER_FJ)
        ends = [with_unit(value * J_PER_FJ, "J") for value in panel_cases["energy_fj"]]
        drawn_bars = bars.loc[[panel.technology]].head(MAX_BARS)
        scale = 100 / drawn_bars.sum(axis=1) if share else pd.Series(J_PER_FJ / factor, drawn_bars.index)
        draw_bars(axes, drawn_bars.mul(scale, axis="index"), ends, _names(panel_cases), _colors, theme,
                  hatch_of=hatch_of)  # fmt: skip
        if share:
            axes.set_xticks(range(0, 101, 20))
        axes.set_title(panel.title)
        axes.set_xlabel("share of the energy per MAC (%)" if share else f"energy per MAC ({unit}J)")
    stimuli = set(cases["stimulus"])
    figure.suptitle(f"Energy per MAC by part{f', {stimuli.pop()}' if len(stimuli) == 1 else ''}")
    hatched = Patch(facecolor=theme.text, edgecolor=theme.background, hatch=HATCH)
    handles = {**named_handles(drawn), GLITCHES: hatched}
    legend_below(figure, handles.values(), handles)
    return figure


def _names(cases: pd.DataFrame) -> list[str]:
    """Return the bars' names: arrays or stimuli, or both where both differ."""
    arrays, stimuli = (cases[column].tolist() for column in ("array", "stimulus"))
    if len(set(stimuli)) == 1:
        return arrays
    return stimuli if len(set(arrays)) == 1 else [f"{pair[0]}\n{pair[1]}" for pair in zip(arrays, stimuli, strict=True)]


def _with_glitches(total: pd.DataFrame, settled: pd.DataFrame) -> pd.DataFrame:
    """Return each part without glitches and, in a column whose name no legend shows, what these add to it."""
    columns = {}
    for part in total.columns:
        columns[part] = settled[part].clip(upper=total[part])
        columns[f"_{part}"] = total[part] - columns[part]
    return pd.DataFrame(columns, index=total.index)


def _colors(theme: Theme) -> dict[str, str]:
    """Return the colours of parts, and of what glitches add to them: neighbours differ in hue and in lightness.

    Also those that become neighbours in an array without multipliers: glitches are what is hatched.
    """
    blue, orange, green, purple = theme.families
    hues = [theme.cache[0], blue[3], green[1], blue[0], orange[1], blue[1]]
    hues += [green[0], purple[0], purple[1], orange[0]]
    colors = dict(zip((*PARTS, *REST), hues, strict=True))
    return colors | {f"_{part}": color for part, color in colors.items()}
