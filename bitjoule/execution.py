"""Reads, checks and runs experiments of any kind, for the command line and for Python."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bitjoule.energy_models.inputs.errors import InputError, whole_file
from bitjoule.kinds import kind_of, kinds
from bitjoule.kinds.kind import Progress
from bitjoule.writing import RunTask, Writing, run_and_write, run_together

if TYPE_CHECKING:
    from bitjoule.energy_models.inputs.errors import Problem
    from bitjoule.experiments.files import ExperimentFile, Overrides

Named = str | os.PathLike[str] | Mapping[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def read(experiment: Named, overrides: "Overrides" = (), file: str = "experiment") -> RunTask:
    """Read and check an experiment.

    Parameters
    ----------
    experiment
        The name of a shipped experiment, the path of a YAML file, or a mapping with the same keys.
    overrides
        ``key=value`` texts, or a mapping of dotted keys to values.
    file
        Name of a mapping in error messages.

    Raises
    ------
    InputError
        With one problem per error in the experiment.
    """
    from bitjoule.experiments.files import open_experiment

    document = open_experiment(experiment, overrides, file)
    kind = kind_of(document)
    registered = kinds()[kind]
    with registered.translated_errors():
        return RunTask(kind, document.file, registered.kind.resolve(document))


def read_all(experiments: Iterable[Named], overrides: "Overrides" = (), file: str = "experiment") -> list[RunTask]:
    """Read and check every experiment before any of them runs.

    Parameters
    ----------
    experiments, overrides, file
        As for `read`.

    Raises
    ------
    InputError
        With the problems of all experiments.
    """
    tasks: list[RunTask] = []
    problems: list[Problem] = []
    for experiment in experiments:
        try:
            task = read(experiment, overrides, file)
            if task.name in {earlier.name for earlier in tasks}:
                wrong = f"duplicate experiment name {task.name!r}"
                raise whole_file(str(experiment), wrong, "a unique name, since it names the output directory")
            tasks.append(task)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(dict.fromkeys(problems))
    return tasks


def described(experiment: Named) -> "tuple[str, ExperimentFile]":
    """Return the kind and the contents of an experiment, with its names not looked up.

    Parameters
    ----------
    experiment
        As for `read`.
    """
    from bitjoule.energy_models.inputs.validation import validate
    from bitjoule.experiments.files import open_experiment
    from bitjoule.experiments.names.inherited import with_bases

    document = with_bases(open_experiment(experiment))
    kind = kind_of(document)
    registered = kinds()[kind]
    with registered.translated_errors():
        return kind, validate(registered.kind.schema(), document)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of experiment files of every kind; the distinguishing key selects the kind's schema."""
    from pydantic.json_schema import models_json_schema

    schemas = {registered.kind.KEY: registered.kind.schema() for registered in kinds().values()}
    refs, schema = models_json_schema([(kind_schema, "validation") for kind_schema in schemas.values()])
    selector: dict[str, Any] = dict(refs[schemas[""], "validation"])
    for key, kind_schema in reversed(schemas.items()):
        if key:
            selector = {"if": {"required": [key]}, "then": refs[kind_schema, "validation"], "else": selector}
    return {"$schema": DIALECT, "title": "bitjoule experiment", "type": "object", **selector, **schema}


def run_all(tasks: Sequence[RunTask], writing: Writing, progress: Progress) -> Iterator[str]:
    """Run and write experiments, first those that can run in parallel; yield the summary of each for a terminal.

    Parameters
    ----------
    tasks
        From `read_all`.
    writing
        Where and how; the files are identical for any number of jobs.
    progress
        Receives the progress of the experiments that run in this process, and the warnings of all.
    """
    together = [task for task in tasks if task.parallel]
    if writing.jobs == 1 or len(together) < 2 or writing.scheduler is not None:
        together = []
    else:
        yield from run_together(together, writing, progress)
    names = {task.name for task in together}
    for task in tasks:
        if task.name not in names:
            yield run_and_write(task, writing, progress)[1]
