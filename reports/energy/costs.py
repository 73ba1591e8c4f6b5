"""What it costs to run: electricity, money and carbon dioxide of a million tokens and of a request."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bitjoule.energy_models.architecture.phases import DECODE, PREFILL
from bitjoule.energy_models.prices.electricity import electricity
from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.output.columns import COST_INPUTS, COSTS, REQUEST
from bitjoule.reports.energy.workloads import unit_of
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.markdown import cut, differing, markdown

CASE = ("model", "technology", "platform", "batch", "prompt_tokens", "new_tokens")
TEXT = ("model", "technology", "platform", "scheme", "of")
NAMES = {
    "prompt_tokens": "prompt (tokens)", "new_tokens": "new (tokens)", "batch": "batch (sequences)",
    "electricity_usd_per_kwh": "$/kWh", "grid_gco2_per_kwh": "g CO2/kWh", "power_usage_effectiveness": "PUE",
}  # fmt: skip
UNITS = {"kwh": "kWh", "usd": "$", "gco2": "g CO2"}
MILLION = 1e6
OF = {DECODE: "1M generated tokens", PREFILL: "1M prompt tokens"}


def costs_text(frames: Frames, max_rows: int) -> str:
    """Return a section on what energy costs, if the experiment asks for it.

    Parameters
    ----------
    frames
        Of a run of the system accounting.
    max_rows
        Rows shown.
    """
    costs = frames.costs
    if costs.empty:
        return ""
    keys = [*differing(costs, CASE, always=("model",)), "scheme", *differing(costs, COST_INPUTS)]
    images = unit_of(frames) == "image"
    names = {PREFILL: "1M images"} if images else OF
    lines = []
    for row in costs.to_dict("records"):
        lines += [(row, names[phase], "million_tokens") for phase in names if row["phase"] == phase]
        whole = not images and (row["phase"] == REQUEST or (row["phase"] == PREFILL and row["new_tokens"] == 0))
        lines += [(row, "1M requests", "request")] if whole else []
    cells = [
        [*(key_text(row[key]) for key in keys), name, *(cell for cost in COSTS for cell in with_band(row, cost, of))]
        for row, name, of in lines[:max_rows]
    ]
    headers = [*(NAMES.get(key, key) for key in keys), "of"]
    headers += cost_headers()
    table = markdown(headers, cells, [i for i, key in enumerate((*keys, "of")) if key in TEXT])
    return "\n\n".join(["## Cost of running", inputs_text(costs), table + cut(len(lines), max_rows, "costs.csv")])


def cost_headers() -> list[str]:
    """Return the headers of the cells of `with_band`, of every cost."""
    return [header for cost in COSTS for header in (UNITS[cost], f"{UNITS[cost]}, low to high")]


def inputs_text(costs: pd.DataFrame) -> str:
    """Return what costs are computed with, and where it comes from.

    Parameters
    ----------
    costs
        Columns `COST_INPUTS`.
    """
    texts = []
    for key in COST_INPUTS:
        values = costs[key].unique().tolist()
        text = f"{NAMES[key]} {', '.join(f'{value:g}' for value in values)}"
        default = electricity()[key]
        texts.append(f"{text} (default: {default.source}, {default.where})" if values == [default.value] else text)
    return (
        f"With {'; '.join(texts)}. The energy that the platform counts times the PUE is bought from the grid; low and "
        "high are those of the energy. Machines are not paid for."
    )


def with_band(row: Mapping[Any, Any], cost: str, of: str) -> tuple[str, str]:
    """Return a cost and its band as text; of a million requests, where it is given for one.

    Parameters
    ----------
    row
        Of a table of costs.
    cost
        One of `COSTS`.
    of
        What follows it in the names of columns.
    """
    count = MILLION if of == "request" else 1
    value, low, high = (significant(row[f"{cost}{end}_per_{of}"] * count) for end in ("", "_low", "_high"))
    return value, f"{low} to {high}"


def key_text(value: object) -> str:
    """Return the text of a key's value.

    Parameters
    ----------
    value
        A number or a text.
    """
    return f"{value:g}" if isinstance(value, float) else str(value)
