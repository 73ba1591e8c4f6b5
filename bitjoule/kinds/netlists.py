"""Experiments on netlists: what arrays take in a library's cells."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.netlists.run import GatesResult
    from bitjoule.experiments.netlists.schema import GatesExperiment, GatesInput
    from bitjoule.gates.liberty.cells import Library
    from bitjoule.reports.figures.style import Theme

    Work = tuple[GatesInput, Mapping[str, Library]]

KEY = "gates"
INSTALL = "bitjoule[gates]"


def schema() -> "type[GatesExperiment]":
    """Return the schema of its files."""
    from bitjoule.experiments.netlists.schema import GatesExperiment

    return GatesExperiment


def resolve(document: "Document") -> "Ready[Work]":
    """Check an experiment, look up its names and open its libraries."""
    from bitjoule.experiments.netlists.run import check_stimuli, open_libraries
    from bitjoule.experiments.netlists.schema import read_gates_experiment

    work = read_gates_experiment(document)
    libraries = open_libraries(work)
    check_stimuli(work)
    return Ready(work.experiment, (work, libraries))


def run(ready: "Ready[Work]", progress: Progress) -> "Outcome[GatesResult]":
    """Measure each array in each library's cells."""
    from bitjoule.experiments.netlists.run import run_gates

    given, libraries = ready.work
    experiment = given.experiment
    result = run_gates(given, progress, libraries)
    tables = {"results": [result.results], "summary": [result.summary]}
    written = experiment.model_dump(mode="json", exclude_none=True)
    return Outcome(result, tables, written, result.inputs, {"operands": experiment.gates.effort.seed})


def summary(outcome: "Outcome[GatesResult]", max_rows: int) -> str:
    """Return the summary as Markdown."""
    from bitjoule.reports.netlists.summary import gates_markdown

    return gates_markdown(outcome.result, max_rows)


def pictures(outcome: "Outcome[GatesResult]") -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return what draws each plot; none of zeros where no array was run with several shares."""
    from bitjoule.reports.netlists.summary import drawings

    return drawings(outcome.result)
