"""Serving experiments: energy and time of requests that are served in several ways."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.serving.resolve import ServingInput
    from bitjoule.experiments.serving.schema import ServingExperiment
    from bitjoule.reports.figures.style import Theme

KEY = "serving"
PARALLEL = True


@dataclass(frozen=True)
class ServingResult:
    """The result of a serving experiment.

    Parameters
    ----------
    name, description, baseline
        Of the experiment; the baseline's scheme, or nothing.
    summary, stages, steady, arrays, costs, utilisation
        See `bitjoule.experiments.serving.run.Tables`.
    formats
        Kind and variant of each scheme's format.
    warnings
        Of the run.
    """

    name: str
    description: str
    baseline: str
    summary: "pd.DataFrame"
    stages: "pd.DataFrame"
    steady: "pd.DataFrame"
    formats: "pd.DataFrame"
    arrays: "pd.DataFrame"
    costs: "pd.DataFrame"
    utilisation: "pd.DataFrame"
    warnings: tuple[str, ...] = ()


def schema() -> "type[ServingExperiment]":
    """Return the schema of serving experiments."""
    from bitjoule.experiments.serving.schema import ServingExperiment

    return ServingExperiment


def resolve(document: "Document") -> "Ready[ServingInput]":
    """Check an experiment and resolve its names."""
    from bitjoule.experiments.serving import resolve as reader

    work = reader.resolve(document)
    return Ready(work.experiment, work)


def run(ready: "Ready[ServingInput]", progress: Progress) -> Outcome[ServingResult]:
    """Serve the requests in every way."""
    from bitjoule.experiments.energy.tables.families import families
    from bitjoule.experiments.names.doubts import doubts
    from bitjoule.experiments.serving.run import tables

    work = ready.work
    for by_scheme in (*work.platforms.values(), *work.decoders.values()):
        for name, machine in by_scheme.values():
            for line in doubts(name, machine):
                progress.warn(line)
    summary, stages, steady, arrays, costs, utilisation = tables(work, progress.warn)
    experiment = work.experiment
    baseline = "" if experiment.baseline is None else experiment.baseline.scheme
    result = ServingResult(
        experiment.name,
        experiment.description,
        baseline,
        summary,
        stages,
        steady,
        families(work.schemes),
        arrays,
        costs,
        utilisation,
    )
    written = {"summary": [summary], "stages": [stages]} | ({} if steady.empty else {"steady": [steady]})
    written |= {"arrays": [arrays]} | ({} if costs.empty else {"costs": [costs]}) | {"utilisation": [utilisation]}
    inlined = experiment.model_dump(mode="json", exclude_none=True)
    return Outcome(result, written, inlined, work.inputs)


def summary(outcome: Outcome[ServingResult], max_rows: int) -> str:
    """Return the summary as Markdown."""
    from bitjoule.reports.serving import serving_markdown

    result = outcome.result
    heading = (result.name, result.description, result.baseline)
    further = (result.arrays, result.costs, result.utilisation)
    return serving_markdown(*heading, result.summary, result.steady, max_rows, *further)


def headline(outcome: Outcome[ServingResult]) -> str:
    """Return the outcome in one line."""
    from bitjoule.reports.serving import headline

    return headline(outcome.result.summary)


def pictures(outcome: Outcome[ServingResult]) -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return the drawing function of what each way saves."""
    from bitjoule.reports.serving import draw_gains

    result = outcome.result
    ways = result.summary["way"][~result.summary["continuous"]]
    if len(set(ways)) < 2:
        return {}
    return {"gains": partial(draw_gains, result.name, result.summary, result.formats)}
