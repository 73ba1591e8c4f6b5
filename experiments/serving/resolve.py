"""From the file of a serving experiment to its models, schemes, machines and ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.errors import InputError, choices, suggestion
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.serving.length_options import OwnLengths, read_lengths
from bitjoule.energy_models.serving.options import Options
from bitjoule.energy_models.serving.parallel import shard
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.experiments.names.inherited import with_bases
from bitjoule.experiments.names.lookup import Entries, Lookup
from bitjoule.experiments.names.models import MODELS, inlined_models, read_models, text_models
from bitjoule.experiments.names.platforms import MachinesByPlatform, cannot_run, lacking, read_machine, read_platforms
from bitjoule.experiments.names.schemes import read_schemes
from bitjoule.experiments.names.technologies import read_technologies
from bitjoule.experiments.serving.schema import Serving, ServingExperiment, Way

LENGTHS = ("prompt_lengths", "new_lengths")
LENGTHS_FILES: Entries[OwnLengths] = Entries("lengths", dict, read_lengths, "a CSV of lengths", suffixes=(".csv",))


@dataclass(frozen=True)
class ServingInput:
    """A serving experiment and everything that its names refer to.

    Parameters
    ----------
    experiment
        As written, with models, technologies and platforms of files inlined.
    models, schemes, technologies, platforms
        By name, in the experiment's order; platforms hold the name and the machine of each scheme.
    decoders
        The same of the platforms that decode alone.
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
    models = text_models(lookup, read_models(lookup, experiment.models, None), ("models",))
    schemes = read_schemes(lookup, experiment.schemes)
    technologies, inlined_technologies = read_technologies(lookup, experiment.technologies)
    platforms, inlined_platforms = read_platforms(lookup, experiment.platforms, list(schemes))
    own_drafts = {entry.name: entry.shape() for entry in experiment.drafts}
    ways = list(experiment.serving.options())
    drafts: dict[str, ModelShape] = {}
    decoders: dict[str, Mapping[str, tuple[str, Platform]]] = {}
    for way in ways:
        if way.draft is not None and way.draft not in drafts:
            if way.draft in own_drafts:
                drafts[way.draft] = own_drafts[way.draft]
            elif way.draft in models:
                drafts[way.draft] = models[way.draft]
            else:
                place = _place(document, "draft", way.draft)
                found = lookup.find(MODELS, way.draft, place)
                drafts |= text_models(lookup, {way.draft: found.value}, place) if found else {}
        name = way.decode_platform
        if name is not None and name not in decoders:
            if name in platforms:
                decoders[name] = platforms[name]
            else:
                machine = read_machine(lookup, name, _place(document, "decode_platform", name))
                decoders |= {name: dict.fromkeys(schemes, machine[:2])} if machine else {}
    _check_baseline(experiment, lookup, list(schemes))
    lengths = _read_lengths(lookup, ways)
    ways = [way.model_copy(update=_with_lengths(way, lengths)) for way in ways]
    if not lookup.problems:
        every = {**models, **drafts}
        lookup.problems.extend(cannot_run(platforms, schemes, technologies, every, document))
        for fault in lacking(decoders, schemes, technologies, every):
            place = _place(document, "decode_platform", list(decoders)[fault.platform])
            lookup.problems.append(document.problem(place, f"{fault.wrong} ({fault.scheme})", fault.expected))
    if not lookup.problems:
        _check_shards(lookup, ways, {**models, **drafts})
    if lookup.problems:
        raise InputError(dict.fromkeys(lookup.problems))
    inlined = {
        "models": inlined_models(experiment.models, models),
        "technologies": inlined_technologies,
        "platforms": inlined_platforms,
        "serving": _inlined_lengths(experiment.serving, lengths),
    }
    return ServingInput(
        experiment.model_copy(update=inlined), models, schemes, technologies, platforms, decoders, drafts, ways,
        lookup.inputs,
    )  # fmt: skip


def _read_lengths(lookup: Lookup, ways: Sequence[Options]) -> dict[str, OwnLengths]:
    """Return the lengths that files have, by name as written."""
    found: dict[str, OwnLengths] = {}
    for way in ways:
        for key in LENGTHS:
            choice = getattr(way, key)
            text = choice.file if isinstance(choice, OwnLengths) else None
            if text is not None and text not in found:
                result = lookup.file(LENGTHS_FILES, text, (*_place(lookup.document, key, {"file": text}), "file"))
                if result is not None:
                    found[text] = result.value.model_copy(update={"name": result.name})
    return found


def _with_lengths(keys: Options | Way | Serving, lengths: Mapping[str, OwnLengths]) -> dict[str, Any]:
    """Return the keys that name files of lengths, with the lengths in their place; also in lists."""

    def inlined(value: Any) -> Any:
        return lengths.get(value.file, value) if isinstance(value, OwnLengths) and value.file else value

    given = {key: getattr(keys, key) for key in LENGTHS if key in keys.model_fields_set}
    return {key: [*map(inlined, value)] if isinstance(value, list) else inlined(value) for key, value in given.items()}


def _inlined_lengths(serving: Serving, lengths: Mapping[str, OwnLengths]) -> Serving:
    ways = [way.model_copy(update=_with_lengths(way, lengths)) for way in serving.ways]
    return serving.model_copy(update={**_with_lengths(serving, lengths), "ways": ways})


def _place(document: Document, key: str, value: object) -> KeyPath:
    """Return where an option has a value: in a way, or beside them."""
    serving = document.data["serving"]
    for i, way in enumerate(serving.get("ways") or []):
        if way.get(key) == value or (isinstance(way.get(key), list) and value in way[key]):
            return ("serving", "ways", i, key)
    return ("serving", key)


def _check_baseline(experiment: ServingExperiment, lookup: Lookup, schemes: list[str]) -> None:
    baseline = experiment.baseline
    if baseline is not None and baseline.scheme not in schemes:
        wrong = f"{baseline.scheme!r} is not in this experiment{suggestion(baseline.scheme, schemes)}"
        lookup.problems.append(lookup.document.problem(("baseline", "scheme"), wrong, choices(schemes)))


def _check_shards(lookup: Lookup, ways: Sequence[Options], models: Mapping[str, ModelShape]) -> None:
    """Reject models that cannot be split over the chips of a way."""
    for way in ways:
        for name, model in models.items():
            try:
                shard(model, way.tensor_parallel)
            except PydanticCustomError as error:
                context = error.context or {}
                place = _place(lookup.document, "tensor_parallel", way.tensor_parallel)
                problem = lookup.document.problem(place, f"{name}: {context['wrong']}", context["expected"])
                lookup.problems.append(problem)
            if way.pipeline_parallel > model.layers:
                place = _place(lookup.document, "pipeline_parallel", way.pipeline_parallel)
                wrong = f"{name}: {model.layers} layers on {way.pipeline_parallel} chips"
                lookup.problems.append(lookup.document.problem(place, wrong, f"at most {model.layers}"))
            experts = [model.experts, *(group.changes().get("experts", 1) for group in model.groups)]
            if way.expert_parallel > 1 and max(experts) % way.expert_parallel:
                place = _place(lookup.document, "expert_parallel", way.expert_parallel)
                wrong = f"{name}: experts ({max(experts)}) is not a multiple of {way.expert_parallel}"
                lookup.problems.append(lookup.document.problem(place, wrong, f"a divisor of {max(experts)}"))
