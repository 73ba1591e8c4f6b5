"""Explorations: designs of a space of knobs, searched for a Pareto set."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.exploration.resolve import ExplorationInput
    from bitjoule.experiments.exploration.result import ExplorationResult
    from bitjoule.experiments.exploration.schema import Exploration
    from bitjoule.reports.figures.style import Theme

KEY = "explore"
PARALLEL = True
SHOWN_ROWS = 20


def schema() -> "type[Exploration]":
    """Return the schema of explorations."""
    from bitjoule.experiments.exploration.schema import Exploration

    return Exploration


def resolve(document: "Document") -> "Ready[ExplorationInput]":
    """Check an exploration and resolve its names."""
    from bitjoule.experiments.exploration import resolve as reader

    work = reader.resolve(document)
    return Ready(work.experiment, work)


def run(ready: "Ready[ExplorationInput]", progress: Progress) -> "Outcome[ExplorationResult]":
    """Evaluate designs and find the Pareto set."""
    from bitjoule.experiments.exploration.run import explore
    from bitjoule.experiments.names.doubts import doubts

    work = ready.work
    for name, machine in work.base.platforms.items():
        for line in doubts(name, machine):
            progress.warn(line)
    result = explore(work, progress, progress.warn)
    tables = {
        "summary": result.summary, "designs": result.designs, "pareto": result.pareto, "cases": result.cases,
        "knobs": result.variations, "sensitivity": result.sensitivity, "constraints": result.constraints,
    }  # fmt: skip
    written = {name: [table] for name, table in tables.items() if len(table)}
    inlined = work.experiment.model_dump(mode="json", exclude_none=True)
    return Outcome(result, written, inlined, work.inputs, {"explore.seed": work.experiment.explore.seed})


def summary(outcome: "Outcome[ExplorationResult]", max_rows: int) -> str:
    """Return the summary as Markdown."""
    from bitjoule.reports.exploration.summary import exploration_markdown

    return exploration_markdown(outcome.result, max_rows)


def headline(outcome: "Outcome[ExplorationResult]") -> str:
    """Return the outcome in one line."""
    from bitjoule.reports.exploration.summary import headline

    return headline(outcome.result)


def pictures(outcome: "Outcome[ExplorationResult]") -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return a drawing function per plot; none where no design is feasible."""
    from bitjoule.reports.exploration.pictures import drawings

    return drawings(outcome.result)
