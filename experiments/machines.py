"""An experiment's platforms: names, files and sets looked up, and whether they can run its schemes."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bitjoule.energy_models.accesses import UnpricedError
from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.arithmetic import Matmul
from bitjoule.energy_models.documents import Document, Path_, fingerprint
from bitjoule.energy_models.errors import InputError, Problem, brief, choices, suggestion
from bitjoule.energy_models.machine import Machine
from bitjoule.energy_models.models import ModelShape
from bitjoule.energy_models.platforms import Platform, platforms, read_platform
from bitjoule.energy_models.schemes import Scheme
from bitjoule.energy_models.search import search
from bitjoule.energy_models.steps import Kind
from bitjoule.energy_models.technology import Technology
from bitjoule.energy_models.validation import unknown_name
from bitjoule.experiments.schema import Experiment, NamedPlatform, PlatformSet

Found = Mapping[str, Mapping[str, tuple[str, Platform]]]


@dataclass
class PlatformReader:
    """Reads the platforms of one experiment.

    Parameters
    ----------
    document
        The experiment.
    problems, inputs
        Where problems, and the fingerprints of files, are added.
    """

    document: Document
    problems: list[Problem]
    inputs: dict[str, str]

    def read(self, experiment: Experiment, schemes: Sequence[str]) -> Found:
        """Return for each platform, by name, the machine of each scheme.

        Parameters
        ----------
        experiment
            The experiment.
        schemes
            Names of its schemes.
        """
        found: dict[str, dict[str, tuple[str, Platform]]] = {}
        for i, entry in enumerate(experiment.platforms or ()):
            at: Path_ = ("platforms", i)
            if isinstance(entry, PlatformSet):
                name, members = entry.name, self._members(entry, schemes, at)
            else:
                one = self.machine(entry, at)
                name = one[0] if one else ""
                members = dict.fromkeys(schemes, one) if one else {}
            if not name:
                continue
            if name in found:
                self.problems.append(
                    self.document.problem(at, f"a second platform is named {name!r}", "each name once")
                )
            found[name] = members
        return found

    def _members(self, entry: PlatformSet, schemes: Sequence[str], at: Path_) -> dict[str, tuple[str, Platform]]:
        members = {}
        for scheme, machine in entry.by_scheme.items():
            where = (*at, "by_scheme", scheme)
            if scheme not in schemes:
                wrong = f"{scheme!r} is no scheme of this experiment{suggestion(scheme, schemes)}"
                self.problems.append(self.document.problem(where, wrong, choices(schemes)))
            one = self.machine(machine, where)
            if one is not None:
                members[scheme] = one
        missing = [scheme for scheme in schemes if scheme not in entry.by_scheme]
        if missing:
            wrong = f"no platform for {', '.join(missing)}"
            self.problems.append(self.document.problem((*at, "by_scheme"), wrong, "one for each scheme"))
        return members

    def machine(self, entry: str | NamedPlatform, at: Path_) -> tuple[str, Platform] | None:
        """Return a platform and its name, or none if there is a problem with it.

        Parameters
        ----------
        entry
            A name, a path, or a platform written out.
        at
            Where the experiment names it.
        """
        if isinstance(entry, NamedPlatform):
            return entry.name, entry
        if "/" in entry or entry.endswith((".yaml", ".yml")):
            path = self.document.folder(at) / entry
            if not os.path.exists(path):  # noqa: PTH110 (never raises, whatever the name)
                self.problems.append(self.document.problem(at, f"{brief(entry)} does not exist", "a platform's YAML"))
                return None
            try:
                found = read_platform(path)
            except InputError as error:
                self.problems += error.problems
                return None
            self.inputs[entry] = fingerprint(path)
            return name_of(path.stem, "platform"), found
        if entry not in platforms():
            self.problems.append(self.document.problem(at, *unknown_name("platform", entry, platforms())))
            return None
        return entry, platforms()[entry]

    def written_out(self, experiment: Experiment) -> list[str | NamedPlatform | PlatformSet] | None:
        """Return the experiment's platforms with those of files in full: it can be run again without them.

        Parameters
        ----------
        experiment
            The experiment, without problems.
        """
        if experiment.platforms is None:
            return None

        def whole_set(entry: PlatformSet, at: Path_) -> PlatformSet:
            members = {name: self.whole(one, (*at, "by_scheme", name)) for name, one in entry.by_scheme.items()}
            return entry.model_copy(update={"by_scheme": members})

        return [
            whole_set(entry, ("platforms", i))
            if isinstance(entry, PlatformSet)
            else self.whole(entry, ("platforms", i))
            for i, entry in enumerate(experiment.platforms)
        ]

    def whole(self, entry: str | NamedPlatform, at: Path_) -> str | NamedPlatform:
        """Return a platform that is not named as one that ships, in full.

        Parameters
        ----------
        entry, at
            As for `machine`, without problems.
        """
        if isinstance(entry, NamedPlatform) or entry in platforms():
            return entry
        name, found = self.machine(entry, at) or ("", None)
        assert found is not None  # noqa: S101 (it has been read once)
        return NamedPlatform.model_validate({"name": name, **found.with_defaults()})


def name_of(stem: str, otherwise: str) -> str:
    """Return the name of something read from a file.

    Parameters
    ----------
    stem
        Of the file, or its folder.
    otherwise
        Where nothing of it can stand in a name.
    """
    return re.sub(r"[^A-Za-z0-9_.+-]", "-", stem).lstrip("_.+-")[:100] or otherwise


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
        From `PlatformReader`.
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


def _check_tiles(machine: Machine, kind: Kind) -> None:
    """Refuse buffers without room for the smallest tile: a scheme may store values wider than their format."""
    array, _ = machine.array(kind)
    if search(machine.problem(kind, 1, array.lanes, array.columns, False, 0.0)) is None:
        wrong = f"the buffers of platform {machine.name} hold no tile of {array.lanes} x {array.columns}"
        raise UnpricedError(wrong, "larger buffers, or fewer lanes and columns")
