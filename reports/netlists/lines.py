"""Energy of a MAC of netlists: over the share of zero weights, and over the bits of activations."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bitjoule.energy_models.inputs.wording import counted
from bitjoule.experiments.netlists.sparsity import SWEPT, savings, swept
from bitjoule.reports.figures.families import Look, kind_of, look
from bitjoule.reports.figures.lines import PlotLine, draw_lines, label_points
from bitjoule.reports.figures.panels import Panel, draw_panels, legend_below
from bitjoule.reports.figures.style import DASHES, MARKERS, Theme, settle, token_axis, unit_axis

J_PER_FJ = 1e-15
BARE = "no glitches, no wires"
IDEAL = "ideal: zero weights cost nothing"
Y_LABEL = "energy per MAC"


def library_panels(table: pd.DataFrame) -> list[Panel]:
    """Return a panel for each library.

    Parameters
    ----------
    table
        Of a gates experiment.
    """
    libraries = table.drop_duplicates("library")  # the node is no key: an unknown one is NaN, which equals no other
    pairs = zip(libraries["library"], libraries["node_nm"], strict=True)
    return [Panel(library, "" if np.isnan(node_nm) else f"{node_nm:g} nm") for library, node_nm in pairs]


def library_rows(panel: Panel, table: pd.DataFrame) -> pd.DataFrame:
    """Return a panel's rows.

    Parameters
    ----------
    panel
        From `library_panels`.
    table
        Of a gates experiment.
    """
    return table[table["library"] == panel.technology]


def draw_zeros(summary: pd.DataFrame, theme: Theme) -> Figure:
    """Draw the energy of a MAC over the share of zeros, with the line on which zero weights cost nothing.

    Parameters
    ----------
    summary
        Of a gates experiment, with a sweep of zeros.
    theme
        Light or dark.
    """
    sweeps, saved = swept(summary), savings(summary)
    names = list(dict.fromkeys(zip(sweeps["array"], sweeps[SWEPT], strict=True)))
    weights = sweeps.drop_duplicates("array").set_index("array")["weights"]
    looks = weights_looks([weights[array] for array, _ in names], theme)
    colors = {array: color for (array, _), (color, *_) in zip(names, looks, strict=True)}
    many_sweeps = len({sweep for _, sweep in names}) > 1
    panels = library_panels(sweeps)
    figure, drawn = draw_panels(panels, shared=False)
    others = summary.drop(sweeps.index)
    others = others[others["array"].isin(sweeps["array"])]
    stimuli = list(dict.fromkeys(others["stimulus"]))
    for axes, panel in zip(drawn, panels, strict=True):
        lines, panel_rows = [], library_rows(panel, sweeps)
        for (array, sweep), (color, marker, _) in zip(names, looks, strict=True):
            points = panel_rows[(panel_rows["array"] == array) & (panel_rows[SWEPT] == sweep)]
            saving = saved[(saved["library"] == panel.technology) & (saved["array"] == array) & (saved[SWEPT] == sweep)]
            note = f"{100 * saving['effectiveness'].iloc[-1]:.0f} % of the ideal saving" if len(panels) == 1 else ""
            name = f"{array}, {sweep}" if many_sweeps else array
            lines += _sweep(points, color, marker, name, note)
        draw_lines(axes, lines, theme)
        other_rows = library_rows(panel, others)
        _draw_others(axes, other_rows, colors, stimuli, theme)
        axes.set_xlabel("zero weights (%)")
        axes.set_xlim(-3, 103)
        highest = max([panel_rows["energy_fj"].max(), *other_rows["energy_fj"]]) * J_PER_FJ
        unit_axis(axes, "J", 0.0, highest)
    drawn[0].set_ylabel(Y_LABEL)
    figure.suptitle("Energy per MAC against the fraction of zero weights")
    legend_below(figure, *_zeros_legend(drawn, stimuli, theme))
    return figure


def weights_looks(weights: Sequence[str], theme: Theme) -> list[Look]:
    """Return how each array is drawn: the colour of its weights' family, a marker among the arrays of that family.

    Parameters
    ----------
    weights
        The format of each array's weights.
    theme
        Light or dark.
    """
    kinds = [kind_of(name) for name in weights]
    return [look(kind, kinds[:i].count(kind), theme) for i, kind in enumerate(kinds)]


def _sweep(points: pd.DataFrame, color: str, marker: str, name: str, note: str) -> list[PlotLine]:
    """Return the line of a sweep, the one without glitches and wires, and the ideal one."""
    x = 100 * points["zero_share"].to_numpy(float)
    nothing = np.full(len(points), np.nan)
    energy, low = (points[column].to_numpy(float) * J_PER_FJ for column in ("energy_fj", "energy_low_fj"))
    ideal = energy[0] * (100 - np.array([x[0], 100.0])) / (100 - x[0])
    return [
        PlotLine((name,), "", x, energy, nothing, color, marker, "-", note),
        PlotLine((f"_{name}",), "", x, low, nothing, color, marker, DASHES[1], thin=True),
        PlotLine((f"_{name} ideal",), "", np.array([x[0], 100.0]), ideal, nothing[:2], color, "", DASHES[2], thin=True),
    ]


def _draw_others(
    axes: Axes, rows: pd.DataFrame, colors: Mapping[str, str], stimuli: Sequence[str], theme: Theme
) -> None:
    """Draw the measurements with other operands as markers."""
    for row in rows.to_dict("records"):
        color = colors[row["array"]]
        x, y = 100 * row["zero_share"], row["energy_fj"] * J_PER_FJ
        axes.plot([x], [y], color=color, marker=_other_marker(stimuli.index(row["stimulus"])), linestyle="none",
                  markersize=12, markeredgecolor=theme.background)  # fmt: skip


def _other_marker(i: int) -> str:
    return MARKERS[-1 - i % len(MARKERS)]


def _zeros_legend(drawn: Sequence[Axes], stimuli: Sequence[str], theme: Theme) -> tuple[list[Artist], list[str]]:
    """Return handles and labels: lines of the first panel that have a name, other operands, and what dashes mean."""
    handles, labels = drawn[0].get_legend_handles_labels()
    for i, stimulus in enumerate(stimuli):
        handles.append(Line2D([], [], color=theme.text, linestyle="none", marker=_other_marker(i), markersize=10))
        labels.append(stimulus)
    handles += [Line2D([], [], color=theme.text, linestyle=DASHES[i], linewidth=1) for i in (1, 2)]
    return handles, [*labels, BARE, IDEAL]


def draw_bits(summary: pd.DataFrame, theme: Theme) -> Figure:
    """Draw the energy of a MAC over the bits of activations, a line for each kind of weights.

    Each point is labelled with its energy relative to that of the widest activations. Arrays without another that
    differs in its activations alone are left out.

    Parameters
    ----------
    summary
        Of a gates experiment with arrays of several activation bits.
    theme
        Light or dark.
    """
    first = summary.groupby(["library", "array"], sort=False).head(1)
    kinds = ["weights", "datapath", "lanes", "columns", "tokens"]
    first = first[first.groupby(["library", *kinds])["activation_bits"].transform("nunique") > 1]
    names = list(dict.fromkeys(first[kinds].itertuples(index=False, name=None)))
    panels = library_panels(first)
    figure, drawn = draw_panels(panels, shared=False)
    looks = weights_looks([weights for weights, *_ in names], theme)
    lines_at = []
    for axes, panel in zip(drawn, panels, strict=True):
        panel_rows, lines = library_rows(panel, first), []
        for kind, (color, marker, _) in zip(names, looks, strict=True):
            points = panel_rows[(panel_rows[kinds] == list(kind)).all(axis=1)].sort_values("activation_bits")
            lines += _bits_lines(points, color, marker, _label(kind, names))
        draw_lines(axes, lines, theme)
        lines_at.append(lines)
        token_axis(axes, "activation width (bits)", sorted(set(panel_rows["activation_bits"])))
        unit_axis(axes, "J", 0.0, panel_rows["energy_fj"].max() * J_PER_FJ)
    drawn[0].set_ylabel(f"{Y_LABEL} (×: at the widest / here)")
    figure.suptitle("Energy per MAC against the activation width")
    handles, labels = drawn[0].get_legend_handles_labels()
    legend_below(
        figure, [*handles, Line2D([], [], color=theme.text, linestyle=DASHES[1], linewidth=1)], [*labels, BARE]
    )
    settle(figure)  # the labels find their places in it
    for axes, lines in zip(drawn, lines_at, strict=True):
        label_points(axes, lines)
    return figure


def _bits_lines(points: pd.DataFrame, color: str, marker: str, name: str) -> list[PlotLine]:
    x = points["activation_bits"].to_numpy(float)
    energy, low = (points[column].to_numpy(float) * J_PER_FJ for column in ("energy_fj", "energy_low_fj"))
    ratio = energy[-1:] / energy
    return [
        PlotLine((name,), "", x, energy, ratio, color, marker, "-"),
        PlotLine((f"_{name}",), "", x, low, np.full(len(x), np.nan), color, marker, DASHES[1], thin=True),
    ]


def _label(kind: tuple[str, str, int, int, int], names: Sequence[tuple[str, str, int, int, int]]) -> str:
    """Return a kind's name: its weights, and whatever else differs among the kinds."""
    weights, datapath, lanes, columns, tokens = kind
    others = list(zip(*names, strict=True))
    parts = [weights] + [datapath] * (len(set(others[1])) > 1)
    parts += [f"{lanes} x {columns}"] * (len(set(zip(others[2], others[3], strict=True))) > 1)
    return ", ".join(parts + [counted(tokens, "token")] * (len(set(others[4])) > 1))
