"""The one path of an experiment of any kind: read, checked, run, written. Used by the command line and by Python."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitjoule.energy_models.inputs.errors import InputError, whole_file
from bitjoule.kinds import kind_of, kinds
from bitjoule.kinds.kind import Outcome, Progress, Ready, Silent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bitjoule.energy_models.inputs.errors import Problem
    from bitjoule.experiments.files import ExperimentFile, Overrides
    from bitjoule.reports.figures.style import Theme

Named = str | os.PathLike[str] | Mapping[str, Any]
SHOWN_ROWS = 40
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True)
class Task:
    """An experiment that can run.

    Parameters
    ----------
    kind
        Its kind's name.
    file
        As the user named it.
    ready
        What the kind made of it.
    """

    kind: str
    file: str
    ready: Ready[Any]

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.ready.experiment.name


@dataclass(frozen=True)
class Writing:
    """How experiments are written.

    Parameters
    ----------
    out
        The folder in which each experiment gets its own.
    command
        What the manifest calls the command.
    plots
        Whether to draw.
    jobs
        Processes at once, over all experiments.
    """

    out: Path
    command: Sequence[str]
    plots: bool = True
    jobs: int = 1


def read(experiment: Named, overrides: "Overrides" = (), file: str = "experiment") -> Task:
    """Read and check an experiment.

    Parameters
    ----------
    experiment
        A shipped name, a YAML file, or a mapping that says what a file would.
    overrides
        ``key=value`` texts, or a mapping of dotted keys to values.
    file
        What messages call a mapping.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    from bitjoule.experiments.files import open_experiment

    document = open_experiment(experiment, overrides, file)
    kind = kind_of(document)
    found = kinds()[kind]
    with found.blamed():
        return Task(kind, document.file, found.kind.resolve(document))


def read_all(experiments: Iterable[Named], overrides: "Overrides" = (), file: str = "experiment") -> list[Task]:
    """Read every experiment before any runs.

    Parameters
    ----------
    experiments, overrides, file
        As for `read`.

    Raises
    ------
    InputError
        With everything wrong in all of them.
    """
    tasks: list[Task] = []
    problems: list[Problem] = []
    for experiment in experiments:
        try:
            task = read(experiment, overrides, file)
            if task.name in {other.name for other in tasks}:
                wrong = f"a second experiment is named {task.name!r}"
                raise whole_file(str(experiment), wrong, "another name: it is the output folder")
            tasks.append(task)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(dict.fromkeys(problems))
    return tasks


def described(experiment: Named) -> "tuple[str, ExperimentFile]":
    """Return the kind and the contents of an experiment, without what its names stand for.

    Parameters
    ----------
    experiment
        As for `read`.
    """
    from bitjoule.energy_models.inputs.validation import validate
    from bitjoule.experiments.files import open_experiment

    document = open_experiment(experiment)
    kind = kind_of(document)
    found = kinds()[kind]
    with found.blamed():
        return kind, validate(found.kind.schema(), document)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of every experiment file; the key of each kind decides of which kind one is."""
    from pydantic.json_schema import models_json_schema

    schemas = {found.kind.KEY: found.kind.schema() for found in kinds().values()}
    refs, schema = models_json_schema([(of_kind, "validation") for of_kind in schemas.values()])
    decided: dict[str, Any] = dict(refs[schemas[""], "validation"])
    for key, of_kind in reversed(schemas.items()):
        if key:
            decided = {"if": {"required": [key]}, "then": refs[of_kind, "validation"], "else": decided}
    return {"$schema": DIALECT, "title": "bitjoule experiment", "type": "object", **decided, **schema}


def run(task: Task, progress: Progress) -> Outcome[Any]:
    """Run an experiment; nothing is written.

    Parameters
    ----------
    task
        From `read`.
    progress
        Where the run tells how far it is.
    """
    found = kinds()[task.kind]
    with found.blamed():
        return found.kind.run(task.ready, progress)


def run_and_write(task: Task, writing: Writing, progress: Progress) -> tuple[Outcome[Any], str]:
    """Run an experiment into its folder, which is replaced as a whole or left as it was.

    Parameters
    ----------
    task, progress
        As for `run`.
    writing
        Where and how.

    Returns
    -------
    tuple of Outcome and str
        What the run gave, and the text for a terminal.
    """
    from bitjoule.experiments.output.folder import replacing

    if not task.ready.writes:
        return run(task, progress), ""
    kind = kinds()[task.kind]
    target = writing.out / task.name
    with replacing(target) as folder:  # a folder that cannot be written is found before the run
        outcome = run(task, progress)
        with kind.blamed():
            _write(outcome, partial(kind.kind.summary, outcome), folder, writing.jobs)
            if writing.plots:
                _draw(kind.kind.pictures(outcome), folder)
        _write_manifest(outcome, folder, writing.command)
    rows = getattr(kind.kind, "SHOWN_ROWS", SHOWN_ROWS)
    shown = [kind.kind.summary(outcome, rows), *([outcome.closing] if outcome.closing else [])]
    return outcome, "\n".join([*shown, written_files(target)])


def _write(outcome: Outcome[Any], summary: Callable[[int], str], folder: Path, jobs: int) -> None:
    from bitjoule.energy_models.inputs.yaml_core import write_yaml
    from bitjoule.experiments.output.tables import write_csv
    from bitjoule.reports.figures.markdown import MAX_ROWS

    for name, pieces in outcome.tables.items():
        write_csv(pieces, folder / f"{name}.csv", jobs)
    (folder / "summary.md").write_text(summary(MAX_ROWS), encoding="utf-8")
    (folder / "experiment.yaml").write_text(write_yaml(dict(outcome.experiment)), encoding="utf-8")


def _draw(pictures: "Mapping[str, Callable[[Theme], Figure]]", folder: Path) -> None:
    if pictures:
        from bitjoule.reports.energy.pictures import save

        for stem, drawn in pictures.items():
            save(drawn, folder, stem)


def _write_manifest(outcome: Outcome[Any], folder: Path, command: Sequence[str]) -> None:
    from bitjoule.experiments.output.manifest import write_manifest

    write_manifest(folder, outcome.inputs, command, outcome.seeds, outcome.versions)


def run_all(tasks: Sequence[Task], writing: Writing, progress: Progress) -> Iterator[str]:
    """Run experiments into their folders, those that can in parallel, then the others; yield each one's text.

    Parameters
    ----------
    tasks
        From `read_all`.
    writing
        Where and how; the tables have the same bytes for any number of jobs.
    progress
        Where those that run in this process tell how far they are.
    """
    together = [task for task in tasks if getattr(kinds()[task.kind].kind, "PARALLEL", False)]
    if together:
        yield from _run_together(together, writing)
    names = {task.name for task in together}
    for task in tasks:
        if task.name not in names:
            yield run_and_write(task, writing, progress)[1]


def _run_together(tasks: Sequence[Task], writing: Writing) -> Iterator[str]:
    from bitjoule.experiments.output.workers import pool

    jobs = min(writing.jobs, len(tasks))
    each = Writing(writing.out, writing.command, writing.plots, max(1, writing.jobs // len(tasks)))
    work = partial(_text, writing=each)
    if jobs == 1:
        yield from map(work, tasks)
        return
    with pool(jobs) as workers:
        yield from workers.map(work, tasks)


def _text(task: Task, writing: Writing) -> str:
    return run_and_write(task, writing, Silent())[1]


def written_files(target: Path) -> str:
    """Return where the tables and pictures of a run are.

    Parameters
    ----------
    target
        The output folder.
    """
    pictures = sorted(path.name for path in target.glob("*.png") if not path.stem.endswith("_dark"))
    drawn = f"; pictures: {', '.join(pictures)} (also _dark and .svg)" if pictures else ""
    return f"Tables in {target}/{drawn}"
