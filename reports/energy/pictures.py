"""Draws every plot that an experiment asks for, as PNG and SVG, for light and dark pages."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bitjoule.energy_models.inputs.plugins import plugins
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import (
    GROUP,
    AccuracyPlot,
    ComponentsPlot,
    EnergyPlot,
    LossPlot,
    MemoryPlot,
    Plot,
    PublishedPlot,
    RatioPlot,
    RooflinePlot,
    SweepPlot,
    TornadoPlot,
    plot_module,
)
from bitjoule.reports.energy.plots.accuracies import draw_accuracies
from bitjoule.reports.energy.plots.components import draw_components
from bitjoule.reports.energy.plots.losses import draw_losses
from bitjoule.reports.energy.plots.memory import draw_memory
from bitjoule.reports.energy.plots.published import draw_published
from bitjoule.reports.energy.plots.roofline import draw_roofline
from bitjoule.reports.energy.plots.sizes import draw_sizes
from bitjoule.reports.energy.plots.sweeps import draw_sweep
from bitjoule.reports.energy.plots.tornado import draw_tornado
from bitjoule.reports.energy.selection import selected
from bitjoule.reports.figures.recolour import recolour
from bitjoule.reports.figures.style import DARK, LIGHT, Theme, png_dpi, settings, settle


def draw(plot: Plot, frames: Frames, theme: Theme) -> Figure:
    """Return one plot as a figure.

    Parameters
    ----------
    plot
        What the experiment asks for.
    frames
        Of a run.
    theme
        Light or dark.
    """
    frames = selected(frames, plot)
    with mpl.rc_context(settings(theme)):
        match plot:
            case ComponentsPlot():
                return draw_components(plot, frames, theme)
            case PublishedPlot():
                return draw_published(plot, frames, theme)
            case SweepPlot():
                return draw_sweep(plot, frames, theme)
            case RooflinePlot():
                return draw_roofline(plot, frames, theme)
            case AccuracyPlot():
                return draw_accuracies(plot, frames, theme)
            case LossPlot():
                return draw_losses(plot, frames, theme)
            case MemoryPlot():
                return draw_memory(plot, frames, theme)
            case TornadoPlot():
                return draw_tornado(plot, frames, theme)
            case EnergyPlot() | RatioPlot():
                return draw_sizes(plot, frames, theme)
            case _:
                return _contributed(plot, frames, theme)


def _contributed(plot: Plot, frames: Frames, theme: Theme) -> Figure:
    """Return a plot of another package as a figure."""
    plugin = plugins(GROUP)[plot.kind]
    try:
        figure = plot_module(plugin).draw(plot, frames, theme)
    except Exception as error:
        raise plugin.error(f"drawing fails with {type(error).__name__}: {error}", "a figure") from error
    if not isinstance(figure, Figure):
        raise plugin.error(f"draw gives {type(figure).__name__}", "a matplotlib Figure")
    return figure


def file_stems(frames: Frames) -> list[str]:
    """Return the file name, without theme and suffix, of each plot in order.

    Parameters
    ----------
    frames
        Of a run.
    """
    return stems([plot.kind for plot in frames.requested])


def stems(kinds: Sequence[str]) -> list[str]:
    """Return a file name for each plot: its kind, with a number from the second of a kind on.

    Parameters
    ----------
    kinds
        Of the plots.
    """
    return [
        kind if kinds[:i].count(kind) == 0 else f"{kind}_{kinds[:i].count(kind) + 1}" for i, kind in enumerate(kinds)
    ]


def save(drawn: Callable[[Theme], Figure], folder: Path, stem: str) -> None:
    """Write a picture as ``STEM.png``, ``STEM.svg`` and the same with ``_dark``.

    Parameters
    ----------
    drawn
        Draws it for the light theme, in whose settings it is called; the dark picture is the same, recoloured.
    folder, stem
        Where to write.
    """
    for theme in (LIGHT, DARK):
        with mpl.rc_context(settings(theme)):
            if theme is LIGHT:
                figure = drawn(LIGHT)
                figure.set_dpi(png_dpi(figure))
                settle(figure)  # else each file is laid out anew
            else:
                recolour(figure)
            # no date and no version inside: the same drawing gives the same bytes
            figure.savefig(folder / f"{stem}{theme.suffix}.png", dpi=png_dpi(figure), metadata={"Software": None})
            figure.savefig(folder / f"{stem}{theme.suffix}.svg", metadata={"Date": None, "Creator": None})


def drawings(frames: Frames) -> dict[str, Callable[[Theme], Figure]]:
    """Return what draws each plot that an experiment asks for, by file name without theme and suffix.

    A plot of printed numbers is left out where no case that was run has one.

    Parameters
    ----------
    frames
        Of a run.
    """
    plots = zip(file_stems(frames), frames.requested, strict=True)
    included = [
        (stem, plot) for stem, plot in plots if not (isinstance(plot, PublishedPlot) and frames.comparison.empty)
    ]
    return {stem: partial(draw, plot, frames) for stem, plot in included}


def draw_all(frames: Frames, folder: Path) -> None:
    """Write every plot of an experiment.

    Parameters
    ----------
    frames
        Of a run.
    folder
        Where to write.
    """
    for stem, drawn in drawings(frames).items():
        save(drawn, folder, stem)
