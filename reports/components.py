"""The stacked plot: what an energy is made of."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bitjoule.energy_models.arithmetic import COMPONENTS
from bitjoule.experiments.evaluation import PJ_PER_J
from bitjoule.experiments.result import Result
from bitjoule.experiments.schema import ComponentsPlot
from bitjoule.reports.digits import prefix, with_unit
from bitjoule.reports.sizes import first_workload
from bitjoule.reports.style import Theme, new_figure

MAX_BARS = 24
LONGEST_NAME = 24
FAMILIES = (
    ("q_proj", "k_proj", "v_proj", "o_proj"),
    ("attention_scores", "attention_values"),
    ("ffn_gate", "ffn_up", "ffn_down", "ffn_router"),
)  # parts of one family share a hue


def draw_components(plot: ComponentsPlot, result: Result, theme: Theme) -> Figure:
    """Draw a bar for each model and scheme, stacked by component or by action.

    Parameters
    ----------
    plot
        What is stacked, and whether in per cent or joules.
    result
        A run. Of a sweep over workloads the first is drawn; the title names it.
    theme
        Light or dark.
    """
    energy_j, workload = _energies(plot, result)
    technologies = list(result.resolved.technologies)
    bars = energy_j.reset_index("technology").index.unique()
    models = list(dict.fromkeys(model for model, _ in bars))
    most = max(1, MAX_BARS // len(result.resolved.schemes))
    kept = {models[i] for i in np.linspace(0, len(models) - 1, min(most, len(models))).astype(int)}
    shown = bars[[model in kept for model, _ in bars]]
    colors = _colors(list(energy_j.columns), theme)
    figure = new_figure(5.6 * len(technologies) + 2.4, 1.9 + 0.42 * len(shown))
    panels = figure.subplots(1, len(technologies), sharey=True, squeeze=False)[0]
    for axes, technology in zip(panels, technologies, strict=True):
        rows = energy_j.xs(technology, level="technology").reindex(shown).fillna(0.0)
        total = rows.to_numpy().sum(axis=1)
        factor, unit = prefix(float(total.max()))
        drawn = rows.div(total, axis="index") * 100 if plot.share else rows / factor
        left = np.zeros(len(drawn))
        for name in drawn.columns:
            width = drawn[name].to_numpy()
            axes.barh(range(len(drawn)), width, left=left, height=0.72, color=colors[name], label=name,
                      edgecolor=theme.background, linewidth=0.6)  # fmt: skip
            left += width
        for y, (end, joules) in enumerate(zip(left, total, strict=True)):
            axes.annotate(
                with_unit(joules, "J"), (end, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=12
            )
        axes.set_yticks(range(len(drawn)), [f"{_short(model)}  {_short(scheme)}" for model, scheme in drawn.index])
        axes.set_ylim(len(drawn) - 0.5, -0.5)
        axes.set_xlim(0, float(left.max()) * 1.22)
        axes.set_xlabel("share of the energy (%)" if plot.share else f"energy ({unit}J)")
        if plot.share:
            axes.set_xticks(range(0, 101, 20))
        axes.set_title(technology)
        axes.grid(visible=False, axis="y")
    cut = f", {len(kept)} of {len(models)} models" if len(kept) < len(models) else ""
    figure.suptitle(f"{result.resolved.experiment.name}: {workload}{cut}", fontsize=14)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
    return figure


def _energies(plot: ComponentsPlot, result: Result) -> tuple[pd.DataFrame, str]:
    """Return joules with a row for each model, scheme and technology and a column for each stacked part."""
    cases, workload = first_workload(result)
    results = result.results_of(cases)
    part = results["component"] if plot.by == "component" else results["action"].str.cat(results["format"], sep=" ")
    names = [results[key].astype(str) for key in ("model", "scheme", "technology")]
    energy_j = (results["energy_pj"] / PJ_PER_J).groupby([*names, part.astype(str).rename("part")], sort=False).sum()
    table = energy_j.unstack("part").fillna(0.0)
    order = [name for name in COMPONENTS if name in table.columns]
    order += [name for name in table.columns if name not in order]
    return table[order], workload


def _short(name: str) -> str:
    """Return a name that fits beside its bar."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _colors(parts: list[str], theme: Theme) -> dict[str, str]:
    colors = {}
    others = [hue for family in zip(*(f[:2] for f in theme.families), strict=True) for hue in family]
    for part in parts:
        family = next((i for i, names in enumerate(FAMILIES) if part in names), None)
        if family is not None:
            colors[part] = theme.families[family][FAMILIES[family].index(part)]
        else:
            colors[part] = others[len(colors) % len(others)]
    return colors
