"""The loss that scaling laws give over the energy of a token."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import LossPlot
from bitjoule.reports.energy.plots.titles import scheme_look, set_title
from bitjoule.reports.energy.workloads import first_rows
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.panels import draw_panels, left_panels, legend_below, named_handles, panels_of
from bitjoule.reports.figures.style import Theme, log_ticks, settle

COMPARED_AT = (0.12, 0.5, 0.88)  # fractions of the range of losses that both curves reach
LEAST_LOSSES = 0.2  # least span of the loss axis
EQUAL_DASHES = (0, (2, 2))
OUTSIDE = "extrapolated beyond fitted sizes"


class Curve(NamedTuple):
    """One scheme's points in one panel, by falling loss.

    Parameters
    ----------
    scheme
        Its name.
    energy_j, loss, fitted
        Energy of a token; loss of the model; whether the law was fitted on models of this size. Shape (models,).
    """

    scheme: str
    energy_j: NDArray[np.float64]
    loss: NDArray[np.float64]
    fitted: NDArray[np.bool_]

    def energy_at(self, loss: float) -> float:
        """Return the energy at a loss, log-linear between the points.

        Parameters
        ----------
        loss
            A loss that the curve reaches.
        """
        return float(np.exp(np.interp(loss, self.loss[::-1], np.log(self.energy_j[::-1]))))


def curves(rows: pd.DataFrame, frames: Frames) -> list[Curve]:
    """Return the curves of the schemes whose weights have a law.

    Parameters
    ----------
    rows
        Of the summary: one workload, phase, technology and platform.
    frames
        Of a run.
    """
    losses = frames.plots.losses.set_index(["scheme", "model"])
    scheme_curves = []
    for scheme in dict.fromkeys(frames.plots.losses["scheme"]):
        points = rows[rows["scheme"] == scheme].sort_values(["parameters", "model"])
        at = losses.loc[scheme].reindex(points["model"].astype(str))
        energy_j = points["energy_per_token_j"].to_numpy(float)
        scheme_curves.append(Curve(scheme, energy_j, at["loss"].to_numpy(float), at["fitted"].to_numpy(bool)))
    return scheme_curves


def equal_losses(first: Curve, second: Curve) -> list[float]:
    """Return some losses, in two decimals, that both curves reach.

    Parameters
    ----------
    first, second
        Two curves.
    """
    low, high = max(first.loss.min(), second.loss.min()), min(first.loss.max(), second.loss.max())
    if high <= low:
        return []
    chosen = [round(float(low + (high - low) * part), 2) for part in COMPARED_AT]
    return [value for value in dict.fromkeys(chosen) if low <= value <= high]


def reference(panel_curves: Sequence[Curve], frames: Frames) -> Curve:
    """Return the curve that others are compared with: the baseline's, or the first.

    Parameters
    ----------
    panel_curves
        Curves of one panel.
    frames
        Of a run.
    """
    baseline = frames.baseline
    baseline_scheme = baseline.scheme if baseline is not None else None
    return next((curve for curve in panel_curves if curve.scheme == baseline_scheme), panel_curves[0])


def draw_losses(plot: LossPlot, frames: Frames, theme: Theme) -> Figure:
    """Draw loss over the energy of a token, and how much less energy the same loss takes.

    Parameters
    ----------
    plot
        The phase.
    frames
        Of a run. Of a sweep over workloads the first is drawn; the title names it.
    theme
        Light or dark.
    """
    rows, text = first_rows(frames, plot.phase)
    panels = panels_of(frames)
    figure, drawn = draw_panels(panels)
    curves_at = [curves(panel.of(rows), frames) for panel in panels]
    one_family = len(set(frames.models["family"])) == 1
    for axes, panel_curves in zip(drawn, curves_at, strict=True):
        for curve in panel_curves:
            color, marker, dashes = scheme_look(curve.scheme, frames, theme)
            dashes = dashes if one_family else "none"
            axes.plot(curve.energy_j, curve.loss, color=color, linestyle=dashes)
            for fitted, face in ((True, color), (False, theme.background)):
                at = curve.fitted == fitted
                axes.plot(curve.energy_j[at], curve.loss[at], marker=marker, linestyle="none", color=color,
                          markerfacecolor=face, markeredgewidth=1.6)  # fmt: skip
            axes.plot([], [], color=color, linestyle=dashes, marker=marker, label=curve.scheme)
        axes.set_xscale("log")
        axes.set_xlabel("energy per token")
        if not panel_curves:
            axes.text(0.5, 0.5, "no scheme with a scaling law", transform=axes.transAxes, ha="center", va="center")
    for axes in left_panels(drawn):
        axes.set_ylabel("loss (nats per token)")
    _limits(drawn, curves_at)
    set_title(figure, frames, plot, text)
    handles = named_handles(drawn)
    if any(not curve.fitted.all() for panel_curves in curves_at for curve in panel_curves):
        handles[OUTSIDE] = Line2D([], [], color=theme.text, marker="o", linestyle="none",
                                markerfacecolor=theme.background)  # fmt: skip
    against = {reference(panel_curves, frames).scheme for panel_curves in curves_at if len(panel_curves) > 1}
    for scheme in against:
        handles[f"energy at equal loss, relative to {scheme}"] = Line2D([], [], color=theme.text, linewidth=1,
                                                                  linestyle=EQUAL_DASHES)  # fmt: skip
    legend_below(figure, handles.values(), handles.keys(), 3)
    settle(figure)  # the comparisons find their places in it
    for axes, panel_curves in zip(drawn, curves_at, strict=True):
        _compare(axes, panel_curves, frames, theme)
    return figure


def _limits(drawn: Sequence[Axes], curves_at: Sequence[Sequence[Curve]]) -> None:
    """Scale every panel, with room for comparisons at the right."""
    losses = [value for panel_curves in curves_at for curve in panel_curves for value in curve.loss.tolist()]
    if losses:
        room = max(max(losses) - min(losses), LEAST_LOSSES)
        middle = (max(losses) + min(losses)) / 2
        drawn[0].set_ylim(middle - 0.58 * room, middle + 0.58 * room)
    for axes, panel_curves in zip(drawn, curves_at, strict=True):
        energies = [value for curve in panel_curves for value in curve.energy_j.tolist()]
        if not energies:
            continue
        low, high = min(energies), max(energies)
        wide = max(high / low, 3.0)
        axes.set_xlim(low / wide**0.06, high * wide**0.45)
        log_ticks(axes.xaxis, "J")


def amount_text(ratio: float) -> str:
    """Return in words how much less energy one curve takes than another at the same loss.

    Parameters
    ----------
    ratio
        Energy of the other curve over that of the one.
    """
    more, less = significant(1 / ratio, 2), significant(ratio, 2)
    if "1.0" in (more, less):
        return "the same"
    return f"{less}× less" if ratio > 1 else f"{more}× more"


def _compare(axes: Axes, panel_curves: Sequence[Curve], frames: Frames, theme: Theme) -> None:
    """Join the reference curve with each of the others at equal losses, and write the ratio of the energies."""
    if len(panel_curves) < 2:
        return
    first = reference(panel_curves, frames)
    others = [curve for curve in panel_curves if curve is not first]
    labelled: list[float] = []
    apart = 0.06 * float(np.diff(axes.get_ylim())[0])
    for level, other in [(level, curve) for curve in others for level in equal_losses(first, curve)]:
        if any(abs(level - before) < apart for before in labelled):
            continue
        ends = [first.energy_at(level), other.energy_at(level)]
        ratio = ends[0] / ends[1]
        color = scheme_look(other.scheme, frames, theme).color
        axes.plot(ends, [level, level], color=theme.text, linewidth=1, linestyle=EQUAL_DASHES, zorder=1.5)
        right = max(curve.energy_at(level) for curve in panel_curves if curve.loss.min() <= level <= curve.loss.max())
        amount = amount_text(ratio)
        label = axes.annotate(f"{amount} at loss {level:g}", (right, level), xytext=(10, 3), textcoords="offset points",
                              color=color, fontsize=11, va="bottom")  # fmt: skip
        if label.get_window_extent().x1 > axes.get_window_extent().x1:
            label.remove()
            continue
        labelled.append(level)
