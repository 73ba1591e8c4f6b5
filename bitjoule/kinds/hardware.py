"""Experiments on the simulated hardware: a model that generates text, or bare matmuls."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bitjoule.kinds.kind import Outcome, Progress, Ready

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.experiments.hardware.resolve import Prepared
    from bitjoule.experiments.hardware.schema import RtlExperiment
    from bitjoule.experiments.hardware.tables import HardwareResult
    from bitjoule.reports.figures.style import Theme

KEY = "rtl"
INSTALL = "bitjoule[rtl]"
SHOWN_ROWS = 1000  # the table of matmuls is the result, so a terminal shows it whole
FLOATING_POINT = (
    "this model has no quantised layers; nothing runs on the accelerator, and no tables are written.\n"
    "`--weights ternary` (in YAML rtl.weights) quantises its floating-point weights.\n\n"
)


def schema() -> "type[RtlExperiment]":
    """Return the schema of hardware experiments."""
    from bitjoule.experiments.hardware.schema import RtlExperiment

    return RtlExperiment


def resolve(document: "Document") -> "Ready[Prepared]":
    """Check an experiment and resolve its names, without building hardware or reading weights."""
    from bitjoule.energy_models.inputs.validation import validate
    from bitjoule.experiments.names.inherited import with_bases

    document = with_bases(document)
    experiment = validate(schema(), document)
    from bitjoule.experiments.hardware.resolve import prepare

    prepared = prepare(experiment, document)
    return Ready(experiment, prepared, writes=prepared.machine is not None)


def run(ready: "Ready[Prepared]", progress: Progress) -> "Outcome[HardwareResult]":
    """Run the matmuls, or whole linears, on the hardware and report generated text as it is produced."""
    from bitjoule.experiments.hardware.run import simulate
    from bitjoule.experiments.hardware.tables import hardware_result, inlined_experiment
    from bitjoule.experiments.names.doubts import doubts
    from bitjoule.reports.hardware import speed_line

    prepared = ready.work
    selected = prepared.selected
    tokens = len(selected.prompt) + prepared.experiment.rtl.new_tokens if selected else 0
    if not ready.writes:
        progress.say(FLOATING_POINT)
    if selected and selected.positions and tokens > selected.positions:
        progress.warn(f"{tokens} tokens exceed {selected.name}'s context length of {selected.positions}")
    if prepared.machine is not None:
        for line in doubts(prepared.machine.name, prepared.machine.platform):
            progress.warn(line)
    simulated = simulate(prepared, progress.say, progress.warn)
    if not simulated.bare:
        progress.say("\n\n")
    result = hardware_result(prepared.experiment, simulated)
    tables = ("matmuls", "results", "summary", *(() if result.linears is None else ("linears",)))
    return Outcome(
        result,
        {name: [getattr(result, name)] for name in tables},
        inlined_experiment(prepared, simulated) if ready.writes else {},
        simulated.inputs,
        {"seed": prepared.experiment.rtl.seed},
        simulated.versions,
        speed_line(simulated),
    )


def summary(outcome: "Outcome[HardwareResult]", max_rows: int) -> str:
    """Return the summary as Markdown."""
    from bitjoule.reports.hardware import hardware_markdown

    return hardware_markdown(outcome.result, max_rows)


def headline(outcome: "Outcome[HardwareResult]") -> str:
    """Return the outcome in one line."""
    from bitjoule.reports.hardware import headline

    return headline(outcome.result)


def pictures(_: "Outcome[HardwareResult]") -> "Mapping[str, Callable[[Theme], Figure]]":
    """Return no pictures: hardware experiments write only tables."""
    return {}
