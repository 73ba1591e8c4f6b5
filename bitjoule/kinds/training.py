"""Training experiments: what training takes in each format, and when inference pays it back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.training.resolve import TrainingInput
    from bitjoule.experiments.training.schema import TrainingExperiment
    from bitjoule.reports.figures.style import Theme

KEY = "training"
PARALLEL = True


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training experiment.

    Parameters
    ----------
    name, description, baseline
        Of the experiment; the baseline's scheme, or nothing.
    summary, passes, memory
        See `bitjoule.experiments.training.run.Tables`.
    formats
        Kind and variant of each scheme's format.
    warnings
        Of the run.
    """

    name: str
    description: str
    baseline: str
    summary: "pd.DataFrame"
    passes: "pd.DataFrame"
    memory: "pd.DataFrame"
    formats: "pd.DataFrame"
    warnings: tuple[str, ...] = ()


def schema() -> "type[TrainingExperiment]":
    """Return the schema of training experiments."""
    from bitjoule.experiments.training.schema import TrainingExperiment

    return TrainingExperiment


def resolve(document: "Document") -> "Ready[TrainingInput]":
    """Check an experiment and resolve its names."""
    from bitjoule.experiments.training import resolve as reader

    work = reader.resolve(document)
    return Ready(work.experiment, work)


def run(ready: "Ready[TrainingInput]", progress: Progress) -> Outcome[TrainingResult]:
    """Train the models in every way."""
    from bitjoule.experiments.energy.tables.families import families
    from bitjoule.experiments.names.doubts import doubts
    from bitjoule.experiments.training.run import tables

    work = ready.work
    for by_scheme in (*work.platforms.values(), *work.deployed.values()):
        for name, machine in by_scheme.values():
            for line in doubts(name, machine):
                progress.warn(line)
    summary, passes, memory = tables(work, progress.warn)
    experiment = work.experiment
    baseline = "" if experiment.baseline is None else experiment.baseline.scheme
    heading = (experiment.name, experiment.description, baseline)
    result = TrainingResult(*heading, summary, passes, memory, families(work.schemes))
    written = {"summary": [summary], "passes": [passes], "memory": [memory]}
    return Outcome(result, written, experiment.model_dump(mode="json", exclude_none=True), work.inputs)


def summary(outcome: Outcome[TrainingResult], max_rows: int) -> str:
    """Return the summary as Markdown."""
    from bitjoule.reports.training import training_markdown

    result = outcome.result
    heading = (result.name, result.description, result.baseline)
    return training_markdown(*heading, result.summary, result.passes, result.memory, max_rows)


def headline(outcome: Outcome[TrainingResult]) -> str:
    """Return the outcome in one line."""
    from bitjoule.reports.training import headline

    return headline(outcome.result.summary)


def pictures(outcome: Outcome[TrainingResult]) -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return the drawing functions: energy by pass, and energy over a lifetime where the model serves requests."""
    from bitjoule.reports.training import draw_lifetime, draw_passes

    result = outcome.result
    drawn = {"passes": partial(draw_passes, result.name, result.summary, result.passes)}
    if "inference_per_token_j" in result.summary:
        drawn["lifetime"] = partial(draw_lifetime, result.name, result.summary, result.formats)
    return drawn
