"""From the file of a serving experiment to its models, schemes, machines and ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.serving.options import Options
from bitjoule.energy_models.serving.parallel import shard
from bitjoule.experiments.names.inherited import with_bases
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.experiments.names.on_machines import read_on_machines
from bitjoule.experiments.names.platforms import MachinesByPlatform, cannot_run, lacking
from bitjoule.experiments.serving.named import place, read_named
from bitjoule.experiments.serving.schema import ServingExperiment


@dataclass(frozen=True)
class ServingInput:
    """A serving experiment and everything that its names refer to.

    Parameters
    ----------
    experiment
        As written, with what its files hold inlined.
    models, schemes, technologies, platforms
        By name, in the experiment's order; platforms hold the name and the machine of each scheme.
    decoders
        The same of the platforms that the ways name for decode.
    drafts
        Draft models by name.
    ways
        Every way to serve.
    inputs
        SHA-256 of its file and of each file that it names, by name as written.
    """

    experiment: ServingExperiment
    models: Mapping[str, ModelShape]
    schemes: Mapping[str, Scheme]
    technologies: Mapping[str, Technology]
    platforms: MachinesByPlatform
    decoders: MachinesByPlatform
    drafts: Mapping[str, ModelShape]
    ways: Sequence[Options]
    inputs: Mapping[str, str]


def resolve(document: Document) -> ServingInput:
    """Check a serving experiment, and look up every name in it.

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
    experiment = validate(ServingExperiment, document)
    lookup = Lookup(document, [], document.inputs)
    models, schemes, technologies, platforms, inlined = read_on_machines(lookup, experiment, experiment.baseline)
    found = read_named(lookup, experiment, models, platforms, list(schemes))
    every = {**models, **found.drafts}
    if not lookup.problems:
        lookup.problems.extend(cannot_run(platforms, schemes, technologies, every, document))
        for fault in lacking(found.decoders, schemes, technologies, every):
            at = found.places[list(found.decoders)[fault.platform]]
            lookup.problems.append(document.problem(at, f"{fault.wrong} ({fault.scheme})", fault.expected))
    if not lookup.problems:
        _check_shards(lookup, list(experiment.serving.options()), every)
    if lookup.problems:
        raise InputError(dict.fromkeys(lookup.problems))
    experiment = experiment.model_copy(update={**inlined, **found.inlined})
    return ServingInput(
        experiment, models, schemes, technologies, platforms, found.decoders, found.drafts,
        list(experiment.serving.options()), lookup.inputs,
    )  # fmt: skip


def _check_shards(lookup: Lookup, ways: Sequence[Options], models: Mapping[str, ModelShape]) -> None:
    """Reject models that cannot be split over the chips of a way."""
    for way in ways:
        for name, model in models.items():
            try:
                shard(model, way.tensor_parallel)
            except PydanticCustomError as error:
                context = error.context or {}
                at = place(lookup.document, "tensor_parallel", way.tensor_parallel)
                problem = lookup.document.problem(at, f"{name}: {context['wrong']}", context["expected"])
                lookup.problems.append(problem)
            if way.pipeline_parallel > model.layers:
                at = place(lookup.document, "pipeline_parallel", way.pipeline_parallel)
                wrong = f"{name}: {model.layers} layers on {way.pipeline_parallel} chips"
                lookup.problems.append(lookup.document.problem(at, wrong, f"at most {model.layers}"))
            experts = [model.experts, *(group.changes().get("experts", 1) for group in model.groups)]
            if way.expert_parallel > 1 and max(experts) % way.expert_parallel:
                at = place(lookup.document, "expert_parallel", way.expert_parallel)
                wrong = f"{name}: experts ({max(experts)}) is not a multiple of {way.expert_parallel}"
                lookup.problems.append(lookup.document.problem(at, wrong, f"a divisor of {max(experts)}"))
