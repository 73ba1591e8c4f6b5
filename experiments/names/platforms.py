"""An experiment's platforms: names, files and sets looked up, and whether they can run its schemes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bitjoule.energy_models.architecture.shape import AnyShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.errors import Problem, choices, suggestion
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.search import search
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.platforms import Platform, platforms, read_platform
from bitjoule.energy_models.system.work.scheme_work import layout_of
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.experiments.names.entries import NamedPlatform, PlatformSet
from bitjoule.experiments.names.lookup import Entries, Lookup

MachinesByPlatform = Mapping[str, Mapping[str, tuple[str, Platform]]]
PLATFORMS = Entries("platform", platforms, read_platform, "a platform's YAML")
Entry = str | NamedPlatform | PlatformSet


def read_platforms(
    lookup: Lookup, entries: Sequence[Entry], schemes: Sequence[str]
) -> tuple[MachinesByPlatform, list[Entry]]:
    """Return for each platform, by name, the machine of each scheme, and the list of entries with files inlined.

    Parameters
    ----------
    lookup
        Of the experiment.
    entries
        As the experiment lists them.
    schemes
        Names of its schemes.
    """
    by_name: dict[str, dict[str, tuple[str, Platform]]] = {}
    inlined: list[Entry] = []
    for i, entry in enumerate(entries):
        at: KeyPath = ("platforms", i)
        if isinstance(entry, PlatformSet):
            members = _members(lookup, entry, schemes, at)
            name, machines = entry.name, {scheme: member[:2] for scheme, member in members.items()}
            inlined.append(
                entry.model_copy(update={"by_scheme": {scheme: member.inlined for scheme, member in members.items()}})
            )
        else:
            member = read_machine(lookup, entry, at)
            if member is None:
                continue
            name, machines = member.name, dict.fromkeys(schemes, member[:2])
            inlined.append(member.inlined)
        lookup.once("platform", name, by_name, at)
        by_name[name] = machines
    return by_name, inlined


class MachineRead(NamedTuple):
    """The platform of an entry.

    Parameters
    ----------
    name, platform
        The platform.
    inlined
        Its entry in an experiment that depends on no other file.
    """

    name: str
    platform: Platform
    inlined: str | NamedPlatform


def read_machine(lookup: Lookup, entry: str | NamedPlatform, at: KeyPath) -> MachineRead | None:
    """Return a platform, or none if there is a problem with it.

    Parameters
    ----------
    lookup
        Of the experiment.
    entry, at
        A name, a path, or an inline platform, and its place.
    """
    if isinstance(entry, NamedPlatform):
        entry = entry.inheriting(lookup.document, at, lookup.document.derivations.get(at, ()))
        return MachineRead(entry.name, entry, entry)
    result = lookup.find(PLATFORMS, entry, at)
    if result is None:
        return None
    name, platform, from_file = result
    inlined = NamedPlatform.model_validate({"name": name, **platform.with_defaults()}) if from_file else name
    return MachineRead(name, platform, inlined)


def _members(lookup: Lookup, entry: PlatformSet, schemes: Sequence[str], at: KeyPath) -> dict[str, MachineRead]:
    members = {}
    for scheme, member_entry in entry.by_scheme.items():
        place = (*at, "by_scheme", scheme)
        if scheme not in schemes:
            wrong = f"{scheme!r} is not a scheme of this experiment{suggestion(scheme, schemes)}"
            lookup.problems.append(lookup.document.problem(place, wrong, choices(schemes)))
        member = read_machine(lookup, member_entry, place)
        if member is not None:
            members[scheme] = member
    missing = [scheme for scheme in schemes if scheme not in entry.by_scheme]
    if missing:
        wrong = f"no platform for {', '.join(missing)}"
        lookup.problems.append(lookup.document.problem((*at, "by_scheme"), wrong, "one for each scheme"))
    return members


def cannot_run(
    by_platform: MachinesByPlatform,
    schemes: Mapping[str, Scheme],
    technologies: Mapping[str, Technology],
    models: Mapping[str, AnyShape | Matmul],
    document: Document,
) -> list[Problem]:
    """Return what the platforms lack to run the schemes on the models.

    Parameters
    ----------
    by_platform
        From `read_platforms`.
    schemes, technologies, models
        Of the experiment.
    document
        The experiment as written, with file and lines.
    """
    problems: dict[Problem, None] = {}
    for fault in lacking(by_platform, schemes, technologies, models):
        wrong = f"{fault.wrong} ({fault.scheme})"
        problems[document.problem(("platforms", fault.platform), wrong, fault.expected)] = None
    return list(problems)


class Fault(NamedTuple):
    """Why a platform cannot run a scheme.

    Parameters
    ----------
    platform
        Index of the platform.
    scheme
        Name of the scheme.
    wrong, expected
        As for `bitjoule.energy_models.inputs.errors.Problem`.
    """

    platform: int
    scheme: str
    wrong: str
    expected: str


def lacking(
    by_platform: MachinesByPlatform,
    schemes: Mapping[str, Scheme],
    technologies: Mapping[str, Technology],
    models: Mapping[str, AnyShape | Matmul],
) -> Iterator[Fault]:
    """Yield what the platforms lack to run the schemes on the models.

    Parameters
    ----------
    by_platform, schemes, technologies, models
        As for `cannot_run`.
    """
    kinds = layout_of(list(models.values()), list(schemes.values())).kinds
    for i, machines in enumerate(by_platform.values()):
        for scheme, (name, platform) in machines.items():
            for technology in technologies.values():
                machine = Machine(schemes[scheme], platform, technology, name)
                try:
                    for kind in kinds:
                        machine.lines(kind)
                        _check_tiles(machine, kind)
                    for action in ("mul", "add") if any(kind.adds_biases for kind in kinds) else ():
                        machine.operation(action, schemes[scheme].vector)
                except UnpricedError as error:
                    yield Fault(i, scheme, *error.args)


def _check_tiles(machine: Machine, kind: MatmulKind) -> None:
    """Reject buffers without room for the smallest tile: a scheme may store values wider than their format."""
    array, _ = machine.array(kind)
    if search(machine.problem(kind, 1, array.lanes, array.columns, False, 0.0)) is None:
        wrong = f"the buffers of platform {machine.name} cannot hold a tile of {array.lanes} x {array.columns}"
        raise UnpricedError(wrong, "larger buffers, or fewer lanes and columns")
