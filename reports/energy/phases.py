"""Each phase of a summary: speed, power, what bounds the time, arrays, and time beside energy by component."""

import math

import pandas as pd

from bitjoule.energy_models.architecture.components import COMPONENTS
from bitjoule.energy_models.architecture.phases import DECODE, PREFILL
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.output.columns import BOUND_COLUMNS, WORKLOAD_AXES
from bitjoule.reports.energy.workloads import unit_of, workload_text
from bitjoule.reports.figures.digits import column_prefix, significant
from bitjoule.reports.figures.markdown import markdown

BOUND_NAMES = dict(zip(BOUND_COLUMNS, ("compute", "buffer bandwidth", "DRAM bandwidth", "latency"), strict=True))
GROUPS = {
    "projections": "q, k, v, o projections",
    "attention": "attention and KV cache",
    "cache": "attention and KV cache",
    "ffn": "FFN",
    "tables": "embedding and LM head",
    "element-wise": "element-wise",
}
OTHERS = {
    "static": "static power",
    "regulator": "loss in regulators",
    "spilled_activations": "spilled activations",
    "memory_levels": "memory levels",
    "conv": "convolutions",
    "full_precision_conv": "first and last layers",
    "classifier": "first and last layers",
}
ALL = "all"
SCHEMES = 5  # side by side in a table, at most
LEAST_PERCENT = 0.01  # less is not told apart
HELPED = {
    "attention_scores": "attention",
    "attention_values": "attention",
    "lm_head": "LM head",
    "ffn_router": "router",
    "full_precision_conv": "first and last layers",
    "classifier": "first and last layers",
}
PLACE = ("model", "technology", "platform", *WORKLOAD_AXES)


def group_of(component: str) -> str:
    """Return the line of a table to which a component belongs.

    Parameters
    ----------
    component
        As of the long table.
    """
    hue = next((c.hue for c in COMPONENTS if c.name == component), "")
    return OTHERS.get(component) or GROUPS.get(hue, component)


def bound_of(seconds: "pd.Series[float]") -> str:
    """Return the name of what bounds most of a time.

    Parameters
    ----------
    seconds
        By `BOUND_COLUMNS`.
    """
    return BOUND_NAMES[str(seconds[list(BOUND_COLUMNS)].astype(float).idxmax())]


def phases_text(frames: Frames) -> str:
    """Return a section for each phase, of the case of the headline.

    Parameters
    ----------
    frames
        Of a run of the system accounting.
    """
    table = frames.components
    if table.empty:
        return ""
    place = {key: table[key].iloc[0] for key in PLACE}
    cases = frames.summary
    for key, value in place.items():
        cases = cases[cases[key] == value]
    sections: list[str] = []
    for phase in (PREFILL, DECODE):
        own = table[table["phase"] == phase]
        if own.empty:
            continue
        rows = cases[cases["phase"] == phase]
        title = "Matrix product" if frames.bare else "Image" if unit_of(frames) == "image" else phase.capitalize()
        text = [f"## {title}", f"{_where(frames, place)}.{'' if sections else HOW}"]
        text += [_schemes(frames, rows, own), *_components(frames, own)]
        sections.append("\n\n".join(text))
    return "\n\n".join(sections)


HOW = (
    " The percentages are shares of the time, by what bounds it: computing (arrays and vector unit), a buffer's or the "
    "off-chip memory's bandwidth, or the latency of filling and draining the arrays."
)


def _where(frames: Frames, place: dict[str, object]) -> str:
    text = f"{place['model']} at {place['technology']} on {place['platform']}"
    if not frames.bare:
        batch, prompt, new = (int(str(place[axis])) for axis in ("batch", "prompt_tokens", "new_tokens"))
        text += f", {workload_text(batch, prompt, new, unit_of(frames))}"
    others = len(frames.summary.drop_duplicates(list(PLACE)))
    return f"{text} (one of {others} cases of each scheme; components.csv has all)" if others > 1 else text


def _schemes(frames: Frames, rows: pd.DataFrame, components: pd.DataFrame) -> str:
    """Return a row for each scheme: speed, power, bounds, arrays."""
    unit = "products/s" if frames.bare else f"{unit_of(frames)}s/s"
    headers = ["scheme", unit, "W", "bound by", *(f"{name} (%)" for name in BOUND_NAMES.values()), "MACs by array"]
    cells = []
    for row in rows.to_dict("records"):
        own = components[components["scheme"] == row["scheme"]]
        seconds = own[list(BOUND_COLUMNS)].sum()
        speed = 1 / row["latency_s"] if frames.bare else row["tokens_per_s"]
        line = [str(row["scheme"]), significant(speed), significant(row["energy_j"] / row["latency_s"])]
        line += [bound_of(seconds), *(_percent(share) for share in seconds / seconds.sum()), _arrays(own)]
        cells.append(line)
    return markdown(headers, cells, [0, 3, len(headers) - 1])


def _percent(share: float) -> str:
    percent = 100 * share
    return f"< {LEAST_PERCENT}" if 0 < percent < LEAST_PERCENT else significant(percent)


def _arrays(components: pd.DataFrame) -> str:
    """Return the share of MACs of each array, and what those beside the busiest run."""
    own = components[components["macs"] > 0]
    macs = own.groupby("array", sort=False, observed=True)["macs"].sum().sort_values(ascending=False, kind="stable")
    texts: list[str] = []
    for name, count in macs.items():
        runs = own.loc[own["array"] == name, "component"].astype(str)
        helps = ", ".join(dict.fromkeys(HELPED.get(component, component) for component in runs))
        texts.append(f"{name} {_percent(count / macs.sum())} %" + (f" ({helps})" if texts else ""))
    return ", ".join(texts)


def _components(frames: Frames, table: pd.DataFrame) -> list[str]:
    """Return time and energy by group of components, at most `SCHEMES` of the schemes in each table."""
    schemes = [scheme for scheme in frames.schemes if (table["scheme"] == scheme).any()]
    sums: dict[str, dict[str, list[float]]] = {group: {} for group in GROUPS.values()}
    totals = {scheme: [0.0, 0.0] for scheme in schemes}
    for component, scheme, *amounts in table[["component", "scheme", "time_s", "energy_j"]].itertuples(index=False):
        by_scheme = sums.setdefault(group_of(component), {})
        by_scheme[scheme] = [before + more for before, more in zip(by_scheme.get(scheme, (0, 0)), amounts, strict=True)]
        totals[scheme] = [before + more for before, more in zip(totals[scheme], amounts, strict=True)]
    factors, prefixes = zip(*map(column_prefix, zip(*totals.values(), strict=True)), strict=True)
    sums[ALL] = totals
    together = math.ceil(len(schemes) / math.ceil(len(schemes) / SCHEMES))
    tables = []
    for start in range(0, len(schemes), together):
        shown = schemes[start : start + together]
        units = [f"{name}{unit}" for name, unit in zip(prefixes, "sJ", strict=True)]
        headers = ["component", *(f"{scheme} ({unit})" for scheme in shown for unit in units)]
        rows = [
            [line, *(_cell(value / factor) for scheme in shown
                     for value, factor in zip(by_scheme.get(scheme, (0.0, 0.0)), factors, strict=True))]
            for line, by_scheme in sums.items() if any(scheme in by_scheme for scheme in shown)
        ]  # fmt: skip
        tables.append(markdown(headers, rows, [0]))
    return tables


def _cell(value: float) -> str:
    return significant(value) if value else ""
