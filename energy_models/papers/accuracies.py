"""Published scores of models in the schemes that they were run in."""

from functools import cache
from typing import NamedTuple

from bitjoule.energy_models.inputs.facts import positive, read_facts
from bitjoule.energy_models.inputs.sources import DATA

ACCURACIES_FILE = DATA / "accuracies.csv"
COLUMNS = ("benchmark", "model", "scheme", "score", "source", "where", "note")
LOWER_IS_BETTER = "perplexity"  # in the name of a benchmark


class Accuracy(NamedTuple):
    """One printed score.

    Parameters
    ----------
    benchmark
        What was measured; of a perplexity, less is better.
    model, scheme
        The preset with the model's shape, and the scheme that it was run in.
    score, printed
        Its value, and as printed.
    source, where, note
        Citation key, place, and what the source calls it.
    """

    benchmark: str
    model: str
    scheme: str
    score: float
    printed: str
    source: str
    where: str
    note: str

    @property
    def falls(self) -> bool:
        """Whether less is better."""
        return LOWER_IS_BETTER in self.benchmark


@cache
def accuracies() -> tuple[Accuracy, ...]:
    """Return every published score.

    Raises
    ------
    InputError
        A row of accuracies.csv is wrong.
    """
    rows = []
    for line, cells in read_facts(ACCURACIES_FILE, COLUMNS):
        score = positive(ACCURACIES_FILE, line, cells, "score")
        rest = (cells[column] for column in ("source", "where", "note"))
        rows.append(Accuracy(cells["benchmark"], cells["model"], cells["scheme"], score, cells["score"], *rest))
    return tuple(rows)


@cache
def benchmarks() -> tuple[str, ...]:
    """Return the names of the benchmarks."""
    return tuple(dict.fromkeys(accuracy.benchmark for accuracy in accuracies()))
