"""An experiment file into a checked experiment with its models, schemes and technologies at hand."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bitjoule.energy_models.arithmetic import Accounting, Matmul
from bitjoule.energy_models.documents import Document, Path_, fingerprint
from bitjoule.energy_models.errors import InputError, Problem, brief, choices, suggestion
from bitjoule.energy_models.huggingface import read_config
from bitjoule.energy_models.models import ModelShape, presets
from bitjoule.energy_models.platforms import Platform
from bitjoule.energy_models.published import PrintedNumber, published, published_names
from bitjoule.energy_models.schemes import Scheme, schemes
from bitjoule.energy_models.technology import Technology
from bitjoule.energy_models.validation import unknown_name, validate
from bitjoule.experiments.files import Overrides, open_experiment
from bitjoule.experiments.machines import PlatformReader, cannot_run, name_of
from bitjoule.experiments.schema import Baseline, Experiment, NamedShape
from bitjoule.experiments.technologies import read_technologies


@dataclass(frozen=True)
class Resolved:
    """An experiment and everything its names stand for.

    Parameters
    ----------
    experiment
        As written, defaults filled in, models of a config.json written out.
    models, schemes, technologies
        By name, in the experiment's order.
    platforms
        By name, for each scheme the name and the machine it runs on; empty but with the system accounting.
    printed
        The papers' numbers to set beside ours: those that the experiment counts as the paper did.
    inputs
        SHA-256 of its file and of each file that it names, by name as written.
    """

    experiment: Experiment
    models: Mapping[str, ModelShape | Matmul]
    schemes: Mapping[str, Scheme]
    technologies: Mapping[str, Technology]
    platforms: Mapping[str, Mapping[str, tuple[str, Platform]]]
    printed: tuple[PrintedNumber, ...]
    inputs: Mapping[str, str]


def read_experiment(path: Path, overrides: Overrides = ()) -> Resolved:
    """Read, check and resolve an experiment file.

    Parameters
    ----------
    path
        The YAML file.
    overrides
        As for `bitjoule.experiments.files.open_experiment`.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    return resolve(open_experiment(path, overrides))


def resolve(document: Document) -> Resolved:
    """Check an experiment that counts a model's operations, and look up every name in it.

    Parameters
    ----------
    document
        Where it was written: names file and lines. Paths in it are relative to its folder.

    Raises
    ------
    InputError
        A name is unknown, a config.json is wrong, or a technology lacks a price that a scheme needs.
    """
    experiment = validate(Experiment, document)
    problems: list[Problem] = []
    inputs = document.inputs
    models = _models(experiment, document, problems, inputs)
    found_schemes: dict[str, Scheme] = {}
    for i, entry in enumerate(experiment.schemes):
        if not isinstance(entry, str):
            found_schemes[entry.name] = entry
        elif _known("scheme", entry, schemes(), document, ("schemes", i), problems):
            found_schemes[entry] = schemes()[entry]
    found_technologies, of_files = read_technologies(experiment, document, problems, inputs)
    printed: tuple[PrintedNumber, ...] = ()
    name = experiment.published
    if name is not None and _known("published table", name, published_names(), document, ("published",), problems):
        printed = tuple(cell for cell in published(name) if _comparable(cell, experiment))
    machines = PlatformReader(document, problems, inputs)
    found_platforms = machines.read(experiment, list(found_schemes))
    if not problems:
        if experiment.accounting is Accounting.SYSTEM:
            problems += cannot_run(found_platforms, found_schemes, found_technologies, models, document)
        else:
            problems += _missing_prices(found_schemes, found_technologies, document)
        problems += _baseline_problems(experiment, models, found_technologies, found_platforms, document)
    if problems:
        raise InputError(dict.fromkeys(problems))
    written = {
        "models": _written_out(experiment, models),
        "technologies": of_files,
        "platforms": machines.written_out(experiment),
    }
    experiment = experiment.model_copy(update=written)
    return Resolved(experiment, models, found_schemes, found_technologies, found_platforms, printed, inputs)


def _models(
    experiment: Experiment, document: Document, problems: list[Problem], inputs: dict[str, str]
) -> dict[str, ModelShape | Matmul]:
    found: dict[str, ModelShape | Matmul] = {}
    for matmul in experiment.matmuls or ():
        found[f"{matmul.m}x{matmul.k}x{matmul.n}"] = Matmul(matmul.m, matmul.k, matmul.n)
    for i, entry in enumerate(experiment.models or ()):
        at: Path_ = ("models", i)
        if not isinstance(entry, str):
            name, shape = entry.name, entry.shape()
        elif "/" in entry or entry.endswith(".json"):
            path = document.folder(at) / entry
            path = path / "config.json" if path.is_dir() else path
            if not os.path.exists(path):  # noqa: PTH110 (never raises, whatever the name)
                problems.append(document.problem(at, f"{brief(entry)} does not exist", "a config.json or its folder"))
                continue
            try:
                name, shape = _config_name(path), read_config(path)
                inputs[entry] = fingerprint(path)
            except InputError as error:
                problems += error.problems
                continue
        elif _known("model", entry, presets(), document, at, problems):
            name, shape = entry, presets()[entry]
        else:
            continue
        if name in found:
            problems.append(document.problem(at, f"a second model is named {name!r}", "each name once"))
        found[name] = shape
    if experiment.matmuls is not None and len(found) < len(experiment.matmuls):
        problems.append(document.problem(("matmuls",), "a size stands twice", "each size once"))
    return found


def _config_name(path: Path) -> str:
    """Return a model's name from where its config.json lies: the folder that Hugging Face names after it."""
    stem = path.parent.resolve().name if path.name == "config.json" else path.stem
    return name_of(stem, "model")


def _written_out(experiment: Experiment, models: Mapping[str, ModelShape | Matmul]) -> list[str | NamedShape] | None:
    """Return the models with those of a config.json as shapes: the experiment can be run again without that file."""
    if experiment.models is None:
        return None
    return [
        entry if entry == name else NamedShape.model_validate({"name": name, **shape.with_defaults()})
        for entry, (name, shape) in zip(experiment.models, models.items(), strict=True)
        if isinstance(shape, ModelShape)
    ]


def _known(kind: str, name: str, known: Iterable[str], document: Document, at: Path_, problems: list[Problem]) -> bool:
    names = list(known)
    if name in names:
        return True
    problems.append(document.problem(at, *unknown_name(kind, name, names)))
    return False


def _comparable(cell: PrintedNumber, experiment: Experiment) -> bool:
    """Return whether an experiment runs what a paper printed: the shipped model and scheme, counted as it counts."""
    written_out = experiment.models is not None and cell.model not in experiment.models
    written_out |= any(name not in experiment.schemes for name in (cell.scheme, cell.baseline or cell.scheme))
    baseline = Baseline(scheme=cell.baseline) if cell.baseline else experiment.baseline
    return not written_out and cell.accounting == experiment.accounting and experiment.baseline == baseline


def _missing_prices(
    found_schemes: Mapping[str, Scheme], found_technologies: Mapping[str, Technology], document: Document
) -> list[Problem]:
    problems = []
    for i, (name, scheme) in enumerate(found_schemes.items()):
        for technology in found_technologies.values():
            missing = sorted(pair for pair in scheme.priced if not technology.has_price(*pair))
            if missing:
                wrong = f"{technology.name} has no price for {', '.join(map(' '.join, missing))}, which {name} needs"
                formats = {number_format for _, number_format in technology.rows}
                problems.append(document.problem(("schemes", i), wrong, f"formats out of {', '.join(sorted(formats))}"))
    return problems


def _baseline_problems(
    experiment: Experiment,
    models: Iterable[str],
    found_technologies: Iterable[str],
    machines: Iterable[str],
    document: Document,
) -> list[Problem]:
    if experiment.baseline is None:
        return []
    run = {
        "model": list(models),
        "scheme": [entry if isinstance(entry, str) else entry.name for entry in experiment.schemes],
        "technology": list(found_technologies),
        "platform": list(machines),
    }
    problems = []
    for key, names in run.items():
        name = getattr(experiment.baseline, key)
        if name is not None and name not in names:
            wrong = f"{name!r} is not in this experiment{suggestion(name, names)}"
            problems.append(document.problem(("baseline", key), wrong, choices(names)))
    return problems
