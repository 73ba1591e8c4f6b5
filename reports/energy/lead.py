"""What a summary says first: energy of a token, and its one line."""

import pandas as pd

from bitjoule.energy_models.architecture.phases import DECODE, PREFILL
from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.output.columns import REQUEST, WORKLOAD_AXES
from bitjoule.reports.energy.workloads import axis_names, unit_of
from bitjoule.reports.figures.digits import significant, with_unit
from bitjoule.reports.figures.markdown import cut, differing, markdown

CASE = ("model", "technology", "platform", "batch", "prompt_tokens", "new_tokens")
TEXT = ("model", "technology", "platform", "scheme")


def headline(frames: Frames) -> str:
    """Return the outcome in one line: how ours meet printed numbers, and what a token of the last model takes.

    Parameters
    ----------
    frames
        Of a run.
    """
    parts = []
    if frames.compared and not frames.comparison.empty:
        parts.append(agreement(frames.comparison))
    last = frames.summary.iloc[-1]
    same = frames.summary
    for key in ("model", "technology"):
        same = same[same[key] == last[key]]
    same = same[same["platform"] == frames.shown_platform]
    for key in WORKLOAD_AXES:
        same = same[same[key] == same[key].iloc[0]]
    phase = next(phase for phase in (DECODE, PREFILL, REQUEST) if (same["phase"] == phase).any())
    images = unit_of(frames) == "image"
    unit = "image" if images else {DECODE: "generated token", PREFILL: "prompt token", REQUEST: "token"}[phase]
    unit, column = ("matmul", "energy_j") if frames.bare else (unit, "energy_per_token_j")
    energies = []
    for row in same[same["phase"] == phase].to_dict("records"):
        ratio = row["ratio_to_baseline"]
        own = pd.isna(ratio) or (frames.baseline is not None and row["scheme"] == frames.baseline.scheme)
        energies.append(f"{row['scheme']} {with_unit(row[column], 'J')}{'' if own else f' ({significant(ratio)})'}")
    where = [str(last["model"]), f"at {last['technology']}"]
    where += [f"on {frames.shown_platform}"] if frames.accounting is Accounting.SYSTEM else []
    prompt = int(same["prompt_tokens"].iloc[0])
    where += [] if frames.bare or images or not prompt else [f"prompt of {prompt}"]
    text = f"{', '.join(where)}: per {unit} {', '.join(energies)}"
    parts.append(text + (f" (in brackets: {frames.baseline.name} over it)" if frames.baseline is not None else ""))
    return "; ".join(parts)


def agreement(comparison: pd.DataFrame) -> str:
    """Return how many printed numbers ours agree with, and how far ours are from them, in percent of the printed ones.

    Parameters
    ----------
    comparison
        See `bitjoule.experiments.energy.tables.comparison.compare`; not empty.
    """
    agree = int(comparison["agrees"].sum())
    far = difference(comparison)
    return f"{agree} of {len(comparison)} published values agree at the printed precision (difference: {far})"


def difference(comparison: pd.DataFrame) -> str:
    """Return how far ours are from the printed numbers, in percent of these.

    Parameters
    ----------
    comparison
        As for `agreement`.
    """
    percent = 100 * comparison["relative_error"].abs()
    far = f"{significant(percent.max(), 2)} %"
    return f"median {significant(percent.median(), 2)} %, largest {far}" if len(percent) > 1 else far


def token_table(frames: Frames, max_rows: int) -> str:
    """Return energy of a generated token, or of an image, with its band, speed, power and gain.

    Of generated tokens then also that of a prompt token, and of a request.

    Parameters
    ----------
    frames
        Of a run of the system accounting.
    max_rows
        Rows shown.
    """
    summary = frames.summary
    unit = unit_of(frames)
    images = unit == "image"
    generating = summary[summary["phase"] == (PREFILL if images else DECODE)]
    if generating.empty:
        return ""
    keys = differing(summary, CASE, always=("model",))
    place = [*CASE, "scheme"]
    shown = generating.head(max_rows)
    others: list[list[float]] = []
    for phase, name in ((PREFILL, "energy_per_token_j"), (REQUEST, "energy_j")):
        of_phase = summary.loc[summary["phase"] == phase, [*place, name]]
        others.append(shown[place].merge(of_phase, on=place, how="left")[name].tolist())
    rows = []
    for row, *of_others in zip(shown.to_dict("records"), *others, strict=True):
        tokens = row["energy_j"] / row["energy_per_token_j"]
        ends = [significant(row[f"energy_{end}_j"] / tokens) for end in ("low", "high")]
        cells = [str(row[key]) for key in (*keys, "scheme")]
        cells += [significant(row["energy_per_token_j"])]
        cells += [significant(row["ratio_to_baseline"])] if frames.baseline is not None else []
        cells += [" to ".join(ends), significant(row["tokens_per_s"]), significant(row["energy_j"] / row["latency_s"])]
        if not images:
            cells += map(significant, of_others)
        rows.append(cells)
    gain = [f"{frames.baseline.name} / this"] if frames.baseline is not None else []
    each = "J per image" if images else "J per generated token"
    headers = [*(axis_names(frames).get(key, key) for key in keys), "scheme", each, *gain, "low to high prices"]
    headers += [f"{unit}s/s", "W", *([] if images else ["J per prompt token", "J per request"])]
    table = markdown(headers, rows, [i for i, key in enumerate((*keys, "scheme")) if key in TEXT])
    title = "## Energy of an image\n\n" if images else "## Energy of a token\n\n"
    return title + table + cut(len(generating), max_rows, "summary.csv")
