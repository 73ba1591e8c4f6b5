"""The tables of a quality experiment."""

from typing import NamedTuple

import pandas as pd

from bitjoule.energy_models.formats.formats import formats
from bitjoule.experiments.output.tables import with_digits
from bitjoule.experiments.quality.energies import ENERGY, EQUAL_COLUMNS, PUBLISHED_COLUMNS, with_energies
from bitjoule.experiments.quality.laws import LAW_COLUMNS, law_table
from bitjoule.experiments.quality.losses import loss_table
from bitjoule.experiments.quality.resolve import QualityInput
from bitjoule.experiments.quality.zeros import zero_table

DIGITS = 6
MODEL_COLUMNS = {
    "rung": "rung", "format_name": "format", "trained": "trained", "seed": "seed", "parameters": "parameters",
    "learning_rate": "learning_rate", "loss": "loss_nats_per_byte",
}  # fmt: skip


class Tables(NamedTuple):
    """The tables of a quality experiment; see `bitjoule.kinds.quality.QualityResult`."""

    summary: pd.DataFrame
    models: pd.DataFrame
    laws: pd.DataFrame
    equal_loss: pd.DataFrame
    published: pd.DataFrame
    formats: pd.DataFrame


def tables(work: QualityInput) -> Tables:
    """Return the tables of a quality experiment.

    Parameters
    ----------
    work
        From `bitjoule.experiments.quality.resolve`.
    """
    name, quality = work.experiment.name, work.experiment.quality
    models = pd.DataFrame(work.models)[list(MODEL_COLUMNS)].rename(columns=MODEL_COLUMNS)
    models.insert(0, "experiment", name)
    laws = pd.DataFrame(columns=list(LAW_COLUMNS))
    equal, published = pd.DataFrame(columns=list(EQUAL_COLUMNS)), pd.DataFrame(columns=list(PUBLISHED_COLUMNS))
    if work.steps:
        summary = zero_table(name, work.steps, work.technologies)
    else:
        summary = loss_table(name, work.models, quality.baseline)
    if quality.laws:
        laws = law_table(name, work.models, quality.baseline)
    if work.energies is not None:
        found = with_energies(
            name, summary, work.energies, quality.schemes, quality.baseline, quality.published
        )  # fmt: skip
        summary, equal, published = found
    summary, models, laws = _rounded(summary), _rounded(models), _rounded(laws)
    return Tables(summary, models, laws, _rounded(equal), _rounded(published), _formats(work))


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with as many digits as logarithms and fits have on any processor; energies keep theirs."""
    columns = table.select_dtypes("float64").columns
    return with_digits(table, DIGITS, [column for column in columns if column not in ENERGY])


def _formats(work: QualityInput) -> pd.DataFrame:
    """Return kind and variant of each format and method; those of one kind are numbered as they come."""
    numbers: dict[str, int] = {}
    rows = []
    for label, weights in work.weights.items():
        kind = formats()[weights].kind
        rows.append((label, kind, numbers.setdefault(kind, 0)))
        numbers[kind] += 1
    return pd.DataFrame(rows, columns=["format", "kind", "variant"]).set_index("format")
