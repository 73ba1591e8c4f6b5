"""Accelerators that were published, from their parameters: tokens a second and joules a token beside the printed ones.

Their chips are built at nodes without prices. What a design takes there is between what it takes at the two nodes of
the tables, log-log in the node; clock, bandwidth and watts of the platform are the same at both.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.machines.names import Idle, Metered, Named, Scope
from bitjoule.energy_models.machines.predict import Lengths, price
from bitjoule.energy_models.machines.rows import MeasuredRow
from bitjoule.energy_models.system.platform.platforms import platforms

FILE = DATA / "published_designs.csv"
COLUMNS = (
    "design", "platform", "model", "scheme", "phase", "prompt_tokens", "new_tokens", "process_nm", "scope",
    "tokens_per_s", "j_per_token", "inputs", "source", "where", "note",
)  # fmt: skip
NODES = {"45nm": 45.0, "7nm": 7.0}
GROSS: Idle = "gross"
LENGTHS = Lengths()


class Design(NamedTuple):
    """A design in one phase, as published and as predicted.

    Parameters
    ----------
    cells
        Its row of published_designs.csv.
    printed_tokens_per_s, printed_j_per_token
        As published; none where nothing is printed.
    tokens_per_s, j_per_token
        As predicted, at its own node.
    at_nodes
        Joules a token at the nodes of the tables, by name.
    """

    cells: Mapping[str, str]
    printed_tokens_per_s: float
    printed_j_per_token: float | None
    tokens_per_s: float
    j_per_token: float
    at_nodes: Mapping[str, float]


@cache
def published_designs() -> tuple[Mapping[str, str], ...]:
    """Return the rows of published_designs.csv.

    Raises
    ------
    InputError
        The file is wrong.
    """
    return tuple(cells for _, cells in read_facts(FILE, COLUMNS))


def design_names() -> tuple[str, ...]:
    """Return the platforms of published designs, each once."""
    return tuple(dict.fromkeys(cells["platform"] for cells in published_designs()))


def between_nodes(values: Mapping[str, float], node_nm: float) -> float:
    """Return a value at a node, on the line through two others in logarithms of both.

    Parameters
    ----------
    values
        At the nodes of the tables, by name; positive.
    node_nm
        The node.
    """
    first, second = (np.log(NODES[name]) for name in values)
    logs = [float(np.log(value)) for value in values.values()]
    share = (np.log(node_nm) - first) / (second - first)
    return float(np.exp(logs[0] + share * (logs[1] - logs[0])))


def named_design(cells: Mapping[str, str]) -> Named:
    """Return a row of published_designs.csv as a measurement.

    Parameters
    ----------
    cells
        The row.
    """
    line = published_designs().index(cells) + 2
    speed, joules = float(cells["tokens_per_s"]), float(cells["j_per_token"]) if cells["j_per_token"] else None
    prompt, new = float(cells["prompt_tokens"]), float(cells["new_tokens"])
    row = MeasuredRow(FILE.name, line, cells, 1.0, speed, joules, prompt, new)
    scope: Scope = "chip" if cells["scope"] == "chip" else "board"
    return Named(row, cells["platform"], cells["model"], cells["scheme"], Metered(scope, GROSS))


def predicted(names: Iterable[str]) -> Iterator[Design]:
    """Yield the published designs with what they are predicted to be.

    Parameters
    ----------
    names
        Platforms, from `design_names`.
    """
    wanted = set(names)
    for cells in published_designs():
        if cells["platform"] not in wanted:
            continue
        speed, joules = float(cells["tokens_per_s"]), float(cells["j_per_token"]) if cells["j_per_token"] else None
        named = named_design(cells)
        platform = platforms()[cells["platform"]]
        found = {node: price([named], platform, cells["platform"], LENGTHS, technology=node) for node in NODES}
        at_nodes = {node: float(energy[0]) for node, (_, energy) in found.items()}
        rates = {node: float(rate[0]) for node, (rate, _) in found.items()}
        process_nm = float(cells["process_nm"])
        yield Design(
            cells, speed, joules, between_nodes(rates, process_nm), between_nodes(at_nodes, process_nm), at_nodes
        )
