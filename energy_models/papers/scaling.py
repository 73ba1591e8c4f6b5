"""Scaling laws: the loss that a format's models reach, over their size."""

from functools import cache
from typing import NamedTuple

from bitjoule.energy_models.inputs.facts import positive, read_facts
from bitjoule.energy_models.inputs.sources import DATA

SCALING_FILE = DATA / "scaling_laws.csv"
COLUMNS = ("weights", "a", "b", "c", "smallest_b", "largest_b", "source", "where", "note")
BILLION = 1e9


class Law(NamedTuple):
    """Loss L(N) = a N^b + c of models of N billion parameters.

    Parameters
    ----------
    scheme_weights
        Format of their weights.
    a, b, c
        Coefficients.
    smallest_b, largest_b
        Sizes that the law was fitted on, in billions of parameters.
    """

    scheme_weights: str
    a: float
    b: float
    c: float
    smallest_b: float
    largest_b: float


@cache
def laws() -> dict[str, Law]:
    """Return every law, by the format of the weights.

    Raises
    ------
    InputError
        A row of scaling_laws.csv is wrong.
    """
    by_weights = {}
    for line, cells in read_facts(SCALING_FILE, COLUMNS):
        sizes_b = (positive(SCALING_FILE, line, cells, column) for column in ("smallest_b", "largest_b"))
        coefficients = (float(cells[column]) for column in ("a", "b", "c"))
        by_weights[cells["weights"]] = Law(cells["weights"], *coefficients, *sizes_b)
    return by_weights


def loss(law: Law, parameters: float) -> float:
    """Return the loss of a model.

    Parameters
    ----------
    law
        Of its format.
    parameters
        How many it has.
    """
    return float(law.a * (parameters / BILLION) ** law.b + law.c)
