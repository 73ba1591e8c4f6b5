"""Price comparisons: the energy of each operation in two technologies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.prices.schema import PricesExperiment, PricesInput
    from bitjoule.reports.figures.style import Theme

KEY = "compare"
PARALLEL = True


@dataclass(frozen=True)
class PricesResult:
    """The result of a price comparison.

    Parameters
    ----------
    name, description
        Name and description of the experiment.
    summary
        See `bitjoule.experiments.prices.table.prices_table`.
    warnings
        Of the run.
    """

    name: str
    description: str
    summary: "pd.DataFrame"
    warnings: tuple[str, ...] = ()


def schema() -> "type[PricesExperiment]":
    """Return the schema of price comparisons."""
    from bitjoule.experiments.prices.schema import PricesExperiment

    return PricesExperiment


def resolve(document: "Document") -> "Ready[PricesInput]":
    """Check an experiment and resolve its technologies."""
    from bitjoule.experiments.prices.schema import read_prices_experiment

    work = read_prices_experiment(document)
    return Ready(work.experiment, work)


def run(ready: "Ready[PricesInput]", _: Progress) -> Outcome[PricesResult]:
    """Compare the prices."""
    from bitjoule.experiments.prices.table import prices_table

    experiment = ready.work.experiment
    table = prices_table(ready.work)
    inlined = experiment.model_dump(mode="json", exclude_none=True)
    result = PricesResult(experiment.name, experiment.description, table)
    return Outcome(result, {"summary": [table]}, inlined, ready.work.inputs)


def summary(outcome: Outcome[PricesResult], _: int) -> str:
    """Return the summary as Markdown, with all rows."""
    from bitjoule.reports.prices import prices_markdown

    result = outcome.result
    return prices_markdown(result.name, result.description, result.summary)


def headline(outcome: Outcome[PricesResult]) -> str:
    """Return the outcome in one line."""
    from bitjoule.reports.prices import headline

    return headline(outcome.result.summary)


def pictures(outcome: Outcome[PricesResult]) -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return the drawing function of the ratios, if there are any."""
    from bitjoule.reports.prices import draw_ratios

    table = outcome.result.summary
    return {} if table.empty else {"ratios": partial(draw_ratios, table)}
