"""Quality experiments: losses of trained models, over their sizes and over the energy of a token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.quality.resolve import QualityInput
    from bitjoule.experiments.quality.schema import QualityExperiment
    from bitjoule.reports.figures.style import Theme

KEY = "quality"
PARALLEL = True
INSTALL = "bitjoule[fit]"


@dataclass(frozen=True)
class QualityResult:
    """The result of a quality experiment.

    Parameters
    ----------
    name, description, baseline, over
        Of the experiment.
    summary
        Mean losses, with energies on platforms; with a history, shares of zeros.
    models
        Each model's size and loss.
    laws, equal_loss, published
        Scaling laws; energies at equal loss; published losses over energies. Each may be empty.
    formats
        Kind and variant of each format and method, for pictures.
    warnings
        Of the run.
    """

    name: str
    description: str
    baseline: str
    over: str
    summary: "pd.DataFrame"
    models: "pd.DataFrame"
    laws: "pd.DataFrame"
    equal_loss: "pd.DataFrame"
    published: "pd.DataFrame"
    formats: "pd.DataFrame"
    warnings: tuple[str, ...] = ()


def schema() -> "type[QualityExperiment]":
    """Return the schema of quality experiments."""
    from bitjoule.experiments.quality.schema import QualityExperiment

    return QualityExperiment


def resolve(document: "Document") -> "Ready[QualityInput]":
    """Check an experiment and resolve its names."""
    from bitjoule.experiments.quality import resolve as reader

    work = reader.resolve(document)
    return Ready(work.experiment, work)


def run(ready: "Ready[QualityInput]", progress: Progress) -> Outcome[QualityResult]:
    """Tabulate the losses, fit laws, and set losses over energies."""
    from bitjoule.experiments.quality.run import tables

    work = ready.work
    if work.missing:
        progress.warn(f"{work.missing} of the ladder's {work.planned} trainings have no row in the table yet")
    found = tables(work)
    quality = work.experiment.quality
    heading = (work.experiment.name, work.experiment.description, quality.baseline, quality.over)
    result = QualityResult(*heading, *found)
    written = {"summary": [result.summary], "models": [result.models]}
    others = {"laws": result.laws, "equal_loss": result.equal_loss, "published": result.published}
    written |= {name: [table] for name, table in others.items() if len(table)}
    return Outcome(result, written, work.experiment.model_dump(mode="json", exclude_none=True), work.inputs)


def summary(outcome: Outcome[QualityResult], max_rows: int) -> str:
    """Return the summary as Markdown."""
    from bitjoule.reports.quality.summary import quality_markdown

    result = outcome.result
    tables = (result.summary, result.laws, result.equal_loss, result.published)
    return quality_markdown(result.name, result.description, result.baseline, result.over, *tables, max_rows)


def headline(outcome: Outcome[QualityResult]) -> str:
    """Return the outcome in one line."""
    from bitjoule.reports.quality.summary import headline

    result = outcome.result
    return headline(result.summary, result.over)


def pictures(outcome: Outcome[QualityResult]) -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return the drawing functions: one, of what the losses are over, or the frontier where there are energies."""
    result = outcome.result
    if "energy_per_token_j" in result.summary:
        from bitjoule.reports.quality.frontier import draw as draw_frontier

        of_energies = (result.summary, result.equal_loss, result.published, result.formats)
        return {"frontier": partial(draw_frontier, result.baseline, *of_energies)}
    if result.over == "tokens":
        from bitjoule.reports.quality.zeros import draw as draw_zeros

        return {"zeros": partial(draw_zeros, result.summary)}
    if result.over == "parameters":
        from bitjoule.reports.quality.scaling import draw as draw_scaling

        return {"scaling": partial(draw_scaling, result.baseline, result.models, result.laws, result.formats)}
    from bitjoule.reports.quality.variants import draw_rates, draw_variants

    if result.over == "learning_rate":
        return {"learning_rates": partial(draw_rates, result.summary, result.models, result.formats)}
    return {"variants": partial(draw_variants, result.baseline, result.summary, result.models, result.formats)}
