"""``bitjoule explorer``: a sweep as a page in which models, formats, machines and workloads are chosen."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitjoule.commands.entries.new import template
from bitjoule.commands.progress import ProgressLine
from bitjoule.commands.status import OK

if TYPE_CHECKING:
    from bitjoule.experiments.energy.resolve import Resolved
    from bitjoule.experiments.results.folders import ResultFolder
    from bitjoule.experiments.results.sweep import Sweep
    from bitjoule.reports.page.explorer import Explored

SYSTEM = "system"
NEEDS = "an energy experiment with `accounting: system`"


def add_explorer(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``explorer``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    explorer = commands.add_parser(
        "explorer", help="write a page in which a sweep is explored",
        description="Write one HTML page that needs no network and no other file. Model, format, platform, context, "
        "batch, phase and watts of static power are chosen in it, and it shows joules, seconds and bytes of that case, "
        "with their parts. All values are those of a sweep that was run before; the page computes no energies.",
    )  # fmt: skip
    explorer.add_argument(
        "sweep", nargs="?", metavar="SWEEP",
        help="output directory of a run, or an experiment, which is run; either with accounting: system "
        "(default: six models, formats and platforms; `bitjoule new explorer` writes that experiment)",
    )  # fmt: skip
    explorer.add_argument(
        "-o", "--output", type=Path, default=Path("explorer.html"), metavar="FILE.html",
        help="page to write (default: %(default)s)",
    )  # fmt: skip
    explorer.set_defaults(command=_explorer)


def _explorer(options: argparse.Namespace, words: Sequence[str]) -> int:
    from bitjoule import __version__
    from bitjoule.commands.files import check_output, write_whole
    from bitjoule.commands.results.stored import HTML
    from bitjoule.experiments.results.folders import naming_changed, open_result
    from bitjoule.reports.page.explorer import explorer

    check_output(options.output, HTML)
    source = options.sweep or str(template("explorer"))
    stored = open_result(Path(source)) if Path(source).is_dir() else None
    with naming_changed([] if stored is None else [stored]):
        explored = _run(source, ["bitjoule", *words]) if stored is None else _stored(stored)
        text = explorer(explored, __version__, str(options.output))
    write_whole(options.output, text)
    size = f"{explored.cases} cases, {len(text.encode()) / 1e6:.2f} MB"
    print(f"{options.output}: {explored.name} ({size}); open it in a browser")
    for line in _warned(explored.warnings):
        print(line)
    return OK


def _warned(warnings: Sequence[str]) -> Iterator[str]:
    """Yield lines that say how many warnings of each wording are in the page, and the first of each."""
    from bitjoule.energy_models.inputs.wording import Alike

    alike = Alike()
    for warning in warnings:
        alike.add(warning)
    for group in alike.groups:
        several = f"{len(group)} warnings of one kind are in the page, first: "
        yield f"{several if len(group) > 1 else 'in the page: '}{group[0]}"


def _stored(result: "ResultFolder") -> "Explored":
    """Return the sweep in an output directory."""
    from bitjoule.energy_models.inputs.errors import InputError, whole_file
    from bitjoule.execution import read
    from bitjoule.experiments.results.folders import EXPERIMENT
    from bitjoule.experiments.results.sweep import sweep

    if result.experiment.get("accounting") != SYSTEM or not {"summary", "components"} <= set(result.files):
        raise whole_file(
            str(result.path), f"{result.name} has no whole requests on a machine", f"the result of {NEEDS}"
        )
    summary, components = (result.frame(name) for name in ("summary", "components"))
    for name, table in (("summary", summary), ("components", components)):
        if table.empty:
            raise whole_file(str(result.files[name]), "has no rows", "a table as a run writes it")
    memory = result.frame("memory") if "memory" in result.files else summary.iloc[:0, :0]
    try:
        resolved = read(result.path / EXPERIMENT).ready.work
    except InputError:  # files that the experiment names are gone: which models fit their machine is not said
        resolved = None
    warnings, command = result.manifest.get("warnings", []), result.manifest.get("command", [])
    tables = sweep(summary, components, memory)
    return _explored(tables, result.experiment, result.experiment_text, resolved, warnings, command)


def _run(source: str, command: Sequence[str]) -> "Explored":
    """Return the sweep of an experiment, which runs now; no file of it is written."""
    import pandas as pd

    from bitjoule.energy_models.inputs.errors import whole_file
    from bitjoule.energy_models.inputs.yaml_core import write_yaml
    from bitjoule.execution import read
    from bitjoule.experiments.results.sweep import sweep
    from bitjoule.writing import run

    task = read(source)
    if getattr(task.ready.experiment, "accounting", None) != SYSTEM or task.kind != "energy":
        raise whole_file(task.file, "has no whole requests on a machine", NEEDS)
    outcome = run(task, _WithoutWarnings())
    components = pd.concat(list(outcome.result.components_in_blocks()), ignore_index=True)
    tables = sweep(outcome.result.summary, components, outcome.result.memory)
    experiment = dict(outcome.experiment)
    return _explored(tables, experiment, write_yaml(experiment), task.ready.work, outcome.warnings, command)


class _WithoutWarnings(ProgressLine):
    """The line of a run whose warnings, one for each machine that is too small, are in the page."""

    def warn(self, text: str) -> None:
        """Leave a warning to the page."""


def _explored(
    tables: "Sweep", experiment: Mapping[str, Any], text: str, resolved: "Resolved | None", warnings: Sequence[str],
    command: Sequence[str],
) -> "Explored":  # fmt: skip
    from bitjoule.experiments.results.assumed import scheme_kinds
    from bitjoule.reports.page.explorer import Explored

    capacities = {} if resolved is None else {
        platform: {scheme: machine.off_chip.capacity_bytes for scheme, (_, machine) in machines.items()}
        for platform, machines in resolved.platforms.items()
    }  # fmt: skip
    baseline = (experiment.get("baseline") or {}).get("scheme") or ""
    description = " ".join(str(experiment.get("description", "")).split())
    return Explored(
        str(experiment["name"]), description, tables, scheme_kinds(experiment), capacities, baseline, text,
        list(warnings), " ".join(map(str, command)),
    )  # fmt: skip
