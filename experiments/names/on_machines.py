"""Experiments that run models in schemes on platforms: their common keys, and everything that these refer to."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.errors import choices, suggestion
from bitjoule.energy_models.inputs.validation import Strict
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.work.workload import Experts
from bitjoule.experiments.files import ExperimentFile
from bitjoule.experiments.names.entries import NameOrPlatform, NameOrScheme, NameOrShape, NameOrTechnology
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.experiments.names.models import inlined_models, read_models, text_models
from bitjoule.experiments.names.platforms import MachinesByPlatform, read_platforms
from bitjoule.experiments.names.schemes import inlined_schemes, read_schemes
from bitjoule.experiments.names.technologies import read_technologies


class SchemeBaseline(Strict):
    """The scheme that others are compared with, all else being the same."""

    scheme: str


class OnMachines(ExperimentFile):
    """Keys of an experiment that runs models of text in schemes on platforms."""

    models: list[NameOrShape] = Field(min_length=1)
    schemes: list[NameOrScheme] = Field(min_length=1)
    technologies: list[NameOrTechnology] = Field(min_length=1)
    platforms: list[NameOrPlatform] = Field(min_length=1)
    objective: Objective = Field(default=Objective.ENERGY, strict=False)
    experts: Experts = Field(default=Experts.EXPECTED, strict=False)


class Found(NamedTuple):
    """What the keys of `OnMachines` refer to.

    Parameters
    ----------
    models, schemes, technologies, platforms
        By name, in the experiment's order; platforms hold the name and the machine of each scheme.
    inlined
        The keys with what their files hold.
    """

    models: Mapping[str, ModelShape]
    schemes: Mapping[str, Scheme]
    technologies: Mapping[str, Technology]
    platforms: MachinesByPlatform
    inlined: dict[str, Any]


def read_on_machines(lookup: Lookup, experiment: OnMachines, baseline: SchemeBaseline | None) -> Found:
    """Look up every name of the common keys, and the baseline's scheme among them; problems go to `lookup`.

    Parameters
    ----------
    lookup
        Of the experiment.
    experiment, baseline
        As written.
    """
    models = text_models(lookup, read_models(lookup, experiment.models, None), ("models",))
    schemes = read_schemes(lookup, experiment.schemes)
    technologies, inlined_technologies = read_technologies(lookup, experiment.technologies)
    platforms, inlined_platforms = read_platforms(lookup, experiment.platforms, list(schemes))
    if baseline is not None and baseline.scheme not in schemes:
        wrong = f"{baseline.scheme!r} is not in this experiment{suggestion(baseline.scheme, schemes)}"
        lookup.problems.append(lookup.document.problem(("baseline", "scheme"), wrong, choices(list(schemes))))
    inlined: dict[str, Any] = {}
    if not lookup.problems:
        inlined = {
            "models": inlined_models(experiment.models, models),
            "schemes": inlined_schemes(experiment.schemes, schemes),
            "technologies": inlined_technologies,
            "platforms": inlined_platforms,
        }
    return Found(models, schemes, technologies, platforms, inlined)
