"""From the file of a quality experiment to trained models, and to the energy experiment of their shapes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bitjoule.energy_models.inputs.documents import Document, KeyPath, read_document
from bitjoule.energy_models.inputs.errors import InputError, choices, suggestion
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.experiments.energy import resolve as energy
from bitjoule.experiments.names.inherited import with_bases
from bitjoule.experiments.names.lookup import Entries, Lookup
from bitjoule.experiments.names.technologies import read_technologies
from bitjoule.experiments.quality.schema import QualityExperiment
from bitjoule.sim.quality.shapes import model_shape
from bitjoule.sim.quality.tables import Model, Step, histories, quantised_models, shipped_tables, trained_models
from bitjoule.sim.training.ladder import Rung, Table, is_ladder, read_ladder
from bitjoule.sim.training.shipped import shipped_trainings

TABLES = Entries("table", shipped_tables, lambda path: path, "a CSV file", (".csv",))
LADDERS = Entries("ladder", shipped_trainings, lambda path: path, "a ladder's YAML file")
OF_ENERGY = ("name", "models", "schemes", "technologies", "platforms", "workload")


@dataclass(frozen=True)
class QualityInput:
    """A quality experiment and what its names refer to.

    Parameters
    ----------
    experiment
        As written, with files inlined or by their full paths.
    models
        Trained, and quantised after their training.
    weights
        Number format of the weights of each format and method.
    missing, planned
        How many trainings of the ladder have no row, and how many it has.
    steps
        Of the history; empty without.
    energies
        The energy experiment of the shapes; None without platforms.
    technologies
        By name, where zeros are priced.
    inputs
        SHA-256 of its file and of each file that it names, by name as written.
    """

    experiment: QualityExperiment
    models: Sequence[Model]
    weights: Mapping[str, str]
    missing: int
    planned: int
    steps: Sequence[Step]
    energies: "energy.Resolved | None"
    technologies: Mapping[str, Technology]
    inputs: dict[str, str]


def resolve(document: Document) -> QualityInput:
    """Check a quality experiment, and look up every name in it.

    Parameters
    ----------
    document
        The experiment as written.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    document = with_bases(document)
    experiment = validate(QualityExperiment, document)
    lookup = Lookup(document, [], document.inputs)
    quality, paths = experiment.quality, dict[str, Path]()
    for key, entries in (("ladder", LADDERS), ("table", TABLES), ("post_training", TABLES), ("history", TABLES)):
        text = getattr(quality, key)
        found = None if text is None else lookup.find(entries, text, ("quality", key))
        if found is not None:
            paths[key] = found.value
            if found.from_file:
                quality = quality.model_copy(update={key: str(found.value.resolve())})
    _raise(lookup)
    rungs = _ladder(document, paths["ladder"])
    table = Table(paths["table"])
    missing = table.missing(rungs)
    models = trained_models(paths["table"])
    _check_places(lookup, ("quality", "table"), models, {rung.key for rung in rungs})
    if "post_training" in paths:
        quantised = quantised_models(paths["post_training"])
        sizes = {rung.rung for rung in rungs}
        _check_places(lookup, ("quality", "post_training"), quantised, None, sizes)
        models += quantised
    if quality.baseline not in {rung.format_name for rung in rungs}:
        known = list(dict.fromkeys(rung.format_name for rung in rungs))
        wrong = f"{quality.baseline!r} is no format of the ladder{suggestion(quality.baseline, known)}"
        lookup.problems.append(document.problem(("quality", "baseline"), wrong, choices(known)))
    _raise(lookup)
    trained = list(dict.fromkeys(each.format_name for each in models if each.trained and not math.isnan(each.loss)))
    if quality.baseline not in trained:
        wrong = f"{quality.baseline!r} has no loss in the table"
        raise InputError([document.problem(("quality", "baseline"), wrong, choices(trained))])
    steps = histories(paths["history"]) if "history" in paths else []
    if "history" in paths and not steps:
        raise InputError([document.problem(("quality", "history"), "has no rows", "at least one step")])
    technologies: Mapping[str, Technology] = {}
    energies, inlined = None, dict[str, Any]()
    if experiment.platforms is not None:
        energies = _energies(document, experiment, rungs, models)
        inlined = _inlined(experiment, energies)
    elif experiment.technologies is not None:
        technologies, inlined_technologies = read_technologies(lookup, experiment.technologies)
        inlined["technologies"] = inlined_technologies
        for i, (name, technology) in enumerate(technologies.items()):
            if not any(mac.weights == "ternary" for mac in technology.macs):
                wrong = f"{name} has no MAC of trits, whose price depends on zeros"
                lookup.problems.append(document.problem(("technologies", i), wrong, "a technology of netlists"))
        _raise(lookup)
    experiment = experiment.model_copy(update={"quality": quality, **inlined})
    inputs = dict(lookup.inputs) | (dict(energies.inputs) if energies is not None else {})
    weights: dict[str, str] = {rung.format_name: rung.training.config.weights for rung in rungs}
    for method in dict.fromkeys(model.format_name for model in models if not model.trained):
        scheme = None if energies is None else energies.schemes.get(quality.schemes.get(method, ""))
        weights[method] = "int8" if scheme is None else scheme.weights
    return QualityInput(experiment, models, weights, len(missing), len(rungs), steps, energies, technologies, inputs)


def _raise(lookup: Lookup) -> None:
    if lookup.problems:
        raise InputError(dict.fromkeys(lookup.problems))


def _ladder(document: Document, path: Path) -> list[Rung]:
    ladder = read_document(path)
    if not is_ladder(ladder):
        wrong = f"{path.name} is a training"
        raise InputError([document.problem(("quality", "ladder"), wrong, "a ladder, with rungs")])
    return read_ladder(ladder)


def _check_places(
    lookup: Lookup, at: KeyPath, models: Sequence[Model], places: set[tuple[str, str, str]] | None,
    sizes: set[str] | None = None,
) -> None:  # fmt: skip
    """Refuse rows of no rung of the ladder, and a table without rows."""
    if not models:
        lookup.problems.append(lookup.document.problem(at, "has no rows", "at least one model"))
    for model in models:
        place = (model.rung, model.format_name, model.seed)
        if (places is not None and place not in places) or (sizes is not None and model.rung not in sizes):
            wrong = f"a row of {' '.join(place)}, which the ladder does not have"
            lookup.problems.append(lookup.document.problem(at, wrong, "rows of this ladder"))


def _energies(
    document: Document, experiment: QualityExperiment, rungs: Sequence[Rung], models: Sequence[Model]
) -> "energy.Resolved":
    """Return the energy experiment of the published models and of the shapes of the rungs, in every scheme."""
    shapes: dict[str, dict[str, Any]] = {}
    problems = []
    for rung in rungs:
        shape = model_shape(rung.training.config.model)
        if shapes.setdefault(rung.rung, shape) != shape:
            wrong = f"formats of {rung.rung} differ in shape"
            problems.append(document.problem(("quality", "ladder"), wrong, "one shape for all formats of a size"))
    known = {model.format_name for model in models} | {rung.format_name for rung in rungs}
    names = [scheme if isinstance(scheme, str) else scheme.name for scheme in experiment.schemes or ()]
    for name, scheme in experiment.quality.schemes.items():
        at = ("quality", "schemes", name)
        if name not in known:
            wrong = f"{name!r} is no format or method of the tables{suggestion(name, known)}"
            problems.append(document.problem(at, wrong, choices(sorted(known))))
        if scheme not in names:
            wrong = f"{scheme!r} is not a scheme of this experiment{suggestion(scheme, names)}"
            problems.append(document.problem(at, wrong, choices(names)))
    if not problems and not {model.format_name for model in models}.intersection(experiment.quality.schemes):
        wrong = "no format or method with a scheme has a row in the tables"
        have = choices(sorted({model.format_name for model in models}))
        problems.append(document.problem(("quality", "schemes"), wrong, f"a scheme of one that has: {have}"))
    if problems:
        raise InputError(dict.fromkeys(problems))
    data = {key: value for key, value in document.data.items() if key in OF_ENERGY}
    data["models"] = [*data.get("models", []), *({"name": name, **shape} for name, shape in shapes.items())]
    data["accounting"] = "system"
    return energy.resolve(replace(document, data=data))


def _inlined(experiment: QualityExperiment, energies: "energy.Resolved") -> dict[str, Any]:
    resolved = energies.experiment
    inlined: dict[str, Any] = {
        key: getattr(resolved, key) for key in ("schemes", "technologies", "platforms", "workload")
    }
    published = len(experiment.models or ())
    inlined["models"] = list(resolved.models or ())[:published] or None
    return inlined
