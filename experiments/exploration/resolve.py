"""From the file of an exploration to its space and to all that its knobs choose from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitjoule.energy_models.architecture.shape import AnyShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.changes import named_places
from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.errors import InputError, brief, choices, suggestion
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.work.scheme_work import unfit
from bitjoule.experiments.energy.schema import MAX_MAPPED
from bitjoule.experiments.exploration.schema import Exploration
from bitjoule.experiments.exploration.space.accelerator import KEYS
from bitjoule.experiments.exploration.space.designs import Base, designs_of
from bitjoule.experiments.exploration.space.knobs import ENTRIES, SECTIONS, Space
from bitjoule.experiments.names.arrays import read_array
from bitjoule.experiments.names.inherited import with_bases
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.experiments.names.models import inlined_models, read_models
from bitjoule.experiments.names.platforms import cannot_run, read_machine
from bitjoule.experiments.names.schemes import SCHEMES, inlined_schemes
from bitjoule.experiments.names.technologies import read_technology, technology_of
from bitjoule.rtl.config import AcceleratorConfig

TRIED = 32  # designs, evenly spread over the space, of which one must be possible
Reader = Callable[[Any, KeyPath], tuple[str, Any, Any] | None]


@dataclass(frozen=True)
class ExplorationInput:
    """An exploration and everything that its names refer to.

    Parameters
    ----------
    experiment
        As written, with what files hold inlined.
    base
        What a design is where no knob says otherwise.
    space
        Of the knobs.
    inputs
        SHA-256 of its file and of each file that it names, by name as written.
    folder
        Where evaluated batches are kept until the end, so that an interrupted exploration can go on; none to keep none.
    jobs
        Number of processes that evaluate designs; the result does not depend on it.
    scheduler
        Address of a Dask scheduler whose workers evaluate them instead; the result does not depend on it either.
    """

    experiment: Exploration
    base: Base
    space: Space
    inputs: Mapping[str, str]
    folder: Path | None = None
    jobs: int = 1
    scheduler: str | None = None


def resolve(document: Document) -> ExplorationInput:
    """Check an exploration, and look up every name in it.

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
    experiment = validate(Exploration, document)
    lookup = Lookup(document, [], document.inputs)
    models = read_models(lookup, experiment.models, None)
    shapes: dict[str, AnyShape] = {name: shape for name, shape in models.items() if not isinstance(shape, Matmul)}
    space = experiment.explore.space
    schemes, scheme = _entries(lookup, space, "scheme", experiment.scheme, _scheme_reader(lookup))
    technologies, technology = _entries(lookup, space, "technology", experiment.technology, _technology_reader(lookup))
    platforms, platform = _entries(lookup, space, "platform", experiment.platform, _platform_reader(lookup))
    accelerator = _accelerator(lookup, experiment, platforms)
    if lookup.problems:
        raise InputError(dict.fromkeys(lookup.problems))
    base = Base(
        shapes, schemes, technologies, platforms, accelerator, experiment.workload.model_dump(), experiment.objective,
        experiment.experts,
    )  # fmt: skip
    _check_keys(lookup, base, space)
    _check_context(lookup, base, space)
    _check_base(lookup, base, space)
    if lookup.problems:
        raise InputError(dict.fromkeys(lookup.problems))
    inlined = {"models": inlined_models(experiment.models, models), "scheme": scheme, "technology": technology}
    inlined |= {"platform": platform}
    if experiment.accelerator is not None and accelerator is not None:
        inlined["accelerator"] = experiment.accelerator.model_copy(update={"config": accelerator[0].as_mapping()})
    return ExplorationInput(experiment.model_copy(update=inlined), base, space, lookup.inputs)


def _scheme_reader(lookup: Lookup) -> Reader:
    def read(entry: Any, at: KeyPath) -> tuple[str, Scheme, Any] | None:
        if not isinstance(entry, str):
            return entry.name, entry, entry
        result = lookup.find(SCHEMES, entry, at)
        if result is None:
            return None
        (inlined,) = inlined_schemes([entry], {result.name: result.value})
        return result.name, result.value, inlined

    return read


def _technology_reader(lookup: Lookup) -> Reader:
    def read(entry: Any, at: KeyPath) -> tuple[str, Technology, Any] | None:
        inlined = read_technology(lookup, entry, at)
        if inlined is None:
            return None
        technology = technology_of(inlined)
        return technology.name, technology, inlined

    return read


def _platform_reader(lookup: Lookup) -> Reader:
    def read(entry: Any, at: KeyPath) -> tuple[str, Platform, Any] | None:
        machine = read_machine(lookup, entry, at)
        return None if machine is None else (machine.name, machine.platform, machine.inlined)

    return read


def _entries(
    lookup: Lookup, space: Space, section: str, own: Any, read: Reader
) -> tuple[dict[str, Any], Any]:  # fmt: skip
    """Return the file's own entry of a section and those that a knob names, and what stands for the own one inlined."""
    result = read(own, (section,))
    if result is None:
        return {}, None
    name, value, inlined = result
    entries = {name: value}
    for knob in space.knobs:
        for setting in knob.settings:
            chosen = setting.get(section)
            if section not in setting or (isinstance(chosen, str) and chosen in entries):
                continue
            at: KeyPath = ("explore", "knobs", knob.name)
            if not isinstance(chosen, str) or "/" in chosen or chosen.endswith((".yaml", ".yml", ".csv", ".gguf")):
                wrong = f"got {brief(chosen)}"
                lookup.problems.append(lookup.document.problem(at, wrong, f"names of built-in entries: {section}s"))
                continue
            entry = read(chosen, at)
            if entry is not None:
                entries[chosen] = entry[1]
    return entries, inlined


def _accelerator(
    lookup: Lookup, experiment: Exploration, platforms: Mapping[str, Platform]
) -> tuple[AcceleratorConfig, str] | None:
    written = experiment.accelerator
    if written is None:
        return None
    for platform in platforms.values():
        if written.array not in platform.arrays:
            wrong = f"{written.array!r} is not an array of the platform{suggestion(written.array, platform.arrays)}"
            place = ("accelerator", "array")
            lookup.problems.append(lookup.document.problem(place, wrong, choices(platform.arrays)))
    config = read_array(lookup, written.config, ("accelerator", "config"))
    return None if config is None else (config, written.array)


def _check_keys(lookup: Lookup, base: Base, space: Space) -> None:
    """Report keys of knobs that name nothing, and values of which no schema allows any."""
    for knob in space.knobs:
        at: KeyPath = ("explore", "knobs", knob.name)
        for key in knob.keys:
            if key in ENTRIES:
                continue
            section, _, inner = key.partition(".")
            problem = _unknown_key(base, section, inner)
            if problem is not None:
                lookup.problems.append(lookup.document.problem(at, f"{key}: {problem[0]}", problem[1]))


def _unknown_key(base: Base, section: str, key: str) -> tuple[str, str] | None:
    """Return what is wrong with the key of a knob, and what was expected; none if it names a value."""
    if section not in SECTIONS or not key:
        keys = [*ENTRIES, *(f"{each}.KEY" for each in SECTIONS)]
        return f"is not a key of a design{suggestion(section, SECTIONS)}", choices(keys)
    if section == "workload":
        return (
            None if key in base.workload else (f"unknown key{suggestion(key, base.workload)}", choices(base.workload))
        )
    if section == "accelerator":
        if base.accelerator is None:
            return "the experiment has no accelerator", "a key `accelerator`, e.g. {config: edge_64x16, array: adders}"
        return None if key in KEYS else (f"unknown key{suggestion(key, KEYS)}", choices(KEYS, 20))
    documents: Mapping[str, Any] = base.platforms if section == "platform" else base.schemes
    for name, document in documents.items():
        if not named_places(document, key):
            parent, _, last = key.rpartition(".")
            known = _keys_below(document, parent)
            hint = suggestion(last, known)
            expected = choices(known, 20) if known else f"a key of the {section}, as `bitjoule show {section}` prints"
            return f"names nothing in {section} {name}{hint}", expected
    return None


def _keys_below(document: Any, key: str) -> list[str]:
    data = document.model_dump(mode="json")
    for part in key.split(".") if key else ():
        data = data.get(part) if isinstance(data, dict) else None
    return list(data) if isinstance(data, dict) else []


def _check_context(lookup: Lookup, base: Base, space: Space) -> None:
    """Report workloads that are no whole numbers in range."""
    least = {"prompt_tokens": 1, "new_tokens": 0, "batch": 1}
    for knob in space.knobs:
        for setting in knob.settings:
            for key, value in setting.items():
                section, _, inner = key.partition(".")
                if section != "workload" or inner not in least:
                    continue
                if (
                    isinstance(value, bool)
                    or not isinstance(value, int)
                    or not least[inner] <= value <= MAX_MAPPED // 2
                ):
                    at = ("explore", "knobs", knob.name)
                    expected = f"whole numbers from {least[inner]} to {MAX_MAPPED // 2}"
                    lookup.problems.append(lookup.document.problem(at, f"{key}: got {brief(value)}", expected))
    context = base.workload["prompt_tokens"] + base.workload["new_tokens"]
    if context > MAX_MAPPED:
        lookup.problems.append(
            lookup.document.problem(("workload",), f"a context of {context} tokens", f"at most {MAX_MAPPED}")
        )


def _check_base(lookup: Lookup, base: Base, space: Space) -> None:
    """Report schemes that the machine does not run, where no knob changes either, and a space without designs."""
    document = lookup.document
    chosen = {key for knob in space.knobs for key in knob.keys}
    if not {"scheme", "platform"} & chosen:
        for scheme in base.schemes.values():
            fault = unfit(list(base.models.values()), scheme)
            if fault is not None:
                lookup.problems.append(document.problem(("scheme",), *fault))
        if not lookup.problems:
            name, platform = next(iter(base.platforms.items()))
            machines = {name: dict.fromkeys(base.schemes, (name, platform))}
            problems = cannot_run(machines, base.schemes, base.technologies, base.models, document)
            lookup.problems.extend(document.problem(("platform",), each.wrong, each.expected) for each in problems)
    if not lookup.problems:
        _check_buildable(lookup, base, space)


def _check_buildable(lookup: Lookup, base: Base, space: Space) -> None:
    """Report a space of which no design that is tried can be built, as with values of a wrong type."""
    designs = designs_of(base, space, sorted({len(space) * i // TRIED for i in range(TRIED)}))
    problems = [design for design in designs if isinstance(design, str)]
    if len(problems) == len(designs):
        wrong = f"none of {len(designs)} designs that were tried is possible: {problems[0]}"
        lookup.problems.append(lookup.document.problem(("explore", "knobs"), wrong, "values that fit together"))
