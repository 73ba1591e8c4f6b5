"""The summary and the picture of a serving experiment."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bitjoule.energy_models.serving.peaks import LIMITS, PEAKS
from bitjoule.experiments.output.columns import COST_INPUTS, COSTS
from bitjoule.reports.energy.costs import NAMES as COST_NAMES
from bitjoule.reports.energy.costs import cost_headers, inputs_text, key_text, with_band
from bitjoule.reports.energy.phases import BOUND_NAMES
from bitjoule.reports.figures.digits import significant, with_unit
from bitjoule.reports.figures.families import look
from bitjoule.reports.figures.markdown import cut, differing, markdown
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import Theme, log_ticks, new_figure, with_one

NONE = pd.DataFrame()
PLACE = ("model", "technology", "platform", "batch", "prompt_tokens", "new_tokens")
TEXT = ("model", "technology", "platform", "way", "scheme")
NAMES = {"prompt_tokens": "prompt (tokens)", "new_tokens": "new (tokens)", "batch": "batch (sequences)"}
LIMIT_NAMES = dict(zip(LIMITS, (*BOUND_NAMES.values(), "links between chips", "links to a host"), strict=True))
COSTS_OF = {
    "million_generated_tokens": "1M generated tokens", "million_prompt_tokens": "1M prompt tokens",
    "request": "1M requests",
}  # fmt: skip
ROW_IN, REST_IN, WIDTH_IN = 0.45, 2.2, 10.5
SPREAD = 0.8  # of a row, over which the schemes' markers lie
EXPLAINED = (
    "Each step is counted as `accounting: system` counts it. A generated token has its share of decode, of the draft "
    "model, of what crosses links, and of the time in which chips wait; prefill is apart. First way: the same scheme, "
    "served in the first way of the experiment."
)


def serving_markdown(name: str, description: str, baseline: str, summary: pd.DataFrame, steady: pd.DataFrame,
                     max_rows: int, arrays: pd.DataFrame = NONE, costs: pd.DataFrame = NONE,
                     utilisation: pd.DataFrame = NONE) -> str:  # fmt: skip
    """Return the summary as Markdown.

    Parameters
    ----------
    name, description, baseline
        Of the experiment; the baseline's scheme, or nothing.
    summary, steady
        Its tables.
    max_rows
        Rows shown of each.
    arrays, costs, utilisation
        Further tables.
    """
    parts = [f"# {name}", description, f"{headline(summary)}.", EXPLAINED]
    alone = summary[~summary["continuous"]]
    if not alone.empty:
        parts += ["## Ways to serve", _ways(alone, baseline, max_rows)]
    if not steady.empty:
        parts += ["## Continuous batching", _steady(steady, max_rows)]
    if not arrays.empty:
        parts += ["## Arrays", _arrays(arrays)]
    if not costs.empty:
        parts += ["## Cost of running", _costs(costs, max_rows)]
    if not utilisation.empty:
        parts += ["## Utilisation", _utilisation(utilisation, max_rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(summary: pd.DataFrame) -> str:
    """Return the outcome in one line: what the ways save at the most for each scheme of the last model.

    Parameters
    ----------
    summary
        From `bitjoule.experiments.serving.run`.
    """
    last = summary[summary["model"] == summary["model"].iloc[-1]]
    parts = []
    for scheme, rows in last.groupby("scheme", sort=False):
        plain = rows.iloc[0]
        best = rows.loc[rows["energy_per_generated_token_j"].idxmin()]
        text = f"{scheme} {with_unit(plain['energy_per_generated_token_j'], 'J')}"
        if best["way"] != plain["way"]:
            text += f" ({significant(best['gain_token'])} times less with {best['way']})"
        parts.append(text)
    where = f"{last['model'].iloc[0]} at {last['technology'].iloc[0]}"
    return f"{where}: per generated token {', '.join(parts)}"


def _ways(summary: pd.DataFrame, baseline: str, max_rows: int) -> str:
    keys = [*differing(summary, PLACE, always=("model",)), "way", "scheme"]
    headers = [*(NAMES.get(key, key) for key in keys), "chips", "J per generated token", "low to high prices"]
    headers += [f"{baseline} / this"] if baseline else []
    headers += ["first way / this", "J per prompt token", "J per request"]
    headers += [f"{baseline} / this (request)"] if baseline else []
    headers += ["first way / this (request)", "first token (s)", "per token (ms)", "tokens/s"]
    headers += ["KV cache (GB)", "of it empty (%)", "on a chip (GB)"]
    rows = []
    for row in summary.head(max_rows).to_dict("records"):
        cells = [str(row[key]) for key in keys] + [str(row["chips"])]
        cells += [significant(row["energy_per_generated_token_j"])]
        cells += [" to ".join(significant(row[f"energy_per_generated_token_{end}_j"]) for end in ("low", "high"))]
        cells += [significant(row["ratio_to_baseline_token"])] if baseline else []
        cells += [significant(row["gain_token"]), significant(row["energy_per_prompt_token_j"])]
        cells += [significant(row["request_j"])]
        cells += [significant(row["ratio_to_baseline_request"])] if baseline else []
        cells += [significant(row["gain_request"])]
        cells += [significant(row["first_token_s"]), significant(1e3 * row["per_token_s"])]
        cells += [significant(row["tokens_per_s"]), significant(row["cache_allocated_bytes"] / 1e9)]
        cells += [significant(100 * row["cache_wasted_share"]), significant(row["chip_bytes"] / 1e9)]
        rows.append(cells)
    table = markdown(headers, rows, [i for i, key in enumerate(keys) if key in TEXT])
    return table + cut(len(summary), max_rows, "summary.csv")


def _steady(steady: pd.DataFrame, max_rows: int) -> str:
    keys = [*differing(steady, PLACE[:3] + PLACE[4:], always=("model",)), "way", "scheme"]
    headers = [*(NAMES.get(key, key) for key in keys), "requests/s", "at most", "works (%)", "batch", "W"]
    headers += ["J per generated token", "first token p50 (s)", "p95", "p99", "between tokens p50 (ms)", "p95", "p99"]
    targets = [name for name in ("first_token", "token") if steady[f"{name}_within_target"].notna().any()]
    headers += [{"first_token": "first tokens in time (%)", "token": "tokens in time (%)"}[name] for name in targets]
    headers += ["percentiles by", "full batch, on a chip (GB)"]
    rows = []
    for row in steady.head(max_rows).to_dict("records"):
        cells = [str(row[key]) for key in keys]
        cells += [significant(row[key]) for key in ("requests_per_s", "highest_requests_per_s")]
        cells += [significant(100 * row["utilisation"]), significant(row["mean_batch"]), significant(row["power_w"])]
        cells += [significant(row["energy_per_token_j"])]
        cells += [significant(row[f"first_token_p{q}_s"]) for q in (50, 95, 99)]
        cells += [significant(1e3 * row[f"token_p{q}_s"]) for q in (50, 95, 99)]
        cells += [significant(100 * row[f"{name}_within_target"]) for name in targets]
        rows.append([*cells, row["percentiles_by"], significant(row["full_batch_chip_bytes"] / 1e9)])
    text = (
        "The steady state of a server to which requests come at random. A generated token has its share of prefill and "
        "of the time in which the server waits. Rows without figures get more requests than the server can serve."
    )
    if steady["percentiles_error"].notna().any():
        error = significant(100 * steady["percentiles_error"].max())
        text += f" Percentiles by a simulation have a standard error of up to {error} %."
    left = [i for i, header in enumerate([*keys, *headers[len(keys) :]]) if header in (*TEXT, "percentiles by")]
    return f"{text}\n\n{markdown(headers, rows, left)}{cut(len(steady), max_rows, 'steady.csv')}"


def _arrays(arrays: pd.DataFrame) -> str:
    """Return the arrays that run each scheme; ways with the same ones share a row."""
    ways: dict[tuple[str, str], dict[str, list[str]]] = {}
    for (platform, scheme, way), rows in arrays.groupby(["platform", "scheme", "way"], sort=False):
        shares = rows.groupby("array", sort=False)["mac_share"].agg(["min", "max"])
        ends = [(name, *(significant(100 * end) for end in row)) for name, *row in shares.itertuples()]
        text = ", ".join(f"{name} {' to '.join(dict.fromkeys(both))} %" for name, *both in ends)
        ways.setdefault((str(platform), str(scheme)), {}).setdefault(text, []).append(str(way))
    cells = []
    for key, of_machine in ways.items():
        usual = max(of_machine, key=lambda text: len(of_machine[text]))
        for text, names in of_machine.items():
            several = "every way" if len(of_machine) == 1 else "the others"
            cells.append([*key, several if text == usual and len(names) > 1 else ", ".join(names), text])
    said = (
        "The share of the MACs, prefill and draft included; of several models, technologies and workloads, the range."
    )
    return f"{said}\n\n{markdown(['platform', 'scheme', 'way', 'MACs by array'], cells, [0, 1, 2, 3])}"


def _costs(costs: pd.DataFrame, max_rows: int) -> str:
    """Return what energy costs, with continuous batching in the steady state."""
    keys = [*differing(costs, PLACE, always=("model",)), "way", "scheme", *differing(costs, COST_INPUTS)]
    cells = []
    for row in costs.to_dict("records"):
        for of, name in COSTS_OF.items():
            if not np.isnan(row[f"kwh_per_{of}"]):
                line = [*(key_text(row[key]) for key in keys), name]
                cells.append([*line, *(cell for cost in COSTS for cell in with_band(row, cost, of))])
    headers = [*(COST_NAMES.get(key, key) for key in keys), "of", *cost_headers()]
    table = markdown(headers, cells[:max_rows], [i for i, key in enumerate((*keys, "of")) if key in (*TEXT, "of")])
    return f"{inputs_text(costs)}\n\n{table}{cut(len(cells), max_rows, 'costs.csv')}"


def _utilisation(utilisation: pd.DataFrame, max_rows: int) -> str:
    """Return what bounds each phase, and the shares of the peaks; those that are used nowhere have no column."""
    keys = [*differing(utilisation, PLACE, always=("model",)), "way", "scheme", "phase"]
    peaks = {name: f"{name}_utilisation" for name in PEAKS if (utilisation[f"{name}_utilisation"] > 0).any()}
    rows = [
        [*(str(row[key]) for key in keys), str(row["chips"]), LIMIT_NAMES[row["bound_by"]]]
        + [significant(100 * row[column]) for column in peaks.values()]
        for row in utilisation.head(max_rows).to_dict("records")
    ]
    headers = [*(NAMES.get(key, key) for key in keys), "chips", "bound by"]
    headers += [f"{name.replace('_', ' ')} (%)" for name in peaks]
    left = [i for i, key in enumerate((*keys, "", "bound by")) if key in (*TEXT, "phase", "bound by")]
    said = "The share of each peak that the chips use on average over the time of a phase, waiting included."
    return f"{said}\n\n{markdown(headers, rows, left)}{cut(len(utilisation), max_rows, 'utilisation.csv')}"


def draw_gains(name: str, summary: pd.DataFrame, formats: pd.DataFrame, theme: Theme) -> Figure:
    """Draw how many times less the requests take in each way than in the first, for each scheme.

    Parameters
    ----------
    name
        Of the experiment.
    summary
        From `bitjoule.experiments.serving.run`; of several models, platforms and workloads the last.
    formats
        Kind and variant of each scheme's format.
    theme
        Light or dark.
    """
    last = summary[~summary["continuous"]]
    for key in PLACE:
        last = last[last[key] == last[key].iloc[-1]]
    ways = list(dict.fromkeys(last["way"]))
    schemes = list(dict.fromkeys(last["scheme"]))
    figure = new_figure(WIDTH_IN, REST_IN + ROW_IN * len(ways))
    axes = figure.subplots()
    axes.axvline(1.0, color=theme.text, linewidth=1, zorder=1.5)
    for i, scheme in enumerate(schemes):
        rows = last[last["scheme"] == scheme]
        row = formats.loc[[scheme]].to_dict("records")[0]
        drawn = look(row["kind"], row["variant"], theme)
        y = np.array([ways.index(way) for way in rows["way"]]) + SPREAD * ((i + 0.5) / len(schemes) - 0.5)
        axes.plot(rows["gain_request"], y, color=drawn.color, marker=drawn.marker, markersize=8,
                  linestyle="none", label=scheme)  # fmt: skip
    gains = last["gain_request"]
    axes.set_xscale("log")
    axes.set_xlim(min(float(gains.min()), 1.0) / 1.15, max(float(gains.max()), 1.0) * 1.15)
    log_ticks(axes.xaxis, "")
    with_one(axes.xaxis)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.set_yticks(range(len(ways)), ways)
    axes.set_ylim(len(ways) - 0.5, -0.5)
    axes.set_xlabel(f"energy of the requests: {ways[0]} / this way")
    place = last.iloc[0]
    figure.suptitle(
        f"{name}: {place['model']}, {place['prompt_tokens']} prompt tokens, {place['new_tokens']} new tokens, "
        f"batch {place['batch']}", fontsize=14,
    )  # fmt: skip
    legend_below(figure, *axes.get_legend_handles_labels())
    return figure
