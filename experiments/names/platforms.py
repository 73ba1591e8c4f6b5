"""An experiment's platforms: names, files and sets looked up, and whether they can run its schemes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.errors import Problem, choices, suggestion
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.accesses import UnpricedError
from bitjoule.energy_models.system.machine import Machine
from bitjoule.energy_models.system.platforms import Platform, platforms, read_platform
from bitjoule.energy_models.system.search import search
from bitjoule.energy_models.system.steps import MatmulKind
from bitjoule.experiments.names.entries import NamedPlatform, PlatformSet
from bitjoule.experiments.names.lookup import Entries, Lookup

Found = Mapping[str, Mapping[str, tuple[str, Platform]]]


PLATFORMS = Entries("platform", platforms, read_platform, "a platform's YAML")
Entry = str | NamedPlatform | PlatformSet


def read_platforms(lookup: Lookup, entries: Sequence[Entry], schemes: Sequence[str]) -> tuple[Found, list[Entry]]:
    """Return for each platform, by name, the machine of each scheme, and the list of them with those of files in full.

    Parameters
    ----------
    lookup
        Of the experiment.
    entries
        As the experiment lists them.
    schemes
        Names of its schemes.
    """
    found: dict[str, dict[str, tuple[str, Platform]]] = {}
    inlined: list[Entry] = []
    for i, entry in enumerate(entries):
        at: KeyPath = ("platforms", i)
        if isinstance(entry, PlatformSet):
            members = _members(lookup, entry, schemes, at)
            name, machines = entry.name, {scheme: one[:2] for scheme, one in members.items()}
            inlined.append(
                entry.model_copy(update={"by_scheme": {scheme: one.whole for scheme, one in members.items()}})
            )
        else:
            one = read_machine(lookup, entry, at)
            if one is None:
                continue
            name, machines = one.name, dict.fromkeys(schemes, one[:2])
            inlined.append(one.whole)
        lookup.once("platform", name, found, at)
        found[name] = machines
    return found, inlined


class MachineRead(NamedTuple):
    """A platform as an experiment names it.

    Parameters
    ----------
    name, platform
        The platform.
    whole
        What stands for it in an experiment that no other file belongs to.
    """

    name: str
    platform: Platform
    whole: str | NamedPlatform


def read_machine(lookup: Lookup, entry: str | NamedPlatform, at: KeyPath) -> MachineRead | None:
    """Return a platform, or none if there is a problem with it.

    Parameters
    ----------
    lookup
        Of the experiment.
    entry, at
        A name, a path, or written out, and its place.
    """
    if isinstance(entry, NamedPlatform):
        return MachineRead(entry.name, entry, entry)
    found = lookup.find(PLATFORMS, entry, at)
    if found is None:
        return None
    name, platform, of_file = found
    whole = NamedPlatform.model_validate({"name": name, **platform.with_defaults()}) if of_file else name
    return MachineRead(name, platform, whole)


def _members(lookup: Lookup, entry: PlatformSet, schemes: Sequence[str], at: KeyPath) -> dict[str, MachineRead]:
    members = {}
    for scheme, machine in entry.by_scheme.items():
        where = (*at, "by_scheme", scheme)
        if scheme not in schemes:
            wrong = f"{scheme!r} is not a scheme of this experiment{suggestion(scheme, schemes)}"
            lookup.problems.append(lookup.document.problem(where, wrong, choices(schemes)))
        one = read_machine(lookup, machine, where)
        if one is not None:
            members[scheme] = one
    missing = [scheme for scheme in schemes if scheme not in entry.by_scheme]
    if missing:
        wrong = f"no platform for {', '.join(missing)}"
        lookup.problems.append(lookup.document.problem((*at, "by_scheme"), wrong, "one for each scheme"))
    return members


def cannot_run(
    found: Found,
    schemes: Mapping[str, Scheme],
    technologies: Mapping[str, Technology],
    models: Mapping[str, ModelShape | Matmul],
    document: Document,
) -> list[Problem]:
    """Return what the platforms lack to run the schemes on the models.

    Parameters
    ----------
    found
        From `read_platforms`.
    schemes, technologies, models
        Of the experiment.
    document
        Names file and lines.
    """
    kinds = Layout(list(models.values())).kinds
    problems: dict[Problem, None] = {}
    for i, machines in enumerate(found.values()):
        for scheme, (name, platform) in machines.items():
            for technology in technologies.values():
                machine = Machine(schemes[scheme], platform, technology, name)
                try:
                    for kind in kinds:
                        machine.lines(kind)
                        _check_tiles(machine, kind)
                    for action in ("mul", "add") if any(kind.rescaled for kind in kinds) else ():
                        machine.operation(action, schemes[scheme].vector)
                except UnpricedError as error:
                    wrong, expected = error.args
                    problems[document.problem(("platforms", i), f"{wrong} ({scheme})", expected)] = None
    return list(problems)


def _check_tiles(machine: Machine, kind: MatmulKind) -> None:
    """Refuse buffers without room for the smallest tile: a scheme may store values wider than their format."""
    array, _ = machine.array(kind)
    if search(machine.problem(kind, 1, array.lanes, array.columns, False, 0.0)) is None:
        wrong = f"the buffers of platform {machine.name} cannot hold a tile of {array.lanes} x {array.columns}"
        raise UnpricedError(wrong, "larger buffers, or fewer lanes and columns")
