"""The stacked plot: what an energy is made of."""

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from bitjoule.energy_models.architecture.components import names as component_names
from bitjoule.energy_models.architecture.components import of_hue
from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.prices.drams import DRAMS_FILE
from bitjoule.energy_models.system.hardware.machine_levels import LEVEL_ACTIONS
from bitjoule.energy_models.system.platform.channels import ACTIVATE, IO, PHY, WAYS
from bitjoule.energy_models.system.platform.static_power import STATES
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.energy.plots import ComponentsPlot
from bitjoule.experiments.energy.uncertainty.element_wise import UNIT_ACTIONS
from bitjoule.experiments.output.columns import PJ_PER_J, REQUEST
from bitjoule.reports.energy.plots.titles import set_title
from bitjoule.reports.energy.workloads import first_of, first_workload, phase_text
from bitjoule.reports.figures.bars import bar_name, cut_text, draw_bars, hatches_of, names_in, panel_in, shown_models
from bitjoule.reports.figures.digits import prefix, with_unit
from bitjoule.reports.figures.families import KINDS, kind_of
from bitjoule.reports.figures.panels import (
    columns_for,
    in_order,
    is_folded,
    legend_below,
    legend_in,
    named_handles,
    panel_title,
    technology_title,
)
from bitjoule.reports.figures.style import Theme, new_figure, shades

FAMILIES = tuple(of_hue(hue) for hue in ("projections", "attention", "ffn"))
TABLES, CACHE, ELEMENT_WISE = of_hue("tables"), of_hue("cache"), of_hue("element-wise")
SMALL, SPILLED, LEVELS, IDLE, STATIC, LOSS = (
    "element-wise", "spilled_activations", "memory_levels", "leakage", "static", "regulator",
)  # fmt: skip
OPERATIONS = ("mul", "add", "mac")
LEVEL = 0.5  # panels share an axis where the longest bar of each is at least this share of the longest of all
THIN_PT, PT_PER_IN = 0.5, 72  # a pixel of a picture is about half a point
SIDE_IN = 0.4  # of a panel, beside its bars
OF_ARRAY = r":mac:(?P<weights>\w+)x(?P<sums>\w+)\+"  # the key of a price that is a MAC's of a whole array
STORES = ("registers", "buffers", "off-chip memory", "wires")
OF_LEVELS, IN_UNITS = "memory levels", "units of a BitLinear"
PART_OF_DRAM = {  # with a DRAM device, whose standby and refresh are then drawn apart from the other static power
    f"{way}_{part}": name
    for part, name in ((ACTIVATE, "opened rows"), (IO, "data pins"), (PHY, "controller and PHY"))
    for way in WAYS
}
WAITING = "DRAM standby, refresh"
STORE_OF = {
    f"{level}_{way}": store
    for level, store in zip(("register", "buffer", "off_chip"), STORES, strict=False)
    for way in ("read", "write")
}
DRAM_ORDER = (*dict.fromkeys(PART_OF_DRAM.values()), WAITING)
SYSTEM_ORDER = ("matmul", *FAMILIES[0], *FAMILIES[1], *CACHE, *FAMILIES[2], *TABLES, SMALL, SPILLED, LEVELS)


def draw_components(plot: ComponentsPlot, frames: Frames, theme: Theme) -> Figure:
    """Draw a bar for each model and scheme, stacked by component or by action.

    Parameters
    ----------
    plot
        What is stacked, and whether in per cent or joules.
    frames
        Of a run. Of a sweep over workloads the first is drawn; the title names it.
    theme
        Light or dark.
    """
    energy_j, ends_j, text = _energies(plot, frames)
    technologies, platforms = frames.technologies, frames.platforms
    bars = energy_j.reset_index("technology").index.unique()
    models = list(dict.fromkeys(model for model, *_ in bars))
    selected = shown_models(models, len(frames.schemes) * len(platforms))
    shown = bars[[bar[0] in selected for bar in bars]]
    names = [bar_name(bar if len(platforms) > 1 else bar[:2]) for bar in shown]
    system = frames.accounting is Accounting.SYSTEM
    of_request, *_ = _energies(plot.model_copy(update={"phase": None}), frames)  # pictures of its phases look alike
    colors = partial(_system_colors if system else _colors, list(of_request.columns))
    hatch_of = hatches_of(of_request[of_request.index.get_level_values("model").isin(selected)], colors)
    columns, each_in = panel_in(names, columns_for(len(technologies)))
    lines = math.ceil(len(technologies) / columns)
    width_in = each_in * columns + names_in(names)
    rest_in = 0.6 + legend_in(list(energy_j.columns), width_in)
    figure = new_figure(width_in, rest_in + lines * (1.0 + 0.42 * len(shown)))
    panels = in_order(figure.subplots(lines, columns, sharey=True, squeeze=False), is_folded(len(technologies)))
    for unused in panels[len(technologies) :]:
        unused.remove()
    by_technology = [energy_j.xs(technology, level="technology").reindex(shown) for technology in technologies]
    longest = [float(rows.to_numpy().sum(axis=1).max()) for rows in by_technology]
    level = min(longest) >= LEVEL * max(longest)
    for axes, technology, rows, own in zip(panels, technologies, by_technology, longest, strict=False):
        total = rows.to_numpy().sum(axis=1)
        factor, unit = prefix(max(longest) if level else own)
        drawn = pd.DataFrame(rows.div(total, axis="index") * 100 if plot.share else rows / factor)
        bands = None if plot.share else ends_j.xs(technology, level="technology").reindex(shown).to_numpy().T / factor
        draw_bars(
            axes, drawn, [with_unit(joules, "J") for joules in total], names, colors, theme, bands,
            width_in=each_in - SIDE_IN, hatch_of=hatch_of,
        )  # fmt: skip
        axes.set_xlabel("share of the energy (%)" if plot.share else f"energy ({unit}J)")
        if plot.share:
            axes.set_xticks(range(0, 101, 20))
        only_platform = platforms[0] if len(platforms) == 1 else ""
        title = ", ".join(name for name in (technology_title(technology), only_platform) if name)
        axes.set_title(panel_title(title, each_in))
    if level and not plot.share:
        right = max(axes.get_xlim()[1] for axes in panels[: len(technologies)])
        for axes in panels[: len(technologies)]:
            axes.set_xlim(0, right)
    set_title(figure, frames, plot, text + cut_text(len(selected), len(models)))
    drawn_panels = panels[: len(technologies)]
    handles = named_handles(drawn_panels)
    thin = _too_thin(drawn_panels, each_in - SIDE_IN)
    seen = {name: handle for name, handle in handles.items() if name not in thin}
    legend_below(figure, seen.values(), seen.keys(), others=f"too thin to see: {', '.join(thin)}" if thin else "")
    return figure


def _too_thin(panels: Sequence[Axes], width_in: float) -> list[str]:
    """Return the parts that are thinner than `THIN_PT` in each bar of some panels of this width."""
    widest_pt: dict[str, float] = {}
    for axes in panels:
        for bars in axes.containers:
            if isinstance(bars, BarContainer):
                share = max(bar.get_width() for bar in bars.patches) / axes.get_xlim()[1]
                name = str(bars.get_label())
                widest_pt[name] = max(widest_pt.get(name, 0.0), share * width_in * PT_PER_IN)
    return [name for name, width_pt in widest_pt.items() if width_pt < THIN_PT]


def _energies(plot: ComponentsPlot, frames: Frames) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return joules with a row for each model, scheme, platform and technology and a column for each stacked part.

    Then the totals at the low and the high ends of the prices, and a text for the title.
    """
    first, text = first_workload(frames)
    results = first_of(frames.plots.actions, frames)
    if plot.phase not in (None, REQUEST):
        results = results[results["phase"] == plot.phase]
    if plot.phase is not None:
        text = phase_text(plot.phase, first["new_tokens"]) + text
    system = frames.accounting is Accounting.SYSTEM
    part = _parts(plot, results, system)
    names = [results[key].astype(str) for key in ("model", "scheme", "platform", "technology")]
    energy_j = (results["energy_pj"] / PJ_PER_J).groupby([*names, part.rename("part")], sort=False).sum()
    ends_j = (results[["energy_low_pj", "energy_high_pj"]] / PJ_PER_J).groupby(names, sort=False).sum()
    table = energy_j.unstack("part").fillna(0.0)
    table = table[table.columns[table.sum() > 0]]
    order = (
        (IN_UNITS, *SYSTEM_ORDER, *STORES, OF_LEVELS, *DRAM_ORDER, IDLE, STATIC, LOSS)
        if system
        else component_names("matmul")
    )
    ordered = [name for name in order if name in table.columns]
    others = [name for name in table.columns if name not in ordered]
    if system:
        operations = sorted(others, key=lambda name: OPERATIONS.index(name.split()[0]))
        return table[[*operations, *ordered]], ends_j, text
    return table[[*ordered, *others]], ends_j, text


def _parts(plot: ComponentsPlot, results: pd.DataFrame, system: bool) -> "pd.Series[str]":
    """Return the stacked part to which each row of the long table belongs."""
    if plot.by == "component":
        component = results["component"].astype(str)
        return component.where(~component.isin(ELEMENT_WISE), SMALL) if system else component
    action = results["action"].astype(str)
    operation = action.str.cat(results["format"].astype(str), sep=" ")
    of_array = results["price"].astype(str).str.extract(OF_ARRAY)
    operation = operation.where(of_array["weights"].isna(), "mac " + of_array["weights"] + " x " + of_array["sums"])
    part_of = {**STORE_OF, "leak": IDLE, "loss": LOSS, "wire": STORES[-1], **{state.state: STATIC for state in STATES}}
    part_of |= PART_OF_DRAM | dict.fromkeys(LEVEL_ACTIONS, OF_LEVELS) | dict.fromkeys(UNIT_ACTIONS, IN_UNITS)
    parts = operation.where(~action.isin([*part_of]), action.map(part_of))
    waits = results["price"].astype(str).str.startswith(DRAMS_FILE.name) & (parts == STATIC)
    return parts.where(~waits, WAITING)


def _colors(parts: Sequence[str], theme: Theme) -> dict[str, str]:
    operations = [part for part in parts if part.split()[0] in OPERATIONS]
    colors = _operation_colors(operations, theme)
    others = [hue for family in zip(*(f[:2] for f in theme.families), strict=True) for hue in family]
    for part in parts:
        family = next((i for i, names in enumerate(FAMILIES) if part in names), None)
        if family is not None:
            colors[part] = _family_colors(FAMILIES[family], theme.families[family], parts)[part]
        elif part not in colors:
            colors[part] = others[len(colors) % len(others)]
    return {part: colors[part] for part in parts}


def _family_colors(names: Sequence[str], family: Sequence[str], parts: Sequence[str]) -> dict[str, str]:
    """Return a hue for each of some names: its own, or shades of all where one that is drawn has none of its own."""
    drawn = [name for name in names if name in parts]
    if set(drawn) <= {*names[: len(family)]}:
        return dict(zip(names, family, strict=False))
    return dict(zip(drawn, shades(family, len(drawn)), strict=True))


def _operation_colors(operations: Sequence[str], theme: Theme) -> dict[str, str]:
    """Return shades of the hue of each operation's family of formats."""
    blue, orange, green, _ = theme.families
    colors: dict[str, str] = {}
    for kind, family in zip(KINDS, (blue, orange, green, theme.cache), strict=True):
        of_kind = [part for part in operations if kind_of(part.split(maxsplit=1)[1]) == kind]
        colors |= dict(zip(of_kind, shades(family, len(of_kind)), strict=True))
    return colors


def _system_colors(parts: Sequence[str], theme: Theme) -> dict[str, str]:
    blue, _, _, purple = theme.families
    hues = {
        SMALL: theme.small,
        IN_UNITS: theme.small,
        SPILLED: theme.spilled,
        LEVELS: theme.series[7],
        OF_LEVELS: theme.series[7],
        IDLE: theme.idle,
        STATIC: theme.static,
        LOSS: theme.loss,
        **dict(zip(DRAM_ORDER, (theme.spilled, theme.small, theme.cache[1], theme.series[3]), strict=True)),
        "matmul": blue[0],
    }
    groups = [*zip(FAMILIES, theme.families, strict=False), (TABLES, purple), (CACHE, theme.cache)]
    for names, family in [*groups, (STORES[::-1], shades(purple, len(STORES)))]:
        hues |= _family_colors(names, family, parts)
    hues |= _operation_colors([part for part in parts if part.split()[0] in OPERATIONS], theme)
    return {part: hues[part] for part in parts}
