"""The tables of what `bitjoule stats` counted."""

import math
from collections.abc import Mapping

from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.markdown import markdown

Rows = Mapping[str, Mapping[str, float]]
RATE = "toggle_rate_"
WEIGHTS = {
    "weights": "weights",
    "weight_zero_share": "zeros",
    "weight_negative_share": "-1",
    "weight_entropy_bits": "entropy (bits)",
}
ACTIVATIONS = {
    "tokens": "tokens",
    "activation_zero_share": "zeros",
    "activation_deviation": "deviation",
    "activation_entropy_bits": "entropy (bits)",
    "activation_toggle_rate": "toggle rate, bus",
    "lane_toggle_rate": "toggle rate, lane",
}
EXPLAINED = (
    "Toggle rate: share of transfers at which a data line changes. Bus: {bits} bits wide; it reads weights row after "
    "row and activations token after token. Lane: its input while the weights are held, from one token to the next. "
    "Tokens: those of all linears together."
)


def statistics_markdown(model: str, rows: Rows, bus_bits: int) -> str:
    """Return counts as Markdown: the weights, then the activations.

    Parameters
    ----------
    model
        Its name.
    rows
        Quantities by linear, as `bitjoule.sim.llm.statistics.Statistics.row` names them.
    bus_bits
        Width of the bus.
    """
    first = next(iter(rows.values()))
    rates = {
        key: f"toggle rate, {key.removeprefix(RATE)}"
        for key in first
        if key.startswith(RATE) and not all(math.isnan(row[key]) for row in rows.values())
    }
    return "\n".join(
        [
            f"# {model}\n",
            f"## Weights\n\n{_table(rows, WEIGHTS | rates)}\n",
            f"## Activations\n\n{_table(rows, ACTIVATIONS)}\n",
            EXPLAINED.format(bits=bus_bits),
        ]
    )


def _table(rows: Rows, columns: Mapping[str, str]) -> str:
    cells = [[name, *(_cell(row[key]) for key in columns)] for name, row in rows.items()]
    return markdown(["linear", *columns.values()], cells, [0])


def _cell(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:,}" if isinstance(value, int) else significant(value)
