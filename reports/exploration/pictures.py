"""Draws every plot that an exploration asks for."""

from collections.abc import Callable
from functools import partial

from matplotlib.figure import Figure

from bitjoule.experiments.exploration.result import ExplorationResult
from bitjoule.experiments.exploration.schema import DesignMapPlot, ParetoPlot, Plot
from bitjoule.reports.energy.pictures import stems
from bitjoule.reports.exploration.design_map import draw_design_map
from bitjoule.reports.exploration.knobs import draw_knobs
from bitjoule.reports.exploration.pareto import draw_pareto
from bitjoule.reports.figures.style import Theme


def drawings(result: ExplorationResult) -> dict[str, Callable[[Theme], Figure]]:
    """Return what draws each plot, by file name without theme and suffix; nothing where no design is feasible.

    Parameters
    ----------
    result
        Of an exploration.
    """
    if result.best is None:
        return {}
    plots = result.experiment.plots
    return {
        stem: partial(_draw, plot, result) for stem, plot in zip(stems([p.kind for p in plots]), plots, strict=True)
    }


def _draw(plot: Plot, result: ExplorationResult, theme: Theme) -> Figure:
    match plot:
        case ParetoPlot():
            return draw_pareto(plot, result, theme)
        case DesignMapPlot():
            return draw_design_map(plot, result, theme)
        case _:
            return draw_knobs(result, theme)
