"""Machines that others measured: predictions against measurements, and what narrow weights gain on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.measured.schema import MeasuredExperiment
    from bitjoule.reports.figures.style import Theme

KEY = "measured"
PARALLEL = True


@dataclass(frozen=True)
class MeasuredResult:
    """The result of an experiment on measured machines.

    Parameters
    ----------
    name, description
        Name and description of the experiment.
    summary
        Points, or gains; see `bitjoule.experiments.measured.tables`.
    errors
        Of points, by machine; empty of gains.
    unpriced
        What has no prediction, and why.
    warnings
        Of the run.
    """

    name: str
    description: str
    summary: "pd.DataFrame"
    errors: "pd.DataFrame"
    unpriced: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def schema() -> "type[MeasuredExperiment]":
    """Return the schema of experiments on measured machines."""
    from bitjoule.experiments.measured.schema import MeasuredExperiment

    return MeasuredExperiment


def resolve(document: "Document") -> "Ready[MeasuredExperiment]":
    """Check an experiment."""
    from bitjoule.experiments.measured.schema import read_measured_experiment

    experiment = read_measured_experiment(document)
    return Ready(experiment, experiment)


def run(ready: "Ready[MeasuredExperiment]", _: Progress) -> Outcome[MeasuredResult]:
    """Predict the rows, or count the formats."""
    import pandas as pd

    from bitjoule.experiments.measured.tables import error_table, gain_table, point_table

    experiment = ready.work
    low_bit = experiment.measured.low_bit
    table, why = point_table(experiment.measured) if low_bit is None else gain_table(low_bit)
    errors = error_table(table) if low_bit is None else pd.DataFrame()
    result = MeasuredResult(experiment.name, experiment.description, table, errors, tuple(why))
    tables = {"summary": [table]} | ({} if errors.empty else {"errors": [errors]})
    return Outcome(result, tables, experiment.model_dump(mode="json", exclude_none=True), {})


def summary(outcome: Outcome[MeasuredResult], max_rows: int) -> str:
    """Return the summary as Markdown."""
    from bitjoule.reports.measured import gains_markdown, points_markdown

    result = outcome.result
    if result.errors.empty:
        return gains_markdown(result.name, result.description, result.summary, result.unpriced)
    return points_markdown(result.name, result.description, result.summary, result.errors, result.unpriced, max_rows)


def headline(outcome: Outcome[MeasuredResult]) -> str:
    """Return the outcome in one line."""
    from bitjoule.reports.measured import headline

    return headline(outcome.result.summary, outcome.result.errors)


def pictures(outcome: Outcome[MeasuredResult]) -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return the drawing function."""
    from bitjoule.reports.measured import draw_gains, draw_points

    result = outcome.result
    if result.summary.empty:
        return {}
    if result.errors.empty:
        return {"gains": partial(draw_gains, result.summary)}
    return {"predicted_vs_measured": partial(draw_points, result.summary)}
