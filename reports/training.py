"""The summary and the pictures of a training experiment."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bitjoule.energy_models.training.step import PASSES
from bitjoule.reports.figures.bars import MAX_BARS, bar_name, draw_bars
from bitjoule.reports.figures.digits import prefix, significant, with_unit
from bitjoule.reports.figures.families import look
from bitjoule.reports.figures.markdown import cut, differing, markdown
from bitjoule.reports.figures.panels import legend_below
from bitjoule.reports.figures.style import Theme, log_ticks, new_figure

PLACE = ("model", "technology", "platform", "way")
ROW_IN, REST_IN, WIDTH_IN = 0.5, 2.6, 10.5
NAMES = {
    "forward": "forward",
    "kept_activations": "kept activations",
    "recomputation": "recomputation",
    "input_gradients": "gradients of activations",
    "weight_gradients": "gradients of weights",
    "gradient_accumulation": "gradients added up",
    "optimiser": "optimiser",
}
CONTENTS = {
    "weights": "weights", "latent_weights": "latent weights", "optimiser_states": "optimiser states",
    "gradients": "gradients", "activations": "activations",
}  # fmt: skip
EXPLAINED = (
    "Each pass is counted as `accounting: system` counts a step: forward in the formats of the scheme, backward with "
    "gradients in a floating-point format, the optimiser in FP32 on latent weights. One machine trains; what several "
    "exchange is not in it."
)
POINTS = 200


def training_markdown(
    name: str, description: str, baseline: str, summary: pd.DataFrame, passes: pd.DataFrame, memory: pd.DataFrame,
    max_rows: int,
) -> str:  # fmt: skip
    """Return the summary as Markdown.

    Parameters
    ----------
    name, description, baseline
        Of the experiment; the baseline's scheme, or nothing.
    summary, passes, memory
        Its tables.
    max_rows
        Rows shown of each.
    """
    parts = [f"# {name}", description, f"{headline(summary)}.", EXPLAINED]
    parts += ["## Training", _training(summary, baseline, max_rows)]
    if "inference_per_token_j" in summary:
        parts += ["## Training against inference", _inference(summary, baseline, max_rows)]
    parts += ["## Energy by pass", _passes(summary, passes, max_rows)]
    parts += ["## Memory", _memory(summary, memory, max_rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(summary: pd.DataFrame) -> str:
    """Return the outcome in one line: energy of a training token in each scheme, of the last model in the first way.

    Parameters
    ----------
    summary
        From `bitjoule.experiments.training.run`.
    """
    last = summary[summary["model"] == summary["model"].iloc[-1]]
    for key in ("technology", "platform", "way"):
        last = last[last[key] == last[key].iloc[0]]
    parts = [f"{row['scheme']} {with_unit(row['energy_per_token_j'], 'J')}" for row in last.to_dict("records")]
    place = last.iloc[0]
    return f"{place['model']} at {place['technology']} on {place['platform']}: per training token {', '.join(parts)}"


def _keys(summary: pd.DataFrame) -> list[str]:
    return [*differing(summary, PLACE, always=("model",)), "scheme"]


def _training(summary: pd.DataFrame, baseline: str, max_rows: int) -> str:
    keys = _keys(summary)
    headers = [*keys, "J per token", "low to high prices", *([f"{baseline} / this"] if baseline else [])]
    headers += [
        "tokens/s",
        "W",
        "GMAC per token",
        "memory (GB)",
        f"{significant(summary['training_tokens'].iloc[0])} tokens (kWh)",
    ]
    rows = []
    for row in summary.head(max_rows).to_dict("records"):
        cells = [*(str(row[key]) for key in keys), significant(row["energy_per_token_j"])]
        cells += [" to ".join(significant(row[f"energy_per_token_{end}_j"]) for end in ("low", "high"))]
        cells += [significant(row["ratio_to_baseline_training"])] if baseline else []
        cells += [significant(row["tokens_per_s"]), significant(row["power_w"])]
        cells += [significant(row["macs_per_token"] / 1e9), significant(row["memory_bytes"] / 1e9)]
        rows.append([*cells, significant(row["training_j"] / 3.6e6)])
    return markdown(headers, rows, range(len(keys))) + cut(len(summary), max_rows, "summary.csv")


def _inference(summary: pd.DataFrame, baseline: str, max_rows: int) -> str:
    keys = _keys(summary)
    headers = [*keys, "J per generated token", *([f"{baseline} / this"] if baseline else [])]
    headers += ["tokens that take as much as training", *(["tokens that pay back training"] if baseline else [])]
    rows = []
    for row in summary.head(max_rows).to_dict("records"):
        cells = [*(str(row[key]) for key in keys), significant(row["inference_per_token_j"])]
        cells += [significant(row["ratio_to_baseline_inference"])] if baseline else []
        cells += [significant(row["tokens_as_training"])]
        if baseline:
            pays = row["payback_tokens"]
            cells += ["" if row["scheme"] == baseline else "never" if np.isinf(pays) else significant(pays)]
        rows.append(cells)
    return markdown(headers, rows, range(len(keys))) + cut(len(summary), max_rows, "summary.csv")


def by_pass(summary: pd.DataFrame, passes: pd.DataFrame) -> pd.DataFrame:
    """Return the energy of a training token by pass, J; a row for each row of `summary`, a column for each pass.

    Parameters
    ----------
    summary, passes
        From `bitjoule.experiments.training.run`.
    """
    keys = ["scheme", *PLACE]
    sums = passes.groupby([*keys, "pass"], sort=False)["energy_per_token_j"].sum().unstack(fill_value=0)
    rows = sums.loc[list(summary[keys].itertuples(index=False, name=None))]
    return rows[[name for name in PASSES if name in rows]].reset_index(drop=True)


def _passes(summary: pd.DataFrame, passes: pd.DataFrame, max_rows: int) -> str:
    keys, table = _keys(summary), by_pass(summary, passes)
    headers = [*keys, *(f"{NAMES[str(name)]} (%)" for name in table)]
    rows = []
    for row, (_, energies) in zip(summary.head(max_rows).to_dict("records"), table.iterrows(), strict=False):
        shares = 100 * energies / energies.sum()
        rows.append([*(str(row[key]) for key in keys), *(significant(share) for share in shares)])
    return markdown(headers, rows, range(len(keys))) + cut(len(summary), max_rows, "passes.csv")


def _memory(summary: pd.DataFrame, memory: pd.DataFrame, max_rows: int) -> str:
    keys = _keys(summary)
    by_content = memory.groupby(["scheme", *PLACE, "content"], sort=False)["bytes"].sum().unstack()
    rows = []
    for row in summary.head(max_rows).to_dict("records"):
        held = by_content.loc[tuple(row[key] for key in ("scheme", *PLACE))]
        rows.append([*(str(row[key]) for key in keys), *(significant(held[name] / 1e9) for name in CONTENTS)])
    headers = [*keys, *(f"{name} (GB)" for name in CONTENTS.values())]
    return markdown(headers, rows, range(len(keys))) + cut(len(summary), max_rows, "memory.csv")


def draw_passes(name: str, summary: pd.DataFrame, passes: pd.DataFrame, theme: Theme) -> Figure:
    """Draw the energy of a training token by pass, a bar for each case.

    Parameters
    ----------
    name
        Of the experiment.
    summary, passes
        Its tables; the first cases, if there are many.
    theme
        Light or dark.
    """
    shown = summary.head(MAX_BARS)
    keys = _keys(shown)
    table = by_pass(shown, passes)
    factor, unit = prefix(float(shown["energy_per_token_j"].max()))
    names = [bar_name([str(row[key]) for key in keys]) for row in shown.to_dict("records")]
    figure = new_figure(WIDTH_IN, REST_IN + ROW_IN * len(shown))
    axes = figure.subplots()
    bands = shown[["energy_per_token_low_j", "energy_per_token_high_j"]].to_numpy().T / factor
    labelled = table.rename(columns=NAMES) / factor
    ends = [with_unit(value, "J") for value in shown["energy_per_token_j"]]
    draw_bars(axes, labelled, ends, names, _colors, theme, bands)
    axes.set_xlabel(f"energy of a training token ({unit}J)")
    figure.suptitle(f"{name}: what training takes, by pass", fontsize=14)
    legend_below(figure, *axes.get_legend_handles_labels())
    return figure


def _colors(theme: Theme) -> dict[str, str]:
    projections, attention, ffn, other = theme.families
    hues = (ffn[1], theme.cache[1], ffn[2], attention[0], attention[1], other[1], projections[0])
    return {NAMES[key]: hue for key, hue in zip(PASSES, hues, strict=True)}


def draw_lifetime(name: str, summary: pd.DataFrame, formats: pd.DataFrame, theme: Theme) -> Figure:
    """Draw training and inference together, over the tokens that the model generates.

    Parameters
    ----------
    name
        Of the experiment.
    summary
        Its table; of several models, platforms and ways the last, first and first.
    formats
        Kind and variant of each scheme's format.
    theme
        Light or dark.
    """
    last = summary[summary["model"] == summary["model"].iloc[-1]]
    for key in ("technology", "platform", "way"):
        last = last[last[key] == last[key].iloc[0]]
    crossing = last["tokens_as_training"]
    tokens = np.geomspace(float(crossing.min()) / 100, float(crossing.max()) * 10, POINTS)
    figure = new_figure(WIDTH_IN, 6.0)
    axes = figure.subplots()
    for i, row in enumerate(last.to_dict("records")):
        of_format = formats.loc[[row["scheme"]]].to_dict("records")[0]
        drawn = look(of_format["kind"], of_format["variant"], theme)
        total = row["training_j"] + tokens * row["inference_per_token_j"]
        axes.plot(tokens, total, color=drawn.color, linestyle=drawn.dashes, marker=drawn.marker,
                  markevery=(5 * i, POINTS // 8), label=row["scheme"])  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    log_ticks(axes.xaxis, "")
    log_ticks(axes.yaxis, "J")
    axes.set_xlabel("generated tokens")
    axes.set_ylabel("training and inference (J)")
    place = last.iloc[0]
    tokens_text = with_unit(float(place["training_tokens"]), "").strip()
    figure.suptitle(f"{name}: {place['model']}, {tokens_text} tokens of training, then inference", fontsize=14)
    legend_below(figure, *axes.get_legend_handles_labels())
    return figure
