"""Energy experiments: the energy of a model's operations and memory accesses."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.energy.resolve import Resolved
    from bitjoule.experiments.energy.result import Result
    from bitjoule.experiments.energy.schema import Experiment
    from bitjoule.experiments.output.parts import Parts
    from bitjoule.reports.figures.style import Theme

KEY = ""
PARALLEL = True
IN_PARTS = True


def schema() -> "type[Experiment]":
    """Return the schema of energy experiments."""
    from bitjoule.experiments.energy.schema import Experiment

    return Experiment


def resolve(document: "Document") -> "Ready[Resolved]":
    """Check an experiment and resolve its names."""
    from bitjoule.experiments.energy import resolve as reader

    resolved = reader.resolve(document)
    return Ready(resolved.experiment, resolved)


def cases(ready: "Ready[Resolved]") -> int:
    """Return the number of cases."""
    from bitjoule.experiments.energy.grid import grid_of

    return len(grid_of(ready.work))


def run(ready: "Ready[Resolved]", progress: Progress, parts: "Parts | None" = None) -> "Outcome[Result]":
    """Count and price every case."""
    from bitjoule.experiments.energy import runner
    from bitjoule.experiments.energy.clocks import machines_of, too_fast
    from bitjoule.experiments.energy.tables.capacity import too_large
    from bitjoule.experiments.energy.uncertainty.own_prices import unpaid_memories
    from bitjoule.experiments.energy.windows import beyond_window
    from bitjoule.experiments.names.buildable import unbuildable
    from bitjoule.experiments.names.doubts import doubts

    resolved = ready.work
    machines = {name: machine for by_scheme in resolved.platforms.values() for name, machine in by_scheme.values()}
    for name, machine in machines.items():
        for line in (*doubts(name, machine), *(f"platform {name}: {line}" for line in unbuildable(machine))):
            progress.warn(line)
    experiment = resolved.experiment
    for line in beyond_window(resolved.models, experiment.workload, experiment.accounting):
        progress.warn(line)
    for line in (*too_fast(machines_of(resolved)), *unpaid_memories(resolved.platforms, resolved.technologies)):
        progress.warn(line)
    result = runner.run(resolved, parts)
    for line in too_large(resolved.platforms, result.summary):
        progress.warn(line)
    tables: dict[str, Iterable[pd.DataFrame]] = {"summary": [result.summary]}
    if parts is None or not parts.stored:
        tables["results"] = result.results_in_blocks()
        if len(result.components):
            tables["components"] = result.components_in_blocks()
        if experiment.per_layer:
            tables["operations"] = result.operations_in_blocks()
    others = {"memory": result.memory, "bands": result.bands, "sensitivity": result.sensitivity}
    others |= {"assumptions": result.varied, "dram": result.dram, "levels": result.levels, "costs": result.costs}
    others |= {"accuracies": result.plots.accuracies}
    tables |= {name: [table] for name, table in others.items() if len(table)}
    if result.compared:
        tables["published"] = [result.comparison]
    return Outcome(result, tables, ready.experiment.model_dump(mode="json", exclude_none=True), resolved.inputs)


def summary(outcome: "Outcome[Result]", max_rows: int) -> str:
    """Return the summary as Markdown."""
    from bitjoule.reports.energy.summary import summary_markdown

    return summary_markdown(outcome.result, max_rows)


def headline(outcome: "Outcome[Result]") -> str:
    """Return the outcome in one line."""
    from bitjoule.reports.energy.lead import headline

    return headline(outcome.result.frames)


def pictures(outcome: "Outcome[Result]") -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return a drawing function per plot; plots of published values are left out where no case has one."""
    from bitjoule.reports.energy.pictures import drawings

    return drawings(outcome.result.frames)
