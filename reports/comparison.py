"""What differs between two results, as text and as a waterfall of the energies that changed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bitjoule.experiments.results.differences import ENDS, ENERGY_J, PRICE_COLUMNS, Comparison
from bitjoule.reports.figures.digits import column_prefix, short_price, significant, with_unit
from bitjoule.reports.figures.markdown import cut, differing, markdown
from bitjoule.reports.figures.style import Theme, new_figure, unit_tick

SHOWN_STEPS = 10  # of a waterfall; the others are one
ROW_IN, REST_IN, WIDTH_IN = 0.42, 1.5, 10.5
CLOSE = 0.25  # a change below this share of the total has an axis that does not begin at zero
MARGIN = 0.12  # of such an axis, beyond the levels
LONGEST = 60  # characters of a value in a table
NAMED = 6  # quantities in a sentence
DIGITS = range(3, 10)  # of two values: as few as tell them apart
MINUS = "−"  # in pictures, whose axes have it
CYCLES = re.compile(r"@[\d.]+MHz$")  # the end of the key of a price of a clock cycle
FIRST_QUANTITIES = (ENERGY_J, "energy_per_generated_token_j", "energy_j_nominal", "j_per_token", "energy_fj", "ratio")


def headline(comparison: Comparison) -> str:
    """Return what changed most in one sentence.

    Parameters
    ----------
    comparison
        Of two results.
    """
    if comparison.totals.empty:
        both = comparison.cases[0]
        return f"All quantities of {f'{both} common cases' if both > 1 else 'the common case'} are the same"
    if comparison.contributions.empty:
        quantities = list(dict.fromkeys(comparison.totals["quantity"]))
        named = ", ".join([*quantities[:NAMED], *(["..."] if len(quantities) > NAMED else [])])
        return f"{len(quantities)} quantities differ: {named}"
    first_j, second_j = comparison.levels_j
    step = comparison.contributions.iloc[0]
    alone = not (step["first_count"] and step["second_count"])
    cause = "its count" if abs(step["by_count_j"]) >= abs(step["by_price_j"]) else "its price"
    change = f"{100 * (second_j / first_j - 1):+.3g} %"
    case = ", ".join(str(value) for value in comparison.case.values() if value and not str(value).isdecimal())
    name = _action(step)
    return (
        f"{case}: {with_unit(first_j, 'J')} become {with_unit(second_j, 'J')} ({change}); the largest part is "
        f"{name}, {_signed(step['difference_j'])}{'' if alone else f', by {cause}'}"
    )


def comparison_markdown(comparison: Comparison, max_rows: int) -> str:
    """Return what differs as Markdown.

    Parameters
    ----------
    comparison
        Of two results.
    max_rows
        Rows shown of each table.
    """
    first, second = comparison.first, comparison.second
    parts = [f"# {first.name} and {second.name}", f"First: {first.path}; second: {second.path}."]
    parts += [_unpaired(comparison), f"{headline(comparison)}."]
    counted = [f"Cases and phases in both: {comparison.cases[0]}"]
    counted += [f"the {key} {ours} of the first is compared with {theirs} of the second" for key, (ours, theirs) in
                comparison.renamed.items()]  # fmt: skip
    parts.append("; ".join(counted) + ".")
    parts += [_contributions(comparison, max_rows), _totals(comparison, max_rows)]
    parts += [_prices(comparison.prices, max_rows), _inputs(comparison.inputs, max_rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _unpaired(comparison: Comparison) -> str:
    """Return which cases of one result have no counterpart in the other, or nothing."""
    single = comparison.cases[1:]
    if not any(single):
        return ""
    counted = [f"{count} of the {end}" for count, end in zip(single, ENDS, strict=True) if count]
    verb = "has" if sum(single) == 1 else "have"
    named = [
        f"{key} {', '.join([*names[:NAMED], *(['...'] if len(names) > NAMED else [])])} in the {end} alone"
        for key, both in comparison.alone.items()
        for end, names in zip(ENDS, both, strict=True)
        if names
    ]
    why = f": {'; '.join(named)}" if named else ""
    return f"Not compared: {' and '.join(counted)} {verb} no counterpart{why}."


def _contributions(comparison: Comparison, max_rows: int) -> str:
    table = comparison.contributions
    if table.empty:
        return ""
    first_j, second_j = comparison.levels_j
    total = second_j - first_j
    factor, unit = column_prefix(table["difference_j"].abs().tolist())
    rows = []
    for row in table.head(max_rows).to_dict("records"):
        share = significant(100 * row["difference_j"] / total) if total else ""
        alone = next((f"only in {end}" for end, other in (ENDS, ENDS[::-1]) if row[f"{other}_count"] == 0), "")
        causes = ["", ""] if alone else [_change(row[f"by_{cause}_j"] / factor) for cause in ("count", "price")]
        energies = [significant(row[f"{end}_j"] / factor) for end in ENDS]
        action = f"{_action(row)} ({alone})" if alone else _action(row)
        rows.append([action, _change(row["difference_j"] / factor), share, *causes, *energies])
    quantities = ["difference", "share", "by its count", "by its price", *ENDS]
    units = [f"{unit}J", "%", *[f"{unit}J"] * 4]
    headers = ["component, operand, action", *(f"{name} ({of})" for name, of in zip(quantities, units, strict=True))]
    case = ", ".join(f"{key} {value}" for key, value in comparison.case.items() if value)
    text = f"## What the difference is made of\n\nThe case that differs most: {case}." if case else (
        "## What the difference is made of"
    )  # fmt: skip
    explained = (
        "A difference by the count is at the mean of both prices, one by the price at the mean of both counts; they "
        "add up to the whole."
    )
    shown = markdown(headers, rows, [0])
    return f"{text} {explained}\n\n{shown}{cut(len(table), max_rows, 'contributions.csv')}"


def _totals(comparison: Comparison, max_rows: int) -> str:
    totals = comparison.totals
    if totals.empty:
        return ""
    quantities = list(dict.fromkeys(totals["quantity"]))
    shown = next((name for name in FIRST_QUANTITIES if name in quantities), quantities[0])
    table = totals[totals["quantity"] == shown]
    table = table.iloc[np.argsort(-np.abs(np.log(table["ratio"].where(table["ratio"] > 0, 1.0))), kind="stable")]
    keys = differing(table, list(table.columns)[: list(table.columns).index("quantity")])
    rows = [
        [*(str(row[key]) for key in keys), *_apart(row["first"], row["second"], row["ratio"])]
        for row in table.head(max_rows).to_dict("records")
    ]
    others = [name for name in quantities if name != shown]
    further = f"\n\nAlso different: {', '.join(others)} (totals.csv)." if others else ""
    head = f"## Totals that differ: {shown}\n\n"
    text = markdown([*keys, *ENDS, "second / first"], rows, range(len(keys)))
    return head + text + cut(len(table), max_rows, "totals.csv") + further


def _prices(prices: pd.DataFrame, max_rows: int) -> str:
    if prices.empty:
        return ""
    rows = [
        [short_price(row["price"]) + ", for a cycle" * bool(CYCLES.search(row["price"])),
         *_apart(row["first_pj"], row["second_pj"], row["ratio"]), row["change"]]
        for row in prices.head(max_rows).to_dict("records")
    ]  # fmt: skip
    headers = [PRICE_COLUMNS[0], "first (pJ)", "second (pJ)", "second / first", "what differs"]
    return f"## Prices that differ\n\n{markdown(headers, rows, [0, 4])}{cut(len(prices), max_rows, 'prices.csv')}"


def _apart(first: float, second: float, ratio: float) -> tuple[str, str, str]:
    """Return two values and their ratio with three digits, or as many more as it takes to tell them apart."""
    for digits in DIGITS:
        texts = [significant(value, digits) for value in (first, second, ratio)]
        if texts[0] != texts[1] and texts[2] != significant(1.0, digits):
            break
    return texts[0], texts[1], texts[2]


def _inputs(inputs: pd.DataFrame, max_rows: int) -> str:
    if inputs.empty:
        return "## Inputs that differ\n\nNone: same experiment, data, versions and code."
    rows = [[_short(str(cell)) for cell in row] for row in inputs.head(max_rows).itertuples(index=False)]
    text = markdown(list(inputs.columns), rows, range(4))
    return f"## Inputs that differ\n\n{text}{cut(len(inputs), max_rows, 'inputs.csv')}"


def draw_waterfall(comparison: Comparison, theme: Theme) -> Figure:
    """Draw how the energy of a case becomes that of the other result, component by component.

    Parameters
    ----------
    comparison
        Of two results; its contributions are not empty.
    theme
        Light or dark.
    """
    first_j, second_j = comparison.levels_j
    by_component = comparison.contributions.groupby("component", sort=False)["difference_j"].sum()
    by_component = by_component.iloc[np.argsort(-by_component.abs().to_numpy(), kind="stable")]
    steps = [(str(name), float(value)) for name, value in by_component.iloc[:SHOWN_STEPS].items()]
    rest = by_component.iloc[SHOWN_STEPS:]
    steps += [(f"{len(rest)} other{'s' * (len(rest) > 1)}", float(rest.sum()))] if len(rest) else []
    names = [f"first: {comparison.first.name}", *(name for name, _ in steps), f"second: {comparison.second.name}"]
    figure = new_figure(WIDTH_IN, REST_IN + ROW_IN * len(names))
    axes = figure.subplots()
    levels = first_j + np.cumsum([0.0, *(value for _, value in steps)])
    low, high = float(min(levels.min(), second_j)), float(max(levels.max(), second_j))
    close = high - low < CLOSE * high
    start = max(0.0, low - MARGIN * (high - low) * 3) if close else 0.0
    for y, total in ((0, first_j), (len(names) - 1, second_j)):
        axes.barh(y, total - start, left=start, height=0.7, color=theme.idle)
    for i, (_, value) in enumerate(steps):
        more = value > 0
        axes.barh(i + 1, value, left=levels[i], height=0.7, color=theme.series[1 if more else 0],
                  hatch="//" if more else None, edgecolor=theme.background, linewidth=0)  # fmt: skip
        axes.plot([levels[i]] * 2, [i - 0.35, i + 1.35], color=theme.text, linewidth=0.8)
    axes.plot([levels[-1]] * 2, [len(names) - 2.35, len(names) - 0.65], color=theme.text, linewidth=0.8)
    span = (high - start) or 1.0
    for i, text in enumerate(
        [with_unit(first_j, "J"), *(_signed(value, MINUS) for _, value in steps), with_unit(second_j, "J")]
    ):
        right = max(levels[i - 1], levels[i]) if 0 < i < len(names) - 1 else (first_j, second_j)[i > 0]
        axes.annotate(text, (right, i), xytext=(6, 0), textcoords="offset points", va="center", fontsize=12)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(start, high + MARGIN * 1.3 * span)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: unit_tick(value, "J")))
    axes.set_xlabel("energy" + (" (the axis does not begin at zero)" if start > 0 else ""))
    axes.grid(visible=False, axis="y")
    case = ", ".join(str(value) for value in comparison.case.values() if value and not str(value).isdecimal())
    figure.suptitle(f"{case}: what changes the energy" if case else "What changes the energy")
    return figure


def _action(row: "Mapping[Any, Any] | pd.Series[Any]") -> str:
    return ", ".join(str(row[key]) for key in ("component", "operand", "action", "format") if row[key])


def _change(value: float) -> str:
    return significant(value) if value <= 0 else f"+{significant(value)}"


def _signed(value: float, minus: str = "-") -> str:
    return "0" if value == 0 else f"{'+' if value > 0 else minus}{with_unit(abs(value), 'J')}"


def _short(text: str) -> str:
    return (text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…").replace("|", "\\|")


def tables(comparison: Comparison) -> Sequence[tuple[str, pd.DataFrame]]:
    """Return the tables that are written, by name.

    Parameters
    ----------
    comparison
        Of two results.
    """
    return [
        ("inputs", comparison.inputs), ("prices", comparison.prices), ("totals", comparison.totals),
        ("contributions", comparison.contributions),
    ]  # fmt: skip
