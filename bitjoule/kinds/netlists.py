"""Experiments on netlists: what arrays take in a library's cells."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bitjoule.energy_models.documents import Document
    from bitjoule.experiments.gates_schema import GatesExperiment, GatesInput
    from bitjoule.experiments.measuring import GatesResult
    from bitjoule.reports.style import Theme

KEY = "gates"
INSTALL = "bitjoule[gates]"


def schema() -> "type[GatesExperiment]":
    """Return the schema of its files."""
    from bitjoule.experiments.gates_schema import GatesExperiment

    return GatesExperiment


def resolve(document: "Document") -> "Ready[GatesInput]":
    """Check an experiment and look up its names."""
    from bitjoule.experiments.gates_schema import read_gates_experiment

    work = read_gates_experiment(document)
    return Ready(work.experiment, work)


def run(ready: "Ready[GatesInput]", progress: Progress) -> "Outcome[GatesResult]":
    """Measure each array in each library's cells."""
    from bitjoule.experiments.measuring import run_gates

    experiment = ready.work.experiment
    result = run_gates(ready.work, progress)
    tables = {"results": [result.results], "summary": [result.summary]}
    written = experiment.model_dump(mode="json", exclude_none=True)
    return Outcome(result, tables, written, result.inputs, {"operands": experiment.gates.effort.seed})


def summary(outcome: "Outcome[GatesResult]", max_rows: int) -> str:
    """Return the summary as Markdown."""
    from bitjoule.reports.gates import gates_markdown

    return gates_markdown(outcome.result, max_rows)


def pictures(outcome: "Outcome[GatesResult]") -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return what draws each plot; none of zeros where no array was run with several shares."""
    from bitjoule.reports.gates import drawings

    return drawings(outcome.result)
