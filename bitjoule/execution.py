"""The one path of an experiment of any kind: read, checked, run, written. Used by the command line and by Python."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bitjoule.energy_models.inputs.errors import InputError, whole_file
from bitjoule.kinds import kind_of, kinds
from bitjoule.kinds.kind import Progress
from bitjoule.writing import Task, Writing, run_and_write, run_together

if TYPE_CHECKING:
    from bitjoule.energy_models.inputs.errors import Problem
    from bitjoule.experiments.files import ExperimentFile, Overrides

Named = str | os.PathLike[str] | Mapping[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


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


def run_all(tasks: Sequence[Task], writing: Writing, progress: Progress) -> Iterator[str]:
    """Run experiments into their folders, those that can in parallel, then the others; yield each one's text.

    Parameters
    ----------
    tasks
        From `read_all`.
    writing
        Where and how; the files have the same bytes for any number of jobs.
    progress
        Where those that run in this process tell how far they are.
    """
    together = [task for task in tasks if task.parallel]
    if writing.jobs == 1 or len(together) < 2:
        together = []
    else:
        yield from run_together(together, writing)
    names = {task.name for task in together}
    for task in tasks:
        if task.name not in names:
            yield run_and_write(task, writing, progress)[1]
