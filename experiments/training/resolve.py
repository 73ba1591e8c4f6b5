"""From the file of a training experiment to its models, schemes, machines and ways."""

from collections.abc import Mapping
from dataclasses import dataclass

from bitjoule.energy_models.architecture.block import Described
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError, choices, suggestion
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.training.gradients import UntrainableError, input_gradients, weight_gradients
from bitjoule.energy_models.training.options import Options
from bitjoule.energy_models.training.step import Trainer, input_scheme, weight_scheme
from bitjoule.experiments.names.inherited import with_bases
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.experiments.names.on_machines import read_on_machines
from bitjoule.experiments.names.platforms import MachinesByPlatform, cannot_run, lacking
from bitjoule.experiments.training.schema import TrainingExperiment


@dataclass(frozen=True)
class TrainingInput:
    """A training experiment and everything that its names refer to.

    Parameters
    ----------
    experiment
        As written, with what its files hold inlined.
    models, schemes, technologies
        By name, in the experiment's order.
    platforms
        That train; by name, the name and the machine of each scheme.
    deployed
        The machines of the inference, of each scheme; empty without.
    ways
        Every way to train, by name.
    inputs
        SHA-256 of its file and of each file that it names, by name as written.
    """

    experiment: TrainingExperiment
    models: Mapping[str, ModelShape]
    schemes: Mapping[str, Scheme]
    technologies: Mapping[str, Technology]
    platforms: MachinesByPlatform
    deployed: MachinesByPlatform
    ways: Mapping[str, Options]
    inputs: Mapping[str, str]


def resolve(document: Document) -> TrainingInput:
    """Check a training experiment, and look up every name in it.

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
    experiment = validate(TrainingExperiment, document)
    lookup = Lookup(document, [], document.inputs)
    models, schemes, technologies, every, inlined = read_on_machines(lookup, experiment, experiment.baseline)
    platforms, deployed = _split(lookup, experiment, every)
    ways = dict(experiment.training.options())
    if not lookup.problems:
        lookup.problems.extend(cannot_run(every, schemes, technologies, models, document))
        _check_backward(lookup, models, schemes, technologies, every, platforms, ways)
    if lookup.problems:
        raise InputError(dict.fromkeys(lookup.problems))
    experiment = experiment.model_copy(update=inlined)
    return TrainingInput(
        experiment, models, schemes, technologies, platforms, deployed, ways, lookup.inputs
    )  # fmt: skip


def _split(
    lookup: Lookup, experiment: TrainingExperiment, every: MachinesByPlatform
) -> tuple[MachinesByPlatform, MachinesByPlatform]:
    """Return the platforms that train, and the one of the inference."""
    inference = experiment.training.inference
    if inference is None:
        return every, {}
    name = inference.platform
    at = ("training", "inference", "platform")
    if name not in every:
        wrong = f"{name!r} is not a platform of this experiment{suggestion(name, every)}"
        lookup.problems.append(lookup.document.problem(at, wrong, choices(list(every))))
        return every, {}
    training = {key: machines for key, machines in every.items() if key != name}
    if not training:
        lookup.problems.append(lookup.document.problem(at, "no other platform trains", "a further one in `platforms`"))
    return training, {name: every[name]}


def _check_backward(
    lookup: Lookup, models: Mapping[str, ModelShape], schemes: Mapping[str, Scheme],
    technologies: Mapping[str, Technology], every: MachinesByPlatform, platforms: MachinesByPlatform,
    ways: Mapping[str, Options],
) -> None:  # fmt: skip
    """Refuse models without known gradients, schemes that do not train, platforms that cannot run the backward pass."""
    document = lookup.document
    backward: dict[str, Described] = {}
    weights: dict[str, Described] = {}
    for i, (name, model) in enumerate(models.items()):
        try:
            backward[name], weights[name] = input_gradients(model, recomputed=True), weight_gradients(model)
        except UntrainableError as error:
            expected = "a model of attention and feed-forward networks"
            lookup.problems.append(document.problem(("models", i), f"{name}: {error}", expected))
    for i, (name, scheme) in enumerate(schemes.items()):
        if scheme.linears or scheme.transforms:
            wrong = f"{name}: linears with formats of their own, or rotations, in training"
            lookup.problems.append(document.problem(("schemes", i), wrong, "a scheme without `linears`, `transforms`"))
    if lookup.problems:
        return
    places = list(every)
    for options in ways.values():
        for derived, blocks in ((input_scheme, backward), (weight_scheme, weights)):
            formats = {name: derived(scheme, options.gradients) for name, scheme in schemes.items()}
            for fault in lacking(platforms, formats, technologies, blocks):  # type: ignore[arg-type]
                at = ("platforms", places.index(list(platforms)[fault.platform]))
                wrong = f"{fault.wrong} (gradients of {fault.scheme})"
                lookup.problems.append(document.problem(at, wrong, fault.expected))
    if lookup.problems:
        return
    for machines in platforms.values():  # operations of the optimiser
        for key, (name, platform) in machines.items():
            for technology in technologies.values():
                for options in ways.values():
                    trainer = Trainer(name, platform, schemes[key], technology, options)
                    try:
                        trainer.optimiser_step(next(iter(models.values())))
                    except UnpricedError as error:
                        wrong, expected = error.args
                        lookup.problems.append(document.problem(("technologies",), wrong, expected))
