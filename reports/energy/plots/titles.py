"""The title of a picture, and how it draws a scheme."""

from matplotlib.figure import Figure

from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import AnyPlot
from bitjoule.reports.figures.families import Look, look
from bitjoule.reports.figures.style import Theme
from bitjoule.reports.figures.wrapping import wrapped

TITLE_IN_PER_CHARACTER = 0.125


def scheme_look(scheme: str, frames: Frames, theme: Theme) -> Look:
    """Return how a scheme is drawn.

    Parameters
    ----------
    scheme
        Its name.
    frames
        Of a run.
    theme
        Light or dark.
    """
    row = frames.formats.loc[[scheme]].to_dict("records")[0]
    return look(row["kind"], row["variant"], theme)


def set_title(figure: Figure, frames: Frames, plot: AnyPlot, text: str) -> None:
    """Put the plot's title, or the experiment's name and a text, over a figure, in as many lines as its width needs.

    Parameters
    ----------
    figure
        To change.
    frames
        Of a run.
    plot
        Which may have a title of its own.
    text
        What is drawn.
    """
    width = int(figure.get_figwidth() / TITLE_IN_PER_CHARACTER)
    figure.suptitle(wrapped(plot.title or f"{frames.name}: {text}", width), fontsize=14)
