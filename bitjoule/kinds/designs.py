"""Published accelerators: printed tokens per second and joules per token beside predictions from their parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.designs.schema import DesignsExperiment, DesignsInput
    from bitjoule.reports.figures.style import Theme

KEY = "designs"
PARALLEL = True


@dataclass(frozen=True)
class DesignsResult:
    """The result of an experiment with published designs.

    Parameters
    ----------
    name, description
        Name and description of the experiment.
    summary
        See `bitjoule.experiments.designs.table.designs_table`.
    warnings
        Of the run.
    """

    name: str
    description: str
    summary: "pd.DataFrame"
    warnings: tuple[str, ...] = ()


def schema() -> "type[DesignsExperiment]":
    """Return the schema of experiments with published designs."""
    from bitjoule.experiments.designs.schema import DesignsExperiment

    return DesignsExperiment


def resolve(document: "Document") -> "Ready[DesignsInput]":
    """Check an experiment."""
    from bitjoule.experiments.designs.schema import read_designs_experiment

    work = read_designs_experiment(document)
    return Ready(work.experiment, work)


def run(ready: "Ready[DesignsInput]", _: Progress) -> Outcome[DesignsResult]:
    """Predict the designs."""
    from bitjoule.experiments.designs.table import designs_table

    experiment = ready.work.experiment
    table = designs_table(ready.work)
    result = DesignsResult(experiment.name, experiment.description, table)
    return Outcome(result, {"summary": [table]}, experiment.model_dump(mode="json", exclude_none=True), inputs={})


def summary(outcome: Outcome[DesignsResult], _: int) -> str:
    """Return the summary as Markdown, with all rows."""
    from bitjoule.reports.designs import designs_markdown

    result = outcome.result
    return designs_markdown(result.name, result.description, result.summary)


def headline(outcome: Outcome[DesignsResult]) -> str:
    """Return the outcome in one line."""
    from bitjoule.reports.designs import headline

    return headline(outcome.result.summary)


def pictures(outcome: Outcome[DesignsResult]) -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return the drawing function of predictions over printed numbers."""
    from bitjoule.reports.designs import draw_designs

    return {"designs": partial(draw_designs, outcome.result.summary)}
