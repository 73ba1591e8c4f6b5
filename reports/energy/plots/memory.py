"""Memory that a model needs: weights, tables, KV cache and activations, in bytes."""

from matplotlib.figure import Figure

from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import MemoryPlot
from bitjoule.reports.energy.plots.titles import set_title
from bitjoule.reports.energy.workloads import first_of, first_workload
from bitjoule.reports.figures.bars import bar_name, cut_text, draw_bars, hatches_of, names_in, shown_models
from bitjoule.reports.figures.digits import prefix, significant, with_unit
from bitjoule.reports.figures.panels import legend_below, legend_in
from bitjoule.reports.figures.style import WIDEST_IN, Theme, new_figure

FAR_APART = 12  # quotient of the models' memories beyond which each has an axis of its own
BAR_IN, AXIS_IN, BARS_IN = 0.42, 0.6, 6.6
PARTS = {
    "weights_bytes": "weights",
    "tables_bytes": "embedding and LM head",
    "kv_cache_bytes": "KV cache",
    "activations_bytes": "activations",
    "adapters_bytes": "low-rank adapters",
}


def draw_memory(plot: MemoryPlot, frames: Frames, theme: Theme) -> Figure:
    """Draw a bar for each model and scheme, stacked by what the memory holds.

    Parameters
    ----------
    plot
        What of the run is drawn.
    frames
        Of a run with the system accounting. Of a sweep over workloads the first is drawn; the title names it.
    theme
        Light or dark.
    """
    _, text = first_workload(frames)
    memory = first_of(frames.memory, frames)
    models, schemes = list(frames.models.index), list(frames.schemes)
    selected = shown_models(models, len(schemes))
    memory = memory[memory["model"].isin(selected)]
    first = memory.loc[memory["scheme"] == schemes[0]].set_index("model")["memory_bytes"]
    shown = [model for model in models if model in selected]
    groups = [shown] if first.max() <= FAR_APART * first.min() else [[model] for model in shown]
    names = [bar_name(names) for names in zip(memory["model"], memory["scheme"], strict=True)]
    parts = {column: PARTS[column] for column in PARTS if column in memory}
    hatch_of = hatches_of(memory[list(parts)].rename(columns=parts), _colors)
    width_in = min(BARS_IN + names_in(names), WIDEST_IN)
    rows = [len(group) * len(schemes) for group in groups]
    height_in = 1.0 + BAR_IN * sum(rows) + AXIS_IN * len(rows) + legend_in(list(parts.values()), width_in)
    figure = new_figure(width_in, height_in)
    panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=rows)[:, 0]
    for axes, group in zip(panels, groups, strict=True):
        group_rows = memory[memory["model"].isin(group)]
        total = group_rows["memory_bytes"]
        factor, unit = prefix(float(total.max()))
        ends = [
            with_unit(size, "B") + ("" if scheme == schemes[0] else f", {_quotient(first[model] / size)}")
            for model, scheme, size in zip(group_rows["model"], group_rows["scheme"], total, strict=True)
        ]
        names = [bar_name(names) for names in zip(group_rows["model"], group_rows["scheme"], strict=True)]
        draw_bars(
            axes, group_rows[list(parts)].rename(columns=parts) / factor, ends, names, _colors, theme, hatch_of=hatch_of
        )
        axes.set_xlabel(f"memory ({unit}B)")
    set_title(figure, frames, plot, text + cut_text(len(selected), len(models)))
    legend_below(figure, *panels[0].get_legend_handles_labels())
    return figure


def _colors(theme: Theme) -> dict[str, str]:
    blue, orange, green, purple = theme.families
    return dict(zip(PARTS.values(), (blue[1], purple[1], theme.cache[0], orange[1], green[1]), strict=True))


def _quotient(ratio: float) -> str:
    """Return how much less, or more, memory a scheme needs than the first one."""
    return f"{significant(ratio, 2)}× less" if ratio >= 1 else f"{significant(1 / ratio, 2)}× more"
