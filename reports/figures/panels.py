"""One panel for each technology and platform, and the legend under them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bitjoule.experiments.energy.frames import Frames
from bitjoule.reports.figures.style import WIDEST_LABELLED_IN, new_figure
from bitjoule.reports.figures.wrapping import wrapped

PANELS_A_ROW = 3
SIDE_IN, ALONE_SIDE_IN = 0.6, 2.6  # beside panels, and beside a panel that is alone
TITLE_IN_PER_CHARACTER = 0.118  # of a panel's title
HANDLE_IN, IN_PER_CHARACTER = 0.8, 0.1
LEGEND_COLUMNS, LEGEND_ROW_IN = 4, 0.26
LONG_EM, LONGER_IN = 3.5, 0.25  # lines of a legend that show their dashes, and by how much they are longer


def technology_title(name: str) -> str:
    """Return a technology's name for over a panel; one that claims a measurement says what it is.

    Parameters
    ----------
    name
        Of the technology; those that ship were named before nothing was to be called measured but a chip.
    """
    return f"{name} (synthesised)" if name.endswith(("-measured", "-measured-arrays")) else name


class Panel(NamedTuple):
    """What one panel shows.

    Parameters
    ----------
    technology, platform
        Names; the platform's is empty with the papers' accountings.
    """

    technology: str
    platform: str

    @property
    def title(self) -> str:
        """For over the panel."""
        return ", ".join(name for name in (technology_title(self.technology), self.platform) if name)

    def of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that belong here.

        Parameters
        ----------
        rows
            Of a table with columns technology and platform.
        """
        return rows[(rows["technology"] == self.technology) & (rows["platform"] == self.platform)]


def panels_of(frames: Frames) -> list[Panel]:
    """Return the panels of a run, row by row.

    Parameters
    ----------
    frames
        Of a run.
    """
    technologies, platforms = frames.technologies, frames.platforms
    if len(technologies) < len(platforms) <= PANELS_A_ROW:
        return [Panel(technology, platform) for technology in technologies for platform in platforms]
    return [Panel(technology, platform) for platform in platforms for technology in technologies]


def draw_panels(
    panels: Sequence[Panel], width_in: float = 5.4, height_in: float = 5.8, shared: bool = True
) -> tuple[Figure, list[Axes]]:
    """Return a figure with one titled panel each, and the panels' axes.

    Parameters
    ----------
    panels
        What they show.
    width_in, height_in
        Of one panel.
    shared
        Whether they share y.
    """
    columns, folded = _columns(panels)
    rows = math.ceil(len(panels) / columns)
    side_in = SIDE_IN if columns > 1 else ALONE_SIDE_IN
    width_in = min(width_in, (WIDEST_LABELLED_IN - side_in) / columns)
    figure = new_figure(width_in * columns + side_in, height_in + (height_in - 1.2) * (rows - 1))
    every = in_order(figure.subplots(rows, columns, sharey=shared, squeeze=False), folded)
    for axes, panel in zip(every, panels, strict=False):
        axes.set_title(panel_title(panel.title, width_in))
    for unused in every[len(panels) :]:
        unused.remove()
    return figure, every[: len(panels)]


def _columns(panels: Sequence[Panel]) -> tuple[int, bool]:
    """Return how many panels a row has, technologies or platforms where these fit, and whether it is a folded list."""
    counts = {len({panel.technology for panel in panels}), len({panel.platform for panel in panels})}
    if 1 in counts or not any(count <= PANELS_A_ROW for count in counts):
        return columns_for(len(panels)), is_folded(len(panels))
    return max(count for count in counts if count <= PANELS_A_ROW), False


def columns_for(panels: int) -> int:
    """Return how many panels a row has where nothing else arranges them.

    Parameters
    ----------
    panels
        How many there are.
    """
    return panels if panels <= PANELS_A_ROW else 2


def is_folded(panels: int) -> bool:
    """Return whether a list of panels goes down the first column and then down the second, as technologies do.

    Parameters
    ----------
    panels
        How many there are.
    """
    return panels > PANELS_A_ROW + 1


def in_order(grid: NDArray[Any], folded: bool) -> list[Axes]:
    """Return the panels of a figure in the order in which they are filled.

    Parameters
    ----------
    grid
        From `Figure.subplots`, shape (rows, columns).
    folded
        Whether column by column.
    """
    return list((grid.T if folded else grid).flat)


def panel_title(title: str, width_in: float) -> str:
    """Return a panel's title in as many lines as its width needs.

    Parameters
    ----------
    title
        Of a panel.
    width_in
        Of the panel in inches.
    """
    return wrapped(title, int(width_in / TITLE_IN_PER_CHARACTER))


def left_panels(axes: Iterable[Axes]) -> list[Axes]:
    """Return the panels at the left edge: those that name the y axis.

    Parameters
    ----------
    axes
        Of a figure.
    """
    left = []
    for panel in axes:
        spec = panel.get_subplotspec()
        if spec is None or spec.is_first_col():
            left.append(panel)
    return left


def legend_below(
    figure: Figure,
    handles: Iterable[Artist],
    labels: Iterable[str],
    columns: int | None = None,
    dashed: bool = False,
    others: str = "",
) -> None:
    """Put a legend under a figure, in as many columns as its width holds.

    Parameters
    ----------
    figure
        To change.
    handles, labels
        What it shows.
    columns
        At most.
    dashed
        Whether entries differ in their dashes alone, which short lines do not show.
    others
        What has no entry, as a text.
    """
    entries = list(zip(handles, labels, strict=True))
    if not entries:
        return
    names = [label for _, label in entries]
    handle_in = HANDLE_IN + (LONGER_IN if dashed else 0)
    ncols = min(legend_columns(names, figure.get_figwidth(), handle_in), columns or LEGEND_COLUMNS)
    length_em = LONG_EM if dashed else None
    drawn = [handle for handle, _ in entries]
    title = wrapped(others, int(figure.get_figwidth() / IN_PER_CHARACTER))
    figure.legend(drawn, names, loc="outside lower center", ncols=ncols, handlelength=length_em, title=title)


def legend_columns(labels: Sequence[str], width_in: float, handle_in: float = HANDLE_IN) -> int:
    """Return how many columns of a legend fit.

    Parameters
    ----------
    labels
        Of its entries.
    width_in
        Its room in inches.
    handle_in
        What an entry takes beside its label, in inches.
    """

    def needed_in(columns: int) -> float:
        label_columns = np.array_split(list(map(len, labels)), columns)  # as matplotlib fills them
        return sum(handle_in + IN_PER_CHARACTER * float(column.max()) for column in label_columns)

    return next((n for n in range(min(len(labels), LEGEND_COLUMNS), 1, -1) if needed_in(n) <= width_in), 1)


def legend_in(labels: Sequence[str], width_in: float) -> float:
    """Return the height of a legend in inches.

    Parameters
    ----------
    labels
        Of its entries.
    width_in
        Its room in inches.
    """
    return LEGEND_ROW_IN * math.ceil(len(labels) / legend_columns(labels, width_in))


def named_handles(axes: Iterable[Axes]) -> dict[str, Artist]:
    """Return the legend handle of each label on some panels, each label once.

    Parameters
    ----------
    axes
        The panels.
    """
    return {label: handle for panel in axes for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
