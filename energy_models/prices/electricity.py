"""What electricity costs, what its generation emits, and what a data centre adds: defaults, each with its source."""

from functools import cache
from typing import NamedTuple

from bitjoule.energy_models.inputs.facts import positive, read_facts
from bitjoule.energy_models.inputs.sources import DATA

ELECTRICITY_FILE = DATA / "electricity.csv"
COLUMNS = ("quantity", "value", "source", "where", "note")


class Default(NamedTuple):
    """A value that is taken where an experiment gives none.

    Parameters
    ----------
    value
        In the unit that its name ends in.
    source, where
        Citation key, and the place in it.
    """

    value: float
    source: str
    where: str


@cache
def electricity() -> dict[str, Default]:
    """Return each default, by the name of its quantity.

    Raises
    ------
    InputError
        A row of electricity.csv is wrong.
    """
    return {
        cells["quantity"]: Default(positive(ELECTRICITY_FILE, line, cells, "value"), cells["source"], cells["where"])
        for line, cells in read_facts(ELECTRICITY_FILE, COLUMNS)
    }
