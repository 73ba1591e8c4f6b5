"""The summary and the pictures of an experiment on netlists."""

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bitjoule.experiments.netlists.run import GatesResult, by_part, shown_cases
from bitjoule.experiments.netlists.schema import GatesPlot
from bitjoule.experiments.netlists.sparsity import SWEPT, outside_sweeps, savings, swept
from bitjoule.reports.energy.pictures import stems
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.markdown import cut, markdown
from bitjoule.reports.figures.style import Theme
from bitjoule.reports.netlists.lines import draw_bits, draw_zeros
from bitjoule.reports.netlists.parts import draw_parts

HEADERS = (
    "library", "array", "weights x activations, sums", "lanes x columns", "operands", "zeros (%)", "energy (fJ)",
    "relative to first row", "without glitches (fJ)", "relative to first row", "band", "glitches (%)",
    "wires (%)", "area (µm²)", "leakage (nW)", "period (ns)",
)  # fmt: skip
TEXT = (0, 1, 2, 3, 4, 10)
SHARES = ("zero_share", "saving", "ideal", "effectiveness")
COUNTED = (
    "Synthesised, switching simulated: the toggles of the netlist's gates with these operands, priced with the "
    "cells of the library. Energy, area and leakage are those of the whole array (registers, control and clock pins "
    "included) divided by the MACs of a cycle, zero weights included. The energy includes wires and the glitches "
    "that the delays of the library leave: it is the price in the technologies of netlists. Relative to first row: "
    "to the first row of the same library. Glitches: fraction of the energy without wires. Band: from neither "
    "glitches nor wires to wires of twice the length and a clock tree that takes as much as the pins it drives. "
    "Placement, clock tree and SRAM are not included."
)


SPREAD = ("energy", "without_glitches", "area")


def headline(summary: pd.DataFrame) -> str:
    """Return the energy of a MAC of the first and last array in one line.

    Parameters
    ----------
    summary
        Of the simulated arrays.
    """
    parts = []
    for library, rows in summary.groupby("library", sort=False):
        ends = rows.iloc[[0, -1] if len(rows) > 1 else [0]].to_dict("records")
        each = [f"{row['array']} ({row['stimulus']}) {significant(row['energy_fj'])} fJ" for row in ends]
        parts.append(f"{library}, per MAC: {' to '.join(each)}")
    return "; ".join(parts)


def gates_markdown(result: GatesResult, max_rows: int) -> str:
    """Return what was simulated as Markdown.

    Parameters
    ----------
    result
        The measurements.
    max_rows
        Rows shown.
    """
    sparsity = _sparsity(result.summary, max_rows)
    parts = [f"# {result.name}", result.description, _table(result.summary, max_rows), *sparsity]
    parts += [
        _parts(result.results, result.summary, max_rows),
        COUNTED,
        _spread(result.summary),
        *(f"Not read: {text}." for text in result.unread),
        *(f"Lacking in {text}." for text in result.lacking),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(summary: pd.DataFrame, max_rows: int) -> str:
    first = {row["library"]: row for row in summary.drop_duplicates("library").to_dict("records")}
    rows = [
        [
            row["library"],
            row["array"],
            f"{row['weights']} x {row['activations']}, {row['accumulation']}",
            f"{row['lanes']} x {row['columns']}",
            row["stimulus"],
            f"{100 * row['zero_share']:.1f}",
            significant(row["energy_fj"]),
            _relative(row, first[row["library"]], "energy"),
            significant(row["without_glitches_fj"]),
            _relative(row, first[row["library"]], "without_glitches"),
            f"{significant(row['energy_low_fj'])} to {significant(row['energy_high_fj'])}",
            f"{100 * (1 - row['settled_fj'] / row['total_fj']):.0f}",
            f"{100 * row['wire_fj'] / row['energy_fj']:.0f}",
            *(significant(row[name]) for name in ("area_um2", "leakage_nw", "period_ns")),
        ]
        for row in summary.head(max_rows).to_dict("records")
    ]
    return markdown(HEADERS, rows, TEXT) + cut(len(summary), max_rows, "summary.csv")


def _relative(row: Mapping[Hashable, Any], first: Mapping[Hashable, Any], name: str) -> str:
    """Return an energy relative to the first row's, marked where their netlists' spreads overlap."""
    least, greatest = f"{name}_least_fj", f"{name}_greatest_fj"
    another = row["array"] != first["array"] and row["netlists"] > 1
    same = another and row[least] <= first[greatest] and first[least] <= row[greatest]
    return f"{'≈ ' if same else ''}{significant(row[f'{name}_fj'] / first[f'{name}_fj'])}×"


def _spread(summary: pd.DataFrame) -> str:
    """Return how far netlists that differ in names alone lie apart, or that there is one of each array only."""
    netlists = int(summary["netlists"].max())
    if netlists < 2:
        return (
            "One netlist of each array: netlists that differ in names alone lie some percent apart, and so little is "
            "no difference between arrays (`gates.netlists: 5` shows it)."
        )
    apart = []
    for name in SPREAD:
        unit = "um2" if name == "area" else "fj"
        width = (summary[f"{name}_greatest_{unit}"] - summary[f"{name}_least_{unit}"]) / summary[f"{name}_{unit}"]
        apart.append(f"{100 * width.max():.1f}")
    return (
        f"Values are those of the first of {netlists} netlists of each array, which differ in names alone. These lie "
        f"up to {apart[0]} % apart in energy, {apart[1]} % without glitches and {apart[2]} % in area; summary.csv "
        "lists the least and the greatest of each. ≈ marks arrays that this does not tell apart from that of the first "
        "row."
    )


def _sparsity(summary: pd.DataFrame, max_rows: int) -> list[str]:
    """Return what zeros save, and the energies of other operands relative to a sweep."""
    saved = savings(summary)
    if saved.empty:
        return []
    parts = []
    for row in saved.groupby(["library", "array", SWEPT], sort=False).tail(1).to_dict("records"):
        shares, energies = ([row[f"{name}{end}"] for end in ("_first", "")] for name in ("zero_share", "energy_fj"))
        parts.append(
            f"Does sparsity pay? {row['array']} in {row['library']}, {row[SWEPT]}: from {100 * shares[0]:.0f} to "
            f"{100 * shares[1]:.0f} % zeros a MAC goes from {significant(energies[0])} to {significant(energies[1])} "
            f"fJ, {100 * abs(row['saving']):.0f} % {'less' if row['saving'] >= 0 else 'more'}. If zero weights cost "
            f"nothing it would be {100 * row['ideal']:.0f} % less: an effectiveness of "
            f"{100 * row['effectiveness']:.0f} %."
        )
    rows = [
        [row["library"], row["array"], row[SWEPT], *(f"{100 * row[key]:.1f}" for key in SHARES)]
        for row in saved.head(max_rows).to_dict("records")
    ]
    headers = ["library", "array", "operands", "zeros (%)", "saved (%)", "ideal (%)", "effectiveness (%)"]
    parts.append(markdown(headers, rows, [0, 1, 2]) + cut(len(saved), max_rows, "summary.csv"))
    for row in outside_sweeps(summary).to_dict("records"):
        change = row["energy_fj"] / row["sweep_fj"] - 1
        parts.append(
            f"{row['array']} in {row['library']} with {row['stimulus']}: {100 * row['zero_share']:.1f} % zeros, "
            f"{significant(row['energy_fj'])} fJ, {100 * abs(change):.0f} % {'more' if change > 0 else 'less'} than "
            f"{row[SWEPT]} at the same share ({significant(row['sweep_fj'])} fJ)."
        )
    return parts


def _parts(results: pd.DataFrame, summary: pd.DataFrame, max_rows: int) -> str:
    """Return the parts of a MAC's energy."""
    table = by_part(results, shown_cases(summary))
    rows = [[*case, *map(significant, energies)] for case, energies in zip(table.index, table.to_numpy(), strict=True)]
    headers = ["library", "array", "operands", *(f"{part} (fJ)" for part in table.columns)]
    return markdown(headers, rows[:max_rows], [0, 1, 2]) + cut(len(rows), max_rows, "results.csv")


def drawings(result: GatesResult) -> dict[str, Callable[[Theme], Figure]]:
    """Return what draws each plot that an experiment asks for, by file name.

    A plot over zeros is left out where no array was run with several shares.

    Parameters
    ----------
    result
        The measurements.
    """
    plots = zip(stems([plot.kind for plot in result.plots]), result.plots, strict=True)
    swept_zeros = not swept(result.summary).empty
    return {name: partial(_draw, plot, result) for name, plot in plots if plot.kind != "energy_vs_zeros" or swept_zeros}


def _draw(plot: GatesPlot, result: GatesResult, theme: Theme) -> Figure:
    match plot.kind:
        case "energy_vs_zeros":
            return draw_zeros(result.summary, theme)
        case "energy_vs_bits":
            return draw_bits(result.summary, theme)
        case "parts":
            return draw_parts(result.results, result.summary, theme, plot.share)
