"""From an experiment file to a checked experiment with its models, schemes and technologies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bitjoule.energy_models.architecture.shape import AnyShape, all_presets
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError, Problem, choices, suggestion
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.papers.arithmetic import Accounting, Matmul
from bitjoule.energy_models.papers.published import PrintedNumber, published, published_names
from bitjoule.energy_models.prices.technology import Technology, row_to_add
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.work.scheme_work import unfit
from bitjoule.experiments.energy.images import beyond_images
from bitjoule.experiments.energy.schema import Baseline, Experiment
from bitjoule.experiments.files import Overrides, open_experiment
from bitjoule.experiments.names.inherited import with_bases
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.experiments.names.models import inlined_models, read_models
from bitjoule.experiments.names.platforms import cannot_run, read_platforms
from bitjoule.experiments.names.schemes import inlined_schemes, read_schemes
from bitjoule.experiments.names.technologies import read_technologies


@dataclass(frozen=True)
class Resolved:
    """An experiment and everything that its names refer to.

    Parameters
    ----------
    experiment
        As written, with defaults filled in and what files hold inlined.
    models, schemes, technologies
        By name, in the experiment's order.
    platforms
        By name, for each scheme the name and the machine it runs on; empty unless the system accounting is used.
    printed
        The papers' numbers to compare with: those that the experiment counts as the paper did.
    inputs
        SHA-256 of its file and of each file that it names, by name as written.
    """

    experiment: Experiment
    models: Mapping[str, AnyShape | Matmul]
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
        The experiment as written, with file and lines. Paths in it are relative to its folder.

    Raises
    ------
    InputError
        A name is unknown, a config.json is wrong, or a technology lacks a price that a scheme needs.
    """
    document = with_bases(document)
    experiment = validate(Experiment, document)
    lookup = Lookup(document, [], document.inputs)
    problems = lookup.problems
    models = read_models(lookup, experiment.models, experiment.matmuls)
    for i, plot in enumerate(experiment.plots):
        for j, drawn in enumerate(plot.models or ()):
            # a preset that is not run is no fault: the models of a shipped experiment can be overridden
            lookup.known("model of this experiment", drawn, [*models, *all_presets()], ("plots", i, "models", j))
    problems += beyond_images(models, experiment.workload, experiment.plots, document)
    schemes = read_schemes(lookup, experiment.schemes)
    technologies, inlined_technologies = read_technologies(lookup, experiment.technologies)
    printed: tuple[PrintedNumber, ...] = ()
    name = experiment.published
    if name is not None and lookup.known("published table", name, published_names(), ("published",)):
        printed = tuple(cell for cell in published(name) if _comparable(cell, experiment))
    platforms, inlined_platforms = read_platforms(lookup, experiment.platforms or (), list(schemes))
    if not problems:
        problems += _unfit(schemes, models, document)
        if experiment.accounting is Accounting.SYSTEM and not problems:
            problems += cannot_run(platforms, schemes, technologies, models, document)
        elif not problems:
            problems += _missing_prices(schemes, technologies, document)
        problems += _baseline_problems(experiment, models, schemes, technologies, platforms, document)
    if problems:
        raise InputError(dict.fromkeys(problems))
    inlined = {
        "models": inlined_models(experiment.models, models),
        "schemes": inlined_schemes(experiment.schemes, schemes),
        "technologies": inlined_technologies,
        "platforms": None if experiment.platforms is None else inlined_platforms,
    }
    experiment = experiment.model_copy(update=inlined)
    return Resolved(experiment, models, schemes, technologies, platforms, printed, lookup.inputs)


def _comparable(cell: PrintedNumber, experiment: Experiment) -> bool:
    """Return whether an experiment runs a paper's case: the shipped model and scheme, with the paper's accounting."""
    inlined = experiment.models is not None and cell.model not in experiment.models
    inlined |= any(name not in experiment.schemes for name in (cell.scheme, cell.baseline or cell.scheme))
    baseline = Baseline(scheme=cell.baseline) if cell.baseline else experiment.baseline
    return not inlined and cell.accounting == experiment.accounting and experiment.baseline == baseline


def _missing_prices(
    schemes: Mapping[str, Scheme], technologies: Mapping[str, Technology], document: Document
) -> list[Problem]:
    problems = []
    for i, (name, scheme) in enumerate(schemes.items()):
        for technology in technologies.values():
            missing = sorted(pair for pair in scheme.priced if not technology.has_price(*pair))
            if missing:
                wrong = f"{technology.name} has no price for {', '.join(map(' '.join, missing))}, which {name} needs"
                formats = {number_format for _, number_format in technology.rows}
                rows = row_to_add(technology, " and ".join(map(",".join, missing)))
                expected = f"{rows}one of the formats {', '.join(sorted(formats))}"
                problems.append(document.problem(("schemes", i), wrong, expected))
    return problems


def _unfit(schemes: Mapping[str, Scheme], models: Mapping[str, AnyShape | Matmul], document: Document) -> list[Problem]:
    faults = ((i, unfit(list(models.values()), scheme)) for i, scheme in enumerate(schemes.values()))
    return [document.problem(("schemes", i), *fault) for i, fault in faults if fault is not None]


def _baseline_problems(
    experiment: Experiment,
    models: Iterable[str],
    schemes: Iterable[str],
    technologies: Iterable[str],
    machines: Iterable[str],
    document: Document,
) -> list[Problem]:
    if experiment.baseline is None:
        return []
    listed = {
        "model": list(models),
        "scheme": list(schemes),
        "technology": list(technologies),
        "platform": list(machines),
    }
    problems = []
    for key, names in listed.items():
        name = getattr(experiment.baseline, key)
        if name is not None and name not in names:
            wrong = f"{name!r} is not in this experiment{suggestion(name, names)}"
            problems.append(document.problem(("baseline", key), wrong, choices(names)))
    return problems
