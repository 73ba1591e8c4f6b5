"""An experiment file into a checked experiment with its models, schemes and technologies at hand."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitjoule.energy_models.arithmetic import Accounting, Matmul
from bitjoule.energy_models.documents import Document, Path_, fingerprint, parse_document, read_document
from bitjoule.energy_models.errors import InputError, Problem, brief, choices, suggestion, whole_file
from bitjoule.energy_models.huggingface import read_config
from bitjoule.energy_models.models import ModelShape, presets
from bitjoule.energy_models.platforms import Platform
from bitjoule.energy_models.published import PrintedNumber, published, published_names
from bitjoule.energy_models.schemes import Scheme, schemes
from bitjoule.energy_models.technology import Technology
from bitjoule.energy_models.validation import unknown_name, validate
from bitjoule.experiments.machines import PlatformReader, cannot_run, name_of
from bitjoule.experiments.schema import Experiment, NamedShape
from bitjoule.experiments.technologies import read_technologies

FOLDER = Path(__file__).parent


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
        The papers' numbers to set beside ours.
    source
        The file it was read from.
    inputs
        SHA-256 of that file and of each config.json it names, by name as written.
    """

    experiment: Experiment
    models: Mapping[str, ModelShape | Matmul]
    schemes: Mapping[str, Scheme]
    technologies: Mapping[str, Technology]
    platforms: Mapping[str, Mapping[str, tuple[str, Platform]]]
    printed: tuple[PrintedNumber, ...]
    source: Path
    inputs: Mapping[str, str]


def shipped_experiments() -> dict[str, Path]:
    """Return the experiments that come with bitjoule, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def shipped_rtl_experiments() -> dict[str, Path]:
    """Return the hardware experiments that come with bitjoule, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("rtl/*.yaml"))}


def shipped_other_experiments() -> dict[str, Path]:
    """Return all but the energy experiments that come with bitjoule, by name: on hardware, netlists and prices."""
    return {path.stem: path for path in sorted(FOLDER.glob("*/*.yaml"))}


def find_experiment(argument: str) -> Path:
    """Return the file that a command-line argument names.

    Parameters
    ----------
    argument
        A file, or the name of a shipped experiment.

    Raises
    ------
    InputError
        It is neither.
    """
    shipped = shipped_experiments() | shipped_other_experiments()
    if "/" in argument or argument.endswith((".yaml", ".yml")) or os.path.isfile(argument):  # noqa: PTH113 (never raises)
        return Path(argument)
    if argument not in shipped:
        wrong, expected = unknown_name("experiment", argument, shipped)
        raise whole_file(argument or "''", wrong, f"a YAML file or {expected}")
    return shipped[argument]


def open_experiment(path: Path, overrides: Sequence[str] = ()) -> Document:
    """Return an experiment file, of whatever kind, with values changed.

    Parameters
    ----------
    path
        The YAML file.
    overrides
        ``key=value`` texts, as of ``--set``: dotted key, value in YAML.

    Raises
    ------
    InputError
        The file is no YAML, or a text is not ``key=value``.
    """
    return overridden(read_document(path), overrides)


def read_experiment(path: Path, overrides: Sequence[str] = ()) -> Resolved:
    """Read, check and resolve an experiment file.

    Parameters
    ----------
    path
        The YAML file.
    overrides
        ``key=value`` texts, as of ``--set``: dotted key, value in YAML.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    return resolve(open_experiment(path, overrides), path)


def resolve(document: Document, source: Path) -> Resolved:
    """Check an experiment that counts a model's operations, and look up every name in it.

    Parameters
    ----------
    document
        Where it was written: names file and lines.
    source
        Its file; paths in it are relative to this file's folder.

    Raises
    ------
    InputError
        A name is unknown, a config.json is wrong, or a technology lacks a price that a scheme needs.
    """
    experiment = validate(Experiment, document)
    problems: list[Problem] = []
    inputs = {source.name: fingerprint(source)}
    models = _models(experiment, document, source, problems, inputs)
    found_schemes: dict[str, Scheme] = {}
    for i, entry in enumerate(experiment.schemes):
        if not isinstance(entry, str):
            found_schemes[entry.name] = entry
        elif _known("scheme", entry, schemes(), document, ("schemes", i), problems):
            found_schemes[entry] = schemes()[entry]
    found_technologies, of_files = read_technologies(experiment, document, source, problems, inputs)
    printed: tuple[PrintedNumber, ...] = ()
    name = experiment.published
    if name is not None and _known("published table", name, published_names(), document, ("published",), problems):
        printed = published(name)
    machines = PlatformReader(document, source, problems, inputs)
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
    return Resolved(experiment, models, found_schemes, found_technologies, found_platforms, printed, source, inputs)


def _models(
    experiment: Experiment, document: Document, source: Path, problems: list[Problem], inputs: dict[str, str]
) -> dict[str, ModelShape | Matmul]:
    found: dict[str, ModelShape | Matmul] = {}
    for matmul in experiment.matmuls or ():
        found[f"{matmul.m}x{matmul.k}x{matmul.n}"] = Matmul(matmul.m, matmul.k, matmul.n)
    for i, entry in enumerate(experiment.models or ()):
        at: Path_ = ("models", i)
        if not isinstance(entry, str):
            name, shape = entry.name, entry.shape()
        elif "/" in entry or entry.endswith(".json"):
            path = (Path() if document.set_by_hand(at) else source.parent) / entry
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


def overridden(document: Document, overrides: Sequence[str]) -> Document:
    """Return a document with values changed.

    Parameters
    ----------
    document
        As written.
    overrides
        ``key=value`` texts, as of ``--set``: dotted key, value in YAML.

    Raises
    ------
    InputError
        A text is not ``key=value``, or its key leads to nothing.
    """
    for text in overrides:
        document = _override(document, text)
    return document


def _override(document: Document, text: str) -> Document:
    """Return the document with one ``key=value`` set."""
    origin = f"--set {brief(text)[1:-1]}"
    key, equals, value = text.partition("=")
    keys = [part for part in re.split(r"[.\[\]]+", key) if part]
    parts = [int(part) if re.fullmatch(r"[0-9]{1,9}", part) else part for part in keys]
    if not equals or not parts:
        raise InputError([Problem(origin, 1, key or "key", "is not key=value", "e.g. workload.prompt_tokens=1024")])
    parsed = parse_document(value, origin).data if value.strip() else None

    def replaced(data: Any, path: tuple[str | int, ...]) -> Any:
        if not path:
            return parsed
        head, rest = path[0], path[1:]
        if isinstance(data, list) and isinstance(head, int) and head < len(data):
            return [replaced(item, rest) if i == head else item for i, item in enumerate(data)]
        if isinstance(data, dict) and isinstance(head, str):
            return {**data, head: replaced(data.get(head, {} if rest else None), rest)}
        raise InputError([Problem(origin, 1, key, "does not lead to a value", "a key of the experiment")])

    at = tuple(parts)
    origins = {**document.origins, at: origin}
    return Document(document.file, replaced(document.data, at), document.lines, origins)
