"""Netlist experiments: energy, area and timing of arrays in the cells of a library."""

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
    """Return the schema of netlist experiments."""
    from bitjoule.experiments.netlists.schema import GatesExperiment

    return GatesExperiment


def resolve(document: "Document") -> "Ready[Work]":
    """Check an experiment, resolve its names and open its libraries."""
    from bitjoule.experiments.netlists.run import check_stimuli, open_libraries
    from bitjoule.experiments.netlists.schema import read_gates_experiment

    work = read_gates_experiment(document)
    libraries = open_libraries(work)
    check_stimuli(work)
    return Ready(work.experiment, (work, libraries))


def run(ready: "Ready[Work]", progress: Progress) -> "Outcome[GatesResult]":
    """Measure each array in the cells of each library."""
    from bitjoule.experiments.netlists.run import run_gates

    work, libraries = ready.work
    experiment = work.experiment
    result = run_gates(work, progress, libraries)
    tables = {"results": [result.results], "summary": [result.summary]}
    inlined = experiment.model_dump(mode="json", exclude_none=True)
    return Outcome(result, tables, inlined, result.inputs, {"operands": experiment.gates.effort.seed})


def summary(outcome: "Outcome[GatesResult]", max_rows: int) -> str:
    """Return the summary as Markdown."""
    from bitjoule.reports.netlists.summary import gates_markdown

    return gates_markdown(outcome.result, max_rows)


def headline(outcome: "Outcome[GatesResult]") -> str:
    """Return the outcome in one line."""
    from bitjoule.reports.netlists.summary import headline

    return headline(outcome.result.summary)


def pictures(outcome: "Outcome[GatesResult]") -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return a drawing function per plot; plots over zeros are left out without a sweep of their share."""
    from bitjoule.reports.netlists.summary import drawings

    return drawings(outcome.result)
