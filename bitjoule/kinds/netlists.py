"""Experiments on netlists: what arrays take in a library's cells."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bitjoule.energy_models.documents import Document
    from bitjoule.experiments.gates_schema import GatesExperiment, GatesInput
    from bitjoule.experiments.measuring import GatesResult
    from bitjoule.gates.liberty import Library
    from bitjoule.reports.style import Theme

    Work = tuple[GatesInput, Mapping[str, Library]]

KEY = "gates"
INSTALL = "bitjoule[gates]"


def schema() -> "type[GatesExperiment]":
    """Return the schema of its files."""
    from bitjoule.experiments.gates_schema import GatesExperiment

    return GatesExperiment


def resolve(document: "Document") -> "Ready[Work]":
    """Check an experiment, look up its names and open its libraries."""
    from bitjoule.experiments.gates_schema import read_gates_experiment
    from bitjoule.experiments.measuring import check_stimuli, open_libraries

    work = read_gates_experiment(document)
    libraries = open_libraries(work)
    check_stimuli(work)
    return Ready(work.experiment, (work, libraries))


def run(ready: "Ready[Work]", progress: Progress) -> "Outcome[GatesResult]":
    """Measure each array in each library's cells."""
    from bitjoule.experiments.measuring import run_gates

    given, libraries = ready.work
    experiment = given.experiment
    result = run_gates(given, progress, libraries)
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
